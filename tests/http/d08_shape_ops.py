"""Sequences and shape ops, against numpy, and TensorFlow's rules for them."""

import formats

np = formats.np
F4 = {"float32": "<f4", "float64": "<f8", "int32": "<i4", "int64": "<i8"}


def result(s, op, *args, **fields):
    s.names_used = getattr(s, "names_used", 0) + 1
    name = f"x{s.names_used}"
    expression = {"op": op, **fields}
    if args:
        expression["args"] = list(args)
    s.create(name, expression)
    s.initialize(variables=[name])
    return s.array(name)


def refused(s, words, op, *args, **fields):
    expression = {"op": op, **fields}
    if args:
        expression["args"] = list(args)
    s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "bad", "initial_value": expression})


def tensor(array):
    dtype = {"f": "float", "i": "int"}[array.dtype.kind] + str(array.dtype.itemsize * 8)
    return {"dtype": dtype, "shape": list(array.shape), "data": array.ravel().tolist()}


def places(*shape):
    return np.arange(np.prod(shape, dtype=int), dtype="<i4").reshape(shape)


def same(got, want):
    assert got.shape == want.shape and got.dtype == want.dtype and (got == want).all(), (got, want)


def scalar(dtype, value):
    return {"dtype": dtype, "shape": [], "data": [value]}


def test_ranges_of_tensorflow(s):
    """RangeTest: testBasic, testEmpty, testNonInteger, testNegativeDelta, testLimitOnly, testDType."""
    for args, want, dtype in (
            ((0, 5, 1), [0, 1, 2, 3, 4], "int32"), ((0, 5, 2), [0, 2, 4], "int32"), ((0, 6, 2), [0, 2, 4], "int32"),
            ((0, 0, 1), [], "int32"), ((0, 5, 2.5), [0, 2.5], "float32"),
            ((100.0, 500.0, 100.0), [100, 200, 300, 400], "float32"), ((5, -1, -1), [5, 4, 3, 2, 1, 0], "int32"),
            ((2.5, 0, -0.5), [2.5, 2, 1.5, 1, 0.5], "float32"), ((5,), [0, 1, 2, 3, 4], "int32"),
            ((scalar("int32", 0), scalar("int64", 0), scalar("int32", 1)), [], "int64"),
            ((scalar("int64", 0), scalar("float32", 0), scalar("int32", 1)), [], "float32"),
            ((scalar("float32", 0), scalar("float64", 0), scalar("int32", 1)), [], "float64"),
            ((0, 3, 1, "float64"), [0, 1, 2], "float64"), ((2**40, 2**40 + 2), [2**40, 2**40 + 1], "int64")):
        same(result(s, "range", *args), np.array(want, F4[dtype]))
    same(result(s, "range", start=3, limit=9, delta=4), np.array([3, 7], "<i4"))


def test_float_ranges_add_again_and_again(s):
    got = result(s, "range", -3.0, 900.0, 0.1)
    sums, value, delta = [], np.float32(-3), np.float32(0.1)
    for _ in range(len(got)):
        sums.append(value)
        value = value + delta
    assert len(got) == int(np.ceil(np.abs((np.float32(900) - np.float32(-3)) / delta)))
    same(got, np.array(sums, "<f4"))


def test_ranges_that_tensorflow_refuses(s):
    refused(s, "Requires delta != 0: 0", "range", 0, 5, 0)
    refused(s, "Requires start <= limit when delta > 0: 5/0", "range", 5, 0, 1)
    refused(s, "Requires start >= limit when delta < 0: 0/5", "range", 0, 5, -1)
    refused(s, "range", "range", 0, 2**62, 1)
    refused(s, "range", "range", [1, 2])
    refused(s, "range", "range", 0, "Infinity")
    refused(s, "start", "range")


