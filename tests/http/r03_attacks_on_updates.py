"""Updates that ask for more than they seem to, or that say what no number is: refused by name, and nobody waits."""

import json
import os
import random
import threading
import time

import formats
import run_chance

np = formats.np
ROWS = {"op": "zeros", "dtype": "int64"}


def optimizer(s, name="sgd", kind="gradient_descent", **fields):
    return s.put(f"optimizers/{name}", {"type": kind, "learning_rate": 0.5, **fields}).expect(201)


def test_two_steps_of_one_run_are_in_order(s):
    optimizer(s)
    s.make("w", [1.0, 2.0])
    step = {"op": "apply_gradients", "optimizer": "sgd", "gradients": {"w": [1.0, 1.0]}}
    s.post(":run", {"ops": [step, step]}).expect(200)
    late = s.post("optimizers/sgd:apply_gradients", {"gradients": {"w": [1.0, 1.0]}, "base_revision": 1}).expect(200)
    assert late.json["staleness"] == 2
    found = s.post("/v1:verify?payloads=true").expect(200).json
    assert found["ok"] and found["findings"] == 0, found


def test_global_step_is_an_integer(s):
    """By way of a double, a step past 2**53 stood still."""
    optimizer(s)
    s.make("w", [1.0])
    for dtype, step, after in (("int64", 2**53 + 1, 2**53 + 2), ("int64", 2**63 - 1, -2**63), ("int64", -2**63, 1 - 2**63),
                               ("int32", 2**31 - 1, -2**31), ("int32", -5, -4)):
        s.make("step", step, dtype)
        told = s.post("optimizers/sgd:apply_gradients", {"gradients": {"w": [1.0]}, "global_step": "step"}).expect(200)
        assert told.json["global_step"] == s.value("step") == after
        s.delete("variables/step").expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "name may not be empty", "POST", "optimizers/sgd:apply_gradients",
              {"gradients": {"w": [1.0]}, "global_step": ""})


def test_numbers_that_float32_does_not_have(s):
    """A hyper-parameter became infinite, and the reply could not be written; a clip norm made all weights NaN."""
    for kind, field in (("adam", "beta1"), ("adam", "epsilon"), ("momentum", "momentum"), ("adagrad", "initial_accumulator_value")):
        s.refuses(400, "INVALID_ARGUMENT", (field, "float32"), "PUT", "optimizers/bad",
                  {"type": kind, "learning_rate": 0.5, field: 1e308})
    s.refuses(400, "INVALID_ARGUMENT", ("learning_rate", "float32"), "PUT", "optimizers/bad",
              {"type": "adam", "learning_rate": 1e300})
    optimizer(s)
    s.make("w", [1.0])
    for norm in (1e308, 1e-320):
        s.refuses(400, "INVALID_ARGUMENT", ("clip_by_global_norm", "float32"), "POST", "optimizers/sgd:apply_gradients",
                  {"gradients": {"w": [1.0]}, "clip_by_global_norm": norm})
    assert s.value("w") == [1.0]


def test_averages_that_are_not_finite_are_told(s):
    """They were computed and kept, and the reply said that there was no memory."""
    s.make("w", [1.0])
    s.refuses(400, "INVALID_ARGUMENT", ("decay", "float32"), "PUT", "moving_averages/bad", {"decay": 1e308})
    s.put("moving_averages/ema", {"decay": 0.9, "num_updates": -10}).expect(201)
    told = s.post("moving_averages/ema:apply", {"variables": ["w"]}).expect(200).json
    assert told["decay"] == "-Infinity" and told["versions"] == {"w/ExponentialMovingAverage": 2}


def test_an_operation_is_not_called_a_fetch(s):
    s.make("w", [1.0])
    for op, words in (({"op": "assign", "variable": "w", "value": "x"}, "field 'ops[1].value'"),
                      ({"op": "create_slots", "optimizer": "o"}, "field 'ops[1].variables' is required")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", ":run",
                  {"ops": [{"op": "assign", "variable": "w", "value": [2.0]}, op], "fetches": {"f": 1}})


