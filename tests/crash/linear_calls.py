"""What the clients of linear.py ask for: each function makes a call of the history, the request that stands for it, and says what
is learned from the reply."""

import json
import re

import formats
from history import Call
from workload import RAW, SAFE, Wrong

np = formats.np
MODEL = "/v1/models/linear"
# Elements of each: in the record, one record of its own, chunks. All elements of a variable are alike, so that one number
# stands for them, and two numbers in one reply are a torn read.
ACCOUNTS = {"account/0": [], "account/1": [], "account/2": [300], "account/3": [3000]}
COUNTERS = {"n/0": [], "n/1": [700], "n/2": [20_000]}
PAIR = {"pair/0": [], "pair/1": [3000]}
TRAINED = {"weight": [3000], "step": []}  # an optimizer changes both
SHAPES = {**ACCOUNTS, **COUNTERS, **PAIR, **TRAINED, "ticket": []}
CHECKPOINTS = ("c0", "c1")  # of all of these
APPLIED = "applied"  # by the optimizer: no variable of the server's, but what its conditions are about
DTYPES = {name: "float32" if name == "weight" else "int64" for name in SHAPES}
EACH = 1000  # what is in every account at first
SMALL = [name for name, shape in SHAPES.items() if formats.count_of(shape) <= 700]


class Request:
    """One that can be sent again; `hear(reply)` fills in the call and is true unless the reply is none that should be."""

    def __init__(self, call, method, path, body, headers, hear):
        self.call, self.method, self.path, self.body, self.hear = call, method, MODEL + path, body, hear
        self.headers = dict(headers)


def number_of(name, elements):
    """The number that all elements are; as bytes, or as numbers."""
    if isinstance(elements, bytes):
        elements = np.frombuffer(elements, formats.NUMPY[DTYPES[name]])
    if len(elements) != formats.count_of(SHAPES[name]) or not (elements == elements[0]).all():
        raise Wrong(f"a torn value of {name}: {len(elements)} elements from {sorted(set(elements.tolist()))[:4]}")
    return int(elements[0])


def filled(name, number):
    """The expression whose elements all are this number."""
    shape = SHAPES[name]
    return {"op": "fill", "dims": shape, "value": {"dtype": DTYPES[name], "shape": [], "data": number}} if shape else number


def updated(call, name):
    """Hears the reply of a verb on one variable."""
    def hear(reply):
        if reply.status == 200:
            call.outcome, call.revision = "done", reply.revision
            call.sees(name, version=reply.json["version"], revision=reply.revision)
            if "value" in reply.json:
                call.before[name] = {"value": reply.json["value"]}
            return True
        if reply.status == 412:
            call.outcome = "refused"
            call.sees(name, revision=int(reply.etag.strip('"r')))
            return bool(call.require)
        call.outcome = "refused"
        return reply.status == 400 and reply.code == "OUT_OF_RANGE" and bool(call.below)

    return hear


def committed(call):
    """Hears the reply of a write that always succeeds, and tells no more than when."""
    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome, call.revision = "done", reply.revision
        return True

    return hear


# --- writes ----------------------------------------------------------------------------------------------------------

def add(client, source, _):
    name = source.choice(sorted(COUNTERS))
    verb, sign = source.choice([("assign_add", 1), ("assign_sub", -1)])
    number = source.randint(1, 9)
    call = Call(client, verb, [[name, "add", sign * number]])
    return Request(call, "POST", f"/variables/{name}:{verb}", {"value": filled(name, number)}, {}, updated(call, name))


