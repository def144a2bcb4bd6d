"""Arrays by chance, made to meet every rule by which NumPy lays out a print; and the print itself."""

import numpy as np

# What NumPy has no type for: the type whose numbers it is shown as, and the dtype that holds its bits.
WIDENED = {"bfloat16": "u2", "float8_e4m3fn": "u1", "float8_e5m2": "u1"}
QUANTIZED = {"qint8": "i1", "quint8": "u1", "qint16": "<i2", "quint16": "<u2", "qint32": "<i4"}
FLOATS = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
COMPLEX = {"complex64": ("<c8", "<f4"), "complex128": ("<c16", "<f8")}
INTEGERS = {"int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
            "uint8": "u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", **QUANTIZED}
DTYPES = [*FLOATS, *COMPLEX, *INTEGERS, *WIDENED, "bool", "string"]


def shape(rng):
    kind = rng.integers(7)
    if kind == 0:
        return ()
    if kind == 1:
        return (int(rng.integers(900, 1200)),)
    rank, most = ((1, 40), (2, 60), (3, 12), (5, 5), (8, 3))[kind - 2]
    return tuple(int(x) for x in rng.integers(0 if rng.random() < 0.1 else 1, most, rank))


def floats(rng, count, dtype):
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    makers = [
        lambda: rng.integers(0, np.iinfo(bits).max, count, bits, endpoint=True).view(dtype),
        lambda: rng.standard_normal(count),
        lambda: rng.standard_normal(count) * 10.0 ** rng.integers(-10, 12),
        lambda: rng.integers(-100, 100, count),
        lambda: rng.integers(-10 ** 6, 10 ** 6, count) / 10.0 ** rng.integers(0, 9),
        lambda: np.ldexp(1.0, rng.integers(-160, 130, count)),
        lambda: np.ldexp(1.0, rng.integers(-12, 12, count)),
        lambda: 10.0 ** rng.integers(-6, 10, count),
        lambda: np.zeros(count),
        lambda: np.exp(rng.uniform(-30, 30, count)),
        lambda: rng.integers(0, 10 ** 8, count),
        lambda: rng.uniform(1e-4, 0.1, count),
        lambda: rng.uniform(0.9e-4, 1.1e-4, count),
    ]
    with np.errstate(all="ignore"):
        values = makers[rng.integers(len(makers))]().astype(dtype)
        if rng.random() < 0.3:
            odd = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype), count)
            values = np.where(rng.random(count) < 0.3, odd, values)
        if rng.random() < 0.5:
            values = values * rng.choice(np.array([1, -1], dtype), count)
    return values.astype(dtype)


def integers(rng, count, dtype):
    limits = np.iinfo(dtype)
    if rng.random() < 0.4:
        return rng.integers(0, 100, count).astype(dtype)
    return rng.integers(limits.min, limits.max, count, dtype, endpoint=True) >> rng.integers(0, limits.bits - 1)


def strings(rng, count):
    made = np.empty(count, object)
    for i in range(count):
        size = int(rng.integers(0, rng.choice([2, 12, 40, 90])))
        if rng.random() < 0.5:
            made[i] = rng.integers(0, 256, size, "u1").tobytes()
        else:
            made[i] = rng.choice(np.frombuffer(b"ab'\"\\ \n", "u1"), size).tobytes()
    return made


def widen(dtype, bits):
    """As float32, by the formats' definitions."""
    if dtype == "bfloat16":
        return (bits.astype("<u4") << 16).view("<f4")
    if dtype == "float8_e5m2":
        return (bits.astype("<u2") << 8).view("<f2").astype("<f4")
    exponent, fraction = (bits >> 3 & 15).astype(int), (bits & 7).astype("<f4")
    value = np.where(exponent == 0, np.ldexp(fraction, -9), np.ldexp(fraction + 8, exponent - 10)).astype("<f4")
    value = np.where(bits & 127 == 127, np.float32(np.nan), value)
    return np.where(bits & 128 != 0, -value, value).astype("<f4")


def draw(rng, dtype):
    """The array as NumPy shows it, its shape, and its bytes as tensors have them."""
    dims = shape(rng)
    count = int(np.prod(dims, dtype=int))
    if dtype in WIDENED:
        bits = rng.integers(0, np.iinfo(WIDENED[dtype]).max, count, WIDENED[dtype], endpoint=True)
        return widen(dtype, bits).reshape(dims), dims, bits.tobytes()
    if dtype in COMPLEX:
        array = np.empty(count, COMPLEX[dtype][0])
        array.real, array.imag = (floats(rng, count, COMPLEX[dtype][1]) for _ in range(2))
    elif dtype in FLOATS:
        array = floats(rng, count, FLOATS[dtype])
    elif dtype == "bool":
        array = rng.random(count) < 0.5
    elif dtype == "string":
        array = strings(rng, count)
        return array.reshape(dims), dims, b"".join(len(x).to_bytes(4, "little") + x for x in array)
    else:
        array = integers(rng, count, INTEGERS[dtype])
    return array.reshape(dims), dims, array.tobytes()


def printed(array):
    """What print shows; a scalar as the number or bytes object that it is."""
    return str(array[()] if array.shape == () else array)
