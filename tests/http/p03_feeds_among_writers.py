"""Listeners among writers that never pause."""

import threading

from feeds import Events, revision, words

FEED = "changes?feed=eventsource"


def hello(events):
    event, data = events.next()
    assert event == "hello", (event, data)
    return data


def test_nothing_is_missed_by_those_who_leave_and_come_back(s):
    """Writers never pause; a listener that is cut off again and again still learns of every variable's last version."""
    names, stop, last = [f"v{i}" for i in range(4)], threading.Event(), {}
    for name in names:
        s.make(name, [0.0])

    def write(name):
        mine = s.another_client()
        while not stop.is_set():
            reply = mine.request("POST", s.path(f"variables/{name}:assign_add"), {"value": [1.0]}).expect(200)
            last[name] = reply.json["version"]

    at, known, threads = revision(s), {}, [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    try:
        for _ in range(6):
            with Events(s, FEED, f"Last-Event-ID: {at}\r\n") as events:
                hello(events)
                for _ in range(2):
                    for change in events.changes():
                        assert change["version"] > known.get(change["name"], 0) and change["revision"] > at
                        known[change["name"]] = change["version"]
                    at = events.last_id
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    end = revision(s)
    with Events(s, FEED, f"Last-Event-ID: {at}\r\n") as events:
        hello(events)
        while at < end:
            known.update({change["name"]: change["version"] for change in events.changes()})
            at = events.last_id
    assert known == last


def test_many_listeners_are_told_the_same(s):
    count = 40 if s.slow else 200
    s.make("w", [1.0])
    opened = [Events(s, f"{FEED}&heartbeat=2") for _ in range(count)]
    try:
        for events in opened:
            hello(events)
        for i in range(3):
            told = s.assign("w", [float(i)]).revision
            for events in opened:
                seen = events.changes()
                assert words(seen) == [f"variable.changed:w:{i + 2}:assign"] and seen[0]["revision"] == told, (seen, told)
        s.get("/healthz").expect(200)
    finally:
        for events in opened:
            events.raw.__exit__()
