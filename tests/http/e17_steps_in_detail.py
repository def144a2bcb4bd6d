"""What a step of an optimizer reads and when, what it counts, what its slots are like, and what its request is held to."""

import formats

np = formats.np
FLAGS = ["--cluster", "ps=2"]
ONES = {"op": "ones", "shape": [2]}


def descent(s, name="sgd", rate=0.5):
    s.put(f"optimizers/{name}", {"type": "gradient_descent", "learning_rate": rate}).expect(201)


def step(s, optimizer, gradients, **fields):
    return s.post(f"optimizers/{optimizer}:apply_gradients", {"gradients": gradients, **fields}).expect(200).json


def counter(s, name, value, dtype="int64"):
    s.create(name, {"dtype": dtype, "shape": [], "data": value}, trainable=False)
    s.initialize(variables=[name])


def test_steps_past_what_a_double_can_count(s):
    descent(s)
    s.make("w", [1, 2])
    counter(s, "step", 2 ** 53 + 1)
    assert step(s, "sgd", {"w": ONES}, global_step="step")["global_step"] == 2 ** 53 + 2
    assert s.value("step") == 2 ** 53 + 2
    s.assign("step", {"dtype": "int64", "shape": [], "data": 2 ** 63 - 2})
    assert step(s, "sgd", {"w": ONES}, global_step="step")["global_step"] == 2 ** 63 - 1
    assert step(s, "sgd", {"w": ONES}, global_step="step")["global_step"] == s.value("step") == -2 ** 63
    counter(s, "narrow", 2 ** 31 - 1, "int32")
    assert step(s, "sgd", {"w": ONES}, global_step="narrow")["global_step"] == s.value("narrow") == -2 ** 31


