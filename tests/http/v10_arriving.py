"""Where variables go that come with their values, of a checkpoint or of a file: what is kept for another goes with that one, as
TensorFlow colocates slots, whether or not there is an optimizer yet; the others draw tasks as if it had not come."""

import random
import re

import formats

np = formats.np

FLAGS = ("--cluster", "ps=4")
ZEROS = np.zeros((2, 3), "<f4")
SCALAR = np.zeros((), "<f4")
EMA = "ExponentialMovingAverage"


def tasks(s):
    """The task of each variable; None where there is none, or where its parts are on several."""
    variables = s.get("variables?page_size=1000").expect(200).json["variables"]
    return {v["name"]: int(v["device"].rpartition("/task:")[2]) if "/task:" in v["device"] else None for v in variables}


def place(s, name="new", **fields):
    s.model = f"{s.model.partition('-')[0]}-{name}"
    s.put("", {"placement": {}, **fields}).expect(201)
    return s.model


def next_task(s):
    return s.get("").expect(200).json["placement_state"]["next_task"]


def come(s, names, shapes=None):
    """A checkpoint of a file of these tensors, restored into the model, which has none of them."""
    arrays = {name: np.zeros((shapes or {}).get(name, (2, 3)), "<f4") for name in names}
    s.put("checkpoints/file?format=safetensors&overwrite=true", formats.safetensors_of(arrays))
    s.restore("file", create=True)
    return tasks(s)


def nothing_moves(s):
    with s.unchanged():
        told = s.post(":place", {"dry_run": True}).expect(200).json
    assert told["moved_count"] == 0, told


def train(s, optimizer="adam", variables=("a", "b"), **fields):
    s.put(f"optimizers/{optimizer}", {"type": "adam", **fields})
    s.post(f"optimizers/{optimizer}:apply_gradients", {
        "gradients": {name: {"op": "ones", "shape": [2, 3]} for name in variables}}).expect(200)


def make(s, *names, **fields):
    s.post("variables", [{"name": name, "initial_value": {"op": "zeros", "shape": [2, 3]}, **fields} for name in names]).expect(201)
    s.initialize(variables=list(names))


# --- of this program ---


def test_a_model_restored_into_another_before_its_optimizer_is_there(s):
    make(s, "a", "b", "c")
    train(s, variables=("b", "a"))
    s.put("moving_averages/ema", {"decay": 0.5}).expect(201)
    s.post("moving_averages/ema:apply", {"variables": ["c"]}).expect(200)
    s.save("c")
    source, before = s.model, s.value("a/Adam")
    place(s)
    body = {"checkpoint": {"model": source, "name": "c"}, "create": True}
    s.post(":restore", body).expect(200)
    at = tasks(s)
    assert at == {"a": 0, "a/Adam": 0, "a/Adam_1": 0, "b": 1, "b/Adam": 1, "b/Adam_1": 1, "c": 2, f"c/{EMA}": 2,
                  "beta1_power": 0, "beta2_power": 0}, at
    assert next_task(s) == 3
    assert s.info("a/Adam")["trainable"] is False and s.value("a/Adam") == before
    nothing_moves(s)
    train(s)
    s.post(":place", {}).expect(200)
    assert tasks(s) == at
    s.post("/v1:verify").expect(200)


def test_names_that_were_given_are_known_from_the_model_they_come_from(s):
    make(s, "a", "b")
    train(s, "mine", name="Mine")
    s.put("moving_averages/ema", {"decay": 0.5, "name": "mean"}).expect(201)
    s.post("moving_averages/ema:apply", {"variables": ["b"]}).expect(200)
    s.save("c")
    source = s.model
    place(s)
    body = {"checkpoint": {"model": source, "name": "c"}, "create": True}
    s.post(":restore", body).expect(200)
    at = tasks(s)
    assert at == {"a": 0, "a/Mine": 0, "a/Mine_1": 0, "b": 1, "b/Mine": 1, "b/Mine_1": 1, "b/mean": 1,
                  "beta1_power": 0, "beta2_power": 0}, at
    train(s, "mine", name="Mine")
    s.put("moving_averages/ema", {"decay": 0.5, "name": "mean"}).expect(201)
    nothing_moves(s)
    s.model = source
    s.delete("moving_averages/ema").expect(200)
    s.delete("optimizers/mine").expect(200)
    place(s, "forgotten")
    s.post(":restore", body).expect(200)
    assert sorted(tasks(s).values()) == [0, 0, 0, 1, 1, 2, 2, 3, 3], "nothing says that these are slots"


