"""Placing all variables of a model anew, and random models against the twin."""

import random

from placing import FLAGS, ROUND, bytes_by_task, devices, grown, make, place, state, train, zeros
from setters import Setter, parse, printed


# --- placing anew ---


def test_what_has_no_room_to_be_worked_out_says_of_what_and_which_setting(s):
    with s.other_server(*FLAGS, "--expression-max-bytes", "64k") as t:
        place(t, {"ps_tasks": 4})
        make(t, *(zeros(name) for name in ["a"] + [f"a/slots/{'x' * 200}{i}" for i in range(400)]))
        for body in ({}, {"dry_run": True}):
            t.refuses(413, "PAYLOAD_TOO_LARGE", (f"placing all of model '{t.model}' anew (expression_max_bytes): ", "65536 bytes"),
                      "POST", ":place", body)
        t.refuses(413, "PAYLOAD_TOO_LARGE", ("moving what is kept for variable 'a' (expression_max_bytes): ", "65536 bytes"),
                  "PATCH", "variables/a", {"device": "/job:ps/task:1"})


def test_place_moves_everything_as_if_it_were_made_now(s):
    place(s, {"ps_tasks": 4})
    make(s, zeros("z"), zeros("a"), zeros("pinned", device="/job:ps/task:3"), zeros("m", device="/cpu:0"),
         zeros("free", device=None))
    s.post("variables", zeros("p", (4,), slicing=[2])).expect(201)
    s.initialize()
    train(s, {"m": [1, 1], "p": [1, 1, 1, 1]})
    s.patch("", {"placement": {"ps_tasks": 2}}).expect(200)
    dry = s.post(":place", {"dry_run": True}).expect(200).json
    assert devices(s)["a"] == "/job:ps/task:1" and dry["dry_run"] and state(s)["next_task"] == 0
    moved = s.post(":place", {}).expect(200).json
    got = devices(s)
    assert got["z"] == "/job:ps/task:0" and got["a"] == "/job:ps/task:1"
    assert got["pinned"] == "/job:ps/task:3", "its own request named the task"
    assert got["free"] == "" and got["m"] == "/job:ps/task:1/device:CPU:0"
    assert got["m/Adam"] == got["m/Adam_1"] == got["m"]
    assert got["p"] == got["p/Adam"] == got["p/Adam_1"] == "/job:ps"
    assert got["beta1_power"] == got["m"], "the first made that has slots"
    assert moved["moved"] == dry["moved"] and moved["moved_count"] == len(moved["moved"])
    assert moved["variables"] == len(got) and moved["placement_state"] == state(s) == {"tasks": 2, "next_task": 0}
    assert {m["name"]: m["to"] for m in moved["moved"]}["m"] == got["m"]
    again = s.post(":place", {}).expect(200).json
    assert again["moved"] == [] and again["moved_count"] == 0


def test_powers_stay_beside_the_first_of_the_list_that_made_them(s):
    place(s, {"ps_tasks": 4})
    make(s, zeros("z"), zeros("a"), zeros("b"))
    s.initialize()
    train(s, {"b": [1, 1], "z": [1, 1]})
    train(s, {"a": [1, 1], "z": [1, 1]})
    assert s.post(":place", {}).expect(200).json["moved"] == []
    assert devices(s)["beta1_power"] == devices(s)["b"] == "/job:ps/task:2"
    s.patch("", {"placement": {"ps_tasks": 2}}).expect(200)
    s.post(":place", {}).expect(200)
    got = devices(s)
    assert got["z"] == got["b"] == got["beta1_power"] == got["beta2_power"] == got["b/Adam"] == "/job:ps/task:0" != got["a"]
    s.patch("", {"placement": {"ps_tasks": 2, "version": "1.15"}}).expect(200)
    s.post(":place", {}).expect(200)
    assert devices(s)["beta1_power"] == devices(s)["b"], "the first by name of the first list"


def test_powers_of_1_15_stay_beside_the_first_by_name_of_the_list_that_made_them(s):
    place(s, {"ps_tasks": 4, "version": "1.15"})
    make(s, zeros("z"), zeros("a"), zeros("b"))
    s.initialize()
    train(s, {"z": [1, 1], "b": [1, 1]})
    train(s, {"a": [1, 1], "z": [1, 1]})
    assert s.post(":place", {}).expect(200).json["moved"] == []
    assert devices(s)["beta1_power"] == devices(s)["b"] == "/job:ps/task:2"
    s.patch("variables/a", {"device": "/job:ps/task:3"}).expect(200)
    assert devices(s)["beta1_power"] == "/job:ps/task:2"
    s.patch("variables/b", {"device": "/job:ps/task:1"}).expect(200)
    assert devices(s)["beta1_power"] == devices(s)["beta2_power"] == "/job:ps/task:1"
    assert s.post(":place", {}).expect(200).json["moved"] == []


