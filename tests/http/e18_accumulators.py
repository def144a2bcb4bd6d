"""Accumulators: gradients added up until somebody takes their average."""

import threading
import time

import formats
from accumulating import Asked, is_whole, key, wait

np = formats.np
PATH = "accumulators/a"


def make(s, shape=None, dtype="float32", **more):
    return s.put(PATH, {"dtype": dtype, "shape": shape, **more}).expect(201).json


def add(s, gradient, local_step=0, client=None, **headers):
    return (client or s.client).request("POST", s.path(f"{PATH}:apply_grad"),
                                        {"gradient": gradient, "local_step": local_step}, headers or None)


def take(s, required=1, headers=None, client=None):
    return (client or s.client).request("POST", s.path(f"{PATH}:take_grad"), {"num_required": required}, headers)


def state(s):
    seen = s.get(PATH).expect(200).json
    return seen["num_accumulated"], seen["global_step"]


# --- what TensorFlow's do ------------------------------------------------------------------------

def test_gradients_are_averaged_and_taken(s):
    made = make(s, [2])
    assert (made["num_accumulated"], made["global_step"], made["sparse"]) == (0, 0, False)
    assert add(s, [1, 2]).expect(200).json["num_accumulated"] == 1
    assert add(s, [2, 4]).expect(200).json == {"accumulator": "a", "num_accumulated": 2, "global_step": 0,
                                               "revision": s.get(PATH).json["revision"]}
    # more than are required are averaged, too
    taken = take(s, 1).expect(200).json
    assert taken["gradient"] == {"dtype": "float32", "shape": [2], "data": [1.5, 3]}
    assert (taken["num_taken"], taken["num_accumulated"], taken["global_step"]) == (2, 0, 1)
    assert state(s) == (0, 1)
    s.kill9()
    s.restart()
    assert state(s) == (0, 1)
    is_whole(s)


def test_gradients_of_an_earlier_step_are_dropped(s):
    make(s, [1])
    s.post(f"{PATH}:set_global_step", {"step": 3}).expect(200)
    with s.unchanged():
        reply = add(s, [1], 2).expect(200).json
    assert reply["dropped"] is True and (reply["num_accumulated"], reply["global_step"]) == (0, 3)
    # what is too old is not looked at, as there
    with s.unchanged():
        assert add(s, [1, 2, 3], 2).expect(200).json["dropped"] is True
    assert "dropped" not in add(s, [1], 3).expect(200).json
    add(s, [5], 4).expect(200)
    assert take(s, 2).expect(200).json["gradient"]["data"] == [3]
    assert state(s) == (0, 4)
    s.post(f"{PATH}:set_global_step", {"step": 1}).expect(200)
    assert state(s) == (0, 1)


def test_the_first_gradient_has_the_shape_where_none_is_given(s):
    make(s)
    assert s.get(PATH).json["shape"] is None
    add(s, [[1, 2, 3], [4, 5, 6]]).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "Shape mismatch: expected [2,3], got [3]", "POST", f"{PATH}:apply_grad",
              {"gradient": [1, 2, 3]})
    take(s).expect(200)
    add(s, 7, 1).expect(200)
    assert take(s).expect(200).json["gradient"] == {"dtype": "float32", "shape": [], "data": 7}


def test_rows_are_averaged_over_the_gradients_that_had_them(s):
    make(s, [4, 2], "float64", sparse=True)
    add(s, {"indices": [3, 0], "values": [[1, 1], [2, 2]]}).expect(200)
    add(s, {"indices": [3, 3], "values": [[0.5, 0], [0.5, 1]]}).expect(200)
    add(s, {"indices": [], "values": {"dtype": "float64", "shape": [0, 2], "data": []}}).expect(200)
    s.kill9()
    s.restart()
    taken = take(s, 3).expect(200).json
    assert taken["gradient"] == {"indices": [0, 3], "values": {"dtype": "float64", "shape": [2, 2],
                                                               "data": [[2, 2], [1, 1]]}}
    # what is taken can be given again
    add(s, taken["gradient"], 1).expect(200)
    assert take(s).expect(200).json["gradient"] == taken["gradient"]
    is_whole(s)


