#!/usr/bin/python3
"""SIGKILL under load, again and again on the same data: what was acknowledged is there, nothing is half done.

Every worker has variables and checkpoints of its own and one request under way at a time, so after a kill its part of the
store must be exactly the state before that request or the state after it. Over that lie a counter that all add to and a
set of variables that all overwrite together. Values are compared byte by byte, revisions must not go back, and the server
checks its own checksums.
"""

import argparse
import http.client
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "http"))
sys.dont_write_bytecode = True

import client  # noqa: E402
import formats  # noqa: E402
import session  # noqa: E402

np = formats.np
MODEL = "/v1/models/crash"
RAW = {"Content-Type": "application/octet-stream"}
SAFE = {"Content-Type": "application/vnd.safetensors"}
MODES = ("commit", "interval=50")
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
    return "POST", f"{MODEL}/variables/{name}:assign_add", {"value": {
        "op": "fill", "dims": [len(old)], "value": {"dtype": "int64", "shape": [], "data": worker.number}}}, None


def put_several(worker, after):
    if not after.variables:
        return None
    tensors = {}
    for name in worker.some(after.variables):
        after.variables[name] = worker.bytes_for(len(worker.initial[name]) // 8)
        tensors[name] = ("int64", [len(after.variables[name]) // 8], after.variables[name])
    return "PUT", f"{MODEL}/values", formats.safetensors_write(tensors), SAFE


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
       assign_add, put_several, put_several, delete, save, save, restore, delete_checkpoint, import_checkpoint, count, count,
       stamp, stamp]


# --- what is there ---------------------------------------------------------------------------------------------------

def get(http_client, path):
    reply = http_client.request("GET", MODEL + path)
    if reply.status != 200:
        raise Wrong(f"cannot be read after the restart\n{reply}")
    return reply


def listed(http_client, kind):
    token, found = "", []
    while True:
        page = get(http_client, f"/{kind}?page_size=100" + (f"&page_token={token}" if token else "")).json
        found += page[kind]
        token = page.get("next_page_token")
        if not token:
            return found


def found_states(http_client, workers):
    """{prefix: State} as the server has it."""
    states = {worker.prefix: State() for worker in workers}
    for variable in listed(http_client, "variables"):
        prefix = variable["name"].split("/")[0]
        if prefix in states:
            states[prefix].variables[variable["name"]] = get(
                http_client, f"/variables/{variable['name']}:value?format=raw").body if variable["initialized"] else None
    for checkpoint in listed(http_client, "checkpoints"):
        name = checkpoint["name"]
        tensors = {}
        for tensor in get(http_client, f"/checkpoints/{name}").json["tensors"]:
            tensors[tensor["name"]] = get(http_client, f"/checkpoints/{name}:value?tensor={tensor['name']}&format=raw").body
        states[name.split("-")[0]].checkpoints[name] = tensors
    return states


def check_workers(http_client, workers):
    states = found_states(http_client, workers)
    for worker in workers:
        found = states[worker.prefix]
        if found == worker.state:
            pass
        elif worker.next_state is not None and found == worker.next_state:
            worker.state = worker.next_state
        else:
            text = f"{worker.prefix}: neither the acknowledged state ({worker.state.differences(found)})"
            if worker.next_state is not None:
                text += f" nor the one of the request under way ({worker.next_state.differences(found)})"
            raise Wrong(text)
        worker.next_state = None


def check_counter(http_client, workers):
    value = get(http_client, "/variables/counter:value").json["data"]
    least = sum(worker.added for worker in workers)
    choices = {least}
    for worker in workers:
        choices |= {choice + worker.adding for choice in choices}
    if value not in choices:
        raise Wrong(f"the counter is {value}; acknowledged: {least}, under way: {[w.adding for w in workers]}")
    # Whichever of the requests under way took effect, from now on they are part of the past.
    workers[0].added += value - least
    for worker in workers:
        worker.adding = 0


def check_stamps(http_client, workers):
    body = get(http_client, f"/values?names={','.join(STAMPED)}&format=safetensors").body
    tensors, _ = formats.safetensors_read(body)
    values = {int(x) for name in STAMPED for x in np.unique(np.frombuffer(tensors[name][2], "<i8"))}
    if len(values) != 1:
        raise Wrong(f"a write of several variables was half done: {values}")
    acknowledged = [pair for worker in workers for pair in worker.stamps]
    allowed = {worker.stamping for worker in workers} | {max(acknowledged)[1] if acknowledged else 0}
    if values.pop() not in allowed:
        raise Wrong("the stamp is neither the last acknowledged one nor one under way")
    for worker in workers:
        worker.stamps = []
        worker.stamping = None
    # What was found is what later rounds start from.
    workers[0].stamps.append((0, int(np.frombuffer(tensors[STAMPED[0]][2], "<i8")[0])))


def check_server(http_client, server, seen):
    """Its own checksums, and that revisions did not go back. False when it has no verify route."""
    reply = http_client.request("POST", f"{MODEL}/variables/tick:assign", {"value": [1]})
    if reply.status != 200 or reply.revision <= seen:
        raise Wrong(f"revision after {seen} expected\n{reply}")
    reply = http_client.request("POST", "/v1:verify", {})
    if reply.status == 404:
        return False
    if reply.status != 200:
        raise Wrong(f"verification failed\n{reply}\n{server.complaints()}")
    return True


# --- rounds ----------------------------------------------------------------------------------------------------------

def begin(server):
    """The things that all workers share."""
    http_client = client.Client(server.host, server.port)
    http_client.request("PUT", MODEL, {"seed": 1}).expect(201)
    for name, size in (("counter", []), ("tick", [1]), *((n, [c]) for n, c in zip(STAMPED, STAMP_COUNT))):
        http_client.request("POST", f"{MODEL}/variables", {
            "name": name, "initial_value": {"op": "zeros", "shape": size, "dtype": "int64"}}).expect(201)
    http_client.request("POST", f"{MODEL}:initialize", {}).expect(200)
    http_client.close()


def load(server, workers, seconds):
    gone = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(
        client.Client(server.host, server.port, 60 * server.patience, again=False), gone)) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    died = server.process.poll()
    server.kill9()
    gone.set()
    for thread in threads:
        thread.join()
    if died is not None:
        raise Wrong(f"the server ended by itself with status {died}\n{server.complaints()}")
    for worker in workers:
        if worker.failure:
            raise Wrong(f"{worker.prefix}: {worker.failure}\n{server.complaints()}")


def kill_while_starting(server, source):
    """A start that is killed before it is done, sometimes."""
    if source.random() < 0.25:
        process = session.subprocess.Popen(server.command(), stdout=session.subprocess.DEVNULL,
                                           stderr=session.subprocess.DEVNULL, preexec_fn=session.die_with_parent)
        time.sleep(source.random() * 0.05)
        process.kill()
        process.wait()


def check(server, workers):
    http_client = client.Client(server.host, server.port, 120 * server.patience)
    check_workers(http_client, workers)
    check_counter(http_client, workers)
    check_stamps(http_client, workers)
    verified = check_server(http_client, server, max(worker.revision for worker in workers))
    http_client.close()
    if not verified:
        # No route for it: a start that verifies first.
        server.kill9()
        server.start("--durability", MODES[0], "--verify")


def rounds(options, server, workers, source):
    kills = 0
    server.start("--durability", MODES[0])
    begin(server)
    for number in range(options.rounds):
        load(server, workers, source.uniform(0.05, options.seconds))
        kills += 1
        kill_while_starting(server, source)
        mode = MODES[(number + 1) % len(MODES)]
        server.start("--durability", mode)
        check(server, workers)
        if (number + 1) % 10 == 0:
            print(f"round {number + 1}: {sum(w.acknowledged for w in workers)} acknowledged so far", flush=True)
    status = server.stop()
    if status != 0 or session.FOUND.search(server.complaints()):
        raise Wrong(f"exit status {status}\n{server.complaints()}")
    return kills


def main():
    parser = argparse.ArgumentParser(description="kill -9 under load, then look")
    parser.add_argument("--server", default="build/tensorkeep")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0, help="longest time between two kills")
    parser.add_argument("--keep", action="store_true", help="keep the data when something is wrong")
    options = parser.parse_args()
    source = random.Random(options.seed)
    binary = os.path.abspath(options.server)
    server = session.Server(binary, (), 5 if "/tsan/" in binary or "/asan/" in binary else 1)
    workers = [Worker(index, source.random()) for index in range(options.workers)]
    print(f"seed {options.seed}, {options.rounds} rounds, {options.workers} workers, durability {' and '.join(MODES)} in turn",
          flush=True)
    try:
        kills = rounds(options, server, workers, source)
    except (Wrong, AssertionError, client.ContractBroken) as wrong:
        print(f"WRONG (seed {options.seed}): {wrong}")
        if options.keep:
            print(f"kept {server.data}")
        return 1
    finally:
        server.end()
        if not options.keep:
            server.remove()
    counts = {}
    for worker in workers:
        for name, times in worker.counts.items():
            counts[name] = counts.get(name, 0) + times
    print(", ".join(f"{name} {times}" for name, times in sorted(counts.items())))
    print(f"seed {options.seed}: {kills} kills, {sum(w.acknowledged for w in workers)} acknowledged writes, all there, none half done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
