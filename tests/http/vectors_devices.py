"""Steps about device specifications and placing, all of which POST /v1/devices:place answers."""

from vectors_case import step


def placed(case, tell, **fields):
    """What the server makes of it, where the step expects no error."""
    reply = case.s.post("/v1/devices:place", {key: value for key, value in fields.items() if value is not None})
    return reply.json if case.outcome(reply, tell) else None


def canonical(case, tell, device):
    reply = placed(case, tell, device=device, assign=False)
    if reply is not None:
        assert reply["device"] == tell["expect_output"], f"expected {tell['expect_output']!r}, got {reply['device']!r}"


@step("device_to_string")
def device_to_string(case, tell):
    canonical(case, tell, tell["spec"])


@step("device_canonical")
def device_canonical(case, tell):
    canonical(case, tell, tell["device"])


@step("device_merge_from")
def device_merge_from(case, tell):
    """What is merged in wins, as an inner scope does."""
    canonical(case, tell, [tell["into"], tell["from"]])


@step("device_scopes")
def device_scopes(case, tell):
    canonical(case, tell, tell["outer_to_inner"])


@step("place_variable")
def place_variable(case, tell):
    """A case about a missing kernel does not say what for: int32, which its note names, has none on a GPU."""
    dtype = tell.get("dtype") or ("int32" if "no-gpu-kernel" in case.case["id"] else "float32")
    reply = placed(case, tell, device=tell["device"], available=tell["available"], dtype=dtype,
                   allow_soft_placement=tell.get("allow_soft_placement", False))
    if reply is not None:
        assert reply["assigned_device"] == tell["expect_output"], f"expected {tell['expect_output']}, got {reply}"
