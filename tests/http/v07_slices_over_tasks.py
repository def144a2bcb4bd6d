"""Partitioned variables over tasks, and their slices in TensorFlow's files."""

import bundles
import formats
import v1_files

np = formats.np

FLAGS = ("--cluster", "ps=4")


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


# --- slices in TensorFlow's files ---


def exported(s, name, format, query=""):
    files = bundles.untar(s.get(f"checkpoints/{name}:export?format={format}&container=tar{query}").expect(200).body)
    files.pop("checkpoint", None)
    return files


def saved_bundle(name, shards, tensors):
    """The files that TensorFlow's savers write: tensors in the order of their names, each with its slices in the order
    of the parts, each slice in its shard. tensors: [(name, array or strings, axis, parts, [shard of each part])]"""
    making = bundles.Making(shards=shards)
    for tensor, array, axis, parts, places in tensors:
        dtype = "string" if array.dtype == object else str(array.dtype)
        listed = []
        for (begin, size), shard in zip(cut(array.shape[axis] if parts else 0, parts), places):
            spec = [(0, length) for length in array.shape]
            spec[axis] = (begin, size)
            listed.append((spec, data_of(np.take(array, range(begin, begin + size), axis)), shard))
        if len(listed) > 1:
            making.add_slices(tensor, dtype, array.shape, listed)
            by_shard = sorted(listed, key=lambda part: part[2])
            making.records[tensor.encode()] = bundles.entry(dtype, array.shape, slices=[part for part, _, _ in by_shard])
        else:
            making.add(tensor, dtype, array.shape, data_of(array), places[0])
    return {file: data for file, data in making.files(name).items() if data or len(making.data) == 1}