def test_a_variable_has_one_gradient(s):
    optimizer(s)
    s.make("w", np.ones([3, 2]))
    sparse = {"indices": [0], "values": [[1.0, 1.0]]}
    dense = {"op": "ones", "shape": [3, 2]}
    for one, other in ((dense, dense), (dense, sparse), (sparse, sparse)):
        for more in ({}, {"accumulate": {"replicas": 1, "key": "k"}}, {"accumulate": {"replicas": 2, "key": "k"}}):
            s.refuses(400, "INVALID_ARGUMENT", ("two gradients", "'w'"), "POST", "optimizers/sgd:apply_gradients",
                      {"gradients": {"w": one, "w:0": other}, **more})


def test_fetches_are_counted_before_they_are_computed(s):
    fetches = {f"f{i}": {"op": "zeros", "shape": [1 << 16, 1 << 10]} for i in range(50)}
    before = s.server.memory()["VmHWM"]
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("fetch 'f0'", "max_json_elements"), "POST", ":run", {"fetches": fetches})
    assert s.server.memory()["VmHWM"] < before + (100 << 20)
    few = {f"f{i}": {"op": "zeros", "shape": [250001]} for i in range(4)}
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("fetch 'f3'", "1000004"), "POST", ":run", {"fetches": few})


def test_sparse_gradients_are_counted_together(s):
    with s.other_server("--expression-max-bytes", "8m") as other:
        optimizer(other, "ada", "adagrad")
        gradients = {}
        for i in range(3):
            other.create(f"v{i}", {"op": "zeros", "shape": [4, 100000]})
            gradients[f"v{i}"] = {"indices": [i] * 8, "values": {"op": "ones", "shape": [8, 100000]}}
        other.initialize()
        other.refuses(413, "PAYLOAD_TOO_LARGE", ("'v2'", "3200000", "expression_max_bytes"), "POST",
                      "optimizers/ada:apply_gradients", {"gradients": gradients})
        del gradients["v2"]
        other.post("optimizers/ada:apply_gradients", {"gradients": gradients}).expect(200)


def test_long_rows_are_applied_in_parts(s):
    """Of a row of any length no more than a part is held, beside its gradient."""
    width = 70001
    for name, kind, fields in (("ada", "adagrad", {}), ("ftrl", "ftrl", {}), ("sgd", "gradient_descent", {})):
        optimizer(s, name, kind, **fields)
        s.make("wide", np.zeros([3, width]))
        s.make("narrow", np.zeros([3, 10]))
        gradient = np.linspace(-1, 1, width, dtype=np.float32)
        tensors = {"g": ("float32", [3, width], np.stack([gradient, 2 * gradient, gradient]).tobytes())}
        s.post(f"optimizers/{name}:apply_gradients", *s.multipart(
            {"gradients": {"wide": {"indices": [2, 0, 2], "values": {"tensor": "g"}}}}, tensors)).expect(200)
        got = s.array("wide")
        assert not got[1].any() and got[0].any() and got[2].any()
        for column in (0, 16383, 16384, 16385, width - 1):  # as a narrow row of the same numbers
            values = [[2 * float(gradient[column])] * 10, [2 * float(gradient[column])] * 10]
            s.assign("narrow", np.zeros([3, 10]).tolist())
            s.delete("variables/narrow/" + {"ada": "Adagrad", "ftrl": "Ftrl", "sgd": "none"}[name])
            s.delete("variables/narrow/Ftrl_1")
            s.post(f"optimizers/{name}:apply_gradients", {"gradients": {"narrow": {"indices": [0, 2], "values": values}}}).expect(200)
            assert got[0][column] == s.array("narrow")[0][0]
        for each in ("wide", "narrow"):
            for slot in ("", "/Adagrad", "/Ftrl", "/Ftrl_1"):
                s.delete(f"variables/{each}{slot}")