def test_rows_of_an_unknown_shape(s):
    make(s, sparse=True)
    add(s, {"indices": [70000], "values": [[1, 2]]}).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "dimension 1", "POST", f"{PATH}:apply_grad", {"gradient": {"indices": [1], "values": [[1]]}})
    add(s, {"indices": [5], "values": [[3, 4]]}).expect(200)
    assert take(s, 2).expect(200).json["gradient"]["indices"] == [5, 70000]
    add(s, {"indices": [1], "values": [[9]]}, 1).expect(200)
    assert take(s).expect(200).json["gradient"]["values"]["data"] == [[9]]
    for bad in ({"indices": [-1], "values": [[1]]}, {"indices": [1], "values": 3}, {"indices": [1, 2], "values": [[1]]}):
        s.refuses(400, "INVALID_ARGUMENT", "'a'", "POST", f"{PATH}:apply_grad", {"gradient": bad, "local_step": 9})


def test_halves_are_added_as_halves(s):
    make(s, [1], "float16")
    for gradient in (1024, 0.5, 0.5):
        add(s, [gradient]).expect(200)
    assert np.float16(take(s, 3).expect(200).json["gradient"]["data"][0]) == np.float16(1024) / np.float16(3)


# --- the thing -----------------------------------------------------------------------------------

def test_accumulators_are_made_listed_and_deleted(s):
    reply = s.put(PATH, {"dtype": "float32", "shape": [2]}).expect(201)
    assert reply.headers["location"] == s.path(PATH)
    with s.unchanged():
        s.put(PATH, {"dtype": "float32", "shape": [2]}).expect(200)
    for other in ({"dtype": "float64", "shape": [2]}, {"dtype": "float32"}, {"dtype": "float32", "shape": [2], "sparse": True}):
        s.refuses(409, "ALREADY_EXISTS", ["'a' exists", "dense of float32, shape [2]"], "PUT", PATH, other)
    s.put("accumulators/b/c", {"dtype": "float16"}).expect(201)
    assert [each["name"] for each in s.get("accumulators").expect(200).json["accumulators"]] == ["a", "b/c"]
    page = s.get("accumulators?page_size=1").expect(200).json
    assert [each["name"] for each in s.get(f"accumulators?page_token={page['next_page_token']}").json["accumulators"]] == ["b/c"]
    seen = s.get(PATH).expect(200)
    s.get(PATH, {"If-None-Match": seen.etag}).expect(304)
    add(s, [1, 2]).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "'a'", "DELETE", PATH, None, {"If-Match": seen.etag})
    s.refuses(412, "PRECONDITION_FAILED", "'a'", "POST", f"{PATH}:take_grad", {"num_required": 1}, {"If-Match": seen.etag})
    now = s.get(PATH).etag
    s.post(f"{PATH}:set_global_step", {"step": 0}, {"If-Match": now}).expect(200)
    assert s.delete(PATH).expect(200).json["deleted"] == "a"
    s.refuses(404, "NOT_FOUND", "accumulator 'a'", "GET", PATH)
    s.refuses(404, "NOT_FOUND", "accumulator 'a'", "DELETE", PATH)
    make(s)
    assert state(s) == (0, 0)
    s.delete("").expect(200)
    is_whole(s)


