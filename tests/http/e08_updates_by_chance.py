"""Scatter ops and optimizers over cases by chance, held against numpy: dtypes, shapes, duplicates, every layout a value may
have; what is refused changes nothing. TENSORKEEP_SEED repeats a run that failed, another number makes another."""

import formats
import update_models
from update_chance import NUMBERS, SEED, Chance, close, fresh, same, tensor

np = formats.np


# --- scatter ---


def verbs_for(dtype):
    if dtype == "bool":
        return ["update"]
    return ["update", "add", "sub", "mul", "div"] + ([] if dtype.startswith("complex") else ["min", "max"])


def draw_scatter(chance, dtype, shape):
    """Verb, indices, updates, and the model that does it."""
    if len(shape) > 1 and chance.random() < 0.3:
        depth = chance.randint(1, len(shape))
        outer = [] if chance.random() < 0.2 else chance.shape()
        places = [chance.indices(dim, outer) for dim in shape[:depth]]
        verb = "update" if dtype == "bool" else chance.choice(["update", "add", "sub"])
        updates = chance.array(dtype, outer + list(shape[depth:]))
        return f"scatter_nd_{verb}", np.stack(places, -1), updates, \
            lambda ref, i, u: update_models.scatter_nd(ref, verb, i, u)
    outer = chance.choice([[], [0], [5], [40], chance.shape()])
    verb = chance.choice(verbs_for(dtype))
    one_for_all = chance.random() < 0.1
    updates = chance.array(dtype, [] if one_for_all else outer + list(shape[1:]), zero=verb != "div")
    return f"scatter_{verb}", chance.indices(shape[0], outer), updates, \
        lambda ref, i, u: update_models.scatter(ref, verb, i, u)


def said_updates(s, chance, updates, dtype):
    """As they are, or as the value of a variable."""
    if chance.random() < 0.8:
        return tensor(updates, dtype)
    name = f"updates_{chance.getrandbits(40)}"
    s.make(name, updates, dtype)
    return {"variable": name}


def one_scatter(s, chance, dtype, shape):
    name, value = fresh(s, chance, dtype, shape)
    for _ in range(chance.randint(1, 3)):
        verb, indices, updates, model = draw_scatter(chance, dtype, shape)
        index_dtype = chance.choice(["int32", "int64"])
        reply = s.post(f"variables/{name}:{verb}", {"indices": tensor(indices, index_dtype),
                                                   "updates": said_updates(s, chance, updates, dtype)})
        assert reply.status == 200, f"seed {SEED}, {verb} of {dtype}{shape} by {indices.shape}\n{reply}"
        value = model(value, indices, updates)
        same(s.array(name), value, dtype, f"{verb} to {dtype}{shape} at {indices.tolist()}")


def test_scatter_is_what_a_loop_would_do(s):
    chance = Chance(SEED)
    for number in range(40 if s.slow else 150):
        dtype = (NUMBERS + ["bool"])[number % (len(NUMBERS) + 1)]
        one_scatter(s, chance, dtype, chance.shape())


