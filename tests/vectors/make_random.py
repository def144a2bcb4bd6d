#!/usr/bin/env python3
"""Writes tests/vectors/random.inc: known answers for seeded random numbers, as C rows.

    python3 tests/vectors/make_random.py tf-random-vectors.json tf-vectors.json >tests/vectors/random.inc

The first file holds numbers that others published and numbers of an independent model of TensorFlow's
generators; of the second the cases of kind "rng" are taken. What is no draw of elements (shuffle, gamma) goes to
random_ops.inc; entries nobody can reproduce are written as rows that say why they are left out.
"""
import json
import random
import sys

KINDS = {"random_uniform": "RANDOM_UNIFORM", "random_uniform_int": "RANDOM_UNIFORM",
         "random_normal": "RANDOM_NORMAL", "truncated_normal": "RANDOM_TRUNCATED_NORMAL"}
PROFILES = {name: "RANDOM_PROFILE_" + name.upper().replace("-", "_").replace(".", "_")
            for name in ("r1-linux", "late-glibc-2.26", "float-cr", "modern-linux", "r1-new-glibc")}
PORTABLE = ("r1-linux", "late-glibc-2.26", "float-cr")


def text(value):
    return json.dumps(value) if value is not None else "NULL"


def number(value):
    """A 64-bit integer constant C accepts without a warning."""
    if value == -2 ** 63:
        return "INT64_MIN"
    return "%d" % value if abs(value) < 2 ** 31 else "INT64_C(%d)" % value


def count_of(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def profiles_of(entry):
    """Every portable profile the numbers hold under."""
    if entry["profile"] == "any":
        return ["r1-linux"]
    return [p for p in PORTABLE if p in entry.get("matches_profiles", [entry["profile"]])]


def skip_reason(entry):
    if entry["op"] not in KINDS:
        return "an op of its own, in random_ops.inc"
    if not entry.get("verified", True):
        return "no profile gives these numbers; they were published among lines of a GPU"
    return None


def emit(entry, style, expected, select, sha256=None):
    skip = skip_reason(entry)
    if skip:
        print('    {.id = "%s", .skip = "%s"},' % (entry["id"], skip))
        return
    for profile in profiles_of(entry):
        emit_under(profile, entry, style, expected, select, sha256)


def emit_under(profile, entry, style, expected, select, sha256):
    args = entry["args"]
    dtype = entry.get("dtype") or args.get("dtype")
    integer = entry["op"] == "random_uniform_int" or dtype in ("int32", "int64")
    dtype = dtype or ("int32" if integer else "float32")
    fields = ['.id = "%s"' % entry["id"], ".kind = %s" % KINDS[entry["op"]], ".dtype = DTYPE_%s" % dtype.upper()]
    fields.append(".profile = %s" % PROFILES[profile])
    op_seed = entry.get("op_seed")
    if "eager_draw" in entry:
        # TensorFlow 2 draws missing op seeds from Python's generator, seeded with the global seed.
        generator = random.Random(entry["graph_seed"])
        for _ in range(entry["eager_draw"] + 1):
            op_seed = generator.randint(0, 2 ** 31 - 1)
    if "key" in entry:
        counter = int(entry["counter"], 0)
        fields += [".has_key = true", ".key = %s" % number(int(entry["key"], 0)),
                   ".counter_high = %s" % number(counter >> 64), ".base_block = UINT64_C(%d)" % (counter % 2 ** 64)]
    if entry.get("graph_seed") is not None:
        fields += [".has_graph_seed = true", ".graph_seed = %s" % number(entry["graph_seed"])]
    if op_seed is not None:
        fields += [".has_op_seed = true", ".op_seed = %s" % number(op_seed)]
    if "last_id" in entry:
        fields.append(".default_op_seed = %d" % entry["last_id"])
    if integer:
        fields += [".low = %s" % number(args["minval"]), ".high = %s" % number(args["maxval"])]
    elif entry["op"] == "random_uniform":
        fields += [".offset = %r" % float(args.get("minval", 0)), ".top = %r" % float(args.get("maxval", 1))]
    else:
        fields += [".offset = %r" % float(args.get("mean", 0)), ".scale = %r" % float(args.get("stddev", 1))]
    fields += [".count = %d" % count_of(args["shape"]), ".first_run = %d" % entry.get("run", 0),
               ".runs = %d" % entry.get("runs", 1), ".select = %d" % select, ".style = STYLE_%s" % style,
               ".expected_count = %d" % len(expected),
               ".expected = (const char *const[]){%s}" % ", ".join(text(str(e)) for e in expected)]
    if sha256:
        fields.append('.sha256 = "%s"' % sha256)
    print("    {%s}," % ", ".join(fields))


def emit_close(case):
    step = case["steps"][0]
    entry = {"id": case["id"], "op": step["fn"], "profile": "any", "graph_seed": step["graph_seed"],
             "op_seed": step["seed"], "args": step["args"], "dtype": step["dtype"]}
    expected = flat(step["expect_output"])
    style = "EXACT" if step["dtype"].startswith("int") else "CLOSE"
    if "expect_next_run" in step:
        entry["runs"] = 2
        expected += flat(step["expect_next_run"])
    emit(entry, style, expected, 0)


def main():
    known = json.load(open(sys.argv[1]))
    print("/* Written by tests/vectors/make_random.py. */\n/* clang-format off */")
    print("static const struct seed_case seed_cases[] = {")
    for case in known["get_seed"]["cases"]:
        if case["out"][0] is None:
            continue  # nothing given: the caller's business
        print("    {%s, %s, %s, %s, %s, UINT64_C(%d), UINT64_C(%d)}," % (
            str(case["graph_seed"] is not None).lower(), number(case["graph_seed"] or 0),
            str(case["op_seed"] is not None).lower(), number(case["op_seed"] or 0), number(case["last_id"]),
            case["out"][0], case["out"][1]))
    print("};\n")
    print("static const struct pair_case pair_cases[] = {")
    for case in known["box_muller_float"]["cases"]:
        for profile in PORTABLE:
            print("    {%s, 0x%s, 0x%s, {0x%s, 0x%s}}," % (PROFILES[profile], case["x0"], case["x1"], *case[profile]))
    print("};\n")
    print("static const struct block_case block_cases[] = {")
    for entry in known["published"]:
        if entry["op"] != "philox":
            continue
        key, counter = int(entry["key"], 0), int(entry["counter"], 0)
        print("    {\"%s\", {%s}, {%s}, {%s}}," % (
            entry["id"], ", ".join("0x%08x" % (key >> s & 0xFFFFFFFF) for s in (0, 32)),
            ", ".join("0x%08x" % (counter >> s & 0xFFFFFFFF) for s in (0, 32, 64, 96)), ", ".join(entry["expected"])))
    print("};\n")
    print("static const struct table_case table_cases[] = {")
    for profile in PORTABLE:
        digests = known["exhaustive"][profile]
        print('    {%s, "%s", "%s", "%s"},' % (PROFILES[profile], digests["radius"], digests["sin"], digests["cos"]))
    print("};\n")
    print("static const struct draw_case draw_cases[] = {")
    for entry in known["published"]:
        if entry["op"] != "philox":
            emit(entry, entry["style"].upper(), entry["expected"], entry.get("select", [0])[0])
    for entry in known["generated"]:
        style = "BITS" if "first_bits" in entry else "EXACT"
        emit(entry, style, entry.get("first_bits", entry["first"]), 0, entry["sha256_le"])
    for case in json.load(open(sys.argv[2]))["cases"]:
        if case["kind"] == "rng":
            emit_close(case)
    print("};\n/* clang-format on */")


main()