def test_what_an_optimizer_left_is_still_kept_for_its_variables(s):
    """And moves with them, and is placed with them."""
    place(s)
    make(s, "a", "b")
    train(s)
    s.delete("optimizers/adam").expect(200)
    nothing_moves(s)
    assert tasks(s)["beta1_power"] == tasks(s)["a/Adam"] == 0
    s.patch("variables/b", {"device": "/job:ps/task:3"}).expect(200)
    at = tasks(s)
    assert [at[name] for name in ("b", "b/Adam", "b/Adam_1", "a", "a/Adam")] == [3, 3, 3, 0, 0], at


# --- of others ---


def test_a_file_of_tensorflows_names(s):
    place(s)
    at = come(s, ["w", "w/Adam", "w/Adam_1", "w/Adam_2", f"w/{EMA}", f"w/{EMA}/biased", f"w/{EMA}/local_step", "a/RMSProp",
                  "v", "v/Momentum", f"v/Momentum/{EMA}_1", "beta1_power", "beta2_power", "beta2_power_1", "global_step"],
              {name: () for name in ("beta1_power", "beta2_power", "beta2_power_1", "global_step", f"w/{EMA}/local_step")})
    drawn = [at[name] for name in ("a/RMSProp", "global_step", "v", "w")]
    assert drawn == [0, 1, 2, 3], "no variable a is here"
    assert next_task(s) == 0
    for name, task in at.items():
        if name.startswith("w/"):
            assert task == at["w"], name
        if name.startswith("v/"):
            assert task == at["v"], name
        if name.startswith("beta"):
            assert task == at["w"], name
        kept = name.startswith(("w/", "v/", "beta"))
        assert s.info(name)["trainable"] is not kept, name
        assert ("trainable_variables" in s.info(name)["collections"]) is not kept, name
    nothing_moves(s)


def test_names_that_are_like_a_slots(s):
    """Another shape, another number, another word: each a variable of its own. As in a file, so where they stand."""
    place(s)
    names = ["w", "w/Adam", "w/Adam_0", "w/Adam_01", "w/Adam_", "w/Adam_1x", "w/Adamant", "w/adam", "w/GradientDescent", "w/local_step",
             "w/biased", "w/beta1_power", "beta1_power", "beta1_powers", f"w/{EMA}/other", "beta2_power"]
    at = come(s, names, {"w/Adam": (3, 2), "beta1_power": (), "beta2_power": (1,)})
    order = sorted(names)
    assert [at[name] for name in order] == [i % 4 for i in range(len(order))], at
    nothing_moves(s)
    assert s.info("w/Adam")["trainable"] is True


def test_a_power_is_where_the_first_of_its_variables_is(s):
    """As it was made, or in 1.15 by name; of what is there and what comes."""
    for version, first in (("1.0", "z"), ("1.15", "a")):
        place(s, "power" + version.replace(".", ""), placement={"version": version})
        make(s, "z", "m")
        at = come(s, ["a", "a/Adam", "a/Adam_1", "z/Adam", "z/Adam_1", "beta1_power", "beta2_power"],
                  {"beta1_power": (), "beta2_power": ()})
        assert (at["z"], at["m"], at["a"]) == (0, 1, 2) and at["z/Adam"] == 0 and at["a/Adam"] == 2, at
        assert at["beta1_power"] == at["beta2_power"] == at[first], (version, at)
        nothing_moves(s)
    place(s, "there")
    make(s, "m", "z")
    train(s, variables=("z",))
    s.delete("optimizers/adam").expect(200)
    s.delete("variables/beta1_power").expect(200)
    assert come(s, ["beta1_power", "a"], {"beta1_power": ()})["beta1_power"] == 1, "of slots that are there"


