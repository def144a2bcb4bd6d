"""Steps about partitioned variables, and about savers as far as those need them."""

from vectors_case import step
from vectors_variables import create, initial_value

PARTITIONERS = {"fixed_size_partitioner": "fixed_size", "variable_axis_size_partitioner": "variable_axis_size",
                "min_max_variable_partitioner": "min_max"}


def zeros(case, tell):
    value = initial_value(case, tell)
    return value if value is not None else {"op": "zeros", "shape": tell["shape"], "dtype": tell.get("dtype", "float32")}


@step("partitioner")
def partitioner(case, tell):
    """How many parts along each dimension: said, and to be seen from where the parts begin."""
    how = {"type": PARTITIONERS[tell["fn"]], **{k: v for k, v in tell["args"].items() if v is not None}}
    fields = {"partitioner": how, "initial_value": zeros(case, tell)}
    reply = create(case, {"name": "p", **tell}, fields)
    if case.outcome(reply, tell):
        partitions = case.s.info(reply.json["name"])["partitions"]
        offsets = [part["offset"] for part in partitions["parts"]]
        for got in (partitions["slicing"], [len({at[i] for at in offsets}) for i in range(len(tell["shape"]))]):
            assert got == tell["expect_output"], f"expected {tell['expect_output']} parts, got {got}"


@step("create_partitioned")
def create_partitioned(case, tell):
    reply = create(case, tell, {"slicing": tell["slicing"], "initial_value": zeros(case, tell)}, "PartitionedVariable")
    if not case.outcome(reply, tell):
        return
    info = case.s.info(reply.json["name"])
    parts = info["partitions"]["parts"]
    for key, got in (("expect_save_specs", [part["save_spec"] for part in parts]),
                     ("expect_full_name", info["name"]),
                     ("expect_names", [part["name"] + ":0" for part in parts])):
        assert tell.get(key, got) == got, f"{key}: expected {tell[key]}, got {got}"


# --- savers ---

def checkpoint_name(path):
    """Paths of a test's scratch directory, as names."""
    return path.replace("${ABS}", "ABS").lstrip("/")


@step("create_saver")
def create_saver(case, tell):
    case.savers[tell["saver"]] = tell


def saved_variables(case, saver):
    chosen = case.savers[saver].get("var_list")
    return {} if chosen is None else {"variables": chosen}


@step("save")
def save(case, tell):
    name = checkpoint_name(tell["path"])
    fields = {"name": name, "overwrite": True, **saved_variables(case, tell["saver"])}
    if tell.get("global_step") is not None:
        fields["global_step"] = tell["global_step"]
    reply = case.s.post("checkpoints", fields)
    if case.outcome(reply, tell):
        case.checkpoints[reply.json["name"]] = case.s.model


@step("restore")
def restore(case, tell):
    name = checkpoint_name(tell["path"])
    source = {"model": case.checkpoints.get(name, case.s.model), "name": name}
    case.outcome(case.s.post(":restore", {"checkpoint": source, **saved_variables(case, tell["saver"])}), tell)


@step("expect_checkpoint_names")
def expect_checkpoint_names(case, tell):
    name = checkpoint_name(tell["path"])
    path = f"/v1/models/{case.checkpoints[name]}/checkpoints/{name}"
    got = sorted(tensor["name"] for tensor in case.s.get(path).expect(200).json["tensors"])
    assert got == sorted(tell["names"]), f"expected {tell['names']}, got {got}"
