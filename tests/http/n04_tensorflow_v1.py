"""V1 checkpoints of anything by chance, and those that no TensorFlow would write. TENSORKEEP_CHANCE=seed takes others."""

import os
import random
import struct

import fixture_files as fixtures
import formats
import v1_files as v1

np = formats.np
ROUNDS = 12
BINARY = {"Content-Type": "application/octet-stream"}


def put(s, name, body, query=""):
    return s.put(f"checkpoints/{name}{query}", body, BINARY)


def raw(s, name, tensor):
    return s.get(f"checkpoints/{name}:value" + fixtures.query_of({"tensor": tensor, "format": "raw"})).expect(200).body


def raw_of(dtype, data):
    return formats.strings_write(data) if dtype == "string" else data


# --- by chance ---

def values(chance, dtype, count):
    if dtype == "string":
        return [chance.randbytes(chance.choice((0, 1, 7, 130, 3000))) for _ in range(count)]
    if dtype == "bool":
        return bytes(chance.choice((0, 1)) for _ in range(count))
    if chance.random() < 0.3:
        return bytes(v1.SIZE[dtype] * count)
    return chance.randbytes(v1.SIZE[dtype] * count)


def cut(chance, shape, times):
    """Slices that are the whole together; a dimension that is not cut may be said to be whole."""
    boxes = [[[0, size] for size in shape]]
    for _ in range(times):
        box = chance.choice(boxes)
        axis = chance.randrange(len(shape))
        start, length = box[axis]
        if length < 2:
            continue
        first = chance.randrange(1, length)
        box[axis] = [start, first]
        boxes.append([list(extent) for extent in box])
        boxes[-1][axis] = [start + first, length - first]
    chance.shuffle(boxes)
    return [[(0, -1) if tuple(extent) == (0, size) and chance.random() < 0.7 else tuple(extent)
             for extent, size in zip(box, shape)] for box in boxes]


def part_of(dtype, shape, data, part):
    place = (*(slice(start, start + length) for start, length in v1.extents(shape, part)), ...)
    if dtype == "string":
        array = np.empty(len(data), object)
        array[:] = data
        return list(array.reshape(shape)[place].reshape(-1))
    return np.frombuffer(data, f"V{v1.SIZE[dtype]}").reshape(shape)[place].tobytes()


def tensor_of(chance, name):
    """(name, dtype, shape, data, slices)"""
    dtype = chance.choice(list(v1.DTYPES))
    shape = [chance.choice((1, 2, 3, 7, 40)) for _ in range(chance.choice((0, 1, 2, 3)))]
    if shape and chance.random() < 0.1:
        shape[chance.randrange(len(shape))] = 0
    data = values(chance, dtype, formats.count_of(shape))
    parts = [v1.whole(shape)]
    if shape and 0 not in shape and chance.random() < 0.4:
        parts = cut(chance, shape, chance.choice((0, 1, 5, 30)))
    return name, dtype, shape, data, parts


def checkpoint_of(chance):
    names = {"/".join(chance.choice(("w", "b", "layer", "ü", "a b", "Adam_1", "x" * 100)) for _ in range(chance.randrange(1, 5)))
             for _ in range(chance.choice((1, 5, 60)))}
    return [tensor_of(chance, name) for name in sorted(names, key=lambda _: chance.random())]


def files_of(chance, tensors, count, plain):
    """As `count` files; every slice in one of them."""
    files = [[] for _ in range(count)]
    for name, dtype, shape, data, parts in tensors:
        for number, file in enumerate(files):
            mine = [part for at, part in enumerate(parts) if at % count == number]
            if mine:
                file.append((name, dtype, shape, [(part, part_of(dtype, shape, data, part)) for part in mine]))
    table = {} if plain else {"block_bytes": chance.choice((200, 5000, 262144)), "interval": chance.choice((1, 3, 16)),
                              "compress": lambda _: chance.random() < 0.5, "packed": lambda: chance.random() < 0.5}
    return [v1.write(file, **table) for file in files]


