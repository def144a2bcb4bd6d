"""Partitioned variables: one logical tensor, described in parts."""

import formats

np = formats.np


def sliced(s, name, shape, slicing, **fields):
    return s.create(name, dtype="float32", shape=shape, slicing=slicing, **fields).json


def test_the_parts_are_described(s):
    partitions = sliced(s, "w", [20, 43], [1, 4])["partitions"]
    assert partitions["slicing"] == [1, 4] and len(partitions["parts"]) == 4
    where = {"device": "", "assigned_device": s.info("w")["assigned_device"]}
    assert partitions["parts"][0] == {"name": "w/part_0", "shape": [20, 11], "offset": [0, 0], "slice": "0:20,0:11",
                                      "save_spec": "20 43 0,20:0,11", **where}
    assert partitions["parts"][3] == {"name": "w/part_3", "shape": [20, 10], "offset": [0, 33], "slice": "0:20,33:43",
                                      "save_spec": "20 43 0,20:33,10", **where}
    assert s.info("w")["partitions"] == partitions
    s.create("whole", dtype="float32", shape=[4])
    assert s.info("whole")["partitions"] is None


def test_lists_show_the_slicing_alone(s):
    sliced(s, "w", [4096, 2], [4096, 1])
    s.create("whole", dtype="float32", shape=[4])
    many = s.post("variables", [{"name": "a", "dtype": "int8", "shape": [3], "slicing": [2]},
                                {"name": "b", "dtype": "int8", "shape": [3]}]).expect(201).json["variables"]
    assert [v["partitions"] for v in many] == [{"slicing": [2]}, None]
    listed = {v["name"]: v["partitions"] for v in s.get("variables").expect(200).json["variables"]}
    assert listed == {"w": {"slicing": [4096, 1]}, "whole": None, "a": {"slicing": [2]}, "b": None}
    parts = s.info("w")["partitions"]["parts"]
    assert len(parts) == 4096 and parts[4095]["save_spec"] == "4096 2 4095,1:0,2"


def test_partitioners(s):
    for index, (partitioner, dtype, shape, slicing) in enumerate((
            ({"type": "variable_axis_size", "max_shard_bytes": 2048, "axis": 3, "max_shards": None}, "float32",
             [4, 8, 16, 32], [1, 1, 1, 32]),
            ({"type": "variable_axis_size", "max_shard_bytes": 1024, "axis": 3, "max_shards": 33}, "float32",
             [4, 8, 16, 32], [1, 1, 1, 32]),
            ({"type": "variable_axis_size", "max_shard_bytes": 1024, "axis": 3, "max_shards": 5}, "float32",
             [4, 8, 16, 32], [1, 1, 1, 5]),
            ({"type": "variable_axis_size", "max_shard_bytes": 100, "bytes_per_string_element": 10}, "string",
             [20, 2], [4, 1]),
            ({"type": "min_max_variable", "max_partitions": 100, "axis": 0, "min_slice_size": 256 << 10}, "float32",
             [2048, 1024], [32, 1]),
            ({"type": "min_max", "max_partitions": 100, "axis": 0, "min_slice_size": 128 << 10}, "float32",
             [2048, 1024], [64, 1]),
            ({"type": "min_max", "max_partitions": 100, "axis": 0, "min_slice_size": 512 << 10}, "float32",
             [2048, 1024], [16, 1]),
            ({"type": "min_max", "max_partitions": 100}, "float32", [2048, 1024], [32, 1]),
            ({"type": "min_max_variable"}, "float32", [2048, 1024], [1, 1]),
            ({"type": "fixed_size", "num_shards": 5, "axis": 0}, "float32", [10, 10], [5, 1]),
            ({"type": "fixed_size", "num_shards": 50, "axis": -1}, "float32", [10, 7], [1, 7]))):
        made = s.create(f"v{index}", dtype=dtype, shape=shape, partitioner=partitioner).json
        assert made["partitions"]["slicing"] == slicing, (partitioner, made["partitions"]["slicing"])


def test_a_partitioner_divides_what_the_initial_value_is(s):
    made = s.create("w", {"op": "zeros", "shape": [6, 10], "dtype": "float64"},
                    partitioner={"type": "variable_axis_size", "max_shard_bytes": 160}).json
    assert made["partitions"]["slicing"] == [3, 1]
    s.initialize()
    assert not s.array("w").any() and s.info("w")["partitions"] == made["partitions"]


def test_names_are_made_unique(s):
    body = {"dtype": "float32", "shape": [2, 4], "slicing": [1, 2]}
    names = [s.post("variables", body).expect(201).json["name"] for _ in range(2)]
    assert names == ["PartitionedVariable", "PartitionedVariable_1"]
    for name in ("hi/PartitionedVariable", "hi/PartitionedVariable_1"):
        made = s.post("variables", {**body, "name": "hi/PartitionedVariable", "uniquify": True}).expect(201).json
        assert made["name"] == name
        assert [part["name"] for part in made["partitions"]["parts"]] == [name + "/part_0", name + "/part_1"]
    del body["slicing"]
    assert s.post("variables", body).expect(201).json["name"] == "Variable"


