"""What tests of updates by chance share: draws of tensors and indices, variables in every layout, and comparing."""

import base64
import os
import random

import formats

np = formats.np
SEED = int(os.environ.get("TENSORKEEP_SEED", "5"))
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS = ["float16", "float32", "float64", "complex64", "complex128"] + INTEGERS
CLOSE = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-12, "complex64": 2e-6, "complex128": 1e-14}


class Chance(random.Random):
    """Draws of what updates are made of."""

    def shape(self, rank_min=1):
        return [self.choice([1, 1, 2, 3, 4, 7]) for _ in range(self.choice([rank_min, rank_min, rank_min + 1, 3]))]

    def array(self, dtype, shape, zero=True):
        """Numbers that arithmetic in float16 does not overflow soon."""
        draw = np.random.default_rng(self.getrandbits(32))
        if dtype == "bool":
            return draw.random(shape) < 0.5
        if dtype in INTEGERS:
            low = 0 if dtype.startswith("u") else -9
            array = draw.integers(low, 10, shape)
        else:
            array = draw.normal(0, 2, shape)
            if dtype.startswith("complex"):
                array = array + 1j * draw.normal(0, 2, shape)
        array = np.asarray(array).astype(formats.NUMPY[dtype])
        return array if zero else np.where(array == 0, np.ones_like(array), array)

    def indices(self, below, shape):
        return np.random.default_rng(self.getrandbits(32)).integers(0, below, shape)


def tensor(array, dtype):
    """As JSON with its dtype said, or as base64."""
    array = np.asarray(array, formats.NUMPY[dtype], order="C")
    if array.size > 4000:
        return {"dtype": dtype, "shape": list(array.shape), "base64": base64.b64encode(array.tobytes()).decode()}
    data = array.ravel()
    data = [[float(z.real), float(z.imag)] for z in data] if dtype.startswith("complex") else data.tolist()
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def fresh(s, chance, dtype, shape):
    """A variable in one of the layouts there are: its name and its value."""
    s.chance_names = getattr(s, "chance_names", 0) + 1
    name, layout = f"v{s.chance_names}", chance.choice(["whole", "whole", "parts", "virtual"])
    if layout == "virtual" and dtype in ("float32", "float64"):
        s.create(name, {"op": "random_normal", "shape": list(shape), "dtype": dtype}, virtual=True)
        s.initialize(variables=[name])
        return name, s.array(name)
    array = chance.array(dtype, shape)
    if layout == "parts" and shape[0] > 1:
        s.create(name, tensor(array, dtype), partitioner={"type": "fixed_size", "num_shards": min(3, shape[0])})
        s.initialize(variables=[name])
        return name, array
    return name, s.make(name, array, dtype)


def same(got, want, dtype, what):
    assert got.shape == want.shape and got.dtype == want.dtype, (what, got.dtype, got.shape, want.dtype, want.shape)
    if dtype.startswith("complex"):
        fine = np.allclose(got, want, rtol=CLOSE[dtype], atol=CLOSE[dtype], equal_nan=True)
    else:
        fine = np.array_equal(got, want, equal_nan=dtype.startswith("float"))
    assert fine, f"seed {SEED}, {what}: expected {want}, got {got}"


def close(got, want, dtype, what):
    assert got.shape == want.shape and got.dtype == want.dtype, (what, got.dtype, got.shape, want.dtype, want.shape)
    assert np.allclose(got, want, rtol=CLOSE[dtype], atol=CLOSE[dtype], equal_nan=True), \
        f"seed {SEED}, {what}: expected {want}, got {got}"
