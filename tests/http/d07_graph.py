"""The graph that a model's variables stand for in TensorFlow r1.0: names, nodes, edges, and seeds that count nodes."""

import formats

np = formats.np

UNIFORM = {"op": "random_uniform", "shape": [1, 5], "minval": -1.7320508075688772, "maxval": 1.7320508075688772}
TRUNCATED = {"op": "truncated_normal", "shape": [1]}


def model(s, name, **fields):
    s.put(f"/v1/models/{name}", fields).expect(201)
    s.model = name


def graph(s, query=""):
    return s.get(f"graph{query}").expect(200).json


def nodes(s, variable=None):
    return [n for n in graph(s)["nodes"] if variable in (None, n["variable"])]


def names(s, variable=None):
    return [n["name"] for n in nodes(s, variable)]


def inputs(s):
    return {n["name"]: n["inputs"] for n in nodes(s)}


def drawn(s, name):
    s.initialize(variables=[name])
    return [f"{x:.8f}" for x in s.array(name).ravel().astype(float)]


# --- what the graph says ---


def test_the_guides_two_variables(s):
    s.create("weights", {"op": "random_normal", "shape": [784, 200], "stddev": 0.35})
    s.create("w2", {"initialized_value": "weights"})
    s.create("w_twice", {"op": "multiply", "args": [{"initialized_value": "weights"}, 2.0]})
    assert names(s, "weights") == [
        "random_normal/shape", "random_normal/mean", "random_normal/stddev", "random_normal/RandomStandardNormal",
        "random_normal/mul", "random_normal", "weights", "weights/Assign", "weights/read"]
    assert names(s, "w2") == ["Identity", "w2", "w2/Assign", "w2/read"]
    assert names(s, "w_twice") == ["Identity_1", "Mul/y", "Mul", "w_twice", "w_twice/Assign", "w_twice/read"]
    got = inputs(s)
    assert got["random_normal/mul"] == ["random_normal/RandomStandardNormal", "random_normal/stddev"]
    assert got["random_normal"] == ["random_normal/mul", "random_normal/mean"]
    assert got["weights/Assign"] == ["weights", "random_normal"] and got["weights/read"] == ["weights"]
    assert got["Identity"] == ["weights", "^weights/Assign"] and got["Mul"] == ["Identity_1", "Mul/y"]
    assert graph(s)["edges"] == [{"from": "weights", "to": "w2", "kind": "initialized_value"},
                                 {"from": "weights", "to": "w_twice", "kind": "initialized_value"}]
    types = {n["name"]: (n["op"], n.get("dtype"), n.get("shape")) for n in nodes(s)}
    assert types["weights"] == ("VariableV2", "float32", [784, 200]) and types["Mul/y"] == ("Const", "float32", [])
    assert types["random_normal/shape"] == ("Const", "int32", [2])
    assert types["random_normal/stddev"] == ("Const", "float32", [])


def test_metadata_names_the_nodes_of_the_graph(s):
    s.create("Mul", {"op": "multiply", "args": [{"op": "ones", "shape": [2]}, 2.0]})
    s.create("random_normal", {"op": "random_normal", "shape": [2]})
    s.create("declared", dtype="float32", shape=[2])
    for name in ("Mul", "random_normal", "declared"):
        ops, there = s.info(name)["ops"], names(s, name)
        assert all(op in there for op in ops.values() if op is not None), (ops, there)
    # The op's scope was there first: the variable's node is numbered, the variable is not renamed.
    assert s.info("random_normal")["ops"]["variable"] == "random_normal_1"
    assert names(s, "declared") == ["declared", "declared/read"]
    assert s.info("declared")["ops"]["initializer"] is None
    everything = names(s)
    assert len(everything) == len(set(everything)), everything


def test_names_are_uniquified_by_counters_that_deletion_does_not_turn_back(s):
    for name in ("a", "b", "c"):
        s.create(name, {"op": "zeros", "shape": [2]})
    assert [names(s, v)[0] for v in "abc"] == ["zeros", "zeros_1", "zeros_2"]
    s.delete("variables/b").expect(200)
    s.create("d", {"op": "zeros", "shape": [2]})
    s.create("zeros_4", 1.0)
    s.create("e", {"op": "zeros", "shape": [2]})
    s.create("f", {"op": "zeros", "shape": [2]})
    assert [names(s, v)[0] for v in "acdef"] == ["zeros", "zeros_2", "zeros_3", "zeros_5", "zeros_6"]
    assert names(s, "b") == []
    s.restart()
    s.create("g", {"op": "zeros", "shape": [2]})
    assert names(s, "g")[0] == "zeros_7"


