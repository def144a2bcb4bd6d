"""Partitioned variables over tasks, and their slices in TensorFlow's files."""

import bundles
import formats
import v1_files

np = formats.np


def graph(s, name, query=""):
    return s.get(f"checkpoints/{name}/graph{query}").expect(200).json


# --- the graph of a checkpoint ---


def test_a_checkpoints_graph_is_that_of_its_saver(s):
    s.create("w", {"op": "zeros", "shape": [2, 3]})
    s.create("b", {"op": "ones", "shape": [3]})
    s.initialize()
    s.save("c")
    got = graph(s, "c")
    assert got["model"] == s.model and got["checkpoint"] == "c"
    assert [n["name"] for n in got["nodes"]] == [
        "b", "w", "save/Const", "save/SaveV2/tensor_names", "save/SaveV2/shape_and_slices", "save/SaveV2",
        "save/control_dependency", "save/RestoreV2/tensor_names", "save/RestoreV2/shape_and_slices", "save/RestoreV2",
        "save/Assign", "save/RestoreV2_1/tensor_names", "save/RestoreV2_1/shape_and_slices", "save/RestoreV2_1",
        "save/Assign_1", "save/restore_all"]
    node = {n["name"]: n for n in got["nodes"]}
    assert node["w"] == {"name": "w", "op": "VariableV2", "inputs": [], "tensor": "w", "dtype": "float32", "shape": [2, 3]}
    assert node["save/Const"]["value"] == "model" and node["save/Const"]["shape"] == []
    assert node["save/SaveV2"]["inputs"] == ["save/Const", "save/SaveV2/tensor_names", "save/SaveV2/shape_and_slices", "b", "w"]
    assert node["save/SaveV2/tensor_names"]["value"] == ["b", "w"]
    assert node["save/SaveV2/shape_and_slices"]["value"] == ["", ""]
    assert node["save/control_dependency"]["inputs"] == ["save/Const", "^save/SaveV2"]
    assert node["save/RestoreV2_1/tensor_names"]["value"] == ["w"]
    assert node["save/RestoreV2_1"]["inputs"] == ["save/Const", "save/RestoreV2_1/tensor_names",
                                                  "save/RestoreV2_1/shape_and_slices"]
    assert node["save/Assign_1"]["inputs"] == ["w", "save/RestoreV2_1"] and node["save/Assign_1"]["tensor"] == "w"
    assert node["save/restore_all"] == {"name": "save/restore_all", "op": "NoOp",
                                        "inputs": ["^save/Assign", "^save/Assign_1"]}
    assert got["saver_def"] == {"filename_tensor_name": "save/Const:0", "save_tensor_name": "save/control_dependency:0",
                                "restore_op_name": "save/restore_all", "sharded": False, "version": "V2"}


def test_names_of_variables_are_not_taken_twice(s):
    for name in ("save", "save_1/Assign", "save_1/SaveV2"):
        s.create(name, 1.0)
    s.initialize()
    s.save("c")
    names = [n["name"] for n in graph(s, "c")["nodes"]]
    assert len(names) == len(set(names)) and "save_1/Assign_3" in names and "save_1/SaveV2_1/tensor_names" in names


def test_some_of_a_graph_and_none(s):
    for name in ("a/w", "a/b", "c"):
        s.create(name, 1.0)
    s.initialize()
    s.save("runs/c")
    some = graph(s, "runs/c", "?prefix=a/")
    assert [n["tensor"] for n in some["nodes"] if n["op"] == "VariableV2"] == ["a/b", "a/w"]
    none = graph(s, "runs/c", "?prefix=z")
    assert none["nodes"] == [] and none["saver_def"] is None
    reply = s.get("checkpoints/runs/c/graph").expect(200)
    s.get("checkpoints/runs/c/graph", {"If-None-Match": reply.etag}).expect(304)
    assert s.get("checkpoints/runs/c/graph?prefix=a/").etag != reply.etag
    s.get("checkpoints/runs/c/graph", {"If-Match": '"1"'}).expect(412)
    s.refuses(400, "INVALID_ARGUMENT", "prefix", "GET", "checkpoints/runs/c/graph?prefix=" + "p" * 481)
    s.refuses(404, "NOT_FOUND", "nothing", "GET", "checkpoints/nothing/graph")
    # A checkpoint may have that name, too: its slash is written as %2F then.
    s.save("runs/graph")
    assert s.get("checkpoints/runs%2Fgraph").expect(200).json["name"] == "runs/graph"
    graph(s, "runs/graph")


def test_a_graph_of_too_many_nodes_is_asked_for_in_parts(s):
    for name in "abcde":
        s.create(name, dtype="int8", shape=[4096], slicing=[4096])
        s.assign(name, {"op": "zeros", "shape": [4096], "dtype": "int8"})
    s.save("c")
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("100000", "prefix="), "GET", "checkpoints/c/graph")
    assert len(graph(s, "c", "?prefix=a")["nodes"]) == 5 * 4096 + 6
