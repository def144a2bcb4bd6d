"""What the kill loop's workers ask for, and what each of them expects to find."""

import http.client
import random

import formats

np = formats.np
MODEL = "/v1/models/crash"
RAW = {"Content-Type": "application/octet-stream"}
SAFE = {"Content-Type": "application/vnd.safetensors"}
STAMPED = ("stamp/a", "stamp/b", "stamp/c")
STAMP_COUNT = (1, 700, 90_000)  # elements: inline, one record, chunks
TRAINED = (1, 700, 90_000)  # likewise, of what an optimizer changes
BROKEN = (OSError, http.client.HTTPException)


class Wrong(Exception):
    """The server broke its word."""


class State:
    """What one worker expects: {variable: bytes, or None when uninitialized}, {checkpoint: {tensor: bytes}}, and of those that
    an optimizer changes, with its slots, {variable: bytes}."""

    def __init__(self, variables=None, checkpoints=None, trained=None):
        self.variables = dict(variables or {})
        self.checkpoints = dict(checkpoints or {})
        self.trained = dict(trained or {})

    def copy(self):
        return State(self.variables, self.checkpoints, self.trained)

    def __eq__(self, other):
        return (self.variables, self.checkpoints, self.trained) == (other.variables, other.checkpoints, other.trained)

    def differences(self, other):
        lines = []
        for what, mine, theirs in (("variable", self.variables, other.variables),
                                   ("trained variable", self.trained, other.trained),
                                   ("checkpoint", self.checkpoints, other.checkpoints)):
            for name in sorted(set(mine) | set(theirs)):
                if name not in mine or name not in theirs:
                    lines.append(f"{what} {name}: {'not expected' if name not in mine else 'missing'}")
                elif mine[name] != theirs[name]:
                    lines.append(f"{what} {name}: expected {show(mine[name])}, found {show(theirs[name])}")
        return "; ".join(lines)


def show(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {show(part)}" for name, part in value.items()) + "}"
    return "no value" if value is None else f"{len(value)} bytes {value[:12].hex()}…"


class Worker:
    """Makes requests until the server is gone. Elements are int64: adding is exact."""

    def __init__(self, index, seed):
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

    def checkpoint(self):
        return f"{self.prefix}-c{self.random.randrange(5)}"

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
        op = self.random.choice(OPS)
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
        sent = body if op is not assign_chunked else (body[at:at + 100_003] for at in range(0, len(body), 100_003))
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


# --- the load: each changes `after` as the request would change the store --------------------------------------------

def create(worker, after):
    name, count = worker.name(), worker.elements()
    if name in after.variables:
        return None
    worker.number += 1
    after.variables[name] = None
    worker.initial[name] = np.full(count, worker.number, "<i8").tobytes()
    return "POST", f"{MODEL}/variables", {"name": name, "initial_value": {
        "op": "fill", "dims": [count], "value": {"dtype": "int64", "shape": [], "data": worker.number}}}, None


def initialize(worker, after):
    if not after.variables:
        return None
    names = worker.some(after.variables)
    for name in names:
        after.variables[name] = worker.initial[name]
    return "POST", f"{MODEL}:initialize", {"variables": names}, None


