"""?slice= means what numpy means by it, on reads and on writes."""

import urllib.parse

import formats

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}


def as_numpy(text):
    """"0:10:2,-1,..." as an index for numpy."""
    index = []
    for part in text.split(","):
        part = part.strip()
        if part == "...":
            index.append(Ellipsis)
        elif ":" in part:
            index.append(slice(*[int(x) if x else None for x in part.split(":")]))
        else:
            index.append(int(part))
    return tuple(index)


def path(name, text, **query):
    return f"variables/{name}:value?" + urllib.parse.urlencode({"slice": text, **query})


def random_slice(random, shape):
    parts = []
    for size in shape[:random.integers(0, len(shape) + 1)]:
        kind = random.integers(0, 4)
        if kind == 0 and size:
            parts.append(str(random.integers(-size, size)))
            continue
        bounds = ["" if random.random() < 0.3 else str(random.integers(-size - 2, size + 3)) for _ in range(2)]
        step = "" if random.random() < 0.5 else str(random.choice([1, 2, 3, 7, -1, -2, -5]))
        parts.append(":".join(bounds + ([step] if step or random.random() < 0.2 else [])))
    if random.random() < 0.25 or not parts:
        parts.insert(random.integers(0, len(parts) + 1), "...")
    return ",".join(parts)


def usable(text, shape):
    """Whether numpy takes it: `...` in the middle shifts what the later parts mean."""
    try:
        return np.zeros(shape, "b")[as_numpy(text)].shape is not None
    except IndexError:
        return False


def cases(seed, shapes, count):
    random = np.random.default_rng(seed)
    for shape in shapes:
        made = 0
        while made < count:
            text = random_slice(random, shape)
            if usable(text, shape):
                made += 1
                yield shape, text, random


SHAPES = [(7,), (5, 6), (3, 4, 5), (2, 1, 3, 4), (1,), (0, 3), (4, 0), (31, 17)]


def test_reads_equal_numpys(s):
    arrays = {}
    for shape in SHAPES:
        arrays[shape] = np.random.default_rng(len(shape)).integers(-99, 99, shape).astype("<i2")
        s.put_npy("v" + "x".join(map(str, shape)), arrays[shape])
    for shape, text, random in cases(11, SHAPES, 40):
        name, want = "v" + "x".join(map(str, shape)), arrays[shape][as_numpy(text)]
        kind = random.integers(0, 3)
        if kind == 0:
            got = formats.npy_read(s.get(path(name, text, format="npy")).expect(200).body)
            assert got.shape == want.shape and np.array_equal(got, want), (shape, text, got, want)
        elif kind == 1:
            reply = s.get(path(name, text, format="raw")).expect(200)
            assert reply.body == want.tobytes(), (shape, text)
            assert reply.headers["tensor-shape"] == (",".join(map(str, want.shape)) or "()"), (shape, text)
        else:
            reply = s.get(path(name, text)).expect(200).json
            assert reply["shape"] == list(want.shape) and reply["data"] == want.tolist(), (shape, text, reply)


def test_writes_equal_numpys(s):
    arrays = {}
    for shape in SHAPES:
        arrays[shape] = np.zeros(shape, "<i4")
        s.put_npy("v" + "x".join(map(str, shape)), arrays[shape])
    for index, (shape, text, random) in enumerate(cases(12, SHAPES, 25)):
        name, array = "v" + "x".join(map(str, shape)), arrays[shape]
        part = array[as_numpy(text)]
        new = np.arange(index * 1000, index * 1000 + part.size, dtype="<i4").reshape(part.shape)
        array[as_numpy(text)] = new
        kind = random.integers(0, 3)
        if kind == 0:
            s.put(path(name, text), new.tobytes(), RAW).expect(200)
        elif kind == 1:
            s.put(path(name, text), formats.npy_write(np.asarray(new)), {"Content-Type": "application/x-npy"}).expect(200)
        else:
            s.put(path(name, text), {"dtype": "int32", "shape": list(part.shape), "data": new.tolist()}).expect(200)
        assert np.array_equal(s.array(name), array), (shape, text)


