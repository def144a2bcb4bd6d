"""Steps about moving averages. apply() in Python makes shadow variables, and an operation that updates them: here create_slots
and apply. What has no id is the case's only average."""

import vectors_expr
from vectors_case import said, step


def averages(tell):
    return f"moving_averages/{tell.get('id', 'e')}"


def enter(case, tell):
    """apply(): variables by name, tensors as expressions."""
    tensors = {name: case.tensors[name] for name in tell["apply"] if name in case.tensors}
    variables = [name for name in tell["apply"] if name not in tensors]
    case.outcome(case.s.post(f"{averages(tell)}:create_slots", {"variables": variables, "tensors": tensors}), tell)


@step("assign_moving_average")
def assign_moving_average(case, tell):
    fields = {key: said(tell[key]) for key in ("value", "decay", "zero_debias") if key in tell}
    case.outcome(case.s.post(f"variables/{tell['name']}:assign_moving_average", fields), tell)


@step("create_tensor")
def create_tensor(case, tell):
    case.tensors[tell["name"]] = vectors_expr.to_json(tell["expr"], case.initials)


@step("create_ema")
def create_ema(case, tell):
    fields = {key: tell[key] for key in ("decay", "num_updates", "zero_debias", "name") if key in tell}
    case.s.put(averages(tell), fields).expect(201)
    if "apply" in tell:
        enter(case, tell)


@step("ema_apply")
def ema_apply(case, tell):
    enter(case, tell)


@step("run_ema")
def run_ema(case, tell):
    case.outcome(case.s.post(f"{averages(tell)}:apply"), tell)


@step("ema_variables_to_restore")
def ema_variables_to_restore(case, tell):
    query = ""
    if "moving_avg_variables" in tell:
        query = "?moving_avg_variables=" + ",".join(tell["moving_avg_variables"])
    got = case.s.get(averages(tell) + query).expect(200).json["variables_to_restore"]
    assert got == tell.get("expect_output", got), f"expected {tell['expect_output']}, got {got}"
    assert sorted(got) == tell.get("expect_keys", sorted(got)), f"expected {tell['expect_keys']}, got {sorted(got)}"