def cut(size, parts):
    sizes = [size // parts + (i < size % parts) for i in range(parts)] if parts else []
    return [(sum(sizes[:i]), length) for i, length in enumerate(sizes)]


def data_of(array):
    return [bytes(x) for x in array.reshape(-1)] if array.dtype == object else np.ascontiguousarray(array).tobytes()


def test_a_partitioned_variable_is_written_in_slices(s):
    arrays = {"rows": np.arange(43 * 6, dtype="<f4").reshape(43, 6), "cols": np.arange(20 * 43, dtype="<i8").reshape(20, 43),
              "one": np.arange(5, dtype="<f4"), "whole": np.arange(4, dtype="<f8"),
              "deep": np.arange(2 * 7 * 3, dtype="<i2").reshape(2, 7, 3)}
    slicings = {"rows": [4, 1], "cols": [1, 4], "one": [1], "deep": [1, 3, 1]}
    for name, array in arrays.items():
        fields = {"slicing": slicings[name]} if name in slicings else {}
        s.create(name, dtype=str(array.dtype), shape=list(array.shape), **fields)
        s.put_npy(name, array)
    s.save("c")
    listed = {t["name"]: t.get("slicing") for t in s.get("checkpoints/c").expect(200).json["tensors"]}
    assert listed == {**slicings, "whole": None}
    axis = {name: int(np.argmax(slicing)) for name, slicing in slicings.items()}
    want = saved_bundle("c", 1, [(name, arrays[name], axis.get(name, 0), max(slicings.get(name, [0])), [0] * 9)
                                 for name in sorted(arrays)])
    got = exported(s, "c", "tf_v2")
    assert set(got) == set(want)
    for file, data in want.items():
        assert got[file] == data, file
    read = bundles.read(got, "c")
    assert list(read) == sorted(arrays)
    for name, array in arrays.items():
        assert read[name] == (str(array.dtype), list(array.shape), array.tobytes()), name


def test_a_v1_file_has_the_same_slices(s):
    array = np.arange(10 * 3, dtype="<f4").reshape(10, 3)
    s.create("w", dtype="float32", shape=[10, 3], slicing=[1, 3])
    s.create("one", dtype="float32", shape=[10, 3], slicing=[1, 1])
    s.create("whole", dtype="int32", shape=[2])
    for name in ("w", "one"):
        s.put_npy(name, array)
    s.assign("whole", [7, -7])
    s.save("c")
    columns = [([(0, 10), (i, 1)], array[:, i].tobytes()) for i in range(3)]
    want = v1_files.write([("one", "float32", [10, 3], [([(0, 10), (0, 3)], array.tobytes())]),
                           ("w", "float32", [10, 3], columns),
                           ("whole", "int32", [2], np.array([7, -7], "<i4").tobytes())])
    assert s.get("checkpoints/c:export?format=tf_v1").expect(200).body == want


def test_slices_of_many_chunks(s):
    """Parts begin and end inside the store's chunks; those of rows are lent, those of columns put together, or lent where a
    row of one is long."""
    array = np.random.default_rng(2).integers(0, 1 << 30, (700, 1500)).astype("<i4")
    wide = array.reshape(3, 350000)
    for name, value, slicing in (("cols", array, [1, 7]), ("rows", array, [9, 1]), ("wide", wide, [1, 4])):
        s.create(name, dtype="int32", shape=list(value.shape), slicing=slicing)
        s.put_npy(name, value)
    s.save("c")
    got = exported(s, "c", "tf_v2")
    want = saved_bundle("c", 1, [("cols", array, 1, 7, [0] * 7), ("rows", array, 0, 9, [0] * 9), ("wide", wide, 1, 4, [0] * 4)])
    for file, data in want.items():
        assert got[file] == data, file
    v1 = s.get("checkpoints/c:export?format=tf_v1").expect(200).body
    for body in (bundles.tar(got), v1):
        s.put("checkpoints/d?overwrite=true", body)
        s.restore("d")
        assert np.array_equal(s.array("cols"), array) and np.array_equal(s.array("wide"), wide)


def test_strings_are_cut_where_a_part_lies_together(s):
    texts = ["", "one", "zwei \u00fc", "x" * 300] * 5
    for name, shape, slicing in (("rows", [10, 2], [3, 1]), ("cols", [10, 2], [1, 2]), ("deep", [1, 20], [1, 7])):
        s.create(name, dtype="string", shape=shape, slicing=slicing)
        s.assign(name, {"dtype": "string", "shape": shape, "data": texts})
    s.save("c")
    whole = np.array([text.encode() for text in texts], object)
    want = saved_bundle("c", 1, [("cols", whole.reshape(10, 2), 0, 0, [0]), ("deep", whole.reshape(1, 20), 1, 7, [0] * 7),
                                 ("rows", whole.reshape(10, 2), 0, 3, [0] * 3)])
    got = exported(s, "c", "tf_v2")
    for file, data in want.items():
        assert got[file] == data, file
    v1 = s.get("checkpoints/c:export?format=tf_v1").expect(200).body
    read = v1_files.read(v1)
    assert [len(read[name][2]) for name in ("cols", "deep", "rows")] == [1, 7, 3]
    for name in read:
        assert v1_files.assembled(*read[name]) == list(whole)
    for name, body in (("v1", v1), ("v2", bundles.tar(got))):
        s.put(f"checkpoints/{name}", body).expect(201)
        for tensor in read:
            data = s.get(f"checkpoints/{name}:value?tensor={tensor}").expect(200).json["data"]
            assert [text for row in data for text in row] == texts


def test_files_with_slices_come_in_whole_and_go_out_as_they_were(s):
    array = np.random.default_rng(3).standard_normal((43, 20)).astype("<f4")
    table = np.arange(3000, dtype="<i8")
    files = saved_bundle("c", 3, [("emb", array, 0, 4, [0, 2, 1, 0]), ("table", table, 0, 7, [2] * 7),
                                  ("w", array, 1, 3, [1, 0, 2]), ("whole", table, 0, 0, [1])])
    s.put("checkpoints/c", bundles.tar(files)).expect(201)
    assert [t.get("slicing") for t in s.get("checkpoints/c").json["tensors"]] == [[4, 1], [7], [1, 3], None]
    assert exported(s, "c", "tf_v2") == files
    for name, slicing in (("emb", None), ("w", [2, 1])):
        fields = {} if slicing is None else {"slicing": slicing}
        s.create(name, dtype="float32", shape=[43, 20], **fields)
    s.restore("c", variables=["emb", "w"])
    assert np.array_equal(s.array("emb"), array) and np.array_equal(s.array("w"), array)
    v1 = exported(s, "c", "tf_v1")
    assert sorted(v1) == [f"c-0000{i}-of-00003" for i in range(3)]
    read = [v1_files.read(v1[file]) for file in sorted(v1)]
    assert [sorted(tensors) for tensors in read] == [["emb", "w"], ["emb", "w", "whole"], ["emb", "table", "w"]]
    assert list(read[2]["w"][2]) == [((0, 43), (14, 6))] and list(read[0]["emb"][2]) == [
        ((0, 11), (0, 20)), ((33, 10), (0, 20))]
    s.put("checkpoints/d", bundles.tar(v1)).expect(201)
    again = exported(s, "d", "tf_v1")
    assert {name.replace("d-", "c-"): data for name, data in again.items()} == v1
    assert exported(s, "d", "tf_v2") == {file.replace("c.", "d."): data for file, data in files.items()}


def test_slices_that_are_no_partition_come_in_whole_and_go_out_whole(s):
    making = bundles.Making()
    making.add_slices("w", "int8", [6], [([(0, 1)], b"a", 0), ([(1, 5)], b"bcdef", 0)])
    s.put("checkpoints/c", bundles.tar(making.files("c"))).expect(201)
    assert "slicing" not in s.get("checkpoints/c").json["tensors"][0]
    assert exported(s, "c", "tf_v2") == bundles.write([("w", "int8", [6], b"abcdef")], "c")


def test_slices_that_are_not_all_of_a_tensor_are_refused_in_tensorflows_words(s):
    words = "Does not have sufficient slices for partitioned tensor w to restore in slice_spec: -:-"
    part = [(0, 1), (0, 3)]
    making = bundles.Making()
    making.add_slices("w", "int8", [2, 3], [(part, b"abc", 0)])
    s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "checkpoints/c", bundles.tar(making.files()))
    s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "checkpoints/c",
              v1_files.write([("w", "int8", [2, 3], [(part, b"abc")])]))


