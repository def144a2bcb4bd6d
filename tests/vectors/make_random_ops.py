#!/usr/bin/env python3
"""Writes tests/vectors/random_ops.inc: known answers of random ops that are no draw of elements, as C arrays.

    python3 tests/vectors/make_random_ops.py tf-random-vectors.json >tests/vectors/random_ops.inc

The file is the one make_random.py reads; taken are the entries of random_shuffle and random_gamma, whole: the first
sixteen elements and the last four, which together are all there are.
"""
import json
import sys


def whole(first, last, count):
    """All elements, of the first ones and the last ones."""
    rest = count - len(first)
    assert rest <= len(last)
    return first + (last[-rest:] if rest else [])


def main():
    entries = {e["id"]: e for part in ("published", "generated") for e in json.load(open(sys.argv[1]))[part]}
    shuffle, gamma = entries["shuffle-10"], entries["gamma-UNVERIFIED"]
    print("/* Written by tests/vectors/make_random_ops.py. */\n/* clang-format off */")
    print("enum { SHUFFLE_SEED = %d, SHUFFLE_RUNS = %d, SHUFFLE_ROWS = %d };" % (
        shuffle["op_seed"], shuffle["runs"], len(shuffle["args"]["values"])))
    print("static const int64_t shuffle_values[] = {%s};" % ", ".join(map(str, shuffle["args"]["values"])))
    print("static const int64_t shuffle_expected[] = {%s};\n" % ", ".join(
        whole(shuffle["first"], shuffle["last"], shuffle["count"])))
    print("enum { GAMMA_SEED = %d, GAMMA_SAMPLES = %d, GAMMA_ALPHAS = %d };" % (
        gamma["op_seed"], gamma["args"]["num_samples"], len(gamma["args"]["alphas"])))
    print("static const float gamma_alphas[] = {%s};" % ", ".join("%rf" % a for a in gamma["args"]["alphas"]))
    print("static const uint32_t gamma_expected[] = {%s};" % ", ".join(
        "0x" + bits for bits in whole(gamma["first_bits"], gamma["last_bits"], gamma["count"])))
    print("/* clang-format on */")


main()
