"""One tensor as raw bytes, npy and safetensors; what the request and reply headers say."""

import json
import os

import formats

np = formats.np
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
RAW, NPY = {"Content-Type": "application/octet-stream"}, {"Content-Type": "application/x-npy"}


def sample(dtype, shape):
    """Random bit patterns, so non-finite ones too."""
    random = np.random.default_rng(len(dtype) * 1000 + formats.count_of(shape))
    data = random.integers(0, 256, formats.SIZE[dtype] * formats.count_of(shape), dtype=np.uint8)
    return (data & 1 if dtype == "bool" else data).tobytes()


def test_raw_round_trips_for_every_dtype_and_shape(s):
    for dtype in formats.SIZE:
        for shape in ([], [5], [3, 7], [0, 2], [1, 1, 3]):
            name, data = f"{dtype}/{len(shape)}d{'x'.join(map(str, shape))}", sample(dtype, shape)
            s.put_raw(name, dtype, shape, data)
            reply = s.get(f"variables/{name}:value", {"Accept": "application/octet-stream"}).expect(200)
            assert reply.body == data, (dtype, shape)
            assert reply.headers["content-type"] == "application/octet-stream"
            assert reply.headers["tensor-dtype"] == dtype
            assert reply.headers.get("tensor-shape", "") == (",".join(map(str, shape)) or "()"), str(reply)
            assert s.get(f"variables/{name}:value?format=raw").body == data


def test_npy_is_what_numpy_reads(s):
    for dtype, kind in formats.NUMPY.items():
        for shape in ([], [4], [2, 3], [0], [3, 1, 2]):
            name, data = f"{dtype}/{len(shape)}d{'x'.join(map(str, shape))}", sample(dtype, shape)
            s.put_raw(name, dtype, shape, data)
            reply = s.get(f"variables/{name}:value", {"Accept": "application/x-npy"}).expect(200)
            assert reply.headers["content-type"] == "application/x-npy"
            array = formats.npy_read(reply.body)
            assert array.dtype == np.dtype(kind) and list(array.shape) == shape and array.tobytes() == data, (dtype, shape)
            header = len(reply.body) - len(data)
            assert header % 64 == 0, "the data begins at a multiple of 64"


def test_npy_is_refused_for_dtypes_it_cannot_name(s):
    s.put_raw("b", "bfloat16", [2], b"\x80\x3f\0\0")
    s.refuses(406, "NOT_ACCEPTABLE", "bfloat16", "GET", "variables/b:value?format=npy")
    s.put_raw("t", "string", [1], formats.strings_write([b"x"]))
    s.refuses(406, "NOT_ACCEPTABLE", "string", "GET", "variables/t:value?format=npy")


def test_every_npy_that_numpy_writes_is_read(s):
    base = np.arange(24).reshape(2, 3, 4)
    count = 0
    for dtype, kind in formats.NUMPY.items():
        for array in (base.astype(kind), np.asfortranarray(base.astype(kind)), base.astype(kind)[:, ::2].copy(),
                      base.astype(kind).T, base.astype(np.dtype(kind).newbyteorder(">")),
                      np.asfortranarray(base.astype(np.dtype(kind).newbyteorder(">")))):
            for version in ((1, 0), (2, 0), (3, 0)):
                name, count = f"v{count}", count + 1
                s.put(f"variables/{name}", formats.npy_write(array, version), NPY).expect(201)
                got = s.array(name)
                assert got.dtype == np.dtype(kind) and np.array_equal(got, array), (dtype, array.flags, version)


def test_large_fortran_and_big_endian_arrays(s):
    array = np.random.default_rng(1).standard_normal((700, 311)).astype("<f4")
    for name, variant in (("f", np.asfortranarray(array)), ("b", array.astype(">f4")), ("fb", np.asfortranarray(array.astype(">f4")))):
        s.put_npy(name, variant)
        assert np.array_equal(s.array(name), array)


def test_npy_files_of_others(s):
    """numpy files of several projects; the expected digests were made without this program."""
    import hashlib
    seen = 0
    for folder in sorted(os.listdir(FIXTURES)):
        if not folder.startswith("npy-"):
            continue
        with open(os.path.join(FIXTURES, folder, "EXPECTED.json"), encoding="utf-8") as file:
            expected = json.load(file)
        for tensor in expected["tensors"]:
            path = os.path.join(FIXTURES, folder, tensor["file"])
            if not path.endswith(".npy"):
                continue
            with open(path, "rb") as file:
                body = file.read()
            name, seen = f"n{seen}", seen + 1
            if "expect" in tensor:
                s.refuses(400, "INVALID_ARGUMENT", (), "PUT", f"variables/{name}", body, NPY)
                continue
            s.put(f"variables/{name}", body, NPY).expect(201)
            info = s.info(name)
            assert (info["dtype"], info["shape"]) == (tensor["dtype"], tensor["shape"]), (path, info)
            assert hashlib.sha256(s.bytes_of(name)).hexdigest() == tensor["sha256"], path
    assert seen > 15


