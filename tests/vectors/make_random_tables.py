#!/usr/bin/env python3
"""Constants of the correctly rounded logarithm, sine and cosine, and cases to test them with.

    python3 tests/vectors/make_random_tables.py >service/random/exact_table.h
    python3 tests/vectors/make_random_tables.py cases >tests/vectors/exact.inc

Needs nothing but the standard library. A number is kept as high + low, two doubles, about 106 bits.
"""
import random
import sys
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


def cases():
    """Arguments over the whole range, and close to where results are small or steps begin."""
    generator = random.Random(20170215)
    uniforms = [1e-7, 0.5, 1 - 2.0 ** -53, 1 - 2.0 ** -52, 2.0 ** -23, 0.25, 0.7071067811865475, 0.7071067811865476]
    uniforms += [1 - generator.random() * 2.0 ** -k for k in range(1, 50)]
    uniforms += [max(1e-7, generator.random() * 2.0 ** -k) for k in range(0, 22) for _ in range(3)]
    turn = 2 * double(PI)
    angles = [0.0, 2.0 ** -52, turn, double(PI), double(PI / 2), turn * (1 - 2.0 ** -52)]
    for j in range(129):
        near = double(PI * j / 64) + generator.choice((-1, 1)) * generator.random() * 2.0 ** -generator.randint(4, 50)
        angles.append(min(turn, abs(near)))
    angles += [turn * generator.random() for _ in range(60)]
    print("/* Written by tests/vectors/make_random_tables.py: argument, nearest double of the result. */")
    print("/* clang-format off */\nstatic const double log_cases[][2] = {")
    for u in uniforms:
        print(row(u, double(Decimal(u).ln())))
    print("};\n\n/* argument, sine, cosine */\nstatic const double angle_cases[][3] = {")
    for a in angles:
        print(row(a, double(sine(Decimal(a))), double(sine(PI / 2 - Decimal(a)))))
    print("};\n/* clang-format on */")


if sys.argv[1:] == ["cases"]:
    cases()
    sys.exit()

print("""/* Constants of the correctly rounded functions; written by tests/vectors/make_random_tables.py.
 * A pair is high, low: a number to about 106 bits. */
#ifndef SERVICE_RANDOM_EXACT_TABLE_H
#define SERVICE_RANDOM_EXACT_TABLE_H

/* clang-format off */""")

print("\n/* ln 2: the first part has 40 bits, so that small multiples of it are exact; then a pair. */")
head, rest = cut(LN2, 40)
print("static const double exact_ln2[3] = {%s, %s, %s};" % (head.hex(), *(v.hex() for v in pair(rest))))

print("\n/* pi/64 in three parts; the first two have 40 bits. */")
first, rest = cut(PI / 64, 40)
second, rest = cut(rest, 40)
print("static const double exact_step[3] = {%s, %s, %s};" % (first.hex(), second.hex(), double(rest).hex()))

print("\n/* For j = 90 .. 182: a neighbour of 128/j with eleven bits, and minus its logarithm as a pair. */")
print("enum { EXACT_LOG_STEPS = 128, EXACT_LOG_FIRST = 90, EXACT_LOG_COUNT = 93 };")
print("static const double exact_log[EXACT_LOG_COUNT][4] = {")
for j in range(90, 183):
    inverse = Fraction(round(Fraction(1024 * 128, j)), 1024)
    log = -(Decimal(inverse.numerator) / Decimal(inverse.denominator)).ln() if inverse != 1 else Decimal(0)
    print(row(float(inverse), *pair(log), 0.0))
print("};")

print("\n/* sin(j pi/64) for j = 0 .. 159, as pairs; the cosine stands 32 further. */")
print("enum { EXACT_SINE_COUNT = 160, EXACT_TURN = 128, EXACT_QUARTER = 32 };")
print("static const double exact_sine[EXACT_SINE_COUNT][2] = {")
for j in range(160):
    # Exact zeros and symmetry by reduction to the first quarter.
    k = j % 128
    sign = -1 if k >= 64 else 1
    k %= 64
    k = min(k, 64 - k)
    value = Decimal(0) if k == 0 else Decimal(1) if k == 32 else sine(PI * k / 64)
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
