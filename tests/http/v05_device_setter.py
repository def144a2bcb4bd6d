"""A model's device, soft placement and placement: what TensorFlow's replica_device_setter does with every variable that is
made."""

import concurrent.futures

import formats
from placing import FLAGS, ROUND, bytes_by_task, device, devices, grown, make, model, place, state, train, zeros

np = formats.np

DEFAULTS = {"strategy": "round_robin", "load": "bytes", "ps_tasks": None, "cluster": None, "ps_device": "/job:ps",
            "worker_device": "/job:worker", "merge_devices": True, "ps_ops": ["Variable", "VariableV2"], "version": "1.0"}


# --- what a model says ---

def test_a_model_says_nothing_of_devices_unless_told(s):
    about = model(s)
    assert (about["device"], about["allow_soft_placement"], about["placement"], about["placement_state"]) == ("", False, None, None)
    assert make(s, zeros("a"), zeros("b", device="/cpu:0")) == ["", "/device:CPU:0"]


def test_a_placement_has_tensorflows_defaults_and_tells_all_of_it(s):
    assert place(s, {})["placement"] == DEFAULTS
    assert state(s) == {"tasks": 4, "next_task": 0}
    s.patch("", {"placement": {"strategy": "greedy", "ps_tasks": 2, "version": "1.15"}}).expect(200)
    about = model(s)["placement"]
    assert about["ps_ops"][:2] == ["Variable", "VariableV2"] and "VarHandleOp" in about["ps_ops"] and about["ps_tasks"] == 2
    assert state(s) == {"tasks": 2, "loads": [0, 0]}


def test_what_it_tells_may_be_put_again(s):
    cluster = {"ps": ["a:1", "b:2"], "worker": {"3": "c:3"}, "chief": 1}
    about = place(s, {"cluster": cluster, "strategy": "greedy"}, device="/cpu:0", allow_soft_placement=True)
    assert about["placement"]["cluster"] == {"ps": 2, "worker": 1, "chief": 1}
    assert about["device"] == "/device:CPU:0"
    again = s.put("", {field: about[field] for field in ("device", "allow_soft_placement", "placement")}).expect(200)
    assert again.revision == about["revision"]
    s.put("", {}).expect(200)


def test_putting_a_model_again_confirms_what_it_says_of_devices(s):
    place(s, ROUND, device="/job:ps")
    for fields, words in (({"device": "/job:worker"}, "exists with device '/job:ps', not '/job:worker'"),
                          ({"device": None}, "exists with device '/job:ps', not ''"),
                          ({"allow_soft_placement": True}, "allow_soft_placement false, not true"),
                          ({"placement": None}, "exists with a placement, not without one"),
                          ({"placement": {"ps_tasks": 4}}, "a placement of ps_tasks '3', not '4'"),
                          ({"placement": {"strategy": "greedy"}}, "a placement of strategy 'round_robin', not 'greedy'")):
        reply = s.put("", fields).expect(409)
        assert reply.code == "ALREADY_EXISTS" and words in reply.detail, reply
    s.put("", {"device": "job:ps", "allow_soft_placement": False, "placement": ROUND}).expect(200)


def test_patch_changes_it_and_another_placement_begins_with_nothing_drawn(s):
    place(s, ROUND)
    make(s, zeros("a"))
    before = model(s)["revision"]
    s.patch("", {"placement": ROUND}).expect(200)
    assert state(s)["next_task"] == 1, "the same placement goes on"
    s.patch("", {"placement": {**ROUND, "ps_tasks": 2}}).expect(200)
    assert state(s) == {"tasks": 2, "next_task": 0} and model(s)["revision"] > before
    s.patch("", {"placement": None, "device": "/job:ps/task:1", "allow_soft_placement": True}).expect(200)
    about = model(s)
    assert (about["placement"], about["device"], about["allow_soft_placement"]) == (None, "/job:ps/task:1", True)
    assert make(s, zeros("b")) == ["/job:ps/task:1"]
    assert device(s, "a") == "/job:ps/task:0", "what is there stays"
    s.patch("", {"device": ""}).expect(200)
    assert make(s, zeros("c")) == [""]
    assert s.patch("", {"placement": {}}, headers={"If-Match": '"1"'}).expect(412)