def swap(client, source, known):
    """Compare and set, with the revision seen last: often one too old by now."""
    name = source.choice(sorted(COUNTERS))
    if name not in known:
        return None
    revision = known[name]["revision"]
    call = Call(client, "swap", [[name, "set", source.randint(0, 10 ** 6)]], [[name, "revision", revision]])
    tag = {"If-Match": f'"r{revision}"'}
    if source.random() < 0.5:
        return Request(call, "POST", f"/variables/{name}:assign", {"value": filled(name, call.change[0][2])}, tag,
                       updated(call, name))
    body = np.full(formats.count_of(SHAPES[name]), call.change[0][2], "<i8").tobytes()
    return Request(call, "PUT", f"/variables/{name}:value", body, {**RAW, **tag}, updated(call, name))


def count(client, source, known):
    limit = known.get("ticket", {}).get("value", 0) + source.randint(-2, 30)
    call = Call(client, "count_up_to", [["ticket", "add", 1]], below=[["ticket", limit]])
    return Request(call, "POST", "/variables/ticket:count_up_to", {"limit": limit}, {}, updated(call, "ticket"))


def scatter(client, source, _):
    """All rows, each once."""
    name = source.choice(["n/1", "n/2"])
    number, verb = source.randint(1, 9), source.choice(["scatter_add", "scatter_sub", "scatter_update"])
    call = Call(client, verb, [[name, "set" if verb == "scatter_update" else "add", -number if verb == "scatter_sub" else number]])
    return Request(call, "POST", f"/variables/{name}:{verb}", {
        "indices": {"op": "range", "args": [0, SHAPES[name][0]]}, "updates": filled(name, number)}, {}, updated(call, name))


def apply_gradients(client, source, known):
    """A step of gradient descent, sometimes only if there was no other since the weight was seen."""
    number = source.randint(-9, 9)
    call = Call(client, "apply", [["weight", "add", number], ["step", "add", 1], [APPLIED, "add", 1]])
    gradient = filled("weight", -number)
    if source.random() < 0.5:
        gradient = {"indices": {"op": "range", "args": [0, SHAPES["weight"][0]]}, "values": gradient}
    body = {"gradients": {"weight": gradient}, "global_step": "step"}
    if "weight" in known and source.random() < 0.5:
        call.require = [[APPLIED, "until", known["weight"]["revision"]]]
        body.update(base_revision=known["weight"]["revision"], max_staleness=0)

    def hear(reply):
        if reply.status == 200:
            call.outcome, call.revision = "done", reply.revision
            call.sees("weight", version=reply.json["versions"]["weight"], revision=reply.revision)
            call.sees("step", value=reply.json["global_step"], revision=reply.revision)
            return True
        call.outcome = "refused"
        return reply.status == 412 and bool(call.require)

    return Request(call, "POST", "/optimizers/descent:apply_gradients", body, {}, hear)


def put_pair(client, source, _):
    number = source.randint(0, 10 ** 6)
    call = Call(client, "put", [[name, "set", number] for name in PAIR])
    body = formats.safetensors_write({name: ("int64", shape, np.full(formats.count_of(shape), number, "<i8").tobytes())
                                      for name, shape in PAIR.items()})

    return Request(call, "PUT", "/values", body, SAFE, committed(call))


# --- checkpoints: a save reads all variables, a restore writes all ----------------------------------------------------

def kept(checkpoint, name):
    """What stands for this variable in the checkpoint."""
    return f"{checkpoint}:{name}"


def saved(checkpoint):
    return [[kept(checkpoint, name), "copy", name] for name in SHAPES]


def save(client, source, _):
    checkpoint = source.choice(CHECKPOINTS)
    call = Call(client, "save", saved(checkpoint))
    return Request(call, "POST", "/checkpoints", {"name": checkpoint, "overwrite": True}, {}, committed(call))


def restore(client, source, _):
    """All of it, or some: the accounts together, lest what they hold changes."""
    checkpoint = source.choice(CHECKPOINTS)
    names = source.choice([sorted(SHAPES), sorted(ACCOUNTS), sorted(PAIR), ["weight", "n/1"]])
    call = Call(client, "restore", [[name, "copy", kept(checkpoint, name)] for name in names])
    body = {"variables": names} if len(names) < len(SHAPES) else {}
    return Request(call, "POST", f"/checkpoints/{checkpoint}:restore", body, {}, committed(call))


