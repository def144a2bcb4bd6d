"""Expressions by chance, from the catalogue of ops: most could be meant, a share of them could not."""

import math
import random

SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1,
         "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "complex64": 8, "complex128": 16}
DTYPES = list(SIZES)
INTEGERS = [0, 1, -1, 2, 64, 4095, 4096, 4097, 2**31 - 1, 2**31, -2**31, 2**47, 2**62, 2**63 - 1, -2**63]
NUMBERS = [0, 1, -1, 0.5, -0.0, 1e308, -1e308, 5e-324, 1e-310, 3.4e38, 65504, 65520, 127, 128, 255, 256, 2**31 - 1, 2**31,
           -2**31, 2**53, 2**63 - 1, -2**63]
HUGE = [4096, 65536, 2**20, 2**31 - 1, 2**31, 2**46, 2**47, 2**48, 2**62, 2**63 - 1]
ODDITIES = [None, "x", [], {}, [[1]], 1e308, -1, True, 2**63, "float32", [1, -1]]
ON_MATRICES = ("matmul", "qr", "svd", "cholesky", "matrix_inverse", "matrix_solve", "matrix_determinant", "trace",
               "diag_part")
ELEMENTS = 100_000


class Chance:
    def __init__(self, seed, ops, variables):
        self.random = random.Random(seed)
        self.ops, self.variables = ops, variables
        self.ids, self.nodes = [], 0

    def often(self, share):
        return self.random.random() < share

    def one_of(self, *things):
        return self.random.choice(things)

    # --- shapes and elements ---

    def shape(self, rank=None):
        rank = self.one_of(0, 1, 1, 2, 2, 2, 3, 3, 4, 6) if rank is None else rank
        shape = [self.one_of(0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 16, 63, 65) for _ in range(rank)]
        while math.prod(max(dim, 1) for dim in shape) > ELEMENTS:
            shape[shape.index(max(shape))] = 2
        if shape and self.often(0.05):
            shape[self.random.randrange(rank)] = self.random.choice(HUGE)
        return shape

    def related(self, shape):
        """The same, or what broadcasts to it, or something else."""
        if self.often(0.6):
            return list(shape)
        if self.often(0.7):
            return [1 if self.often(0.3) else dim for dim in shape[self.random.randint(0, len(shape)):]]
        return self.shape()

    def number(self):
        return self.random.choice(NUMBERS) if self.often(0.5) else self.random.randint(-9, 9)

    def literal(self, dtype, shape):
        if dtype.startswith("complex"):
            return {"op": "cast", "args": [self.literal("float32", shape)], "dtype": dtype}
        count = math.prod(shape)
        data = [self.number() if self.often(0.05) else self.random.randint(0, 9) for _ in range(min(count, 400))]
        if dtype == "bool":
            data = [each > 4 for each in data]
        if count > 400:
            return {"op": "fill", "dims": shape, "value": {"dtype": dtype, "shape": [], "data": data[:1]}}
        return {"dtype": dtype, "shape": shape, "data": data}

    # --- attributes ---

    def attribute(self, attribute, shape):
        if self.often(0.02):
            return self.random.choice(ODDITIES)
        return getattr(self, "any_" + attribute["kind"])(attribute, shape)

    def any_shape(self, _, shape):
        return self.related(shape)

    def any_dims(self, _, shape):
        return self.one_of([-1], [], shape, [1, -1], [-1, 1], [2, -1], [0, -1], [math.prod(shape)])

    def any_dtype(self, *_):
        return self.random.choice(DTYPES + ["string", "qint8", "float8_e4m3fn", "no such"])

    def any_bool(self, *_):
        return self.often(0.5)

    def any_int(self, *_):
        return self.random.choice(INTEGERS) if self.often(0.2) else self.random.randint(-2, 6)

    any_seed = any_int

    def any_float(self, *_):
        return self.number() if self.often(0.3) else self.random.random()

    def any_choice(self, attribute, _):
        return self.random.choice(attribute["choices"])

    def any_ints(self, _, shape):
        rank = len(shape)
        if self.often(0.5):
            return self.random.sample(range(rank), rank)
        return [self.any_int() for _ in range(self.one_of(0, 1, rank, rank, rank + 1))] if self.often(0.8) else self.any_int()

    def any_tensor(self, attribute, shape):
        if attribute["name"] == "paddings" and shape:
            return [[self.random.randint(0, 3), self.any_int() if self.often(0.1) else 1] for _ in shape]
        if self.often(0.7):
            return self.random.randint(-3, 20) if self.often(0.5) else self.number()
        return self.literal(self.random.choice(DTYPES), self.related([2, 2]))

    # --- nodes ---

    def named(self, expression):
        if self.often(0.3):
            expression["id"] = f"i{self.nodes}"
            self.ids.append(expression["id"])
        return expression

    def leaf(self, dtype, shape):
        kind = self.random.randrange(7)
        if kind == 0:
            return {self.one_of("variable", "initialized_value"): self.random.choice(self.variables)}
        if kind == 1 and self.ids:
            return {"ref": self.random.choice(self.ids)}
        if kind in (2, 3) and "float" in dtype:
            op = self.one_of("random_uniform", "random_normal", "truncated_normal")
            return self.named({"op": op, "shape": shape, "dtype": dtype})
        if kind == 4:
            return self.number()
        return self.literal(dtype, shape)

    def suit(self, op, expression, dtype, shape):
        """Arguments and attributes of an op that chance would hardly ever get right."""
        name, rank, pick = op["name"], len(shape), self.random
        if name == "gather":
            expression["args"][1] = self.literal("int32", self.shape(1)) if self.often(0.5) else [0] * 5
        if name == "where":
            expression["args"][0] = {"op": "greater", "args": [expression["args"][0], 0.3]}
        if name == "one_hot":
            expression["args"] = [self.literal("int32", [3])]
        if name == "cholesky":
            expression["args"] = [{"op": "eye", "num_rows": 3, "dtype": dtype}]
        if name in ("slice", "random_crop"):
            begin = [pick.randint(0, dim) for dim in shape]
            size = [pick.randint(0, dim - at) for dim, at in zip(shape, begin)]
            expression.update({"begin": begin, "size": size} if name == "slice" else {"size": size})
        if name == "tile":
            expression["multiples"] = [pick.randint(0, 3) for _ in range(rank)]
        if name.endswith("_decay"):
            expression["args"] = [self.leaf(dtype, []), pick.randint(0, 30), pick.randint(1, 9), 0.9][:op["args_max"]]
        if name == "piecewise_constant":
            expression["args"] = [self.leaf("int32", []), [1, 3, 8], self.literal(dtype, [4])]
        if name == "range":
            start, limit = pick.randint(-5, 5), pick.randint(5, 500)
            expression.update({"start": start, "limit": limit, "delta": self.one_of(1, 2, 0.7)})

    def expression(self, depth, dtype=None, shape=None):
        self.nodes += 1
        dtype = dtype or self.random.choice(DTYPES + ["float32"] * 6)
        shape = self.shape() if shape is None else shape
        if depth <= 0 or self.often(0.1):
            return self.leaf(dtype, shape)
        op, sane = self.random.choice(self.ops), self.often(0.85)
        known = op.get("arg_dtypes") or op["dtypes"]
        if sane and dtype not in known:
            dtype = self.random.choice([each for each in known if each in SIZES])
        if sane and op["name"] in ON_MATRICES:
            shape = shape[:1] + [self.one_of(0, 1, 2, 3, 17, 70)] * 2
        most = op["args_max"] or (4 if op["args_max"] is None else 0)
        same = op["name"] in ON_MATRICES or op["name"] in ("concat", "stack", "where")
        count = self.random.randint(op["args_min"], most)
        shapes = [list(shape) if sane and same else self.related(shape) for _ in range(count)]
        expression = {"op": op["name"], "args": [self.expression(depth - 1, dtype, each) for each in shapes]}
        for attribute in op["attributes"]:
            if self.often(0.98 if attribute["required"] else 0.3):
                expression[attribute["name"]] = self.attribute(attribute, shape)
        if sane:
            self.suit(op, expression, dtype, shape)
        return self.named(expression)
