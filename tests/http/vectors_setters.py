"""Steps about replica_device_setter: a placement of a model, and where ops go under it."""

from vectors_case import step

LOADS = {"byte_size_load_fn": "bytes", "constant 1": "ops"}


@step("replica_device_setter")
def replica_device_setter(case, tell):
    """A model of its own, with the placement from the start."""
    placement = {**tell["args"], "version": "1.15" if case.case["versions"] == "1.15" else "1.0"}
    strategy = placement.pop("ps_strategy", None)
    if isinstance(strategy, dict):
        assert strategy["fn"] == "GreedyLoadBalancingStrategy", strategy
        placement.update(strategy="greedy", load=LOADS[strategy["load_fn"]])
    elif strategy is not None:
        placement["strategy"] = strategy
    case.s.model += "-placed"
    case.outcome(case.s.put("", {"placement": placement}), tell)


@step("place_op")
def place_op(case, tell):
    fields = {"model": case.s.model, "op": tell["type"], "assign": False}
    if "inner_device" in tell:
        fields["device"] = tell["inner_device"]
    got = case.s.post("/v1/devices:place", fields).expect(200).json["device"]
    assert got == tell["expect"]["device"], f"{tell['type']}: expected {tell['expect']['device']}, got {got}"
