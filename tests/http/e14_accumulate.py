"""Synchronous training: gradients of several workers under one key, averaged and applied once."""

import time

import formats
from accumulating import RATE, body, contribute, is_whole, look, mean32, prepare

np = formats.np


# --- the step ------------------------------------------------------------------------------------

def test_the_average_is_applied_once_when_all_are_there(s):
    prepare(s)
    gradients = [[0.1, 1, -1], [0.3, 2, 5], [0.7, 3, 1e-3]]
    for n, gradient in enumerate(gradients[:2], 1):
        reply = contribute(s, "step-1", 3, gradient, worker=f"w{n}").expect(202)
        assert reply.headers["location"] == s.path("optimizers/o/accumulations/step-1")
        assert reply.json == {"optimizer": "o", "key": "step-1", "accumulated": n, "replicas": 3, "applied": False,
                              "revision": reply.json["revision"]}
        assert s.array("w").tolist() == [1, 2, 3] and s.value("step") == 0
    reply = contribute(s, "step-1", 3, gradients[2], worker="w3").expect(200)
    assert {"key": "step-1", "accumulated": 3, "replicas": 3, "applied": True, "global_step": 1}.items() <= \
        reply.json.items(), reply.json
    assert abs(reply.json["gradient_norm"] - float(np.linalg.norm(mean32(gradients)))) < 1e-5
    assert np.array_equal(s.array("w"), np.array([1, 2, 3], "f4") - np.float32(RATE) * mean32(gradients))
    assert s.value("step") == 1 and s.info("w")["version"] == reply.json["versions"]["w"]
    is_whole(s)


def test_what_is_waiting_can_be_looked_at_and_dropped(s):
    prepare(s)
    assert s.get("optimizers/o/accumulations").expect(200).json["accumulations"] == []
    contribute(s, "a", 4, [1, 1, 1], worker="zoe").expect(202)
    contribute(s, "a", 4, [1, 1, 1], worker="adam").expect(202)
    contribute(s, "a", 4, [1, 1, 1]).expect(202)
    contribute(s, "b", 2, [1, 1, 1]).expect(202)
    listed = s.get("optimizers/o/accumulations").expect(200).json["accumulations"]
    assert [each["key"] for each in listed] == ["a", "b"]
    seen = look(s, "a").expect(200).json
    assert seen == listed[0]
    assert seen["workers"] == ["adam", "zoe"] and (seen["accumulated"], seen["replicas"]) == (3, 4)
    assert seen["variables"] == [{"name": "w", "dtype": "float32", "shape": [3], "sparse": False}]
    assert seen["applied"] is False and seen["optimizer"] == "o" and seen["created"] <= seen["updated"] < seen["expires"]
    where = "optimizers/o/accumulations/a"
    for condition in {"If-Match": '"r1"'}, {"If-None-Match": "*"}:
        s.refuses(412, "PRECONDITION_FAILED", ["accumulation", "'a'"], "DELETE", where, headers=condition)
    gone = s.delete(where, headers={"If-Match": f'"r{seen["revision"]}"'}).expect(200)
    assert gone.json["deleted"] == "a"
    s.is_refusal(look(s, "a"), 404, "NOT_FOUND", ["accumulation 'a'", "optimizer 'o'"])
    s.refuses(404, "NOT_FOUND", "accumulation 'a'", "DELETE", "optimizers/o/accumulations/a")
    contribute(s, "b", 2, [1, 1, 1]).expect(200)
    assert look(s, "b").expect(200).json["applied"] is True
    s.refuses(409, "FAILED_PRECONDITION", "was applied", "DELETE", "optimizers/o/accumulations/b")
    # the key that was dropped begins anew
    assert contribute(s, "a", 2, [1, 1, 1]).expect(202).json["accumulated"] == 1
    is_whole(s)


def test_a_worker_counts_once(s):
    prepare(s)
    contribute(s, "k", 2, [1, 1, 1], worker="a").expect(202)
    with s.unchanged():
        reply = contribute(s, "k", 2, [9, 9, 9], worker="a").expect(202)
    assert reply.json["repeated"] is True and reply.json["accumulated"] == 1
    contribute(s, "k", 2, [3, 3, 3], worker="b").expect(200)
    assert s.array("w").tolist() == [0, 1, 2]


