"""Runs by chance, of anything: every field of every operation, with values that fit it, or fit another, or nothing."""

NAMES = ["a", "b", "emb", "emb:0", "step", "text", "none", "huge", "half", "empty", "new", "a/Adam", "a:1", "", "beta1_power", 7, None]
SHAPES = [[], [0], [1], [3], [4, 3], [2, 0], [1] * 8]
NUMBERS = [0, 1, -1, 0.5, 2**31, -2**63, 2**63, 1e30, 1e400, "NaN", "Infinity", True, None, "x", [], {}]
VARIABLES = {"a": ("float32", [4, 3]), "b": ("float32", [4, 3]), "emb": ("float32", [4, 3]), "step": ("int64", []),
             "half": ("float16", [3]), "empty": ("float32", [0, 3]), "text": ("string", [2]), "huge": ("float32", [100000, 1000])}


class Chance:
    def __init__(self, random, verbs):
        self.random, self.verbs = random, verbs

    def one(self, options):
        return self.random.choice(options)

    def often(self, likely):
        return self.random.random() < likely

    def number(self):
        return self.random.randrange(4) if self.often(0.95) else self.one(NUMBERS)

    def name(self):
        return self.one(NAMES[:4]) if self.often(0.92) else self.one(NAMES)

    def shape(self):
        return [4, 3] if self.often(0.8) else self.one(SHAPES)

    def expression(self, depth=0):
        kind = self.random.randrange(9 if depth < 3 else 5)
        if kind == 0:
            return self.number()
        if kind == 1:
            return {self.one(["variable", "initialized_value"]): self.name()}
        if kind == 2:
            return {"op": self.one(["ones", "zeros", "random_normal"]), "shape": self.shape(), "dtype": self.one(["float32", "float16", "int64"])}
        if kind in (3, 4):
            return {"op": "ones", "shape": self.shape()}
        if kind == 5:
            return {"op": self.one(["add", "multiply", "divide"]), "args": [self.expression(depth + 1), self.expression(depth + 1)]}
        if kind == 6:
            return {"op": self.one(["reduce_sum", "negative", "square"]), "args": [self.expression(depth + 1)]}
        if kind == 7:
            return {"dtype": self.one(["float32", "int32", "string"]), "shape": self.shape(), "data": [self.number() for _ in range(12)]}
        return [self.expression(depth + 1) for _ in range(self.random.randrange(4))]

    def indices(self):
        return [self.number() for _ in range(self.random.randrange(4))] if self.often(0.8) else self.expression()

    def gradients(self):
        return {str(self.name()): self.one([None, self.expression(), {"op": "ones", "shape": [4, 3]},
                                            {"indices": self.indices(), "values": {"op": "ones", "shape": [self.random.randrange(4), 3]}}])
                for _ in range(self.random.randrange(1, 4))}

    def field(self, name):
        """A value that often fits the field."""
        made = {
            "variable": self.name, "value": self.expression, "updates": self.expression, "indices": self.indices,
            "gradients": self.gradients, "gradient": self.expression,
            "optimizer": lambda: self.one(["sgd", "adam", "ada", "lamb", "none", ""]),
            "moving_averages": lambda: self.one(["ema", "none"]), "accumulator": lambda: self.one(["dense", "sparse", "none"]),
            "variables": lambda: [self.name() for _ in range(self.random.randrange(4))],
            "tensors": lambda: {str(self.name()): self.expression()}, "prefix": lambda: self.one(["", "a", "zz"]),
            "name": lambda: self.one(["c", "d", "c/d", "", "c:1"]), "global_step": lambda: self.one(["step", {"variable": "step"}, 5, "a"]),
            "device": lambda: self.one(["", None, "/cpu:0", "/job:ps/task:1", "/gpu:0", ["/job:worker", "/cpu:0"], {"task": 0}, "/banana"]),
            "slice": lambda: self.one(["0", "1:3", ":,0", "::-1", "9", "..."]), "decay": lambda: self.one([0.9, 2, self.expression()]),
            "accumulate": lambda: {"replicas": self.one([1, 2, 3, 0]), "key": self.one(["k", "l", "m", ""])},
            "limit": self.number, "num_required": self.number, "local_step": self.number, "step": self.number,
            "base_revision": self.number, "max_staleness": self.number, "clip_by_global_norm": lambda: self.one([1.0, 1e-30, self.number()]),
        }
        return made[name]() if name in made and self.often(0.99) else self.one([True, False, self.number()])

    def operation(self):
        verb = self.one(self.verbs)
        optional = {"slice", "device", "validate_shape", "zero_debias", "accumulate", "base_revision", "max_staleness", "clip_by_global_norm",
                    "global_step", "prefix", "collection", "only_uninitialized", "overwrite", "allow_empty", "tensors", "variables"}
        fields = [f for f in verb["fields"] if f not in optional or self.often(0.25)]
        return {"op": verb["name"], **{f: self.field(f) for f in fields if self.often(0.995)}}

    def run(self):
        run = {"ops": [self.operation() for _ in range(self.random.choice([1, 1, 1, 2, 3, 6]))]}
        if self.often(0.2):
            run["fetches"] = {"f": self.expression(), "g": self.expression()}
        if self.often(0.2):
            run["guards"] = {"finite": self.often(0.8), "max_update_norm": self.one([1.0, 1e9, self.number()])}
        if self.often(0.1):
            run["require"] = [{"variable": self.name(), self.one(["version", "revision"]): self.number()}]
        if self.often(0.2):
            run["dry_run"] = True
        return run