def test_what_cannot_be_divided_is_refused(s):
    base = {"name": "w", "dtype": "float32", "shape": [4, 4]}
    fixed = {"type": "fixed_size", "num_shards": 2}
    for fields, words in (
            ({"slicing": [2, 2]}, "Can only slice a variable along one dimension: shape: [4, 4], slicing: [2, 2]"),
            ({"shape": [2, 4], "slicing": [3, 1]}, "Cannot create 3 slices for size 2. shape: [2, 4], slicing: [3, 1]"),
            ({"shape": [], "slicing": []}, "A partitioned Variable must have rank at least 1"),
            ({"shape": [], "partitioner": fixed}, "A partitioned Variable must have rank at least 1, shape: ()"),
            ({"shape": [0, 4], "partitioner": fixed}, "Partitioner returned zero partitions for some axes: [0, 1]"),
            ({"shape": [0, 4], "partitioner": {**fixed, "axis": 1}}, "Cannot create 1 slices for size 0. shape: [0, 4], slicing: [1, 2]"),
            ({"slicing": [2]}, "The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: [4, 4], slicing: [2]"),
            ({"slicing": [0, 1]}, "Partitioner returned zero partitions for some axes: [0, 1]"),
            ({"slicing": [-1, 1]}, "slicing"), ({"slicing": 2}, "slicing"), ({"slicing": None}, "slicing"),
            ({"slicing": [1.5, 1]}, "slicing"), ({"slicing": [2, 1], "partitioner": fixed}, "not both"),
            ({"shape": [10 ** 6, 1], "slicing": [4097, 1]}, ("4097", "4096")),
            ({"partitioner": "fixed_size"}, "partitioner"), ({"partitioner": None}, "partitioner"),
            ({"partitioner": {"num_shards": 2}}, "type"),
            ({"partitioner": {"type": "fixed"}}, ("fixed", "min_max_variable")),
            ({"partitioner": {"type": "fixed_size"}}, "num_shards"),
            ({"partitioner": {"type": "variable_axis_size"}}, "max_shard_bytes"),
            ({"partitioner": {**fixed, "num_shards": -3}}, "Partitioner returned zero partitions for some axes: [-3, 1]"),
            ({"partitioner": {"type": "variable_axis_size", "max_shard_bytes": 0}},
             "Both max_shard_bytes and bytes_per_string_element must be positive."),
            ({"partitioner": {"type": "variable_axis_size", "max_shard_bytes": 8, "max_shards": -1}}, "max_shards must be positive."),
            ({"partitioner": {"type": "min_max_variable", "min_slice_size": 0}}, "min_slice_size is 0"),
            ({"partitioner": {"type": "min_max_variable", "axis": 2}},
             "Can not partition variable along axis 2 when shape is only (4, 4)"),
            ({"partitioner": {**fixed, "axis": 2}}, "axis 2"), ({"partitioner": {**fixed, "axis": 0.5}}, "axis"),
            ({"partitioner": {**fixed, "max_shards": 2}}, "max_shards"),
            ({"slicing": [2, 1], "validate_shape": False}, "keeps its shape")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {**base, **fields})
    assert s.names() == []


def test_one_part_is_read_and_written_as_a_slice(s):
    parts = sliced(s, "w", [3, 7], [1, 3])["partitions"]["parts"]
    whole = np.arange(21, dtype="<f4").reshape(3, 7)
    s.assign("w", whole.tolist())  # r1.0 has no assign for these
    pieces = [s.array("w", slice=part["slice"]) for part in parts]
    assert [list(piece.shape) for piece in pieces] == [part["shape"] for part in parts] == [[3, 3], [3, 2], [3, 2]]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    s.put("variables/w:value?slice=" + parts[1]["slice"], formats.npy_write(-pieces[1]),
          {"Content-Type": "application/x-npy"}).expect(200)
    whole[:, 3:5] *= -1
    assert np.array_equal(s.array("w"), whole)
    s.post("variables/w:assign_add", {"value": {"variable": "w"}}).expect(200)
    assert np.array_equal(s.array("w"), whole + whole)


def test_the_shape_never_changes(s):
    sliced(s, "w", [4], [2])
    for body in ({"value": [1, 2, 3]}, {"value": [1, 2, 3], "validate_shape": False}):
        s.refuses(400, "INVALID_ARGUMENT", ("w", "[4]", "[3]"), "POST", "variables/w:assign", body)
    s.assign("w", [1, 2, 3, 4], validate_shape=False)
    s.put_npy("w", np.array([4, 3, 2, 1], "<f4"))
    assert s.info("w")["partitions"]["slicing"] == [2] and s.value("w") == [4, 3, 2, 1]


def test_a_checkpoint_is_restored_into_any_slicing(s):
    """SaveRestoreShardedTest.testPartitionedVariables"""
    data = np.arange(30, dtype="<f4").reshape(10, 3)

    def make(slicing, value):
        fields = {} if slicing is None else {"slicing": slicing}
        s.create("my_var", {"op": "zeros", "shape": [10, 3]}, **fields)
        s.initialize()
        s.assign("my_var", value.tolist())

    for index, (saved, restored) in enumerate((([10, 1], [2, 1]), ([10, 1], [1, 3]), ([10, 1], None), (None, [1, 3]))):
        make(saved, data)
        s.save(f"pv{index}")
        entries = s.get(f"checkpoints/pv{index}").expect(200).json["tensors"]
        assert [entry["name"] for entry in entries] == ["my_var"]
        s.delete("variables/my_var").expect(200)
        make(restored, np.zeros((10, 3)))
        s.restore(f"pv{index}")
        assert np.array_equal(s.array("my_var"), data), (saved, restored)
        partitions = s.info("my_var")["partitions"]
        assert (partitions and partitions["slicing"]) == restored
        s.delete("variables/my_var").expect(200)
    s.post("checkpoints/pv0:restore", {"create": True}).expect(200)
    assert s.info("my_var")["partitions"] is None, "what is made by restoring is whole"


def test_parts_survive_a_kill(s):
    made = sliced(s, "w", [20, 43], [1, 3])["partitions"]
    s.kill9()
    s.restart()
    assert s.info("w")["partitions"] == made
