"""Idempotency-Key: a request that is repeated is answered as it was the first time, and nothing is done twice."""

import re
import threading
import time

import every_write
import formats
from every_write import ARRAY, SAFE, WRITES
from idempotency import OF_THE_MOMENT, RAW, count, is_whole, key, replays

np = formats.np
FLAGS = ["--checkpoint-root", every_write.ROOT]


# --- every write ---------------------------------------------------------------------------------

def test_every_write_is_in_the_table(_s):
    assert every_write.operations() == set(WRITES) | every_write.WITHOUT_EFFECT


def test_every_write_is_told_again(s):
    model = s.model
    for i, (operation, (method, path, body, headers)) in enumerate(WRITES.items()):
        s.model = f"{model}-{i}"
        every_write.furnish(s)
        path, headers = path.format(model=s.model), key(operation, **headers)
        first = s.request(method, path, body, headers)
        assert first.status in (200, 201), str(first)
        assert "idempotency-replayed" not in first.headers, str(first)
        replays(s, first, method, path, body, headers)
        # What the reply is about may be gone, or be something else by now.
        s.delete("")
        replays(s, first, method, path, body, headers)
        every_write.furnish(s)
        replays(s, first, method, path, body, headers)
    s.model = model
    is_whole(s)


def test_replies_are_those_without_a_key(s):
    """But for the numbers, a key changes nothing in what is said."""
    model = s.model
    for i, (operation, (method, path, body, headers)) in enumerate(WRITES.items()):
        said = []
        for with_key in (False, True):
            s.model = f"{model}-{i}"
            s.delete("")
            s.delete(f"/v1/models/{s.model}-new")
            every_write.furnish(s)
            more = key(f"like-{operation}") if with_key else {}
            reply = s.request(method, path.format(model=s.model), body, {**headers, **more})
            names = sorted(set(reply.headers) - OF_THE_MOMENT)
            text = re.sub(rb"-?\d+", b"0", reply.body.partition(b'"initialized_with"')[0])
            said.append((reply.status, names, text))
        assert said[0] == said[1], (operation, said)
    s.model = model


def test_what_changes_nothing_is_told_again_too(s):
    every_write.furnish(s)
    first = s.put("", {}, key("confirm")).expect(200)
    replays(s, first, "PUT", "", {}, key("confirm"))
    s.initialize()
    first = s.post(":initialize", {"only_uninitialized": True}, key("nothing")).expect(200)
    assert first.json["initialized"] == []
    replays(s, first, "POST", ":initialize", {"only_uninitialized": True}, key("nothing"))
    is_whole(s)


# --- once ----------------------------------------------------------------------------------------

def test_a_lost_reply_is_told_after_a_kill(s):
    s.make("n", 0, "int64")
    first = count(s, 9, "lost").expect(200)
    assert first.json["value"] == 0
    for _ in range(2):
        s.kill9()
        s.restart()
        replays(s, first, "POST", "variables/n:count_up_to", {"limit": 9}, key("lost"))
        assert s.value("n") == 1
    assert count(s, 9, "next").expect(200).json["value"] == 1
    is_whole(s)


def test_every_number_is_given_once_whatever_dies(s):
    """Clients that count and ask again until they have an answer, over kills in the middle."""
    s.make("n", 0, "int64")
    each, given, wrong, lost = 40, [], [], []

    def work(number):
        client, done = s.another_client(), 0
        client.again = False
        while done < each:
            try:
                reply = count(s, 10 ** 9, f"{number}-{done}", client)
            except OSError:
                lost.append(number)
                client.close()
                time.sleep(0.02)
                client.port = s.server.port
                continue
            if reply.status != 200:
                wrong.append(str(reply))
                return
            given.append(reply.json["value"])
            done += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.05 * s.patience)
        s.server.kill9()
        s.server.start()
    for thread in threads:
        thread.join()
    s.connect()
    assert not wrong, wrong[0]
    assert sorted(given) == list(range(6 * each)), "a number twice, or none"
    assert s.value("n") == 6 * each
    is_whole(s)


