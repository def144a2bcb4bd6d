"""Gradients of several workers by chance: accumulated under a key, averaged and applied once, held against numpy.
TENSORKEEP_SEED repeats a run that failed, another number makes another."""

import formats
import update_models
from update_chance import SEED, Chance, close, fresh, tensor

KINDS = {"gradient_descent": {}, "momentum": {"momentum": 0.5}, "adam": {"epsilon": 1e-2}, "adagrad": {}}


def said(gradient, dtype):
    if isinstance(gradient, tuple):
        return {"indices": gradient[0].tolist(), "values": tensor(gradient[1], dtype)}
    return tensor(gradient, dtype)


def contribution(chance, values, sparse, dtype):
    """One worker's gradients: of every variable, by rows where `sparse` says so."""
    gradients = {}
    for name, value in values.items():
        gradients[name] = chance.array(dtype, value.shape)
        if name in sparse:
            count = chance.choice([1, 2, 6])
            gradients[name] = chance.indices(value.shape[0], [count]), chance.array(dtype, [count] + list(value.shape[1:]))
    return gradients


def one_step(s, chance, values, sparse, dtype, step):
    """Every worker's gradients under one key; only the last of them changes anything."""
    workers = chance.randint(1, 5)
    contributions = [contribution(chance, values, sparse, dtype) for _ in range(workers)]
    for number, gradients in enumerate(contributions):
        reply = s.post("optimizers/o:apply_gradients", {
            "gradients": {name: said(gradient, dtype) for name, gradient in gradients.items()}, "global_step": "global_step",
            "accumulate": {"replicas": workers, "key": f"step-{step}", "worker": f"w{number}"}})
        last = number == workers - 1
        assert reply.status == (200 if last else 202), f"seed {SEED}, worker {number} of {workers}\n{reply}"
        if not last:
            check(s, values, dtype, f"{number + 1} of {workers} gradients")
            assert s.array("global_step").item() == step
    return {name: update_models.averaged([each[name] for each in contributions]) for name in values}


def check(s, values, dtype, what):
    for name, value in values.items():
        close(s.array(name), value, dtype, f"{what}: {name}")


def train(s, chance, kind, dtype, number):
    s.model = f"{s.model.split('-')[0]}-{kind}-{dtype}-{number}"
    s.put("", {}).expect(201)
    s.create("global_step", {"dtype": "int64", "shape": [], "data": [0]}, trainable=False)
    s.initialize(variables=["global_step"])
    values = dict(fresh(s, chance, dtype, shape) for shape in (chance.shape(), chance.shape(), [5]))
    sparse = [name for name in values if chance.random() < 0.5]
    s.put("optimizers/o", {"type": kind, "learning_rate": 0.5, **KINDS[kind]}).expect(201)
    model = update_models.Optimizer(kind, KINDS[kind], formats.NUMPY[dtype])
    for step in range(3):
        gradients = one_step(s, chance, values, sparse, dtype, step)
        values.update(model.apply(values, gradients, 0.5))
        assert s.array("global_step").item() == step + 1
        check(s, values, dtype, f"{kind} of {dtype}, step {step}")


def test_the_average_of_all_workers_is_applied_once(s):
    chance, model = Chance(f"{SEED} accumulations"), s.model
    for number in range(2 if s.slow else 4):
        for kind in KINDS:
            train(s, chance, kind, ["float32", "float64"][number % 2], number)
            s.model = model