def test_names_of_inner_nodes_are_nobodys_twice(s):
    s.create("w", 1.0)
    s.create("w/read", 1.0)
    s.create("v/Assign", 1.0)
    s.create("v", 1.0)
    s.create("Mul/y", 1.0)
    s.create("m", {"op": "multiply", "args": [{"variable": "w"}, 2.0]})
    s.create("Mul_1/y", 1.0)
    everything = names(s)
    assert len(everything) == len(set(everything)), sorted(everything)
    for name in ("w", "w/read", "v/Assign", "v", "m"):
        ops = s.info(name)["ops"]
        assert set(ops.values()) <= set(names(s, name)), (name, ops)


def test_literals_variables_and_attributes_that_are_tensors(s):
    s.create("c", [[1, 2], [3, 4]])
    s.create("n", {"op": "negative", "args": [{"variable": "c"}]})
    s.create("r", {"op": "reshape", "args": [{"variable": "c"}], "shape": [4]})
    s.create("copy", {"variable": "c"})
    got = inputs(s)
    assert names(s, "c") == ["c/initial_value", "c", "c/Assign", "c/read"] and got["c/Assign"] == ["c", "c/initial_value"]
    assert got["Neg"] == ["c/read"] and got["Reshape"] == ["c/read", "Reshape/shape"]
    assert names(s, "copy") == ["copy", "copy/Assign", "copy/read"] and got["copy/Assign"] == ["copy", "c/read"]
    assert {"from": "c", "to": "copy", "kind": "variable"} in graph(s)["edges"]


def test_an_expression_that_is_meant_twice_is_made_once(s):
    s.create("x", {"op": "add", "args": [{"id": "u", "op": "random_uniform", "shape": [2]}, {"ref": "u"}]})
    assert names(s, "x")[-4:] == ["Add", "x", "x/Assign", "x/read"] and len(names(s, "x")) == 7 + 1 + 3
    assert inputs(s)["Add"] == ["random_uniform", "random_uniform"]


def test_initializers_lie_below_their_variable(s):
    s.create("w", {"op": "truncated_normal_initializer", "stddev": 0.1}, shape=[2, 3], dtype="float32")
    s.create("b", {"op": "zeros_initializer"}, shape=[3], dtype="float32")
    s.create("o", {"op": "orthogonal_initializer"}, shape=[3, 2], dtype="float32")
    assert names(s, "w")[:2] == ["w/Initializer/truncated_normal/shape", "w/Initializer/truncated_normal/mean"]
    assert inputs(s)["w/Assign"] == ["w", "w/Initializer/truncated_normal"]
    assert names(s, "b") == ["b/Initializer/zeros", "b", "b/Assign", "b/read"]
    assert names(s, "o")[0] == "o/Initializer/random_uniform/shape"
    assert inputs(s)["o/Assign"] == ["o", "o/Initializer/mul"]


def test_nodes_are_on_the_device_that_was_around_them(s):
    s.create("w", {"op": "random_normal", "shape": [2]}, device="/job:ps/task:0")
    s.create("c", 1.0, device="/job:ps", caching_device="/job:worker/cpu:0")
    s.create("i", {"op": "zeros_initializer"}, shape=[2], dtype="float32", device="/job:ps")
    s.create("n", 1.0)
    told = {n["name"]: (n.get("device"), n.get("colocated_with")) for n in nodes(s)}
    assert {told[n] for n in told if n.startswith("random_normal")} == {("/job:ps/task:0", None)}
    assert told["w"] == ("/job:ps/task:0", None) and told["w/Assign"] == told["w/read"] == ("/job:ps/task:0", "w")
    assert told["c/initial_value"] == ("/job:ps", None) and told["c/Assign"] == ("/job:ps", "c")
    assert told["c/read"] == ("/job:worker/device:CPU:0", None)
    assert told["i/Initializer/zeros"] == (None, "i") and told["i"] == ("/job:ps", None)
    assert told["n"] == (None, None) and told["n/read"] == (None, "n")