def test_parts_are_placed_anew_each_by_itself(s):
    before = bytes_by_task(s)
    place(s, {"ps_tasks": 1})
    s.post("variables", zeros("p", (6,), slicing=[3])).expect(201)
    s.initialize()
    train(s, {"p": [1] * 6})
    assert grown(before, bytes_by_task(s)) == [24 * 3 + 8, 0, 0, 0], "with its slots, and two powers"
    s.patch("", {"placement": {"ps_tasks": 2}}).expect(200)
    moved = s.post(":place", {}).expect(200).json["moved"]
    assert {move["name"]: move["parts_moved"] for move in moved} == {"p": 1, "p/Adam": 1, "p/Adam_1": 1}, moved
    assert devices(s)["beta1_power"] == "/job:ps/task:0", "beside the first part"
    assert grown(before, bytes_by_task(s)) == [16 * 3 + 8, 8 * 3, 0, 0]
    s.post(":place", {}).expect(200)
    s.delete("").expect(200)
    assert grown(before, bytes_by_task(s)) == [0, 0, 0, 0]


def test_place_without_a_placement_leaves_what_the_requests_said(s):
    place(s, ROUND, device="/cpu:0")
    make(s, zeros("a"), zeros("b", device="/job:x"))
    assert devices(s) == {"a": "/job:ps/task:0/device:CPU:0", "b": "/job:x/task:1/device:CPU:0"}
    s.patch("", {"placement": None}).expect(200)
    s.post(":place", {}).expect(200)
    assert devices(s) == {"a": "/device:CPU:0", "b": "/job:x/device:CPU:0"}
    s.patch("", {"device": None}).expect(200)
    assert s.post(":place", {}).expect(200).json["placement_state"] is None
    assert devices(s) == {"a": "", "b": "/job:x"}


def test_place_is_a_write_like_others(s):
    place(s, ROUND)
    make(s, zeros("a"))
    s.patch("", {"placement": {"ps_tasks": 1, "ps_device": "/job:b"}}).expect(200)
    s.post(":place", {}, headers={"If-Match": '"1"'}).expect(412)
    s.post(":place", {"all": True}).expect(400)
    etag = s.get("").expect(200).etag
    key = {"Idempotency-Key": "place-" + s.model, "If-Match": etag}
    first = s.post(":place", {}, headers=key).expect(200)
    again = s.post(":place", {}, headers=key).expect(200)
    assert first.json == again.json and first.json["moved"] == [{"name": "a", "from": "/job:ps/task:0", "to": "/job:b/task:0"}]
    s.model = "nobody"
    s.post(":place", {}).expect(404)


# --- against the twin ---

def some_placement(r):
    chosen = {"strategy": r.choice(["round_robin", "greedy"]), "load": r.choice(["bytes", "ops"]),
              "version": r.choice(["1.0", "1.15"]), "merge_devices": r.random() < 0.8}
    tasks = r.choice([None, 0, 1, 2, 3, 5])
    if tasks is not None:
        chosen["ps_tasks"] = tasks
    if r.random() < 0.4:
        chosen["cluster"] = {"ps": r.randrange(4), "worker": 2, "moon": ["h:1", "h:2"]}
    for field in ("ps_device", "worker_device"):
        if r.random() < 0.4:
            chosen[field] = r.choice(["", "/job:moon", "/cpu:0", "/job:ps/cpu:1", "/job:ps/task:9", "/job:ps/replica:1"])
    if r.random() < 0.2:
        chosen["ps_ops"] = r.choice([["VariableV2"], ["Variable"], []])
    return chosen


def some_spec(r, name):
    dtype = r.choice(["float32", "float64", "int32", "bool", "string"])
    shape = [r.randrange(5) for _ in range(r.randrange(3))]
    fields = {}
    if r.random() < 0.5:
        fields["device"] = r.choice([None, ["/job:x", None, "/task:1"], "", "/cpu:0", "/job:ps", "/job:moon", "/task:7", "/job:ps/task:2", "/gpu:1",
                                     "/job:worker/replica:1", "/device:TPU:*"])
    return zeros(name, shape, dtype, **fields)


def test_random_models_are_placed_as_the_twin_does(s):
    seed = random.randrange(1 << 30)
    r, base = random.Random(seed), s.model
    for round_number in range(12):
        s.model = f"{base}-{round_number}"
        placement, outer = some_placement(r), r.choice(["", "/cpu:3", "/job:out/replica:2"])
        place(s, placement, device=outer)
        twin = Setter(here=4 if parse(placement.get("ps_device", "/job:ps")).get("job") == "ps" else 0, outer=outer, **placement)
        specs = [some_spec(r, f"v{i}") for i in range(r.randrange(1, 25))]
        at = 0
        while at < len(specs):
            some = specs[at:at + r.randrange(1, 6)]
            made = make(s, *some)
            want = [twin.place(spec.get("device", ""), spec["initial_value"]["dtype"], spec["initial_value"]["shape"])
                    for spec in some]
            assert made == want, (seed, placement, outer, some, made, want)
            assert state(s) == twin.state(), (seed, placement, state(s), twin.state())
            at += len(some)
        anew = some_placement(r)
        s.patch("", {"placement": anew}).expect(200)
        s.post(":place", {}).expect(200)
        twin = Setter(here=4 if parse(anew.get("ps_device", "/job:ps")).get("job") == "ps" else 0, outer=outer, **anew)
        got = devices(s)
        for spec in specs:
            want = twin.place(spec.get("device", ""), spec["initial_value"]["dtype"], spec["initial_value"]["shape"])
            assert got[spec["name"]] == want, (seed, anew, outer, spec, got[spec["name"]], want)
        assert state(s) == twin.state(), (seed, anew)
    assert printed(parse("/gpu:1")) == "/device:GPU:1"
