"""tf-random-vectors.json: numbers that TensorFlow printed, digests of whole arrays, and the pair of seeds behind a stream."""

import hashlib
import math
import os
import random

from vectors_case import HERE, Case, Skip, np, short, typed

PROFILES = ("r1-linux", "late-glibc-2.26", "float-cr")
USUAL_PROFILE = "r1-linux"
FIRST_DRAW = 3  # nodes before the first random op of a graph: its shape and the two constants


def unit_rows():
    """The rows that tests/vectors/random.inc carries to unit tests, as text."""
    with open(os.path.join(HERE, "..", "vectors", "random.inc"), encoding="utf-8") as file:
        return file.read()


# --- what to ask ---

def seeds_of(entry):
    """Graph seed and op seed as they are given, or as TensorFlow would come to them."""
    graph_seed, op_seed = entry.get("graph_seed"), entry.get("op_seed")
    if "key" in entry:
        drawn = f'"{entry["id"]}"' in unit_rows()
        raise Skip("a key and a counter, not seeds: no request can give those" + (
            "; tests/unit/service/test_random*.c and test_philox.c have it" if drawn else ""))
    if op_seed is None and "eager_draw" in entry:
        draws = random.Random(graph_seed)
        for _ in range(entry["eager_draw"] + 1):
            op_seed = draws.randint(0, 2 ** 31 - 1)
    if op_seed is None and "last_id" in entry:
        op_seed = entry["last_id"]
    return graph_seed, op_seed


def op_of(entry):
    """The expression of an entry, without its seed."""
    args, op = dict(entry["args"]), entry["op"]
    dtype = entry.get("dtype") or args.get("dtype")
    if op == "random_uniform_int":
        return {"op": "random_uniform", **args, "dtype": dtype or "int32"}
    if op == "random_shuffle":
        return {"op": op, "args": [typed(args["values"], dtype or "int64")]}
    if op == "random_gamma":
        return {"op": op, "shape": [args["num_samples"]], "alpha": args["alphas"]}
    return {"op": op, **args, **({"dtype": dtype} if dtype else {})}


def profiles_of(entry):
    """Those that give the numbers."""
    if entry["profile"] == "any":
        return PROFILES
    if entry.get("verified") is False and not entry.get("matches_profiles"):
        raise Skip(f"nobody could reproduce it: {entry.get('note', 'no profile gives these numbers')}")
    known = [entry["profile"], *entry.get("matches_profiles", [])]
    chosen = [profile for profile in PROFILES if profile in known]
    if not chosen:
        raise Skip(f"no profile {entry['profile']}: it is that of a machine's own libm")
    return chosen


def draw(s, number, entry, profile, counted=False):
    """All executions that an entry speaks of, one after another, flat. `counted`: the server counts the graph's nodes."""
    graph_seed, op_seed = seeds_of(entry)
    case = Case(s, entry, f"random-{number}-{profile}")
    fields = {} if graph_seed is None else {"seed": graph_seed}
    if profile != USUAL_PROFILE:
        fields["profile"] = profile
    if counted:
        fields["seed_mode"] = "tf"
    case.fresh(**fields)
    first = entry.get("run", 0)
    op = op_of(entry) if counted else {**op_of(entry), "seed": op_seed}
    values = [case.evaluate({**op, "run": run} if run else op).ravel()
              for run in range(first, first + entry.get("runs", 1))]
    return np.concatenate(values)


# --- what it must be ---

def printed_as(value, text, style):
    """Whether a program that printed `text` had this value."""
    if style == "fixed":
        decimals = len(text.partition(".")[2])
        return f"{float(value):.{decimals}f}" == text
    if style == "shortest":
        return np.format_float_positional(value, precision=8, unique=True, trim="-") == text
    if style == "exact":
        return int(value) == int(text, 0)
    return value == type(value)(text)


def check_printed(got, texts, style, what):
    assert len(got) == len(texts), f"{what}: expected {len(texts)} values, got {len(got)}"
    wrong = [f"[{i}] {text}, got {got[i]!r}" for i, text in enumerate(texts) if not printed_as(got[i], text, style)]
    assert not wrong, f"{what}: expected " + "; ".join(wrong[:6])


def check_bits(got, texts, what):
    bits = [x.tobytes()[::-1].hex() for x in got.astype(got.dtype.newbyteorder("<"))]
    assert bits == texts, f"{what}: expected {short(texts)}, got {short(bits)}"


def check_published(got, entry):
    if "select" in entry:
        got = got[entry["select"][0]:entry["select"][1]]
    check_printed(got, entry["expected"], entry["style"], "expected")


def check_generated(got, entry):
    """Digits, bits, sum and digest: each alone would do, together they tell where it went wrong."""
    assert str(got.dtype) == entry["dtype"], f"expected {entry['dtype']}, got {got.dtype}"
    assert len(got) == entry["count"], f"expected {entry['count']} values, got {len(got)}"
    head, tail = got[:len(entry["first"])], got[len(got) - len(entry.get("last", [])):]
    if got.dtype.kind == "i":
        check_printed(head, entry["first"], "exact", "first")
        check_printed(tail, entry.get("last", []), "exact", "last")
        assert sum(map(int, got)) == entry["sum"], f"sum: expected {entry['sum']}, got {sum(map(int, got))}"
    else:
        check_bits(head, entry["first_bits"], "first")
        check_bits(tail, entry.get("last_bits", []), "last")
        total = math.fsum(map(float, got))
        assert total == float(entry["sum_float64"]), f"sum: expected {entry['sum_float64']}, got {total!r}"
    digest = hashlib.sha256(got.astype(got.dtype.newbyteorder("<")).tobytes()).hexdigest()
    assert digest == entry["sha256_le"], f"sha256: expected {entry['sha256_le']}, got {digest}"


def run_entry(s, number, entry, check):
    for profile in profiles_of(entry):
        try:
            check(draw(s, number, entry, profile), entry)
            if entry.get("op_seed") is None and entry.get("last_id") == FIRST_DRAW:
                check(draw(s, f"{number}-counted", entry, profile, counted=True), entry)
        except AssertionError as wrong:
            raise AssertionError(f"profile {profile}: {wrong}") from None


# --- the pair of seeds ---

def philox(key, counter):
    """One block of Philox4x32-10."""
    k, c = [key & 0xFFFFFFFF, key >> 32], [counter >> (32 * i) & 0xFFFFFFFF for i in range(4)]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def four_uniforms(seed, seed2):
    words = philox(seed, seed2 << 64)
    return (np.array([0x3F800000 | word & 0x7FFFFF for word in words], "<u4").view("<f4") - np.float32(1)).tolist()


def run_seed_case(s, number, entry):
    """A stream tells the pair that it began with."""
    graph_seed, op_seed = entry["graph_seed"], entry["op_seed"]
    case = Case(s, entry, f"seeds-{number}")
    case.fresh(**({} if graph_seed is None else {"seed": graph_seed}))
    op = {"op": "random_uniform", "shape": [4]}
    if op_seed is None and graph_seed is not None:
        op_seed = entry["last_id"]
    if op_seed is not None:
        op["seed"] = op_seed
    got = case.evaluate(op).tolist()
    if entry["out"] == [None, None]:
        assert got != case.evaluate(op).tolist(), "two unseeded draws are the same"
        return
    want = four_uniforms(*entry["out"])
    assert got == want, f"expected the stream of {entry['out']}, {want}, got {got}"