def test_what_is_no_placement_is_refused_by_its_field(s):
    s.model += "-none"
    for placement, words in (({"strategy": 5}, "ps_strategy must be callable"),
                             ({"strategy": "random"}, "ps_strategy must be callable"),
                             ({"strategy": None}, "ps_strategy must be callable"),
                             ({"load": "elements"}, "field 'placement.load' is one of bytes, ops"),
                             ({"version": "2.0"}, "field 'placement.version' is one of 1.0, 1.15"),
                             ({"ps_tasks": -1}, "field 'placement.ps_tasks' must be 0 to 1024, not -1"),
                             ({"ps_tasks": 1025}, "must be 0 to 1024"),
                             ({"ps_tasks": 1.5}, "placement.ps_tasks"),
                             ({"cluster": {"ps": "h:1"}}, "The tasks for job 'ps' must be a list or a dictionary"),
                             ({"cluster": 4}, "field 'placement.cluster': `cluster` must be a dictionary mapping one or more job names"),
                             ({"ps_device": "/bar:muu"}, "Unknown attribute: 'bar'"),
                             ({"worker_device": "/cpu:0/gpu:0"}, "Cannot specify multiple device types"),
                             ({"worker_device": 7}, "placement.worker_device"),
                             ({"ps_ops": ["a b"]}, "'a b' is not the type of an op"),
                             ({"ps_ops": "Variable"}, "placement.ps_ops"),
                             ({"ps_ops": ["x" * 60] * 20}, "more than 1023 bytes"),
                             ({"merge_devices": 1}, "placement.merge_devices"),
                             ({"ps_task": 4}, "ps_task"),
                             ("round_robin", "placement")):
        reply = s.put("", {"placement": placement}).expect(400)
        assert words in reply.detail, (placement, reply.detail)
    for fields in ({"device": "/cpu:x"}, {"device": 4}, {"allow_soft_placement": "yes"}):
        s.put("", fields).expect(400)
    s.get("").expect(404)


# --- creating ---

def test_variables_go_round_the_tasks_in_the_order_they_are_made(s):
    place(s, ROUND)
    assert make(s, *(zeros(f"v{i}") for i in range(7))) == [f"/job:ps/task:{i % 3}" for i in range(7)]
    assert state(s) == {"tasks": 3, "next_task": 1}
    s.restart()
    assert make(s, zeros("w")) == ["/job:ps/task:1"]


def test_without_tasks_given_they_are_the_servers(s):
    place(s, {})
    assert make(s, *(zeros(f"v{i}") for i in range(5))) == [f"/job:ps/task:{i % 4}" for i in range(5)]
    s.patch("", {"placement": {"ps_device": "/job:sun"}}).expect(200)
    assert state(s)["tasks"] == 0
    assert make(s, zeros("w")) == [""], "no such job: nothing is placed"


def test_the_servers_tasks_are_counted_when_a_variable_is_made(s):
    place(s, {})
    make(s, zeros("a"), zeros("b"), zeros("c"))
    s.server.flags[:] = ["--cluster", "ps=2"]
    try:
        s.restart()
        assert state(s) == {"tasks": 2, "next_task": 1}
        assert make(s, zeros("d"), zeros("e")) == ["/job:ps/task:1", "/job:ps/task:0"]
    finally:
        s.server.flags[:] = FLAGS
        s.restart()