def test_what_is_wrong_is_told_and_changes_nothing(s):
    make(s, [3, 2])
    for words, fields in [("'dtype'", {}), ("int32", {"dtype": "int32"}), ("'shapes'", {"dtype": "float32", "shapes": [1]}),
                          ("rows", {"dtype": "float32", "shape": [], "sparse": True})]:
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "accumulators/b", fields)
    for required in (0, -1):
        s.refuses(400, "INVALID_ARGUMENT", f"Argument num_required must be positive, but was {required}", "POST",
                  f"{PATH}:take_grad", {"num_required": required})
    s.refuses(409, "FAILED_PRECONDITION", ["'a'", "has 0 gradients", "2 are required"], "POST", f"{PATH}:take_grad",
              {"num_required": 2})
    s.refuses(400, "INVALID_ARGUMENT", "num_required", "POST", f"{PATH}:take_grad", {})
    s.refuses(400, "INVALID_ARGUMENT", "step", "POST", f"{PATH}:set_global_step", {"steps": 1})
    s.make("i", [[1, 2]] * 3, "int32")
    for words, gradient in [("expected [3,2], got [2,2]", [[1, 2], [3, 4]]), ("expected [3,2], got []", 1),
                            ("is dense, the gradient is sparse", {"indices": [1], "values": [[1, 2]]}),
                            ("int32, the accumulator float32", {"variable": "i"})]:
        reply = s.refuses(400, "INVALID_ARGUMENT", words, "POST", f"{PATH}:apply_grad", {"gradient": gradient})
        assert reply.json["accumulator"] == "a"
    s.refuses(400, "INVALID_ARGUMENT", "gradient", "POST", f"{PATH}:apply_grad", {"local_step": 1})
    s.refuses(400, "INVALID_ARGUMENT", "values", "POST", f"{PATH}:apply_grad", {"gradient": {"indices": [1]}})
    for verb, fields in (("apply_grad", {"gradient": 1}), ("take_grad", {"num_required": 1}), ("set_global_step", {"step": 1})):
        s.refuses(404, "NOT_FOUND", "accumulator 'none'", "POST", f"accumulators/none:{verb}", fields)
    assert state(s) == (0, 0)


def test_more_than_json_takes_is_not_taken(s):
    with s.other_server("--max-json-elements", "10") as other:
        other.put(PATH, {"dtype": "float32"}).expect(201)
        add(other, {"op": "ones", "shape": [11]}).expect(200)
        other.refuses(413, "PAYLOAD_TOO_LARGE", "max_json_elements", "POST", f"{PATH}:take_grad", {"num_required": 1})
        assert state(other) == (1, 0)


def test_big_ones_are_added_up_outside_of_commits(s):
    count = 600_000
    s.put_npy("g", np.arange(count, dtype="f4"))
    make(s, [count])
    for _ in range(3):
        add(s, {"op": "multiply", "args": [{"variable": "g"}, 2.0]}).expect(200)
    assert s.get(PATH).json["num_accumulated"] == 3
    taken = take(s, 3).expect(200).json["gradient"]
    assert np.array_equal(np.array(taken["data"], "f4"), (np.arange(count, dtype="f4") * 2 * 3) / np.float32(3))
    is_whole(s)


def test_in_a_run_they_are_operations_like_any_other(s):
    make(s, [2])
    s.put("accumulators/b", {"dtype": "float32"}).expect(201)
    s.make("w", [1, 2])
    ops = [{"op": "apply_grad", "accumulator": "a", "gradient": {"variable": "w"}},
           {"op": "assign_add", "variable": "w", "value": [1, 1]},
           {"op": "apply_grad", "accumulator": "b", "gradient": {"variable": "w"}}]
    results = s.post(":run", {"ops": ops}).expect(200).json["results"]
    assert [each.get("num_accumulated") for each in results] == [1, None, 1]
    results = s.post(":run", {"ops": [{"op": "take_grad", "accumulator": name, "num_required": 1} for name in "ab"]})
    assert [each["gradient"]["data"] for each in results.expect(200).json["results"]] == [[1, 2], [2, 3]]
    s.refuses(400, "INVALID_ARGUMENT", ["second", "'a'"], "POST", ":run",
              {"ops": [{"op": "set_global_step", "accumulator": "a", "step": n} for n in (1, 2)]})
    with s.unchanged():
        dry = s.post(":run", {"ops": [ops[0] | {"local_step": 1}], "dry_run": True}).expect(200).json["results"]
    assert dry[0]["num_accumulated"] == 1 and state(s) == (0, 1)


# --- waiting, and once ---------------------------------------------------------------------------

