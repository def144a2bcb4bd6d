"""Expressions that cannot be meant: each is refused where it is written, by name, and nothing is made."""

FLAGS = ["--expression-nodes-max", "40", "--expression-max-bytes", "1m", "--expression-operations-max", "1000000",
         "--expression-depth-max", "24", "--tensor-max-bytes", "1g"]
JSON = {"Content-Type": "application/json"}


def tensor(dtype, shape, *data):
    return {"dtype": dtype, "shape": shape, "data": list(data)}


def refused(s, expression, *words, **fields):
    return s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables",
                     {"name": "bad", "initial_value": expression, **fields})


def test_an_unknown_op_with_the_nearest_one(s):
    for wrong, right in (("zeross", "zeros"), ("random_norml", "random_normal"), ("truncated_norma", "truncated_normal"),
                         ("Multiply", "multiply"), ("subtrct", "subtract"), ("reshap", "reshape")):
        refused(s, {"op": wrong, "shape": [2]}, f"'{wrong}'", f"did you mean '{right}'")
    refused(s, {"op": "add", "args": [1.0, {"op": "oness", "shape": [1]}]}, "args[1].op", "did you mean 'ones'")
    reply = refused(s, {"op": "a_thing_there_is_not"}, "a_thing_there_is_not")
    assert "did you mean" not in reply.detail, "nothing is near"


def test_an_unknown_attribute_with_the_nearest_one(s):
    for expression, wrong, right in (
            ({"op": "zeros", "shap": [2]}, "shap", "shape"), ({"op": "zeros", "shape": [2], "dtyp": "int8"}, "dtyp", "dtype"),
            ({"op": "random_normal", "shape": [2], "stdev": 2.0}, "stdev", "stddev"),
            ({"op": "random_uniform", "shape": [2], "min_val": 2.0}, "min_val", "minval"),
            ({"op": "fill", "dim": [2], "value": 1}, "dim", "dims"),
            ({"op": "add", "arg": [1, 2]}, "arg", "args")):
        refused(s, expression, f".{wrong}'", f"did you mean '{right}'")
    refused(s, {"op": "add", "args": [{"op": "ones", "shape": [1], "sed": 1}, 1.0]}, "args[0].sed")
    for strange in ("seed", "mean", "axis", "x" * 300, "", "\u00e9", "op "):
        refused(s, {"op": "zeros", "shape": [2], strange: 1}, "unknown")


def test_what_is_no_expression(s):
    for expression, words in (({}, ()), ({"args": [1]}, ()), ({"op": None}, "op"), ({"op": ["zeros"]}, "op"),
                              ({"op": ""}, "op"), ({"variable": None}, ()), ({"variable": "a b"}, "a b"),
                              ({"ref": 1}, "ref"), ({"op": "zeros", "shape": [2], "id": 1}, "id"),
                              ({"initialized_value": ["w"]}, "initialized_value"),
                              ({"variable": "w", "initialized_value": "w"}, ()),
                              ({"op": "add", "args": {"x": 1}}, "args"), (None, "None values not supported.")):
        refused(s, {"op": "identity", "args": [expression]}, *([words] if isinstance(words, str) else words))


def test_mixed_dtypes(s):
    s.make("f", [1, 2])
    s.make("i", [1, 2], "int32")
    for a, b, left, right in (({"variable": "f"}, {"variable": "i"}, "float32", "int32"),
                              ({"variable": "i"}, tensor("int64", [], 1), "int32", "int64"),
                              (tensor("float64", [], 1), {"variable": "f"}, "float64", "float32"),
                              (tensor("complex64", [1], [1, 0]), {"variable": "f"}, "complex64", "float32")):
        for op in ("add", "multiply", "subtract"):
            refused(s, {"op": op, "args": [a, b]}, op, left, right)
    refused(s, {"op": "add", "args": [{"variable": "i"}, 0.5]}, "int32")
    refused(s, {"op": "multiply", "args": [tensor("string", [1], "a"), tensor("string", [1], "b")]}, "string")
    refused(s, {"variable": "f"}, "float32", "int32", dtype="int32")


def test_broadcasting_that_does_not(s):
    for left, right in (([3], [2]), ([2, 3], [2]), ([2, 3], [4, 3]), ([2, 1, 3], [2, 2]), ([0], [2]), ([0], [3, 2])):
        texts = ["[" + ",".join(map(str, shape)) + "]" for shape in (left, right)]
        refused(s, {"op": "add", "args": [{"op": "ones", "shape": left}, {"op": "ones", "shape": right}]}, "add", *texts)
    refused(s, {"op": "ones", "shape": [3]}, "[3]", "[2]", shape=[2])


