"""Models with a placement: how tests make them, and what they see of where variables are."""

FLAGS = ("--cluster", "ps=4,worker=2")
ROUND = {"strategy": "round_robin", "ps_tasks": 3}


def zeros(name, shape=(2,), dtype="float32", **fields):
    return {"name": name, "initial_value": {"op": "zeros", "shape": list(shape), "dtype": dtype}, **fields}


def place(s, placement, **fields):
    """A new model with this placement."""
    s.model += "-placed"
    return s.put("", {"placement": placement, **fields}).expect(201).json


def model(s):
    return s.get("").expect(200).json


def state(s):
    return model(s)["placement_state"]


def device(s, name):
    return s.info(name)["device"]


def devices(s):
    return {v["name"]: v["device"] for v in s.get("variables?page_size=1000").expect(200).json["variables"]}


def bytes_by_task(s):
    """What lies on each task of job ps, whatever the model."""
    jobs = s.get("/v1/cluster").expect(200).json["jobs"]
    return [task["bytes"] for job in jobs if job["name"] == "ps" for task in job["tasks"]]


def grown(before, after):
    return [b - a for a, b in zip(before, after)]


def make(s, *specs):
    made = s.post("variables", list(specs)).expect(201).json["variables"]
    return [v["device"] for v in made]


def train(s, gradients):
    s.put("optimizers/adam", {"type": "adam", "learning_rate": 0.1})
    s.post("optimizers/adam:apply_gradients", {"gradients": gradients}).expect(200)
