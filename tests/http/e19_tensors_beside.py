"""Tensors beside the JSON of a run: multipart/form-data with the parts `request` and `tensors`."""

import json
import os
import subprocess
import tempfile

import formats

np = formats.np
JSON, SAFE = "application/json", "application/vnd.safetensors"


def assign(name, key="g"):
    return {"op": "assign", "variable": name, "value": {"tensor": key}}


def in_pieces(data, size):
    for at in range(0, len(data), size):
        yield data[at:at + size]


def test_a_tensor_is_assigned_in_whichever_order_the_parts_come(s):
    for k, tensors_first in enumerate((False, True)):
        s.make("w", np.zeros((2, 3)))
        g = np.arange(6, dtype="<f4").reshape(2, 3) + k
        body, headers = s.multipart({"ops": [assign("w")]}, {"g": g}, tensors_first)
        s.post(":run", body, headers).expect(200)
        assert (s.array("w") == g).all()


def test_expressions_attributes_and_fetches_take_tensors_many_times(s):
    s.make("w", [1.0, 2.0])
    s.make("n", 5, "int64")
    g, i = np.array([0.5, -1.5], "<f4"), np.array(37, "<i8")
    request = {
        "ops": [{"op": "assign_add", "variable": "w", "value": {"op": "multiply", "args": [{"tensor": "g"}, 2]}},
                {"op": "assign_sub", "variable": "w", "value": {"tensor": "g"}},
                {"op": "assign", "variable": "n", "value": {"op": "add", "args": [{"variable": "n"}, {"tensor": "i"}]}}],
        "fetches": {"g": {"tensor": "g"},
                    "constant": {"op": "constant", "value": {"tensor": "g"}},
                    "twice": {"op": "add", "args": [{"tensor": "g", "id": "it"}, {"ref": "it"}]}}}
    reply = s.post(":run", *s.multipart(request, {"g": g, "i": i})).expect(200).json
    assert (s.array("w") == np.array([1.5, 0.5], "<f4")).all()
    assert s.value("n") == 42
    for name, factor in (("g", 1), ("constant", 1), ("twice", 2)):
        assert reply["fetches"][name]["data"] == list(g * factor), name
        assert reply["fetches"][name]["dtype"] == "float32"


def test_every_dtype_that_safetensors_has_comes_through(s):
    rng = np.random.default_rng(5)
    tensors, ops = {}, []
    for dtype, safe in formats.SAFE.items():
        size = formats.SIZE[dtype] * 6
        data = bytes(rng.integers(0, 2 if dtype == "bool" else 256, size, dtype=np.uint8))
        tensors[safe] = (dtype, (2, 3), data)
        s.put_raw(f"v_{dtype}", dtype, (2, 3), bytes(size))
        ops.append(assign(f"v_{dtype}", safe))
    s.post(":run", *s.multipart({"ops": ops}, tensors)).expect(200)
    for dtype, safe in formats.SAFE.items():
        assert s.bytes_of(f"v_{dtype}") == tensors[safe][2], dtype


def test_a_run_without_tensors_may_come_as_a_part_too(s):
    s.make("w", [1.0])
    body, media_type = formats.multipart_write([("request", None, b'{"fetches": {"w": {"variable": "w"}}}')])
    assert s.post(":run", body, {"Content-Type": media_type}).expect(200).json["fetches"]["w"]["data"] == [1]


def test_tensors_are_not_counted_as_literals(s):
    """Past literal_max_bytes (32 MiB), declared and in chunks of odd sizes; in memory once."""
    count = (1 << 20) if s.slow else (10 << 20)
    g = np.random.default_rng(1).standard_normal(count, dtype="<f4")
    with s.other_server() as other:
        other.create("w", {"op": "zeros", "shape": [count]})
        other.initialize()
        before = other.server.memory()["VmRSS"]
        body, headers = other.multipart({"ops": [assign("w")]}, {"g": g})
        other.post(":run", body, headers).expect(200)
        if not s.slow:
            assert other.server.memory()["VmHWM"] < before + g.nbytes * 3 // 2
        assert (other.array("w") == g).all()
        body, headers = other.multipart({"ops": [assign("w")]}, {"g": g[::-1].copy()}, True)
        other.post(":run", in_pieces(body, 1_000_003), headers).expect(200)
        assert (other.array("w") == g[::-1]).all()


def test_curl_sends_it(s):
    s.make("w", [1.0, 2.0])
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "grads.safetensors")
        with open(file, "wb") as out:
            out.write(formats.safetensors_of({"g": np.array([3, 4], "<f4")}))
        url = f"http://127.0.0.1:{s.server.port}{s.path(':run')}"
        for request in (json.dumps({"ops": [assign("w")]}), json.dumps({"ops": [assign("w")]}) + ";type=" + JSON):
            done = subprocess.run(["curl", "-sS", "-f", "-F", f"request={request}", "-F", f"tensors=@{file}", url],
                                  capture_output=True, check=False)
            assert done.returncode == 0, done
            assert s.value("w") == [3, 4]
            s.assign("w", [0, 0])