def test_what_comes_too_late_is_dropped(s):
    prepare(s)
    contribute(s, "k", 2, [1, 1, 1]).expect(202)
    done = contribute(s, "k", 2, [3, 3, 3]).expect(200).json
    with s.unchanged():
        late = contribute(s, "k", 2, [5, 5, 5], worker="slow").expect(200)
    assert late.json["dropped"] is True and late.json["applied"] is True
    assert late.json["revision"] == done["revision"] and late.json["global_step"] == 1
    assert s.array("w").tolist() == [0, 1, 2] and s.value("step") == 1
    # Also with other replicas: its step is over.
    assert contribute(s, "k", 9, [5, 5, 5]).expect(200).json["dropped"] is True


def test_the_last_hundred_keys_are_remembered(s):
    prepare(s)
    for i in range(101):
        contribute(s, f"s{i}", 1, [0, 0, 0]).expect(200)
    assert s.value("step") == 101
    assert contribute(s, "s1", 1, [0, 0, 0]).expect(200).json["dropped"] is True
    assert "dropped" not in contribute(s, "s0", 1, [0, 0, 0]).expect(200).json
    is_whole(s)


def test_rows_are_averaged_over_the_gradients_that_have_them(s):
    s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": 1}).expect(201)
    s.make("w", np.zeros([5, 2]))
    parts = [([3, 1], [[1, 1], [2, 2]]), ([1, 1], [[1, 3], [1, 1]]), ([0], [[9, 9]])]
    for i, (indices, values) in enumerate(parts, 1):
        reply = s.post("optimizers/o:apply_gradients", {"gradients": {"w": {"indices": indices, "values": values}},
                                                        "accumulate": {"replicas": 3, "key": "k"}})
        reply.expect(202 if i < 3 else 200)
        if i == 2:
            assert look(s, "k").json["variables"] == [{"name": "w", "dtype": "float32", "shape": [5, 2], "sparse": True,
                                                       "rows": 2}]
    # row 1: (2 + (1 + 1)) / 2, (2 + (3 + 1)) / 2
    assert s.array("w").tolist() == [[-9, -9], [-2, -3], [0, 0], [-1, -1], [0, 0]]
    is_whole(s)


def test_slots_are_made_by_the_step_and_clipping_is_of_the_average(s):
    prepare(s, "momentum", momentum=0.9)
    more = {"clip_by_global_norm": 1.0}
    contribute(s, "k", 2, [8, 0, 0], **more).expect(202)
    s.get("variables/w/Momentum").expect(404)
    reply = contribute(s, "k", 2, [0, 6, 0], **more).expect(200)
    assert abs(reply.json["gradient_norm"] - 5) < 1e-6
    assert np.allclose(s.array("w/Momentum"), [0.8, 0.6, 0])
    assert np.allclose(s.array("w"), [1 - 0.4, 2 - 0.3, 3])


def test_in_a_run_the_step_is_an_operation_like_any_other(s):
    prepare(s)
    ops = [{"op": "apply_gradients", "optimizer": "o", **body("k", 2, [1, 1, 1])},
           {"op": "assign_add", "variable": "step", "value": 10}]
    first = s.post(":run", {"ops": ops}).expect(200).json["results"][0]
    assert (first["accumulated"], first["applied"]) == (1, False)
    assert s.value("step") == 10 and s.array("w").tolist() == [1, 2, 3]
    with s.unchanged():
        dry = s.post(":run", {"ops": ops, "dry_run": True, "fetches": {"w": {"variable": "w"}}}).expect(200).json
    assert dry["fetches"]["w"]["data"] == [0.5, 1.5, 2.5] and dry["results"][0]["applied"] is True
    s.post(":run", {"ops": ops}).expect(200)
    assert s.value("step") == 21 and s.array("w").tolist() == [0.5, 1.5, 2.5]
    s.refuses(400, "INVALID_ARGUMENT", "one accumulation", "POST", ":run", {"ops": [
        {"op": "apply_gradients", "optimizer": "o", **body(k, 2, [1, 1, 1])} for k in ("x", "y")]})
    is_whole(s)


# --- what does not go together -------------------------------------------------------------------