def test_a_greedy_placement_weighs_bytes_or_ops(s):
    place(s, {"strategy": "greedy", "ps_tasks": 2})
    assert make(s, zeros("u", (2, 2)), zeros("v", (2, 1)), zeros("w", (2, 2)), zeros("x", (1, 3))) == \
        [f"/job:ps/task:{task}" for task in (0, 1, 1, 0)]
    assert state(s) == {"tasks": 2, "loads": [28, 24]}
    reply = s.post("variables", {"name": "open", "initial_value": 1.0, "validate_shape": False}).expect(400)
    assert "Shape <unknown> is not fully defined" in reply.detail and state(s)["loads"] == [28, 24]
    s.patch("", {"placement": {"strategy": "greedy", "ps_tasks": 2, "load": "ops"}}).expect(200)
    make(s, zeros("a", (9, 9)), zeros("b"), {"name": "open", "initial_value": 1.0, "validate_shape": False})
    assert state(s) == {"tasks": 2, "loads": [2, 1]}


def test_what_is_refused_draws_nothing(s):
    place(s, ROUND)
    s.post("variables", [zeros("a"), zeros("b"), zeros("a")]).expect(409)
    s.post("variables", zeros("a", device="/bar:1")).expect(400)
    s.post("variables", {"name": "c", "initial_value": {"variable": "nobody"}}).expect(404)
    s.post("variables", zeros("d"), headers={"If-Match": '"7"'}).expect(412)
    s.post(":run", {"ops": [{"op": "moving_averages", "average": "nobody"}], "dry_run": True})
    assert state(s)["next_task"] == 0 and devices(s) == {}


def test_a_repeated_request_draws_once(s):
    place(s, ROUND)
    key = {"Idempotency-Key": "once-" + s.model}
    first = s.post("variables", zeros("a"), headers=key).expect(201)
    again = s.post("variables", zeros("a"), headers=key).expect(201)
    assert first.json == again.json and again.headers.get("idempotency-replayed") == "true"
    assert state(s)["next_task"] == 1


def test_each_of_many_at_once_draws_once(s):
    place(s, {"ps_tasks": 5})
    clients = [s.another_client() for _ in range(5)]

    def some(number):
        for i in range(4):
            specs = [zeros(f"w{number}-{i}-{k}") for k in range(3)]
            clients[number].request("POST", s.path("variables"), specs).expect(201)

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(some, range(5)))
    counts = {}
    for text in devices(s).values():
        counts[text] = counts.get(text, 0) + 1
    assert counts == {f"/job:ps/task:{i}": 12 for i in range(5)}, counts
    assert state(s)["next_task"] == 0


def test_values_that_make_variables_place_them(s):
    place(s, ROUND)
    s.put("variables/a", {"dtype": "float32", "shape": [2], "data": [1, 2]}).expect(201)
    s.put_npy("b", np.arange(4, dtype="<f4"))
    s.put("variables/a", {"dtype": "float32", "shape": [2], "data": [3, 4]}).expect(200)
    assert devices(s) == {"a": "/job:ps/task:0", "b": "/job:ps/task:1"}
    s.put("values?create=true&format=safetensors", formats.safetensors_of({"c": np.zeros(2, "<f4"), "d": np.zeros(3, "<f4"),
                                                                        "a": np.zeros(2, "<f4")})).expect(200)
    got = devices(s)
    assert sorted((got["c"], got["d"])) == ["/job:ps/task:0", "/job:ps/task:2"] and got["a"] == "/job:ps/task:0", got
    assert state(s)["next_task"] == 1


def test_a_restore_that_makes_variables_places_them(s):
    place(s, ROUND)
    make(s, zeros("a"), zeros("b"))
    s.initialize()
    s.post("checkpoints", {"name": "c"}).expect(201)
    source, s.model = s.model, s.model + "-new"
    place(s, {"ps_tasks": 2, "ps_device": "/job:other"})
    body = {"checkpoint": {"model": source, "name": "c"}, "create": True}
    told = s.post(":restore", {**body, "dry_run": True}).expect(200).json
    refused = s.post(":restore", body).expect(400)
    assert told["refused"]["detail"] == refused.detail and told["created"] == ["a", "b"], told
    assert "Cannot assign a device to node 'a'" in refused.detail, "values are written where there is a task"
    assert state(s)["next_task"] == 0 and devices(s) == {}
    s.patch("", {"placement": {"ps_tasks": 2, "ps_device": "/job:worker"}}).expect(200)
    s.post(":restore", body).expect(200)
    assert sorted(devices(s).values()) == ["/job:worker/task:0", "/job:worker/task:1"]