def test_broken_files_are_refused_and_leave_nothing(s):
    """Both kinds of file, through the routes that take one tensor and those that take a set."""
    with open(os.path.join(FIXTURES, "malformed", "manifest.json"), encoding="utf-8") as file:
        cases = [case for case in json.load(file)["cases"] if case["format"] in ("npy", "safetensors")]
    for index, case in enumerate(cases):
        path = os.path.join(FIXTURES, "malformed", case["dir"], case["open"])
        with open(path, "rb") as file:
            body = file.read()
        with s.unchanged() if case["expect"] == "reject" else s.server_alive():
            if case["format"] == "npy":
                replies = [s.put(f"variables/v{index}", body, NPY)]
            else:
                kind = {"Content-Type": "application/vnd.safetensors"}
                replies = [s.put(f"checkpoints/c{index}", body, kind), s.put("values?create=true", body, kind)]
        for reply in replies:
            if case["expect"] == "reject":
                assert reply.status in (400, 413), f"{case['id']} ({case['what']}):\n{reply}"
            else:
                assert reply.status in (200, 201, 400), f"{case['id']}:\n{reply}"
    assert s.get("checkpoints").json["checkpoints"] == [] or all(
        c["name"].startswith("c") for c in s.get("checkpoints").json["checkpoints"])


def test_one_tensor_as_safetensors(s):
    s.make("w", [[1, 2], [3, 4]])
    body = s.get("variables/w:value?format=safetensors").expect(200).body
    tensors, _ = formats.safetensors_read(body)
    assert tensors == {"w": ("float32", [2, 2], np.array([1, 2, 3, 4], "<f4").tobytes())}


def test_negotiation(s):
    s.make("w", [1.0])
    for accept, kind in (("*/*", "application/json"), ("application/*", "application/json"),
                         ("application/json", "application/json"), ("application/x-npy", "application/x-npy"),
                         ("application/x-npy;q=0.5, application/octet-stream", "application/octet-stream"),
                         ("text/html, application/octet-stream;q=0.9, */*;q=0.1", "application/octet-stream"),
                         ("application/json;q=0, application/x-npy", "application/x-npy"),
                         ("application/vnd.safetensors", "application/vnd.safetensors"),
                         ("text/html, */*", "application/json")):
        reply = s.get("variables/w:value", {"Accept": accept}).expect(200)
        assert reply.headers["content-type"].split(";")[0] == kind, (accept, str(reply))
        assert "accept" in reply.headers.get("vary", "").lower(), str(reply)
    # ?format= beats Accept.
    reply = s.get("variables/w:value?format=npy", {"Accept": "application/json"}).expect(200)
    assert reply.headers["content-type"] == "application/x-npy"
    reply = s.refuses(406, "NOT_ACCEPTABLE", ("json", "raw", "npy", "safetensors"), "GET", "variables/w:value?format=xml")
    s.refuses(406, "NOT_ACCEPTABLE", "npy", "GET", "variables/w:value", None, {"Accept": "text/html"})


def test_unsupported_bodies_are_415_and_say_what_is_supported(s):
    s.make("w", [1.0])
    for method, path, kind in (("PUT", "variables/w:value", "text/csv"), ("PUT", "variables/w", "image/png"),
                               ("POST", "variables/w:assign", "text/plain"), ("POST", "variables", "application/xml"),
                               ("PUT", "values", "application/x-cpio"), ("PUT", "variables/w:value", "nonsense")):
        reply = s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", (), method, path, "1", {"Content-Type": kind})
        assert "application/" in reply.body.decode(), str(reply)


def test_raw_headers_are_needed_to_create(s):
    for headers in ({}, {"Tensor-Dtype": "float32"}, {"Tensor-Shape": "2"}):
        reply = s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "variables/w", b"\0" * 8, {**RAW, **headers})
        assert "Tensor-" in reply.detail, reply.detail


def test_bool_bytes_other_than_0_and_1_are_refused(s):
    s.refuses(400, "INVALID_ARGUMENT", "bool", "PUT", "variables/b", b"\0\2\1",
              {**RAW, "Tensor-Dtype": "bool", "Tensor-Shape": "3"})


def test_strings_on_binary_routes_are_checked(s):
    headers = {**RAW, "Tensor-Dtype": "string", "Tensor-Shape": "2"}
    for body in (b"", formats.strings_write([b"a"]), formats.strings_write([b"a", b"b", b"c"]),
                 formats.strings_write([b"a", b"b"])[:-1], b"\xff\xff\xff\xff" + b"a" * 10,
                 formats.strings_write([b"a"]) + b"\5\0\0\0ab"):
        s.refuses(400, "INVALID_ARGUMENT", (), "PUT", "variables/t", body, headers)
    s.put("variables/t", formats.strings_write([b"a" * 70000, b""]), headers).expect(201)
    assert formats.strings_read(s.bytes_of("t")) == [b"a" * 70000, b""]
