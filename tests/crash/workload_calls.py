"""What the workers of the kill loop ask for: each function changes `after` as the request would change the store, and gives the
request: method, path, body and headers; None when it makes no sense just now."""

import formats
from workload import MODEL, RAW, SAFE, STAMPED, STAMP_COUNT, TRAINED, Wrong

np = formats.np
FORMATS = ("safetensors", "npz", "tf_v2", "tf_v1")  # that go out and come in again
KEPT_MAX = 3  # by a saver


# --- variables -------------------------------------------------------------------------------------------------------

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
    """Sent in pieces, as its name says."""
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
    chosen = worker.some([name for name, value in after.variables.items() if value is not None], 8)
    checkpoint = worker.checkpoint(after)
    if checkpoint is not None:
        ops.append({"op": "save", "name": checkpoint, "variables": chosen, "overwrite": True})
        after.keep(checkpoint, {name: after.variables[name] for name in chosen})
    if worker.random.random() < 0.3 and (save := through_saver(worker, after)):
        ops.append({"op": "save", "saver": saver_of(worker), **save})
    return "POST", f"{MODEL}:run", {"ops": ops}, None


def delete(worker, after):
    if len(after.variables) < 3:
        return None
    name = worker.some(after.variables, 1)[0]
    del after.variables[name]
    return "DELETE", f"{MODEL}/variables/{name}", None, None


# --- checkpoints -----------------------------------------------------------------------------------------------------

def save(worker, after):
    names, checkpoint = [name for name, value in after.variables.items() if value is not None], worker.checkpoint(after)
    if not names or checkpoint is None:
        return None
    chosen = worker.some(names, 8)
    after.keep(checkpoint, {name: after.variables[name] for name in chosen})
    return "POST", f"{MODEL}/checkpoints", {"name": checkpoint, "variables": chosen, "overwrite": True}, None


def restore(worker, after):
    checkpoint = worker.random.choice(sorted(after.checkpoints) or [None])
    chosen = [name for name, value in after.checkpoints.get(checkpoint, {}).items()
              if name in after.variables and len(worker.initial[name]) == len(value)]
    if not chosen:
        return None
    for name in chosen:
        after.variables[name] = after.checkpoints[checkpoint][name]
    return "POST", f"{MODEL}/checkpoints/{checkpoint}:restore", {"variables": chosen}, None


def delete_checkpoint(worker, after):
    names = [name for name in after.checkpoints if not after.is_pinned(name)]
    if len(names) < 2:
        return None
    checkpoint = worker.some(names, 1)[0]
    after.remove(checkpoint)
    told_latest(worker, after)
    return "DELETE", f"{MODEL}/checkpoints/{checkpoint}", None, None


