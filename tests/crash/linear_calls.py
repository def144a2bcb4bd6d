"""What the clients of linear.py ask for: each function makes a call of the history, the request that stands for it, and says what
is learned from the reply."""

import json

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
TICKET = {"ticket": []}
SHAPES = {**ACCOUNTS, **COUNTERS, **PAIR, **TICKET}
EACH = 1000  # what is in every account at first
SMALL = [name for name, shape in SHAPES.items() if formats.count_of(shape) <= 700]


class Request:
    """One that can be sent again; `hear(reply)` fills in the call and is true unless the reply is none that should be."""

    def __init__(self, call, method, path, body, headers, hear):
        self.call, self.method, self.path, self.body, self.headers, self.hear = call, method, MODEL + path, body, headers, hear


def number_of(name, elements):
    """The number that all elements are."""
    if len(elements) != formats.count_of(SHAPES[name]) or not (elements == elements[0]).all():
        raise Wrong(f"a torn value of {name}: {len(elements)} elements from {sorted(set(elements.tolist()))[:4]}")
    return int(elements[0])


def filled(name, number):
    """The expression whose elements all are this number."""
    shape = SHAPES[name]
    return {"op": "fill", "dims": shape, "value": {"dtype": "int64", "shape": [], "data": number}} if shape else number


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


def put_pair(client, source, _):
    number = source.randint(0, 10 ** 6)
    call = Call(client, "put", [[name, "set", number] for name in PAIR])
    body = formats.safetensors_write({name: ("int64", shape, np.full(formats.count_of(shape), number, "<i8").tobytes())
                                      for name, shape in PAIR.items()})

    def hear(reply):
        call.outcome, call.revision = "done", reply.revision
        return reply.status == 200

    return Request(call, "PUT", "/values", body, SAFE, hear)


# --- reads -----------------------------------------------------------------------------------------------------------

def read(client, source, _):
    name = source.choice(sorted(SHAPES))
    call = Call(client, "read")

    def hear(reply):
        call.outcome = "done"
        call.sees(name, value=number_of(name, np.frombuffer(reply.body, "<i8")),
                  revision=int(reply.etag.split("-")[0].strip('"r')))
        return reply.status == 200

    return Request(call, "GET", f"/variables/{name}:value?format=raw", None, {}, hear)


def look(client, source, _):
    """The version of a variable and its revision, without its value."""
    name = source.choice(sorted(SHAPES))
    call = Call(client, "look")

    def hear(reply):
        call.outcome = "done"
        call.sees(name, version=reply.json["version"], revision=reply.json["revision"])
        return reply.status == 200

    return Request(call, "GET", f"/variables/{name}", None, {}, hear)


def read_several(client, source, _):
    names = source.choice([sorted(ACCOUNTS), sorted(ACCOUNTS), sorted(PAIR), source.sample(sorted(SHAPES), 4), sorted(SHAPES)])
    return several(client, names)


def several(client, names):
    call = Call(client, "read several")

    def hear(reply):
        call.outcome, call.at = "done", reply.revision
        if reply.status != 200:
            return False
        tensors, _ = formats.safetensors_read(reply.body)
        for name in names:
            call.sees(name, value=number_of(name, np.frombuffer(tensors[name][2], "<i8")))
        conserved(call)
        return True

    return Request(call, "GET", f"/values?names={','.join(names)}&format=safetensors", None, {}, hear)


def read_several_json(client, source, _):
    names = source.sample(SMALL, 3)
    call = Call(client, "read several")

    def hear(reply):
        call.outcome, call.at = "done", reply.revision
        for name in names:
            found = reply.json["values"][name]
            call.sees(name, value=number_of(name, np.array(found["data"]).reshape(-1)), revision=found["revision"])
        return reply.status == 200

    return Request(call, "GET", f"/values?names={','.join(names)}&format=json", None, {}, hear)


def conserved(call):
    """Whatever is transferred, all accounts together hold the same."""
    if set(ACCOUNTS) <= set(call.seen):
        total = sum(call.seen[name]["value"] for name in ACCOUNTS)
        if total != EACH * len(ACCOUNTS):
            raise Wrong(f"the accounts hold {total} together, not {EACH * len(ACCOUNTS)}: {json.dumps(call.seen)}")
    if set(PAIR) <= set(call.seen) and len({call.seen[name]["value"] for name in PAIR}) != 1:
        raise Wrong(f"a write of two variables was half done: {json.dumps(call.seen)}")


CALLS = [add] * 6 + [swap] * 4 + [count] * 3 + [put_pair] * 2 + [read] * 4 + [look] * 2 + [read_several] * 4 + [read_several_json] * 2
