"""Restoring, a second time: what a restore finds, whether it is refused, and what it leaves. Models, checkpoints and requests
by chance to try it on."""

import re

import formats

np = formats.np
LEGAL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-]*(/[A-Za-z0-9_.\-]+)*")
LISTS = ("restored", "created", "missing", "unexpected", "mismatched", "not_in_checkpoint")
NAMES = ["a", "b", "c", "p/a", "p/b", "p/q/a", "q/a", "q/b", "pa", "new/a"]
ODD = ["a b", "é", "p/", "p//a", "_x", "x:0", "日本", "p/../a"]
SHAPES = [(), (1,), (4,), (2, 2), (2, 3), (6,), (0,), (0, 3)]
DTYPES = ["float32", "int32", "float64", "bool"]


def is_legal(name):
    return LEGAL.fullmatch(name) and len(name) <= 255 and not {".", ".."} & set(name.split("/"))


class Variable:
    def __init__(self, dtype, shape, value, free=False, collected=True):
        self.dtype, self.shape, self.value, self.free, self.collected = dtype, shape, value, free, collected

    def takes(self, array, reshape):
        """None, or why not: a word of the reason."""
        if self.dtype != dtype_of(array):
            return "dtype"
        if self.free or self.shape == array.shape:
            return None
        if not reshape:
            return "lhs shape="
        return None if array.size == formats.count_of(self.shape) else "Input to reshape"


def dtype_of(array):
    return next(name for name, kind in formats.NUMPY.items() if np.dtype(kind) == array.dtype)


class Refused(Exception):
    """Status and a word of the detail."""


def picks_of(asked):
    """(tensor, variable) of "variables"; refused where a variable is there twice or not a name."""
    chosen = asked["variables"]
    picks = list(chosen.items()) if isinstance(chosen, dict) else [(name, name) for name in chosen]
    picks = [(tensor if isinstance(chosen, dict) else tensor.removesuffix(":0"), variable.removesuffix(":0"))
             for tensor, variable in picks]
    if not all(is_legal(variable) for _, variable in picks):
        raise Refused(400, "not a legal variable name")
    seen = {}
    for tensor, variable in picks:
        seen.setdefault(variable, []).append(tensor)
    for variable in sorted(seen):
        if len(seen[variable]) > 1:
            raise Refused(400, "At least two variables have the same name" if len(set(seen[variable])) == 1
                          else "The same saveable will be restored with two names")
    return picks


def mapped(name, prefixes):
    fitting = [prefix for prefix in prefixes if name.startswith(prefix)]
    if not fitting:
        return name
    longest = max(fitting, key=len)
    return prefixes[longest] + name[len(longest):]


def plan(model, tensors, asked):
    """The lists, as the report has them, and [(tensor, variable)] of what goes."""
    found = {key: [] for key in LISTS}
    goes = []
    if "variables" in asked:
        picks = picks_of(asked)
    else:
        picks = [(name, mapped(name, asked.get("prefix_map", {}))) for name in sorted(tensors, key=str.encode)]
    for tensor, name in picks:
        if tensor not in tensors:
            found["missing"].append(tensor)
        elif name not in model and not (asked.get("create") and is_legal(name)):
            found["unexpected"].append(tensor)
        elif name in model and model[name].takes(tensors[tensor], asked.get("reshape")):
            found["mismatched"].append((name, tensor, model[name].takes(tensors[tensor], asked.get("reshape"))))
        else:
            found["restored"].append(name)
            found["created"] += [] if name in model else [name]
            goes.append((tensor, name))
    if "variables" not in asked:
        told = set(found["restored"]) | {name for name, _, _ in found["mismatched"]}
        found["not_in_checkpoint"] = sorted(name for name in model if name not in told and model[name].collected)
    return found, goes


def judge(found, asked):
    if found["missing"] and asked.get("on_missing") != "skip":
        raise Refused(404, f"Key {found['missing'][0]} not found in checkpoint")
    if found["unexpected"] and asked.get("on_extra") != "skip":
        raise Refused(400, "variable name") if asked.get("create") else Refused(404, "to go to")
    if found["mismatched"] and asked.get("on_mismatch") != "skip":
        raise Refused(400, found["mismatched"][0][2])
    if len(set(found["restored"])) != len(found["restored"]):
        raise Refused(400, "would be restored from two tensors")


def apply(model, tensors, goes):
    for tensor, name in goes:
        array = tensors[tensor]
        if name not in model:
            model[name] = Variable(dtype_of(array), array.shape, None)
        variable = model[name]
        if variable.free:
            variable.shape = array.shape
        variable.value = array.reshape(variable.shape)


# --- by chance ---

def array_of(chance, dtype, shape):
    return chance.array(dtype, shape)


def variable_of(chance):
    dtype, shape = chance.choice(DTYPES[:2] if chance.random() < 0.8 else DTYPES), chance.choice(SHAPES)
    value = array_of(chance, dtype, shape) if chance.random() < 0.6 else None
    return Variable(dtype, shape, value, free=chance.random() < 0.15, collected=chance.random() < 0.85)


def model_of(chance):
    return {name: variable_of(chance) for name in chance.sample(NAMES, chance.randrange(0, 8))}


def tensors_of(chance, model):
    """Often what the variables are like."""
    tensors = {}
    for name in chance.sample(NAMES, chance.randrange(0, 8)) + chance.sample(ODD, chance.choice([0, 0, 0, 1, 2])):
        like = model[name] if name in model and chance.random() < 0.8 else variable_of(chance)
        tensors[name] = array_of(chance, like.dtype, like.shape)
    return tensors


def request_of(chance, model, tensors):
    asked = {}
    for choice in ("on_missing", "on_extra", "on_mismatch"):
        if chance.random() < 0.6:
            asked[choice] = chance.choice(["error", "skip", "skip"])
    for flag in ("reshape", "create"):
        if chance.random() < 0.35:
            asked[flag] = chance.random() < 0.8
    known = NAMES + list(tensors)
    kind = chance.choice(["all", "all", "list", "map", "prefix", "prefix"])
    if kind == "list":
        asked["variables"] = [chance.choice(NAMES) + chance.choice(["", "", "", ":0"]) for _ in range(chance.randrange(0, 5))]
    elif kind == "map":
        asked["variables"] = {chance.choice(known): chance.choice(NAMES) for _ in range(chance.randrange(0, 5))}
    elif kind == "prefix":
        prefixes = ["", "p", "p/", "p/q/", "q/", "a", "zz", "é", "p/a"]
        targets = ["", "q/", "p/", "new/", "a", "b", "é", "p/q/"]
        asked["prefix_map"] = {prefix: chance.choice(targets) for prefix in chance.sample(prefixes, chance.randrange(1, 5))}
    return asked