def test_slices_of_a_value_in_many_chunks(s):
    shape = (600, 1000)
    array = np.random.default_rng(1).standard_normal(shape).astype("<f4")
    s.put_npy("w", array)
    for text in ("0", "-1", "599", "10:20", "::100", "::-100", "5:300:7,3", ":,0", ":,::250", "300,500:", "...,-1",
                 "::-1,::-1", "100:101,:", "64:68,990:1010"):
        got = formats.npy_read(s.get(path("w", text, format="npy")).expect(200).body)
        assert np.array_equal(got, array[as_numpy(text)]), text
    for text in ("7", ":,3", "100:400:3,10:900:11", "::-1", "590:,990:", "0,0"):
        part = np.random.default_rng(len(text)).standard_normal(array[as_numpy(text)].shape).astype("<f4")
        array[as_numpy(text)] = part
        s.put(path("w", text), np.ascontiguousarray(part).tobytes(), RAW).expect(200)
        assert np.array_equal(s.array("w"), array), text


def test_complex_bool_and_wide_elements(s):
    for dtype in ("complex128", "bool", "float16", "uint64"):
        array = np.random.default_rng(3).integers(0, 2, (6, 5)).astype(formats.NUMPY[dtype])
        s.put_npy(dtype, array)
        for text in ("1:,::2", "::-1", "3", ":,4"):
            assert np.array_equal(formats.npy_read(s.get(path(dtype, text, format="npy")).body), array[as_numpy(text)])


def test_a_slice_of_a_checkpoint_tensor(s):
    array = s.make("w", np.arange(20).reshape(4, 5))
    s.save("c")
    reply = s.get("checkpoints/c:value?tensor=w&slice=1:3,-1").expect(200).json
    assert reply["data"] == array[1:3, -1].tolist()


def test_bad_slices_are_refused(s):
    s.make("w", np.zeros((3, 4)))
    for text, word in (("a", "slice"), ("1:2:0", "step"), ("1:2:3:4", "slice"), (",", "slice"), ("1,,2", "slice"),
                       ("0,0,0", "dimension"), ("...,...", "..."), ("1 2", "slice"), ("--1", "slice"),
                       ("1:", "")):
        if text == "1:":
            s.get(path("w", text)).expect(200)
        else:
            s.refuses(400, "INVALID_ARGUMENT", word, "GET", path("w", text))
            s.refuses(400, "INVALID_ARGUMENT", word, "PUT", path("w", text), [0.0])
    for text, index, size in (("3", "3", "3"), ("99999999999999999999", "", "3"), ("-4", "-4", "3"), ("0,4", "4", "4"), ("...,-5", "-5", "4")):
        s.refuses(400, "OUT_OF_RANGE", (index, size), "GET", path("w", text))
        s.refuses(400, "OUT_OF_RANGE", (index, size), "PUT", path("w", text), [0.0])


def test_a_written_part_must_have_the_slices_shape(s):
    s.make("w", np.zeros((3, 4)))
    for text, value in (("0", [1, 2, 3]), (":,0", [[1], [2], [3]]), ("0,0", [1]), ("0:2", [[1, 2, 3, 4]]), ("0", 5.0)):
        s.refuses(400, "INVALID_ARGUMENT", "w", "PUT", path("w", text), {"value": value} if False else
                  {"dtype": "float32", "shape": list(np.shape(value)), "data": value})
    s.refuses(400, "INVALID_ARGUMENT", ("16", "12"), "PUT", path("w", "0"), b"\0" * 12, RAW)
    assert s.array("w").any() == False  # noqa: E712


def test_a_part_write_touches_only_that_part_of_a_shared_value(s):
    """After a save the value is shared with the checkpoint; writing a part must not reach into it."""
    array = np.arange(400_000, dtype="<f4").reshape(400, 1000)
    s.put_npy("w", array)
    s.save("c")
    s.put(path("w", "17"), np.zeros(1000, "<f4").tobytes(), RAW).expect(200)
    changed = array.copy()
    changed[17] = 0
    assert np.array_equal(s.array("w"), changed)
    body = s.get("checkpoints/c:value?tensor=w&format=raw").expect(200).body
    assert body == array.tobytes()
    s.restore("c")
    assert np.array_equal(s.array("w"), array)
