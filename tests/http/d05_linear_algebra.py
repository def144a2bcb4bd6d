"""Products, decompositions, reductions and norms, against numpy."""

import formats
from d03_ops import fresh, literal, result

np = formats.np
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}


def op(name, *args, **attributes):
    return {"op": name, "args": list(args), **attributes}


def draw(random, shape, dtype):
    a = random.standard_normal(shape)
    if dtype.startswith("complex"):
        a = a + 1j * random.standard_normal(shape)
    if dtype.startswith("int") or dtype.startswith("uint"):
        a = random.integers(0, 100, shape)
    return a.astype(formats.NUMPY[dtype])


def near(got, want, dtype):
    want = np.asarray(want)
    assert got.shape == want.shape, (got.shape, want.shape)
    assert np.allclose(got, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 10), (got, want)


def refused(s, word, expression):
    s.refuses(400, "INVALID_ARGUMENT", word, "POST", "variables", {"name": "bad", "initial_value": expression})


def test_matmul(s):
    random = np.random.default_rng(1)
    for dtype in ("float16", "float32", "float64", "complex64", "complex128"):
        for m, k, n in ((3, 4, 5), (2, 0, 3), (17, 33, 9)):
            a, b = draw(random, (m, k), dtype), draw(random, (k, n), dtype)
            near(result(s, op("matmul", literal(a, dtype), literal(b, dtype)), fresh(s)), a @ b, dtype)
            for form in ("transpose", "adjoint"):
                turn = (lambda x: x.T) if form == "transpose" else (lambda x: x.conj().T)
                got = result(s, op("matmul", literal(turn(a), dtype), literal(turn(b), dtype),
                                   **{form + "_a": True, form + "_b": True}), fresh(s))
                near(got, a @ b, dtype)
    a, b = draw(random, (2, 3, 2, 4), "float32"), draw(random, (2, 3, 4, 5), "float32")
    near(result(s, op("matmul", literal(a, "float32"), literal(b, "float32")), "batch"), a @ b, "float32")
    near(result(s, {"op": "matmul", "a": literal(a, "float32"), "b": literal(b, "float32")}, "named"), a @ b, "float32")


def test_matmul_of_int32_wraps(s):
    random = np.random.default_rng(2)
    a = random.integers(-2**31, 2**31, (9, 70)).astype("<i4")
    b = random.integers(-2**31, 2**31, (70, 5)).astype("<i4")
    want = (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)
    for ta in (False, True):
        for tb in (False, True):
            got = result(s, op("matmul", literal(a.T if ta else a, "int32"), literal(b.T if tb else b, "int32"),
                               transpose_a=ta, transpose_b=tb), fresh(s))
            assert got.dtype == np.int32 and (got == want).all(), (ta, tb)


def test_matmul_refuses_what_does_not_fit(s):
    two = [[1.0, 2.0], [3.0, 4.0]]
    refused(s, ("Dimensions must be equal, but are 2 and 3", "[2,2]", "[3,1]"), op("matmul", two, [[1.0], [2.0], [3.0]]))
    refused(s, "rank 2", op("matmul", two, [1.0, 2.0]))
    refused(s, "Only one of transpose_a and adjoint_a", op("matmul", two, two, transpose_a=True, adjoint_a=True))
    refused(s, "Dimensions must be equal, but are 2 and 1", op("matmul", [two, two], [two]))
    refused(s, "int64", op("matmul", literal(np.ones((2, 2)), "int64"), literal(np.ones((2, 2)), "int64")))
    refused(s, ("float32", "float64"), op("matmul", literal(np.ones((2, 2)), "float32"), literal(np.ones((2, 2)), "float64")))


def test_vectors(s):
    random = np.random.default_rng(3)
    for dtype in ("float32", "float64", "complex64", "complex128"):
        a, x, y = draw(random, (3, 5), dtype), draw(random, 5, dtype), draw(random, 3, dtype)
        near(result(s, op("matvec", literal(a, dtype), literal(x, dtype)), fresh(s)), a @ x, dtype)
        near(result(s, op("matvec", literal(a, dtype), literal(y, dtype), adjoint_a=True), fresh(s)), a.conj().T @ y, dtype)
        near(result(s, op("outer", literal(x, dtype), literal(y, dtype)), fresh(s)), np.outer(x, y), dtype)
        near(result(s, op("dot", literal(x, dtype), literal(2 * x, dtype)), fresh(s)), np.dot(x, 2 * x), dtype)
    refused(s, "Dimensions must be equal, but are 2 and 3", op("dot", [1.0, 2.0], [1.0, 2.0, 3.0]))
    refused(s, "Shape must be rank 1 but is rank 2", op("matvec", [[1.0]], [[1.0]]))