def test_shapes_that_cannot_be(s):
    for shape, word in (([-1], "negative"), ([1 << 62], "limit"), ([1 << 32, 1 << 32], "limit"), ([0, 1 << 62, 1 << 62], ""),
                        ([2.5], "shape"), (["2"], "shape"), ([[2]], "shape"), ("2", "shape"), ([1] * 300, "dimension")):
        refused(s, {"op": "zeros", "shape": shape}, *([word] if word else []))
    for shape in ([1 << 63], [10 ** 30]):
        refused(s, {"op": "zeros", "shape": shape}, "shape")
    big = {"op": "ones", "shape": [1 << 24, 1]}
    refused(s, {"op": "add", "args": [big, {"op": "ones", "shape": [1, 1 << 24]}]}, "elements")


def test_depth_and_nodes(s):
    deep = 1.0
    for _ in range(24):
        deep = {"op": "negative", "args": [deep]}
    refused(s, deep, "24", "deep")
    wide = 1.0
    for _ in range(5):
        wide = {"op": "add", "args": [wide, wide]}
    refused(s, wide, "40", "nodes")
    refused(s, {"op": "add", "args": [1.0] * 41}, "nodes")
    fits = {"op": "ones", "shape": [1]}
    for _ in range(23):
        fits = {"op": "negative", "args": [fits]}
    s.create("fits", fits)


def test_depth_by_refs(s):
    """Side by side in the document, one below the other in truth."""
    def chain(length):
        steps = [{"op": "ones", "shape": [1], "id": "0"}]
        for i in range(1, length):
            steps.append({"op": "negative", "args": [{"ref": str(i - 1)}], "id": str(i)})
        return {"op": "stack", "values": steps}

    refused(s, chain(24), "24", "deep")
    s.create("fits", chain(23))
    s.initialize()
    assert s.array("fits").ravel().tolist() == [(-1.0) ** i for i in range(23)]


def test_elements_of_a_result(s):
    """What is declared costs nothing; what is computed must fit a variable."""
    s.create("huge", {"op": "random_normal", "shape": [1 << 20, 1 << 10], "seed": 1})
    with s.unchanged():
        reply = s.post(":initialize", {})
    assert reply.status in (400, 413, 507) and "tensor_max_bytes" in reply.detail, str(reply)
    assert s.info("huge")["initialized"] is False


def test_working_memory_is_limited(s):
    """matmul keeps its arguments whole: two of 512 KiB and a result do not fit 1 MiB."""
    square = {"op": "random_uniform", "shape": [362, 362], "seed": 1}
    s.refuses(413, "PAYLOAD_TOO_LARGE", "expression_max_bytes", "POST", "variables",
              {"name": "bad", "initial_value": {"op": "matmul", "args": [square, square]}})
    s.create("loops", {"op": "multiply", "args": [{"op": "random_uniform", "shape": [4096, 512], "seed": 1}, 2.0]})
    s.initialize()
    assert s.array("loops").shape == (4096, 512), "element by element there is no limit but the variable's"


def test_operations_are_limited(s):
    square = {"op": "ones", "shape": [101, 101]}
    s.refuses(413, "PAYLOAD_TOO_LARGE", "expression_operations_max", "POST", "variables",
              {"name": "bad", "initial_value": {"op": "matmul", "args": [square, square]}})
    small = {"op": "ones", "shape": [10, 10]}
    s.create("fits", {"op": "matmul", "args": [small, small]})
    s.initialize()
    assert (s.array("fits") == 10).all()


def test_attributes_that_are_not_finite(s):
    for text in ('"NaN"', '"Infinity"', '"-Infinity"', "1e999", "-1e999"):
        for attribute in ("stddev", "mean"):
            body = '{"name": "bad", "initial_value": {"op": "random_normal", "shape": [2], "%s": %s}}' % (attribute, text)
            s.refuses(400, "INVALID_ARGUMENT", attribute, "POST", "variables", body, JSON)
        body = '{"name": "bad", "initial_value": {"op": "random_uniform", "shape": [2], "maxval": %s}}' % text
        s.refuses(400, "INVALID_ARGUMENT", "maxval", "POST", "variables", body, JSON)
    for text in ("NaN", "Infinity", "-Infinity", "nan"):
        body = '{"name": "bad", "initial_value": {"op": "random_normal", "shape": [2], "stddev": %s}}' % text
        s.refuses(400, "INVALID_ARGUMENT", "JSON", "POST", "variables", body, JSON)


def once(name):
    return {"op": "add", "args": [{"initialized_value": name}, 1.0]}


