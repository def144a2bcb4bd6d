"""Checkpoints in and out as safetensors."""

import hashlib

import formats

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}


def test_what_goes_in_comes_out(s):
    tensors = {"w": ("float32", [2, 3], np.arange(6, dtype="<f4").tobytes()), "any name: ü/\n": ("int8", [2], b"ab"),
               "empty": ("float64", [0, 9], b""), "s": ("bfloat16", [], b"\x80\x3f")}
    s.put("checkpoints/imported", formats.safetensors_write(tensors, {"format": "pt", "k": 'v"\\'}), SAFE).expect(201)
    listed = {t["name"]: t for t in s.get("checkpoints/imported").expect(200).json["tensors"]}
    assert set(listed) == set(tensors) and listed["s"]["dtype"] == "bfloat16"
    reply = s.get("checkpoints/imported:export?format=safetensors").expect(200)
    got, metadata = formats.safetensors_read(reply.body)
    assert got == tensors
    assert metadata.get("format") == "pt" and metadata.get("k") == 'v"\\', metadata
    query = "any%20name%3A%20%C3%BC%2F%0A"
    assert s.get(f"checkpoints/imported:value?tensor={query}").expect(200).json["data"] == [97, 98]


def test_exporting_is_a_live_file(s):
    s.make("a", list(range(1000)))
    s.make("b", [1], "float64")
    s.save("c")
    path = "checkpoints/c:export?format=safetensors"
    whole = s.get(path).expect(200)
    tensors, _ = formats.safetensors_read(whole.body)
    assert set(tensors) == {"a", "b"}
    assert s.get(path).body == whole.body, "the same bytes every time"
    s.get(path, {"If-None-Match": whole.etag}).expect(304)
    part = s.get(path, {"Range": "bytes=8-17"}).expect(206)
    assert part.body == whole.body[8:18] and part.headers["content-range"] == f"bytes 8-17/{len(whole.body)}"
    assert s.get(path, {"Range": "bytes=-4"}).expect(206).body == whole.body[-4:]
    assert int(whole.headers["content-length"]) == len(whole.body)


def test_an_existing_checkpoint_is_not_overwritten_unasked(s):
    one = formats.safetensors_write({"w": ("int8", [1], b"\1")})
    two = formats.safetensors_write({"w": ("int8", [1], b"\2")})
    s.put("checkpoints/c", one, SAFE).expect(201)
    s.refuses(409, "ALREADY_EXISTS", "c", "PUT", "checkpoints/c", two, SAFE)
    s.refuses(412, "PRECONDITION_FAILED", (), "PUT", "checkpoints/c", two, {**SAFE, "If-None-Match": "*"})
    assert s.get("checkpoints/c:value?tensor=w").json["data"] == [1]
    s.put("checkpoints/c?overwrite=true", two, SAFE).expect(200)
    assert s.get("checkpoints/c:value?tensor=w").json["data"] == [2]


def test_an_empty_file_and_one_without_a_type(s):
    s.put("checkpoints/none", formats.safetensors_write({}), SAFE).expect(201)
    assert s.get("checkpoints/none").json["tensors"] == []
    s.put("checkpoints/sniffed", formats.safetensors_write({"w": ("int8", [1], b"\1")})).expect(201)
    assert s.get("checkpoints/sniffed:value?tensor=w").json["data"] == [1]
    s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "checkpoints/garbage", b"garbage that is no checkpoint")
    s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "checkpoints/nothing", b"")


def test_names_that_are_no_variable_names_need_a_map(s):
    body = formats.safetensors_write({"enc:0": ("float32", [2], b"\0\0\x80\x3f" * 2)})
    s.put("checkpoints/c", body, SAFE).expect(201)
    reply = s.post("checkpoints/c:restore", {"create": True})
    assert reply.status in (400, 404) and "enc:0" in reply.detail, str(reply)
    s.restore("c", variables={"enc:0": "enc/0"}, create=True)
    assert s.value("enc/0") == [1, 1]


def test_a_name_that_is_too_long_is_shown(s):
    for name in ("layer" + 500 * "x", "\u00fc" + "a" + 300 * "\u00fc"):
        reply = s.refuses(400, "INVALID_ARGUMENT", ("1 to 480 bytes", name[:20]), "PUT", "checkpoints/c",
                          formats.safetensors_of({name: np.zeros(1, "<f4")}))
        assert len(reply.detail) < 300, reply


def test_export_refuses_formats_and_dtypes_it_does_not_have(s):
    s.put_raw("t", "string", [1], formats.strings_write([b"x"]))
    s.save("c")
    s.refuses(406, "NOT_ACCEPTABLE", ("t", "string"), "GET", "checkpoints/c:export?format=safetensors")
    s.refuses(406, "NOT_ACCEPTABLE", "safetensors", "GET", "checkpoints/c:export?format=zip9")


