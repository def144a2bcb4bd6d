"""assign, assign_add, assign_sub and PUT of a value."""

import formats

np = formats.np


def test_assign_takes_literals_and_expressions(s):
    s.create("w", {"op": "zeros", "shape": [2]})
    s.make("other", [5, 6])
    for value, want in (([1, 2], [1, 2]), ({"dtype": "float32", "shape": [2], "data": [3, 4]}, [3, 4]),
                        ({"variable": "other"}, [5, 6]), ({"op": "ones", "shape": [2]}, [1, 1]),
                        ({"op": "add", "args": [{"variable": "w"}, {"variable": "other"}]}, [6, 7]),
                        ({"dtype": "float32", "shape": [2], "base64": "AACAPwAAAEA="}, [1, 2]),
                        ({"shape": [2], "data": [7, 8]}, [7, 8])):
        s.assign("w", value)
        assert s.value("w") == want, (value, s.value("w"))


def test_assign_replies_with_revision_and_version(s):
    s.create("w", {"op": "zeros", "shape": [2]})
    first, second = s.assign("w", [1, 2]).json, s.assign("w", [1, 2]).json
    assert second["revision"] == first["revision"] + 1
    assert second["version"] == first["version"] + 1


def test_add_and_sub_in_every_number_type(s):
    for dtype in formats.NUMPY:
        if dtype == "bool":
            continue
        start = np.array([1, 2, 3], dtype=formats.NUMPY[dtype])
        s.put_npy(f"v_{dtype}", start)
        step = {"dtype": dtype, "shape": [3], "data": [[1, 0], [1, 0], [1, 0]] if "complex" in dtype else [1, 1, 1]}
        s.post(f"variables/v_{dtype}:assign_add", {"value": step}).expect(200)
        s.post(f"variables/v_{dtype}:assign_add", {"value": step}).expect(200)
        s.post(f"variables/v_{dtype}:assign_sub", {"value": step}).expect(200)
        assert (s.array(f"v_{dtype}") == start + start.dtype.type(1)).all(), dtype


def test_integers_wrap_and_floats_round(s):
    s.make("i", [127, -128], "int8")
    s.post("variables/i:assign_add", {"value": [1, -1]}).expect(200)
    assert s.value("i") == [-128, 127]
    s.make("f", [2.0 ** 24], "float32")
    s.post("variables/f:assign_add", {"value": [1.0]}).expect(200)
    assert s.value("f") == [2.0 ** 24]


def test_updates_do_not_broadcast(s):
    s.make("w", [[1, 2], [3, 4]])
    for verb in ("assign", "assign_add", "assign_sub"):
        for value, shape in ((1.0, "[]"), ([1, 2], "[2]"), ([[1, 2]], "[1,2]"), ([1, 2, 3, 4], "[4]"), ([[[1]]], "[1,1,1]")):
            s.refuses(400, "INVALID_ARGUMENT", ("w", "[2,2]", shape), "POST", f"variables/w:{verb}", {"value": value})
    assert s.value("w") == [[1, 2], [3, 4]]


def test_dtypes_must_match(s):
    s.make("i", [1, 2], "int32")
    for value, words in (([1.5, 2], "int32"), ([True, False], ("int32", "true")), (["a", "b"], "int32"),
                         ({"dtype": "int64", "shape": [2], "data": [1, 2]}, ("i", "int32", "int64")),
                         ([1, 2 ** 31], "int32"), ([1, "NaN"], "int32"), ({"op": "ones", "shape": [2]}, ("i", "float32"))):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables/i:assign", {"value": value})
    s.make("f", [1, 2])
    s.assign("f", [1, 2])  # integers are fine where a float is wanted
    s.make("b", [True, False], "bool")
    s.refuses(400, "INVALID_ARGUMENT", "b", "POST", "variables/b:assign_add", {"value": [True, True]})
    s.refuses(400, "INVALID_ARGUMENT", "b", "POST", "variables/b:assign", {"value": [1, 0]})
    assert s.value("i") == [1, 2] and s.value("b") == [True, False]


def test_strings_have_no_arithmetic(s):
    s.put_raw("t", "string", [2], formats.strings_write([b"a", b""]))
    s.assign("t", ["x", "yz"])
    assert s.value("t") == ["x", "yz"]
    s.refuses(400, "INVALID_ARGUMENT", ("t", "string"), "POST", "variables/t:assign_add", {"value": ["a", "b"]})