def transfer_and_save(client, source, _):
    """The checkpoint has what the operations before it left."""
    change, ops = moved(source)
    checkpoint = source.choice(CHECKPOINTS)
    call = Call(client, "transfer and save", change + saved(checkpoint))
    ops.append({"op": "save", "name": checkpoint, "overwrite": True})
    return Request(call, "POST", ":run", {"ops": ops}, {}, committed(call))


def read_checkpoint(client, source, _):
    return read_saved(client, source.choice(CHECKPOINTS))


def read_saved(client, checkpoint):
    call = Call(client, "read checkpoint")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome, revision = "done", int(reply.etag.split("-")[0].strip('"r'))
        tensors, _ = formats.safetensors_read(reply.body)
        for name in SHAPES:
            call.sees(kept(checkpoint, name), value=number_of(name, tensors[name][2]), revision=revision)
        conserved(call, checkpoint)
        return True

    return Request(call, "GET", f"/checkpoints/{checkpoint}:export?format=safetensors", None, {}, hear)


# --- runs: several operations in one commit ---------------------------------------------------------------------------

FAILS = re.compile(r"variable '([^']+)' has (version|revision) (\d+), \d+ is required")


def run(call, ops, **fields):
    """POST :run of a call whose changes the operations are."""
    def hear(reply):
        if reply.status == 200:
            call.outcome, call.revision = "done", reply.revision
            for result in reply.json["results"]:
                call.sees(result["name"], version=result["version"], revision=reply.revision)
                if "value" in result:
                    call.before[result["name"]] = {"value": result["value"]}
            for name, found in reply.json.get("fetches", {}).items():
                call.sees(name, value=number_of(name, np.array(found["data"]).reshape(-1)))
            return True
        call.outcome = "refused"
        if reply.status == 412:
            name, field, number = FAILS.search(reply.detail).groups()
            call.sees(name, **{field: int(number)})
            return bool(call.require)
        return reply.status == 400 and reply.code == "OUT_OF_RANGE" and bool(call.below)

    body = {"require": [{"variable": name, field: number} for name, field, number in call.require], "ops": ops, **fields}
    return Request(call, "POST", ":run", body, {}, hear)


def moved(source):
    """Two accounts and the operations that move something from one to the other."""
    name, other = source.sample(sorted(ACCOUNTS), 2)
    amount = source.randint(1, 50)
    return [[name, "add", -amount], [other, "add", amount]], [
        {"op": "assign_sub", "variable": name, "value": filled(name, amount)},
        {"op": "assign_add", "variable": other, "value": filled(other, amount)}]


def transfer(client, source, known):
    """Sometimes on condition that the accounts are as they were seen last, sometimes with a look at them afterwards."""
    change, ops = moved(source)
    require = []
    for name, _, _ in change:
        if source.random() < 0.3:
            fields = [field for field in ("version", "revision") if field in known.get(name, {})]
            require += [[name, field, known[name][field]] for field in fields[:1]]
    fetches = {name: {"variable": name} for name, _, _ in change if name in SMALL and source.random() < 0.5}
    return run(Call(client, "transfer", change, require), ops, fetches=fetches)


def transfer_and_count(client, source, known):
    """Half of these fail at the last operation, and must leave nothing of the first two."""
    change, ops = moved(source)
    limit = known.get("ticket", {}).get("value", 0) + source.randint(-30, 30)
    call = Call(client, "transfer and count", change + [["ticket", "add", 1]], below=[["ticket", limit]])
    return run(call, ops + [{"op": "count_up_to", "variable": "ticket", "limit": limit}])


