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
BROKEN = (OSError, http.client.HTTPException)


class Wrong(Exception):
    """The server broke its word."""


class State:
    """What one worker expects: {variable: bytes, or None when uninitialized}, {checkpoint: {tensor: bytes}}."""

    def __init__(self, variables=None, checkpoints=None):
        self.variables = dict(variables or {})
        self.checkpoints = dict(checkpoints or {})

    def copy(self):
        return State(self.variables, self.checkpoints)

    def __eq__(self, other):
        return self.variables == other.variables and self.checkpoints == other.checkpoints

    def differences(self, other):
        lines = []
        for what, mine, theirs in (("variable", self.variables, other.variables),
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
        self.acknowledged = 0
        self.counts = {}
        self.revision = 0
        self.number = 0
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
        """One request; None when the choice made no sense just now."""
        op = self.random.choice(OPS)
        after = self.state.copy()
        self.adding, self.stamping, self.next_state = 0, None, None
        request = op(self, after)
        if request is None:
            return
        method, path, body, headers = request
        self.next_state = after
        reply = http_client.request(method, path, body, headers)
        if reply.status not in (200, 201):
            raise Wrong(f"an unexpected reply\n{reply}")
        if reply.revision <= self.revision:
            raise Wrong(f"revision {reply.revision} after {self.revision}\n{reply}")
        self.revision, self.state, self.next_state = reply.revision, after, None
        self.acknowledged += 1
        self.counts[op.__name__] = self.counts.get(op.__name__, 0) + 1
        self.added += self.adding
        if self.stamping is not None:
            self.stamps.append((reply.revision, self.stamping))
        self.adding, self.stamping = 0, None

    def run(self, http_client, gone):
        try:
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
    request = assign_raw(worker, after)
    if request is None:
        return None
    method, path, body, headers = request
    return method, path, (body[at:at + 100_003] for at in range(0, len(body), 100_003)), headers


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
       assign_add, put_several, put_several, run_several, run_several, delete, save, save, restore, delete_checkpoint, import_checkpoint, count, count,
       stamp, stamp]
