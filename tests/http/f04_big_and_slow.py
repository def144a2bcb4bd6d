"""Streams: large bodies both ways, clients that break off, clients that read slowly."""

import time

import formats

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}


def megabytes(s, count):
    return (count // 8 if s.slow else count) << 20


def noise(size, seed):
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def headers(size):
    return {**RAW, "Tensor-Dtype": "uint8", "Tensor-Shape": str(size)}


def in_pieces(data, size):
    for at in range(0, len(data), size):
        yield data[at:at + size]


def test_64_mib_with_a_declared_length(s):
    size = megabytes(s, 64)
    data = noise(size, 1)
    before = s.server.memory()["RssAnon"]
    s.put("variables/w", data, headers(size)).expect(201)
    assert s.bytes_of("w") == data
    assert s.bytes_of("w", slice=f"{size - 5}:") == data[-5:]
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (200 << 20), "memory must not follow the size of a body"


def test_64_mib_in_chunks(s):
    size = megabytes(s, 64)
    data = noise(size, 2)
    s.put("variables/w", in_pieces(data, 1_000_003), headers(size)).expect(201)
    assert s.bytes_of("w") == data
    # Over the old value, in very small and in odd pieces.
    data = noise(size, 3)
    s.put("variables/w:value", in_pieces(data, 65_537), RAW).expect(200)
    assert s.bytes_of("w") == data


def test_sizes_around_chunk_borders(s):
    for size in (0, 1, 1023, 1024, 1025, 16256, 16257, 16319, 16320, 16321, 262079, 262080, 262081, 2 * 262080 - 1,
                 2 * 262080, 262080 + 16321, 524288):
        data = noise(size, size)
        s.put(f"variables/w{size}", data, headers(size)).expect(201)
        assert s.bytes_of(f"w{size}") == data, size
        s.put(f"variables/w{size}:value", in_pieces(data[::-1], 10_007) if size else b"", RAW).expect(200)
        assert s.bytes_of(f"w{size}") == data[::-1], size


def test_a_chunked_body_of_the_wrong_length_changes_nothing(s):
    size = 1_000_000
    data = noise(size, 4)
    s.put("variables/w", data, headers(size)).expect(201)
    for wrong in (data[:-1], data + b"x", data[:10], b""):
        words = str(size) if len(wrong) < size else ()
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "variables/w:value", in_pieces(wrong, 65536), RAW)
        s.refuses(400, "INVALID_ARGUMENT", str(size), "PUT", "variables/w:value", wrong, RAW)
    assert s.bytes_of("w") == data


