"""A training whose variables lie on four parameter-server tasks, saved, and gone on with over two: every bit of it is what the
same training makes without tasks. And writers to all tasks at once: whatever is read or saved of them is one cut."""

import threading

import digits
import formats

np = formats.np

FLAGS = ("--cluster", "ps=4")
VARIABLES = 100  # besides global_step, slots and powers
BATCH = 50
RATE = 0.01
CUT = [f"cut/{task}" for task in range(4)]
CUT_ELEMENTS = (1, 700, 90_000, 1)  # in the record, one chunk, several


def more_names():
    """What is trained beside the net that reads digits."""
    return [f"more/{number}" for number in range(VARIABLES - len(digits.WEIGHTS))]


def prepare(s):
    made = [{"name": name, "initial_value": {"op": "glorot_uniform_initializer", "shape": shape, "seed": 7} if len(shape) == 2
             else {"op": "zeros", "shape": shape}} for name, shape in digits.WEIGHTS.items()]
    made += [{"name": name, "initial_value": {"op": "random_normal", "shape": [1 + index % 7], "seed": index}}
             for index, name in enumerate(more_names())]
    made.append({"name": "global_step", "initial_value": {"op": "zeros", "shape": [], "dtype": "int64"}, "trainable": False})
    s.post("variables", made).expect(201)
    put_optimizer(s)
    s.initialize()


def put_optimizer(s):
    s.put("optimizers/adam", {"type": "adam", "learning_rate": RATE}).expect(201)


def train(s, first, steps):
    """Gradients come of the weights that this server has."""
    (pixels, labels), _ = digits.data()
    for step in range(first, first + steps):
        now = values(s)
        weights = {name: now[name] for name in digits.WEIGHTS}
        rows = slice(step * BATCH % len(labels), step * BATCH % len(labels) + BATCH)
        found = digits.gradients(weights, pixels[rows], labels[rows])
        # A well with its bottom at 1.
        found |= {name: (np.round((now[name] - 1) / digits.GRAIN) * digits.GRAIN).astype("<f4") for name in more_names()}
        body, kind = digits.in_safetensors(found, {"global_step": "global_step"})
        s.post("optimizers/adam:apply_gradients", body, {"Content-Type": kind}).expect(200)


def everything(s):
    """{variable: (dtype, shape, bytes)} of one cut, slots and powers among them."""
    return formats.safetensors_read(s.get("values?format=safetensors").expect(200).body)[0]


def values(s):
    return {name: np.frombuffer(data, formats.NUMPY[dtype]).reshape(shape) for name, (dtype, shape, data) in everything(s).items()}


def same(s, plain):
    mine, theirs = everything(s), everything(plain)
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    for name, value in mine.items():
        assert value == theirs[name], f"{name} is another one over tasks"


def devices(s):
    return {v["name"]: v["device"] for v in s.get("variables?page_size=1000").expect(200).json["variables"]}


def over(s, tasks):
    """All on these tasks, each with something to do, and slots where their variables are."""
    found = devices(s)
    for name in [*digits.WEIGHTS, *more_names()]:
        for slot in (f"{name}/Adam", f"{name}/Adam_1"):
            assert found[slot] == found[name], (slot, found[slot], found[name])
    counts = {f"/job:ps/task:{task}": 0 for task in range(tasks)}
    for name in [*digits.WEIGHTS, *more_names()]:
        counts[found[name]] += 1
    assert max(counts.values()) - min(counts.values()) <= 1, counts


def test_a_training_over_four_tasks_goes_on_over_two_and_is_the_one_without(s):
    steps, more = (10, 5) if s.slow else (30, 15)
    with s.other_server() as plain:
        s.model += "-placed"
        s.put("", {"placement": {}}).expect(201)
        for each in (s, plain):
            prepare(each)
            train(each, 0, steps)
            each.save("half")
            train(each, steps, more)
        over(s, 4)
        same(s, plain)
        s.restart("--cluster", "ps=2")
        same(s, plain)
        gone = next(name for name, device in devices(s).items() if device == "/job:ps/task:3")
        s.refuses(400, "INVALID_ARGUMENT", f"Cannot assign a device to node '{gone}'", "POST", f"variables/{gone}:assign_add",
                  {"value": {"variable": gone}})
        s.post(":place", {}).expect(200)
        over(s, 2)
        for each in (s, plain):
            train(each, steps + more, more)
        same(s, plain)
        for each in (s, plain):
            each.restore("half")
            train(each, steps, more)
        over(s, 2)
        same(s, plain)
        assert digits.accuracy({name: values(s)[name] for name in digits.WEIGHTS}, *digits.data()[1]) > 0.5
        as_a_new_model(s, plain, steps, more)


def as_a_new_model(s, plain, steps, more):
    for each, fields in ((s, {"placement": {}}), (plain, {})):
        old, each.model = each.model, f"{each.model}-new"
        each.put("", fields).expect(201)
        each.post(":restore", {"checkpoint": {"model": old, "name": "half"}, "create": True}).expect(200)
        put_optimizer(each)
        train(each, steps, more)
    same(s, plain)
    assert {device for device in devices(s).values()} <= {"/job:ps/task:0", "/job:ps/task:1"}, devices(s)


# --- one cut ---------------------------------------------------------------------------------------------------------

def write_cuts(s, number, writers, count, failed):
    """Each write gives all variables of all tasks one number, in one commit."""
    http = s.another_client()
    try:
        for turn in range(count):
            http.request("POST", s.path(":run"), {"ops": [
                {"op": "assign", "variable": name, "value": {"op": "fill", "dims": [elements], "value": turn * writers + number,
                                                             "dtype": "int64"}}
                for name, elements in zip(CUT, CUT_ELEMENTS)]}).expect(200)
    except Exception as wrong:  # told by the thread that waits for this one
        failed.append(wrong)


def is_one_cut(tensors):
    found = {int(x) for name in CUT for x in np.unique(np.frombuffer(tensors[name][2], "<i8"))}
    assert len(found) == 1, f"half of a commit is seen: {found}"
    return found.pop()


def test_what_is_read_and_saved_beside_writers_to_all_tasks_is_one_cut(s):
    writers, count, failed = 4, 5 if s.slow else 25, []
    s.restart()
    s.post("variables", [{"name": name, "device": f"/job:ps/task:{task}",
                          "initial_value": {"op": "zeros", "shape": [elements], "dtype": "int64"}}
                         for task, (name, elements) in enumerate(zip(CUT, CUT_ELEMENTS))]).expect(201)
    s.initialize()
    threads = [threading.Thread(target=write_cuts, args=(s, number, writers, count, failed)) for number in range(writers)]
    for thread in threads:
        thread.start()
    saved, seen = [], set()
    while any(thread.is_alive() for thread in threads):
        seen.add(is_one_cut(everything(s)))
        saved.append(f"cut-{len(saved)}")
        s.save(saved[-1])
        if len(saved) >= 100:
            break
    for thread in threads:
        thread.join()
    assert not failed, failed[0]
    for name in saved:
        is_one_cut(formats.safetensors_read(s.get(f"checkpoints/{name}:export?format=safetensors").expect(200).body)[0])
    assert len(seen) > 1, "nothing was written meanwhile"
