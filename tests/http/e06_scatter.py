"""scatter_* and scatter_nd_*: rows of a variable changed by number, all or none of them."""

import formats

np = formats.np
VERBS = ("update", "add", "sub", "mul", "div", "min", "max")
FLOATS = ("float32", "float64", "float16")
INTEGERS = ("int8", "int32", "int64", "uint8", "uint64")


def scatter(s, verb, name, indices, updates, headers=None):
    return s.post(f"variables/{name}:scatter_{verb}", {"indices": indices, "updates": updates}, headers)


def tensor(array):
    """A literal with its dtype."""
    return {"dtype": str(array.dtype),
            "shape": list(array.shape), "data": array.reshape(-1).tolist()}


def apply(verb, old, update):
    """One row, as TensorFlow's CPU kernel does it."""
    if verb == "update":
        return update
    if verb == "div":
        if old.dtype.kind in "iu":
            quotient = np.abs(old.astype(object)) // np.abs(update.astype(object))
            signs = np.sign(old.astype(object)) * np.sign(update.astype(object))
            return (quotient * signs).astype(old.dtype)
        return old / update
    function = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "min": np.minimum, "max": np.maximum}[verb]
    return function(old, update)


def expected(verb, table, indices, updates):
    result = table.copy()
    rows = np.array(indices, dtype=int).reshape(-1)
    updates = np.broadcast_to(updates, (len(rows),) + table.shape[1:]) if updates.ndim == 0 else \
        updates.reshape((len(rows),) + table.shape[1:])
    for row, update in zip(rows, updates):
        result[row] = apply(verb, result[row], update)
    return result


def drawn(random, dtype, shape):
    if dtype.startswith("float"):
        return random.standard_normal(shape).astype(dtype)
    low, high = (1, 7) if dtype.startswith("u") else (-7, 7)
    values = random.integers(low, high, shape).astype(dtype)
    values[values == 0] = 5
    return values


def test_every_verb_on_every_number(s):
    random = np.random.default_rng(3)
    for dtype in FLOATS + INTEGERS:
        table = drawn(random, dtype, (9, 4))
        s.put_npy(f"w_{dtype}", table)
        for verb in VERBS:
            indices = random.integers(0, 9, 12)
            updates = drawn(random, dtype, (12, 4))
            with np.errstate(all="ignore"):
                table = expected(verb, table, indices, updates)
            scatter(s, verb, f"w_{dtype}", indices.tolist(), tensor(updates)).expect(200)
            assert np.array_equal(s.array(f"w_{dtype}"), table, equal_nan=dtype in FLOATS), (dtype, verb)


def test_the_reply_is_that_of_any_update(s):
    s.make("w", np.zeros((3, 2)))
    first = scatter(s, "add", "w", [0, 0, 2], [[1, 2], [3, 4], [5, 6]]).expect(200).json
    assert first == {"name": "w", "dtype": "float32", "shape": [3, 2], "version": 2, "revision": first["revision"]}
    assert s.value("w") == [[4, 6], [0, 0], [5, 6]]
    assert s.post("variables/w:0:scatter_add", {"indices": 1, "updates": [1, 1]}).expect(200).json["version"] == 3
    assert s.info("w")["version"] == 3


def test_indices_of_any_rank_and_one_scalar_for_all(s):
    table = s.make("w", np.arange(24).reshape(6, 2, 2))
    for indices, shape in ((3, (2, 2)), ([1], (1, 2, 2)), ([[0, 5], [2, 2]], (2, 2, 2, 2)), ([], (0, 2, 2))):
        updates = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype("<f4") + 1
        table = expected("add", table, indices, updates)
        scatter(s, "add", "w", indices, tensor(updates)).expect(200)
        assert np.array_equal(s.array("w"), table), indices
    table = expected("mul", table, [4, 0, 4], np.array(3, "<f4"))
    scatter(s, "mul", "w", [4, 0, 4], 3).expect(200)
    assert np.array_equal(s.array("w"), table)
    scatter(s, "update", "w", {"dtype": "int32", "shape": [2], "data": [0, 1]}, -1).expect(200)
    assert np.array_equal(s.array("w")[:2], np.full((2, 2, 2), -1))


