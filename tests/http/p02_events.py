"""Changes as server-sent events: hello, what was missed, what happens; where a listener goes on; who is too many or gone."""

import os
import time

from feeds import Events, gauge, revision, wait_until, words

FLAGS = ["--durability", "interval=1000", "--changes-max", "300", "--subscribers-max", "12", "--connections-max", "64", "--idle-timeout-ms", "1000"]
FEED = "changes?feed=eventsource&heartbeat=1"


def hello(events):
    event, data = events.next()
    assert event == "hello" and set(data) == {"server", "api", "store", "revision"}, (event, data)
    return data


def listeners(s):
    return gauge(s, "tensorkeep_changes_subscribers")


def test_hello_then_what_happens(s):
    s.make("w", [1.0])
    now = revision(s)
    with Events(s, FEED) as events:
        assert events.headers["content-type"] == "text/event-stream"
        assert events.headers["cache-control"] == "no-store" and events.headers["x-accel-buffering"] == "no"
        assert hello(events)["revision"] == now and events.last_id == now
        told = s.assign("w", [2.0]).revision
        seen = events.changes()
        assert words(seen) == ["variable.changed:w:2:assign"] and seen[0]["revision"] == told == events.last_id
        s.save("c", variables=["w"])
        assert words(events.changes()) == ["checkpoint.saved:c:1:save"]
    s.server_alive()


def test_an_event_source_need_not_say_what_it_is(s):
    with Events(s, "/v1/changes?heartbeat=1", "Accept: text/event-stream\r\n") as events:
        assert hello(events)["revision"] == revision(s)
    assert s.get("changes", {"Accept": "application/json, text/event-stream"}).headers["content-type"] == "application/json"


def test_what_was_missed_comes_first_the_newest_of_each(s):
    since = revision(s)
    s.make("w", [1.0])
    s.make("v", [1.0])
    for i in range(10):
        last = s.assign("w", [float(i)]).revision
    s.delete("variables/v").expect(200)
    with Events(s, f"{FEED}&since={since}") as events:
        hello(events)
        seen = events.changes()
        assert [(c["event"], c["name"]) for c in seen] == [("variable.created", "w"), ("variable.deleted", "v")]
        assert seen[0]["revision"] == last and seen[0]["version"] == 11
        s.make("x", [1.0])
        assert {c["name"] for c in events.changes()} == {"x"}
    with Events(s, f"{FEED}&since=0", f"Last-Event-ID: {last}\r\n") as events:
        hello(events)
        assert {c["name"] for c in events.changes()} == {"v", "x"}


def test_a_listener_goes_on_after_a_kill(s):
    s.make("w", [1.0])
    with Events(s, f"{FEED}&since={revision(s)}") as events:
        hello(events)
        s.assign("w", [2.0])
        seen = events.changes()
        assert words(seen) == ["variable.changed:w:2:assign"], seen
        last = events.last_id
    missed = s.assign("w", [3.0]).revision
    s.kill9()
    s.restart()
    with Events(s, FEED, f"Last-Event-ID: {last}\r\n") as events:
        hello(events)
        assert [c["revision"] for c in events.changes()] == [missed]
        s.assign("w", [4.0])
        assert words(events.changes()) == ["variable.changed:w:4:assign"]




def test_messages_are_gathered(s):
    s.make("w", [1.0])
    with Events(s, FEED) as events:
        hello(events)
        began = time.monotonic()
        for i in range(200):
            last = s.assign("w", [float(i)]).revision
        messages, at = 0, 0
        while at < last:
            seen = events.changes()
            assert len(seen) == 1 and seen[0]["name"] == "w", "the newest of each name"
            at, messages = seen[0]["revision"], messages + 1
        assert messages <= 2 + 4 * (time.monotonic() - began)


def test_a_gap_is_said(s):
    s.make("w", [1.0])
    since = revision(s)
    for _ in range(450):
        s.assign("w", [2.0])
    now = revision(s)
    with Events(s, f"{FEED}&since={since}") as events:
        hello(events)
        event, data = events.next()
        assert event == "gap" and data["from"] == since < data["to"] == events.last_id < now
        assert s.get(f"changes?since={data['to']}").status == 200, "what is kept is not in the gap"
        assert [c["revision"] for c in events.changes()] == [now]
    with Events(s, f"{FEED}&since={now + 5}") as events:
        hello(events)
        assert events.next() == ("gap", {"from": now + 5, "to": now}) and events.last_id == now
        s.assign("w", [3.0])
        assert [c["name"] for c in events.changes()] == ["w"]


def test_more_than_a_message_holds_is_a_gap(s):
    count = 5000
    s.make("w", [1.0])
    with Events(s, FEED) as events, Events(s, f"{FEED}&types=checkpoint.saved") as saved:
        hello(events), hello(saved)
        s.post("variables", [{"name": f"v{i}", "dtype": "float32", "shape": [1]} for i in range(count)]).expect(201)
        event, data = events.next()
        assert event == "gap" and data["to"] == revision(s)
        s.assign("w", [2.0])
        assert [c["name"] for c in events.changes()] == ["w"]
        assert saved.next()[0] == "gap"
    s.delete("").expect(200)
    s.put("", {}).expect(201)


def test_only_what_is_asked_for(s):
    s.put("/v1/models/elsewhere", {})
    with Events(s, f"{FEED}&prefix=a/&types=variable.changed,variable.created") as events, \
            Events(s, "/v1/changes?feed=eventsource&heartbeat=1&types=model.deleted") as models:
        hello(events), hello(models)
        s.make("b", [1.0])
        s.make("a/w", [1.0])
        s.delete("variables/b").expect(200)
        s.delete("/v1/models/elsewhere").expect(200)
        assert {c["name"] for c in events.changes()} == {"a/w"}
        assert [(c["event"], c["model"]) for c in models.changes()] == [("model.deleted", "elsewhere")]


