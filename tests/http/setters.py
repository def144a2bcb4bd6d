"""Where TensorFlow's replica_device_setter puts ops, plainly: the other half of what the server is held to."""

FIELDS = ("job", "replica", "task", "type", "index")
PS_OPS = {"1.0": ("Variable", "VariableV2"), "1.15": ("Variable", "VariableV2", "VarHandleOp")}
SIZES = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1, "uint8": 1, "int16": 2, "complex128": 16, "string": 8}


def parse(text):
    spec = {}
    for part in text.split("/"):
        if not part:
            continue
        name, _, rest = part.partition(":")
        if name == "job":
            spec["job"] = rest
        elif name in ("replica", "task"):
            spec[name] = int(rest)
        else:
            kind, _, index = rest.partition(":") if name == "device" else (name.upper(), ":", rest)
            spec["type"] = kind
            if index not in ("", "*"):
                spec["index"] = int(index)
    return spec


def merged(outer, inner):
    return {**outer, **inner}


def printed(spec):
    text = "".join(f"/{name}:{spec[name]}" for name in ("job", "replica", "task") if name in spec)
    return text + (f"/device:{spec['type']}:{spec.get('index', '*')}" if "type" in spec else "")


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


class Setter:
    """One replica_device_setter: the arguments of a placement, and what was drawn."""

    def __init__(self, here=0, outer="", **placement):
        self.args = {"strategy": "round_robin", "load": "bytes", "ps_tasks": None, "cluster": None, "ps_device": "/job:ps",
                     "worker_device": "/job:worker", "merge_devices": True, "ps_ops": None, "version": "1.0", **placement}
        self.outer = parse(outer)
        self.tasks = self.count(here)
        self.next, self.loads = 0, [0] * self.tasks

    def count(self, here):
        cluster, tasks = self.args["cluster"], self.args["ps_tasks"]
        if cluster is not None:
            job = cluster.get(parse(self.args["ps_device"]).get("job"), 0)
            return job if isinstance(job, int) else len(job)
        return here if tasks is None else tasks

    def draw(self, dtype, shape):
        if self.args["strategy"] == "round_robin":
            task, self.next = self.next, (self.next + 1) % self.tasks
            return task
        task = self.loads.index(min(self.loads))
        self.loads[task] += 1 if self.args["load"] == "ops" else elements(shape) * SIZES[dtype]
        return task

    def inner(self, op, own, dtype, shape):
        args = self.args
        if self.tasks == 0 or (not args["merge_devices"] and own):
            return own
        ops = PS_OPS[args["version"]] if args["ps_ops"] is None else args["ps_ops"]
        if not args["ps_device"] or op not in ops:
            return merged(parse(args["worker_device"]), own)
        device = parse(args["ps_device"])
        if args["version"] == "1.0" or ("job" in device and own.get("job", device["job"]) == device["job"]):
            device["task"] = self.draw(dtype, shape)
        return merged(device, own)

    def place(self, own="", dtype="float32", shape=(), op="VariableV2"):
        """`own`: a device, None, which hides all that is around it, or a list of these, outer to inner."""
        scopes = own if isinstance(own, list) else [own]
        if None in scopes:
            inner = scopes[len(scopes) - scopes[::-1].index(None):]
            return printed({field: part for each in inner for field, part in parse(each).items()})
        return printed(merged(self.outer, self.inner(op, parse(own), dtype, shape)))

    def state(self):
        if self.args["strategy"] == "round_robin":
            return {"tasks": self.tasks, "next_task": self.next}
        return {"tasks": self.tasks, "loads": self.loads}