def test_a_cycle_through_three_variables_is_told_with_its_path(s):
    s.create("a/x", {"op": "ones", "shape": [2]})
    s.create("b", once("a/x"))
    s.create("c", once("b"))
    s.create("apart", {"op": "ones", "shape": [2]})
    s.delete("variables/a/x").expect(200)
    s.create("a/x", once("c"))
    path = ("a/x -> c -> b -> a/x", "c -> b -> a/x -> c", "b -> a/x -> c -> b")
    for asked in ({}, {"variables": ["b"]}, {"prefix": "a/"}):
        reply = s.refuses(400, "INVALID_ARGUMENT", "cycle", "POST", ":initialize", asked)
        assert any(way in reply.detail for way in path), reply.detail
    s.refuses(400, "INVALID_ARGUMENT", "cycle", "POST", "variables/c:initialize", {})
    assert s.names("?initialized=true") == [], "also what is no part of it"
    s.assign("b", [5, 5])
    s.initialize(only_uninitialized=True)
    assert (s.value("c"), s.value("a/x"), s.value("b")) == ([6, 6], [7, 7], [5, 5]), "a value ends the cycle"


def test_an_id_twice(s):
    one = {"op": "ones", "shape": [2], "id": "a"}
    refused(s, {"op": "add", "args": [one, one]}, "two", "'a'")
    refused(s, {"op": "negative", "args": [one], "id": "a"}, "two", "'a'")
    for name in ("", "x" * 65):
        refused(s, {"op": "ones", "shape": [2], "id": name}, "id", "64")


def test_a_ref_before_its_id(s):
    refused(s, {"op": "add", "args": [{"ref": "a"}, {"op": "ones", "shape": [2], "id": "a"}]}, "'a'", "before")
    refused(s, {"ref": "a"}, "'a'")
    s.create("w", {"op": "ones", "shape": [2], "id": "a"})
    refused(s, {"op": "add", "args": [{"ref": "a"}, 1.0]}, "'a'")


def test_a_ref_to_itself(s):
    refused(s, {"op": "add", "id": "a", "args": [{"ref": "a"}, 1.0]}, "'a'")
    refused(s, {"op": "add", "id": "a", "args": [{"op": "negative", "args": [{"ref": "a"}]}, 1.0]}, "'a'")


def catalogue(s):
    """[(op, its attributes by name, all names it knows)]"""
    ops = s.get("/v1/ops").expect(200).json["ops"]
    return [(op["name"], {a["name"]: a for a in op["attributes"]}, {a["name"] for a in op["attributes"]} |
             {a if isinstance(a, str) else a["name"] for a in op["args"]}) for op in ops]


def turned_down(s, expression, *words):
    """As refused, for many between two looks at the revision."""
    reply = s.post("variables", {"name": "bad", "initial_value": expression})
    s.is_refusal(reply, 400, "INVALID_ARGUMENT", words)
    return reply.detail


def test_every_op_names_what_is_misspelled(s):
    ops = catalogue(s)
    known = {name for name, _, _ in ops}
    with s.unchanged():
        for name, _, fields in ops:
            if name[:-1] not in known:
                detail = turned_down(s, {"op": name[:-1], "args": [1.0]}, f"'{name[:-1]}'")
                assert "did you mean" in detail or len(name) < 6, detail
            for field in fields:
                wrong = field[:-1] + "zz"
                detail = turned_down(s, {"op": name, wrong: 1}, f".{wrong}'")
                assert f"did you mean '{field[:-1]}" in detail or len(field) < 5, (name, detail)


def test_every_attribute_refuses_what_it_is_not(s):
    """An object is no number, no shape, no dtype; a text is no number either. Written as a field or after the arguments."""
    with s.unchanged():
        for name, attributes, _ in catalogue(s):
            for field, attribute in attributes.items():
                turned_down(s, {"op": name, field: {"there is": "no such thing"}}, field)
                if attribute["kind"] != "tensor":
                    turned_down(s, {"op": name, field: "there is no such thing"}, field)
                    turned_down(s, {"op": name, field: [[[1]]]}, field)
        turned_down(s, {"op": "fill", "args": [True, 1.0]}, "args[0]")
        turned_down(s, {"op": "transpose", "args": [[[1.0]], [[0, 1]]]}, "args[1][0]")
        turned_down(s, {"op": "fill", "args": [[2], {"x": 1}]}, "args[1].x")
        turned_down(s, {"op": "fill", "args": [[2, -1], tensor("float32", [], 1)]}, "args[0]", "-1")


def test_every_op_with_too_much_or_too_little(s):
    for name, attributes, _ in catalogue(s):
        required = any(a["required"] for a in attributes.values())
        for args in ([], ["a"] * 30, [True] * 30, [[1.0], [[2.0]], 3]):
            reply = s.post("variables", {"name": "any", "initial_value": {"op": name, "args": args}})
            if reply.status == 201:
                assert args or not required, (name, args)
                s.delete("variables/any").expect(200)
            else:
                s.is_refusal(reply, 400, "INVALID_ARGUMENT")
