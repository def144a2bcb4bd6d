/* The document as a page for people: json_to_html IN OUT. A tool of the build.
 *
 * Plain HTML, without styles and scripts: it is shown under a policy that allows neither. Of the
 * document it shows what a reader looks up: operations by tag, parameters, statuses, an example. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {"get", "put", "post", "patch", "delete"};
enum { METHOD_COUNT = sizeof methods / sizeof methods[0] };

static void
put_escaped(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '&')
            fputs("&amp;", out);
        else if (text[i] == '<')
            fputs("&lt;", out);
        else if (text[i] == '>')
            fputs("&gt;", out);
        else if (text[i] == '"')
            fputs("&quot;", out);
        else
            fputc(text[i], out);
    }
}

static void
put(FILE *out, const char *text)
{
    if (text != NULL)
        put_escaped(out, text, strlen(text));
}

/* A mark that begins here and has an end: the element that stands for it. */
static const char *
mark_at(const char *text, const char **end)
{
    static const struct {
        const char *mark, *element;
    } marks[] = {{"**", "b"}, {"`", "code"}};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t size = strlen(marks[i].mark);

        *end = strncmp(text, marks[i].mark, size) == 0 ? strstr(text + size, marks[i].mark) : NULL;
        if (*end != NULL)
            return marks[i].element;
    }
    return NULL;
}

/* What descriptions use of Markdown: paragraphs, **bold**, `code`. */
static void
put_prose(FILE *out, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    fputs("<p>", out);
    while (*text != '\0') {
        const char *end = NULL, *element = mark_at(text, &end);

        if (element != NULL) {
            size_t size = element[0] == 'b' ? 2 : 1;

            fprintf(out, "<%s>", element);
            put_escaped(out, text + size, (size_t)(end - text) - size);
            fprintf(out, "</%s>", element);
            text = end + size;
        } else if (text[0] == '\n' && text[1] == '\n') {
            fputs("</p>\n<p>", out);
            text += 2;
        } else {
            put_escaped(out, text++, 1);
        }
    }
    fputs("</p>\n", out);
}

static const char *
text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* {"$ref": "#/components/kind/name"}, or the thing itself. */
static const json_t *
resolved(const json_t *document, const json_t *thing)
{
    const char *reference = text_of(thing, "$ref"), *name = reference;
    const json_t *found = document;
    char part[128];

    if (reference == NULL)
        return thing;
    for (name += 2; found != NULL; name++) {
        size_t size = strcspn(name, "/");

        snprintf(part, sizeof part, "%.*s", (int)size, name);
        found = json_object_get(found, part);
        name += size;
        if (*name == '\0')
            return found;
    }
    return NULL;
}

static void
put_parameters(FILE *out, const json_t *document, const json_t *list)
{
    size_t i;
    const json_t *item;

    if (json_array_size(list) == 0)
        return;
    fputs("<dl>\n", out);
    json_array_foreach(list, i, item)
    {
        const json_t *parameter = resolved(document, item);

        fputs("<dt><code>", out);
        put(out, text_of(parameter, "name"));
        fputs("</code> (", out);
        put(out, text_of(parameter, "in"));
        fputs(")</dt><dd>", out);
        put(out, text_of(parameter, "description"));
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n", out);
}

static void
put_responses(FILE *out, const json_t *document, json_t *responses)
{
    const char *status;
    json_t *item;

    fputs("<ul>\n", out);
    json_object_foreach(responses, status, item)
    {
        if (strcmp(status, "default") == 0)
            continue; /* the same everywhere */
        fputs("<li>", out);
        put(out, status);
        fputs(": ", out);
        put(out, text_of(resolved(document, item), "description"));
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static void
put_operation(FILE *out, const json_t *document, const char *path, const char *method,
              const json_t *shared, const json_t *operation)
{
    const json_t *samples = json_object_get(operation, "x-codeSamples");
    const char *id = text_of(operation, "operationId"), *sample;

    fputs("<details id=\"", out);
    put(out, id);
    fputs("\"><summary><code>", out);
    for (const char *c = method; *c != '\0'; c++)
        fputc(*c - 'a' + 'A', out);
    fputc(' ', out);
    put(out, path);
    fputs("</code> ", out);
    put(out, text_of(operation, "summary"));
    fputs("</summary>\n", out);
    put_prose(out, text_of(operation, "description"));
    put_parameters(out, document, shared);
    put_parameters(out, document, json_object_get(operation, "parameters"));
    put_responses(out, document, json_object_get(operation, "responses"));
    sample = text_of(json_array_get(samples, 0), "source");
    if (sample != NULL) {
        fputs("<pre>", out);
        put(out, sample);
        fputs("</pre>\n", out);
    }
    fputs("</details>\n", out);
}

static void
put_tag(FILE *out, const json_t *document, const json_t *tag)
{
    const char *name = text_of(tag, "name"), *path;
    json_t *item;

    fputs("<h2>", out);
    put(out, name);
    fputs("</h2>\n", out);
    put_prose(out, text_of(tag, "description"));
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        for (size_t i = 0; i < METHOD_COUNT; i++) {
            const json_t *operation = json_object_get(item, methods[i]);
            const char *its =
                json_string_value(json_array_get(json_object_get(operation, "tags"), 0));

            if (its != NULL && strcmp(its, name) == 0)
                put_operation(out, document, path, methods[i], json_object_get(item, "parameters"),
                              operation);
        }
    }
}

static void
put_page(FILE *out, const json_t *document)
{
    const json_t *info = json_object_get(document, "info"), *tag;
    size_t i;

    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Tensorkeep: the API</title>"
          "</head><body>\n<h1>Tensorkeep ",
          out);
    put(out, text_of(info, "version"));
    fputs(": the API</h1>\n<p>For machines: <a href=\"openapi.yaml\">openapi.yaml</a>, "
          "<a href=\"openapi.json\">openapi.json</a>. In examples <code>H</code> is the server's "
          "address.</p>\n",
          out);
    put_prose(out, text_of(info, "description"));
    json_array_foreach(json_object_get(document, "tags"), i, tag) put_tag(out, document, tag);
    fputs("</body></html>\n", out);
}

int
main(int argc, char **argv)
{
    json_error_t error;
    json_t *document;
    FILE *out;
    bool fine;

    if (argc != 3) {
        fprintf(stderr, "usage: json_to_html IN OUT\n");
        return EXIT_FAILURE;
    }
    document = json_load_file(argv[1], 0, &error);
    if (document == NULL) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, error.text);
        return EXIT_FAILURE;
    }
    out = fopen(argv[2], "w");
    if (out == NULL) {
        fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
        return EXIT_FAILURE;
    }
    put_page(out, document);
    fine = ferror(out) == 0;
    fine &= fclose(out) == 0;
    json_decref(document);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