def test_a_body_broken_off_changes_nothing(s):
    size = 3_000_000
    data = noise(size, 5)
    s.put("variables/w", data, headers(size)).expect(201)
    start = (f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/octet-stream\r\n")
    with s.unchanged():
        for lines, body in ((f"Content-Length: {size}\r\n\r\n", b"\0" * (size - 1)),
                            ("Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b"\0" * 0x100000 + b"\r\n"),
                            (f"Content-Length: {size}\r\n\r\n", b"")):
            with s.socket() as raw:
                raw.send((start + lines).encode() + body)
                raw.finish_sending()
                time.sleep(0.05)
        time.sleep(0.2)
    assert s.bytes_of("w") == data


def test_a_body_longer_than_declared_is_cut_there(s):
    s.make("w", [1, 2])
    start = (f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n")
    body = np.array([7, 8, 9, 10], "<f4").tobytes()
    with s.unchanged(), s.socket() as raw:
        raw.send((start % 4).encode() + body)
        assert raw.reply().status == 400, "half a value"
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send((start % 8).encode() + body)
        assert raw.reply().status == 200
        # What follows is no request: refused or hung up on, and in no case part of the value.
        raw.finish_sending()
        rest = raw.reply()
        assert rest is None or rest.status >= 400, str(rest)
    assert s.value("w") == [7, 8]


def test_a_truncated_safetensors_body_changes_nothing(s):
    array = np.arange(500_000, dtype="<f4")
    body = formats.safetensors_write({"a": ("float32", [500_000], array.tobytes()), "b": ("int8", [1], b"\1")})
    for cut in (0, 5, 8, 40, len(body) // 2, len(body) - 1):
        with s.unchanged():
            reply = s.put("values?create=true", body[:cut], {"Content-Type": "application/vnd.safetensors"})
            assert reply.status == 400, f"cut at {cut}: {reply}"
            reply = s.put("checkpoints/c", in_pieces(body[:cut], 4096), {"Content-Type": "application/vnd.safetensors"})
            assert reply.status == 400, f"cut at {cut}: {reply}"
    reply = s.put("values?create=true", body + b"\0", {"Content-Type": "application/vnd.safetensors"}).expect(400)
    assert s.names() == [] and s.get("checkpoints").json["checkpoints"] == []


def test_a_slow_reader_gets_the_old_bytes_whole(s):
    size = megabytes(s, 32)
    old, new = noise(size, 6), noise(size, 7)
    s.put("variables/w", old, headers(size)).expect(201)
    with s.socket(timeout=60 * s.patience, receive_buffer=65536) as reader:
        reader.send(f"GET {s.path('variables/w:value?format=raw')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reader.more()
        got_first = len(reader.received)
        assert got_first < size // 2
        for k in range(3):
            s.put("variables/w:value", new, RAW).expect(200)
            s.make(f"other{k}", list(range(1000)))
        s.delete("variables/w").expect(200)
        for k in range(3):
            s.put(f"variables/filler{k}", new, headers(size)).expect(201)
        assert len(reader.received) == got_first
        reply = reader.reply()
    assert reply.status == 200 and reply.body == old, "bytes of another value"


def test_a_slow_reader_of_a_checkpoint_outlives_its_deletion(s):
    size = megabytes(s, 32)
    old = noise(size, 8)
    s.put("variables/w", old, headers(size)).expect(201)
    s.save("c")
    with s.socket(timeout=60 * s.patience, receive_buffer=65536) as reader:
        reader.send(f"GET {s.path('checkpoints/c:export?format=safetensors')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reader.more()
        s.delete("checkpoints/c").expect(200)
        s.delete("variables/w").expect(200)
        for k in range(2):
            s.put(f"variables/filler{k}", noise(size, 9 + k), headers(size)).expect(201)
        reply = reader.reply()
    tensors, _ = formats.safetensors_read(reply.body)
    assert tensors["w"][2] == old


def test_a_reader_that_leaves_disturbs_nobody(s):
    size = megabytes(s, 16)
    s.put("variables/w", noise(size, 11), headers(size)).expect(201)
    for _ in range(20):
        with s.socket(receive_buffer=4096) as reader:
            reader.send(f"GET {s.path('variables/w:value?format=raw')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            reader.more()
    assert s.bytes_of("w") == noise(size, 11)


def test_small_requests_are_served_beside_a_big_upload(s):
    size = megabytes(s, 64)
    s.create("n", {"op": "zeros", "shape": [], "dtype": "int64"})
    s.initialize()
    other = s.another_client()

    def pieces():
        for k in range(64):
            other.request("POST", s.path("variables/n:assign_add"), {"value": 1}).expect(200)
            yield bytes(size // 64)

    s.put("variables/w", pieces(), headers(size)).expect(201)
    assert s.value("n") == 64


def test_space_comes_back(s):
    """Overwriting again and again must not make the file grow without end."""
    size = megabytes(s, 8)
    import os

    def on_disk():
        return sum(os.stat(os.path.join(folder, name)).st_blocks * 512
                   for folder, _, names in os.walk(s.server.data) for name in names)

    s.put("variables/w", noise(size, 20), headers(size)).expect(201)
    for k in range(6):
        s.put("variables/w:value", noise(size, 21 + k), RAW).expect(200)
    settled = on_disk()
    for k in range(30):
        s.put("variables/w:value", noise(size, 30 + k % 5), RAW).expect(200)
    assert on_disk() < settled + 3 * size, (settled, on_disk())
