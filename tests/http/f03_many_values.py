"""values: several tensors of one moment, in one body."""

import formats

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}


def tensors_of(**arrays):
    return {name: (str(array.dtype), list(array.shape), array.tobytes()) for name, array in arrays.items()}


def test_a_set_is_read_by_names_and_by_prefix(s):
    s.make("a/x", [1, 2])
    s.make("a/y", [[3]], "float64")
    s.make("b", [4], "int8")
    for query, names in (("names=a/x,b", {"a/x", "b"}), ("prefix=a/", {"a/x", "a/y"}), ("", {"a/x", "a/y", "b"})):
        reply = s.get(f"values?{query}", {"Accept": "application/vnd.safetensors"}).expect(200)
        assert reply.headers["content-type"] == "application/vnd.safetensors"
        tensors, _ = formats.safetensors_read(reply.body)
        assert set(tensors) == names, (query, tensors)
    tensors, _ = formats.safetensors_read(s.get("values?format=safetensors").body)
    assert tensors["a/y"] == ("float64", [1, 1], np.array([3.0]).tobytes())


def test_safetensors_of_every_dtype_it_names(s):
    random = np.random.default_rng(5)
    tensors = {}
    for dtype in formats.SAFE:
        data = random.integers(0, 2, 6 * formats.SIZE[dtype], dtype=np.uint8).tobytes()
        tensors[f"v/{dtype}"] = (dtype, [2, 3], data)
    tensors["scalar"] = ("float32", [], b"\0\0\x80\x3f")
    tensors["empty"] = ("int64", [0, 4], b"")
    s.put("values?create=true", formats.safetensors_write(tensors), SAFE).expect(200)
    reply = s.get("values?format=safetensors").expect(200)
    got, _ = formats.safetensors_read(reply.body)
    assert got == tensors
    header = int.from_bytes(reply.body[:8], "little")
    assert (8 + header) % 8 == 0, "data is aligned"


def test_safetensors_cannot_name_some_dtypes(s):
    s.put_raw("t", "string", [1], formats.strings_write([b"x"]))
    s.refuses(406, "NOT_ACCEPTABLE", ("t", "string"), "GET", "values?format=safetensors")


def test_put_assigns_all_in_one_commit(s):
    s.make("a", [0, 0])
    s.make("b", [0], "int32")
    before = s.tick()
    body = formats.safetensors_write(tensors_of(a=np.array([1, 2], "<f4"), b=np.array([3], "<i4")), {"step": "7"})
    reply = s.put("values", body, SAFE).expect(200)
    assert reply.revision == before + 1
    assert s.value("a") == [1, 2] and s.value("b") == [3]
    assert s.info("a")["revision"] == s.info("b")["revision"] == reply.revision


def test_put_is_all_or_nothing(s):
    s.make("a", [0, 0])
    good = np.array([1, 2], "<f4")
    for other, status, code, words in (
            ({"ghost": good}, 404, "NOT_FOUND", "ghost"), ({"b": np.zeros(3, "<f4")}, 400, "INVALID_ARGUMENT", ("b", "[3]")),
            ({"b": np.zeros(1, "<f8")}, 400, "INVALID_ARGUMENT", ("b", "float64"))):
        if "b" in other and not s.names("?prefix=b"):
            s.make("b", [0], "float32")
        body = formats.safetensors_write(tensors_of(a=good, **other))
        s.refuses(status, code, words, "PUT", "values", body, SAFE)
        body = formats.safetensors_write(tensors_of(**other, a=good))
        s.refuses(status, code, words, "PUT", "values", body, SAFE)
    assert s.value("a") == [0, 0]


def test_create_makes_what_is_missing_and_refuses_bad_names(s):
    s.make("a", [0, 0])
    body = formats.safetensors_write(tensors_of(a=np.array([1, 2], "<f4"), new=np.array([9], "<i8")))
    s.put("values?create=true", body, SAFE).expect(200)
    assert s.value("a") == [1, 2] and s.value("new") == [9] and s.info("new")["dtype"] == "int64"
    for name in ("bad:name", "/lead", "a//b", "é", "", "a/../b"):
        body = formats.safetensors_write({"fine": ("float32", [1], b"\0" * 4), name: ("float32", [1], b"\0" * 4)})
        s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "values?create=true", body, SAFE)
    assert "fine" not in s.names()


def test_octet_stream_is_taken_for_safetensors(s):
    body = formats.safetensors_write(tensors_of(a=np.array([1, 2], "<f4")))
    s.put("values?create=true", body, {"Content-Type": "application/octet-stream"}).expect(200)
    s.put("values", body).expect(200)
    assert s.value("a") == [1, 2]


def test_json_of_several(s):
    s.make("a", [1, 2])
    s.make("b", 3, "int64")
    reply = s.get("values?names=b,a&format=json").expect(200).json
    values = reply["values"]
    if isinstance(values, list):
        values = {value["name"]: value for value in values}
    assert values["a"]["data"] == [1, 2] and values["b"]["data"] == 3 and values["b"]["dtype"] == "int64"
    assert reply["revision"] == s.tick() - 1


def test_unknown_names_are_named(s):
    s.make("a", [1])
    s.refuses(404, "NOT_FOUND", "ghost", "GET", "values?names=a,ghost")
    s.refuses(400, "INVALID_ARGUMENT", "nmes", "GET", "values?nmes=a")


def test_a_thousand_tensors_in_one_body(s):
    random = np.random.default_rng(2)
    arrays = {f"layer{i // 10}/w{i % 10}": random.standard_normal(random.integers(0, 300)).astype("<f4") for i in range(1000)}
    s.put("values?create=true", formats.safetensors_write(tensors_of(**arrays)), SAFE).expect(200)
    got, _ = formats.safetensors_read(s.get("values?format=safetensors").expect(200).body)
    assert got == tensors_of(**arrays)


def test_order_and_gaps_of_the_body_do_not_matter(s):
    """Header order is not data order; tensors of odd sizes lie unaligned."""
    tensors = {"z": ("int8", [3], b"abc"), "a": ("float64", [1], b"\1" * 8), "m": ("bool", [1], b"\1")}
    body = formats.safetensors_write(tensors)
    text = body[8:8 + int.from_bytes(body[:8], "little")].rstrip(b" ")
    import json
    import struct
    header = json.loads(text)
    shuffled = json.dumps({name: header[name] for name in ("a", "m", "z")}).encode()
    body = struct.pack("<Q", len(shuffled)) + shuffled + body[8 + int.from_bytes(body[:8], "little"):]
    s.put("values?create=true", body, SAFE).expect(200)
    got, _ = formats.safetensors_read(s.get("values?format=safetensors").body)
    assert got == tensors
