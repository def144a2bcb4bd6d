"""What bodies of requests may take of memory together: what is too much is told to come again, and nothing is lost."""

import json
import time

import numpy

import formats

FLAGS = ["--request-memory-max-bytes", "1m"]


def begin(s, size, sent):
    """A connection on which a JSON body of so many bytes has begun."""
    raw = s.socket(timeout=20 * s.patience)
    raw.send(b"POST " + s.path("variables").encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             b"Content-Length: %d\r\n\r\n" % size + b" " * sent)
    return raw


def held(s):
    for line in s.get("/metrics").expect(200).body.decode().splitlines():
        if line.startswith("tensorkeep_request_memory_bytes "):
            return int(line.split()[1])
    raise AssertionError("no tensorkeep_request_memory_bytes")


def until_held(s, wanted):
    until = time.monotonic() + 20 * s.patience
    while held(s) != wanted:
        assert time.monotonic() < until, (held(s), wanted)
        time.sleep(0.02)


def padded(size, **fields):
    text = json.dumps(fields)
    return text + " " * (size - len(text))


def test_bodies_on_their_way_count(s):
    with begin(s, 900000, 400000):
        until_held(s, 900000)
        reply = s.refuses(503, "UNAVAILABLE", ("900000", "request_memory_max_bytes"), "POST", "variables",
                          padded(200000, name="w", initial_value=1.0))
        assert reply.headers["retry-after"] == "1"
        s.post("variables", {"name": "small", "initial_value": 1.0}).expect(201)
    until_held(s, 0)
    s.post("variables", padded(200000, name="w", initial_value=1.0)).expect(201)
    until_held(s, 0)


def test_a_body_that_is_refused_leaves_the_connection_usable(s):
    with begin(s, 900000, 1000):
        until_held(s, 900000)
        for _ in range(3):
            s.post("variables", padded(300000, name="w", initial_value=1.0)).expect(503)
    until_held(s, 0)
    s.post("variables", padded(300000, name="w", initial_value=1.0)).expect(201)


def test_without_a_length_it_counts_as_it_comes(s):
    pieces = [json.dumps({"name": "w", "initial_value": 1.0}).encode()] + [b" " * 65536] * 20
    with s.unchanged():
        reply = s.post("variables", iter(pieces), {"Content-Type": "application/json"})
        assert reply.status == 503 and "request_memory_max_bytes" in reply.detail
    until_held(s, 0)
    s.post("variables", iter(pieces[:10]), {"Content-Type": "application/json"}).expect(201)
    until_held(s, 0)


def test_tensors_beside_json_count(s):
    s.create("w", {"op": "zeros", "shape": [400000]})
    s.initialize()
    s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": 1.0}).expect(201)
    gradients = formats.safetensors_of({"w": numpy.ones(400000, "float32")})
    headers = {"Content-Type": "application/vnd.safetensors"}
    s.refuses(503, "UNAVAILABLE", "request_memory_max_bytes", "POST", "optimizers/o:apply_gradients", gradients, headers)
    s.refuses(503, "UNAVAILABLE", "request_memory_max_bytes", "POST", "optimizers/o:apply_gradients", iter([gradients]), headers)
    until_held(s, 0)
    s.create("v", {"op": "zeros", "shape": [200000]})
    s.post("variables/v:initialize").expect(200)
    s.post("optimizers/o:apply_gradients", formats.safetensors_of({"v": numpy.ones(200000, "float32")}), headers).expect(200)
    until_held(s, 0)
    assert s.array("v")[0] == -1


def test_what_flows_into_the_store_does_not(s):
    array = numpy.arange(2000000, dtype="float32")
    s.put("variables/w", formats.npy_write(array), {"Content-Type": "application/x-npy"}).expect(201)
    assert (s.array("w") == array).all() and held(s) == 0


def test_refusals_are_counted(s):
    def refusals():
        return [line for line in s.get("/metrics").body.decode().splitlines()
                if line.startswith("tensorkeep_request_memory_refusals_total ")]
    before = refusals()
    s.post("variables", " " * (1 << 20) + "{}  ").expect(503)
    assert refusals() != before
