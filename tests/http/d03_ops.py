"""Initial-value ops, against numpy."""

import formats

np = formats.np
FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
COMPLEX = ["complex64", "complex128"]


def result(s, expression, name="x", **fields):
    s.create(name, expression, **fields)
    s.initialize(variables=[name])
    return s.array(name)


def fresh(s):
    s.names_used = getattr(s, "names_used", 0) + 1
    return f"x{s.names_used}"


def literal(array, dtype):
    data = array.ravel()
    if dtype in COMPLEX:
        data = [[float(z.real), float(z.imag)] for z in data]
    else:
        data = data.tolist()
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def test_zeros_and_ones_of_every_dtype(s):
    for dtype in FLOATS + INTEGERS + COMPLEX + ["bool"]:
        for op, element in (("zeros", 0), ("ones", 1)):
            got = result(s, {"op": op, "shape": [2, 3], "dtype": dtype}, fresh(s))
            assert got.dtype == np.dtype(formats.NUMPY[dtype]) and (got == element).all(), (dtype, op, got)
    s.create("bf", {"op": "ones", "shape": [3], "dtype": "bfloat16"})
    s.initialize(variables=["bf"])
    assert s.bytes_of("bf") == b"\x80\x3f" * 3
    s.create("text", {"op": "zeros", "shape": [2], "dtype": "string"})
    s.initialize(variables=["text"])
    assert s.value("text") == ["", ""]


def test_fill_and_constant(s):
    assert (result(s, {"op": "fill", "dims": [2, 2], "value": 7}, "i") == 7).all()
    assert s.info("i")["dtype"] == "int32"
    assert (result(s, {"op": "fill", "dims": [3], "value": 2.5}, "f") == 2.5).all()
    assert s.info("f")["dtype"] == "float32"
    got = result(s, {"op": "constant", "value": [1, 2, 3], "shape": [2, 3]}, "c")
    assert (got == [[1, 2, 3], [3, 3, 3]]).all(), "the last value is repeated"
    assert result(s, {"op": "constant", "value": 1.5, "dtype": "float64"}, "d").dtype == np.float64
    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables",
              {"name": "e", "initial_value": {"op": "constant", "value": [1, 2, 3], "shape": [2]}})


def test_like_ops(s):
    s.make("w", [[1, 2, 3], [4, 5, 6]])
    assert (result(s, {"op": "zeros_like", "args": [{"variable": "w"}]}, "z") == np.zeros((2, 3))).all()
    got = result(s, {"op": "ones_like", "args": [{"variable": "w"}], "dtype": "int64"}, "o")
    assert got.dtype == np.int64 and (got == np.ones((2, 3))).all()


def test_arithmetic_with_broadcasting(s):
    random = np.random.default_rng(1)
    ops = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}
    for dtype in ["float32", "float64", "int32", "uint8", "int64", "complex64"]:
        for shape, other in (([4], [4]), ([3, 1], [1, 5]), ([2, 3, 4], [4]), ([], [3]), ([0, 3], [1]), ([7], [])):
            a = random.integers(-9, 9, shape).astype(formats.NUMPY[dtype])
            b = random.integers(1, 9, other).astype(formats.NUMPY[dtype])
            for op, function in ops.items():
                got = result(s, {"op": op, "args": [literal(a, dtype), literal(b, dtype)]}, fresh(s))
                want = function(a, b)
                assert got.shape == want.shape and (got == want).all(), (dtype, op, a, b, got)


def test_divide_negative_identity(s):
    a, b = np.array([7, -7, 1], "<f4"), np.array([2, 2, 3], "<f4")
    got = result(s, {"op": "divide", "args": [literal(a, "float32"), literal(b, "float32")]}, "d")
    assert (got == a / b).all()
    got = result(s, {"op": "divide", "args": [literal(a, "float32"), 0.0]}, "inf")
    assert (got == [np.inf, -np.inf, np.inf]).all()
    assert (result(s, {"op": "negative", "args": [literal(a, "float32")]}, "n") == -a).all()
    assert (result(s, {"op": "identity", "args": [literal(a, "float32")]}, "i") == a).all()


def test_integer_arithmetic_wraps(s):
    a = {"dtype": "uint8", "shape": [2], "data": [250, 3]}
    b = {"dtype": "uint8", "shape": [2], "data": [10, 5]}
    assert result(s, {"op": "add", "args": [a, b]}, "a").tolist() == [4, 8]
    assert result(s, {"op": "subtract", "args": [b, a]}, "s").tolist() == [16, 2]
    assert result(s, {"op": "multiply", "args": [a, a]}, "m").tolist() == [36, 9]