def test_a_variable_whose_source_is_gone_is_still_shown(s):
    s.create("x", 2.0)
    s.create("y", {"op": "add", "args": [{"variable": "x"}, {"op": "random_normal", "shape": []}]})
    s.delete("variables/x").expect(200)
    assert names(s, "y")[-4:] == ["Add", "y", "y/Assign", "y/read"]
    assert inputs(s)["Add"] == ["x/read", "random_normal"]


# --- as a list ---


def test_pages_in_the_order_made_and_filtered(s):
    made = ["z", "a/1", "m", "a/0", "b"]
    for name in made:
        s.create(name, 1.0)
    whole = graph(s)
    assert [n["name"] for n in whole["nodes"] if n["op"] == "VariableV2"] == made
    assert whole["model"] == s.model and whole["next_page_token"] is None and whole["graph_nodes"] == 20
    seen, token = [], ""
    while token is not None:
        page = graph(s, f"?page_size=2&page_token={token}")
        seen += page["nodes"]
        assert len({n["variable"] for n in page["nodes"]}) <= 2
        token = page["next_page_token"]
    assert seen == whole["nodes"]
    assert {n["variable"] for n in graph(s, "?prefix=a/")["nodes"]} == {"a/1", "a/0"}
    assert graph(s, "?prefix=none")["nodes"] == []


def test_etags_head_and_what_is_refused(s):
    s.create("w", 1.0)
    first = s.get("graph").expect(200)
    assert s.get("graph", {"If-None-Match": first.etag}).status == 304
    assert s.head("graph").expect(200).etag == first.etag
    s.create("v", 1.0)
    assert s.get("graph", {"If-None-Match": first.etag}).expect(200).etag != first.etag
    s.refuses(404, "NOT_FOUND", "absent", "GET", "/v1/models/absent/graph")
    s.refuses(405, "METHOD_NOT_ALLOWED", "", "POST", "graph", {})
    s.refuses(400, "INVALID_ARGUMENT", "page_token", "GET", "graph?page_token=w")
    s.refuses(400, "INVALID_ARGUMENT", "page_size", "GET", "graph?page_size=0")
    s.refuses(400, "INVALID_ARGUMENT", "collection", "GET", "graph?collection=x")


# --- seeds ---


def seeds(s, variable):
    return [(n["seed"], n["op_seed"]) for n in nodes(s, variable) if "op_seed" in n]


def test_seeds_are_told_where_they_are_known(s):
    s.create("fresh", {"op": "random_normal", "shape": [2]})
    s.create("given", {"op": "random_normal", "shape": [2], "seed": 7})
    assert seeds(s, "fresh") == [] and seeds(s, "given") == [(87654321, 7)]
    model(s, "graph_by_name", seed=5)
    s.create("w", {"op": "random_normal", "shape": [2]})
    s.initialize()
    drawn_with = s.info("w")["initialized_with"][0]
    assert seeds(s, "w") == [(drawn_with["seed"], drawn_with["seed2"])]


def test_op_seeds_count_nodes_as_tensorflow_does(s):
    model(s, "graph_42", seed=42, seed_mode="tf")
    s.create("y", UNIFORM)
    assert drawn(s, "y") == ["0.47769845", "-1.17613626", "-1.06156325", "-0.85632306", "-0.62591958"]
    assert seeds(s, "y") == [(42, 3)]
    model(s, "graph_42_later", seed=42, seed_mode="tf")
    s.create("y", {"op": "add", "args": [{"op": "fill", "dims": [1, 5], "value": 0.0}, UNIFORM]})
    assert seeds(s, "y") == [(42, 6)]
    assert drawn(s, "y") == ["1.58872545", "0.94011414", "-1.35924089", "1.19359171", "1.48940694"]
    model(s, "graph_1", seed=1, seed_mode="tf")
    s.create("w", {"op": "add", "args": [{"op": "zeros_like", "args": [TRUNCATED]}, TRUNCATED]})
    assert seeds(s, "w") == [(1, 3), (1, 10)]
    assert f"{s.initialize() and s.array('w')[0]:.7f}" == "-0.4487586"
    model(s, "graph_777", seed=777, seed_mode="tf")
    s.create("n", {"op": "random_normal", "shape": [3, 3]})
    s.initialize()
    assert s.bytes_of("n")[:12] == bytes.fromhex("d75a0d40c4743bbf91b0ab3e")