def test_linspace_of_tensorflow(s):
    for start, stop, num in ((1.0, 5.0, 2), (-1.0, -5.0, 2), (-1.0, -5.0, 4), (-1.0, 5.0, 1), (-1.0, 5.0, 4), (5.0, 5.0, 2)):
        got = result(s, "linspace", start, stop, num)
        assert got.dtype == np.dtype("<f4") and np.allclose(got, np.linspace(start, stop, num), atol=1e-5), got
    assert result(s, "linspace", 0.0, 1.0, 3, "float64").tolist() == [0, 0.5, 1]
    refused(s, "Requires num > 0: 0", "linspace", 1.0, 5.0, 0)


def test_eye(s):
    same(result(s, "eye", 3), np.eye(3, dtype="<f4"))
    same(result(s, "eye", num_rows=2, num_columns=4, dtype="int64"), np.eye(2, 4, dtype="<i8"))
    same(result(s, "eye", 2, None, [3]), np.array([np.eye(2)] * 3, "<f4"))
    refused(s, "num_rows", "eye", -1)


def test_one_hot(s):
    indices = np.array([[0, 2, -1], [1, 3, 9]], "<i4")
    want = (indices[..., None] == np.arange(4)).astype("<f4")
    same(result(s, "one_hot", tensor(indices), 4), want)
    same(result(s, "one_hot", indices.tolist(), depth=4, axis=1), np.moveaxis(want, -1, 1))
    same(result(s, "one_hot", indices=indices.tolist(), depth=4, axis=0), np.moveaxis(want, -1, 0))
    same(result(s, "one_hot", [1], 3, 5, 2), np.array([[2, 5, 2]], "<i4"))
    refused(s, "Expected axis to be -1 or between [0, 1]", "one_hot", [1], 3, axis=2)


def test_fills_that_tensorflow_refuses(s):
    same(result(s, "fill", [2, 3], 12.0), np.full((2, 3), 12, "<f4"))
    refused(s, "dims", "fill", dims=[[0, 1], [2, 3]], value=1.0)
    refused(s, "dims", "fill", dims=[2, -1], value=1.0)
    refused(s, "value must be a scalar, got shape [2]", "fill", dims=[2], value=[1, 2])
    refused(s, "Expected Tensor's shape: (2, 3), got (3,).", "constant", value=[1, 2, 3], shape=[2, 3], verify_shape=True)
    refused(s, "", "constant", value=[[1, 2], [3]], dtype="int32")
    refused(s, "None values not supported.", "constant", value=None)
    same(result(s, "zeros_like", [[5, 5, 5], [5, 5, 5]], "int32"), np.zeros((2, 3), "<i4"))


def test_transpose(s):
    x = places(3, 41, 70)
    s.make("w", x.tolist(), "int32")
    same(result(s, "transpose", {"variable": "w"}), x.T)
    for perm in ([0, 2, 1], [1, 0, 2], [2, 0, 1], [0, 1, 2]):
        same(result(s, "transpose", {"variable": "w"}, perm), x.transpose(perm))
        same(result(s, "transpose", a={"op": "negative", "args": [{"variable": "w"}]}, perm=perm), -x.transpose(perm))
    refused(s, "transpose", "transpose", [[1, 2]], [0])
    refused(s, "twice", "transpose", [[1, 2]], [0, 0])


def test_concat_and_stack(s):
    x, y = places(3, 4, 5), places(3, 4, 5) + 100
    for axis in (0, 1, 2, -1):
        got = result(s, "concat", values=[tensor(x), tensor(y), tensor(x)], axis=axis)
        same(got, np.concatenate([x, y, x], axis))
        same(result(s, "stack", tensor(x), tensor(y), axis=axis), np.stack([x, y], axis))
    same(result(s, "stack", values=[1, 2.5]), np.array([1, 2.5], "<f4"))
    refused(s, ("[1,2]", "[1,3]"), "concat", values=[[[1, 2]], [[1, 2, 3]]], axis=0)
    refused(s, "axis", "concat", values=[[1], [2]])
    refused(s, "scalars", "concat", values=[1, 2], axis=0)


