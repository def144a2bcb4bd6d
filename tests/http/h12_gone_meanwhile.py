"""Checkpoints that are deleted or replaced while somebody reads them: the reply goes on as it began, and its space is given back
when it ends."""

import time

import formats

np = formats.np
FLAGS = ["--store-max-bytes", "96m"]
SIZE = 24 << 20


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, SIZE, dtype=np.uint8).tobytes()


def put(s, name, data):
    return s.put(f"variables/{name}", data, {"Content-Type": "application/octet-stream", "Tensor-Dtype": "uint8",
                                             "Tensor-Shape": str(SIZE)})


def reading(s, path):
    """A reply that has begun and whose reader then stops."""
    reader = s.socket(timeout=60 * s.patience, receive_buffer=65536)
    reader.send(f"GET {s.path(path)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    reader.more()
    assert len(reader.received) < SIZE // 4
    return reader


def makes_room(s, name, data):
    """The space of a reply that is over is free for the next commit, or for one soon after it."""
    until = time.monotonic() + 20 * s.patience
    while True:
        reply = put(s, name, data)
        if reply.status == 201:
            return
        s.is_refusal(reply, 507, "RESOURCE_EXHAUSTED")
        assert time.monotonic() < until, "the space was not given back"
        time.sleep(0.05)


def test_an_export_goes_on_when_its_checkpoint_is_deleted(s):
    data = noise(1)
    put(s, "w", data).expect(201)
    s.save("c")
    s.delete("variables/w").expect(200)
    with reading(s, "checkpoints/c:export?format=safetensors") as reader:
        s.delete("checkpoints/c").expect(200)
        for path in ("checkpoints/c", "checkpoints/c?format=text", "checkpoints/c:export?format=safetensors", "checkpoints/c:value?tensor=w"):
            s.refuses(404, "NOT_FOUND", "'c'", "GET", path)
        s.refuses(404, "NOT_FOUND", "'c'", "POST", "checkpoints/c:restore", {})
        s.refuses(404, "NOT_FOUND", "'c'", "DELETE", "checkpoints/c")
        # What is being read is still there: with it three more do not fit.
        taken = [put(s, f"filler{i}", noise(2 + i)).status for i in range(3)]
        assert taken[-1] == 507 and taken[0] == 201, taken
        reply = reader.reply()
    tensors, _ = formats.safetensors_read(reply.body)
    assert tensors["w"][2] == data, "not the bytes that were saved"
    makes_room(s, "later", noise(9))
    for name in s.names():
        s.delete(f"variables/{name}").expect(200)


def test_a_value_goes_on_when_its_checkpoint_is_replaced(s):
    data = noise(20)
    put(s, "w", data).expect(201)
    s.save("c")
    with reading(s, "checkpoints/c:value?tensor=w&format=raw") as reader:
        s.put("variables/w:value", noise(21), {"Content-Type": "application/octet-stream"}).expect(200)
        s.save("c", overwrite=True)
        reply = reader.reply()
    assert reply.body == data
    assert s.get("checkpoints/c:value?tensor=w&format=raw").body == noise(21)
    s.delete("checkpoints/c").expect(200)
    s.delete("variables/w").expect(200)


def test_an_export_goes_on_when_its_model_is_deleted(s):
    data = noise(30)
    put(s, "w", data).expect(201)
    s.save("c")
    with reading(s, "checkpoints/c:export?format=safetensors") as reader:
        s.delete("").expect(200)
        reply = reader.reply()
    assert formats.safetensors_read(reply.body)[0]["w"][2] == data
    s.put("", {}).expect(201)
    for i in range(3):
        makes_room(s, f"again{i}", noise(31 + i))
    for i in range(3):
        s.delete(f"variables/again{i}").expect(200)


def test_a_reader_that_leaves_gives_the_space_back_too(s):
    put(s, "w", noise(40)).expect(201)
    s.save("c")
    reader = reading(s, "checkpoints/c:export?format=safetensors")
    s.delete("checkpoints/c").expect(200)
    s.delete("variables/w").expect(200)
    reader.socket.close()
    for i in range(3):
        makes_room(s, f"again{i}", noise(41 + i))
    for i in range(3):
        s.delete(f"variables/again{i}").expect(200)
