"""Steps about random ops and initializers: streams, statistics, and the scales that seeded draws betray."""

import ast
import re

from vectors_case import np, step, typed
from vectors_variables import RELATIONS, check_output, function

OPTIONS = ("op", "fn", "args", "seed", "graph_seed", "runs", "expect_output", "expect_next_run", "expect_stats",
           "expect_error", "expect_dtype", "note")
# Every initializer that draws.
DRAWING = ("random_normal_initializer", "random_uniform_initializer", "truncated_normal_initializer",
           "uniform_unit_scaling_initializer", "variance_scaling_initializer", "orthogonal_initializer",
           "glorot_uniform_initializer", "glorot_normal_initializer")
# Ops without an attribute dtype: their result is of the dtype of their value.
TYPED_BY_VALUE = ("random_shuffle", "random_crop")


# --- samples of an op ---

def sample_of(tell):
    """The op of a `sample` step: its arguments stand in args, or beside fn."""
    args = {**{key: part for key, part in tell.items() if key not in OPTIONS}, **tell.get("args", {})}
    if tell.get("seed") is not None:
        args["seed"] = tell["seed"]
    dtype = args.pop("dtype", None)
    if tell["fn"] in TYPED_BY_VALUE:
        args["value"] = typed(args["value"], dtype) if dtype else args["value"]
    elif tell["fn"] != "multinomial" and dtype:
        args["dtype"] = dtype
    return function(tell["fn"], args)


def take_runs(case, tell, count):
    """Executions one after another: of a seeded op by their number, of another one as they come. Without a seed of its own
    the op takes the number of nodes before it, so each execution has a graph of its own."""
    op, graph_seed, runs = sample_of(tell), tell.get("graph_seed"), []
    for number in range(count):
        if graph_seed is not None:
            case.fresh(seed=graph_seed, **({} if "seed" in op else {"seed_mode": "tf"}))
        seeded = "seed" in op or graph_seed is not None
        got = case.attempt({**op, "run": number} if number > 0 and seeded else op)
        if not isinstance(got, np.ndarray):
            return got
        runs.append(got)
    return runs


@step("sample")
def sample(case, tell):
    runs = take_runs(case, tell, 2 if "expect_next_run" in tell else tell.get("runs", 1))
    if not isinstance(runs, list):
        check_output(case, runs, tell)
        return
    check_output(case, runs[0], tell)
    if "expect_next_run" in tell:
        case.same(runs[1], tell["expect_next_run"], tell, "next run")
    if "expect_stats" in tell:
        check_stats(np.concatenate([run.ravel() for run in runs]), runs, tell["expect_stats"], tell)


def check_stats(values, runs, expected, tell):
    floats = values.astype(np.float64)
    for key, want in expected.items():
        if key == "min_at_least":
            assert values.min() >= want, f"minimum {values.min()} is below {want}"
        elif key == "max_below":
            assert values.max() < want, f"maximum {values.max()} is not below {want}"
        elif key == "max_at_most":
            assert values.max() <= want, f"maximum {values.max()} is above {want}"
        elif key in ("mean", "variance", "stddev"):
            got = {"mean": np.mean, "variance": np.var, "stddev": np.std}[key](floats)
            error = expected.get(f"{key}_err", 0.01)
            assert abs(got - want) <= error, f"{key}: expected {want} within {error}, got {got}"
        elif key == "histogram_bins":
            check_histogram(values, expected, tell)
        elif key == "runs_differ":
            assert any(not np.array_equal(runs[0], other) for other in runs[1:]) == want, "runs"
        else:
            assert key.endswith("_err") or key in ("each_count_within", "of"), f"no check of '{key}'"


def check_histogram(values, expected, tell):
    """Every bin of equal width has its share."""
    args = {**tell, **tell.get("args", {})}
    low, high = args.get("minval") or 0, 1 if args.get("maxval") is None else args["maxval"]
    counts, _ = np.histogram(values.astype(np.float64), bins=expected["histogram_bins"], range=(low, high))
    error = np.abs(counts - expected["of"]).max()
    assert error <= expected["each_count_within"], f"counts {counts} are up to {error} off {expected['of']}"


@step("expect_stats")
def expect_stats(case, tell):
    values = case.read(tell["name"])
    check_stats(values.ravel(), [values], {key: part for key, part in tell.items() if key not in ("op", "name")}, tell)


# --- initializers ---

@step("make_initializer")
def make_initializer(case, tell):
    """Made in Python, an initializer is nothing yet; here it is asked for when a variable has it."""
    check_output(case, case.attempt(function(tell["fn"], tell["args"]), shape=tell.get("shape", [2, 2])), tell)


