"""A checkpoint as text: what TensorFlow's inspect_checkpoint prints, with values as NumPy prints them."""

import urllib.parse

import array_chance
import formats
from update_chance import SEED

np = formats.np
TEXT = "checkpoints/c?format=text"


def text(s, query="", checkpoint="c"):
    reply = s.get(f"checkpoints/{checkpoint}?format=text{query}").expect(200)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8", str(reply)
    return reply.body.decode()


def value(s, name, checkpoint="c"):
    return text(s, "&tensor=" + urllib.parse.quote(name), checkpoint)


def test_without_more_each_tensor_has_a_line(s):
    """As the test of TensorFlow's own reader has it, and the empty line that print adds."""
    s.make("v0", [[1, 2, 3], [4, 5, 6]])
    s.make("v1", [[[1], [2]], [[3], [4]], [[5], [6]]])
    s.save()
    assert text(s) == "v0 (DT_FLOAT) [2,3]\nv1 (DT_FLOAT) [3,2,1]\n\n"
    assert s.get("checkpoints/c", {"Accept": "text/plain"}).expect(200).body.decode() == text(s)
    assert s.get("checkpoints/c", {"Accept": "application/json;q=0.1, text/*"}).expect(200).body.decode() == text(s)


def test_json_is_what_comes_unasked(s):
    s.make("w", [1])
    s.save()
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/html, */*;q=0.8"}, {"Accept": "text/plain;q=0.3, application/*"}):
        assert s.get("checkpoints/c", headers).expect(200).json["tensors"][0]["name"] == "w", headers
    assert s.get("checkpoints/c?format=json", {"Accept": "text/plain"}).expect(200).json["name"] == "c"


def test_every_dtype_has_its_name(s):
    names = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}
    for dtype in array_chance.DTYPES:
        s.put_raw(f"v_{dtype}", dtype, (0, 2), b"")
    s.put_raw("scalar", "int64", (), bytes(8))
    s.save()
    lines = [f"v_{dtype} (DT_{names.get(dtype, dtype.upper())}) [0,2]" for dtype in array_chance.DTYPES]
    assert text(s).split("\n") == sorted(lines + ["scalar (DT_INT64) []"]) + ["", ""]


def test_names_are_in_the_order_of_their_bytes(s):
    names = ["b", "a/b", "a.b", "a", "B", "ab", "é", "日本", "a b", "\U0001f600"]
    s.put_ok("checkpoints/c", formats.safetensors_of({name: np.zeros(1, "<f4") for name in names}))
    got = [line.rsplit(" (DT_FLOAT) ", 1)[0] for line in text(s).split("\n")[:-2]]
    assert got == sorted(names, key=str.encode), got
    assert value(s, "日本") == "tensor_name:  日本\n[0.]\n"


def test_one_tensor_and_all_of_them(s):
    s.make("b", [1, 2.5])
    s.make("a", [[True], [False]], "bool")
    s.make("scalar", 0.1)
    s.save()
    a, b = "tensor_name:  a\n[[ True]\n [False]]\n", "tensor_name:  b\n[1.  2.5]\n"
    assert value(s, "a") == a and value(s, "b") == b
    assert text(s, "&all_tensors=true") == a + b + "tensor_name:  scalar\n0.1\n"
    assert text(s, "&all_tensors=false") == text(s)


def test_the_number_of_parameters(s):
    s.make("a", np.zeros((3, 4)))
    s.make("b", 1)
    s.make("none", np.zeros((0, 7)))
    s.save()
    line = "# Total number of params: 13\n"
    assert text(s, "&count_params=true") == text(s) + line
    assert text(s, "&count_params=true&all_tensors=true") == text(s, "&all_tensors=true") + line
    assert text(s, "&count_params=true&tensor=b") == value(s, "b") + line


def test_long_arrays_are_cut(s):
    for name, shape in (("v", (1001,)), ("w", (40, 500)), ("x", (3, 700, 2)), ("y", (8, 9, 20))):
        array = (np.arange(formats.count_of(shape), dtype="<f4") / 7).reshape(shape)
        s.put_npy(name, array)
    s.save()
    for name in "vwxy":
        assert value(s, name) == f"tensor_name:  {name}\n{s.array(name)}\n"


def test_only_what_is_shown_is_read(s):
    """Of a virtual tensor, whose elements are made when they are read, far more than may be made at once."""
    s.create("virtual", {"op": "random_uniform", "shape": [1 << 18, 1 << 14], "seed": 1}, virtual=True)
    s.create("filled", {"op": "fill", "dims": [1 << 30], "value": 0.5}, virtual=True)
    s.initialize()
    s.save()
    assert value(s, "filled") == "tensor_name:  filled\n[0.5 0.5 0.5 ... 0.5 0.5 0.5]\n"
    corner = s.array("virtual", slice="-3:,-3:")
    last = value(s, "virtual").split("\n")[-4:]
    assert len(last) == 4 and str(corner[-1, -1]) in last[2], (last, corner)


def test_long_lists_of_strings_are_cut(s):
    values = [b"s%d" % i * (i % 50) for i in range(70_000)]
    s.put_raw("s", "string", (70_000,), formats.strings_write(values))
    s.put_raw("t", "string", (70, 1000), formats.strings_write(values))
    s.save()
    assert value(s, "s") == f"tensor_name:  s\n{np.array(values, object)}\n"
    assert value(s, "t") == f"tensor_name:  t\n{np.array(values, object).reshape(70, 1000)}\n"


def test_what_is_asked_for_wrongly(s):
    s.make("w", [1])
    s.save()
    s.refuses(404, "NOT_FOUND", "Key v3 not found in checkpoint", "GET", TEXT + "&tensor=v3")
    s.refuses(404, "NOT_FOUND", "Failed to find any matching files for ghost", "GET", "checkpoints/ghost?format=text")
    s.refuses(404, "NOT_FOUND", "no-such-model", "GET", "/v1/models/no-such-model/checkpoints/c?format=text")
    s.refuses(406, "NOT_ACCEPTABLE", ("yaml", "json", "text/plain"), "GET", "checkpoints/c?format=yaml")
    s.refuses(406, "NOT_ACCEPTABLE", ("json", "text/plain"), "GET", "checkpoints/c", None, {"Accept": "image/png"})
    s.refuses(400, "INVALID_ARGUMENT", ("tensor", "all_tensors"), "GET", TEXT + "&tensor=w&all_tensors=true")
    s.refuses(400, "INVALID_ARGUMENT", "'tensor' is there twice", "GET", TEXT + "&tensor=w&tensor=w")
    s.refuses(400, "INVALID_ARGUMENT", "all_tensors", "GET", TEXT + "&all_tensors=7")
    for query in ("tensor=w", "all_tensors=true", "count_params=1"):
        s.refuses(400, "INVALID_ARGUMENT", (query.split("=")[0], "format=text"), "GET", f"checkpoints/c?{query}")


def test_texts_that_grow_too_long_are_refused(s):
    s.put_raw("wide", "int8", (6,) * 8, bytes(6 ** 8))  # no dimension to cut, and NumPy would print them all
    s.put_raw("long", "string", (1,), formats.strings_write([bytes(17 << 20)]))
    s.put_raw("much", "string", (1,), formats.strings_write([bytes(65 << 20)]))
    s.save()
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("1679616", "'wide'", "max_json_elements"), "GET", TEXT + "&tensor=wide")
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("'long'", "bytes"), "GET", TEXT + "&tensor=long")
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("'much'", "bytes"), "GET", TEXT + "&tensor=much")
    assert text(s).count("\n") == 4


def test_the_tag_is_of_the_text(s):
    s.make("w", [1])
    s.save()
    first, second = s.get(TEXT).expect(200), s.get(TEXT + "&tensor=w").expect(200)
    assert first.etag != second.etag != s.get("checkpoints/c").etag
    s.get(TEXT, {"If-None-Match": first.etag}).expect(304)
    s.get(TEXT, {"If-None-Match": second.etag}).expect(200)
    s.save(overwrite=True)
    assert s.get(TEXT, {"If-None-Match": first.etag}).expect(200).etag != first.etag
    assert "accept" in first.headers["vary"].lower()


def test_values_by_chance_are_as_numpy_prints_them(s):
    """SEED repeats a run that failed."""
    rng = np.random.default_rng(SEED)
    for number in range(3 if s.slow else 14):
        expected, imported, saved = {}, {}, {}
        for i in range(150):
            dtype = array_chance.DTYPES[rng.integers(len(array_chance.DTYPES))]
            array, shape, data = array_chance.draw(rng, dtype)
            name = f"t{number}_{i:03}"
            if dtype in formats.SAFE:
                imported[name] = (dtype, shape, data)
            else:
                s.put_raw(name, dtype, shape, data)
                saved[name] = name
            expected[name] = f"tensor_name:  {name}\n{array_chance.printed(array)}\n"
        s.put_ok(f"checkpoints/i{number}", formats.safetensors_write(imported))
        s.save(f"s{number}", variables=saved)
        for checkpoint, names in ((f"i{number}", imported), (f"s{number}", saved)):
            got = text(s, "&all_tensors=true", checkpoint)
            if got == "".join(expected[name] for name in sorted(names)):
                continue
            for name in sorted(names):
                one = value(s, name, checkpoint)
                assert one == expected[name], f"seed {SEED}, expected\n{expected[name]}got\n{one}"
            raise AssertionError("all tensors are told in another way than each")