def one_round(s, chance, name):
    tensors = checkpoint_of(chance)
    count, plain = chance.choice((1, 1, 2, 3)), chance.random() < 0.5
    files = files_of(chance, tensors, count, plain)
    if count == 1:
        body = files[0]
    else:
        named = {f"model.ckpt-{number:05d}-of-{count:05d}": data for number, data in enumerate(files)}
        body = chance.choice((fixtures.tar_of, fixtures.zip_of))(named)
    put(s, name, body).expect(201)
    for tensor, dtype, shape, data, _ in tensors:
        assert raw(s, name, tensor) == raw_of(dtype, data), (tensor, dtype, shape)
    reply = s.get(f"checkpoints/{name}:export?format=tf_v1").expect(200)
    out, parts = reply.body, [reply.body]
    if reply.headers["content-type"] == "application/x-tar":
        parts = [data for file, data in sorted(fixtures.tar_read(out).items()) if file != "checkpoint"]
    # A file that tells of no tensor first has none to tell of any more.
    assert len(parts) <= count
    found = {}
    for part in parts:  # the slices of one tensor may be in several files
        for tensor, (dtype, shape, slices) in v1.read(part).items():
            assert found.setdefault(tensor, (dtype, shape, {}))[:2] == (dtype, shape)
            found[tensor][2].update(slices)
    assert set(found) == {t[0] for t in tensors}
    for tensor, dtype, shape, data, slices in tensors:
        assert found[tensor][:2] == (dtype, shape)
        assert v1.assembled(dtype, shape, found[tensor][2]) == data, (tensor, dtype, shape)
        if dtype != "string" or len(slices) == 1:
            assert list(found[tensor][2]) == [tuple(part) for part in slices] or count > 1
    if count == 1 and plain and not any(t[1] == "string" and len(t[4]) > 1 for t in tensors):
        assert out == body, "what came in goes out otherwise"