def test_qr(s):
    random = np.random.default_rng(4)
    for dtype in ("float32", "float64", "complex64", "complex128"):
        for m, n in ((5, 3), (3, 5)):
            a = draw(random, (m, n), dtype)
            for full in (False, True):
                q = result(s, op("qr", literal(a, dtype), full_matrices=full), fresh(s))
                r = result(s, op("qr", literal(a, dtype), full_matrices=full, output="r"), fresh(s))
                k = m if full else min(m, n)
                assert q.shape == (m, k) and r.shape == (k, n), (q.shape, r.shape)
                near(q @ r, a, dtype)
                near(q.conj().T @ q, np.eye(k), dtype)
                assert (np.tril(r, -1) == 0).all()


def test_svd(s):
    random = np.random.default_rng(5)
    for dtype in ("float32", "float64", "complex64", "complex128"):
        for m, n in ((5, 3), (3, 5), (40, 3)):
            a = draw(random, (m, n), dtype)
            for full in (False, True):
                values, u, v = (result(s, op("svd", literal(a, dtype), full_matrices=full, output=output), fresh(s))
                                for output in "suv")
                near(values, np.linalg.svd(a, compute_uv=False), dtype)
                k = min(m, n)
                assert u.shape == (m, m if full else k) and v.shape == (n, n if full else k)
                near(u[:, :k] @ np.diag(values) @ v[:, :k].conj().T, a, dtype)
                near(u.conj().T @ u, np.eye(u.shape[1]), dtype)
                near(v.conj().T @ v, np.eye(v.shape[1]), dtype)
    refused(s, "compute_uv", op("svd", [[1.0]], compute_uv=False, output="u"))
    batch = draw(random, (3, 2, 4), "float64")
    near(result(s, op("svd", literal(batch, "float64")), "batch"), np.linalg.svd(batch, compute_uv=False), "float64")


def test_square_matrices(s):
    random = np.random.default_rng(6)
    for dtype in ("float32", "float64", "complex64", "complex128"):
        a = draw(random, (4, 4), dtype) + 4 * np.eye(4).astype(formats.NUMPY[dtype])
        b = draw(random, (4, 3), dtype)
        near(result(s, op("matrix_inverse", literal(a, dtype)), fresh(s)), np.linalg.inv(a), dtype)
        near(result(s, op("matrix_inverse", literal(a, dtype), True), fresh(s)), np.linalg.inv(a.conj().T), dtype)
        got = result(s, op("matrix_determinant", literal(a, dtype)), fresh(s))
        assert np.allclose(got, np.linalg.det(a), rtol=1e-4 if "64" in dtype and dtype[0] == "c" or dtype == "float32" else 1e-11)
        near(result(s, op("matrix_solve", literal(a, dtype), literal(b, dtype)), fresh(s)), np.linalg.solve(a, b), dtype)
        near(result(s, op("matrix_solve", literal(a, dtype), literal(b, dtype), adjoint=True), fresh(s)),
             np.linalg.solve(a.conj().T, b), dtype)
        positive = a @ a.conj().T
        near(result(s, op("cholesky", literal(positive, dtype)), fresh(s)), np.linalg.cholesky(positive), dtype)
        near(result(s, op("trace", literal(a, dtype)), fresh(s)), np.trace(a), dtype)
        assert (result(s, op("diag_part", literal(a, dtype)), fresh(s)) == np.diag(a)).all()
    batch = draw(random, (2, 3, 3), "float64")
    near(result(s, op("matrix_inverse", literal(batch, "float64")), "inverses"), np.linalg.inv(batch), "float64")
    near(result(s, op("matrix_determinant", literal(batch, "float64")), "dets"), np.linalg.det(batch), "float64")


def test_what_cannot_be_decomposed_is_said_when_it_is_computed(s):
    zero = [[0.0, 0.0], [0.0, 0.0]]
    for expression, words in ((op("matrix_inverse", zero), "Input is not invertible."),
                              (op("matrix_solve", zero, [[1.0], [1.0]]), "Input matrix is not invertible."),
                              (op("cholesky", [[1.0, 2.0], [2.0, 1.0]]), "Cholesky decomposition was not successful")):
        name = fresh(s)
        s.create(name, expression)
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", ":initialize", {"variables": [name]})
    assert result(s, op("matrix_determinant", zero), "d") == 0
    refused(s, "Dimensions must be equal, but are 1 and 2", op("cholesky", [[1.0, 2.0]]))