def test_cast(s):
    source = literal(np.array([1.7, -1.7, 200.0, 0.0], "<f4"), "float32")
    for dtype, want in (("int32", [1, -1, 200, 0]), ("float64", np.array([1.7, -1.7, 200, 0], "<f4").tolist()),
                        ("bool", [True, True, True, False])):
        got = result(s, {"op": "cast", "args": [source], "dtype": dtype}, fresh(s))
        assert got.dtype == np.dtype(formats.NUMPY[dtype]) and got.tolist() == want, (dtype, got)
    got = result(s, {"op": "cast", "args": [literal(np.array([1, 0], "<i4"), "int32")], "dtype": "float16"}, "h")
    assert got.tolist() == [1, 0]


def test_reshape(s):
    source = {"dtype": "int32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    for shape, want in (([3, 2], (3, 2)), ([6], (6,)), ([-1, 2], (3, 2)), ([1, 6, 1], (1, 6, 1))):
        got = result(s, {"op": "reshape", "args": [source], "shape": shape}, fresh(s))
        assert got.shape == want and got.ravel().tolist() == [1, 2, 3, 4, 5, 6]
    for shape in ([4], [-1, 4], [-1, -1], [7, -1]):
        s.refuses(400, "INVALID_ARGUMENT", "reshape", "POST", "variables",
                  {"name": "bad", "initial_value": {"op": "reshape", "args": [source], "shape": shape}})


def test_random_ops_check_what_they_are_given(s):
    for expression, word in (
            ({"op": "random_uniform", "shape": [2], "minval": 3, "maxval": 3, "dtype": "int32"}, "minval"),
            ({"op": "random_uniform", "shape": [2], "dtype": "int32"}, "maxval"),
            ({"op": "random_normal", "shape": [2], "dtype": "int32"}, "int32"),
            ({"op": "random_normal", "shape": [2], "seed": 1.5}, "seed"),
            ({"op": "random_normal", "shape": [2], "stddev": "wide"}, "stddev"),
            ({"op": "random_normal"}, "shape")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "variables",
                  {"name": "bad", "initial_value": expression})


def test_wrong_expressions_name_op_and_place(s):
    for expression, words in (
            ({"op": "ad", "args": [1, 2]}, ("ad", "add")), ({"op": "add", "args": [1]}, "add"),
            ({"op": "add", "args": [1, 2, 3]}, "add"), ({"op": "add"}, "add"), ({"op": 5}, "op"), ({}, ""),
            ({"op": "add", "args": 5}, "args"), ({"op": "zeros", "shape": [2], "args": [1]}, "zeros"),
            ({"op": "add", "args": [[1, 2], [1, 2, 3]]}, ("add", "[2]", "[3]")),
            ({"op": "add", "args": [literal(np.ones(1, "<f4"), "float32"), literal(np.ones(1), "float64")]},
             ("add", "float32", "float64")),
            ({"op": "add", "args": [True, False]}, ("add", "bool")),
            ({"op": "multiply", "args": [{"op": "zeros", "shape": [2], "dtype": "string"}, 1]}, "multiply"),
            ({"variable": 5}, "variable"), ({"variable": "w", "op": "zeros"}, ""), ({"op": "zeros", "shap": [1]}, "shap")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "bad", "initial_value": expression})


def test_depth_and_size_of_expressions_are_limited(s):
    deep = 1.0
    for _ in range(200):
        deep = {"op": "negative", "args": [deep]}
    s.refuses(400, "INVALID_ARGUMENT", "de", "POST", "variables", {"name": "w", "initial_value": deep})
    wide = 1.0
    for _ in range(13):
        wide = {"op": "add", "args": [wide, wide]}
    s.refuses(400, "INVALID_ARGUMENT", "nodes", "POST", "variables", {"name": "w", "initial_value": wide})


def test_python_numbers_adopt_the_dtype_they_meet(s):
    s.make("d", [1, 2], "float64")
    s.make("i", [1, 2], "int64")
    got = result(s, {"op": "multiply", "args": [{"variable": "d"}, 2]}, "a")
    assert got.dtype == np.float64 and got.tolist() == [2, 4]
    got = result(s, {"op": "add", "args": [{"variable": "i"}, 5]}, "b")
    assert got.dtype == np.int64 and got.tolist() == [6, 7]
    s.refuses(400, "INVALID_ARGUMENT", "int64", "POST", "variables",
              {"name": "bad", "initial_value": {"op": "add", "args": [{"variable": "i"}, 0.5]}})