def test_slots_that_a_restore_makes_are_where_their_variables_are(s):
    """As when a step makes them: of those that are there, and of those that come with them; divided likewise."""
    def keep():
        s.put("optimizers/adam", {"type": "adam"}).expect(201)
        s.put("moving_averages/ema", {"decay": 0.5}).expect(201)

    place(s, {})
    make(s, zeros("b"), zeros("a"), zeros("p", [6, 2], slicing=[3, 1]))
    keep()
    s.initialize()
    ones = {"op": "ones", "shape": [6, 2]}
    s.post("optimizers/adam:apply_gradients", {"gradients": {"a": [1, 1], "b": [1, 1], "p": ones}}).expect(200)
    s.post("moving_averages/ema:apply", {"variables": ["b", "p"]}).expect(200)
    s.save("c")
    source = s.model
    place(s, {})
    make(s, zeros("p", [6, 2], slicing=[3, 1]), zeros("b"))
    keep()
    s.post(":restore", {"checkpoint": {"model": source, "name": "c"}, "create": True}).expect(200)
    at = devices(s)
    assert (at["b"], at["a"]) == ("/job:ps/task:3", "/job:ps/task:0"), "slots and powers draw nothing"
    assert at["beta1_power"] == at["beta2_power"] == "/job:ps/task:0", "beside the first part of p, which was made first"
    for slot in ("Adam", "Adam_1"):
        assert (at[f"a/{slot}"], at[f"b/{slot}"]) == (at["a"], at["b"])
        assert s.info(f"p/{slot}")["partitions"]["slicing"] == [3, 1]
        assert [part["device"] for part in s.info(f"p/{slot}")["partitions"]["parts"]] == [f"/job:ps/task:{i}" for i in range(3)]
    assert at["b/ExponentialMovingAverage"] == at["b"] and s.info("p/ExponentialMovingAverage")["partitions"]["slicing"] == [3, 1]
    assert state(s)["next_task"] == 1
    s.post("optimizers/adam:apply_gradients", {"gradients": {"a": [1, 1], "b": [1, 1], "p": ones}}).expect(200)
    s.post("/v1:verify").expect(200)


def test_parts_of_a_partitioned_variable_draw_one_task_each(s):
    place(s, {"ps_tasks": 4})
    before = bytes_by_task(s)
    info = s.post("variables", zeros("p", (7, 3), slicing=[6, 1])).expect(201).json
    s.initialize()
    assert grown(before, bytes_by_task(s)) == [36, 24, 12, 12]
    parts = [part["device"] for part in s.info("p")["partitions"]["parts"]]
    assert parts == [f"/job:ps/task:{i % 4}" for i in range(6)], parts
    assert info["device"] == "/job:ps", "what they have in common"
    assert state(s)["next_task"] == 2
    info = s.post("variables", zeros("q", (4,), slicing=[2], device="/job:ps/task:3/cpu:0")).expect(201).json
    assert info["device"] == "/job:ps/task:3/device:CPU:0" and state(s)["next_task"] == 0


def test_greedy_parts_weigh_what_they_hold(s):
    place(s, {"strategy": "greedy", "ps_tasks": 2})
    s.post("variables", zeros("p", (5,), slicing=[2])).expect(201)
    assert state(s)["loads"] == [12, 8]


# --- what a run makes ---

