"""Elementwise ops, against numpy."""

import formats

np = formats.np
FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
COMPLEX = ["complex64", "complex128"]
FLAGS = ["--store-max-bytes", "64m"]
SIGMOID_AT_HALF = 0.6224593312018546


def literal(array, dtype):
    data = array.ravel()
    if dtype in COMPLEX:
        data = [[float(z.real), float(z.imag)] for z in data]
    else:
        data = data.tolist()
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def result(s, expression):
    s.elementwise_names = getattr(s, "elementwise_names", 0) + 1
    name = f"e{s.elementwise_names}"
    s.create(name, expression)
    s.initialize(variables=[name])
    return s.array(name)


def close(got, want, dtype):
    places = {"float16": 2e-3, "float32": 1e-6, "complex64": 1e-6}.get(dtype, 1e-14)
    return got.shape == want.shape and np.allclose(got, want, rtol=places, atol=places / 10, equal_nan=True)


def test_functions_of_floats_and_complex_numbers(s):
    random = np.random.default_rng(4)
    functions = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "square": np.square,
                 "rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "negative": np.negative}
    for dtype in FLOATS + COMPLEX:
        x = random.uniform(0.1, 4, [3, 7])
        if dtype in COMPLEX:
            x = x - 2 + 1j * random.uniform(-2, 2, [3, 7])
        x = x.astype(formats.NUMPY[dtype])
        for op, function in functions.items():
            got = result(s, {"op": op, "args": [literal(x, dtype)]})
            assert got.dtype == x.dtype and close(got, function(x.astype("c16" if dtype in COMPLEX else "f8")), dtype), (op, dtype)


def test_functions_of_real_numbers(s):
    x = np.array([[-3, -0.5, 0], [0.25, 2, 30]])
    functions = {"abs": np.abs, "sign": np.sign, "relu": lambda x: np.maximum(x, 0), "log1p": np.log1p,
                 "softplus": lambda x: np.logaddexp(x, 0)}
    for dtype in FLOATS:
        a = x.astype(formats.NUMPY[dtype])
        for op, function in functions.items():
            inside = np.abs(a) if op == "log1p" else a
            got = result(s, {"op": op, "args": [literal(inside, dtype)]})
            assert got.dtype == a.dtype and close(got, function(inside.astype("f8")), dtype), (op, dtype, got)
    for dtype in ("int8", "int64"):
        a = np.array([-128, -3, 0, 5, 127]).astype(formats.NUMPY[dtype])
        for op in ("abs", "sign", "square", "relu"):
            got = result(s, {"op": op, "args": [literal(a, dtype)]})
            assert got.dtype == a.dtype and (got == (functions.get(op) or np.square)(a)).all(), (op, dtype, got)


def test_arguments_by_their_names(s):
    assert result(s, {"op": "sigmoid", "x": 0.5}).item() == np.float32(SIGMOID_AT_HALF)
    assert result(s, {"op": "relu", "features": [-1.5, 2.5]}).tolist() == [0, 2.5]
    got = result(s, {"op": "clip_by_value", "t": [1, 5, 9], "clip_value_min": 2, "clip_value_max": 8})
    assert got.tolist() == [2, 5, 8]
    assert result(s, {"op": "where", "condition": [True, False], "x": [1, 2], "y": [3, 4]}).tolist() == [1, 4]


def test_abs_and_sign_of_complex_numbers(s):
    z = np.array([3 - 4j, 0, -5j], "<c8")
    got = result(s, {"op": "abs", "args": [literal(z, "complex64")]})
    assert got.dtype == np.float32 and got.tolist() == [5, 0, 5]
    got = result(s, {"op": "sign", "args": [literal(z, "complex64")]})
    assert close(got, np.array([0.6 - 0.8j, 0, -1j]), "complex64")


