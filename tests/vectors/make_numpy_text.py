#!/usr/bin/env python3
"""Writes tests/vectors/numpy_text.inc: arrays and what NumPy's print makes of them, as C rows.

    /usr/bin/python3 tests/vectors/make_numpy_text.py >tests/vectors/numpy_text.inc

Of arrays that are printed in parts only the elements shown are written down. What NumPy has no type for is printed as
the type that holds it: the third of a case's fields.
"""
import numpy as np

NAN, INF = float("nan"), float("inf")


def f4(*values):
    return np.array(values, "f4")


def cases():
    """(name of our dtype, array with its bytes, the array as NumPy prints it)"""
    def same(array):
        name = "string" if array.dtype == object else array.dtype.name
        return name, array, array

    def as_float(name, bits, values):
        return name, np.array(bits, "u1" if name.startswith("float8") else "u2"), f4(*values)

    for dtype in ("f2", "f4", "f8"):
        yield same(np.array([1, 2.5, -3], dtype))
        yield same(np.array([0.1, 1 / 3, 2 / 3], dtype))
        yield same(np.array([1e-4, 1], dtype))
        yield same(np.array([1, 1000], dtype))
        yield same(np.array([1, 1001], dtype))
        yield same(np.array([0, -0.0, NAN, INF], dtype))
        yield same(np.array([-INF, 1], dtype))
        yield same(np.array([[NAN]], dtype))
        yield same(np.array([60000, 100], dtype))
        yield same(np.array([1e-7, 3, NAN, -INF, 0], dtype))
        for value in (0, -0.0, 0.1, 1, 65504, 1e-4, 1e-5, NAN, -INF):
            yield same(np.array(value, dtype))
    for value in (1e8, 123456789, 1e16, 3e38, 1e-45):
        yield same(f4(value))
        yield same(np.array(value, "f4"))
        yield same(np.array([value], "f8"))
        yield same(np.array(value, "f8"))
    yield same(np.array([5e-324, 1.7976931348623157e308]))
    yield same(np.array([0.123456785, 0.123456795, 99999999.0]))
    # The numbers below a power of two are nearer than those above.
    yield same(f4(2.0 ** -96, 1.2345678e-20))
    yield same(f4(2.0 ** 90, 1.2345678e20))
    yield same(np.array([2.0 ** -6, 1.221e-4, 9.996e-5], "f2"))
    yield same(np.array([33554440, 99999992], "f4"))
    yield same(np.linspace(0, 1, 30, dtype="f4"))
    yield same(np.linspace(-5, 5, 40).reshape(2, 2, 10))
    yield as_float("bfloat16", [0x3F80, 0x3DCD, 0xC2F7], [1, 0.10009765625, -123.5])
    yield as_float("bfloat16", [0x7F80, 0x7FC0, 0x0001], [INF, NAN, 9.183549615799121e-41])
    yield as_float("float8_e4m3fn", [0x38, 0x01, 0xFE, 0x7F], [1, 2 ** -9, -448, NAN])
    yield as_float("float8_e5m2", [0x3C, 0x01, 0xFB, 0x7C, 0xFC, 0x7D], [1, 2 ** -16, -57344, INF, -INF, NAN])
    for dtype in ("c8", "c16"):
        yield same(np.array([1 + 2j, -3.5 - 0.25j], dtype))
        yield same(np.array([complex(NAN, INF), complex(-INF, NAN), complex(0, -0.0)], dtype))
        yield same(np.array([1e-5 + 1e8j, 1j], dtype))
        for value in (1 + 2j, 2j, complex(-0.0, 2), 0, complex(NAN, -INF), complex(0, INF), 1e16 - 0.1j):
            yield same(np.array(value, dtype))
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        limits = np.iinfo(dtype)
        yield same(np.array([limits.min, 0, limits.max], dtype))
        yield same(np.array(limits.max, dtype))
    for name, dtype in (("qint8", "i1"), ("quint8", "u1"), ("qint16", "i2"), ("quint16", "u2"), ("qint32", "i4")):
        limits = np.iinfo(dtype)
        yield (name, *same(np.array([limits.min, 7, limits.max], dtype))[1:])
    yield same(np.array([True, False]))
    yield same(np.array([[True, True], [True, False]]))
    yield same(np.array(True))
    yield same(np.array([b"", b"plain", b"it's", b'"', b"both ' and \"", b"\\ \n\r\t\x00\x7f\xff"], object))
    yield same(np.array(b"alone", object))
    yield same(np.array([[b"x" * 40], [b"y" * 70], [b"z"]], object).reshape(1, 3))
    for shape in ((0,), (3, 0), (0, 5, 2)):
        yield same(np.zeros(shape, "f4"))
    yield same(np.arange(24, dtype="i4").reshape(2, 3, 2, 2))
    yield same(np.zeros((1,) * 32, "i1"))
    yield same((np.arange(1000) % 10).reshape(4, 250).astype("u1"))
    yield same(np.arange(1001, dtype="i2"))
    yield same(np.arange(5000, dtype="f4").reshape(50, 100) / 7)
    yield same(np.arange(3 * 4 * 200, dtype="i8").reshape(3, 4, 200))
    yield same(np.arange(9 * 8 * 20, dtype="u2").reshape(9, 8, 20))
    yield same(np.array([b"%d" % i for i in range(1200)], object).reshape(2, 600))


def corners(array):
    for axis, size in enumerate(array.shape if array.size > 1000 else ()):
        if size > 6:
            array = np.take(array, [0, 1, 2, size - 3, size - 2, size - 1], axis)
    return array


def data_of(array):
    if array.dtype != object:
        return array.tobytes()
    return b"".join(len(x).to_bytes(4, "little") + x for x in array.reshape(-1).tolist())


def literal(data):
    """A C string: octal escapes take no more than three digits, whatever follows."""
    plain = set(b" !#$%&()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~'")
    pieces = [data[at:at + 100] for at in range(0, len(data), 100)] or [b""]
    return " ".join('"%s"' % "".join(chr(x) if x in plain else "\\n" if x == 10 else "\\%03o" % x for x in piece)
                    for piece in pieces)


def main():
    print("/* Written by tests/vectors/make_numpy_text.py with NumPy %s. */\n/* clang-format off */" % np.__version__)
    for name, array, shown in cases():
        data = data_of(corners(array))
        text = str(shown[()] if shown.shape == () else shown)
        print("{DTYPE_%s, {%d, {%s}}, %s, %d,\n %s}," % (
            name.upper(), array.ndim, ", ".join(map(str, array.shape or (0,))), literal(data), len(data),
            literal(text.encode())))
    print("/* clang-format on */")


main()
