"""Schedules of a learning rate as expressions of the step, as TensorFlow r1.0's learning_rate_decay.py has them."""

import math

import formats

np = formats.np
STEP = {"variable": "global_step"}


def start(s, step=0, dtype="int64"):
    s.create("global_step", {"dtype": dtype, "shape": [], "data": [step]}, trainable=False)
    s.initialize(variables=["global_step"])
    s.create("rate", dtype="float32", shape=[])


def rate(s, step, expression):
    s.assign("global_step", step)
    s.assign("rate", expression)
    return s.array("rate").item()


def near(got, want):
    return math.isclose(got, want, rel_tol=1e-6)


def test_exponential_decay_follows_the_step(s):
    start(s)
    smooth = {"op": "exponential_decay", "learning_rate": 0.1, "global_step": STEP, "decay_steps": 3, "decay_rate": 0.96}
    for step in (0, 1, 2, 3, 100):
        assert near(rate(s, step, smooth), 0.1 * 0.96 ** (step / 3)), step
        assert near(rate(s, step, {**smooth, "staircase": True}), 0.1 * 0.96 ** (step // 3)), step


def test_arguments_in_the_order_of_the_python_functions(s):
    start(s, 15)
    assert near(rate(s, 15, {"op": "exponential_decay", "args": [0.1, STEP, 10, 0.5, True]}), 0.05)
    assert near(rate(s, 15, {"op": "natural_exp_decay", "args": [0.1, STEP, 10, 0.5, True]}), 0.1 * math.exp(-0.5))
    assert near(rate(s, 15, {"op": "inverse_time_decay", "args": [0.1, STEP, 10, 0.5, True]}), 0.1 / 1.5)
    assert near(rate(s, 15, {"op": "polynomial_decay", "args": [0.05, STEP, 10, 0.001, 0.5, True]}),
                0.049 * 0.25 ** 0.5 + 0.001)
    assert near(rate(s, 15, {"op": "piecewise_constant", "args": [STEP, [10, 15], [1.0, 0.5, 0.1]]}), 0.5)


def test_polynomial_decay_ends_or_cycles(s):
    start(s)
    once = {"op": "polynomial_decay", "learning_rate": 0.05, "global_step": STEP, "decay_steps": 10}
    for step in (0, 5, 10, 25):
        left = 1 - min(step, 10) / 10
        assert near(rate(s, step, once), (0.05 - 0.0001) * left + 0.0001), step
        left = 1 - step / (10 * max(1, math.ceil(step / 10)))
        again = {**once, "end_learning_rate": 0.001, "power": 2, "cycle": True}
        assert near(rate(s, step, again), 0.049 * left ** 2 + 0.001), step


def test_piecewise_constant_of_either_integer_step(s):
    for dtype in ("int32", "int64"):
        s.create(f"step_{dtype}", {"dtype": dtype, "shape": [], "data": [0]})
        s.create(f"rate_{dtype}", dtype="float32", shape=[])
        for step, want in ((0, 1.0), (100, 1.0), (101, 0.5), (110, 0.5), (111, 0.1), (10**6, 0.1)):
            s.assign(f"step_{dtype}", step)
            s.assign(f"rate_{dtype}", {"op": "piecewise_constant", "x": {"variable": f"step_{dtype}"},
                                       "boundaries": [100, 110], "values": [1, 0.5, 0.1]})
            assert near(s.array(f"rate_{dtype}").item(), want), (dtype, step)


def test_the_rate_may_be_an_expression_itself(s):
    start(s, 10)
    s.make("base", 0.5)
    warm = {"op": "piecewise_constant", "args": [STEP, [5], [0.01, 1.0]]}
    inner = {"op": "inverse_time_decay", "args": [{"variable": "base"}, STEP, 10, 1.0]}
    assert near(rate(s, 10, {"op": "multiply", "args": [warm, inner]}), 0.25)
    s.make("base64", 0.5, "float64")
    s.create("wide", {"op": "exponential_decay", "args": [{"variable": "base64"}, STEP, 10, 0.9]})
    s.initialize(variables=["wide"])
    # 0.9 is a Python number: float32 before it meets a float64.
    assert s.array("wide").dtype == np.float64 and s.array("wide").item() == 0.5 * float(np.float32(0.9))


def test_refusals_name_what_is_wrong(s):
    start(s)
    cases = [
        ({"op": "exponential_decay", "args": [0.1, STEP, 0, 0.5]}, "decay_steps must be positive, it is 0"),
        ({"op": "polynomial_decay", "args": [0.1, -1, 10]}, "global_step must not be negative, it is -1"),
        ({"op": "polynomial_decay", "args": [0.1, STEP]}, "polynomial_decay"),
        ({"op": "natural_exp_decay", "args": [[0.1, 0.2], STEP, 10, 0.5]}, "learning_rate must be a scalar, it is float32[2]"),
        ({"op": "inverse_time_decay", "args": [0.1, True, 10, 0.5]}, "global_step is bool[]"),
        ({"op": "piecewise_constant", "args": [STEP, [1.5], [1, 2]]}, "Boundaries (float32) must have the same dtype as x (int64)"),
        ({"op": "piecewise_constant", "args": [STEP, [1, 2], [1, 2]]}, "length of boundaries should be 1 less than the length"),
        ({"op": "piecewise_constant", "args": [STEP, [2, 1], [1, 2, 3]]}, "boundaries must increase: 2 is followed by 1"),
        ({"op": "piecewise_constant", "args": [[1, 2], [1], [1, 2]]}, "x must be a scalar, it is int32[2]"),
        ({"op": "exponential_decay", "args": [0.1, {"variable": "rate"}, 1, 0.5]}, "variable 'rate' is not initialized"),
    ]
    for expression, words in cases:
        status, code = (409, "FAILED_PRECONDITION") if "initialized" in words else (400, "INVALID_ARGUMENT")
        s.refuses(status, code, words, "POST", "variables/rate:assign", {"value": expression})


def test_the_catalogue_has_them(s):
    ops = {op["name"]: op for op in s.get("/v1/ops").expect(200).json["ops"]}
    for name in ("exponential_decay", "natural_exp_decay", "inverse_time_decay"):
        assert ops[name]["args"] == ["learning_rate", "global_step", "decay_steps", "decay_rate"]
        assert [a["name"] for a in ops[name]["attributes"]] == ["staircase"]
    defaults = {a["name"]: a["default"] for a in ops["polynomial_decay"]["attributes"]}
    assert defaults == {"end_learning_rate": 0.0001, "power": 1.0, "cycle": False}


# --- TensorFlow's graph ---


def nodes(s, variable):
    return {n["name"]: n["inputs"] for n in s.get("graph").expect(200).json["nodes"] if n["variable"] == variable}


def test_the_graph_has_casts_where_dtypes_differ(s):
    start(s)
    s.create("e", {"op": "exponential_decay", "args": [0.1, STEP, 100, 0.5, True]})
    graph = nodes(s, "e")
    assert list(graph)[:10] == [f"ExponentialDecay{inner}" for inner in (
        "/learning_rate", "/Cast_1/x", "/Cast_2/x", "/Cast", "/Cast_1", "/truediv", "/Floor", "/Pow", "")] + ["e"], graph
    assert graph["ExponentialDecay/Cast"] == ["global_step/read"]
    assert graph["ExponentialDecay/Cast_1"] == ["ExponentialDecay/Cast_1/x"]
    assert graph["ExponentialDecay/Pow"] == ["ExponentialDecay/Cast_2/x", "ExponentialDecay/Floor"]
    assert graph["ExponentialDecay"] == ["ExponentialDecay/learning_rate", "ExponentialDecay/Pow"]
    s.create("i", {"op": "inverse_time_decay", "args": [0.1, STEP, 100.5, {"variable": "global_step"}]})
    graph = nodes(s, "i")
    assert "InverseTimeDecay/Cast_1" not in graph and graph["InverseTimeDecay/Cast_2"] == ["global_step/read"]
    assert graph["InverseTimeDecay/truediv"] == ["InverseTimeDecay/Cast", "InverseTimeDecay/Cast_1/x"]
    assert graph["InverseTimeDecay"] == ["InverseTimeDecay/learning_rate", "InverseTimeDecay/Add"]


def test_the_graph_of_the_others(s):
    start(s)
    s.create("p", {"op": "polynomial_decay", "args": [0.1, STEP, 100]})
    graph = nodes(s, "p")
    assert graph["PolynomialDecay/sub"] == ["PolynomialDecay/learning_rate", "PolynomialDecay/Cast_2/x"], graph
    assert graph["PolynomialDecay/div"] == ["PolynomialDecay/Minimum", "PolynomialDecay/Cast_1"]
    s.create("c", {"op": "polynomial_decay", "args": [{"dtype": "float64", "shape": [], "data": [0.1]}, STEP, 100], "cycle": True})
    graph = nodes(s, "c")
    assert graph["PolynomialDecay_1/Mul"] == ["PolynomialDecay_1/Cast_1", "PolynomialDecay_1/Ceil"]
    assert graph["PolynomialDecay_1"] == ["PolynomialDecay_1/Mul_1", "PolynomialDecay_1/Cast_2"]
    s.create("n", {"op": "natural_exp_decay", "args": [0.1, STEP, 100, 0.5]})
    assert nodes(s, "n")["NaturalExpDecay/Mul"] == ["NaturalExpDecay/Neg", "NaturalExpDecay/truediv"]
    s.create("w", {"op": "piecewise_constant", "args": [STEP, [10], [1.0, 0.5]]})
    assert nodes(s, "w")["PiecewiseConstant"] == ["global_step/read", "PiecewiseConstant/boundaries", "PiecewiseConstant/values"]