def import_checkpoint(worker, after):
    checkpoint = worker.checkpoint(after)
    if checkpoint is None:
        return None
    tensors = {f"{worker.prefix}/i{k}": worker.bytes_for(worker.elements()) for k in range(3)}
    after.keep(checkpoint, tensors)
    body = formats.safetensors_write({name: ("int64", [len(data) // 8], data) for name, data in tensors.items()})
    return "PUT", f"{MODEL}/checkpoints/{checkpoint}?overwrite=true", body, SAFE


def import_exported(worker, after):
    """What goes out in some format comes in again as it was."""
    name, checkpoint = worker.random.choice(sorted(after.checkpoints) or [None]), worker.checkpoint(after)
    if name is None or checkpoint is None:
        return None
    told = worker.http_client.request("GET", f"{MODEL}/checkpoints/{name}:export?format={worker.random.choice(FORMATS)}")
    if told.status != 200:
        raise Wrong(f"a checkpoint does not go out\n{told}")
    after.keep(checkpoint, after.checkpoints[name])
    return "PUT", f"{MODEL}/checkpoints/{checkpoint}?overwrite=true", told.body, {"Content-Type": told.headers["content-type"]}


def mark(worker, after):
    """Pinned or not, and other labels. Not all are pinned for long, or nothing would be pushed out."""
    if not after.checkpoints:
        return None
    checkpoint = worker.some(after.checkpoints, 1)[0]
    worker.number += 1
    marks = (worker.random.random() < 0.3, {"number": str(worker.number)} if worker.random.random() < 0.7 else {})
    after.marks[checkpoint] = marks
    return "PATCH", f"{MODEL}/checkpoints/{checkpoint}", {"pinned": marks[0], "labels": marks[1]}, None


# --- savers: each worker has one, of the variables that its optimizer changes ------------------------------------------

def saver_of(worker):
    return f"{worker.prefix}/s"


def saved_names(worker):
    """{name in the checkpoint: variable}"""
    return {f"saved/{number}": f"{worker.prefix}/g{number}" for number in range(len(TRAINED))}


def made_saver(worker):
    """The body that makes it, and what is told of it then."""
    return {"variables": saved_names(worker), "max_to_keep": KEPT_MAX}, {
        "max_to_keep": KEPT_MAX, "last_checkpoints": [], "latest": None}


def change_saver(worker, after, **fields):
    after.savers[saver_of(worker)] = {**after.savers[saver_of(worker)], **fields}


def own(worker, after):
    """Checkpoints that were saved through it, oldest first."""
    return [name for name in after.checkpoints if name.startswith(f"{worker.prefix}-s-")]


def told_latest(worker, after):
    change_saver(worker, after, latest=(own(worker, after) or [None])[-1])


def push_out(worker, after):
    """The oldest leave the list, and go unless they are pinned."""
    saver = after.savers[saver_of(worker)]
    listed = saver["last_checkpoints"]
    over, left = listed[:-saver["max_to_keep"]], listed[-saver["max_to_keep"]:]
    change_saver(worker, after, last_checkpoints=left)
    for name in over:
        if not after.is_pinned(name):
            after.remove(name)
    told_latest(worker, after)


def through_saver(worker, after):
    """The body of a save; nothing where the checkpoint is pinned."""
    step = worker.random.randrange(2 * KEPT_MAX)
    name = f"{worker.prefix}-s-{step}"
    if after.is_pinned(name):
        return None
    after.keep(name, {saved: after.trained[variable] for saved, variable in saved_names(worker).items()})
    change_saver(worker, after, last_checkpoints=after.savers[saver_of(worker)]["last_checkpoints"] + [name])
    push_out(worker, after)
    return {"name": f"{worker.prefix}-s", "global_step": step}


def save_through(worker, after):
    body = through_saver(worker, after)
    return body and ("POST", f"{MODEL}/savers/{saver_of(worker)}:save", body, None)


def restore_through(worker, after):
    names = own(worker, after)
    if not names:
        return None
    name = worker.random.choice(names + ["latest"])
    tensors = after.checkpoints[names[-1] if name == "latest" else name]
    for saved, variable in saved_names(worker).items():
        after.trained[variable] = tensors[saved]
    return "POST", f"{MODEL}/savers/{saver_of(worker)}:restore", {"checkpoint": name}, None


def keep_others(worker, after):
    """Another number of them stays."""
    change_saver(worker, after, max_to_keep=worker.random.randint(1, KEPT_MAX))
    push_out(worker, after)
    return "PATCH", f"{MODEL}/savers/{saver_of(worker)}", {
        "max_to_keep": after.savers[saver_of(worker)]["max_to_keep"]}, None


# --- what all workers share --------------------------------------------------------------------------------------------

def count(worker, _):
    worker.adding = worker.random.randint(1, 9)
    return "POST", f"{MODEL}/variables/counter:assign_add", {"value": worker.adding}, None


def stamp(worker, _):
    worker.number += 1
    worker.stamping = (worker.index << 40) + worker.number
    tensors = {name: ("int64", [size], np.full(size, worker.stamping, "<i8").tobytes())
               for name, size in zip(STAMPED, STAMP_COUNT)}
    return "PUT", f"{MODEL}/values", formats.safetensors_write(tensors), SAFE


CALLS = [create, create, initialize, assign_raw, assign_raw, assign_chunked, assign_json, assign_part, assign_part, assign_add,
         assign_add, scatter, scatter, apply_gradients, apply_gradients, put_several, put_several, run_several, run_several,
         delete, save, save, restore, delete_checkpoint, import_checkpoint, import_exported, mark, save_through, save_through,
         save_through, restore_through, keep_others, count, count, stamp, stamp]