def test_a_large_import_streams(s):
    size = (4 if s.slow else 48) << 20
    data = np.random.default_rng(4).integers(0, 256, size, dtype=np.uint8).tobytes()
    body = formats.safetensors_write({"a": ("uint8", [1000], data[:1000]), "w": ("uint8", [size - 1000], data[1000:])})
    before = s.server.memory()["RssAnon"]
    s.put("checkpoints/c", (body[at:at + 300_001] for at in range(0, len(body), 300_001)), SAFE).expect(201)
    exported = s.get("checkpoints/c:export?format=safetensors").expect(200).body
    got, _ = formats.safetensors_read(exported)
    assert got["w"][2] == data[1000:] and got["a"][2] == data[:1000]
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (200 << 20)


def test_exports_of_an_import_are_stable_by_digest(s):
    tensors = {f"t{i}": ("float32", [i], np.random.default_rng(i).standard_normal(i).astype("<f4").tobytes()) for i in range(30)}
    s.put("checkpoints/a", formats.safetensors_write(tensors), SAFE).expect(201)
    first = s.get("checkpoints/a:export?format=safetensors").body
    s.put("checkpoints/b", first, SAFE).expect(201)
    second = s.get("checkpoints/b:export?format=safetensors").body
    assert hashlib.sha256(formats.safetensors_read(first)[0]["t29"][2]).digest() == hashlib.sha256(tensors["t29"][2]).digest()
    assert formats.safetensors_read(first)[0] == formats.safetensors_read(second)[0] == tensors


def test_a_lone_array_is_a_checkpoint_of_one_tensor(s):
    array = np.arange(12, dtype="<f8").reshape(3, 4)
    npy = {"Content-Type": "application/x-npy"}
    reply = s.put("checkpoints/a", formats.npy_write(array), npy).expect(201)
    assert reply.json["format"] == "npy" and reply.json["skipped"] == [], reply.json
    assert [t["name"] for t in s.get("checkpoints/a").json["tensors"]] == ["arr_0"], "numpy's name for it"
    s.put("checkpoints/b?tensor=layer%2Fw", formats.npy_write(np.asfortranarray(array)), {}).expect(201)
    assert np.array_equal(np.array(s.get("checkpoints/b:value?tensor=layer/w").json["data"]), array)
    s.refuses(400, "INVALID_ARGUMENT", "goes on after its array", "PUT", "checkpoints/c", formats.npy_write(array) + b"x", npy)
    s.refuses(400, "INVALID_ARGUMENT", "ends after", "PUT", "checkpoints/c", formats.npy_write(array)[:-1], npy)


def test_a_header_shorter_than_its_prefix_is_read_no_further(s):
    for length in range(3):
        body = b"\x93NUMPY\1\0" + bytes([length, 0]) + b"{}" * 50000
        for path in ("checkpoints/c", "variables/v"):
            s.refuses(400, "INVALID_ARGUMENT", "npy", "PUT", path, body, {"Content-Type": "application/x-npy"})


def test_what_is_of_no_format_is_told_which_there_are(s):
    for body in (b"", b"?", b"nothing of this kind" * 100, b"{}" * 10):
        reply = s.refuses(400, "INVALID_ARGUMENT", "safetensors", "PUT", "checkpoints/c", body, {"Content-Type": "application/octet-stream"})
        assert "npy" in reply.json["detail"], reply.json
    s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "safetensors", "PUT", "checkpoints/c", b"a,b", {"Content-Type": "text/csv"})
    s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "safetensors", "PUT", "checkpoints/c?format=onnx", b"a,b")
    s.refuses(400, "INVALID_ARGUMENT", "on_unsupported", "PUT", "checkpoints/c?on_unsupported=maybe", b"a,b")
    s.make("w", [1.0])
    s.save("w")
    for query, status, words in (("format=onnx", 406, "safetensors"), ("compression=lots", 400, "none or deflate"),
                                 ("on_unsupported=maybe", 400, "error or skip")):
        reply = s.get(f"checkpoints/w:export?{query}").expect(status)
        assert words in reply.json["detail"], reply.json


def test_a_format_that_lacks_a_dtype_says_so_or_leaves_it_out(s):
    s.create("t", {"op": "constant", "value": ["a", "b"], "dtype": "string"})
    s.make("w", [1.0, 2.0])
    s.post(":initialize", {}).expect(200)
    s.save("c")
    reply = s.get("checkpoints/c:export?format=safetensors").expect(406)
    assert reply.json["tensor"] == "t" and "string" in reply.json["detail"], reply.json
    reply = s.get("checkpoints/c:export?format=safetensors&on_unsupported=skip").expect(200)
    assert set(formats.safetensors_read(reply.body)[0]) == {"w"}
    assert reply.headers["tensorkeep-skipped"] == "1"