def test_slots_of_a_divided_variable_are_divided(s):
    place(s)
    make(s, "p", slicing=[1, 3])
    at = come(s, ["p/Adam", "p/Adam_1", "q", f"p/Adam/{EMA}", "beta1_power"], {"beta1_power": ()})
    for name in ("p/Adam", "p/Adam_1", f"p/Adam/{EMA}"):
        parts = s.info(name)["partitions"]
        assert parts["slicing"] == [1, 3] and [part["device"] for part in parts["parts"]] == [f"/job:ps/task:{i}" for i in range(3)]
    assert (at["q"], at["beta1_power"]) == (3, 0)
    nothing_moves(s)
    s.post("/v1:verify").expect(200)


def test_powers_of_powers_come_to_an_end(s):
    place(s)
    at = come(s, ["beta1_power", "beta1_power/Adam", f"beta1_power/{EMA}", "beta1_power_1"],
              {name: () for name in ("beta1_power", "beta1_power/Adam", f"beta1_power/{EMA}", "beta1_power_1")})
    assert set(at.values()) == {0} and len(at) == 4, at


def test_maps_and_names_in_any_order(s):
    place(s)
    s.put("checkpoints/file?format=safetensors", formats.safetensors_of({f"old/{name}": ZEROS for name in ("w", "w/Adam", "x")}))
    s.restore("file", create=True, prefix_map={"old/": ""})
    assert tasks(s) == {"w": 0, "w/Adam": 0, "x": 1}
    place(s, "picked")
    s.put("checkpoints/file?format=safetensors", formats.safetensors_of({name: ZEROS for name in ("1", "2", "3")}))
    s.restore("file", create=True, variables={"1": "w/Adam", "2": "x", "3": "w"})
    assert tasks(s)["w"] == tasks(s)["w/Adam"] != tasks(s)["x"] and next_task(s) == 2


def test_values_of_a_file(s):
    place(s)
    names = ["w", "w/Adam", "w/Adam_1", "x", "beta1_power"]
    arrays = {name: SCALAR if name == "beta1_power" else ZEROS for name in names}
    s.put("values?create=true&format=safetensors", formats.safetensors_of(arrays)).expect(200)
    at = tasks(s)
    assert at["w"] == at["w/Adam"] == at["w/Adam_1"] == at["beta1_power"] and sorted((at["w"], at["x"])) == [0, 1], at
    assert s.info("w/Adam")["trainable"] is False and s.info("x")["trainable"] is True
    assert next_task(s) == 2
    npy = {"Content-Type": "application/x-npy"}
    s.put("variables/x%2FAdam", formats.npy_write(ZEROS), npy).expect(201)
    assert tasks(s)["x/Adam"] == 2 and s.info("x/Adam")["trainable"] is True, "it is said to be trained: no slot is"
    s.put("variables/x%2FAdam_1?trainable=false", formats.npy_write(ZEROS), npy).expect(201)
    assert tasks(s)["x/Adam_1"] == at["x"] and next_task(s) == 3


# --- by chance ---

SLOT = re.compile(r"(Adam|AdamW|Momentum|RMSProp)(_[1-9][0-9]*)?")
SHADOW = re.compile(EMA + r"(_[1-9][0-9]*)?")
POWERS = {"beta1_power": ("Adam", "AdamW"), "beta2_power": ("Adam", "AdamW")}


def primary_of(name, shapes):
    """The longest name that this one is kept for, by TensorFlow's names alone."""
    for at in range(len(name) - 1, 0, -1):
        if name[at] != "/" or name[:at] not in shapes:
            continue
        head, tail = name[:at], name[at + 1:]
        bias = tail in ("biased", "local_step") and any(SHADOW.fullmatch(head[i + 1:]) for i in range(1, len(head)) if head[i] == "/")
        shape = () if tail == "local_step" else shapes[head]
        if (SLOT.fullmatch(tail) or SHADOW.fullmatch(tail) or bias) and shapes[name] == shape:
            return head
    return None