def drawn(case, fn, shape, seed, **attributes):
    """What a seeded op or initializer draws, in doubles: they show its parameters to some 15 digits."""
    op = {"op": fn, "shape": shape, "seed": seed, "dtype": "float64", **attributes}
    return case.evaluate(op).astype(np.float64).ravel()


def scale_of(case, fn, shape, uniform, **attributes):
    """The half-width or the deviation that an initializer draws with, from the standard draw of the same seed."""
    for seed in range(1, 40):
        plain = drawn(case, "random_uniform" if uniform else "truncated_normal", shape, seed)
        unit = 2.0 * plain - 1.0 if uniform else plain
        best = np.abs(unit).argmax()
        if abs(unit[best]) > 0.5:
            return drawn(case, fn, shape, seed, **attributes)[best] / unit[best]
    raise AssertionError("forty seeds in a row drew something near zero")


@step("compute_fans")
def compute_fans(case, tell):
    """limit = sqrt(3 / fan)"""
    fans = []
    for mode in ("fan_in", "fan_out"):
        limit = scale_of(case, "variance_scaling_initializer", tell["shape"], True, mode=mode, distribution="uniform")
        fans.append(3.0 / limit ** 2)
    want = [max(1, fan) for fan in tell["expect_output"]]
    assert np.allclose(fans, want, rtol=1e-9, atol=0), f"expected {want}, got {fans}"


def named_scale(key):
    """'variance_scaling_fan_out_uniform' -> the initializer, its attributes, whether it draws uniforms, the version."""
    name, version = re.fullmatch(r"(.+?)(?:_(1_0|1_15))?", key).groups()
    name = re.sub(r"_stddev$", "", name)
    found = re.fullmatch(r"variance_scaling_(fan_in|fan_out|fan_avg)_(uniform|normal)", name)
    if found:
        return "variance_scaling_initializer", {"mode": found[1], "distribution": found[2]}, found[2] == "uniform", version
    fn = name if name.startswith(("he_", "lecun_")) else name + "_initializer"
    return fn, {}, "uniform" in name, version


@step("initializer_scale")
def initializer_scale(case, tell):
    """Where both versions of a scale are told, TensorFlow r1.0's is wanted."""
    expected = tell["expect_output"]
    for key, want in expected.items():
        fn, attributes, uniform, version = named_scale(key)
        if version == "1_15" and key.replace("_1_15", "_1_0") in expected:
            continue
        got = scale_of(case, fn, tell["shape"], uniform, **attributes)
        assert np.isclose(got, want, rtol=1e-9, atol=0), f"{key}: expected {want}, got {got}"


# --- relations told in words ---

def shape_for(fn, tell):
    found = re.search(r"shape (\[[0-9, ]+\])(?: \((\[[0-9, ]+\]) for orthogonal\))?", tell["expr"])
    plain, orthogonal = (ast.literal_eval(part) if part else None for part in found.groups())
    return orthogonal if fn.startswith("orthogonal") and orthogonal else plain


def seeds_compared(case, tell, found):
    """f(seed=a)(shape) == f(seed=b)(shape), each in a fresh graph"""
    values = []
    for fn, seed in ((found[1], found[2]), (found[4], found[5])):
        case.fresh()
        values.append(case.evaluate({"op": fn, "seed": int(seed)}, shape=shape_for(fn, tell)))
    equal = np.array_equal(*values)
    assert equal == (found[3] == "=="), f"not so: {values}"


def two_calls_differ(case, _, found):
    for fn in DRAWING:
        case.fresh(seed=int(found[1]))
        for name in ("a", "b"):
            case.s.create(name, {"op": fn}, shape=[10, 10], dtype="float32")
        case.s.initialize()
        assert not np.array_equal(case.read("a"), case.read("b")), f"{fn} twice gives the same"


def is_orthogonal(case, tell, _):
    values = case.read("x")
    t = values.astype(np.float64).reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    rtol, atol = case.tolerance(str(values.dtype), tell)
    product = t.T @ t if t.shape[0] > t.shape[1] else t @ t.T
    gain = case.case["steps"][0].get("initializer", {}).get("gain", 1.0)
    error = np.abs(product - gain ** 2 * np.eye(len(product))).max(initial=0.0)
    assert error <= max(rtol, atol), f"the product is {error} away from the identity"


RELATIONS += [
    (r"(\w+)\(seed=(-?\d+)\)\(shape\) (==|!=) (\w+)\(seed=(-?\d+)\)\(shape\), each in a fresh graph", seeds_compared),
    (r"with graph seed (\d+) and no op seed, two calls of one initializer", two_calls_differ),
    (r"t = reshape\(x, \[prod\(shape\[:-1\]\), shape\[-1\]\]\)", is_orthogonal),
]
