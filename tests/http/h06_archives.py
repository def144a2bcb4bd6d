"""Archives: what numpy, zipfile and tarfile write comes in, what goes out they read."""

import gzip
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile

import formats

np = formats.np
NPZ = {"Content-Type": "application/x-npz"}
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")

ARRAYS = {
    "layer1/W": np.arange(24, dtype="<f4").reshape(2, 3, 4) / 7,
    "fortran": np.asfortranarray(np.arange(20, dtype="<i8").reshape(4, 5)),
    "big": np.arange(6, dtype=">f8").reshape(2, 3) - 2.5,
    "big fortran": np.asfortranarray(np.arange(12, dtype=">c16").reshape(3, 4)),
    "scalar": np.float64(2.5),
    "empty": np.zeros((0, 7), "<i2"),
    "flag": np.array([True, False]),
    "half": np.arange(5, dtype="<f2"),
    "\u00fcber/\u540d": np.arange(4, dtype="u1"),
    "zeros": np.zeros((64, 64), "<f4"),
}


def npz_of(arrays, compressed=False):
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


def npy_of(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version)
    return out.getvalue()


def zip_of(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(members, mode="w", form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tensors_of(s, checkpoint):
    """What a checkpoint holds, by its safetensors."""
    got, _ = formats.safetensors_read(s.get(f"checkpoints/{checkpoint}:export?format=safetensors").expect(200).body)
    return got


def expect_arrays(got, arrays):
    assert set(got) == set(arrays), (set(got), set(arrays))
    for name, array in arrays.items():
        array = np.asanyarray(array)
        little = array.astype(array.dtype.newbyteorder("<"))
        dtype, shape, data = got[name]
        assert formats.NUMPY[dtype] == little.dtype.str and tuple(shape) == array.shape, (name, dtype, shape)
        assert data == little.tobytes(), name


# --- in ---


def test_what_numpy_saves_comes_in_equal(s):
    arrays = {name: array for name, array in ARRAYS.items() if np.asanyarray(array).dtype.kind != "c"}
    for compressed in (False, True):
        for headers in (NPZ, {}, {"Content-Type": "application/zip"}):
            reply = s.put("checkpoints/c?overwrite=true", npz_of(arrays, compressed), headers)
            assert reply.status in (200, 201) and reply.json["format"] == "npz" and reply.json["skipped"] == [], str(reply)
            expect_arrays(tensors_of(s, "c"), arrays)
    s.put("checkpoints/complex", npz_of(ARRAYS), NPZ).expect(201)
    got = np.load(io.BytesIO(s.get("checkpoints/complex:value?tensor=big%20fortran&format=npy").expect(200).body))
    assert np.array_equal(got, ARRAYS["big fortran"])


def test_all_versions_of_npy_are_members(s):
    members = [(f"v{major}.npy", npy_of(np.arange(6).reshape(2, 3), (major, 0))) for major in (1, 2, 3)]
    s.put("checkpoints/c", zip_of(members), NPZ).expect(201)
    expect_arrays(tensors_of(s, "c"), {f"v{major}": np.arange(6).reshape(2, 3) for major in (1, 2, 3)})


def test_members_that_are_no_arrays_are_passed_over(s):
    members = [("README.txt", b"text"), ("a.npy", npy_of(np.arange(3))), ("folder/", b""), ("b.NPY", b"?"), ("npy", b"?")]
    reply = s.put("checkpoints/c", zip_of(members), NPZ).expect(201)
    assert reply.json["skipped"] == [], reply.json
    expect_arrays(tensors_of(s, "c"), {"a": np.arange(3)})


def test_one_array_in_an_archive_keeps_its_name(s):
    s.put("checkpoints/c", npz_of({"w": np.arange(3)})).expect(201)
    expect_arrays(tensors_of(s, "c"), {"w": np.arange(3)})
    s.put("checkpoints/d", tar_of([("folder/w.npy", npy_of(np.arange(3)))])).expect(201)
    expect_arrays(tensors_of(s, "d"), {"folder/w": np.arange(3)})


def test_an_npz_without_arrays(s):
    s.put("checkpoints/c", npz_of({}), NPZ).expect(201)
    assert s.get("checkpoints/c").json["tensors"] == []


def test_a_format_that_one_says_is_not_believed_blindly(s):
    """What holds nothing of it is refused: it is no file without tensors, and least of all takes another's place."""
    s.put("checkpoints/c", npz_of({"w": np.arange(3)})).expect(201)
    bodies = [b"hello", b"{}" * 10, formats.safetensors_of({"w": np.arange(2)}), npy_of(np.arange(2)), zip_of([("a.txt", b"a")]),
              tar_of([("a.txt", b"a"), ("b.txt", b"b")]), b""]
    for body in bodies:
        for name, words in (("npz", "no name of the files ends in .npy"), ("safetensors_shards", "ends in .safetensors"),
                            ("tf_v2", "ends in .index"), ("tf_v1", "none of the files")):
            s.refuses(400, "INVALID_ARGUMENT", words, "PUT", f"checkpoints/c?overwrite=true&format={name}", body)
        s.refuses(400, "INVALID_ARGUMENT", "npz", "PUT", "checkpoints/c?overwrite=true", body, NPZ)
    expect_arrays(tensors_of(s, "c"), {"w": np.arange(3)})


def test_arrays_that_cannot_be_kept_are_named_or_left_out(s):
    record = np.zeros(2, [("id", "<i4"), ("v", "<f8"), ("sub", [("x", "<i2", (2,))])])
    arrays = {"record": record, "objects": np.array([None, "x"], object), "text": np.array(["abc"]), "bytes": np.array([b"abc"]),
              "day": np.array(["2020-01-01"], "M8[D]"), "long": np.zeros(2, np.longdouble), "void": np.zeros(2, "V2"), "w": np.arange(3)}
    body = npz_of(arrays)
    reply = s.refuses(400, "INVALID_ARGUMENT", "on_unsupported=skip", "PUT", "checkpoints/c", body, NPZ)
    assert reply.json["tensor"] in arrays, reply.json
    reply = s.put("checkpoints/c?on_unsupported=skip", body, NPZ).expect(201)
    skipped = {entry["name"]: entry["reason"] for entry in reply.json["skipped"]}
    assert set(skipped) == set(arrays) - {"w"}, skipped
    assert "structured" in skipped["record"] and "'|O'" in skipped["objects"] and "npy_v2=bfloat16" in skipped["void"], skipped
    expect_arrays(tensors_of(s, "c"), {"w": np.arange(3)})


def test_two_bytes_of_no_type_are_bfloat16_when_one_says_so(s):
    body = npz_of({"v": np.frombuffer(b"\x80\x3f\x00\x40", "V2"), "w": np.arange(2)})
    s.refuses(400, "INVALID_ARGUMENT", "npy_v2=bfloat16", "PUT", "checkpoints/c", body, NPZ)
    s.refuses(400, "INVALID_ARGUMENT", "npy_v2", "PUT", "checkpoints/c?npy_v2=float16", body, NPZ)
    s.put("checkpoints/c?npy_v2=bfloat16", body, NPZ).expect(201)
    assert s.get("checkpoints/c:value?tensor=v").json["data"] == [1, 2]
    reply = s.get("checkpoints/c:export?format=npz").expect(406)
    assert reply.json["tensor"] == "v" and "npy_v2=bfloat16" in reply.json["detail"], reply.json
    out = s.get("checkpoints/c:export?format=npz&npy_v2=bfloat16").expect(200).body
    assert np.load(io.BytesIO(out))["v"].tobytes() == b"\x80\x3f\x00\x40"
    alone = s.get("checkpoints/c:value?tensor=v&format=npy&npy_v2=bfloat16").expect(200).body
    assert np.load(io.BytesIO(alone)).dtype == np.dtype("V2")
    s.put("variables/v?npy_v2=bfloat16", alone, {"Content-Type": "application/x-npy"}).expect(201)
    assert s.value("v") == [1, 2]
    s.get("variables/v:value?format=npy").expect(406)


def test_members_that_lie_are_refused_and_change_nothing(s):
    good = npy_of(np.arange(6, dtype="<i4"))
    for name, data, words in (("short", good[:-1], "23 bytes follow the header"), ("long", good + b"x", "25 bytes follow"),
                              ("cut", good[:50], "the header has 128 bytes, the file 50"), ("nothing", b"", "ends after 0 bytes"),
                              ("text", b"not an array at all", "magic")):
        body = zip_of([("good.npy", good), (f"{name}.npy", data)])
        s.refuses(400, "INVALID_ARGUMENT", (f"member '{name}.npy'", words), "PUT", "checkpoints/c", body, NPZ)
    bad_bool = npy_of(np.array([0, 1, 2], "u1")).replace(b"'|u1'", b"'|b1'")
    s.refuses(400, "INVALID_ARGUMENT", "bool", "PUT", "checkpoints/c", zip_of([("b.npy", bad_bool)]), NPZ)
    twice = zip_of([("a.npy", good), ("b.npy", good)]).replace(b"b.npy", b"a.npy")
    s.refuses(400, "INVALID_ARGUMENT", "two files have the name 'a.npy'", "PUT", "checkpoints/c", twice, NPZ)
    latin = zip_of([("x.npy", good)]).replace(b"x.npy", b"\xfc.npy")
    s.refuses(400, "INVALID_ARGUMENT", "not UTF-8", "PUT", "checkpoints/c", latin, NPZ)


def test_malformed_archives_end_as_their_manifest_says(s):
    with open(os.path.join(FIXTURES, "malformed", "manifest.json")) as file:
        cases = [case for case in json.load(file)["cases"] if case["format"] == "npz"]
    assert len(cases) >= 9
    for case in cases:
        with open(os.path.join(FIXTURES, "malformed", case["dir"], case["open"]), "rb") as file:
            body = file.read()
        memory = s.server.memory()["RssAnon"]
        reply = s.put("checkpoints/c?overwrite=true", body, NPZ)
        expected = {"reject": (400,), "limit": (200, 201, 413), "either": (200, 201, 400)}[case["expect"]]
        assert reply.status in expected, (case["id"], str(reply))
        if not s.slow:
            assert s.server.memory()["RssAnon"] < memory + (16 << 20), case["id"]


def test_a_bomb_is_refused_by_its_directory(s):
    body = npz_of({"zeros": np.zeros(1 << 20, "u1")}, compressed=True)
    tar = tar_of([("zeros.npy", npy_of(np.zeros(1 << 20, "u1")))], "w:gz")
    assert len(body) < 8000 and len(tar) < 8000
    with s.other_server("--import-max-bytes", "1m") as s:
        for archive in (body, tar):
            s.refuses(413, "PAYLOAD_TOO_LARGE", "import_max_bytes", "PUT", "checkpoints/c", archive, {})
        s.put("checkpoints/c", npz_of({"zeros": np.zeros(1000, "u1")}, compressed=True), NPZ).expect(201)


def test_archives_of_one_file_or_of_several(s):
    arrays = {"a": np.arange(3, dtype="<f4"), "b": np.arange(4, dtype="<i8")}
    safe = formats.safetensors_write({name: ("float32" if name == "a" else "int64", list(array.shape), array.tobytes())
                                      for name, array in arrays.items()})
    npys = [(f"{name}.npy", npy_of(array)) for name, array in arrays.items()]
    for number, body in enumerate((zip_of([("folder/model.safetensors", safe)]), zip_of([("m.safetensors", safe)], zipfile.ZIP_DEFLATED),
                                   tar_of([("model.safetensors", safe)]), tar_of([("model.safetensors", safe)], "w:gz"),
                                   gzip.compress(tar_of([("x" * 300 + "/model.safetensors", safe)], form=tarfile.GNU_FORMAT)),
                                   tar_of(npys), tar_of(npys, form=tarfile.USTAR_FORMAT), zip_of(npys))):
        s.put(f"checkpoints/c{number}", body).expect(201)
        expect_arrays(tensors_of(s, f"c{number}"), arrays)
    s.refuses(400, "INVALID_ARGUMENT", "of no format that is known", "PUT", "checkpoints/d", tar_of([("README", b"text")]))
    s.refuses(400, "INVALID_ARGUMENT", "is damaged or none", "PUT", "checkpoints/d", tar_of(npys)[:700])
    s.refuses(400, "INVALID_ARGUMENT", "zip", "PUT", "checkpoints/d", zip_of(npys)[:-30])


def test_members_of_a_tar_file_that_are_no_files_are_left_out(s):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("link.npy", tarfile.SYMTYPE), ("hard.npy", tarfile.LNKTYPE), ("fifo.npy", tarfile.FIFOTYPE),
                           ("folder", tarfile.DIRTYPE), ("device.npy", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        data = npy_of(np.arange(3))
        info = tarfile.TarInfo("../../etc/w.npy")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    s.put("checkpoints/c", out.getvalue()).expect(201)
    expect_arrays(tensors_of(s, "c"), {"../../etc/w": np.arange(3)})


# --- out ---


def make_all(s):
    """A variable of every dtype that NumPy has, of several shapes."""
    arrays = {}
    for number, (dtype, kind) in enumerate(sorted(formats.NUMPY.items())):
        rng = np.random.default_rng(number)
        for shape in ((), (0, 3), (2, 3, 5), (1000,)):
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            data = rng.integers(0, 2 if dtype == "bool" else 256, size, dtype=np.uint8).tobytes()
            name = f"{dtype}/{len(shape)}_{size}"
            arrays[name] = np.frombuffer(data, kind).reshape(shape)
            s.put_raw(name, dtype, list(shape), data)
    return arrays


def expect_loads(body, arrays):
    loaded = np.load(io.BytesIO(body), allow_pickle=False)
    assert set(loaded.files) == set(arrays)
    for name, array in arrays.items():
        got = loaded[name]
        assert got.dtype == array.dtype and got.shape == array.shape and got.tobytes() == array.tobytes(), name


def test_what_goes_out_numpy_loads(s):
    arrays = make_all(s)
    s.save("model.ckpt", global_step=7)
    for compression in ("none", "deflate"):
        path = f"checkpoints/model.ckpt-7:export?format=npz&compression={compression}"
        reply = s.get(path).expect(200)
        assert reply.headers["content-type"] == "application/x-npz", reply.headers
        assert 'filename="model.ckpt-7.npz"' in reply.headers["content-disposition"]
        expect_loads(reply.body, arrays)
        assert s.get(path).body == reply.body, "the same bytes every time"
        assert s.get(path, {"Range": "bytes=100-299"}).expect(206).body == reply.body[100:300]
        s.get(path, {"If-None-Match": reply.etag}).expect(304)
        archive = zipfile.ZipFile(io.BytesIO(reply.body))
        assert archive.testzip() is None
        kinds = {info.compress_type for info in archive.infolist()}
        assert kinds == {zipfile.ZIP_STORED if compression == "none" else zipfile.ZIP_DEFLATED}, kinds
        for info in archive.infolist():
            local = struct.unpack_from("<4s5H3I2H", reply.body, info.header_offset)
            assert local[6:9] == (info.CRC, info.compress_size, info.file_size), "local headers are complete"
            data = info.header_offset + 30 + local[9] + local[10]
            assert info.compress_type != zipfile.ZIP_STORED or data % 64 == 0, info.filename
        if shutil.which("unzip"):
            with tempfile.NamedTemporaryFile(suffix=".npz") as file:
                file.write(reply.body)
                file.flush()
                assert b"No errors" in subprocess.run(["unzip", "-t", file.name], check=True, stdout=subprocess.PIPE).stdout
    s.put("checkpoints/again", reply.body, NPZ).expect(201)
    expect_loads(s.get("checkpoints/again:export?format=npz").expect(200).body, arrays)


def test_names_go_out_as_utf_8_in_the_order_they_came(s):
    arrays = {"z": np.arange(2), "\u00fc/\u540d": np.arange(3), "a b": np.arange(4), "n" * 200: np.arange(1), "a": np.arange(1)}
    s.put("checkpoints/c", npz_of(arrays), NPZ).expect(201)
    body = s.get("checkpoints/c:export?format=npz").expect(200).body
    expect_loads(body, arrays)
    assert zipfile.ZipFile(io.BytesIO(body)).namelist() == [name + ".npy" for name in arrays]


def test_a_tensor_that_numpy_has_no_dtype_for(s):
    s.put_raw("t", "string", [1], formats.strings_write([b"x"]))
    s.put_raw("f8", "float8_e5m2", [1], b"\0")
    s.make("w", [1.0, 2.0])
    s.save("c")
    reply = s.get("checkpoints/c:export?format=npz").expect(406)
    assert reply.json["tensor"] in ("t", "f8") and "NumPy has no such dtype" in reply.json["detail"], reply.json
    reply = s.get("checkpoints/c:export?format=npz&on_unsupported=skip").expect(200)
    assert reply.headers["tensorkeep-skipped"] == "2"
    expect_loads(reply.body, {"w": np.array([1, 2], "<f4")})


def test_archives_that_go_out_are_read_by_python(s):
    s.make("w", list(range(100)))
    s.save("c")
    plain = s.get("checkpoints/c:export?format=safetensors").expect(200).body
    tar = s.get("checkpoints/c:export?format=safetensors&container=tar").expect(200)
    assert tar.headers["content-type"] == "application/x-tar" and len(tar.body) % 10240 == 0
    archive = tarfile.open(fileobj=io.BytesIO(tar.body))
    assert archive.getnames() == ["c.safetensors"] and archive.extractfile("c.safetensors").read() == plain
    for compression in ("none", "deflate"):
        packed = s.get(f"checkpoints/c:export?format=safetensors&container=zip&compression={compression}").expect(200)
        assert packed.headers["content-type"] == "application/zip"
        assert zipfile.ZipFile(io.BytesIO(packed.body)).read("c.safetensors") == plain
        s.put(f"checkpoints/{compression}", packed.body).expect(201)
        assert tensors_of(s, compression) == tensors_of(s, "c")
    reply = s.get("checkpoints/c:export?format=safetensors&compression=deflate").expect(400)
    assert "container=zip" in reply.json["detail"], reply.json
    s.get("checkpoints/c:export?container=cpio").expect(400)


# --- values ---


def test_values_travel_as_npz(s):
    arrays = {"a": np.arange(3, dtype="<f4"), "b/c": np.arange(6, dtype="<i8").reshape(2, 3)}
    reply = s.put("values?create=true", npz_of(arrays), NPZ).expect(200)
    assert sorted(reply.json["assigned"]) == sorted(arrays) and "skipped" not in reply.json, reply.json
    assert s.value("b/c") == [[0, 1, 2], [3, 4, 5]]
    for headers, path in (({}, "values?format=npz"), ({"Accept": "application/x-npz"}, "values")):
        reply = s.get(path, headers).expect(200)
        expect_loads(reply.body, arrays)
        assert reply.headers["content-type"] == "application/x-npz"
    assert s.get("values?format=npz").body == reply.body
    small = s.get("values?format=npz&compression=deflate&names=a").expect(200)
    expect_loads(small.body, {"a": arrays["a"]})
    more = {"a": arrays["a"] + 1, "b/c": np.asfortranarray(arrays["b/c"].astype(">i8") + 1)}
    s.put("values", npz_of(more, compressed=True)).expect(200)
    assert s.value("a") == [1, 2, 3] and s.value("b/c") == [[1, 2, 3], [4, 5, 6]]
    s.refuses(404, "NOT_FOUND", "new", "PUT", "values", npz_of({"a": arrays["a"], "new": np.arange(2)}), NPZ)
    s.refuses(400, "INVALID_ARGUMENT", ("a", "[3]"), "PUT", "values", npz_of({"a": np.zeros(4, "<f4")}), NPZ)
    mixed = npz_of({"a": arrays["a"], "text": np.array(["x"])})
    s.refuses(400, "INVALID_ARGUMENT", "text", "PUT", "values", mixed, NPZ)
    reply = s.put("values?on_unsupported=skip", mixed, NPZ).expect(200)
    assert reply.json["assigned"] == ["a"] and reply.json["skipped"][0]["name"] == "text", reply.json


def test_a_column_major_array_over_the_limit_is_refused(s):
    array = np.asfortranarray(np.zeros((100, 100), "<f8"))
    with s.other_server("--expression-max-bytes", "64k") as s:
        s.refuses(413, "PAYLOAD_TOO_LARGE", ("member 'w.npy'", "expression_max_bytes"), "PUT", "checkpoints/c", npz_of({"w": array}), NPZ)
        s.put("checkpoints/c", npz_of({"w": np.ascontiguousarray(array)}), NPZ).expect(201)


def test_a_large_npz_needs_little_memory(s):
    size = (4 if s.slow else 48) << 20
    arrays = {"a": np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8), "b": np.arange(size // 8)}
    body = npz_of(arrays)
    before = s.server.memory()["RssAnon"]
    s.put("checkpoints/c", (body[at:at + 300_001] for at in range(0, len(body), 300_001)), NPZ).expect(201)
    exported = s.get("checkpoints/c:export?format=npz").expect(200).body
    expect_loads(exported, arrays)
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (64 << 20)