def test_who_waits_for_what_is_deleted_is_told(s):
    """They waited for as long as they had said they would."""
    s.make("w", [1.0])
    for gone in ("optimizers/sgd", "accumulators/a", ""):
        s.put("", {})
        s.put("optimizers/sgd", {"type": "gradient_descent", "learning_rate": 0.5})
        s.put("accumulators/a", {"dtype": "float32", "shape": [1]})
        s.put_npy("w", np.ones([1], "float32"))
        asked = [("accumulators/a:take_grad", {"num_required": 1})] if gone != "optimizers/sgd" else []
        if gone != "accumulators/a":
            asked.append(("optimizers/sgd:apply_gradients", {"gradients": {"w": [1.0]}, "accumulate": {"replicas": 2, "key": "k"}}))
        told = []
        waiting = [threading.Thread(target=lambda path=path, body=body: told.append(s.another_client().request(
            "POST", s.path(path), body, {"Prefer": "wait=60"}))) for path, body in asked]
        begun = time.monotonic()
        for each in waiting:
            each.start()
        time.sleep(0.3)
        s.delete(gone).expect(200)
        for each in waiting:
            each.join()
        assert time.monotonic() - begun < 10 * s.patience
        assert len(told) == len(asked) and all(reply.status in (404, 409) for reply in told), "\n".join(map(str, told))


def test_a_sparse_gradient_may_be_empty(s):
    optimizer(s)
    s.make("w", [[1.0], [2.0]])
    none = {"indices": [], "values": {"op": "zeros", "shape": [0, 1]}}
    for more in ({}, {"accumulate": {"replicas": 1, "key": "k"}}):
        s.post("optimizers/sgd:apply_gradients", {"gradients": {"w": none}, **more}).expect(200)
    assert s.value("w") == [[1.0], [2.0]]


class Bystander:
    """Somebody else's small writes; the longest that one took."""

    def __init__(self, s):
        s.make("bystander", 0, "int32")
        self.path = s.path("variables/bystander:assign_add")
        self.client, self.longest, self.goes_on = s.another_client(), 0, True
        self.thread = threading.Thread(target=self.write)

    def write(self):
        while self.goes_on:
            begun = time.monotonic()
            self.client.request("POST", self.path, {"value": 1}).expect(200)
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.goes_on = False
        self.thread.join()


def nobody_waits(s, *request):
    begun = time.monotonic()
    with Bystander(s) as bystander:
        s.post(*request).expect(200)
    took = time.monotonic() - begun
    s.delete("variables/bystander").expect(200)
    assert bystander.longest < max(0.5 * s.patience, took / 3), f"{bystander.longest:.2f} s of {took:.2f} s"


def test_long_work_is_not_done_inside_the_commit(s):
    s.make("w", [1.0])
    s.create("wide", {"op": "zeros", "shape": [2, 100000]})
    s.initialize(variables=["wide"])
    slow = {"op": "reduce_mean", "args": [{"op": "random_normal", "shape": [40000000]}]}
    optimizer(s, learning_rate=slow)
    nobody_waits(s, "optimizers/sgd:apply_gradients", {"gradients": {"w": [1.0]}})
    nobody_waits(s, "variables/w:assign_moving_average", {"value": [1.0], "decay": {"op": "multiply", "args": [slow, 0.0]}})
    nobody_waits(s, "variables/wide:scatter_add", {"indices": {**ROWS, "shape": [20000]}, "updates": 1.0})
    assert s.array("wide", slice="0,:2").tolist() == [20000.0, 20000.0]


def test_rows_are_not_changed_without_end(s):
    s.create("wide", {"op": "zeros", "shape": [2, 1000000]})
    s.initialize()
    s.refuses(413, "PAYLOAD_TOO_LARGE", ("scatter_add to 'wide'", "30000000 rows", "expression_operations_max"), "POST",
              "variables/wide:scatter_add", {"indices": {**ROWS, "shape": [30000000]}, "updates": 1.0})