def test_bodies_are_checked(s):
    s.make("w", [1, 2])
    for body, word in (({"valeu": [1, 2]}, "valeu"), ({}, "value"), ({"value": None}, "value"), ([1, 2], "object"),
                       ({"value": [1, 2], "validate_shape": 1}, "validate_shape"),
                       ({"value": [1, 2], "extra": 0}, "extra"), ({"value": {"data": [1, 2], "base64": "AA=="}}, ""),
                       ({"value": {"dtype": "float32", "shape": [2], "base64": "AAA"}}, "base64"),
                       ({"value": {"dtype": "float32", "shape": [2], "base64": "AACAPw=="}}, ""),
                       ({"value": {"dtype": "float32", "shape": [3], "data": [1, 2]}}, ""),
                       ({"value": [[1, 2], [3]]}, "")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "variables/w:assign", body)
    s.refuses(404, "NOT_FOUND", "ghost", "POST", "variables/ghost:assign", {"value": [1, 2]})
    reply = s.post("variables/w:assign", {"value": {"variable": "ghost"}})
    assert reply.status in (400, 404) and "ghost" in reply.detail, str(reply)


def test_put_of_a_value_in_every_format(s):
    s.make("w", [0, 0])
    s.put("variables/w:value", [1, 2]).expect(200)
    assert s.value("w") == [1, 2]
    s.put("variables/w:value", {"data": [3, 4]}).expect(200)
    assert s.value("w") == [3, 4]
    s.put("variables/w:value", np.array([5, 6], "<f4").tobytes(), {"Content-Type": "application/octet-stream"}).expect(200)
    assert s.value("w") == [5, 6]
    s.put("variables/w:value", formats.npy_write(np.array([7, 8], "<f4")), {"Content-Type": "application/x-npy"}).expect(200)
    assert s.value("w") == [7, 8]
    s.put("variables/w:value", "[9, 10]", {"Content-Type": "application/x-www-form-urlencoded"}).expect(200)
    assert s.value("w") == [9, 10], "curl -d sends its form type"
    s.refuses(404, "NOT_FOUND", "ghost", "PUT", "variables/ghost:value", [1, 2])


def test_put_of_a_wrong_value_is_refused(s):
    s.make("w", [1, 2])
    raw, npy = {"Content-Type": "application/octet-stream"}, {"Content-Type": "application/x-npy"}
    for body, headers, words in (
            (b"\0" * 7, raw, ("8", "7")), (b"\0" * 9, raw, ("8", "9")), (b"", raw, "8"),
            (b"\0" * 8, {**raw, "Tensor-Dtype": "float64"}, "float64"),
            (b"\0" * 8, {**raw, "Tensor-Shape": "1,2"}, "[1,2]"), (b"\0" * 8, {**raw, "Tensor-Shape": "2,"}, "Shape"),
            (b"\0" * 8, {**raw, "Tensor-Shape": "-2"}, "Shape"), (b"\0" * 8, {**raw, "Tensor-Dtype": "f"}, "dtype"),
            (formats.npy_write(np.zeros(3, "<f4")), npy, ("[2]", "[3]")),
            (formats.npy_write(np.zeros(2)), npy, ("float32", "float64"))):
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "variables/w:value", body, headers)
    assert s.value("w") == [1, 2]
    s.put("variables/w:value", b"\0" * 8, {**raw, "Tensor-Dtype": "FP32", "Tensor-Shape": "2"}).expect(200)


def test_an_assignment_from_itself_and_of_zero_elements(s):
    s.make("w", [1, 2])
    s.assign("w", {"op": "subtract", "args": [{"variable": "w"}, {"variable": "w"}]})
    assert s.value("w") == [0, 0]
    s.make("e", np.zeros((0, 3)))
    s.assign("e", {"op": "zeros", "shape": [0, 3]})
    assert s.value("e") == [] and s.info("e")["bytes"] == 0


def test_large_updates(s):
    n = 1_500_001
    start = np.random.default_rng(3).standard_normal(n).astype("<f4")
    s.put_npy("w", start)
    s.put_npy("d", start)
    s.post("variables/w:assign_add", {"value": {"variable": "d"}}).expect(200)
    assert (s.array("w") == start + start).all()
    s.post("variables/w:assign_sub", {"value": {"op": "ones", "shape": [n]}}).expect(200)
    assert (s.array("w") == start + start - np.float32(1)).all() and (s.array("d") == start).all()