def test_division_of_integers(s):
    for dtype in INTEGERS:
        low = 0 if dtype.startswith("u") else -20
        a = np.arange(low, 21).astype(formats.NUMPY[dtype])
        b = np.array([[3], [7], [1]], formats.NUMPY[dtype])
        args = [literal(a, dtype), literal(b, dtype)]
        got = result(s, {"op": "divide", "args": args})
        assert got.dtype == (np.float32 if dtype.endswith("8") or dtype.endswith("16") else np.float64), (dtype, got.dtype)
        assert close(got, a / b.astype("f8"), str(got.dtype)), dtype
        assert (result(s, {"op": "floordiv", "args": args}) == a // b).all(), dtype
        assert (result(s, {"op": "mod", "args": args}) == a % b).all(), dtype
        if low:
            args[1] = literal(-b, dtype)
            assert (result(s, {"op": "floordiv", "args": args}) == a // -b).all(), dtype
            assert (result(s, {"op": "mod", "args": args}) == a % -b).all(), dtype
    for op in ("floordiv", "mod"):
        s.create(f"zero_{op}", {"op": op, "args": [[1, 2], [1, 0]]})
        s.refuses(400, "INVALID_ARGUMENT", ("integer division by zero", op), "POST", ":initialize",
                  {"variables": [f"zero_{op}"]})
    lowest = {"dtype": "int32", "shape": [1], "data": [-2**31]}
    assert result(s, {"op": "floordiv", "args": [lowest, -1]}).tolist() == [-2**31]


def test_floordiv_and_mod_of_floats(s):
    a, b = np.array([7.5, -7.5, 7.5, -7.5, 6]), np.array([2, 2, -2, -2, 3.0])
    args = [literal(a, "float64"), literal(b, "float64")]
    assert (result(s, {"op": "floordiv", "args": args}) == a // b).all()
    assert (result(s, {"op": "mod", "args": args}) == a % b).all()


def test_powers(s):
    assert result(s, {"op": "pow", "args": [[2, 3, -2], [3, 4, 31]]}).tolist() == [8, 81, -2**31]
    assert result(s, {"op": "pow", "args": [[2.0, 9.0], [-1, 0.5]]}).tolist() == [0.5, 3]
    s.create("power", {"op": "pow", "args": [[2, 3], [1, -1]]})
    s.refuses(400, "INVALID_ARGUMENT", "Integers to negative integer powers are not allowed", "POST", ":initialize",
              {"variables": ["power"]})


def test_comparisons_minimum_maximum(s):
    functions = {"equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
                 "greater": np.greater, "greater_equal": np.greater_equal, "minimum": np.minimum, "maximum": np.maximum}
    random = np.random.default_rng(5)
    for dtype in FLOATS + INTEGERS:
        a, b = random.integers(0, 4, [5, 1]).astype(formats.NUMPY[dtype]), random.integers(0, 4, [9]).astype(formats.NUMPY[dtype])
        for op, function in functions.items():
            got, want = result(s, {"op": op, "args": [literal(a, dtype), literal(b, dtype)]}), function(a, b)
            assert got.dtype == want.dtype and got.shape == (5, 9) and (got == want).all(), (op, dtype)
    assert result(s, {"op": "equal", "args": [[True, False], [True, True]]}).tolist() == [True, False]


def test_logic(s):
    a, b = [False, False, True, True], [False, True, False, True]
    assert result(s, {"op": "logical_and", "args": [a, b]}).tolist() == [False, False, False, True]
    assert result(s, {"op": "logical_or", "args": [a, b]}).tolist() == [False, True, True, True]
    assert result(s, {"op": "logical_xor", "args": [a, b]}).tolist() == [False, True, True, False]
    assert result(s, {"op": "logical_not", "args": [a]}).tolist() == [True, True, False, False]


def test_where(s):
    x = {"dtype": "int32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    y = {"op": "negative", "args": [x]}
    assert result(s, {"op": "where", "args": [[False, True], x, y]}).tolist() == [[-1, -2, -3], [4, 5, 6]]
    every_other = [[True, False, True], [False, True, False]]
    assert result(s, {"op": "where", "args": [every_other, x, y]}).tolist() == [[1, -2, 3], [-4, 5, -6]]
    s.refuses(400, "INVALID_ARGUMENT", ("where", "bool[3]", "[2,3]"), "POST", "variables",
              {"name": "bad", "initial_value": {"op": "where", "args": [[True, False, True], x, y]}})
    s.refuses(400, "INVALID_ARGUMENT", ("where", "bool"), "POST", "variables",
              {"name": "bad", "initial_value": {"op": "where", "args": [[1, 0], x, y]}})


def test_what_is_made_of_fills_takes_no_space(s):
    """800 MB in a store of 64 MiB."""
    large = {"op": "zeros", "shape": [100000, 1000], "dtype": "float64"}
    s.create("large", {"op": "exp", "args": [{"op": "multiply", "args": [large, 2]}]})
    s.initialize(variables=["large"])
    assert s.value("large", slice="99999,990:1000") == [1] * 10


def test_dtypes_without_a_kernel_are_refused_by_name(s):
    for expression, words in (
            ({"op": "exp", "args": [2]}, ("exp", "int32", "float32")),
            ({"op": "relu", "args": [literal(np.array([1j]), "complex64")]}, ("relu", "complex64")),
            ({"op": "less", "args": [[True], [False]]}, ("less", "bool")),
            ({"op": "logical_and", "args": [1, 2]}, ("logical_and", "int32", "bool")),
            ({"op": "minimum", "args": [[1, 2], [1, 2, 3]]}, ("minimum", "[2]", "[3]"))):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "bad", "initial_value": expression})
