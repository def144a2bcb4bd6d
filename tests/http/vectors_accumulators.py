"""Steps about conditional accumulators: gradients that come in one by one, and go out as their average.

Here they are accumulated for an optimizer, under a key, until as many are there as were asked for. So an accumulator is a
variable of zeros that gradient_descent with a rate of -1 makes the average of; how many are to come before the next
take_grad is looked up among the case's steps."""

from vectors_case import np, said, step, typed

OPTIMIZER, AVERAGE = "optimizers/o", "average"


class Accumulator:
    def __init__(self, tell):
        self.dtype, self.shape, self.step, self.applied = tell["dtype"], tell["shape"], 0, 0


@step("create_accumulator")
def create_accumulator(case, tell):
    case.accumulator = Accumulator(tell)
    case.s.put(OPTIMIZER, {"type": "gradient_descent", "learning_rate": -1}).expect(201)
    if tell["shape"] is not None:
        clear(case)


def clear(case):
    shape = list(case.accumulator.shape)
    value = {"dtype": case.accumulator.dtype, "shape": shape, "data": np.zeros(shape).ravel().tolist()}
    if AVERAGE not in case.s.names():
        case.s.create(AVERAGE, value)
    case.s.assign(AVERAGE, value)


def path(case):
    return f"{OPTIMIZER}/accumulations/step-{case.accumulator.step}"


def accumulated(case):
    reply = case.s.get(path(case))
    return 0 if reply.status == 404 else reply.expect(200).json["accumulated"]


def wanted(case):
    """How many gradients the next take_grad averages; where none comes, more than there are."""
    steps = [each for each in case.case["steps"] if each["op"] in ("apply_grad", "take_grad") and "expect_error" not in each]
    takes = [number for number, each in enumerate(steps) if each["op"] == "take_grad"] + [len(steps) + 1]
    bounds = [-1] + takes
    return bounds[case.accumulator.step + 1] - bounds[case.accumulator.step] - 1


@step("num_accumulated")
def num_accumulated(case, tell):
    got = accumulated(case)
    assert got == tell["expect_output"], f"expected {tell['expect_output']}, got {got}"


@step("apply_grad")
def apply_grad(case, tell):
    """The first gradient says what shape there is where the case does not."""
    gradient, before = typed(said(tell["grad"]), case.accumulator.dtype), accumulated(case)
    if case.accumulator.shape is None:
        case.accumulator.shape = gradient["shape"]
        clear(case)
    assert tell.get("local_step", case.accumulator.step) == case.accumulator.step, "gradients of another step are no case here"
    reply = case.s.post(f"{OPTIMIZER}:apply_gradients", {
        "gradients": {AVERAGE: gradient}, "accumulate": {"key": f"step-{case.accumulator.step}", "replicas": wanted(case)}})
    if not case.outcome(reply, tell):
        assert accumulated(case) == before, f"refused, and yet there are {accumulated(case)}"


@step("take_grad")
def take_grad(case, tell):
    """With the average the accumulator is empty again, and one step further."""
    assert case.s.get(path(case)).expect(200).json["applied"], "not all of them have come"
    case.same(case.read(AVERAGE), tell["expect_output"], tell, "average")
    case.accumulator.step += 1
    clear(case)
    assert accumulated(case) == 0