def test_dual_averaging_reads_its_own_step_and_counts_the_requests(s):
    counter(s, "own", 10)
    counter(s, "other", 100)
    s.put("optimizers/da", {"type": "adagrad_da", "learning_rate": 3.0, "global_step": "own",
                            "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.5}).expect(201)
    s.make("w", [7, 7])
    number = np.float32
    for count in (11, 12):  # of two requests, before the second of which it was counted
        named = {"global_step": "other"} if count == 11 else {"global_step": "own"}
        if count == 12:
            s.assign("own", 11)
            s.make("w", [7, 7])
            for slot, start in (("w/AdagradDA", 0), ("w/AdagradDA_1", 0.1)):
                s.assign(slot, [start, start])
        step(s, "da", {"w": [1, -1]}, **named)
        above = number(1) - number(count) * number(0.01)
        below = number(0.5) * (number(count) * number(3)) + np.sqrt(number(0.1) + number(1))
        assert np.allclose(s.array("w"), [-3 * above / below, 3 * above / below], rtol=1e-6), count
    assert (s.value("own"), s.value("other")) == (12, 101)


def test_gradients_are_of_the_values_before_the_step(s):
    """Whatever is applied first."""
    descent(s)
    for shape in ([2], [300, 1000]):
        a, b = f"a{len(shape)}", f"b{len(shape)}"
        for first, second in ((a, b), (b, a)):
            for clip in ({}, {"clip_by_global_norm": 1e9}):
                s.make(a, np.full(shape, 3))
                s.make(b, np.full(shape, 5))
                step(s, "sgd", {first: {"variable": second}, second: {"variable": first}}, **clip)
                assert np.all(s.array(a) == 0.5) and np.all(s.array(b) == 3.5), (first, shape, clip)
    s.put("optimizers/momentum", {"type": "momentum", "learning_rate": 1.0, "momentum": 0.5}).expect(201)
    s.make("c", [1, 1])
    s.make("d", [1, 1])
    step(s, "momentum", {"c": [2, 2], "d": [4, 4]})
    step(s, "momentum", {"c": {"variable": "d/Momentum"}, "d": {"variable": "c/Momentum"}})
    assert s.value("c/Momentum") == [5, 5] and s.value("d/Momentum") == [4, 4]


def test_a_variable_has_one_gradient(s):
    descent(s)
    s.make("w", [1, 2])
    s.make("x", [1, 2])
    for second in (ONES, {"indices": [0], "values": {"op": "ones", "shape": [1]}}):
        s.refuses(400, "INVALID_ARGUMENT", ("two gradients", "'w'"), "POST", "optimizers/sgd:apply_gradients",
                  {"gradients": {"w": ONES, "x": ONES, "w:0": second}})
    s.refuses(400, "INVALID_ARGUMENT", "two gradients", "POST", ":run", {"ops": [
        {"op": "apply_gradients", "optimizer": "sgd", "gradients": {"w:0": ONES, "w": ONES}}]})


def test_two_steps_of_a_run_are_in_order(s):
    """Their revision is one: neither verify nor the staleness of the second takes exception to that."""
    descent(s)
    s.make("w", [1, 2])
    base = step(s, "sgd", {"w": ONES})["revision"]
    op = {"op": "apply_gradients", "optimizer": "sgd", "gradients": {"w": ONES}, "base_revision": base, "max_staleness": 0}
    results = s.post(":run", {"ops": [op, op]}).expect(200).json["results"]
    assert [each["staleness"] for each in results] == [0, 0]
    verified = s.post("/v1:verify").expect(200).json
    assert verified["ok"], verified["texts"]
    s.refuses(412, "PRECONDITION_FAILED", "2 applies", "POST", ":run", {"ops": [op]})


def test_slots_are_where_their_variable_is_and_divided_as_it_is(s):
    s.create("w", {"op": "zeros", "shape": [20, 43]}, slicing=[1, 4], device="/job:ps/task:1", row_updates=True)
    s.initialize()
    s.put("optimizers/adam", {"type": "adam"}).expect(201)
    step(s, "adam", {"w": {"op": "ones", "shape": [20, 43]}})
    s.put("moving_averages/ema", {"decay": 0.9}).expect(201)
    s.post("moving_averages/ema:apply", {"variables": ["w"]}).expect(200)
    s.post("variables/w:assign_moving_average", {"value": {"op": "ones", "shape": [20, 43]}, "decay": 0.9}).expect(200)
    for name in ("w/Adam", "w/Adam_1", "w/ExponentialMovingAverage", "w/biased", "w/local_step"):
        info = s.info(name)
        assert info["device"] == "/job:ps/task:1" and not info["trainable"], name
        if name == "w/local_step":
            assert info["partitions"] is None
        else:
            assert [part["slice"] for part in info["partitions"]["parts"]] == \
                [part["slice"] for part in s.info("w")["partitions"]["parts"]], name
            assert info["partitions"]["parts"][1]["name"] == f"{name}/part_1"
    assert s.info("beta1_power")["partitions"] is None
    s.restart()
    assert s.info("w/Adam")["device"] == "/job:ps/task:1"


def test_the_norm_of_an_update_is_that_of_what_is_trained(s):
    """Not of accumulators that are made with it, nor of averages of squares; finite is about those too."""
    s.make("w", np.zeros(10000))
    s.put("optimizers/adagrad", {"type": "adagrad", "learning_rate": 0.001}).expect(201)
    op = {"op": "apply_gradients", "optimizer": "adagrad", "gradients": {"w": {"op": "ones", "shape": [10000]}}}
    for _ in range(2):
        before = s.array("w")
        norm = s.post(":run", {"ops": [op], "guards": {"max_update_norm": 0.2}}).expect(200).json["update_norm"]
        assert np.isclose(norm, np.linalg.norm(s.array("w") - before), rtol=1e-5) and norm < 0.1
    s.refuses(422, "UNPROCESSABLE", "max_update_norm", "POST", ":run", {"ops": [op], "guards": {"max_update_norm": 0.01}})
    much = {**op, "gradients": {"w": {"op": "fill", "dims": [10000], "value": 1e30}}}
    s.refuses(422, "UNPROCESSABLE", ("finite", "w/Adagrad"), "POST", ":run", {"ops": [much], "guards": {"finite": True}})


def test_conditions_of_a_step_are_about_the_optimizer(s):
    descent(s)
    s.make("w", [1, 2])
    s.put("moving_averages/ema", {"decay": 0.9}).expect(201)
    for path, body, kind in (("optimizers/sgd:apply_gradients", {"gradients": {"w": ONES}}, "optimizers/sgd"),
                             ("optimizers/sgd:create_slots", {"variables": ["w"]}, "optimizers/sgd"),
                             ("moving_averages/ema:apply", {"variables": ["w"]}, "moving_averages/ema")):
        current = s.get(kind).expect(200).etag
        refused = s.refuses(412, "PRECONDITION_FAILED", "If-Match", "POST", path, body, {"If-Match": '"r1"'})
        assert refused.etag.strip('"') == current.strip('"').partition("-")[0]
        s.refuses(412, "PRECONDITION_FAILED", "If-None-Match", "POST", path, body, {"If-None-Match": "*"})
        s.post(path, body, {"If-Match": current}).expect(200)
        s.post(path, body, {"If-Match": "*"}).expect(200)
    current = s.get("optimizers/sgd").etag
    s.patch("optimizers/sgd", {"learning_rate": 0.1}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "If-Match", "POST", "optimizers/sgd:apply_gradients", {"gradients": {"w": ONES}},
              {"If-Match": current})


def test_finite_is_about_what_a_run_changes(s):
    """Of a small table as of a large one: rows that were not finite before are left to whoever made them so."""
    for rows in (4, 100000):
        value = np.zeros((rows, 2), "<f4")
        value[1] = np.nan
        s.make(f"t{rows}", value)
        edit = {"op": "scatter_add", "variable": f"t{rows}", "indices": [2], "updates": [[1, 1]]}
        s.post(":run", {"ops": [edit, edit], "guards": {"finite": True}}).expect(200)
        worse = {**edit, "updates": [[1, "Infinity"]]}
        s.refuses(422, "UNPROCESSABLE", ("finite", "element 5"), "POST", ":run", {"ops": [worse], "guards": {"finite": True}})
        whole = {"op": "assign_add", "variable": f"t{rows}", "value": {"op": "ones", "shape": [rows, 2]}}
        s.refuses(422, "UNPROCESSABLE", ("finite", "element 2"), "POST", ":run", {"ops": [whole], "guards": {"finite": True}})


KINDS = {
    "gradient_descent": {}, "momentum": {"momentum": 0.9}, "adagrad": {}, "adadelta": {}, "adam": {}, "adamw": {"weight_decay": 0.01},
    "rmsprop": {"centered": True, "momentum": 0.5}, "ftrl": {}, "proximal_gradient_descent": {}, "proximal_adagrad": {},
    "adagrad_da": {"global_step": "step"}, "lamb": {}, "adamax": {}, "addsign": {}, "lars": {}}


def train(s, variables, numbers):
    """Dense and sparse gradients in turn, clipped or not."""
    for number in numbers:
        chance, tensors = np.random.default_rng(number), {}
        for name, shape in variables.items():
            if number % 2 and shape[0] > 0:
                tensors[f"{name}.indices"] = chance.integers(0, shape[0], 7)
                tensors[f"{name}.values"] = chance.standard_normal((7, *shape[1:])).astype("<f4")
            else:
                tensors[name] = chance.standard_normal(shape).astype("<f4")
        clip = "&clip_by_global_norm=3.0" if number % 3 else ""
        s.post(f"optimizers/o:apply_gradients?global_step=step{clip}", formats.safetensors_of(tensors),
               {"Content-Type": "application/vnd.safetensors"}).expect(200)


def test_training_goes_on_from_a_checkpoint_in_another_model(s):
    """Bit for bit as without an interruption: slots, powers and the step are all there is."""
    variables = {"small": [5, 3], "record": [40, 20], "chunks": [300, 300], "parts": [60, 40], "free": [9, 2], "rows": [400, 64],
                 "made": [200, 100], "none": [0, 4]}
    declared = {"parts": {"slicing": [5, 1]}, "free": {"validate_shape": False}, "rows": {"row_updates": True},
                "made": {"virtual": True}}
    first = s.model
    for kind, hyper in KINDS.items():
        optimizer = {"type": kind, "learning_rate": 0.01, **hyper}
        s.model = f"{first}-{kind}"
        s.put("", {}).expect(201)
        for name, shape in variables.items():
            s.create(name, {"op": "random_normal", "shape": shape, "seed": 5}, **declared.get(name, {}))
        counter(s, "step", 0)
        s.initialize()
        s.put("optimizers/o", optimizer).expect(201)
        train(s, variables, range(2))
        s.save("c")
        train(s, variables, range(2, 4))
        names = s.names()
        expected = {name: s.bytes_of(name) for name in names}
        source, s.model = s.model, f"{s.model}-again"
        s.put("", {}).expect(201)
        s.post(":restore", {"checkpoint": {"model": source, "name": "c"}, "create": True}).expect(200)
        s.put("optimizers/o", optimizer).expect(201)
        train(s, variables, range(2, 4))
        assert s.names() == names, kind
        for name in names:
            assert s.bytes_of(name) == expected[name], f"{kind}: {name}"
        assert s.value("step") == 4
    s.model = first
