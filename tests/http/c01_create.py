"""Creating variables."""

import formats

np = formats.np
HUGE = 10 ** 12


def test_several_are_created_together(s):
    reply = s.post("variables", [
        {"name": "a", "initial_value": {"op": "zeros", "shape": [2]}},
        {"name": "b", "initial_value": {"op": "add", "args": [{"initialized_value": "a"}, 1.0]}},
        {"name": "c", "dtype": "int32", "shape": [3]},
    ]).expect(201)
    assert reply.revision
    assert s.names() == ["a", "b", "c"]


def test_several_are_created_all_or_none(s):
    s.create("taken", {"op": "zeros", "shape": []})
    for bad, status, code in (({"name": "taken", "initial_value": 1.0}, 409, "ALREADY_EXISTS"),
                              ({"name": "a", "initial_value": 1.0}, 409, "ALREADY_EXISTS"),
                              ({"name": "x", "initial_value": {"op": "nosuch"}}, 400, "INVALID_ARGUMENT"),
                              ({"name": "b:ad", "initial_value": 1.0}, 400, "INVALID_ARGUMENT")):
        body = [{"name": "a", "initial_value": 1.0}, bad, {"name": "z", "initial_value": 2.0}]
        s.refuses(status, code, (), "POST", "variables", body)
    assert s.names() == ["taken"]


def test_an_existing_name_is_refused_and_kept(s):
    s.make("w", [1, 2])
    s.refuses(409, "ALREADY_EXISTS", "w", "POST", "variables", {"name": "w", "initial_value": [9.0]})
    assert s.value("w") == [1, 2]


def test_default_names_are_tensorflows(s):
    names = [s.post("variables", {"initial_value": 1.0}).expect(201).json["name"] for _ in range(3)]
    assert names == ["Variable", "Variable_1", "Variable_2"], names


def test_uniquify_gives_the_next_free_name(s):
    s.create("w_1", 0.0)
    first = s.post("variables", {"name": "w", "initial_value": 0.0, "uniquify": True}).expect(201)
    second = s.post("variables", {"name": "w", "initial_value": 0.0, "uniquify": True}).expect(201)
    third = s.post("variables", {"name": "w", "initial_value": 0.0, "uniquify": True}).expect(201)
    assert [r.json["name"] for r in (first, second, third)] == ["w", "w_2", "w_3"]
    assert second.headers["location"].endswith("/variables/w_2")
    s.refuses(409, "ALREADY_EXISTS", "w", "POST", "variables", {"name": "w", "initial_value": 0.0, "uniquify": False})


def test_the_initial_value_decides_dtype_and_shape(s):
    for name, value, dtype, shape in (
            ("f", 1.5, "float32", []), ("i", 1, "int32", []), ("l", 2 ** 31, "int64", []), ("b", True, "bool", []),
            ("m", [[1, 2.5], [3, 4]], "float32", [2, 2]), ("e", [], "float32", [0]), ("s", "text", "string", []),
            ("d", {"dtype": "float64", "shape": [2], "data": [1, 2]}, "float64", [2]),
            ("h", {"dtype": "half", "shape": [1], "data": [1]}, "float16", [1]),
            ("o", {"datatype": "BF16", "shape": [1], "data": [1]}, "bfloat16", [1]),
            ("inf", [1, "Infinity"], "float32", [2])):
        s.create(name, value)
        info = s.info(name)
        assert (info["dtype"], info["shape"]) == (dtype, shape), (name, info)


def test_a_given_dtype_and_shape_must_agree_with_the_initial_value(s):
    for fields, word in (({"dtype": "float64", "initial_value": {"op": "zeros", "shape": [2]}}, "float64"),
                         ({"shape": [3], "initial_value": {"op": "zeros", "shape": [2]}}, "[3]"),
                         ({"dtype": "int32", "initial_value": 1.5}, "int32")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "variables", {"name": "w", **fields})
    s.create("w", {"op": "zeros", "shape": [2]}, dtype="float32", shape=[2])
    s.create("adopts", [1, 2], dtype="float64")
    assert s.info("adopts")["dtype"] == "float64"


def test_without_initial_value_dtype_and_shape_are_needed(s):
    for fields in ({}, {"dtype": "float32"}, {"shape": [2]}):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables", {"name": "w", **fields})
    s.create("w", dtype="float32", shape=[2])
    s.refuses(409, "FAILED_PRECONDITION", ("w", "not initialized"), "GET", "variables/w:value")
    s.refuses(409, "FAILED_PRECONDITION", "w", "POST", "variables/w:initialize", {})
    s.assign("w", [1, 2])
    assert s.value("w") == [1, 2]


