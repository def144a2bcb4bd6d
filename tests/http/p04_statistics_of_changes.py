"""Changes that also tell what the elements are now (?stats=true): in lists, waited for, and as events."""

from feeds import Events, revision

import formats

np = formats.np
PARTS = ("count", "finite", "nan", "pos_inf", "neg_inf", "zero", "negative", "positive", "min", "max", "mean", "stddev", "l1", "l2",
         "percentiles", "exact")


def expected(s, name):
    stats = s.get(f"variables/{name}:stats").expect(200).json
    return {part: stats[part] for part in PARTS}


def changes(s, query):
    return s.get(f"changes?{query}").expect(200).json["changes"]


def test_bounds_of_integers_are_exact(s):
    since = revision(s)
    s.put_raw("u", "uint64", [2], np.array([2**53 + 1, 2**64 - 1], "u8").tobytes())
    told = changes(s, f"since={since}&stats=true")[-1]["stats"]
    assert (told["min"], told["max"]) == (2**53 + 1, 2**64 - 1) and told == expected(s, "u"), told


def test_a_list_tells_those_of_the_newest_version(s):
    since = revision(s)
    s.make("w", [1, 2, 6])
    s.assign("w", [1, 2, 9])
    s.put_raw("words", "string", [1], b"\x01\x00\x00\x00a")
    s.make("gone", [1])
    s.delete("variables/gone").expect(200)
    s.save("c")
    seen = changes(s, f"since={since}&stats=true")
    told = {(c["name"], c["event"]): c["stats"] for c in seen if "stats" in c}
    assert told["w", "variable.changed"] == expected(s, "w") and told["w", "variable.changed"]["max"] == 9, seen
    assert told["w", "variable.created"] is None and told["words", "variable.created"] is None, seen
    assert all("stats" not in c for c in seen if c["event"] in ("variable.deleted", "checkpoint.saved")), seen
    assert all("stats" not in c for c in changes(s, f"since={since}") + changes(s, f"since={since}&stats=false"))


def test_a_list_that_is_waited_for_tells_them(s):
    s.make("w", [1, 2, 6])
    since = revision(s)
    s.assign("w", [3, 4, 5])
    seen, = changes(s, f"since={since}&feed=longpoll&stats=true")
    assert seen["stats"] == expected(s, "w"), seen


def test_events_tell_them_to_those_who_ask(s):
    s.make("w", [1, 2, 6])
    since = revision(s)
    s.assign("w", [3, 4, 5])
    with Events(s, f"changes?feed=eventsource&stats=true&since={since}") as asks, Events(s, "changes?feed=eventsource") as plain:
        assert asks.next()[0] == plain.next()[0] == "hello"
        seen, = asks.changes()
        assert seen["stats"] == expected(s, "w"), seen
        s.put_raw("big", "float32", [100_000], np.arange(100_000, dtype="<f4").tobytes())
        seen, = asks.changes()
        assert seen["name"] == "big" and seen["stats"] == expected(s, "big") and not seen["stats"]["exact"], seen
        seen, = plain.changes()
        assert seen["name"] == "big" and "stats" not in seen, seen


def test_what_is_too_much_for_one_message_is_left_out(s):
    since = revision(s)
    s.create("huge", {"op": "zeros", "shape": [10_000, 10_000]})
    s.create("small", {"op": "ones", "shape": [2]})
    s.initialize()
    told = {c["name"]: c["stats"] for c in changes(s, f"since={since}&stats=true&types=variable.initialized")}
    assert told["huge"] is None and told["small"]["mean"] == 1, told
    s.refuses(400, "INVALID_ARGUMENT", "stats", "GET", "changes?stats=maybe")
