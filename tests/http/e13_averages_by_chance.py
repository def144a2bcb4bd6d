"""Moving averages over cases by chance, held against numpy: of variables and of tensors, with and without the bias of a
start at zero. TENSORKEEP_SEED repeats a run that failed, another number makes another."""

import update_models
from update_chance import SEED, Chance, close, fresh, tensor

DTYPES = ["float32", "float64", "float16"]


def check(s, names, dtype, what):
    for name, value in names.items():
        close(s.array(name), value, dtype, f"{what}: {name}")


def test_assign_moving_average_moves_towards_a_value(s):
    chance = Chance(f"{SEED} assign_moving_average")
    for number in range(6 if s.slow else 24):
        dtype, shape, decay = DTYPES[number % 3], chance.shape(), chance.choice([0.25, 0.9, 0.999])
        name, value = fresh(s, chance, dtype, shape)
        debias = chance.random() < 0.5
        model = update_models.Average(value, dtype, debias)
        for _ in range(3):
            towards = chance.array(dtype, shape)
            s.post(f"variables/{name}:assign_moving_average",
                   {"value": tensor(towards, dtype), "decay": decay, **({} if debias else {"zero_debias": False})}).expect(200)
            model.move(towards, update_models.np.float32(1 - decay))
            check(s, {name: model.value}, dtype, f"{dtype}{shape}, decay {decay}")
            if debias:
                check(s, {f"{name}/biased": model.biased, f"{name}/local_step": model.steps}, dtype, f"{dtype}, decay {decay}")


def draw_averages(s, chance, dtype, number):
    """One set: its model by shadow, and what each shadow averages."""
    s.model = f"{s.model.split('-')[0]}-{dtype}-{number}"
    s.put("", {}).expect(201)
    shape, debias, decay = chance.shape(), chance.random() < 0.5, chance.choice([0.25, 0.9])
    values = dict(fresh(s, chance, dtype, shape) for _ in range(2))
    updates = chance.choice([None, 1, 30, {"variable": "count"}])
    s.create("count", {"dtype": "int64", "shape": [], "data": [0]}, trainable=False)
    s.initialize(variables=["count"])
    s.put("moving_averages/e", {"decay": decay, "num_updates": updates, "zero_debias": debias, "name": "mean"}).expect(201)
    first, second = values
    body = {"variables": list(values), "tensors": {"sum": {"op": "add", "args": [{"variable": first}, {"variable": second}]}}}
    return values, body, debias, decay, updates


def test_sets_of_averages_follow_their_variables(s):
    chance, model = Chance(f"{SEED} averages"), s.model
    for number in range(4 if s.slow else 12):
        dtype = DTYPES[number % 3]
        values, body, debias, decay, updates = draw_averages(s, chance, dtype, number)
        shadows = {name: update_models.Average(value, dtype, False) for name, value in values.items()}
        shadows["sum"] = update_models.Average(update_models.np.zeros_like(sum(values.values())), dtype, debias)
        for step in range(4):
            said = s.post("moving_averages/e:apply", body if step == 0 or chance.random() < 0.5 else {})
            assert said.status == 200, f"seed {SEED}\n{said}"
            count = step if isinstance(updates, dict) else updates
            for name, shadow in shadows.items():
                shadow.move(values.get(name, sum(values.values())), update_models.average_rate(decay, count))
            what = f"{dtype}, decay {decay}, num_updates {updates}, zero_debias {debias}, step {step}"
            check(s, {f"{name}/mean": shadow.value for name, shadow in shadows.items()}, dtype, what)
            for name in values:
                values[name] = chance.array(dtype, values[name].shape)
                s.assign(name, tensor(values[name], dtype))
            s.post("variables/count:assign_add", {"value": 1}).expect(200)
        s.model = model
