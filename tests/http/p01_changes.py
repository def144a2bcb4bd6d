"""What happened, as a list: every kind of change, where lists begin and end, what survives, what is refused."""

import formats
from feeds import Waiting, all_since, gauge, revision, wait_until, words

np = formats.np
FLAGS = ["--changes-max", "300", "--durability", "interval=1000"]


def test_every_kind_of_change_is_told(s):
    since = revision(s)
    s.create("w", {"op": "zeros", "shape": [2]})
    s.initialize(variables=["w"])
    s.assign("w", [1, 2])
    s.save("c", variables=["w"])
    s.patch("checkpoints/c", {"pinned": True}).expect(200)
    s.restore("c")
    s.patch("checkpoints/c", {"pinned": False}).expect(200)
    s.delete("checkpoints/c").expect(200)
    s.delete("variables/w").expect(200)
    assert words(all_since(s, since)) == [
        "variable.created:w:0:create", "variable.initialized:w:1:initialize", "variable.changed:w:2:assign",
        "checkpoint.saved:c:1:save", "checkpoint.changed:c:1:patch", "variable.changed:w:3:restore",
        "checkpoint.restored:c:1:restore", "checkpoint.changed:c:1:patch", "checkpoint.deleted:c:1:delete",
        "variable.deleted:w:3:delete"]


def test_models_are_told_of_to_all(s):
    since = revision(s)
    s.put("/v1/models/another", {}).expect(201)
    s.patch("/v1/models/another", {"labels": {"a": "b"}}).expect(200)
    s.post("/v1/models/another/variables", {"name": "v", "dtype": "int32", "shape": [1]}).expect(201)
    s.delete("/v1/models/another").expect(200)
    seen = s.get(f"/v1/changes?since={since}").expect(200).json["changes"]
    assert [(c["event"], c["model"]) for c in seen] == [
        ("model.created", "another"), ("model.changed", "another"), ("variable.created", "another"),
        ("model.deleted", "another"), ("variable.deleted", "another")]
    assert seen[-1]["revision"] == seen[-2]["revision"], "one commit"
    assert all_since(s, since) == [], "another model's"
    s.refuses(404, "NOT_FOUND", ["another"], "GET", "/v1/models/another/changes")


def test_every_change_has_its_commit(s):
    s.make("w", [1.0, 2.0])
    since = revision(s)
    told = [s.post("variables/w:assign_add", {"value": [1, 1]}).expect(200).json for _ in range(5)]
    seen = all_since(s, since)
    assert [c["revision"] for c in seen] == [t["revision"] for t in told]
    assert [c["version"] for c in seen] == [t["version"] for t in told]
    assert {c["op"] for c in seen} == {"assign_add"} and {c["event"] for c in seen} == {"variable.changed"}