def test_many_at_once_are_one(s):
    s.make("n", 0, "int64")
    replies = []

    def work(client):
        for i in range(20):
            reply = count(s, 99, f"shared-{i}", client)
            while reply.status == 409:
                s.is_refusal(reply, 409, "ABORTED", ("still running", f"shared-{i}"))
                reply = count(s, 99, f"shared-{i}", client)
            replies.append((i, reply.expect(200)))

    threads = [threading.Thread(target=work, args=(s.another_client(),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert s.value("n") == 20 and len(replies) == 100
    for i in range(20):
        mine = [reply for k, reply in replies if k == i]
        assert len({reply.body for reply in mine}) == 1, str(mine[0])
        assert sum("idempotency-replayed" in reply.headers for reply in mine) == 4


def test_a_request_that_is_running_has_its_key(s):
    s.make("w", [0] * 1000)
    data = np.ones(1000, "<f4").tobytes()
    head = (f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            "Idempotency-Key: slow\r\nTransfer-Encoding: chunked\r\n\r\n")
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(head.encode() + b"3e8\r\n" + data[:1000] + b"\r\n")
        time.sleep(0.2 * s.patience)
        s.refuses(409, "ABORTED", ("slow", "still running"), "PUT", "variables/w:value", iter([data]), {**RAW, **key("slow")})
        s.refuses(409, "ABORTED", "still running", "DELETE", "variables/w", None, key("slow"))
        raw.send(b"bb8\r\n" + data[1000:] + b"\r\n0\r\n\r\n")
        first = raw.reply().expect(200)
    replays(s, first, "PUT", "variables/w:value", data, {**RAW, **key("slow")})
    assert s.value("w") == [1] * 1000


def test_a_client_that_leaves_gives_its_key_back(s):
    s.make("w", [0] * 1000)
    data = np.ones(1000, "<f4").tobytes()
    head = (f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            "Idempotency-Key: gone\r\nTransfer-Encoding: chunked\r\n\r\n")
    with s.unchanged():
        with s.socket() as raw:
            raw.send(head.encode() + b"3e8\r\n" + data[:1000] + b"\r\n")
            time.sleep(0.2 * s.patience)
        time.sleep(0.2 * s.patience)
    first = s.put("variables/w:value", data, {**RAW, **key("gone")}).expect(200)
    assert "idempotency-replayed" not in first.headers
    assert s.value("w") == [1] * 1000


# --- another request -----------------------------------------------------------------------------

def test_a_key_is_for_one_request(s):
    s.make("v", [1, 2, 3])
    s.make("w/x", [1, 2, 3])
    tag = s.get("variables/v").etag
    body = {"value": [1, 1, 1]}
    first = s.post("variables/v:assign_add", body, key("one")).expect(200)
    for method, path, other, headers, words in (
            ("POST", "variables/v:assign_add", {"value": [1, 1, 2]}, {}, "body, query or headers"),
            ("POST", "variables/v:assign_add", {"value": [1, 1, 1.0]}, {}, "body"),
            ("POST", "variables/v:assign_add", None, {}, "body"),
            ("POST", "variables/v:assign_sub", body, {}, ("v:assign_add, this is POST", "v:assign_sub")),
            ("POST", "variables/w/x:assign_add", body, {}, "variables/w/x:assign_add"),
            ("POST", "variables/v:assign_add", body, {"If-Match": tag}, "headers"),
            ("POST", "variables/v:assign_add", body, {"If-None-Match": "*"}, "headers"),
            ("POST", "variables/v:assign_add", body, {"Prefer": "durability=commit"}, "headers"),
            ("POST", "variables/v:assign_add", body, {"Accept": "application/json"}, "headers"),
            ("PUT", "variables/v:value", [1, 1, 1], {}, "this is PUT"),
            ("DELETE", "variables/v", None, {}, "this is DELETE")):
        s.refuses(422, "UNPROCESSABLE", ("one", *([words] if isinstance(words, str) else words)), method, path, other,
                  {**headers, **key("one")})
    replays(s, first, "POST", "variables/v:assign_add", body, key("one"))
    assert s.value("v") == [2, 3, 4]


def test_what_means_the_same_is_the_same_request(s):
    s.make("w/x", [1, 2, 3])
    s.save("c")
    first = s.post("variables/w/x:assign", {"value": [1, 1, 1]}, key("path")).expect(200)
    replays(s, first, "POST", "variables/w%2Fx:assign", {"value": [1, 1, 1]}, key("path"))
    replays(s, first, "POST", "variables/w/x:assign", {"value": [1, 1, 1]},
            key("path", **{"X-Request-Id": "another", "User-Agent": "another"}))
    first = s.put("variables/new?trainable=false", ARRAY.tobytes(), {
        **RAW, **key("query"), "Tensor-Dtype": "float32", "Tensor-Shape": "3"}).expect(201)
    replays(s, first, "PUT", "variables/new?trainable=fals%65", lambda: iter([ARRAY.tobytes()]), {
        **RAW, **key("query"), "Tensor-Dtype": "float32", "Tensor-Shape": "3"})
    s.refuses(422, "UNPROCESSABLE", "query", "PUT", "variables/new", ARRAY.tobytes(), {
        **RAW, **key("query"), "Tensor-Dtype": "float32", "Tensor-Shape": "3"})
    s.refuses(422, "UNPROCESSABLE", "headers", "PUT", "variables/new?trainable=false", ARRAY.tobytes(), {
        **RAW, **key("query"), "Tensor-Dtype": "int32", "Tensor-Shape": "3"})
    # Keys differ by case, and are of the whole server.
    s.post("variables/w/x:assign", {"value": [2, 2, 2]}, key("PATH")).expect(200)
    model, s.model = s.model, s.model + "-other"
    s.put("", {})
    s.refuses(422, "UNPROCESSABLE", "PATH", "POST", "variables/w/x:assign", {"value": [2, 2, 2]}, key("PATH"))
    s.model = model


# --- bodies --------------------------------------------------------------------------------------

def test_uploads_are_compared_to_their_last_byte(s):
    size = 6_000_000
    data = np.random.default_rng(3).integers(0, 255, size, dtype=np.uint8)
    headers = {**RAW, "Tensor-Dtype": "uint8", "Tensor-Shape": str(size)}
    first = s.put("variables/w", data.tobytes(), {**headers, **key("big")}).expect(201)
    s.put("variables/w", b"\0" * size, headers).expect(200)
    pieces = [data[i:i + 100_000].tobytes() for i in range(0, size, 100_000)]
    replays(s, first, "PUT", "variables/w", data.tobytes(), {**headers, **key("big")})
    replays(s, first, "PUT", "variables/w", lambda: iter(pieces), {**headers, **key("big")})
    for wrong in (data.tobytes()[:-1] + b"?", data.tobytes()[:-1], data.tobytes() + b"?", b""):
        s.refuses(422, "UNPROCESSABLE", ("big", "body"), "PUT", "variables/w", wrong, {**headers, **key("big")})
        s.refuses(422, "UNPROCESSABLE", ("big", "body"), "PUT", "variables/w", iter([wrong]), {**headers, **key("big")})
    assert s.bytes_of("w") == b"\0" * size

    file = formats.safetensors_write({"w": ("uint8", [size], data.tobytes())})
    first = s.put("checkpoints/c", file, {**SAFE, **key("import")}).expect(201)
    s.delete("checkpoints/c").expect(200)
    replays(s, first, "PUT", "checkpoints/c", lambda: iter([file]), {**SAFE, **key("import")})
    s.refuses(422, "UNPROCESSABLE", "import", "PUT", "checkpoints/c", file[:-1] + b"?", {**SAFE, **key("import")})

    text = b'{"value": [' + b",".join([b"1"] * 50_000) + b"]}"
    s.create("big", {"op": "zeros", "shape": [50_000]})
    s.initialize(only_uninitialized=True)
    json = {"Content-Type": "application/json", **key("json")}
    first = s.post("variables/big:assign_add", text, json).expect(200)
    replays(s, first, "POST", "variables/big:assign_add", text, json)
    replays(s, first, "POST", "variables/big:assign_add", lambda: iter([text[:7], text[7:]]), json)
    s.refuses(422, "UNPROCESSABLE", "json", "POST", "variables/big:assign_add", text + b" ", json)
    assert set(s.value("big")) == {1}
    is_whole(s)


def test_the_boundary_of_a_form_is_made_up_anew(s):
    """Clients draw another one each time they say the same."""
    s.make("w", [0] * 50_000)
    request = b'{"ops": [{"op": "assign_add", "variable": "w", "value": {"tensor": "g"}}]}'

    def form(boundary, fill, request=request):
        array = np.full(50_000, fill, "<f4")
        tensors = formats.safetensors_write({"g": ("float32", [50_000], array.tobytes())})
        body, media_type = formats.multipart_write([("request", "application/json", request), ("tensors", None, tensors)], boundary)
        return body, {"Content-Type": media_type, **key("form")}

    body, headers = form("first", 1)
    first = s.post(":run", body, headers).expect(200)
    replays(s, first, "POST", ":run", body, headers)
    for boundary in ("f", "firs", "firsts", "quite-another-one-" + "x" * 50):
        body, headers = form(boundary, 1)
        replays(s, first, "POST", ":run", body, headers)
        pieces = [body[i:i + 7001] for i in range(0, len(body), 7001)]
        replays(s, first, "POST", ":run", lambda: iter(pieces), headers)
    for other in (form("first", 2), form("first", 1, request + b" "), form("second", 2)):
        s.refuses(422, "UNPROCESSABLE", ("form", "body"), "POST", ":run", *other)
    assert set(s.value("w")) == {1}


def test_a_body_that_is_too_long_changes_nothing(s):
    s.make("w", [1, 2])
    body = np.array([7, 8, 9], "<f4").tobytes()
    for sent in (body, iter([body])):
        s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "variables/w:value", sent, {**RAW, **key("long")})
    first = s.put("variables/w:value", iter([body[:8]]), {**RAW, **key("long")}).expect(200)
    replays(s, first, "PUT", "variables/w:value", lambda: iter([body[:4], body[4:8]]), {**RAW, **key("long")})
    assert s.value("w") == [7, 8]


# --- failures ------------------------------------------------------------------------------------

def test_what_failed_is_run_again(s):
    s.make("n", 3, "int64")
    s.refuses(400, "OUT_OF_RANGE", "limit", "POST", "variables/n:count_up_to", {"limit": 3}, key("again"))
    s.make("n", 0, "int64")
    first = s.post("variables/n:count_up_to", {"limit": 3}, key("again")).expect(200)
    assert first.json["value"] == 0
    replays(s, first, "POST", "variables/n:count_up_to", {"limit": 3}, key("again"))
    s.refuses(404, "NOT_FOUND", "later", "POST", "variables/later:assign", {"value": 1}, key("later"))
    # The failure has not bound the key to that request either.
    s.post("variables/n:assign", {"value": 9}, key("later")).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables/n:assign", "{", key("broken"))
    tag = s.get("variables/n").etag
    s.assign("n", 1)
    s.refuses(412, "PRECONDITION_FAILED", "n", "POST", "variables/n:assign", {"value": 1}, key("raced", **{"If-Match": tag}))
    is_whole(s)


def test_a_condition_holds_for_the_first_time_only(s):
    s.make("n", 0, "int64")
    headers = key("once", **{"If-Match": s.get("variables/n").etag})
    first = s.post("variables/n:assign", {"value": 1}, headers).expect(200)
    replays(s, first, "POST", "variables/n:assign", {"value": 1}, headers)


def test_a_dry_run_keeps_nothing(s):
    every_write.furnish(s)
    run = {"ops": [{"op": "assign_add", "variable": "n", "value": 1}], "fetches": {"n": {"variable": "n"}}, "dry_run": True}
    for _ in range(2):
        with s.unchanged():
            assert s.post(":run", run, key("dry")).expect(200).json["fetches"]["n"]["data"] == 4
    for variables in (["v"], ["n"]):
        with s.unchanged():
            reply = s.post("checkpoints/c:restore", {"variables": variables, "dry_run": True}, key("dry")).expect(200)
        assert reply.json["restored"] == variables and "idempotency-replayed" not in reply.headers
    first = s.post("checkpoints/c:restore", {}, key("dry")).expect(200)
    replays(s, first, "POST", "checkpoints/c:restore", {}, key("dry"))


def test_a_restore_that_is_refused_tells_why(s):
    every_write.furnish(s)
    reply = s.refuses(404, "NOT_FOUND", "absent", "POST", "checkpoints/c:restore", {"variables": {"absent": "v"}}, key("why"))
    assert reply.json["missing"] == ["absent"] and reply.json["restored"] == []


def test_keys_are_visible_ascii(s):
    s.make("n", 0, "int64")
    for bad, words in (("", "empty"), ("a b", "visible ASCII"), ("a\tb", "byte 0x09"), ("\xe9", "byte 0x"),
                       ("k" * 256, ("255", "256"))):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables/n:count_up_to", {"limit": 9}, key(bad))
    for good in ("k" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "!", "~", "%00", "a/../b,c;d"):
        first = count(s, 99, good).expect(200)
        replays(s, first, "POST", "variables/n:count_up_to", {"limit": 99}, key(good))
    with s.unchanged(), s.socket(timeout=20 * s.patience) as raw:
        raw.send((f"DELETE {s.path('variables/n')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\r\n"
                  "Idempotency-Key: b\r\n\r\n").encode())
        s.is_refusal(raw.reply(), 400, "INVALID_ARGUMENT", "one Idempotency-Key, this one has 2")


def test_looks_need_no_key(s):
    s.make("n", 0, "int64")
    first = count(s, 9, "look").expect(200)
    for method in ("GET", "HEAD"):
        for bad in ("look", "a b", "k" * 300):
            reply = s.request(method, "variables/n:value", None, key(bad)).expect(200)
            assert "idempotency-replayed" not in reply.headers
    with s.unchanged():
        s.post("/v1:verify", None, key("verify")).expect(200)
        s.post("/v1:verify", None, key("verify")).expect(200)
    replays(s, first, "POST", "variables/n:count_up_to", {"limit": 9}, key("look"))