def test_slice_and_gather(s):
    x = places(7, 300)
    s.make("w", x.tolist(), "int32")
    w = {"variable": "w"}
    same(result(s, "slice", w, [2, 30], [3, -1]), x[2:5, 30:])
    same(result(s, "slice", input_=w, begin=[0, 7], size=[-1, 1]), x[:, 7:8])
    same(result(s, "gather", w, [6, 0, 1, 1]), x[[6, 0, 1, 1]])
    same(result(s, "gather", params=w, indices=[[3, 4], [5, 0]]), x[[[3, 4], [5, 0]]])
    same(result(s, "gather", w, 2), x[2])
    refused(s, "Expected size[1] in [0, 270], but got 271", "slice", w, [2, 30], [3, 271])
    s.create("bad", {"op": "gather", "args": [w, [[0, 1], [7, 2]]]})
    s.refuses(400, "INVALID_ARGUMENT", "indices[1,0] = 7 is not in [0, 7)", "POST", ":initialize", {"variables": ["bad"]})


def test_a_whole_argument_may_be_one_repeated_element(s):
    x = places(3, 2)
    ones = {"op": "ones", "shape": [4], "dtype": "int32"}
    same(result(s, "gather", tensor(x), ones), x[[1, 1, 1, 1]])


def test_shapes_with_more_and_fewer_dimensions(s):
    x = places(2, 3)
    for axis in (0, 1, 2, -1):
        same(result(s, "expand_dims", tensor(x), axis), np.expand_dims(x, axis))
        same(result(s, "expand_dims", tensor(x), dim=axis), np.expand_dims(x, axis))
    y = places(1, 6, 1)
    same(result(s, "squeeze", tensor(y)), y.squeeze())
    same(result(s, "squeeze", tensor(y), [0]), y.squeeze(0))
    same(result(s, "squeeze", tensor(y), squeeze_dims=[-1]), y.squeeze(-1))
    refused(s, "Can not squeeze dim[1], expected a dimension of 1, got 6", "squeeze", tensor(y), [1])
    refused(s, "axis = 3", "expand_dims", tensor(x), 3)


def test_tile_and_pad(s):
    x = places(3, 40)
    same(result(s, "tile", tensor(x), [2, 70]), np.tile(x, (2, 70)))
    same(result(s, "tile", tensor(x), [0, 2]), np.tile(x, (0, 2)))
    for mode, numpy_mode in (("CONSTANT", "constant"), ("REFLECT", "reflect"), ("SYMMETRIC", "symmetric")):
        for paddings in ([[1, 2], [0, 0]], [[0, 0], [3, 30]], [[2, 2], [39, 1]]):
            same(result(s, "pad", tensor(x), paddings, mode), np.pad(x, paddings, mode=numpy_mode))
    same(result(s, "pad", tensor(x), [[1, 0], [0, 1]]), np.pad(x, [[1, 0], [0, 1]], mode="constant"))
    refused(s, "paddings must be less than the dimension size: 3, 0 not less than 3", "pad", tensor(x), [[3, 0], [0, 0]], "REFLECT")
    refused(s, ("mode", "EDGE"), "pad", tensor(x), [[3, 0], [0, 0]], "EDGE")


def test_definitions_come_back_as_they_were_written(s):
    for n, expression in enumerate((
            {"op": "transpose", "args": [[[1, 2], [3, 4]]], "perm": [1, 0]},
            {"op": "concat", "args": [[1, 2], [3]], "axis": 0}, {"op": "eye", "num_rows": 3},
            {"op": "pad", "args": [[1, 2]], "paddings": [[1, 1]], "mode": "SYMMETRIC"},
            {"op": "slice", "args": [[1, 2]], "begin": [1], "size": [-1]},
            {"op": "range", "start": 3, "limit": 9, "delta": 0.5})):
        s.create(f"v{n}", expression)
        assert s.info(f"v{n}")["initial_value"] == expression, s.info(f"v{n}")["initial_value"]