def add_twice(client, source, _):
    """Two changes of one variable in one commit."""
    name, first, second = source.choice(sorted(COUNTERS)), source.randint(1, 9), source.randint(1, 9)
    call = Call(client, "add twice", [[name, "add", first], [name, "add", second]])
    return run(call, [{"op": "assign_add", "variable": name, "value": filled(name, number)} for number in (first, second)])


def dry_run(client, source, _):
    """What a transfer would leave: a read, with the transfer taken back here."""
    change, ops = moved(source)
    change = {name: number for name, _, number in change}
    names = sorted(name for name in change if name in SMALL)
    call = Call(client, "dry run")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome, call.at = "done", reply.revision
        for name, found in reply.json["fetches"].items():
            call.sees(name, value=number_of(name, np.array(found["data"]).reshape(-1)) - change[name])
        return True

    return Request(call, "POST", ":run", {"ops": ops, "dry_run": True, "fetches": {name: {"variable": name} for name in names}},
                   {}, hear)


# --- reads -----------------------------------------------------------------------------------------------------------

def read(client, source, _):
    name = source.choice(sorted(SHAPES))
    call = Call(client, "read")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome = "done"
        call.sees(name, value=number_of(name, reply.body),
                  revision=int(reply.etag.split("-")[0].strip('"r')))
        return True

    return Request(call, "GET", f"/variables/{name}:value?format=raw", None, {}, hear)


def look(client, source, _):
    """The version of a variable and its revision, without its value."""
    name = source.choice(sorted(SHAPES))
    call = Call(client, "look")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome = "done"
        call.sees(name, version=reply.json["version"], revision=reply.json["revision"])
        return True

    return Request(call, "GET", f"/variables/{name}", None, {}, hear)


def read_several(client, source, _):
    names = source.choice([sorted(ACCOUNTS), sorted(ACCOUNTS), sorted(PAIR), source.sample(sorted(SHAPES), 4), sorted(SHAPES)])
    return several(client, names)


def several(client, names):
    call = Call(client, "read several")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome, call.at = "done", reply.revision
        tensors, _ = formats.safetensors_read(reply.body)
        for name in names:
            call.sees(name, value=number_of(name, tensors[name][2]))
        conserved(call)
        return True

    return Request(call, "GET", f"/values?names={','.join(names)}&format=safetensors", None, {}, hear)


def read_several_json(client, source, _):
    names = source.sample(SMALL, 3)
    call = Call(client, "read several")

    def hear(reply):
        if reply.status != 200:
            return False
        call.outcome, call.at = "done", reply.revision
        for name in names:
            found = reply.json["values"][name]
            call.sees(name, value=number_of(name, np.array(found["data"]).reshape(-1)), revision=found["revision"])
        return True

    return Request(call, "GET", f"/values?names={','.join(names)}&format=json", None, {}, hear)


def conserved(call, checkpoint=None):
    """Whatever is transferred, all accounts together hold the same; so do those of a checkpoint."""
    seen = {name: call.seen.get(kept(checkpoint, name) if checkpoint else name, {}).get("value") for name in SHAPES}
    if None not in (accounts := [seen[name] for name in ACCOUNTS]) and sum(accounts) != EACH * len(ACCOUNTS):
        raise Wrong(f"the accounts hold {sum(accounts)} together, not {EACH * len(ACCOUNTS)}: {json.dumps(call.seen)}")
    if None not in (pair := [seen[name] for name in PAIR]) and len(set(pair)) != 1:
        raise Wrong(f"a write of two variables was half done: {json.dumps(call.seen)}")


CALLS = (add, add, add, add, swap, swap, swap, count, count, put_pair, put_pair, scatter, scatter, apply_gradients,
         apply_gradients, apply_gradients, transfer, transfer, transfer, transfer, transfer, transfer, transfer_and_count,
         transfer_and_count, add_twice, dry_run, read, read, read, look, look, read_several, read_several, read_several,
         read_several_json, save, save, restore, transfer_and_save, read_checkpoint, read_checkpoint)