def test_keys_that_do_not_fit_are_named(s):
    s.make("w", [1.0])
    g = np.array([2], "<f4")

    def refused(words, request, tensors):
        body, headers = s.multipart(request, tensors)
        return s.refuses(400, "INVALID_ARGUMENT", words, "POST", ":run", body, headers)

    reply = refused(["has no tensor 'h'", "only 'a', 'g'"], {"ops": [assign("w"), assign("w", "h")]}, {"g": g, "a": g})
    assert reply.json["failed_operation"] == 1
    refused("has no tensor 'h', and no other either", {"fetches": {"h": {"tensor": "h"}}}, {})
    refused("nothing in the request uses 'a', 'b' of the part 'tensors'", {"ops": [assign("w")]}, {"b": g, "g": g, "a": g})
    refused("unknown field 'ops[0].value.key'", {"ops": [{"op": "assign", "variable": "w", "value": {"tensor": "g", "key": 1}}]}, {"g": g})
    for where, body in ((":run", {"ops": [assign("w")]}), ("variables/w:assign", {"value": {"tensor": "g"}}),
                        ("variables", {"name": "x", "initial_value": {"tensor": "g"}})):
        s.refuses(400, "INVALID_ARGUMENT", "is multipart/form-data", "POST", where, body)


def test_what_a_tensor_is_must_fit_its_variable(s):
    s.make("w", [1.0, 2.0])
    for g in (np.zeros(3, "<f4"), np.zeros(2, "<f8"), np.zeros((2, 1), "<f4")):
        body, headers = s.multipart({"ops": [{"op": "assign_add", "variable": "w", "value": [1, 1]}, assign("w")]}, {"g": g})
        reply = s.refuses(400, "INVALID_ARGUMENT", "w", "POST", ":run", body, headers)
        assert reply.json["failed_operation"] == 1
    assert s.value("w") == [1, 2]


def test_what_is_wrong_with_the_body_is_said(s):
    s.make("w", [1.0])
    request = ("request", JSON, json.dumps({"ops": [assign("w")]}).encode())
    file = formats.safetensors_of({"g": np.array([2], "<f4")})
    tensors = ("tensors", SAFE, file)
    two = formats.safetensors_of({"g": ("bool", (1,), b"\2")})
    for status, words, parts in (
            (400, "no part 'request'", [tensors]),
            (400, "has no parts", []),
            (400, "unknown part 'tensor'", [request, ("tensor", SAFE, file)]),
            (400, "part 'request' is there twice", [request, request, tensors]),
            (400, "part 'tensors' is there twice", [request, tensors, tensors]),
            (415, "part 'request' is application/xml", [("request", "application/xml", b"{}")]),
            (415, "part 'tensors' is application/x-npy", [request, ("tensors", "application/x-npy", file)]),
            (400, "is not taken: send the bytes as they are",
             [request, ("tensors", SAFE + "\r\nContent-Transfer-Encoding: base64", file)]),
            (400, "goes on after its tensors", [request, ("tensors", SAFE, file + b"x")]),
            (400, "ends after 3 of 4 bytes of tensor 'g'", [request, ("tensors", SAFE, file[:-1])]),
            (400, "ends after 0 of 8 bytes", [request, ("tensors", SAFE, b"")]),
            (400, "element 0 of a bool tensor is byte 2", [request, ("tensors", SAFE, two)]),
            (400, "JSON", [("request", JSON, b""), tensors])):
        body, media_type = formats.multipart_write(parts)
        code = {400: "INVALID_ARGUMENT", 415: "UNSUPPORTED_MEDIA_TYPE"}[status]
        s.refuses(status, code, words, "POST", ":run", body, {"Content-Type": media_type})


def test_a_body_that_is_not_quite_multipart_is_refused(s):
    s.make("w", [1.0])
    body, media_type = formats.multipart_write([("request", JSON, b'{"fetches": {"w": {"variable": "w"}}}')], "b")
    s.post(":run", body, {"Content-Type": media_type}).expect(200)
    for words, sent, kind in (
            ("needs a boundary", body, "multipart/form-data"),
            ("does not begin with its boundary '--c'", body, "multipart/form-data; boundary=c"),
            ("does not begin with its boundary", b"hello\r\n" + body, media_type),
            ("goes on behind its closing boundary", body + b"more", media_type),
            ("before its closing boundary", body[:-6], media_type),
            ("before its closing boundary", body[:-8], media_type),
            ("does not begin with its boundary", b"", media_type),
            ("part 1 of the body has no Content-Disposition", body.replace(b"Disposition", b"Position"), media_type),
            ("does not begin with its boundary", b"{}", media_type)):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", ":run", sent, {"Content-Type": kind})