def test_what_has_no_arithmetic_can_be_updated(s):
    s.make("flags", [True, False, True], "bool")
    scatter(s, "update", "flags", [0, 1], [False, True]).expect(200)
    assert s.value("flags") == [False, True, True]
    s.make("z", np.array([1 + 2j, 3, 4]), "complex64")
    scatter(s, "add", "z", [0, 0], [[1, 1], [0, 1]]).expect(200)
    assert s.value("z") == [[2, 4], [3, 0], [4, 0]]
    s.refuses(400, "INVALID_ARGUMENT", "bool has no arithmetic", "POST", "variables/flags:scatter_add",
              {"indices": [0], "updates": [True]})
    s.refuses(400, "INVALID_ARGUMENT", "complex64 has no order", "POST", "variables/z:scatter_max",
              {"indices": [0], "updates": [[1, 1]]})
    s.put_raw("text", "string", [1], b"\x01\x00\x00\x00a")
    s.refuses(400, "INVALID_ARGUMENT", "string tensors are written whole", "POST", "variables/text:scatter_update",
              {"indices": [0], "updates": ["b"]})


def test_indices_and_updates_are_expressions(s):
    s.make("w", np.zeros((5, 2)))
    s.make("rows", [4, 1], "int32")
    s.make("delta", [[1, 2], [3, 4]])
    scatter(s, "add", "w", {"variable": "rows"}, {"op": "multiply", "args": [{"variable": "delta"}, 10]}).expect(200)
    assert s.value("w") == [[0, 0], [30, 40], [0, 0], [0, 0], [10, 20]]
    scatter(s, "sub", "w", {"op": "range", "args": [0, 5]}, {"variable": "w"}).expect(200)
    assert s.value("w") == [[0, 0]] * 5


def test_nd(s):
    table = s.make("w", np.arange(24).reshape(4, 3, 2))
    scatter(s, "nd_update", "w", [[0, 1], [3, 2]], [[-1, -2], [-3, -4]]).expect(200)
    table[0, 1], table[3, 2] = [-1, -2], [-3, -4]
    assert np.array_equal(s.array("w"), table)
    scatter(s, "nd_add", "w", [[[0, 0, 1]], [[0, 0, 1]]], [[5], [6]]).expect(200)
    table[0, 0, 1] += 11
    scatter(s, "nd_sub", "w", [1], np.ones((3, 2)).tolist()).expect(200)
    table[1] -= 1
    assert np.array_equal(s.array("w"), table)
    scatter(s, "nd_add", "w", [0, 0, 0], 7).expect(200)
    assert s.value("w")[0][0][0] == table[0, 0, 0] + 7
    scatter(s, "nd_update", "w", {"op": "zeros", "shape": [0, 1], "dtype": "int32"}, {"op": "zeros", "shape": [0, 3, 2]}).expect(200)


def test_a_bad_index_leaves_everything_as_it_was(s):
    s.make("w", np.arange(12).reshape(6, 2))
    s.make("one", np.arange(6))
    s.make("scalar", 1.0)
    s.make("n", [[6, 7], [8, 9]], "int32")
    s.create("unset", dtype="float32", shape=[3])
    two = [[1, 1], [2, 2], [3, 3]]
    for verb, name, indices, updates, words in (
            ("add", "w", [0, 1, -1], two, ("scatter_add to 'w'", "indices[2] = -1 is not in [0, 6)")),
            ("sub", "w", [0, 1, 6], two, ("scatter_sub from 'w'", "indices[2] = 6 is not in [0, 6)")),
            ("update", "one", [[0, 1], [9, 2]], [[1, 1], [1, 1]], "indices[1,0] = 9 is not in [0, 6)"),
            ("mul", "one", 6, 1, "indices = 6 is not in [0, 6)"),
            ("add", "w", [0, 1], [1, 2], ("Must have updates.shape = indices.shape + params.shape[1:]",
                                          "updates.shape [2], indices.shape [2], params.shape [6,2]")),
            ("add", "scalar", 0, 1, "params must be at least 1-D, got shape []"),
            ("add", "w", {"dtype": "float32", "shape": [1], "data": [0]}, 1, "indices must be int32 or int64, not float32"),
            ("add", "w", [0.5], 1, "indices"),
            ("add", "w", [0], {"dtype": "int32", "shape": [1, 2], "data": [1, 2]}, "dtype float32 expected, the updates have int32"),
            ("div", "n", [0, 1], [[1, 2], [3, 0]], "updates[1,1] = 0: integer division by zero"),
            ("nd_add", "one", [[2], [0], [-1]], [1, 1, 1], ("scatter_nd_add to 'one'", "Invalid indices: [2,0] = [-1] is not in [0, 6)",
                                                           "indices[2] = [-1] does not index into shape [6]")),
            ("nd_sub", "w", [[0, 2]], [1], "indices[0] = [0, 2] does not index into shape [6,2]"),
            ("nd_update", "w", [[0], [1], [2]], [[1, 1], [2, 2]], "The outer 1 dimensions of indices.shape=[3,1] must match"),
            ("nd_update", "w", [[0], [1]], [1, 2], "The inner 1 dimensions of ref.shape=[6,2] must match"),
            ("nd_update", "w", [[0, 0, 0]], [1], "more than the rank of params"),
            ("nd_update", "w", [[]], [1], "Requested rank: 0")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", f"variables/{name}:scatter_{verb}",
                  {"indices": indices, "updates": updates})
    assert np.array_equal(s.array("w"), np.arange(12).reshape(6, 2))
    for verb in VERBS + ("nd_add",):
        s.refuses(409, "FAILED_PRECONDITION", ("unset", "Attempting to use uninitialized value unset"), "POST",
                  f"variables/unset:scatter_{verb}", {"indices": [[0]], "updates": [1.0] if verb[:2] == "nd" else [[1.0]]})
        s.refuses(404, "NOT_FOUND", "ghost", "POST", f"variables/ghost:scatter_{verb}", {"indices": [0], "updates": [1]})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", "variables/w:scatter_add", {"indices": {"variable": "ghost"}, "updates": 1})