def test_declaring_costs_nothing_whatever_the_size(s):
    before = s.server.memory()["VmRSS"]
    s.create("huge", {"op": "zeros", "shape": [HUGE // 1000, 1000], "dtype": "float64"})
    info = s.info("huge")
    assert (info["size"], info["bytes"], info["initialized"]) == (HUGE, 8 * HUGE, False)
    s.create("noise", {"op": "random_normal", "shape": [HUGE]})
    assert s.server.memory()["VmRSS"] < before + (64 << 20)


def test_initializing_what_cannot_fit_is_507_and_changes_nothing(s):
    s.create("noise", {"op": "random_normal", "shape": [HUGE]})
    s.create("w", {"op": "ones", "shape": [2]})
    before = s.server.memory()["VmRSS"]
    s.refuses(507, "RESOURCE_EXHAUSTED", "noise", "POST", ":initialize", {})
    s.refuses(507, "RESOURCE_EXHAUSTED", "noise", "POST", "variables/noise:initialize", {})
    assert s.server.memory()["VmRSS"] < before + (256 << 20)
    assert s.info("w")["initialized"] is False and s.info("noise")["initialized"] is False
    s.initialize(variables=["w"])


def test_a_shape_product_that_overflows_is_refused(s):
    for shape in ([2 ** 32, 2 ** 32], [2 ** 62, 4], [3] * 40, [2 ** 61]):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables",
                  {"name": "w", "initial_value": {"op": "zeros", "shape": shape}})
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables", {"name": "w", "dtype": "float64", "shape": shape})


def test_bad_shapes_are_refused(s):
    for shape in ([-1], [1.5], ["2"], [[2]], "2", [2 ** 63], [2 ** 64], [True], {"a": 1}, 5.5, [1] * 300):
        s.refuses(400, "INVALID_ARGUMENT", "shape", "POST", "variables", {"name": "w", "dtype": "int8", "shape": shape})


def test_bad_dtypes_are_refused(s):
    for dtype in ("float", "double", "half", "FP32", "BOOL"):
        s.post("variables", {"name": f"ok_{dtype}", "dtype": dtype, "shape": [1]}).expect(201)
    for dtype in ("float31", "", 1, None, "Float32", ["float32"]):
        s.refuses(400, "INVALID_ARGUMENT", "dtype", "POST", "variables", {"name": "w", "dtype": dtype, "shape": [1]})


def test_unknown_and_mistyped_fields_are_named(s):
    good = {"name": "w", "initial_value": {"op": "zeros", "shape": [2]}}
    for extra, word in (({"trainabel": True}, "trainabel"), ({"trainable": 1}, "trainable"),
                        ({"collections": "a"}, "collections"), ({"collections": [1]}, "collections"),
                        ({"uniquify": "yes"}, "uniquify"), ({"validate_shape": 0}, "validate_shape"),
                        ({"name": 5}, "name"), ({"device": 5}, "device"), ({"": 1}, "")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "variables", {**good, **extra})
    reply = s.refuses(400, "INVALID_ARGUMENT", "stdev", "POST", "variables",
                      {"name": "w", "initial_value": {"op": "random_normal", "shape": [2], "stdev": 2}})
    assert "stddev" in reply.detail, "the nearest known name helps: " + reply.detail
    assert s.names() == []


def test_bodies_of_another_kind_are_refused(s):
    for body in ('"w"', "5", "null", "true", "[5]", '[{"name": "w", "initial_value": 1}, null]', ""):
        s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables", body, {"Content-Type": "application/json"})


def test_a_deleted_variable_stays_in_checkpoints(s):
    s.make("w", [1, 2, 3])
    s.save("c")
    s.delete("variables/w").expect(200)
    s.refuses(404, "NOT_FOUND", "w", "DELETE", "variables/w")
    assert s.get("checkpoints/c:value?tensor=w").expect(200).json["data"] == [1, 2, 3]
    s.make("w", [7, 7])
    assert s.get("checkpoints/c:value?tensor=w").expect(200).json["data"] == [1, 2, 3]


def test_a_binary_body_creates_and_overwrites(s):
    first = s.put("variables/w", formats.npy_write(np.arange(6, dtype="<i4").reshape(2, 3)),
                  {"Content-Type": "application/x-npy"}).expect(201)
    assert first.headers.get("location", "/variables/w").endswith("/variables/w")
    assert s.info("w")["initialized"] is True
    s.put("variables/w", formats.npy_write(np.ones((2, 3), "<i4")), {"Content-Type": "application/x-npy"}).expect(200)
    assert s.value("w") == [[1, 1, 1], [1, 1, 1]]
    s.put("variables/raw", b"\1\0\2\0", {"Content-Type": "application/octet-stream", "Tensor-Dtype": "int16",
                                         "Tensor-Shape": "2"}).expect(201)
    assert s.value("raw") == [1, 2]
    # Sniffed: curl -T w.npy sends no type.
    s.put("variables/sniffed", formats.npy_write(np.zeros(2))).expect(201)
    assert s.info("sniffed")["dtype"] == "float64"