def test_operations_alone_take_tensors_as_runs_do(s):
    table = s.make("emb", np.arange(12).reshape(4, 3))
    rows, updates = np.array([3, 0, 3], "<i4"), np.arange(9, dtype="<f4").reshape(3, 3)
    body, headers = s.multipart({"indices": {"tensor": "i"}, "updates": {"tensor": "u"}}, {"i": rows, "u": updates})
    s.post("variables/emb:scatter_add", body, headers).expect(200)
    np.add.at(table, rows, updates)
    assert (s.array("emb") == table).all()
    body, headers = s.multipart({"value": {"op": "negative", "args": [{"tensor": "g"}]}}, {"g": table})
    s.post("variables/emb:assign", body, headers).expect(200)
    assert (s.array("emb") == -table).all()
    body, headers = s.multipart({"value": {"op": "zeros", "shape": [4, 3]}}, {"g": table})
    s.refuses(400, "INVALID_ARGUMENT", "nothing in the request uses 'g'", "POST", "variables/emb:assign", body, headers)


def test_what_takes_no_tensors_says_so(s):
    s.make("w", [1.0])
    body, headers = s.multipart({"value": {"tensor": "g"}}, {"g": np.zeros(1, "<f4")})
    for path in ("variables/w:count_up_to", "variables", ":initialize"):
        s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "only application/json", "POST", path, body, headers)
    file = formats.safetensors_of({"w": np.zeros(1, "<f4")})
    for kind in (SAFE, "application/octet-stream", "multipart/mixed; boundary=b", "text/plain"):
        for path in (":run", "variables/w:assign"):
            s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "only application/json, multipart/form-data", "POST", path, file,
                      {"Content-Type": kind})
    # As every JSON: without a type, and as curl -d sends it.
    for kind in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        s.post(":run", b'{"ops": []}', kind).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "JSON", "POST", ":run", file)


def test_limits_are_named(s):
    g = np.zeros(300, "<f4")
    with s.other_server("--tensor-parts-max-bytes", "1024", "--variables-per-request-max", "3",
                        "--json-body-max-bytes", "2048") as other:
        other.make("w", np.zeros(300))
        body, headers = other.multipart({"ops": [assign("w")]}, {"g": g})
        other.refuses(413, "PAYLOAD_TOO_LARGE", ["take 1200 bytes", "1024 (tensor_parts_max_bytes)"], "POST", ":run", body,
                      headers)
        body, headers = other.multipart({"ops": []}, {str(i): g[:1] for i in range(4)})
        other.refuses(413, "PAYLOAD_TOO_LARGE", "the limit is 3 (variables_per_request_max)", "POST", ":run", body, headers)
        body, headers = other.multipart({"ops": [], "x": "x" * 2048}, {})
        other.refuses(413, "PAYLOAD_TOO_LARGE", "more than 2048 bytes (setting json_body_max_bytes)", "POST", ":run", body,
                      headers)


def test_a_client_that_breaks_off_changes_nothing(s):
    s.make("w", np.zeros(1 << 18))
    body, headers = s.multipart({"ops": [assign("w")]}, {"g": np.ones(1 << 18, "<f4")})
    with s.unchanged():
        for size in (100, 300, 1000, 100_000, len(body) - 1):
            with s.socket() as raw:
                raw.send(f"POST {s.path(':run')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {headers['Content-Type']}\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:size])
        s.get("/healthz").expect(200)
    assert not s.array("w").any()


def test_a_retry_is_known_by_its_content_whatever_its_boundary_is(s):
    s.make("w", [1.0])
    key = {"Idempotency-Key": "step-1"}
    add = {"ops": [{"op": "assign_add", "variable": "w", "value": {"tensor": "g"}}]}

    def send(g, boundary, request=add):
        parts = [("request", JSON, json.dumps(request).encode()),
                 ("tensors", SAFE, formats.safetensors_of({"g": np.array([g], "<f4")}))]
        body, media_type = formats.multipart_write(parts, boundary)
        return s.post(":run", body, {"Content-Type": media_type, **key})

    first = send(2, "b").expect(200)
    for boundary in ("b", "another-one", "-"):
        again = send(2, boundary).expect(200)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json == first.json
    assert s.value("w") == [3]
    with s.unchanged():
        for reply in (send(3, "b"), send(2, "c", {"ops": [*add["ops"], {"op": "assign", "variable": "w", "value": [0]}]})):
            s.is_refusal(reply, 422, "UNPROCESSABLE", "its body, query or headers were not these")