def expected(there, coming, by_name, tasks):
    """Where all are: those of a model first, in their order, then those that come, by name."""
    shapes = {**there, **coming}
    order = list(there) + sorted(coming)
    primary = {name: primary_of(name, shapes) for name in coming}
    first = {}
    for name in coming:
        head = primary[name]
        slot = SLOT.fullmatch(name[len(head) + 1:]) if head else None
        if slot:
            first.setdefault(slot[1], set()).add(head)
    for name in coming:
        base = re.sub(r"_[1-9][0-9]*$", "", name) if name not in POWERS else name
        owners = set().union(*(first.get(kind, set()) for kind in POWERS.get(base, ())))
        if primary[name] is None and shapes[name] == () and owners:
            primary[name] = min(owners, key=None if by_name else order.index)
    at, drawn = {}, 0
    for name in order:
        if primary.get(name) is None:
            at[name], drawn = drawn % tasks, drawn + 1
    for name in sorted(coming):
        seen, each = set(), name
        while each is not None and each not in at and each not in seen:
            seen.add(each)
            each = primary.get(each)
        if each is None or each not in at:
            return None  # kept for itself in the end: tested apart
        at[name] = at[each]
    return at


def test_whatever_comes_is_where_the_twin_has_it_and_stays_there(s):
    rng = random.Random(5)
    heads = ["a", "b", "a/b", "z/w", "beta1_power", "beta2_power_1", "beta1_power_02"]
    tails = ["Adam", "Adam_1", "AdamW", "Momentum", "RMSProp_10", "Adam_01", "m", "biased", "local_step", EMA, EMA + "_2"]
    looked_at = 0
    for turn in range(60):
        by_name = rng.random() < 0.3
        place(s, f"chance{turn}", placement={"version": "1.15" if by_name else "1.0"})
        there = {name: rng.choice(((2, 3), ())) for name in rng.sample(heads[:4], rng.randrange(4))}
        if there:
            s.post("variables", [{"name": name, "initial_value": {"op": "zeros", "shape": list(shape)}}
                                 for name, shape in there.items()]).expect(201)
        names = set(rng.sample(heads, rng.randrange(1, len(heads))))
        for _ in range(rng.randrange(1, 20)):
            names.add(rng.choice(sorted(names | set(there))) + "/" + rng.choice(tails))
        coming = {name: () if rng.random() < 0.3 or "power" in name.partition("/")[0] else (2, 3) for name in names - set(there)}
        want = expected(there, coming, by_name, 4)
        if not coming or want is None:
            continue
        looked_at += 1
        got = come(s, coming, coming)
        assert got == want, (there, coming, got, want)
        nothing_moves(s)
    assert looked_at > 30, looked_at


# --- asked elsewhere ---


def warned(reply):
    return reply.headers.get("warning")


def warning(name, asked, device):
    return (f'199 tensorkeep "Tried to colocate assign with an op {name} that had a different device: {asked} vs {device}. '
            'Ignoring the device."')


def test_a_value_for_another_device_is_told(s):
    """It goes to where its variable is, as an assign does."""
    make(s, "v", device="/job:ps/task:1")
    npy, body = {"Content-Type": "application/x-npy"}, formats.npy_write(ZEROS)
    there = warning("v", "/job:ps/task:2", "/job:ps/task:1")
    assert warned(s.put("variables/v?device=/job:ps/task:2", body, npy).expect(200)) == there
    assert warned(s.put("variables/v?device=/task:2", {"data": [[0, 0, 0], [0, 0, 0]], "dtype": "float32"}).expect(200)) == \
        warning("v", "/task:2", "/job:ps/task:1")
    for device in ("", "/job:ps", "/task:1", "/cpu:0", "/job:ps/replica:0/task:1/cpu:0"):
        assert warned(s.put(f"variables/v?device={device}", body, npy).expect(200)) is None, device
    assert warned(s.put("variables/v", body, npy).expect(200)) is None
    assert warned(s.put("variables/n?device=/job:ps/task:2", body, npy).expect(201)) is None, "that is where it goes"
    assert s.info("v")["device"] == "/job:ps/task:1" and s.info("n")["device"] == "/job:ps/task:2"
    file = formats.safetensors_of({name: ZEROS for name in ("v", "n", "new", "v/Adam")})
    reply = s.put("values?create=true&format=safetensors&device=/job:ps/task:2", file).expect(200)
    assert warned(reply) == there + ", " + warning("v/Adam", "/job:ps/task:2", "/job:ps/task:1"), warned(reply)
    assert s.info("new")["device"] == "/job:ps/task:2" and s.info("v/Adam")["device"] == "/job:ps/task:1"
    s.patch("", {"device": "/job:ps/task:3"}).expect(200)
    assert warned(s.put("variables/v?device=/cpu:0", body, npy).expect(200)) == \
        warning("v", "/job:ps/task:3/device:CPU:0", "/job:ps/task:1"), "the model's scope is around the request's"
    assert warned(s.put("variables/v", body, npy).expect(200)) is None, "nothing was asked"


