"""Limits that settings set: what is over them is refused, by name."""

import formats

FLAGS = ["--json-body-max-bytes", "100k", "--max-json-elements", "1000", "--upload-max-bytes", "1m", "--tensor-max-bytes",
         "2m", "--expression-nodes-max", "10", "--variables-per-request-max", "20", "--json-envelope-max-bytes", "20k"]
RAW = {"Content-Type": "application/octet-stream"}


def test_a_json_body_over_its_limit(s):
    s.create("w", dtype="float32", shape=[30_000])
    body = '{"value": [' + ",".join(["1.25"] * 30_000) + "]}"
    for sent in (body, iter([body.encode()])):
        reply = s.refuses(413, "PAYLOAD_TOO_LARGE", "json_body_max_bytes", "POST", "variables/w:assign", sent,
                          {"Content-Type": "application/json"})
        assert "102400" in reply.detail or "100" in reply.detail


def test_a_json_reply_over_its_limit_hints_at_binary(s):
    s.put_raw("w", "int8", [1001], bytes(1001))
    reply = s.refuses(413, "PAYLOAD_TOO_LARGE", "max_json_elements", "GET", "variables/w:value")
    assert "npy" in reply.detail or "octet" in reply.detail, reply.detail
    assert len(s.value("w", slice="1:")) == 1000
    assert len(s.bytes_of("w")) == 1001


def test_a_binary_body_over_its_limit(s):
    size = (1 << 20) + 1
    headers = {**RAW, "Tensor-Dtype": "uint8", "Tensor-Shape": str(size)}
    s.refuses(413, "PAYLOAD_TOO_LARGE", "upload_max_bytes", "PUT", "variables/w", iter([bytes(size)]), headers)
    with s.unchanged(), s.socket() as raw:
        raw.send((f"PUT {s.path('variables/w')} HTTP/1.1\r\nHost: localhost\r\nTensor-Dtype: uint8\r\nTensor-Shape: {size}\r\n"
                  f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\nExpect: 100-continue\r\n\r\n").encode())
        reply = raw.reply()
    assert reply.status == 413, "refused before the body is sent: " + str(reply)
    assert s.names() == []


def test_a_tensor_over_its_limit(s):
    for body in ({"op": "zeros", "shape": [1 << 20]}, {"op": "zeros", "shape": [1 << 19, 2]}):
        reply = s.post("variables", {"name": "w", "initial_value": body})
        if reply.status == 201:
            reply = s.post(":initialize", {})
        assert reply.status in (400, 413, 507) and "tensor_max_bytes" in reply.detail, str(reply)
        s.delete("variables/w")


def test_too_many_nodes(s):
    expression = 1.0
    for _ in range(8):
        expression = {"op": "add", "args": [expression, 1.0]}
    s.refuses(400, "INVALID_ARGUMENT", "nodes", "POST", "variables", {"name": "w", "initial_value": expression})


def test_too_many_variables_at_once(s):
    many = [{"name": f"v{i}", "dtype": "int8", "shape": []} for i in range(21)]
    with s.unchanged():
        reply = s.post("variables", many)
    assert reply.status in (400, 413) and "20" in reply.detail, str(reply)
    s.post("variables", many[:20]).expect(201)


def test_a_json_envelope_over_its_limit(s):
    body = {"labels": {f"key{i}" + "x" * 50: "" for i in range(1000)}}
    reply = s.refuses(413, "PAYLOAD_TOO_LARGE", "json_envelope_max_bytes", "PATCH", "", body)
    assert reply.status == 413


def test_a_safetensors_header_that_lies_about_its_length(s):
    import struct
    for size in (2 ** 64 - 1, 2 ** 63, 10 ** 9, 5000):
        body = struct.pack("<Q", size) + b'{"a":{}}'
        reply = s.put("checkpoints/c", body, {"Content-Type": "application/vnd.safetensors"})
        assert reply.status in (400, 413), str(reply)
    assert formats.safetensors_write({}) and s.get("checkpoints").json["checkpoints"] == []
