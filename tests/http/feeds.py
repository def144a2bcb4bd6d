"""Feeds of changes as tests read them."""

import json
import threading
import time


class Events:
    """A stream of server-sent events, taken apart as the standard says: blocks with an id, an event and data."""

    def __init__(self, s, path, headers="", **options):
        self.raw = s.socket(timeout=20 * s.patience, **options)
        self.raw.send(f"GET {s.path(path)} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        head = self.line()
        assert head.startswith("HTTP/1.1 200"), head
        self.headers = {}
        while (line := self.line()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.ended, self.chunk, self.last_id, self.comments = False, b"", None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.__exit__()

    def line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.take(1)
        return line[:-2].decode()

    def take(self, size):
        while len(self.raw.received) < size:
            assert self.raw.more(), "the stream broke off"
        taken, self.raw.received = self.raw.received[:size], self.raw.received[size:]
        return taken

    def text_line(self):
        """Of what the chunks hold; None at the end."""
        while b"\n" not in self.chunk and not self.ended:
            size = int(self.line(), 16)
            self.chunk += self.take(size)
            assert self.line() == ""
            self.ended = size == 0
        if self.ended:
            return None
        line, _, self.chunk = self.chunk.partition(b"\n")
        return line.decode()

    def next(self):
        """(event, data) of the next message; None at the end."""
        event, data = None, None
        while (line := self.text_line()) is not None:
            name, _, value = line.partition(":")
            if line.startswith(":"):
                self.comments += 1
            elif name == "id":
                self.last_id = int(value)
            elif name == "event":
                event = value.strip()
            elif name == "data":
                data = json.loads(value)
            elif line == "" and event is not None:
                return event, data
        return None

    def changes(self):
        """Of the next message."""
        event, data = self.next()
        assert event == "changes", (event, data)
        assert data["revision"] == self.last_id
        return data["changes"]

    def until(self, revision):
        """All changes up to one that has this revision."""
        seen = []
        while not seen or seen[-1]["revision"] < revision:
            seen += self.changes()
        return seen


def words(changes):
    """A change as one word, for comparing."""
    return [":".join(str(c[field]) for field in ("event", "name", "version", "count", "op") if field in c) for c in changes]


def all_since(s, since, query=""):
    return s.get(f"changes?since={since}{query}").expect(200).json["changes"]


def revision(s):
    """The store's."""
    return s.get(f"/v1/changes?since={(1 << 64) - 1}").expect(410).json["revision"]


class Waiting:
    """A request on a connection of its own, answered later."""

    def __init__(self, s, path, headers=None):
        self.client, self.reply = s.another_client(), None
        self.thread = threading.Thread(target=self.ask, args=(s.path(path), headers), daemon=True)
        self.thread.start()

    def ask(self, path, headers):
        self.reply = self.client.request("GET", path, None, headers)

    def answer(self, seconds=60):
        self.thread.join(seconds)
        assert self.reply is not None, "not answered"
        return self.reply


def gauge(s, name):
    text = s.get("/metrics").expect(200).body.decode()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


def wait_until(what, seconds, why):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.02)