def test_contributions_must_agree(s):
    prepare(s)
    s.make("b", [1, 2])
    s.make("rows", [[1, 2], [3, 4]])
    contribute(s, "k", 3, [1, 1, 1]).expect(202)
    path, dense = "optimizers/o:apply_gradients", [1, 1, 1]
    for words, asked in [
        (["'k'", "3 replicas", "for 4"], body("k", 4, dense)),
        (["'k'", "global_step 'step'", "''"], {"gradients": {"w": dense}, "accumulate": {"replicas": 3, "key": "k"}}),
        (["'k'", "clip_by_global_norm"], body("k", 3, dense, clip_by_global_norm=1)),
        (["'k'", "gradient of 'b'"], {**body("k", 3, dense), "gradients": {"b": [1, 1]}}),
        (["'k'", "gradient of 'b'"], {**body("k", 3, dense), "gradients": {"w": dense, "b": [1, 1]}}),
        (["'k'", "dense", "sparse"], body("k", 3, {"indices": [0], "values": [1]})),
    ]:
        reply = s.refuses(409, "FAILED_PRECONDITION", words, "POST", path, asked)
        assert reply.json.get("accumulation") == "k", str(reply)
    contribute(s, "two", 2, dense).expect(202)
    both = {**body("both", 2, dense), "gradients": {"w": dense, "b": [1, 1]}}
    s.post(path, both).expect(202)
    s.refuses(409, "FAILED_PRECONDITION", ["2 variables", "has 1"], "POST", path, body("both", 2, dense))
    # a variable that was made again is another one
    s.delete("variables/w").expect(200)
    s.make("w", [1, 2, 3])
    s.refuses(409, "FAILED_PRECONDITION", ["'w'", "deleted"], "POST", path, body("k", 3, dense))
    is_whole(s)


def test_what_is_wrong_is_told_and_changes_nothing(s):
    prepare(s)
    path, dense = "optimizers/o:apply_gradients", [1, 1, 1]
    for status, code, words, accumulate in [
        (400, "INVALID_ARGUMENT", ["accumulate.replicas", "required"], {"key": "k"}),
        (400, "INVALID_ARGUMENT", ["accumulate.key", "required"], {"replicas": 2}),
        (400, "INVALID_ARGUMENT", ["worker2'", "'worker'"], {"replicas": 2, "key": "k", "worker2": "a"}),
        (400, "INVALID_ARGUMENT", ["1 to 100000", "not of 0"], {"replicas": 0, "key": "k"}),
        (400, "INVALID_ARGUMENT", ["not of -1"], {"replicas": -1, "key": "k"}),
        (400, "INVALID_ARGUMENT", ["not of 4294967297"], {"replicas": 2 ** 32 + 1, "key": "k"}),
        (400, "INVALID_ARGUMENT", ["key", "empty"], {"replicas": 2, "key": ""}),
        (400, "INVALID_ARGUMENT", ["129 characters", "128"], {"replicas": 2, "key": "k" * 129}),
        (400, "INVALID_ARGUMENT", ["number 2", "0x2f"], {"replicas": 2, "key": "a/b"}),
        (400, "INVALID_ARGUMENT", ["0x3a"], {"replicas": 2, "key": "a:b"}),
        (400, "INVALID_ARGUMENT", ["0x20"], {"replicas": 2, "key": "a b"}),
        (400, "INVALID_ARGUMENT", ["'..'"], {"replicas": 2, "key": ".."}),
        (400, "INVALID_ARGUMENT", ["worker", "0xc3"], {"replicas": 2, "key": "k", "worker": "é"}),
    ]:
        s.refuses(status, code, words, "POST", path, {"gradients": {"w": dense}, "accumulate": accumulate})
    s.refuses(400, "INVALID_ARGUMENT", "same shape", "POST", path, body("k", 2, [1, 1]))
    s.refuses(404, "NOT_FOUND", "'nothing'", "POST", path, {**body("k", 2, dense), "global_step": "nothing"})
    s.refuses(404, "NOT_FOUND", "'v'", "POST", path, {**body("k", 2, dense), "gradients": {"v": [1]}})
    s.refuses(404, "NOT_FOUND", "'p'", "POST", "optimizers/p:apply_gradients", body("k", 2, dense))
    s.refuses(404, "NOT_FOUND", "'p'", "GET", "optimizers/p/accumulations")
    s.refuses(404, "NOT_FOUND", "'p'", "GET", "optimizers/p/accumulations/k")
    s.refuses(404, "NOT_FOUND", "'k'", "GET", "optimizers/o/accumulations/k")
    s.refuses(404, "NOT_FOUND", "'k'", "GET", "optimizers/o/accumulations/k?wait=1")
    s.refuses(400, "INVALID_ARGUMENT", "at most 300", "GET", "optimizers/o/accumulations/k?wait=301")
    s.refuses(400, "INVALID_ARGUMENT", "129", "GET", "optimizers/o/accumulations/" + "k" * 129)
    assert s.get("optimizers/o/accumulations").json["accumulations"] == []


