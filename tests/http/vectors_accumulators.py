"""Steps about conditional accumulators. What has no dtype of its own in a case has the accumulator's."""

from vectors_case import np, said, step, typed

ACCUMULATOR = "accumulators/a"


@step("create_accumulator")
def create_accumulator(case, tell):
    case.accumulator = tell
    case.outcome(case.s.put(ACCUMULATOR, {"dtype": tell["dtype"], "shape": tell["shape"]}), tell)


@step("num_accumulated")
def num_accumulated(case, tell):
    got = case.s.get(ACCUMULATOR).expect(200).json["num_accumulated"]
    assert got == tell["expect_output"], f"expected {tell['expect_output']}, got {got}"


@step("apply_grad")
def apply_grad(case, tell):
    """Where a case names no local step, it is the one there is."""
    before = case.s.get(ACCUMULATOR).expect(200).json
    fields = {"gradient": typed(said(tell["grad"]), case.accumulator["dtype"]),
              "local_step": tell.get("local_step", before["global_step"])}
    if not case.outcome(case.s.post(f"{ACCUMULATOR}:apply_grad", fields), tell):
        after = case.s.get(ACCUMULATOR).expect(200).json
        assert after == before, f"refused, and yet it is\n{after} after\n{before}"


@step("take_grad")
def take_grad(case, tell):
    before = case.s.get(ACCUMULATOR).expect(200).json["global_step"]
    reply = case.s.post(f"{ACCUMULATOR}:take_grad", {"num_required": tell["num_required"]})
    if not case.outcome(reply, tell):
        return
    taken = reply.json["gradient"]
    assert taken["dtype"] == case.accumulator["dtype"], taken
    case.same(np.array(taken["data"]), tell["expect_output"], tell, "average")
    after = case.s.get(ACCUMULATOR).expect(200).json
    assert after["num_accumulated"] == 0 and after["global_step"] == before + 1, after