def test_another_shape_is_refused_in_the_words_of_slices(s):
    s.create("w", {"op": "zeros", "shape": [4, 3]}, slicing=[2, 1])
    s.initialize()
    s.save("c")
    s.delete("variables/w").expect(200)
    s.create("w", {"op": "zeros", "shape": [3, 4]}, slicing=[1, 2])
    s.refuses(400, "INVALID_ARGUMENT",
              "Shape in shape_and_slice spec [3,4] does not match the shape stored in checkpoint: [4,3]",
              "POST", "checkpoints/c:restore", {})
    s.restore("c", reshape=True)



# --- over tasks ---

# name, dtype, shape, partitioner, axis, parts
VARIABLES = [("a", "float32", [10, 6], {"type": "fixed_size", "num_shards": 5}, 0, 5),
             ("b", "float64", [3, 7], {"type": "variable_axis_size", "max_shard_bytes": 48, "axis": 1}, 1, 4),
             ("c", "int32", [40], {"type": "min_max", "max_partitions": 6, "min_slice_size": 32}, 0, 5),
             ("d", "float32", [4], None, 0, 0)]


def chosen(strategy, tasks):
    """The task of each part: TensorFlow's strategies draw for each, in the order they are made."""
    loads, places, turn = [0] * tasks, {}, 0
    for name, dtype, shape, _, axis, parts in VARIABLES:
        for _, length in cut(shape[axis], parts) if parts else [(0, shape[axis])]:
            size = formats.count_of(shape) // shape[axis] * length * formats.SIZE[dtype]
            task = turn % tasks if strategy == "round_robin" else loads.index(min(loads))
            loads[task] += size
            turn += 1
            places.setdefault(name, []).append(task)
    return places, loads


def arrays_of(seed):
    draw = np.random.default_rng(seed)
    return {name: draw.integers(0, 1000, shape).astype(formats.NUMPY[dtype]) for name, dtype, shape, *_ in VARIABLES}


def fill(s, arrays):
    for name, array in arrays.items():
        s.put_npy(name, array)


def holds(s, arrays):
    for name, array in arrays.items():
        assert np.array_equal(s.array(name), array), name


def new_model(s, name, **fields):
    s.model = name
    s.put("", fields).expect(201)


def make_all(s, partitioners=True):
    for name, dtype, shape, partitioner, _, _ in VARIABLES:
        fields = {"partitioner": partitioner} if partitioner and partitioners else {}
        s.create(name, dtype=dtype, shape=shape, **fields)


def files_of(name, arrays, places):
    """What a sharded saver of them writes: a shard for each task that has something."""
    used = sorted({task for tasks in places.values() for task in tasks})
    return saved_bundle(name, len(used), [(variable, arrays[variable], axis, parts, [used.index(t) for t in places[variable]])
                                          for variable, _, _, _, axis, parts in VARIABLES])


def bytes_of_tasks(s):
    return [task["bytes"] for task in s.get("/v1/cluster").expect(200).json["jobs"][0]["tasks"]]