def test_who_takes_may_wait(s):
    make(s, [1])
    asked = Asked(s, lambda c: take(s, 2, wait(30), c))
    time.sleep(0.1)
    add(s, [1]).expect(200)
    time.sleep(0.1)
    assert asked.is_alive() and state(s) == (1, 0)
    add(s, [2]).expect(200)
    reply = asked.answer().expect(200)
    assert reply.json["gradient"]["data"] == [1.5] and reply.headers["preference-applied"] == "wait=30"
    begin = time.monotonic()
    reply = take(s, 1, {"Prefer": "wait=1, durability=commit"})
    assert 0.9 < time.monotonic() - begin < 10 * s.patience
    s.is_refusal(reply, 409, "FAILED_PRECONDITION", "1 are required")
    # Nothing to wait for.
    s.is_refusal(take(s, 0, wait(30)), 400, "INVALID_ARGUMENT", "must be positive")
    asked = Asked(s, lambda c: take(s, 2, wait(30), c))
    time.sleep(0.1)
    s.delete(PATH).expect(200)
    s.is_refusal(asked.answer(), 404, "NOT_FOUND", "'a'")


def test_those_who_wait_are_served_in_order(s):
    make(s, [1])
    asked = []
    for required in (3, 1, 1):
        asked.append(Asked(s, lambda c, required=required: take(s, required, wait(60), c)))
        time.sleep(0.2)
    for i in range(3):
        assert all(each.is_alive() for each in asked), f"served out of turn after {i}"
        add(s, [i]).expect(200)
    assert asked[0].answer().expect(200).json["gradient"]["data"] == [1]
    for i, each in enumerate(asked[1:], 1):
        add(s, [10 * i], 9).expect(200)
        taken = each.answer().expect(200).json
        assert taken["gradient"]["data"] == [10 * i] and taken["global_step"] == i + 1


def test_a_stopping_server_answers_those_who_take(s):
    make(s, [1])
    asked = Asked(s, lambda c: take(s, 2, wait(60), c))
    time.sleep(0.2)
    assert s.server.stop() == 0
    s.is_refusal(asked.answer(), 409, "FAILED_PRECONDITION", "2 are required")
    s.restart()


def test_what_is_asked_again_is_done_once(s):
    make(s, [1])
    first = add(s, [1], **key("add-1")).expect(200)
    with s.unchanged():
        assert add(s, [1], **key("add-1")).body == first.body
    asked = Asked(s, lambda c: take(s, 2, {**wait(30), **key("take-1")}, c))
    time.sleep(0.2)
    # it has not been done yet, and is not to be done twice
    s.is_refusal(take(s, 2, {**wait(30), **key("take-1")}), 409, "ABORTED", "still running")
    add(s, [2]).expect(200)
    taken = asked.answer().expect(200)
    s.kill9()
    s.restart()
    with s.unchanged():
        again = take(s, 2, {**wait(30), **key("take-1")}).expect(200)
    assert again.body == taken.body and again.headers["idempotency-replayed"] == "true"
    assert again.headers["preference-applied"] == taken.headers["preference-applied"]
    assert state(s) == (0, 1)


def test_many_add_and_take_and_nothing_is_lost(s):
    """Sums of what is taken, times how many they are of, are the sum of what was added."""
    adders, each, taken = 4, 50, []
    make(s, [1], "float64")

    def work(number):
        client = s.another_client()
        for i in range(each):
            add(s, [number * each + i], 10 ** 9, client).expect(200)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(adders)]
    for thread in threads:
        thread.start()
    while sum(n for n, _ in taken) < adders * each:
        reply = take(s, 1, wait(30)).expect(200).json
        taken.append((reply["num_taken"], reply["gradient"]["data"][0]))
    for thread in threads:
        thread.join()
    assert sum(n for n, _ in taken) == adders * each
    assert abs(sum(n * mean for n, mean in taken) - sum(range(adders * each))) < 1e-6
    assert state(s)[1] == len(taken)
    is_whole(s)