def test_a_replay_tells_it_again_and_many_are_counted(s):
    names = [f"v{i}" for i in range(20)]
    make(s, *names, device="/job:ps/task:1")
    file = formats.safetensors_of({name: ZEROS for name in names})
    first = s.put("values?format=safetensors&device=/task:0", file, {"Idempotency-Key": "k"}).expect(200)
    again = s.put("values?format=safetensors&device=/task:0", file, {"Idempotency-Key": "k"}).expect(200)
    assert again.headers["idempotency-replayed"] == "true" and warned(first) == warned(again)
    assert warned(first).count("Tried to colocate") == 8 and '"12 more were asked' in warned(first), warned(first)


# --- foreseen ---


def refused(s, **body):
    """What the restore is refused with, which its dry run has told, and changed nothing."""
    with s.unchanged():
        told = s.post("checkpoints/file:restore", {**body, "create": True, "dry_run": True}).expect(200).json
        reply = s.post("checkpoints/file:restore", {**body, "create": True})
    assert reply.status >= 400, str(reply)
    for field in ("type", "title", "status", "code", "detail"):
        assert told["refused"].get(field) == reply.json.get(field), (field, told["refused"], reply.json)
    return reply


def test_a_dry_run_foresees_devices_that_are_missing(s):
    place(s, placement={"ps_tasks": 6})
    arrays = {name: ZEROS for name in ("a", "b", "c", "d", "e", "e/Adam")}
    s.put("checkpoints/file?format=safetensors", formats.safetensors_of(arrays))
    assert "Cannot assign a device to node 'e'" in refused(s).detail and "'/job:ps/task:4'" in refused(s).detail
    assert s.get("").json["placement_state"]["next_task"] == 0
    s.restore("file", create=True, variables=["a", "b"])
    assert "Cannot assign a device to node 'e'" in refused(s).detail
    s.create("e", {"op": "zeros", "shape": [2, 3]}, device="/job:ps/task:9")
    assert "Cannot assign a device to node 'e/Adam'" in refused(s, variables=["e/Adam"]).detail
    assert "Cannot assign a device to node 'e'" in refused(s).detail
    s.patch("", {"placement": None, "device": "/gpu:0"}).expect(200)
    assert "Cannot assign a device to node 'c'" in refused(s, variables=["c"]).detail
    s.patch("", {"allow_soft_placement": True}).expect(200)
    told = s.post("checkpoints/file:restore", {"variables": ["c"], "create": True, "dry_run": True}).expect(200).json
    assert told["refused"] is None and told["created"] == ["c"], told


def test_a_dry_run_foresees_a_quota(s):
    place(s, quota={"variables": 1})
    s.put("checkpoints/file?format=safetensors", formats.safetensors_of({"a": ZEROS, "b": ZEROS}))
    assert "quota" in refused(s).detail
    s.patch("", {"quota": {"variables": None, "bytes": 60}}).expect(200)
    assert "quota" in refused(s).detail
    s.patch("", {"quota": {"bytes": 48 + 24}}).expect(200)
    assert "quota" in refused(s).detail
    s.restore("file", create=True, variables=["a"])
    s.restore("file", variables=["a"])
    assert sorted(tasks(s)) == ["a"]