def test_bodies_and_conditions_are_checked(s):
    s.make("w", np.zeros(4))
    path = "variables/w:scatter_add"
    for body, words in (({}, "indices"), ({"indices": [0]}, "updates"), ({"updates": [0]}, "indices"), ([0], "object"),
                        ({"indices": [0], "updates": [1], "use_locking": True}, "use_locking")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", path, body)
    s.refuses(404, "NOT_FOUND", "scatter_pow", "POST", "variables/w:scatter_pow", {"indices": [0], "updates": [1]})
    s.refuses(405, "METHOD_NOT_ALLOWED", "", "GET", path)
    etag = s.head("variables/w").etag
    body = {"indices": [0], "updates": [1]}
    s.post(path, body, {"If-Match": etag}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "w", "POST", path, body, {"If-Match": etag})


def test_a_large_table_is_laid_out_for_rows_once(s):
    random = np.random.default_rng(8)
    table = random.standard_normal((20000, 64)).astype("<f4")
    s.put_npy("w", table)
    s.save("before")
    assert not s.info("w")["row_updates"]
    etag = s.head("variables/w").etag
    with s.unchanged():
        s.is_refusal(scatter(s, "add", "w", [20000], [[0] * 64]), 400, "INVALID_ARGUMENT", "not in [0, 20000)")
    for round_ in range(4):
        indices = random.integers(0, 20000, 300)
        updates = random.standard_normal((300, 64)).astype("<f4")
        table = expected("add", table, indices, updates)
        reply = scatter(s, "add", "w", indices.tolist(), tensor(updates), {"If-Match": etag}).expect(200)
        assert reply.json.get("converted", False) == (round_ == 0), reply
        etag = s.head("variables/w").etag
        assert s.info("w")["row_updates"] and s.info("w")["version"] == round_ + 2
    assert np.array_equal(s.array("w"), table)
    s.restore("before")
    scatter(s, "update", "w", [7], [[7] * 64]).expect(200)
    assert np.array_equal(s.array("w", slice="7"), np.full(64, 7)) and s.value("w", slice="8,0") != 7
    s.kill9()
    s.restart()
    assert np.array_equal(s.array("w", slice="7"), np.full(64, 7))
    s.post("/v1:verify?payloads=true").expect(200)


def test_fills_and_recipes_stay_what_they_are_around_the_rows(s):
    s.create("zeros", {"op": "zeros", "shape": [1000000, 64]})
    s.create("virtual", {"op": "random_uniform", "shape": [1000000000, 8], "seed": 7}, virtual=True)
    s.initialize()
    before = s.array("virtual", slice="999999998")
    for name, rows, width in (("zeros", 1000000, 64), ("virtual", 1000000000, 8)):
        reply = scatter(s, "update", name, [rows - 1, 0], [[1.0] * width, [2.0] * width]).expect(200)
        assert reply.json["converted"]
        scatter(s, "add", name, [rows - 1], 1).expect(200)
        assert np.array_equal(s.array(name, slice=f"{rows - 1}"), np.full(width, 2))
        assert np.array_equal(s.array(name, slice="0"), np.full(width, 2))
    assert np.array_equal(s.array("virtual", slice="999999998"), before)
    assert s.get("").expect(200).json["bytes"] > 0


def test_more_than_a_commit_takes(s):
    random = np.random.default_rng(9)
    table = random.integers(-99, 99, (30000, 50)).astype("<i4")
    s.put_npy("w", table)
    indices = random.integers(0, 30000, 25000)
    table = expected("add", table, indices, np.array(3, "<i4"))
    s.put_npy("rows", indices.astype("<i8"))
    scatter(s, "add", "w", {"variable": "rows"}, 3).expect(200)
    assert np.array_equal(s.array("w"), table)


def test_rows_in_a_run(s):
    s.make("w", np.zeros((4, 2)))
    s.make("big", np.zeros((3000, 100)))
    run = {"ops": [{"op": "scatter_add", "variable": "w", "indices": [0, 0], "updates": [[1, 2], [3, 4]]},
                   {"op": "scatter_mul", "variable": "w", "indices": [0], "updates": 2},
                   {"op": "scatter_update", "variable": "big", "indices": [2999], "updates": {"op": "ones", "shape": [1, 100]}},
                   {"op": "scatter_nd_add", "variable": "big", "indices": [[2999, 1]], "updates": [5]}],
           "fetches": {"w": {"variable": "w"}, "last": {"op": "gather", "args": [{"variable": "big"}, 2999]}}}
    dry = s.post(":run", {**run, "dry_run": True}).expect(200).json
    assert dry["fetches"]["w"]["data"][0] == [8, 12] and s.value("w") == [[0, 0]] * 4 and not s.info("big")["row_updates"]
    done = s.post(":run", run).expect(200).json
    assert [r.get("converted", False) for r in done["results"]] == [False, False, True, True]
    assert [r["version"] for r in done["results"]] == [2, 3, 2, 3]
    assert done["fetches"]["last"]["data"] == [1, 6] + [1] * 98
    run["ops"].append({"op": "scatter_add", "variable": "w", "indices": [4], "updates": 1})
    reply = s.refuses(400, "INVALID_ARGUMENT", "indices[0] = 4 is not in [0, 4)", "POST", ":run", run)
    assert reply.json["failed_operation"] == 4
    assert s.value("w")[0] == [8, 12]


def test_a_sparse_step_lays_its_variable_and_slots_out(s):
    s.put_npy("emb", np.ones((20000, 64), "<f4"))
    s.put("optimizers/o", {"type": "adagrad", "learning_rate": 0.5}).expect(201)
    step = {"gradients": {"emb": {"indices": [19999, 3, 19999], "values": {"op": "ones", "shape": [3, 64]}}}}
    first = s.post("optimizers/o:apply_gradients", step).expect(200).json
    assert first["converted"]
    assert s.info("emb")["row_updates"] and s.info("emb/Adagrad")["row_updates"]
    assert "converted" not in s.post("optimizers/o:apply_gradients", step).expect(200).json
    accumulated, value = np.float32(0.1), np.float32(1)
    for _ in range(2):
        accumulated += np.float32(4)
        value -= np.float32(0.5) * np.float32(2) / np.sqrt(accumulated)
    assert np.allclose(s.array("emb", slice="19999"), value, rtol=1e-6)
    assert np.array_equal(s.array("emb", slice="5"), np.ones(64)) and s.info("emb")["version"] == 3


def test_guards_look_at_the_rows_that_change(s):
    table = np.zeros((20000, 64), "<f4")
    table[7, 1] = np.nan
    s.put_npy("w", table)
    def run(indices, updates, **guards):
        return {"ops": [{"op": "scatter_add", "variable": "w", "indices": indices, "updates": updates}], "guards": guards}
    reply = s.post(":run", run([8, 19999, 8], 1, max_update_norm=30, finite=True)).expect(200).json
    assert reply["update_norm"] == (64 * 4 + 64) ** 0.5
    for guards, updates, words in (({"finite": True}, "Infinity", ("finite", "'w'", f"element {8 * 64}")),
                                   ({"max_update_norm": 10}, 2, ("max_update_norm", "10"))):
        s.refuses(422, "UNPROCESSABLE", words, "POST", ":run", run([8], updates, **guards))
    assert s.value("w", slice="8,0:3") == [2, 2, 2]
