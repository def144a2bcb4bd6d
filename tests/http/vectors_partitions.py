"""Steps about partitioned variables."""

from vectors_case import step
from vectors_variables import create, initial_value

PARTITIONERS = {"fixed_size_partitioner": "fixed_size", "variable_axis_size_partitioner": "variable_axis_size",
                "min_max_variable_partitioner": "min_max_variable"}


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