def test_slots_and_powers_go_with_their_variables_and_draw_nothing(s):
    place(s, ROUND)
    make(s, zeros("a"), zeros("b"), zeros("c"))
    s.initialize()
    train(s, {"c": [1, 1], "b": [1, 1]})
    got = devices(s)
    assert got["c/Adam"] == got["c/Adam_1"] == got["c"] == "/job:ps/task:2"
    assert got["b/Adam"] == got["b"] == "/job:ps/task:1"
    assert got["beta1_power"] == got["beta2_power"] == "/job:ps/task:2", "beside the first of the list"
    assert state(s)["next_task"] == 0


def test_powers_of_1_15_are_beside_the_first_by_name(s):
    place(s, {**ROUND, "version": "1.15"})
    make(s, zeros("a"), zeros("b"), zeros("c"))
    s.initialize()
    train(s, {"c": [1, 1], "b": [1, 1]})
    assert devices(s)["beta1_power"] == "/job:ps/task:1"


def test_a_shadow_goes_with_its_variable_and_that_of_a_tensor_draws(s):
    place(s, ROUND)
    make(s, zeros("a"), zeros("b"))
    s.initialize()
    s.put("moving_averages/ema", {"decay": 0.5}).expect(201)
    s.post("moving_averages/ema:apply", {"variables": ["a"], "tensors": {"t": {"op": "multiply", "args": [{"variable": "a"}, 2]}}}).expect(200)
    got = devices(s)
    shadows = {name: where for name, where in got.items() if name.endswith("ExponentialMovingAverage")}
    assert shadows == {"a/ExponentialMovingAverage": "/job:ps/task:0", "t/ExponentialMovingAverage": "/job:ps/task:2"}, got
    assert state(s)["next_task"] == 0


def test_what_runs_make_at_once_draws_once_each(s):
    """Shadows of tensors are made by runs, beside variables that are made by requests of their own."""
    place(s, {"ps_tasks": 4})
    clients = [s.another_client() for _ in range(4)]
    for number in range(4):
        s.put(f"moving_averages/e{number}", {"decay": 0.5, "name": f"E{number}"}).expect(201)

    def some(number):
        for i in range(6):
            tensors = {f"t{number}-{i}-{k}": [1.0] * 300 for k in range(2)}
            clients[number].request("POST", s.path(f"moving_averages/e{number}:apply"), {"tensors": tensors}).expect(200)
            clients[number].request("POST", s.path("variables"), zeros(f"w{number}-{i}")).expect(201)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(4)))
    where = list(devices(s).values())
    assert len(where) == 4 * 6 * 3
    assert {text: where.count(text) for text in set(where)} == {f"/job:ps/task:{i}": 18 for i in range(4)}
    assert state(s)["next_task"] == 0


# --- asking ---

def test_where_an_op_of_a_model_would_go_can_be_asked_and_draws_nothing(s):
    place(s, ROUND, device="/cpu:0", allow_soft_placement=True)
    make(s, zeros("a"))

    def ask(**fields):
        return s.post("/v1/devices:place", {"model": s.model, **fields}).expect(200).json

    for _ in range(2):
        assert ask() == {"device": "/job:ps/task:1/device:CPU:0", "assigned_device": "/job:ps/replica:0/task:1/cpu:0"}
    assert ask(op="MatMul", assign=False)["device"] == "/job:worker/device:CPU:0"
    assert ask(device=[None, "/gpu:3"], assign=False)["device"] == "/device:GPU:3"
    assert ask(device="/gpu:3")["assigned_device"] == "/job:ps/replica:0/task:1/cpu:0", "the model places softly"
    s.post("/v1/devices:place", {"model": s.model, "device": "/gpu:3", "allow_soft_placement": False}).expect(400)
    s.post("/v1/devices:place", {"model": "nobody"}).expect(404)
    assert state(s)["next_task"] == 1
    assert make(s, zeros("b")) == ["/job:ps/task:1/device:CPU:0"]
