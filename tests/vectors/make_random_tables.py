#!/usr/bin/env python3
"""Writes service/random/exact_table.h: the constants of the correctly rounded logarithm, sine and cosine.

    python3 tests/vectors/make_random_tables.py >service/random/exact_table.h

Needs nothing but the standard library. A number is kept as high + low, two doubles, about 106 bits.
"""
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 80


def pi():
    """Machin: 16 atan(1/5) - 4 atan(1/239)."""
    def arctan_inverse(n):
        power, total, k = Decimal(1) / n, Decimal(0), 0
        while abs(power) > Decimal(10) ** -78:
            total += power / (2 * k + 1) * (-1) ** k
            power /= n * n
            k += 1
        return total
    return 16 * arctan_inverse(5) - 4 * arctan_inverse(239)


def sine(x):
    term, total, k = x, x, 1
    while abs(term) > Decimal(10) ** -78:
        term = -term * x * x / ((2 * k) * (2 * k + 1))
        total += term
        k += 1
    return total


def double(x):
    """Nearest double of an exact value."""
    return float(Fraction(x))


def pair(x):
    high = double(x)
    return high, double(Fraction(x) - Fraction(high))


def cut(x, bits):
    """The leading bits of x as a double, and what is left."""
    scale = Fraction(2) ** bits
    while abs(Fraction(x)) * scale >= 2 ** bits:
        scale /= 2
    while abs(Fraction(x)) * scale < 2 ** (bits - 1):
        scale *= 2
    head = Fraction(int(Fraction(x) * scale)) / scale
    return float(head), Fraction(x) - head


def row(*values):
    return "    {" + ", ".join(v.hex() for v in values) + "},"


PI = pi()
LN2 = Decimal(2).ln()

print("""/* Constants of the correctly rounded functions; written by tests/vectors/make_random_tables.py.
 * A pair is high, low: a number to about 106 bits. */
#ifndef SERVICE_RANDOM_EXACT_TABLE_H
#define SERVICE_RANDOM_EXACT_TABLE_H

/* clang-format off */""")

print("\n/* ln 2: the first part has 40 bits, so that small multiples of it are exact; then a pair. */")
head, rest = cut(LN2, 40)
print("static const double exact_ln2[3] = {%s, %s, %s};" % (head.hex(), *(v.hex() for v in pair(rest))))

print("\n/* pi/32 in three parts; the first two have 40 bits. */")
first, rest = cut(PI / 32, 40)
second, rest = cut(rest, 40)
print("static const double exact_step[3] = {%s, %s, %s};" % (first.hex(), second.hex(), double(rest).hex()))

print("\n/* For j = 45 .. 91: a ten-bit neighbour of 64/j, and minus its logarithm as a pair. */")
print("enum { EXACT_LOG_FIRST = 45, EXACT_LOG_COUNT = 47 };")
print("static const double exact_log[EXACT_LOG_COUNT][3] = {")
for j in range(45, 92):
    inverse = Fraction(round(Fraction(512 * 64, j)), 512)
    log = -(Decimal(inverse.numerator) / Decimal(inverse.denominator)).ln() if inverse != 1 else Decimal(0)
    print(row(float(inverse), *pair(log)))
print("};")

print("\n/* sin(j pi/32) for j = 0 .. 79, as pairs; the cosine stands 16 further. */")
print("enum { EXACT_SINE_COUNT = 80, EXACT_TURN = 64, EXACT_QUARTER = 16 };")
print("static const double exact_sine[EXACT_SINE_COUNT][2] = {")
for j in range(80):
    # Exact zeros and symmetry by reduction to the first quarter.
    k = j % 64
    sign = -1 if k >= 32 else 1
    k %= 32
    k = min(k, 32 - k)
    value = Decimal(0) if k == 0 else Decimal(1) if k == 16 else sine(PI * k / 32)
    print(row(*pair(sign * value)))
print("};")

print("\n/* 1/n, as pairs. */")
print("static const double exact_inverse[10][2] = {")
print("    {0, 0},")
for n in range(1, 10):
    print(row(*pair(Fraction(1, n))))
print("};")

print("\n/* (-1)^(n/2) / n!, as pairs. */")
print("static const double exact_factorial[18][2] = {")
f = 1
for n in range(18):
    f *= max(n, 1)
    print(row(*pair(Fraction((-1) ** (n // 2), f))))
print("""};
/* clang-format on */

#endif""")
