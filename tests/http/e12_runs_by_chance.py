"""Runs of many operations by chance, held against the same operations done one after the other with numpy. TENSORKEEP_SEED
repeats a run that failed, another number makes another."""

import formats
import update_models
from update_chance import SEED, Chance, fresh, same, tensor

np = formats.np
OPERATIONS = 12


class Model:
    """Variables of one dtype and shape, one of which is declared and has no value yet; and a counter."""

    def __init__(self, s, chance, dtype, shape):
        self.s, self.chance, self.dtype, self.shape = s, chance, dtype, shape
        self.values = dict(fresh(s, chance, dtype, shape) for _ in range(2))
        self.initial = {name: s.info(name)["initial_value"] is not None and value for name, value in self.values.items()}
        self.late = f"late_{dtype}_{'_'.join(map(str, shape))}_{chance.getrandbits(32)}"
        self.counter = self.late.replace("late", "counter")
        start = chance.array(dtype, shape)
        s.create(self.late, tensor(start, dtype))
        s.create(self.counter, {"dtype": "int64", "shape": [], "data": [0]})
        s.initialize(variables=[self.counter])
        self.values[self.late], self.initial[self.late] = None, start
        self.values[self.counter] = np.array(0, "<i8")

    def names(self):
        return [name for name in self.values if name != self.counter]

    def ready(self, values):
        return [name for name in self.names() if values[name] is not None]

    # --- operations: JSON, and what they do to `values` ---

    def value(self, values):
        """A literal, a variable as it is by then, or the sum of two."""
        chance = self.chance
        literal = chance.array(self.dtype, self.shape)
        if chance.random() < 0.4:
            return tensor(literal, self.dtype), literal
        name = chance.choice(self.ready(values))
        if chance.random() < 0.5:
            return {"variable": name}, values[name]
        return {"op": "add", "args": [{"variable": name}, tensor(literal, self.dtype)]}, values[name] + literal

    def assign(self, values):
        verb = self.chance.choice(["assign", "assign", "assign_add", "assign_sub"])
        name = self.chance.choice(self.names() if verb == "assign" else self.ready(values))
        asked, value = self.value(values)
        values[name] = {"assign": lambda: value, "assign_add": lambda: values[name] + value,
                        "assign_sub": lambda: values[name] - value}[verb]()
        return {"op": verb, "variable": name, "value": asked}

    def scatter(self, values):
        name, verb = self.chance.choice(self.ready(values)), self.chance.choice(["update", "add", "sub", "mul", "min", "max"])
        indices = self.chance.indices(self.shape[0], [self.chance.choice([1, 3, 9])])
        updates = self.chance.array(self.dtype, list(indices.shape) + self.shape[1:])
        values[name] = update_models.scatter(values[name], verb, indices, updates)
        return {"op": f"scatter_{verb}", "variable": name, "indices": indices.tolist(), "updates": tensor(updates, self.dtype)}

    def count(self, values):
        values[self.counter] = values[self.counter] + 1
        return {"op": "count_up_to", "variable": self.counter, "limit": 10**6}

    def initialize(self, values):
        values[self.late] = self.initial[self.late]
        return {"op": "initialize", "variables": [self.late]}

    def operation(self, values):
        draw = self.chance.random()
        return (self.assign if draw < 0.5 else self.scatter if draw < 0.8 else self.count if draw < 0.9 else self.initialize)(values)

    def bad(self, values):
        """An operation that must fail, with a word that its refusal says."""
        name = self.chance.choice(self.ready(values))
        return self.chance.choice([
            ({"op": "assign", "variable": "nobody", "value": 1}, "nobody"),
            ({"op": "assign_add", "variable": name, "value": 1}, name),
            ({"op": "scatter_add", "variable": name, "indices": [self.shape[0]], "updates": tensor(
                self.chance.array(self.dtype, [1] + self.shape[1:]), self.dtype)}, str(self.shape[0])),
            ({"op": "count_up_to", "variable": self.counter, "limit": 0}, "limit of 0"),
        ])

    # --- against the server ---

    def check(self, what):
        for name, value in self.values.items():
            assert self.s.info(name)["initialized"] == (value is not None), (what, name)
            if value is not None:
                same(self.s.array(name), value, "int64" if name == self.counter else self.dtype, f"{what}: {name}")

    def check_fetches(self, reply, values):
        for name, got in reply.json["fetches"].items():
            array = np.array(got["data"], formats.NUMPY[got["dtype"]]).reshape(got["shape"])
            same(array, values[name] + values[name], got["dtype"], f"fetch of {name}")

    def run(self):
        values = dict(self.values)
        body = {"ops": [self.operation(values) for _ in range(self.chance.randint(1, OPERATIONS))]}
        body["fetches"] = {name: {"op": "add", "args": [{"variable": name}, {"variable": name}]} for name in self.ready(values)}
        what = f"seed {SEED}, {self.dtype}{self.shape}, {[(op['op'], op.get('variable')) for op in body['ops']]}"
        draw = self.chance.random()
        if draw < 0.2:
            body["dry_run"] = True
        elif draw < 0.5:
            self.refused(body, values, what)
            return
        reply = self.s.post(":run", body)
        assert reply.status == 200, f"{what}\n{reply}"
        self.check_fetches(reply, values)
        if draw >= 0.2:
            self.values = values
        self.check(what)

    def refused(self, body, values, what):
        """One bad operation among them, and nothing has happened."""
        bad, word = self.bad(self.values)
        place = self.chance.randint(0, len(body["ops"]))
        body["ops"].insert(place, bad)
        reply = self.s.post(":run", body)
        assert reply.status >= 400 and word in reply.detail and reply.json["failed_operation"] == place, f"{what}\n{reply}"
        self.check(what)


def test_operations_of_a_run_are_done_in_their_order(s):
    chance = Chance(f"{SEED} runs")
    for number in range(4 if s.slow else 16):
        model = Model(s, chance, ["float32", "int32", "float64", "int16"][number % 4], chance.shape())
        for _ in range(6):
            model.run()


def test_runs_on_values_of_many_chunks(s):
    chance = Chance(f"{SEED} big runs")
    for dtype, shape in [("float32", [40000, 5])] if s.slow else [("float32", [40000, 5]), ("int64", [3000, 33])]:
        model = Model(s, chance, dtype, shape)
        for _ in range(3):
            model.run()