def assign_raw(worker, after):
    if not after.variables:
        return None
    name = worker.some(after.variables, 1)[0]
    after.variables[name] = worker.bytes_for(len(worker.initial[name]) // 8)
    return "PUT", f"{MODEL}/variables/{name}:value", after.variables[name], RAW


def assign_chunked(worker, after):
    """Sent in pieces: Worker.ask."""
    return assign_raw(worker, after)


def assign_json(worker, after):
    names = [name for name in after.variables if len(worker.initial[name]) <= 1024]
    if not names:
        return None
    name = worker.some(names, 1)[0]
    after.variables[name] = worker.bytes_for(len(worker.initial[name]) // 8)
    data = np.frombuffer(after.variables[name], "<i8").tolist()
    return "POST", f"{MODEL}/variables/{name}:assign", {"value": data}, None


def assign_part(worker, after):
    names = [name for name, value in after.variables.items() if value]
    if not names:
        return None
    name = worker.some(names, 1)[0]
    old = after.variables[name]
    begin = worker.random.randrange(len(old) // 8)
    end = min(len(old) // 8, begin + worker.random.choice([1, 10, 3000]))
    part = worker.bytes_for(end - begin)
    after.variables[name] = old[:begin * 8] + part + old[end * 8:]
    return "PUT", f"{MODEL}/variables/{name}:value?slice={begin}:{end}", part, RAW


def assign_add(worker, after):
    names = [name for name, value in after.variables.items() if value]
    if not names:
        return None
    name = worker.some(names, 1)[0]
    old = np.frombuffer(after.variables[name], "<i8")
    worker.number += 1
    after.variables[name] = (old + worker.number).tobytes()
    return "POST", f"{MODEL}/variables/{name}:assign_add", {"value": fill(len(old), worker.number)}, None


def scatter(worker, after):
    """Some rows, of which some twice: one after another for update, together for add and sub."""
    names = [name for name, value in after.variables.items() if value]
    if not names:
        return None
    name = worker.some(names, 1)[0]
    value = np.frombuffer(after.variables[name], "<i8").copy()
    rows = [worker.random.randrange(len(value)) for _ in range(worker.random.choice([1, 5, 200]))]
    worker.number += 1
    updates = [worker.number + position for position in range(len(rows))]
    verb = worker.random.choice(["scatter_update", "scatter_add", "scatter_sub"])
    for row, update in zip(rows, updates):
        value[row] = update if verb == "scatter_update" else value[row] + (update if verb == "scatter_add" else -update)
    after.variables[name] = value.tobytes()
    return "POST", f"{MODEL}/variables/{name}:{verb}", {"indices": rows, "updates": updates}, None


def apply_gradients(worker, after):
    """A step of momentum, whose slots are made by the first. Whole numbers: floats are exact."""
    name = f"{worker.prefix}/g{worker.random.randrange(len(TRAINED))}"
    count = TRAINED[int(name[-1])]
    weights = np.frombuffer(after.trained.get(name) or np.zeros(count, "<f4").tobytes(), "<f4").copy()
    slot = np.frombuffer(after.trained.get(f"{name}/Momentum") or np.zeros(count, "<f4").tobytes(), "<f4").copy()
    worker.number += 1
    gradient = float(worker.number % 7 - 3)
    if worker.random.random() < 0.5:
        body = {"op": "fill", "dims": [count], "value": gradient}
        slot += gradient
        weights -= slot
    else:
        rows = sorted(worker.random.sample(range(count), min(count, 50)))
        body = {"indices": rows, "values": [gradient] * len(rows)}
        slot[rows] += gradient
        weights[rows] -= slot[rows]
    after.trained[name], after.trained[f"{name}/Momentum"] = weights.tobytes(), slot.tobytes()
    return "POST", f"{MODEL}/optimizers/momentum:apply_gradients", {"gradients": {name: body}}, None


def put_several(worker, after):
    if not after.variables:
        return None
    tensors = {}
    for name in worker.some(after.variables):
        after.variables[name] = worker.bytes_for(len(worker.initial[name]) // 8)
        tensors[name] = ("int64", [len(after.variables[name]) // 8], after.variables[name])
    return "PUT", f"{MODEL}/values", formats.safetensors_write(tensors), SAFE


def fill(count, number):
    return {"op": "fill", "dims": [count], "value": {"dtype": "int64", "shape": [], "data": number}}


def run_several(worker, after):
    """One commit that initializes, assigns, adds and saves, each on what the ones before it left."""
    if not after.variables:
        return None
    ops, begun = [], worker.some(after.variables)
    ops.append({"op": "initialize", "variables": begun})
    for name in begun:
        after.variables[name] = worker.initial[name]
    for name in worker.some([name for name, value in after.variables.items() if value]):
        old = np.frombuffer(after.variables[name], "<i8")
        worker.number += 1
        verb = worker.random.choice(["assign", "assign_add", "assign_sub"])
        ops.append({"op": verb, "variable": name, "value": fill(len(old), worker.number)})
        new = {"assign": old * 0, "assign_add": old, "assign_sub": old}[verb]
        after.variables[name] = (new - worker.number if verb == "assign_sub" else new + worker.number).tobytes()
    chosen, checkpoint = worker.some([name for name, value in after.variables.items() if value is not None], 8), worker.checkpoint()
    ops.append({"op": "save", "name": checkpoint, "variables": chosen, "overwrite": True})
    after.checkpoints[checkpoint] = {name: after.variables[name] for name in chosen}
    return "POST", f"{MODEL}:run", {"ops": ops}, None


def delete(worker, after):
    if len(after.variables) < 3:
        return None
    name = worker.some(after.variables, 1)[0]
    del after.variables[name]
    return "DELETE", f"{MODEL}/variables/{name}", None, None


def save(worker, after):
    names = [name for name, value in after.variables.items() if value is not None]
    if not names:
        return None
    chosen, checkpoint = worker.some(names, 8), worker.checkpoint()
    after.checkpoints[checkpoint] = {name: after.variables[name] for name in chosen}
    return "POST", f"{MODEL}/checkpoints", {"name": checkpoint, "variables": chosen, "overwrite": True}, None


def restore(worker, after):
    checkpoint = worker.checkpoint()
    chosen = [name for name, value in after.checkpoints.get(checkpoint, {}).items()
              if name in after.variables and len(worker.initial[name]) == len(value)]
    if not chosen:
        return None
    for name in chosen:
        after.variables[name] = after.checkpoints[checkpoint][name]
    return "POST", f"{MODEL}/checkpoints/{checkpoint}:restore", {"variables": chosen}, None


def delete_checkpoint(worker, after):
    if len(after.checkpoints) < 2:
        return None
    checkpoint = worker.some(after.checkpoints, 1)[0]
    del after.checkpoints[checkpoint]
    return "DELETE", f"{MODEL}/checkpoints/{checkpoint}", None, None


def import_checkpoint(worker, after):
    checkpoint = worker.checkpoint()
    tensors = {f"{worker.prefix}/i{k}": worker.bytes_for(worker.elements()) for k in range(3)}
    after.checkpoints[checkpoint] = tensors
    body = formats.safetensors_write({name: ("int64", [len(data) // 8], data) for name, data in tensors.items()})
    return "PUT", f"{MODEL}/checkpoints/{checkpoint}?overwrite=true", body, SAFE


def count(worker, _):
    worker.adding = worker.random.randint(1, 9)
    return "POST", f"{MODEL}/variables/counter:assign_add", {"value": worker.adding}, None


def stamp(worker, _):
    worker.number += 1
    worker.stamping = (worker.index << 40) + worker.number
    tensors = {name: ("int64", [size], np.full(size, worker.stamping, "<i8").tobytes())
               for name, size in zip(STAMPED, STAMP_COUNT)}
    return "PUT", f"{MODEL}/values", formats.safetensors_write(tensors), SAFE


OPS = [create, create, initialize, assign_raw, assign_raw, assign_chunked, assign_json, assign_part, assign_part, assign_add,
       assign_add, scatter, scatter, apply_gradients, apply_gradients, put_several, put_several, run_several, run_several, delete,
       save, save, restore, delete_checkpoint, import_checkpoint, count, count, stamp, stamp]