def test_many_small_operations_are_not_done_inside_the_commit(s):
    s.make("x", 0.0)
    s.post("variables", [{"name": f"q{i}", "initial_value": 0.0} for i in range(3000)]).expect(201)
    nobody_waits(s, ":run", {"ops": [{"op": "initialize", "prefix": "q"}] * 6})
    nobody_waits(s, ":run", {"ops": [{"op": "save", "name": f"c{i}", "prefix": "q"} for i in range(6)]})
    nobody_waits(s, ":run", {"ops": [{"op": "assign_add", "variable": "x", "value": 1.0}] * 20000})
    nobody_waits(s, ":run", {"fetches": {f"{i}": {"op": "add", "args": [{"variable": "x"}, 1.0]} for i in range(10000)}})
    assert s.value("x") == 20000.0


def test_checkpoints_and_initializations_of_one_run_have_a_limit_together(s):
    with s.other_server("--variables-per-request-max", "100") as other:
        for start in (0, 60):
            other.post("variables", [{"name": f"q{i}", "initial_value": 0.0} for i in range(start, start + 60)]).expect(201)
            other.post(":initialize", {"variables": [f"q{i}" for i in range(start, start + 60)]}).expect(200)
        saves = [{"op": "save", "name": f"c{i}"} for i in range(3)]
        other.post(":run", {"ops": saves[:1]}).expect(200)
        other.delete("checkpoints/c0").expect(200)
        reply = other.refuses(400, "INVALID_ARGUMENT", ("120 tensors", "100", "variables_per_request_max"), "POST", ":run",
                              {"ops": saves})
        assert reply.json["failed_operation"] == 1
        reply = other.refuses(400, "INVALID_ARGUMENT", ("124 variables", "100"), "POST", ":run",
                              {"ops": [{"op": "initialize", "prefix": "q1"}] * 9})  # q1, q10 to q19, q100 to q119
        assert reply.json["failed_operation"] == 4


def furnish(s):
    """A model in which most of what Chance says means something."""
    for name, (dtype, shape) in run_chance.VARIABLES.items():
        first = {"dtype": dtype, "shape": shape, "data": ["x", "y"]} if dtype == "string" else {"op": "ones", "shape": shape, "dtype": dtype}
        s.post("variables", {"name": name, "initial_value": first})
    s.post(":initialize", {"only_uninitialized": True})
    for name, kind in (("sgd", "gradient_descent"), ("adam", "adam"), ("ada", "adagrad"), ("lamb", "lamb")):
        s.put(f"optimizers/{name}", {"type": kind, "learning_rate": 0.1})
    s.put("moving_averages/ema", {"decay": 0.9, "zero_debias": True})
    s.put("accumulators/dense", {"dtype": "float32", "shape": [4, 3]})
    s.put("accumulators/sparse", {"dtype": "float32", "shape": [4, 3], "sparse": True})


def test_runs_of_anything(s):
    """Done or refused; never an error of the server's own."""
    seed = int(os.environ.get("TENSORKEEP_CHANCE", "3"))
    count = int(os.environ.get("TENSORKEEP_CHANCES", "150" if s.slow else "1500"))
    chance = run_chance.Chance(random.Random(seed), s.get("/v1/verbs").expect(200).json["verbs"])
    done = 0
    for i in range(count):
        if i % 200 == 0:
            furnish(s)
        run = json.dumps(chance.run()).replace("Infinity", "1e999")
        reply = s.post(":run", run, {"Content-Type": "application/json"})
        assert reply.status < 500, str(reply)
        done += reply.status == 200
    assert done > count / 50, f"{done} of {count} were done"
    found = s.post("/v1:verify?payloads=true").expect(200).json
    assert found["ok"] and found["findings"] == 0, found
