"""How far bytes of two tensors are apart, with NumPy, and bytes to compare."""

import formats

np = formats.np
WORDS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


def number(value):
    return WORDS.get(value, value)


def float8(bits, exponent_bits, bias, infinities):
    """The numbers these bytes are, from the definition."""
    mantissa_bits = 7 - exponent_bits
    exponent = (bits >> mantissa_bits & (2 ** exponent_bits - 1)).astype(int)
    mantissa = (bits & (2 ** mantissa_bits - 1)).astype(float)
    value = np.where(exponent == 0, np.ldexp(mantissa, 1 - bias - mantissa_bits),
                     np.ldexp(mantissa + 2.0 ** mantissa_bits, exponent - bias - mantissa_bits))
    top = exponent == 2 ** exponent_bits - 1
    if infinities:
        value = np.where(top, np.where(mantissa == 0, np.inf, np.nan), value)
    else:
        value = np.where(top & (mantissa == 2 ** mantissa_bits - 1), np.nan, value)
    return np.where(bits >> 7 != 0, -value, value)


def parts_of(dtype, data):
    """Raw bytes as an array that can be subtracted; complex numbers as twice as many reals."""
    if dtype == "bfloat16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").astype("f8")
    if dtype == "float8_e4m3fn":
        return float8(np.frombuffer(data, "u1"), 4, 7, False)
    if dtype == "float8_e5m2":
        return float8(np.frombuffer(data, "u1"), 5, 15, True)
    if dtype.startswith("complex"):
        return np.frombuffer(data, "<f4" if dtype == "complex64" else "<f8").astype("f8")
    array = np.frombuffer(data, formats.NUMPY[dtype])
    return array.astype("f8") if array.dtype.kind == "f" else array


def distances(a, b):
    """|a - b| as float64: of integers exactly, then rounded once."""
    if a.dtype.kind == "f":
        return np.abs(a - b)
    x, y = a.astype("u8"), b.astype("u8")  # two's complement
    return np.where(a > b, x - y, y - x).astype("f8")


def judge(dtype, new, old):
    """What the reply must say of these bytes."""
    size = formats.SIZE[dtype]
    bits = np.frombuffer(new, "u1").reshape(-1, size) != np.frombuffer(old, "u1").reshape(-1, size)
    changed = int(bits.any(axis=1).sum())
    per_part = 2 if dtype.startswith("complex") else 1
    a, b = parts_of(dtype, new), parts_of(dtype, old)
    with np.errstate(all="ignore"):
        d = np.where(bits.reshape(len(a), -1).any(axis=1), distances(a, b), 0)
        of_elements = np.hypot(*d.reshape(-1, 2).T) if per_part == 2 else d
        nonfinite = int((~np.isfinite(d)).reshape(-1, per_part).any(axis=1).sum())
        x, y = a.astype("f8"), b.astype("f8")
        l2, norm, other = (np.sqrt(np.sum(v * v)) for v in (d, x, y))
        found = {"changed_count": changed, "changed_bytes": changed * size, "nonfinite_count": nonfinite,
                 "max_abs": np.nan if np.isnan(d).any() else of_elements.max(), "l2": l2,
                 "relative_l2": l2 / other if l2 != 0 else 0.0,
                 "cosine": np.clip(np.sum(x * y) / (norm * other), -1, 1) if norm != 0 and other != 0 else None}
    return found


def must_agree(tensor, expected, what):
    for key, value in expected.items():
        got = number(tensor[key])
        if value is None or isinstance(value, int):
            assert got == value, f"{what}: {key} is {got}, not {value}"
        else:
            assert np.isclose(got, value, rtol=1e-11, atol=0, equal_nan=True), f"{what}: {key} is {got}, not {value}"


def some_bytes(dtype, count, rng, special):
    """Elements of every size; with `special`, NaN and infinities too."""
    if formats.NUMPY.get(dtype) is None and dtype != "bfloat16":
        bits = rng.integers(0, 256, count, "u1")
        return (bits if special else np.where((bits & 0x7C) == 0x7C, 0x30, bits).astype("u1")).tobytes()
    if dtype in ("float16", "bfloat16", "float32", "float64") or dtype.startswith("complex"):
        parts = count * (2 if dtype.startswith("complex") else 1)
        values = rng.standard_normal(parts) * 10.0 ** rng.integers(-3, 4, parts)
        if special:
            values[rng.integers(0, parts, 40)] = np.resize([np.nan, np.inf, -np.inf, 0.0, -0.0], 40)
        if dtype == "bfloat16":
            return formats.bfloat16(values.astype("<f4")).tobytes()
        kind = {"complex64": "<f4", "complex128": "<f8"}.get(dtype) or formats.NUMPY[dtype]
        return values.astype(kind).tobytes()
    return rng.bytes(count * formats.SIZE[dtype])


def changed_bytes(dtype, data, rng, special, places):
    """The same but for the elements at these places."""
    size = formats.SIZE[dtype]
    array = np.frombuffer(data, "u1").reshape(-1, size).copy()
    array[places] = np.frombuffer(some_bytes(dtype, len(places), rng, special), "u1").reshape(-1, size)
    return array.tobytes()