def test_stale_gradients_are_refused_as_ever(s):
    prepare(s)
    before = s.info("w")["revision"]
    contribute(s, "k", 2, [1, 1, 1], base_revision=before, max_staleness=0).expect(202)
    s.post("optimizers/o:apply_gradients", {"gradients": {"w": [1, 1, 1]}}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "max_staleness", "POST", "optimizers/o:apply_gradients",
              body("k", 2, [1, 1, 1], base_revision=before, max_staleness=0))
    assert look(s, "k").json["accumulated"] == 1


def test_only_so_many_may_be_open(s):
    prepare(s)
    for i in range(64):
        contribute(s, f"k{i}", 2, [1, 1, 1]).expect(202)
    s.refuses(429, "RESOURCE_EXHAUSTED", ["64", "accumulation_keep_ms"], "POST", "optimizers/o:apply_gradients",
              body("more", 2, [1, 1, 1]))
    contribute(s, "k3", 2, [1, 1, 1]).expect(200)
    contribute(s, "more", 2, [1, 1, 1]).expect(202)
    # what belongs to the optimizer, and to the model, goes with it
    s.delete("optimizers/o").expect(200)
    is_whole(s)
    s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": RATE}).expect(201)
    assert s.get("optimizers/o/accumulations").json["accumulations"] == []
    assert contribute(s, "k3", 2, [1, 1, 1]).expect(202).json["accumulated"] == 1
    s.delete("").expect(200)
    is_whole(s)


def test_what_never_fills_expires(s):
    with s.other_server("--accumulation-keep-ms", "1000") as other:
        prepare(other)
        contribute(other, "k", 2, [1, 1, 1], worker="a").expect(202)
        contribute(other, "j", 2, [1, 1, 1]).expect(202)
        time.sleep(1.1)
        look(other, "k").expect(404)
        assert other.get("optimizers/o/accumulations").json["accumulations"] == []
        # The same worker, anew; and the other one is gone from the store.
        reply = contribute(other, "k", 2, [2, 2, 2], worker="a").expect(202)
        assert reply.json["accumulated"] == 1 and "repeated" not in reply.json
        other.delete("optimizers/o/accumulations/j").expect(404)
        contribute(other, "k", 2, [2, 2, 2], worker="b").expect(200)
        assert other.array("w").tolist() == [0, 1, 2]
        is_whole(other)


# --- big ones ------------------------------------------------------------------------------------

def test_big_gradients_are_added_up_outside_of_commits(s):
    """Far more than a commit takes: sums are staged."""
    count = 1_500_000 if not s.slow else 300_000
    s.put("optimizers/o", {"type": "adagrad", "learning_rate": RATE}).expect(201)
    s.make("w", np.ones(count))
    rng = np.random.default_rng(3)
    gradients = [rng.standard_normal(count).astype("f4") for _ in range(3)]
    for i, gradient in enumerate(gradients):
        s.put_npy("g", gradient)
        reply = s.post("optimizers/o:apply_gradients", {"gradients": {"w": {"variable": "g"}},
                                                        "accumulate": {"replicas": 3, "key": "big"}})
        reply.expect(202 if i < 2 else 200)
        if i == 1:
            s.kill9()
            s.restart()
    mean = mean32(gradients)
    sums = np.float32(0.1) + mean * mean
    assert np.array_equal(s.array("w/Adagrad"), sums)
    assert np.allclose(s.array("w"), 1 - np.float32(RATE) * mean / np.sqrt(sums), rtol=1e-6)
    is_whole(s)
