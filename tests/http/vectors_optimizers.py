"""Steps about optimizers and their slots."""

from vectors_case import said, step

# TensorFlow's class names without "Optimizer".
TYPES = {
    "GradientDescent": "gradient_descent", "Momentum": "momentum", "Adagrad": "adagrad", "AdagradDA": "adagrad_da",
    "Adadelta": "adadelta", "Adam": "adam", "RMSProp": "rmsprop", "Ftrl": "ftrl",
    "ProximalGradientDescent": "proximal_gradient_descent", "ProximalAdagrad": "proximal_adagrad",
    "AdamW": "adamw", "LARS": "lars", "AdaMax": "adamax", "AddSign": "addsign",
}
OPTIMIZER = "optimizers/o"


@step("create_optimizer")
def create_optimizer(case, tell):
    """AdagradDA's constructor wants the variable that counts steps: a case that names none means the usual one."""
    fields = {"type": TYPES[tell["type"]], **tell["hyper"]}
    if tell["type"] == "AdagradDA" and "global_step" not in fields:
        case.s.create("global_step", {"dtype": "int64", "shape": [], "data": [0]}, trainable=False)
        fields["global_step"] = "global_step"
    case.outcome(case.s.put(OPTIMIZER, said(fields)), tell)


def gradient(tell):
    """A tensor, rows of one, or null: none for this variable. IndexedSlices' dense_shape is the variable's."""
    if isinstance(tell, dict):
        return {"indices": tell["indices"], "values": said(tell["values"])}
    return said(tell)


@step("apply_gradients")
def apply_gradients(case, tell):
    if tell.get("build_only"):
        case.outcome(case.s.post(f"{OPTIMIZER}:create_slots", {"variables": list(tell["grads"])}), tell)
        return
    fields = {"gradients": {name: gradient(each) for name, each in tell["grads"].items()}}
    if tell.get("global_step") is not None:
        fields["global_step"] = tell["global_step"]
    before = {name: case.read(name) for name in tell["grads"] if case.s.info(name)["initialized"]}
    if not case.outcome(case.s.post(f"{OPTIMIZER}:apply_gradients", fields), tell):
        for name, value in before.items():  # where TensorFlow's kernels stop midway, nothing is done here
            case.same(case.read(name), value, tell, f"refused, and yet {name}")
        return
    expected = tell.get("expect", {})
    for part in (expected.get("vars", {}), expected.get("slots", {}), tell.get("tf_asserts", {})):
        for name, want in part.items():
            case.same(case.read(name), want, tell, name)
    for name in expected.get("slots", {}):
        assert not case.s.info(name)["trainable"], f"slot {name} is trainable"


@step("create_slot")
def create_slot(case, tell):
    """slot_creator's functions: a slot is a variable like any other."""
    primary = tell["primary"]
    initial = {"initialized_value": primary}
    if tell["initial"] == "zeros":
        initial = {"op": "zeros_like", "args": [{"initialized_value": primary}], "dtype": tell["dtype"]}
    case.s.create(f"{primary}/{tell['slot']}", initial, trainable=False)


@step("expect_checkpoint_names_of_default_saver")
def expect_checkpoint_names(case, tell):
    case.s.save("names")
    got = sorted(tensor["name"] for tensor in case.s.get("checkpoints/names").expect(200).json["tensors"])
    assert got == sorted(tell["names"]), f"expected {tell['names']}, got {got}"
