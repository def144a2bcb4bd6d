"""The workers of the kill loop, and what each of them expects to find."""

import http.client
import random

import formats

np = formats.np
MODEL = "/v1/models/crash"
RAW = {"Content-Type": "application/octet-stream"}
SAFE = {"Content-Type": "application/vnd.safetensors"}
NO_MARKS = (False, {})
STAMPED = ("stamp/a", "stamp/b", "stamp/c")
STAMP_COUNT = (1, 700, 90_000)  # elements: inline, one record, chunks
TRAINED = (1, 700, 90_000)  # likewise, of what an optimizer changes
PIECE = 100_003  # bytes, of a body sent chunked
BROKEN = (OSError, http.client.HTTPException)


class Wrong(Exception):
    """The server broke its word."""


class State:
    """What one worker expects: {variable: bytes, or None when uninitialized}, {checkpoint: {tensor: bytes}} in the order of the
    saves, of those that an optimizer changes, with its slots, {variable: bytes}, {checkpoint: (whether it is pinned, labels)}, and
    of savers {name: {"max_to_keep", "last_checkpoints", "latest"}}."""

    KINDS = ("variables", "checkpoints", "trained", "marks", "savers")

    def __init__(self):
        for kind in self.KINDS:
            setattr(self, kind, {})

    def copy(self):
        other = State()
        for kind in self.KINDS:
            setattr(other, kind, dict(getattr(self, kind)))
        return other

    def __eq__(self, other):
        return other is not None and all(getattr(self, kind) == getattr(other, kind) for kind in self.KINDS)

    def keep(self, checkpoint, tensors):
        """Saved or imported: the newest now, whatever was there of that name."""
        self.remove(checkpoint)
        self.checkpoints[checkpoint], self.marks[checkpoint] = tensors, NO_MARKS

    def remove(self, checkpoint):
        self.checkpoints.pop(checkpoint, None)
        self.marks.pop(checkpoint, None)
        for name, saver in self.savers.items():
            self.savers[name] = {**saver, "last_checkpoints": [c for c in saver["last_checkpoints"] if c != checkpoint]}

    def is_pinned(self, checkpoint):
        return self.marks.get(checkpoint, NO_MARKS)[0]

    def differences(self, other):
        lines = []
        for kind in self.KINDS:
            mine, theirs = getattr(self, kind), getattr(other, kind)
            for name in sorted(set(mine) | set(theirs)):
                if name not in mine or name not in theirs:
                    lines.append(f"{kind} {name}: {'not expected' if name not in mine else 'missing'}")
                elif mine[name] != theirs[name]:
                    lines.append(f"{kind} {name}: expected {show(mine[name])}, found {show(theirs[name])}")
        return "; ".join(lines)


def show(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {show(part)}" for name, part in value.items()) + "}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:12].hex()}…"
    return "nothing" if value is None else str(value)


class Worker:
    """Makes requests until the server is gone. Elements are int64: adding is exact."""

    def __init__(self, index, seed, calls):
        self.calls = calls  # what it may ask for
        self.http_client = None
        self.prefix = f"t{index}"
        self.index = index
        self.random = random.Random(seed)
        self.state = State()
        self.initial = {}  # {variable: its initial value}
        self.next_state = None  # with the request under way
        self.under_way = None  # that request, until its reply is here: (op, request, key, next_state, adding, stamping)
        self.took_effect = None  # whether it did, as far as the state found after a kill tells
        self.acknowledged = 0
        self.counts = {}
        self.revision = 0
        self.number = self.requests = self.repeated = 0
        self.last_reply = None
        self.added = self.adding = 0
        self.stamps = []  # acknowledged: (revision, stamp)
        self.stamping = None
        self.failure = None

    def name(self):
        return f"{self.prefix}/v{self.random.randrange(8)}"

    def checkpoint(self, after):
        """The name of one that may be replaced."""
        names = [f"{self.prefix}-c{number}" for number in range(5)]
        return self.random.choice([name for name in names if not after.is_pinned(name)] or [None])

    def elements(self):
        """Sizes of every layout: inline, one record, small chunks, 1 to 4 MiB."""
        return self.random.choice([1, 3, 100, 1500, 2032, 2040, 20_000, 33_000, self.random.randrange(131_072, 524_288)])

    def bytes_for(self, count):
        self.number += 1
        start = (self.index << 40) + (self.number << 20)
        return np.arange(start, start + count, dtype="<i8").tobytes()

    def some(self, names, most=4):
        names = sorted(names)
        return self.random.sample(names, min(len(names), self.random.randint(1, most)))

    def step(self, http_client):
        """One request; none when the choice made no sense just now."""
        op, self.http_client = self.random.choice(self.calls), http_client
        after = self.state.copy()
        self.adding, self.stamping, self.next_state = 0, None, None
        request = op(self, after)
        if request is None:
            return
        self.requests += 1
        self.next_state, self.took_effect = after, None
        self.under_way = (op, request, f"{self.prefix}-{self.requests}", after, self.adding, self.stamping)
        if "idempotency-replayed" in self.ask(http_client).headers:
            raise Wrong(f"a new request was taken for a repetition: {self.under_way[2]}")
        self.done()

    def ask(self, http_client):
        op, (method, path, body, headers), key, *_ = self.under_way
        sent = (body[at:at + PIECE] for at in range(0, len(body), PIECE)) if op.__name__.endswith("_chunked") else body
        reply = http_client.request(method, path, sent, {**(headers or {}), "Idempotency-Key": key})
        if reply.status not in (200, 201):
            raise Wrong(f"an unexpected reply\n{reply}")
        self.last_reply = reply
        return reply

    def done(self):
        """The request under way has been done by its reply."""
        op, _, _, after, adding, stamping = self.under_way
        revision = self.last_reply.revision
        if revision <= self.revision:
            raise Wrong(f"revision {revision} after {self.revision}\n{self.last_reply}")
        self.revision, self.state, self.next_state, self.under_way = revision, after, None, None
        self.acknowledged += 1
        self.counts[op.__name__] = self.counts.get(op.__name__, 0) + 1
        self.added += adding
        if stamping is not None:
            self.stamps.append((revision, stamping))
        self.adding, self.stamping = 0, None

    def repeat(self, http_client):
        """After a kill, under the same key: what was done is told again, and only what was not is done now."""
        _, _, _, after, self.adding, self.stamping = self.under_way
        self.next_state = self.state if self.took_effect else after
        replayed = "idempotency-replayed" in self.ask(http_client).headers
        if self.took_effect is not None and replayed != self.took_effect:
            raise Wrong(f"a request that {'was' if self.took_effect else 'was not'} done before the kill was "
                        f"{'told again' if replayed else 'done'} after it\n{self.last_reply}")
        self.repeated += 1
        if replayed:
            self.under_way, self.next_state, self.adding, self.stamping = None, None, 0, None
        else:
            self.done()

    def run(self, http_client, gone):
        try:
            if self.under_way is not None:
                self.repeat(http_client)
            while True:
                self.step(http_client)
        except BROKEN as broken:
            if not gone.wait(5):
                self.failure = f"the connection broke before the kill: {broken!r}"
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = f"{type(failure).__name__}: {failure}"