def test_a_sharded_save_has_each_slice_in_the_shard_of_its_task(s):
    for strategy in ("round_robin", "greedy"):
        before = bytes_of_tasks(s)
        new_model(s, strategy, placement={"strategy": strategy, "ps_tasks": 4})
        make_all(s)
        arrays = arrays_of(1)
        fill(s, arrays)
        s.put("savers/all", {"sharded": True}).expect(201)
        s.post("savers/all:save", {"name": "c"}).expect(201)
        places, loads = chosen(strategy, 4)
        assert exported(s, "c", "tf_v2") == files_of("c", arrays, places), strategy
        for name, *_, parts in VARIABLES:
            told = s.info(name)["partitions"]["parts"] if parts else [s.info(name)]
            assert [part["device"] for part in told] == [f"/job:ps/task:{task}" for task in places[name]]
            assert [part["assigned_device"] for part in told] == [f"/job:ps/replica:0/task:{task}/cpu:0" for task in places[name]]
        assert [now - then for now, then in zip(bytes_of_tasks(s), before)] == loads
        node = {n["name"]: n for n in graph(s, "c")["nodes"]}
        assert graph(s, "c")["saver_def"]["sharded"] and graph(s, "c")["saver_def"]["save_tensor_name"] == "save/Identity:0"
        assert node["save/restore_all"]["inputs"] == ["^save/restore_all/NoOp"] + [f"^save/restore_all/NoOp_{i}" for i in (1, 2, 3)]
        assert node["save/MergeV2Checkpoints"]["inputs"] == ["save/MergeV2Checkpoints/checkpoint_prefixes", "save/Const"]
        assert node["save/ShardedFilename_2"]["inputs"] == ["save/StringJoin", "save/ShardedFilename_2/shard", "save/num_shards"]
        assert node["save/ShardedFilename_2/shard"]["value"] == 2 and node["save/num_shards"]["value"] == 4


def test_slots_are_divided_as_their_variable_is(s):
    new_model(s, "slots", placement={"ps_tasks": 3})
    s.create("w", {"op": "zeros", "shape": [6, 2]}, slicing=[3, 1])
    s.initialize()
    s.put("optimizers/m", {"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}).expect(201)
    s.post("optimizers/m:apply_gradients", {"gradients": {"w": {"op": "ones", "shape": [6, 2]}}}).expect(200)
    s.put("savers/all", {"sharded": True}).expect(201)
    s.post("savers/all:save", {"name": "c"}).expect(201)
    found = bundles.read(exported(s, "c", "tf_v2"), "c")
    slot = next(name for name in found if name != "w")
    devices = [[part["device"] for part in s.info(name)["partitions"]["parts"]] for name in ("w", slot)]
    assert devices == [[f"/job:ps/task:{i}" for i in range(3)]] * 2
    v1 = exported(s, "c", "tf_v1")
    for i in range(3):
        read = v1_files.read(v1[f"c-0000{i}-of-00003"])
        assert {name: list(read[name][2]) for name in ("w", slot)} == {name: [((2 * i, 2), (0, 2))] for name in ("w", slot)}


def test_restored_on_fewer_tasks_and_in_other_slices(s):
    arrays, later = arrays_of(5), arrays_of(6)
    with s.other_server() as t:
        t.restart("--cluster", "ps=4")
        new_model(t, "on_tasks", placement={"strategy": "greedy", "ps_tasks": 4})
        make_all(t)
        fill(t, arrays)
        t.put("savers/all", {"sharded": True}).expect(201)
        t.post("savers/all:save", {"name": "c"}).expect(201)
        files = exported(t, "c", "tf_v2")
        fill(t, later)
        t.restart("--cluster", "ps=2")
        assert exported(t, "c", "tf_v2") == files
        holds(t, later)
        t.patch("", {"placement": {"strategy": "round_robin", "ps_tasks": 2}}).expect(200)
        t.post(":place", {}).expect(200)
        t.restore("c")
        holds(t, arrays)
        places, _ = chosen("round_robin", 2)
        t.post("savers/all:save", {"name": "d"}).expect(201)
        assert exported(t, "d", "tf_v2") == files_of("d", arrays, places)
        new_model(t, "whole")
        make_all(t, partitioners=False)
        t.post(":restore", {"checkpoint": {"model": "on_tasks", "name": "c"}}).expect(200)
        holds(t, arrays)
        new_model(t, "otherwise", placement={"ps_tasks": 2})
        for name, dtype, shape, slicing in (("a", "float32", [10, 6], [1, 6]), ("b", "float64", [3, 7], [3, 1]),
                                            ("c", "int32", [40], [7]), ("d", "float32", [4], [2])):
            t.create(name, dtype=dtype, shape=shape, slicing=slicing)
        t.put("checkpoints/came", bundles.tar(files)).expect(201)
        t.restore("came")
        holds(t, arrays)
