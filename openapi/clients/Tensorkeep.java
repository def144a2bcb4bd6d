// Tensorkeep from Java (17 or later): the standard library alone.
//
//     java Tensorkeep.java http://127.0.0.1:7840 example
//
// Java has no JSON of its own: what is asked for is written out, and tensors come as bytes. With a JSON library at hand, give it
// the body of call(). A token is taken from TENSORKEEP_TOKEN.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class Tensorkeep {
    /** The problem document of a refusal. */
    static class Refused extends IOException {
        final int status;
        final String problem;

        Refused(int status, String problem) {
            super(problem);
            this.status = status;
            this.problem = problem;
        }
    }

    /** What happened to something: event is variable.changed, checkpoint.saved and so on. */
    record Change(String event, String name) {}

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String base, token;

    /** token: null where the server asks for none. */
    Tensorkeep(String url, String token) {
        this.base = url + "/v1";
        this.token = token;
    }

    InputStream open(String method, String path, String json, String... headers) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(base + path));
        if (json == null) {
            request.method(method, HttpRequest.BodyPublishers.noBody());
        } else {
            request.method(method, HttpRequest.BodyPublishers.ofString(json)).header("Content-Type", "application/json");
        }
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        if (headers.length > 0) {
            request.headers(headers);
        }
        HttpResponse<InputStream> reply = http.send(request.build(), BodyHandlers.ofInputStream());
        if (reply.statusCode() >= 400) {
            try (InputStream body = reply.body()) {
                throw new Refused(reply.statusCode(), new String(body.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return reply.body();
    }

    byte[] bytes(String path, String accept) throws IOException, InterruptedException {
        try (InputStream body = open("GET", path, null, "Accept", accept)) {
            return body.readAllBytes();
        }
    }

    String call(String method, String path, String json, String... headers) throws IOException, InterruptedException {
        try (InputStream body = open(method, path, json, headers)) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** The elements of a float32 variable, the last dimension varying fastest. */
    float[] floats(String model, String variable) throws IOException, InterruptedException {
        String path = "/models/" + model + "/variables/" + variable + ":value";
        var buffer = ByteBuffer.wrap(bytes(path, "application/octet-stream")).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        float[] values = new float[buffer.remaining()];
        buffer.get(values);
        return values;
    }

    /** What happens to a model after a revision, up to and with the first event of the kind `last`. */
    List<Change> changes(String model, String since, String last) throws IOException, InterruptedException {
        String path = "/models/" + model + "/changes?feed=eventsource&since=" + since;
        List<Change> changes = new ArrayList<>();
        try (var lines = new BufferedReader(new InputStreamReader(open("GET", path, null, "Accept", "text/event-stream"),
                StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Matcher found = Pattern.compile("\\{\"event\":[^}]*\\}").matcher(line);
                while (line.startsWith("data: ") && found.find()) {
                    String name = found.group().contains("\"name\":") ? field(found.group(), "name") : model;
                    changes.add(new Change(field(found.group(), "event"), name));
                    if (field(found.group(), "event").equals(last)) {
                        return changes;
                    }
                }
            }
        }
        throw new IOException("the feed ended before " + last);
    }

    /** A field of a JSON object that is a number or a text without escapes. */
    static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": ?\"?([^\",}\\]]*)").matcher(json);
        if (!found.find()) {
            throw new IllegalArgumentException("no " + name + " in " + json);
        }
        return found.group(1);
    }

    /** The names in a safetensors file: 8 bytes of length, a JSON header, the data. */
    static String names(byte[] file) {
        int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        String header = new String(file, 8, length, StandardCharsets.UTF_8);
        return Pattern.compile("\"([^\"]*)\": ?\\{ ?\"dtype\"").matcher(header).results().map(found -> found.group(1)).sorted()
                .collect(Collectors.joining(" "));
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        var client = new Tensorkeep(arguments[0], System.getenv("TENSORKEEP_TOKEN"));
        String model = arguments[1], at = "/models/" + model;

        client.call("PUT", at, "{\"seed\": 7}");
        client.call("POST", at + "/variables", """
                [{"name": "layer/weights", "initial_value": {"op": "ones", "shape": [2, 3]}},
                 {"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": false}]""");
        String ready = client.call("POST", at + ":initialize", null);
        String initialized = ready.replaceFirst("(?s).*\"initialized\": ?\\[([^\\]]*)\\].*", "$1");
        System.out.println("initialized: " + Pattern.compile("[^\", ]+").matcher(initialized).results()
                .map(found -> found.group()).sorted().collect(Collectors.joining(" ")));

        client.call("PUT", at + "/optimizers/sgd", """
                {"type": "gradient_descent", "learning_rate": 0.5}""");
        String step = client.call("POST", at + "/optimizers/sgd:apply_gradients", """
                {"gradients": {"layer/weights": [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]}, "global_step": "global_step"}""",
                "Idempotency-Key", UUID.randomUUID().toString());
        System.out.print("step " + field(step, "global_step") + ":");
        for (float weight : client.floats(model, "layer/weights")) {
            System.out.print(" " + weight);
        }
        System.out.println();

        String saved = field(client.call("POST", at + "/checkpoints", """
                {"name": "model.ckpt", "global_step": {"variable": "global_step"}}"""), "name");
        byte[] file = client.bytes(at + "/checkpoints/" + saved + ":export", "application/vnd.safetensors");
        System.out.println("saved " + saved + ": " + names(file));

        System.out.println("changes: " + client.changes(model, field(ready, "revision"), "checkpoint.saved").stream()
                .filter(change -> change.event().matches("(variable|checkpoint)\\..*"))
                .map(change -> change.event() + " " + change.name()).sorted().collect(Collectors.joining(", ")));

        try {
            client.call("POST", at + "/variables/layer/weights:assign_add", "{\"value\": [1.0, 2.0]}");
        } catch (Refused no) {
            System.out.println("refused: " + field(no.problem, "code"));
        }
        client.call("DELETE", at, null);
    }
}