def test_runs_steps_and_uploads_say_what_they_are(s):
    s.make("v", [1.0, 2.0])
    s.put("optimizers/o", {"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}).expect(201)
    since = revision(s)
    s.post(":run", {"ops": [{"op": "assign_sub", "variable": "v", "value": [1, 1]}]}).expect(200)
    s.post(":run", {"ops": [{"op": "assign_sub", "variable": "v", "value": [1, 1]},
                            {"op": "save", "name": "r", "variables": ["v"]}]}).expect(200)
    s.post("optimizers/o:apply_gradients", {"gradients": {"v": [1, 1]}}).expect(200)
    s.put_npy("n", np.arange(3, dtype="<f4"))
    assert words(all_since(s, since)) == [
        "variable.changed:v:2:assign_sub", "checkpoint.saved:r:1:run", "variable.changed:v:3:run",
        "variable.changed:v:4:apply_gradients", "variable.created:v/Momentum:2:apply_gradients",
        "variable.created:n:1:assign"]


def test_what_is_refused_or_said_again_is_told_once(s):
    s.make("w", [1.0, 2.0])
    since = revision(s)
    for _ in range(3):
        s.post("variables/w:assign_add", {"value": [1, 1]}, {"Idempotency-Key": "feed-once"}).expect(200)
    s.post("variables/w:assign_add", {"value": [1, 1, 1]})
    s.post("variables/w:assign_add", {"value": [1, 1]}, {"If-Match": '"r1"'}).expect(412)
    assert len(all_since(s, since)) == 1


# --- which ---------------------------------------------------------------------------------------

def test_only_what_is_asked_for(s):
    since = revision(s)
    for name in ("a/w", "a/b", "ab", "c"):
        s.make(name, [1.0])
    s.save("a/c", variables=["c"])
    names = [c["name"] for c in all_since(s, since, "&prefix=a/")]
    assert sorted(set(names)) == ["a/b", "a/c", "a/w"], names
    assert {c["event"] for c in all_since(s, since, "&types=checkpoint.saved")} == {"checkpoint.saved"}
    both = all_since(s, since, "&types=checkpoint.saved,variable.created&prefix=a")
    assert [c["name"] for c in both] == ["a/w", "a/b", "ab", "a/c"]
    assert all_since(s, since, "&types=variable.deleted") == []


def test_a_list_goes_on_where_it_ended(s):
    since = begin = revision(s)
    s.make("w", [1.0])
    s.post("variables", [{"name": f"v{i}", "dtype": "float32", "shape": [1]} for i in range(20)]).expect(201)
    for _ in range(5):
        s.assign("w", [2.0])
    seen, more = [], True
    while more:
        reply = s.get(f"changes?since={since}&limit=3").expect(200)
        assert reply.revision == reply.json["revision"] > since
        seen += reply.json["changes"]
        since, more = reply.json["revision"], reply.json["more"]
    assert seen == all_since(s, begin)
    together = [c for c in seen if c["op"] == "create" and c["name"].startswith("v")]
    assert len(together) == 20 and len({c["revision"] for c in together}) == 1, "a commit is not divided"
    assert s.get(f"changes?since={since}").expect(200).json["changes"] == []


def test_the_oldest_are_forgotten_and_that_is_said(s):
    s.make("w", [1.0])
    for _ in range(450):
        s.assign("w", [2.0])
    reply = s.get("changes").expect(200).json
    oldest = reply["oldest"]
    assert oldest > 0 and 300 <= reply["revision"] - oldest < 450
    gone = s.get(f"changes?since={oldest - 1}").expect(410)
    assert gone.code == "OUT_OF_RANGE" and gone.json["oldest"] == oldest and gone.json["revision"] == reply["revision"]
    assert len(all_since(s, oldest)) == reply["revision"] - oldest
    future = s.get(f"changes?since={reply['revision'] + 1}").expect(410)
    assert future.json["revision"] == reply["revision"]
    s.get("changes?since=18446744073709551615").expect(410)
    s.restart()
    assert s.get("changes").expect(200).json["oldest"] >= oldest


def test_nothing_is_lost_by_a_kill(s):
    s.make("w", [1.0])
    since = revision(s)
    told = [s.assign("w", [float(i)]).revision for i in range(20)]
    before = all_since(s, since)
    s.kill9()
    s.restart()
    assert all_since(s, since) == before
    assert [c["revision"] for c in before] == told
    last = s.assign("w", [0.0]).revision
    assert [c["revision"] for c in all_since(s, told[-1])] == [last]


def test_ten_thousand_variables_are_restored_in_one_commit(s):
    count = 10000 if not s.slow else 1000
    s.post("variables", [{"name": f"layer{i % 7}/kernel_{i:05d}", "dtype": "float32", "shape": [1],
                          "initial_value": {"op": "ones", "shape": [1]}} for i in range(count)]).expect(201)
    s.initialize()
    s.save("all")
    since = revision(s)
    s.restore("all")
    seen = all_since(s, since)
    assert len(seen) == count + 1 and {c["revision"] for c in seen} == {since + 1}
    assert len({c.get("name") for c in seen}) == count + 1
    assert words(seen)[-1] == f"checkpoint.restored:all:{count}:restore"
    s.delete("").expect(200)
    s.put("", {}).expect(201)


# --- waiting -------------------------------------------------------------------------------------

def test_who_waits_is_told_of_the_next_change(s):
    s.make("w", [1.0])
    since = revision(s)
    waiting = Waiting(s, f"changes?feed=longpoll&since={since}&prefix=w")
    other = Waiting(s, f"changes?feed=longpoll&since={since}&types=variable.deleted", {"Prefer": "wait=1"})
    s.make("x", [1.0])
    assert waiting.reply is None
    s.assign("w", [2.0])
    seen = waiting.answer().expect(200).json
    assert words(seen["changes"]) == ["variable.changed:w:2:assign"]
    nothing = other.answer().expect(200)
    assert nothing.json["changes"] == [] and nothing.json["revision"] >= since
    assert nothing.headers["preference-applied"] == "wait=1"
    at_once = s.get(f"changes?feed=longpoll&since={since}&limit=1").expect(200).json
    assert len(at_once["changes"]) >= 1


def test_who_stopped_waiting_takes_no_place(s):
    with s.other_server("--connections-max", "8") as other:
        other.make("w", [1.0])
        path = other.path(f"changes?feed=longpoll&heartbeat=300&since={revision(other)}")
        for vanishes in (True, False):
            opened = [other.socket() for _ in range(8 - len(other.clients))]
            for each in opened:
                each.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda: gauge(other, "tensorkeep_connections") == 8, 60 * s.patience, "they do not wait")
            for each in opened:
                if vanishes:
                    each.vanish()
                else:
                    each.__exit__()
            wait_until(lambda: gauge(other, "tensorkeep_connections") == len(other.clients), 60 * s.patience,
                       "clients that left keep others out")


def test_a_stopping_server_answers_who_waits(s):
    waiting = Waiting(s, f"/v1/changes?feed=longpoll&since={revision(s)}")
    wait_until(lambda: gauge(s, "tensorkeep_requests_under_way") == 2, 60 * s.patience, "it does not wait")
    s.server.process.terminate()
    assert waiting.answer().status in (200, 503)
    assert s.server.process.wait(60) == 0
    s.disconnect()
    s.server.forget()
    s.restart()


# --- what is refused -----------------------------------------------------------------------------

def test_what_is_no_query_is_refused(s):
    for query, words_ in (("feed=continuous", ["continuous"]), ("types=variable.eaten", ["variable.eaten"]), ("types=", ["types"]),
                          ("limit=0", ["limit"]), ("limit=10001", ["10000"]), ("heartbeat=0", ["heartbeat"]),
                          ("heartbeat=301", ["300"]), ("since=-1", ["since"]), ("since=x", ["since"]),
                          (f"prefix={'x' * 256}", ["255"]), ("color=red", ["color"])):
        s.refuses(400, "INVALID_ARGUMENT", words_, "GET", f"changes?{query}")
        s.refuses(400, "INVALID_ARGUMENT", words_, "GET", f"/v1/changes?{query}")
    s.refuses(400, "INVALID_ARGUMENT", ["Last-Event-ID"], "GET", "changes", None, {"Last-Event-ID": "one"})
    s.refuses(404, "NOT_FOUND", ["nobody"], "GET", "/v1/models/nobody/changes")