def test_scatter_into_many_chunks(s):
    chance = Chance(SEED + 1)
    for number in range(3 if s.slow else 9):
        one_scatter(s, chance, ["float32", "float64", "int16"][number % 3], [[60000, 3], [3001, 65], [7, 40000]][number // 3 % 3])


def test_a_bad_index_changes_nothing(s):
    chance = Chance(SEED + 2)
    for number in range(20 if s.slow else 60):
        dtype, shape = NUMBERS[number % len(NUMBERS)], chance.shape()
        name, value = fresh(s, chance, dtype, shape)
        verb, indices, updates, _ = draw_scatter(chance, dtype, shape)
        if indices.size == 0:
            continue
        bad = indices.ravel()
        place = chance.randrange(bad.size)
        bad[place] = chance.choice([-1, 2**31 - 1, -2**31, shape[place % indices.shape[-1] if "nd" in verb else 0]])
        s.refuses(400, "INVALID_ARGUMENT", (name, str(bad[place])), "POST", f"variables/{name}:{verb}",
                  {"indices": tensor(bad.reshape(indices.shape), "int32"), "updates": tensor(updates, dtype)})
        same(s.array(name), value, dtype, f"refused {verb}")


def test_what_does_not_fit_is_refused(s):
    s.make("w", [[1, 2], [3, 4], [5, 6]])
    s.make("number", 1.0)
    s.create("none", [1.0, 2.0])
    rows, bad = {"indices": [0, 1], "updates": [[1, 1], [2, 2]]}, (400, "INVALID_ARGUMENT")
    cases = [
        (bad, "updates.shape", "w:scatter_add", {**rows, "updates": [1, 2]}),
        (bad, "updates.shape", "w:scatter_add", {**rows, "updates": [[1, 1]]}),
        (bad, "float32", "w:scatter_add", {**rows, "updates": tensor(np.ones((2, 2)), "float64")}),
        (bad, "indices", "w:scatter_add", {**rows, "indices": [0.5, 1]}),
        (bad, "int32", "w:scatter_add", {**rows, "indices": tensor(np.array([0, 1]), "int16")}),
        (bad, "updates", "w:scatter_add", {"indices": [0]}),
        (bad, "indices", "w:scatter_add", {"updates": [[1, 1]]}),
        (bad, "at least 1-D", "number:scatter_add", {"indices": 0, "updates": 1.0}),
        (bad, "dimensions", "w:scatter_nd_add", {"indices": [[0], [1]], "updates": [[1, 1, 1]]}),
        (bad, "3", "w:scatter_nd_add", {"indices": [[0, 0, 0]], "updates": [1.0]}),
        ((404, "NOT_FOUND"), "nobody", "nobody:scatter_add", rows),
        ((409, "FAILED_PRECONDITION"), "uninitialized", "none:scatter_add", {"indices": [0], "updates": [1.0]}),
    ]
    for (status, code), words, path, body in cases:
        s.refuses(status, code, words, "POST", f"variables/{path}", body)
    s.make("whole", [7, 8], "int32")
    s.refuses(400, "INVALID_ARGUMENT", "zero", "POST", "variables/whole:scatter_div", {"indices": [0, 1], "updates": [2, 0]})
    assert s.value("whole") == [7, 8]


# --- optimizers ---

HYPER = {
    "gradient_descent": lambda c: {},
    "momentum": lambda c: {"momentum": c.choice([0.0, 0.5, 0.9]), "use_nesterov": c.random() < 0.5},
    "adagrad": lambda c: {"initial_accumulator_value": c.choice([0.1, 1.5])},
    "adadelta": lambda c: {"rho": c.choice([0.5, 0.95]), "epsilon": c.choice([1e-3, 1e-2])},
    "adam": lambda c: {"beta1": c.choice([0.5, 0.9]), "beta2": c.choice([0.9, 0.99]), "epsilon": c.choice([1e-3, 1e-2])},
    "rmsprop": lambda c: {"decay": c.choice([0.5, 0.9]), "momentum": c.choice([0.0, 0.5]), "epsilon": 0.5,
                          "centered": c.random() < 0.5},
    "ftrl": lambda c: {"learning_rate_power": c.choice([-0.5, -0.3, 0.0]), "initial_accumulator_value": c.choice([0.1, 1.0]),
                       "l1_regularization_strength": c.choice([0.0, 0.3]), "l2_regularization_strength": c.choice([0.0, 0.2])},
    "proximal_gradient_descent": lambda c: {"l1_regularization_strength": c.choice([0.0, 0.3]),
                                            "l2_regularization_strength": c.choice([0.0, 0.2])},
    "proximal_adagrad": lambda c: {"initial_accumulator_value": 0.5, "l1_regularization_strength": c.choice([0.0, 0.3]),
                                   "l2_regularization_strength": c.choice([0.0, 0.2])},
    "adagrad_da": lambda c: {"initial_gradient_squared_accumulator_value": 0.5, "global_step": "global_step",
                             "l1_regularization_strength": c.choice([0.0, 0.05]),
                             "l2_regularization_strength": c.choice([0.0, 0.2])},
    "adamw": lambda c: {"weight_decay": c.choice([0.0, 0.1]), "beta2": 0.9, "epsilon": c.choice([1e-3, 1e-2])},
    "adamax": lambda c: {"beta1": c.choice([0.5, 0.9]), "beta2": c.choice([0.9, 0.99]), "epsilon": 1e-2},
    "lamb": lambda c: {"beta2": 0.9, "epsilon": c.choice([1e-3, 1e-2]), "weight_decay": c.choice([0.0, 0.1])},
    "lars": lambda c: {"momentum": c.choice([0.0, 0.9]), "eeta": c.choice([0.001, 0.5]), "weight_decay": c.choice([0.0, 0.1])},
    "addsign": lambda c: {"alpha": c.choice([0.5, 1.0]), "beta": c.choice([0.5, 0.9])},
}
HALVES = ("gradient_descent", "momentum", "adagrad", "rmsprop")


def draw_gradient(chance, value, dtype):
    """Dense, or rows with duplicates among them."""
    if value.ndim == 0 or chance.random() < 0.5:
        return chance.array(dtype, value.shape)
    count = chance.choice([1, 3, 12])
    return chance.indices(value.shape[0], [count]), chance.array(dtype, [count] + list(value.shape[1:]))


def said_gradient(gradient, dtype):
    if isinstance(gradient, tuple):
        return {"indices": gradient[0].tolist(), "values": tensor(gradient[1], dtype)}
    return tensor(gradient, dtype)


def train(s, chance, kind, dtype, number):
    """A few steps of one optimizer on variables of its own."""
    s.model = f"{s.model.split('-')[0]}-{kind}-{dtype}-{number}"
    s.put("", {}).expect(201)
    s.create("global_step", {"dtype": "int64", "shape": [], "data": [0]}, trainable=False)
    s.initialize(variables=["global_step"])
    values = dict(fresh(s, chance, dtype, shape) for shape in (chance.shape(), chance.shape(), chance.choice([[], [5000, 7]])
                                                               if chance.random() < 0.3 else [6]) if shape)
    hyper, rate, decays = HYPER[kind](chance), chance.choice([0.05, 0.5]), chance.random() < 0.4
    said_rate = {"op": "exponential_decay", "args": [rate, {"variable": "global_step"}, 2, 0.5, True]} if decays else rate
    s.put("optimizers/o", {"type": kind, "learning_rate": said_rate, **hyper}).expect(201)
    model = update_models.Optimizer(kind, {k: v for k, v in hyper.items() if k != "global_step"}, formats.NUMPY[dtype])
    for step in range(4):
        gradients = {name: draw_gradient(chance, value, dtype) for name, value in values.items() if chance.random() < 0.8}
        if not gradients:
            continue
        done = model.global_step
        body = {"gradients": {name: said_gradient(gradient, dtype) for name, gradient in gradients.items()},
                "global_step": "global_step"}
        if dtype != "float16" and chance.random() < 0.3:
            body["clip_by_global_norm"] = chance.choice([0.5, 4.0, 1e6])
            gradients = update_models.clipped(gradients, body["clip_by_global_norm"])
        reply = s.post("optimizers/o:apply_gradients", body)
        assert reply.status == 200, f"seed {SEED}, {kind} of {dtype} {hyper}\n{reply}"
        values.update(model.apply(values, gradients, np.float32(rate * 0.5 ** (done // 2)) if decays else rate))
        check_all(s, model, values, dtype, f"{kind} of {dtype} {hyper}, step {step}")


def check_all(s, model, values, dtype, what):
    assert s.array("global_step").item() == model.global_step, what
    for name, value in values.items():
        close(s.array(name), value, dtype, f"{what}: {name}")
    for name, slots in model.slots.items():
        for (suffix, _), slot in zip(model.slot_list(), slots):
            close(s.array(f"{name}/{suffix}"), slot, dtype, f"{what}: {name}/{suffix}")
    for name, power in zip(("beta1_power", "beta2_power"), model.powers):
        close(s.array(name), np.array(power), power.dtype.name, f"{what}: {name}")


def rounds(s, kind):
    chance, model = Chance(f"{SEED} {kind}"), s.model
    for number in range(1 if s.slow else 4):
        for dtype in ("float32", "float64", "float16")[:3 if kind in HALVES else 2]:
            train(s, chance, kind, dtype, number)
            s.model = model


def test_gradient_descent(s):
    rounds(s, "gradient_descent")


def test_momentum(s):
    rounds(s, "momentum")


def test_adagrad(s):
    rounds(s, "adagrad")


def test_adadelta(s):
    rounds(s, "adadelta")


def test_adam(s):
    rounds(s, "adam")


def test_rmsprop(s):
    rounds(s, "rmsprop")


def test_ftrl(s):
    rounds(s, "ftrl")


def test_proximal_gradient_descent(s):
    rounds(s, "proximal_gradient_descent")


def test_proximal_adagrad(s):
    rounds(s, "proximal_adagrad")


def test_adagrad_da(s):
    rounds(s, "adagrad_da")


def test_adamw(s):
    rounds(s, "adamw")


def test_adamax(s):
    rounds(s, "adamax")


def test_lamb(s):
    rounds(s, "lamb")


def test_lars(s):
    rounds(s, "lars")


def test_addsign(s):
    rounds(s, "addsign")