def test_reductions(s):
    random = np.random.default_rng(7)
    functions = {"reduce_sum": np.sum, "reduce_prod": np.prod, "reduce_min": np.min, "reduce_max": np.max, "reduce_mean": np.mean}
    for dtype in ("float16", "float32", "int8", "int64", "uint8", "complex64"):
        a = (draw(random, (3, 5, 4), dtype) % 5).astype(formats.NUMPY[dtype]) if dtype[0] in "iu" else draw(random, (3, 5, 4), dtype)
        for name, function in functions.items():
            if dtype == "complex64" and name in ("reduce_min", "reduce_max"):
                continue
            for axis in (None, 0, -1, (0, 2), ()):
                where = {} if axis is None else {"axis": axis if isinstance(axis, int) else list(axis)}
                with np.errstate(over="ignore"):
                    wide = a if dtype[0] in "iuc" else a.astype(np.float64)
                    if dtype[0] in "iu" and name in ("reduce_sum", "reduce_prod"):
                        want = function(a, axis=axis, dtype=a.dtype)
                    elif dtype[0] in "iu" and name == "reduce_mean":
                        count = a.size // np.sum(a, axis=axis).size
                        want = np.trunc(np.sum(a, axis=axis, dtype=a.dtype) / count).astype(a.dtype)
                    else:
                        want = np.asarray(function(wide, axis=axis)).astype(a.dtype)
                got = result(s, op(name, literal(a, dtype), **where), fresh(s))
                assert got.shape == want.shape and got.dtype == want.dtype, (name, dtype, axis)
                if dtype[0] in "iu":
                    assert (got == want).all(), (name, dtype, axis, got, want)
                else:
                    near(got, want, dtype)
    x = literal(np.ones((2, 3)), "float32")
    assert result(s, op("reduce_sum", x, [1], True), "kept").shape == (2, 1)
    assert result(s, op("reduce_sum", x, reduction_indices=0), "older").tolist() == [2, 2, 2]
    for axis in (2, -3, [0, 0], [1, -1]):
        refused(s, "Invalid reduction dimension", op("reduce_sum", x, axis=axis))


def test_places_and_truths(s):
    random = np.random.default_rng(8)
    for dtype in ("float32", "float64", "int32", "uint8", "int64"):
        a = draw(random, (4, 3, 5), dtype)
        for axis in (0, 1, 2, -1):
            for name in ("argmax", "argmin"):
                got = result(s, op(name, literal(a, dtype), axis=axis), fresh(s))
                assert got.dtype == np.int64 and (got == getattr(np, name)(a, axis=axis)).all()
    assert result(s, op("argmax", [[1, 5], [5, 1], [5, 5]]), "first").tolist() == [1, 0]
    refused(s, "dim must be < input rank (2), but got: 2", op("argmax", [[1]], dimension=2))
    truths = {"dtype": "bool", "shape": [2, 2], "data": [True, False, True, True]}
    assert result(s, op("reduce_all", truths, axis=1), "all").tolist() == [False, True]
    assert result(s, op("reduce_any", truths, axis=1), "any").tolist() == [True, True]


def test_norms(s):
    random = np.random.default_rng(9)
    a = draw(random, (4, 6), "float64")
    x = literal(a, "float64")
    for order, plain in (("euclidean", None), ("fro", None), (1, 1), ("1", 1), (2, 2), ("inf", np.inf),
                         ("Infinity", np.inf)):
        near(result(s, op("norm", x, ord=order), fresh(s)), np.linalg.norm(a.ravel(), plain), "float64")
        near(result(s, op("norm", x, ord=order, axis=1), fresh(s)), np.linalg.norm(a, plain, axis=1), "float64")
        if order != 2:
            near(result(s, op("norm", x, ord=order, axis=[0, 1]), fresh(s)), np.linalg.norm(a, plain or "fro"), "float64")
            near(result(s, op("norm", x, ord=order, axis=[-1, 0]), fresh(s)), np.linalg.norm(a.T, plain or "fro"), "float64")
    refused(s, "'ord' must be a supported matrix norm", op("norm", x, 2, [0, 1]))
    refused(s, ("ord", "euclidean, fro, 1, 2, inf"), op("norm", x, ord=3))
    near(result(s, op("l2_loss", x), "loss"), (a**2).sum() / 2, "float64")
    near(result(s, op("clip_by_norm", x, 1.5), "clipped"), a * 1.5 / np.linalg.norm(a), "float64")
    near(result(s, op("clip_by_norm", x, clip_norm=100), "unclipped"), a, "float64")
    norms = np.linalg.norm(a, axis=1, keepdims=True)
    near(result(s, op("clip_by_norm", x, 2.0, [1]), "rows"), a * 2 / np.maximum(norms, 2), "float64")


def test_orthogonal_initializer(s):
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        for shape in ([50, 40], [40, 50], [3, 5, 7], [30, 2, 10], [1, 1], [0, 3]):
            got = result(s, {"op": "orthogonal_initializer", "shape": shape, "dtype": dtype, "gain": 2.0, "seed": 3}, fresh(s))
            assert list(got.shape) == shape
            flat = got.reshape(-1, shape[-1]).astype(np.float64) / 2
            product = flat.T @ flat if flat.shape[0] > flat.shape[1] else flat @ flat.T
            assert np.allclose(product, np.eye(product.shape[0]), rtol=tolerance, atol=tolerance)
    refused(s, "The tensor to initialize must be at least two-dimensional", {"op": "orthogonal_initializer", "shape": [5]})
    refused(s, "Expected floating point type, got int32.", {"op": "orthogonal_initializer", "shape": [5, 5], "dtype": "int32"})