def test_anything_comes_in_and_goes_out(s):
    seed = int(os.environ.get("TENSORKEEP_CHANCE", "1"))
    for number in range(ROUNDS // 3 if s.slow else ROUNDS):
        try:
            one_round(s, random.Random(seed * 1000 + number), f"c{number}")
        except AssertionError as wrong:
            raise AssertionError(f"TENSORKEEP_CHANCE={seed}, round {number}: {wrong}") from wrong


# --- by hand ---

def test_what_is_saved_here_goes_out(s):
    s.make("w", [[1, 2, 3], [4, 5, 6]])
    s.make("n", [-1, 300], "int16")
    s.put_raw("t", "string", [2], formats.strings_write([b"", b"\xff\0"]))
    s.make("d", 7, "int64")
    s.save("c")
    reply = s.get("checkpoints/c:export?format=tf_v1").expect(200)
    found = v1.read(reply.body)
    assert {name: v1.assembled(*about) for name, about in found.items()} == {
        "w": np.arange(1, 7, dtype="<f4").tobytes(), "n": struct.pack("<hh", -1, 300), "t": [b"", b"\xff\0"],
        "d": struct.pack("<q", 7)}
    assert all(all(length == -1 for _, length in part) for about in found.values() for part in about[2])
    assert s.get("checkpoints/c:export?format=tf_v1", {"Range": "bytes=-8"}).expect(206).body == reply.body[-8:]
    put(s, "again", reply.body).expect(201)
    s.restore("again")
    assert s.value("n") == [-1, 300]


def test_what_v1_has_no_values_for_is_refused_by_name(s):
    s.put_raw("b", "bfloat16", [1], b"\0\0")
    s.make("w", [1])
    s.save("c")
    s.refuses(406, "NOT_ACCEPTABLE", ("'b'", "bfloat16"), "GET", "checkpoints/c:export?format=tf_v1")
    reply = s.get("checkpoints/c:export?format=tf_v1&on_unsupported=skip").expect(200)
    assert list(v1.read(reply.body)) == ["w"]


def test_no_record_has_two_gibibytes(s):
    """Of values that are one number over and over, which takes neither room nor time."""
    s.make("w", [1])
    for name, dtype, count in (("floats", "float32", 1 << 29), ("bytes", "int8", 1 << 31)):
        s.create(name, {"op": "zeros", "shape": [count], "dtype": dtype})
    s.initialize()
    s.save("c")
    s.refuses(406, "NOT_ACCEPTABLE", "2 GiB", "GET", "checkpoints/c:export?format=tf_v1")
    reply = s.get("checkpoints/c:export?format=tf_v1&on_unsupported=skip").expect(200)
    assert list(v1.read(reply.body)) == ["w"]


def refused(s, words, body, status=400, code="INVALID_ARGUMENT"):
    return s.refuses(status, code, words, "PUT", "checkpoints/c", body, BINARY)


def message(name, dims, dtype, slices):
    shape = b"".join(v1.field(2, v1.field(1, dim) if dim else b"") for dim in dims)
    return v1.field(1, v1.field(1, name) + v1.field(2, shape) + v1.field(3, dtype)
                    + b"".join(v1.field(4, v1.slice_message(part)) for part in slices))


def table(metas, records=()):
    """A file whose metadata says anything."""
    found = [(b"", v1.field(1, b"".join(metas)))]
    for name, part, data in records:
        record = v1.field(1, name) + v1.field(2, v1.slice_message(part)) + v1.field(3, data)
        found.append((v1.key_of(name, part), v1.field(2, record)))
    return v1.sstable.write(sorted(found))


def test_lies_are_refused(s):
    floats = v1.field(5, bytes(16))
    for words, body in (
            (("UTF-8",), table([message(b"\xff", [], 1, [[]])])),
            (("480",), table([message(b"w" * 481, [], 1, [[]])])),
            (("name", "1 to"), table([message(b"", [], 1, [[]])])),
            (("'w'", "99"), table([message(b"w", [], 99, [[]])])),
            (("'w'", "101"), table([message(b"w", [], 101, [[]])])),
            (("'w'", "DT_VARIANT", "on_unsupported"), table([message(b"w", [], 21, [[]])])),
            (("'w'", "DT_VARIANT"), table([message(b"w", [1], 1, [[(0, 1)]]), message(b"w", [1], 21, [])],
                                          [(b"w", [(0, 1)], v1.field(5, bytes(4)))])),
            (("'w'", "DT_BFLOAT16"), table([message(b"w", [], 14, [[]])])),
            (("'w'", "hole"), table([message(b"w", [4], 1, [])])),
            (("'w'", "hole"), table([message(b"w", [4], 1, [[(0, 3)]])], [(b"w", [(0, 3)], v1.field(5, bytes(12)))])),
            (("'w'", "dimension"), table([message(b"w", [4], 1, [[(0, 2), (0, 2)]])])),
            (("'w'", "begins at 3"), table([message(b"w", [4], 1, [[(3, 2)]])])),
            (("'w'", "overlap"), table([message(b"w", [4], 1, [[(0, -1)], [(0, -1)]])])),
            (("'w'", "overlap"), table([message(b"w", [4], 1, [[(0, 2)], [(1, 2)]])],
                                       [(b"w", [(0, 2)], v1.field(5, bytes(8))),
                                        (b"w", [(1, 2)], v1.field(5, bytes(8)))])),
            (("'w'", "record is missing"), table([message(b"w", [4], 1, [[(0, -1)]])], [(b"w", [(0, 4)], floats)])),
            (("'w'", "float32[4]", "float32[5]"), table([message(b"w", [4], 1, [[(0, 2)]]), message(b"w", [5], 1, [[(2, 2)]])],
                                                        [(b"w", [(0, 2)], floats), (b"w", [(2, 2)], floats)])),
            (("'w'", "more values"), table([message(b"w", [3], 1, [[(0, -1)]])], [(b"w", [(0, -1)], floats)])),
            (("'w'", "2 values"), table([message(b"w", [3], 7, [[(0, -1)]])], [(b"w", [(0, -1)], v1.field(8, b"") * 2)])),
            (("'w'", "0 to 255"), table([message(b"w", [1], 4, [[(0, -1)]])], [(b"w", [(0, -1)], v1.field(7, 256))])),
            (("metadata",), v1.sstable.write([(b"", b"\x08\x01\x1a\x02\x08\x01")])),
    ):
        refused(s, words, body)


def test_a_shape_that_is_all_there_is_takes_no_memory(s):
    """2^40 elements declared in a file of 200 bytes, in numbers and in strings; 20000 slices."""
    def declared(dtype, data):
        return table([message(b"w", [1 << 40], dtype, [[(0, -1)]])], [(b"w", [(0, -1)], data)])

    before = s.server.memory()["VmRSS"]
    for dtype, data in ((1, v1.field(5, bytes(8))), (9, v1.field(10, b"\1\2")), (10, b"")):
        refused(s, "import_max_bytes", declared(dtype, data), 413, "PAYLOAD_TOO_LARGE")
    refused(s, ("'w'", "1 values", "1099511627776"), declared(7, v1.field(8, b"x")))
    refused(s, ("'w'", "slices"), table([message(b"w", [1 << 20], 1, [[(at, 1)] for at in range(20000)])]))
    # A long name stands in the keys of all slices, where tables and we keep it once.
    long, parts = b"w" * 480, [[(at, 1)] for at in range(60)]
    refused(s, "hole", table([message(long, [80], 6, parts)], [(long, part, v1.field(7, 1)) for part in parts]))
    strays = [(b"x", [(at, 1)], b"") for at in range(1001)]
    refused(s, "records", table([message(b"w", [1], 6, [[(0, -1)]])], [(b"w", [(0, -1)], v1.field(7, 1))] + strays))
    put(s, "few", table([message(b"w", [1], 6, [[(0, -1)]])], [(b"w", [(0, -1)], v1.field(7, 1))] + strays[1:])).expect(201)
    assert s.server.memory()["VmRSS"] < before + (64 << 20)


def test_files_that_belong_together(s):
    whole = v1.write([("a", "int8", [2], b"ab")])
    first = v1.write([("p", "int8", [4], [([(0, 2)], b"ab")])])
    second = v1.write([("p", "int8", [4], [([(2, 2)], b"cd")]), ("q", "int8", [], b"q")])
    both = {"d/m-00000-of-00002": first, "d/m-00001-of-00002": second, "d/other": whole}
    body = fixtures.tar_of(both)
    refused(s, ("several", "d/m-00000-of-00002", "d/other"), body)
    for prefix in ("d/m", "m", "d/m-?????-of-00002"):
        assert put(s, "c", body, fixtures.query_of({"prefix": prefix, "overwrite": "true"})).status in (200, 201)
        assert raw(s, "c", "p") == b"abcd" and raw(s, "c", "q") == b"q"
    put(s, "c", body, "?prefix=other&overwrite=true").expect(200)
    assert raw(s, "c", "a") == b"ab"
    state = b'model_checkpoint_path: "/home/somebody/m-?????-of-00002"\n'
    put(s, "c", fixtures.tar_of({**both, "d/checkpoint": state}), "?overwrite=true").expect(200)
    assert raw(s, "c", "p") == b"abcd"
    del both["d/m-00000-of-00002"]
    s.refuses(400, "INVALID_ARGUMENT", "file 0 of 2", "PUT", "checkpoints/c?prefix=m&overwrite=true", fixtures.tar_of(both), BINARY)
    s.refuses(400, "INVALID_ARGUMENT", "'n'", "PUT", "checkpoints/c?prefix=n&overwrite=true", fixtures.tar_of(both), BINARY)
    assert raw(s, "c", "p") == b"abcd"


def test_a_large_one_streams(s):
    """Floats are lent, integers decoded and made: neither is in memory as a whole."""
    size = (1 if s.slow else 24) << 20
    floats = np.random.default_rng(7).integers(0, 256, size, dtype=np.uint8).tobytes()
    numbers = np.random.default_rng(8).integers(-(1 << 40), 1 << 40, size // 16, dtype="<i8").tobytes()
    safe = formats.safetensors_write({"f": ("float32", [size // 4], floats), "n": ("int64", [size // 16], numbers)})
    s.put("checkpoints/c", safe).expect(201)
    before = s.server.memory()["RssAnon"]
    out = s.get("checkpoints/c:export?format=tf_v1").expect(200).body
    assert len(out) > size
    put(s, "again", out).expect(201)
    assert s.server.memory()["RssAnon"] < before + (16 << 20)
    assert raw(s, "again", "f") == floats and raw(s, "again", "n") == numbers
    assert s.get("checkpoints/again:export?format=tf_v1").expect(200).body == out