def test_what_is_asked_for_is_not_lost_in_what_came_after(s):
    s.make("old", [1.0])
    with Events(s, f"{FEED}&types=variable.initialized") as started, Events(s, f"{FEED}&types=variable.deleted&stats=true") as ended, \
            Events(s, f"{FEED}&types=variable.initialized,variable.changed") as both:
        hello(started), hello(ended), hello(both)
        s.post("variables", {"name": "w", "initial_value": [1.0]}).expect(201)
        begun = s.initialize().json["revision"]
        last = s.assign("w", [2.0]).revision
        gone = s.delete("variables/old").expect(200).json["revision"]
        s.post("variables", {"name": "old", "initial_value": [1.0]}).expect(201)
        seen = [c for c in started.changes() if c["name"] == "w"]
        assert words(seen) == ["variable.initialized:w:1:initialize"] and seen[0]["revision"] == begun
        seen = ended.changes()
        assert words(seen) == ["variable.deleted:old:1:delete"] and seen[0]["revision"] == gone, seen
        seen = [c for c in both.until(last) if c["name"] == "w"]
        assert seen[0]["event"] == "variable.initialized" and seen[-1]["version"] == 2, seen


def test_a_limit_ends_it(s):
    since = revision(s)
    s.make("w", [1.0])
    with Events(s, f"{FEED}&since={since}&limit=1") as events:
        hello(events)
        assert len(events.changes()) == 1
        assert events.next() is None, "the stream ends"


def test_the_quiet_stay_connected_and_learn_how_far_it_is(s):
    s.make("w", [1.0])
    with Events(s, f"{FEED}&prefix=none") as events:
        hello(events)
        last = s.assign("w", [2.0]).revision
        s.make("none", [1.0])
        began = events.comments
        assert {c["name"] for c in events.changes()} == {"none"}
        wait = time.monotonic() + 30 * s.patience
        last = s.assign("w", [3.0]).revision
        while events.last_id < last:
            assert time.monotonic() < wait
            line = events.text_line()
            events.comments += line.startswith(":")
            if line.startswith("id:"):
                events.last_id = int(line[3:])
        assert events.comments > began


# --- too many, and gone --------------------------------------------------------------------------

def test_no_more_than_there_are_places_for(s):
    wait_until(lambda: listeners(s) == 0, 30 * s.patience, "listeners that left are still counted")
    opened = [Events(s, f"{FEED}") for _ in range(12)]
    reply = s.get(FEED)
    s.is_refusal(reply, 503, "UNAVAILABLE", ["12", "subscribers_max"])
    assert reply.headers["retry-after"] == "1"
    assert listeners(s) == 12
    assert s.get("changes").status == 200
    for each in opened:
        each.raw.__exit__()
    wait_until(lambda: listeners(s) == 0, 30 * s.patience, "clients that are gone are noticed by the next heartbeat")
    with Events(s, FEED) as events:
        hello(events)


def test_who_left_is_found_long_before_the_next_heartbeat(s):
    wait_until(lambda: listeners(s) == 0, 30 * s.patience, "listeners that left are still counted")
    for vanishes in (True, False):
        opened = [Events(s, "changes?feed=eventsource&heartbeat=300") for _ in range(12)]
        assert listeners(s) == 12
        for each in opened:
            if vanishes:
                each.raw.vanish()
            else:
                each.raw.__exit__()
        wait_until(lambda: listeners(s) == 0, 60 * s.patience, "clients that left keep others out")


def test_a_client_with_nothing_more_to_say_goes_on_listening(s):
    s.make("w", [1.0])
    with Events(s, "changes?feed=eventsource&heartbeat=300") as events:
        hello(events)
        events.raw.finish_sending()
        while events.comments < 2:
            line = events.text_line()
            events.comments += line.startswith(":")
        s.assign("w", [2.0])
        assert words(events.changes()) == ["variable.changed:w:2:assign"]


def test_who_does_not_read_holds_up_nobody(s):
    s.make("w", [1.0])
    names = [{"name": f"a-rather-long-name-of-a-variable-{i:04d}" + "x" * 100, "dtype": "float32", "shape": [1],
              "initial_value": {"op": "ones", "shape": [1]}} for i in range(1500)]
    s.post("variables", names).expect(201)
    with s.socket(receive_buffer=4096) as deaf:
        deaf.send(f"GET {s.path(FEED)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with Events(s, FEED) as events:
            hello(events)
            for _ in range(12):
                last = s.initialize().json["revision"]
                events.until(last)
        wait_until(lambda: listeners(s) == 0, 60 * s.patience, "a listener that takes nothing is given up")


def test_asking_for_the_head_ends(s):
    reply = s.head(FEED).expect(200)
    assert reply.headers["content-type"] == "text/event-stream"
    wait_until(lambda: listeners(s) == 0, 30 * s.patience, "a head needs no listener")


def test_a_stopping_server_ends_its_streams(s):
    opened = [Events(s, FEED) for _ in range(8)]
    for events in opened:
        hello(events)
    began = time.monotonic()
    s.server.process.terminate()
    assert [events.next() for events in opened] == [None] * 8
    assert s.server.process.wait(60) == 0
    assert time.monotonic() - began < 30 * s.patience
    s.disconnect()
    s.server.forget()
    s.restart()
    assert os.path.exists(s.server.data)