def test_each_call_takes_its_nodes(s):
    """Positions in an empty graph: six nodes for a normal, seven and four for uniforms, one for a shuffle; three more for
    the variable, four when its value is written out, two when it has none."""
    model(s, "graph_positions", seed=1, seed_mode="tf")
    normal = {"op": "random_normal", "shape": [2]}
    at = 0
    for name, value, before, taken in (
            ("a", normal, 3, 9), ("b", {"op": "random_uniform", "shape": [2]}, 3, 10),
            ("c", {"op": "random_uniform", "shape": [2], "maxval": 9, "dtype": "int32"}, 3, 7),
            ("d", {"op": "random_shuffle", "args": [{"variable": "a"}]}, 0, 4), ("e", 1.5, None, 4),
            ("f", {"op": "random_shuffle", "args": [[1, 2, 3]]}, 0, 5), ("g", normal, 3, 9)):
        s.create(name, value)
        if before is not None:
            assert seeds(s, name) == [(1, at + before)], (name, seeds(s, name), at)
        at += taken
        assert graph(s)["graph_nodes"] == at, (name, at)
        if name == "a":
            s.initialize(variables=["a"])
    s.make("h", [1.0, 2.0])
    s.create("i", dtype="float32", shape=[2])
    assert graph(s)["graph_nodes"] == at + 4
    s.delete("variables/a").expect(200)
    s.create("j", normal)
    assert seeds(s, "j") == [(1, at + 4 + 3)], "deletion gives no numbers back"


def test_several_in_one_request_count_on(s):
    model(s, "graph_many", seed=1, seed_mode="tf")
    normal = {"op": "random_normal", "shape": [2]}
    s.post("variables", [{"name": n, "initial_value": normal} for n in ("z", "a")]).expect(201)
    assert seeds(s, "z") == [(1, 3)] and seeds(s, "a") == [(1, 12)]
    s.post("variables", [{"name": "q", "initial_value": normal}, {"name": "z", "initial_value": 1}]).expect(409)
    s.create("b", normal)
    assert seeds(s, "b") == [(1, 21)], "what was refused took nothing"


def test_updates_take_their_nodes_when_they_draw(s):
    model(s, "graph_update", seed=42, seed_mode="tf")
    uniform = {"op": "random_uniform", "shape": [1, 5], "seed": 3, "minval": UNIFORM["minval"], "maxval": UNIFORM["maxval"]}
    s.create("given", uniform)
    s.create("v", dtype="float32", shape=[1, 5])
    at = graph(s)["graph_nodes"]
    s.assign("v", UNIFORM)
    assert graph(s)["graph_nodes"] == at + 7 + 1
    first = s.array("v")
    s.assign("v", UNIFORM)
    assert not np.array_equal(first, s.array("v")), "another op, another seed"
    s.assign("v", {**uniform, "seed": at + 3})
    assert np.array_equal(first, s.array("v")) and graph(s)["graph_nodes"] == at + 16
    s.assign("v", np.zeros((1, 5)).tolist())
    assert graph(s)["graph_nodes"] == at + 16, "what draws nothing counts for nothing"


def test_big_updates_take_their_nodes_too(s):
    model(s, "graph_big_update", seed=1, seed_mode="tf")
    s.create("v", dtype="float32", shape=[600000])
    s.assign("v", {"op": "random_uniform", "shape": [600000]})
    big = s.array("v")
    assert graph(s)["graph_nodes"] == 2 + 8
    s.assign("v", {"op": "random_uniform", "shape": [600000], "seed": 5})
    assert np.array_equal(s.array("v"), big)


def test_names_still_decide_where_nothing_else_was_said(s):
    model(s, "graph_plain", seed=9)
    s.create("filler", {"op": "random_normal", "shape": [4]})
    s.create("w", {"op": "random_normal", "shape": [4]})
    s.initialize()
    first = s.array("w")
    model(s, "graph_plain_too", seed=9, seed_mode="name")
    s.create("w", {"op": "random_normal", "shape": [4]})
    s.initialize()
    assert np.array_equal(first, s.array("w"))
