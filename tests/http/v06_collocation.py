"""What runs on a variable runs where the variable is: what is asked otherwise is ignored and told, and nothing runs on a
variable whose device nobody has."""

import every_write
import formats

np = formats.np

FLAGS = ["--cluster", "ps=2,worker=2"]
NOWHERE = "/job:ps/task:7"
WORDS = (f"Cannot assign a device to node 'v': Could not satisfy explicit device specification '{NOWHERE}' because no devices "
         "matching that specification are registered in this process; available devices: /job:ps/replica:0/task:0/cpu:0, "
         "/job:ps/replica:0/task:1/cpu:0, /job:worker/replica:0/task:0/cpu:0, /job:worker/replica:0/task:1/cpu:0",)
ONES = {"op": "ones", "shape": [4]}


def warning(operation, name, asked, device):
    return (f'199 tensorkeep "Tried to colocate {operation} with an op {name} that had a different device: {asked} vs {device}. '
            'Ignoring the device."')


def warned(reply):
    return reply.headers.get("warning")


def make(s, name="v", device="/job:ps/task:1", value=None, **fields):
    s.create(name, {"op": "zeros", "shape": [4]} if value is None else value, device=device, **fields)
    s.initialize(variables=[name])


def strand(s, name="v", **fields):
    """A variable with a value, on a task that is there no more: its device is that of another server's cluster."""
    s.create(name, {"op": "zeros", "shape": [4]}, device=NOWHERE, **fields)
    s.restart("--cluster", "ps=8")
    s.initialize(variables=[name])
    s.restart("--cluster", "ps=2,worker=2")


# --- following ---


def test_an_operation_that_is_asked_elsewhere_follows_its_variable(s):
    """kernel_tests/variables_test.py testColocation: v on /job:ps, the assign under /job:worker/task:7."""
    s.create("v", 0, device="/job:ps")
    s.initialize()
    reply = s.post("variables/v:assign", {"value": 1, "device": "/job:worker/task:7"}).expect(200)
    assert warned(reply) == warning("assign", "v", "/job:worker/task:7", "/job:ps"), warned(reply)
    assert s.value("v") == 1 and s.info("v")["device"] == "/job:ps"


def test_every_operation_on_a_variable_says_it(s):
    make(s)
    make(s, "n", value={"op": "constant", "value": 1, "dtype": "int32"})
    asked = {"device": "/job:worker"}
    rows = {"indices": [0, 1], "updates": [1.0, 1.0]}
    nd = {"indices": [[0], [1]], "updates": [1.0, 1.0]}
    operations = {"assign": {"value": ONES}, "assign_add": {"value": ONES}, "assign_sub": {"value": ONES},
                  "assign_moving_average": {"value": ONES, "decay": 0.5}, "initialize": {},
                  **{f"scatter_{each}": rows for each in ("update", "add", "sub", "mul", "div", "min", "max")},
                  **{f"scatter_nd_{each}": nd for each in ("update", "add", "sub")}}
    for operation, fields in operations.items():
        reply = s.post(f"variables/v:{operation}", {**fields, **asked}).expect(200)
        assert warned(reply) == warning(operation, "v", "/job:worker", "/job:ps/task:1"), f"{operation}: {warned(reply)}"
        assert warned(s.post(f"variables/v:{operation}", fields).expect(200)) is None
        assert warned(s.post(f"variables/v:{operation}", {**fields, "device": "/job:ps"}).expect(200)) is None, operation
    reply = s.post("variables/n:count_up_to", {"limit": 9, **asked}).expect(200)
    assert warned(reply) == warning("count_up_to", "n", "/job:worker", "/job:ps/task:1")
    reply = s.post("variables/v:assign", {"value": [1], "slice": "0:1", **asked}).expect(200)
    assert warned(reply) == warning("assign", "v", "/job:worker", "/job:ps/task:1")


def test_no_warning_where_it_runs_where_it_was_asked_to(s):
    make(s)
    make(s, "none", device="")
    for device in ("", None, [], "/job:ps", "/task:1", "/cpu:0", "/device:CPU:*", "/job:ps/replica:0/task:1/cpu:0",
                   {"job": "ps"}, {"device_type": "cpu", "device_index": 0}, ["/job:worker", None],
                   ["/job:worker/task:0", {"job": "ps", "task": 1}], {}, {"job": None}, "/job:*"):
        reply = s.post("variables/v:assign_add", {"value": ONES, "device": device}).expect(200)
        assert warned(reply) is None, f"{device}: {warned(reply)}"
    assert warned(s.post("variables/none:assign", {"value": ONES, "device": "/job:ps/task:0"}).expect(200)) is None
    reply = s.post("variables/none:assign", {"value": ONES, "device": "/task:1"}).expect(200)
    assert warned(reply) == warning("assign", "none", "/task:1", "/job:ps/replica:0/task:0/cpu:0")


def test_scopes_of_a_run_nest(s):
    make(s)
    add = {"op": "assign_add", "variable": "v", "value": ONES}

    def run(outer, *inner):
        ops = [{**add, "device": device} if device != "absent" else add for device in inner]
        body = {"ops": ops} if outer == "absent" else {"ops": ops, "device": outer}
        return warned(s.post(":run", body).expect(200))

    assert run("absent", "absent") is None
    assert run("/job:ps", "/task:1") is None
    assert run("/job:ps", "/task:0") == warning("assign_add", "v", "/job:ps/task:0", "/job:ps/task:1")
    assert run("/job:worker", "absent") == warning("assign_add", "v", "/job:worker", "/job:ps/task:1")
    assert run("/job:worker", None) is None
    assert run("/job:worker", None, "/job:ps") is None
    assert run("/job:worker/cpu:0", [None, "/task:1"]) is None
    assert run(["/job:worker", "/task:1"], "/gpu:*") == \
        warning("assign_add", "v", "/job:worker/task:1/device:GPU:*", "/job:ps/task:1")
    both = warning("assign_add", "v", "/job:worker", "/job:ps/task:1") + ", " + \
        warning("assign_add", "v", "/job:worker/task:0", "/job:ps/task:1")
    assert run("/job:worker", "absent", "/task:0") == both
    assert s.value("v") == [11] * 4


def test_the_models_scope_is_around_the_requests(s):
    s.patch("", {"device": "/job:ps"}).expect(200)
    make(s, device="/task:1")
    assert s.info("v")["device"] == "/job:ps/task:1"
    reply = s.post("variables/v:assign", {"value": ONES, "device": "/task:0"}).expect(200)
    assert warned(reply) == warning("assign", "v", "/job:ps/task:0", "/job:ps/task:1")
    assert warned(s.post("variables/v:assign", {"value": ONES, "device": "/task:1"}).expect(200)) is None
    reply = s.post("variables/v:assign", {"value": ONES, "device": [None, "/task:0"]}).expect(200)
    assert warned(reply) == warning("assign", "v", "/task:0", "/job:ps/task:1")
    s.create("other", 1.0, device="/job:worker")
    assert warned(s.post("variables/other:initialize", {}).expect(200)) is None, "nothing was asked"


def test_initializing_many(s):
    for name, device in (("a", "/job:ps/task:0"), ("b", "/job:ps/task:1"), ("c", "/job:worker")):
        s.create(name, 1.0, device=device)
    reply = s.post(":initialize", {"device": "/job:ps/task:1"}).expect(200)
    assert warned(reply) == ", ".join(warning("initialize", name, "/job:ps/task:1", device)
                                      for name, device in (("a", "/job:ps/task:0"), ("c", "/job:worker")))
    assert warned(s.post("variables/a:initialize", {"device": "/job:ps/task:1"}).expect(200)) == \
        warning("initialize", "a", "/job:ps/task:1", "/job:ps/task:0")


def test_an_optimizer_says_it_of_what_it_trains(s):
    """Slots and powers are kept for it, and are no matter of the client's."""
    make(s)
    make(s, "w", device="/job:worker")
    make(s, "step", device="/job:ps/task:0", value={"op": "constant", "value": 0, "dtype": "int64"})
    s.put("optimizers/adam", {"type": "adam"}).expect(201)
    at = "/job:ps/task:1"
    told = ", ".join(warning("apply_gradients", name, at, device) for name, device in
                     (("step", "/job:ps/task:0"), ("w", "/job:worker")))
    body = {"gradients": {"v": ONES, "w": ONES}, "global_step": "step", "device": at}
    assert warned(s.post("optimizers/adam:apply_gradients", body).expect(200)) == told
    assert s.info("v/Adam")["device"] == at and s.info("w/Adam")["device"] == "/job:worker"
    reply = s.post("optimizers/adam:create_slots", {"variables": ["v", "w"], "device": at}).expect(200)
    assert warned(reply) == warning("create_slots", "w", at, "/job:worker")
    gradients = formats.safetensors_of({"w": np.ones(4, np.float32)})
    headers = {"Content-Type": "application/vnd.safetensors"}
    reply = s.post(f"optimizers/adam:apply_gradients?device={at}", gradients, headers).expect(200)
    assert warned(reply) == warning("apply_gradients", "w", at, "/job:worker")
    s.refuses(400, "INVALID_ARGUMENT", "Unknown attribute: 'jobs' in '/jobs:ps'", "POST",
              "optimizers/adam:apply_gradients?device=/jobs:ps", gradients, headers)


def test_averages_and_accumulators(s):
    make(s)
    s.put("moving_averages/ema", {"decay": 0.5}).expect(201)
    body = {"variables": ["v"], "device": "/job:worker"}
    shadow = "v/ExponentialMovingAverage"
    for verb, operation in (("create_slots", "create_average_slots"), ("apply", "apply_moving_averages")):
        if verb == "apply":
            s.initialize()
        reply = s.post(f"moving_averages/ema:{verb}", body).expect(200)
        assert warned(reply) == warning(operation, shadow, "/job:worker", "/job:ps/task:1"), warned(reply)
    assert s.info(shadow)["device"] == "/job:ps/task:1"
    s.put("accumulators/a", {"dtype": "float32", "shape": [4]}).expect(201)
    home = "/job:ps/replica:0/task:0/cpu:0"
    reply = s.post("accumulators/a:apply_grad", {"gradient": ONES, "local_step": 0, "device": "/job:worker"}).expect(200)
    assert warned(reply) == warning("apply_grad", "a", "/job:worker", home), warned(reply)
    reply = s.post("accumulators/a:set_global_step", {"step": 0, "device": "/task:1"}).expect(200)
    assert warned(reply) == warning("set_global_step", "a", "/task:1", home)
    reply = s.post("accumulators/a:take_grad", {"num_required": 1, "device": "/job:ps"}).expect(200)
    assert warned(reply) is None


# --- the field ---


def test_what_is_no_device_is_refused(s):
    make(s)
    for device, words in (("/bar:muu/baz:2", "Unknown attribute: 'bar' in '/bar:muu/baz:2'"),
                          ("/task:x", "invalid literal for int() with base 10: 'x'"),
                          ("/cpu:0/gpu:0", "Cannot specify multiple device types: /cpu:0/gpu:0"),
                          (7, "must be a device"), (True, "must be a device"), ([["/cpu:0"]], "must be a device"),
                          ({"jobs": "ps"}, "jobs"), ({"task": "x"}, "task"), ("/job:" + "x" * 300, "255"),
                          (["/cpu:0"] * 17, "16"), (["/job:" + "x" * 200, "/device:" + "y" * 100 + ":0"], "255")):
        s.refuses(400, "INVALID_ARGUMENT", (words, "device"), "POST", "variables/v:assign", {"value": ONES, "device": device})
        s.refuses(400, "INVALID_ARGUMENT", (words, "device"), "POST", ":run", {
            "ops": [{"op": "assign", "variable": "v", "value": ONES, "device": device}]})
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", ":run", {
            "ops": [{"op": "assign", "variable": "v", "value": ONES}], "device": device})
    s.refuses(400, "INVALID_ARGUMENT", "device", "POST", "checkpoints", {"name": "c", "device": "/cpu:0"})
    s.refuses(400, "INVALID_ARGUMENT", "device", "POST", "variables/v:gather", {"indices": [0], "device": "/cpu:0"})


def test_no_text_gets_out_of_its_quotes(s):
    make(s)
    evil = '/job:a"b\\c, 199 other "x'
    reply = s.post("variables/v:assign", {"value": ONES, "device": evil}).expect(200)
    assert warned(reply) == '199 tensorkeep "Tried to colocate assign with an op v that had a different device: ' \
        '/job:a\\"b\\\\c, 199 other \\"x vs /job:ps/task:1. Ignoring the device."', warned(reply)
    for text in ("/job:a\r\nX-Evil", "/job:\u00e9\u4e2d", "/job:\u007f\u0001"):
        reply = s.post("variables/v:assign", {"value": ONES, "device": text})
        assert "x-evil" not in reply.headers and reply.status == 200, str(reply)
        field = warned(reply)
        assert field.isascii() and field.isprintable() and "?" in field, field


def test_many_warnings_are_counted(s):
    names = [f"{'n' * 200}{i:03}" for i in range(40)]
    s.post("variables", [{"name": name, "initial_value": 1.0, "device": "/job:ps"} for name in names]).expect(201)
    reply = s.post(":initialize", {"device": "/job:" + "w" * 200}).expect(200)
    field = warned(reply)
    told = field.count("Tried to colocate")
    assert 1 <= told <= 8 and len(field) <= 2048, len(field)
    assert f'199 tensorkeep "{40 - told} more were asked to run on another device than what they change is on."' in field
    s.post("variables", [{"name": f"s{i}", "initial_value": 1.0, "device": "/job:ps"} for i in range(9)]).expect(201)
    field = warned(s.post(":initialize", {"prefix": "s", "device": "/job:w"}).expect(200))
    assert field.count("Tried to colocate") == 8 and '"1 more ' in field


def test_a_replay_tells_it_again(s):
    make(s)
    body = {"value": ONES, "device": "/job:worker"}
    first = s.post("variables/v:assign_add", body, {"Idempotency-Key": "k"}).expect(200)
    again = s.post("variables/v:assign_add", body, {"Idempotency-Key": "k"}).expect(200)
    assert again.headers["idempotency-replayed"] == "true" and s.value("v") == [1] * 4
    assert warned(first) == warned(again) == warning("assign_add", "v", "/job:worker", "/job:ps/task:1")
    s.restart()
    again = s.post("variables/v:assign_add", body, {"Idempotency-Key": "k"}).expect(200)
    assert warned(again) == warned(first)
    other = {"value": ONES, "device": "/job:ps"}
    s.refuses(422, "UNPROCESSABLE", "Idempotency-Key", "POST", "variables/v:assign_add", other, {"Idempotency-Key": "k"})


def test_a_dry_run_tells_it_too(s):
    make(s)
    ops = [{"op": "assign_add", "variable": "v", "value": ONES}]
    with s.unchanged():
        reply = s.post(":run", {"ops": ops, "device": "/job:worker", "dry_run": True}).expect(200)
    assert warned(reply) == warning("assign_add", "v", "/job:worker", "/job:ps/task:1")


def test_pages_of_other_origins_may_read_it(s):
    with s.other_server("--cors-origins", "https://lab.example") as other:
        reply = other.get("", {"Origin": "https://lab.example"})
        assert "Warning" in reply.headers["access-control-expose-headers"].split(", ")


# --- nowhere ---


def test_a_variable_may_be_made_for_a_device_that_nobody_has(s):
    """And deleted, saved, shown: nothing of it runs."""
    s.create("v", {"op": "zeros", "shape": [4]}, device=NOWHERE)
    assert s.info("v")["device"] == NOWHERE
    s.refuses(400, "INVALID_ARGUMENT", WORDS, "POST", "variables/v:initialize", {})
    s.delete("variables/v").expect(200)


def test_nothing_runs_on_it(s):
    strand(s)
    make(s, "w")
    s.put("optimizers/adam", {"type": "adam"}).expect(201)
    s.put("moving_averages/ema", {"decay": 0.5}).expect(201)
    assert s.value("v") == [0] * 4
    rows = {"indices": [0], "updates": [1.0]}
    requests = [(f"variables/v:{each}", {"value": ONES}) for each in ("assign", "assign_add", "assign_sub")]
    requests += [("variables/v:assign", {"value": [1], "slice": "0:1"}), ("variables/v:scatter_add", rows),
                 ("variables/v:scatter_nd_add", {"indices": [[0]], "updates": [1.0]}), (":initialize", {}),
                 ("variables/v:assign_moving_average", {"value": ONES, "decay": 0.5}), ("variables/v:initialize", {}),
                 (":initialize", {"variables": ["w", "v"]}), (":initialize", {"prefix": "v"}),
                 ("optimizers/adam:apply_gradients", {"gradients": {"w": ONES, "v": ONES}}),
                 ("optimizers/adam:apply_gradients", {"gradients": {"v": ONES}, "accumulate": {"replicas": 2, "key": "k"}})]
    for path, body in requests:
        s.refuses(400, "INVALID_ARGUMENT", WORDS, "POST", path, body)
        told = s.post(path, body).json
        assert told["variable"] == "v", f"{path}: {told}"
    for dry in (False, True):
        ops = [{"op": "assign_add", "variable": "w", "value": ONES}, {"op": "assign", "variable": "v", "value": ONES}]
        reply = s.refuses(400, "INVALID_ARGUMENT", WORDS, "POST", ":run", {"ops": ops, "dry_run": dry})
        assert reply.json["failed_operation"] == 1
    s.refuses(400, "INVALID_ARGUMENT", WORDS, "POST", ":run",
              {"ops": [{"op": "assign", "variable": "v", "value": ONES, "device": "/job:ps/task:0"}]})
    npy = formats.npy_write(np.ones(4, np.float32))
    for path in ("variables/v:value", "variables/v", "variables/v:value?slice=0:4"):
        s.refuses(400, "INVALID_ARGUMENT", WORDS, "PUT", path, npy, {"Content-Type": "application/x-npy"})
    s.refuses(400, "INVALID_ARGUMENT", WORDS, "PUT", "values", formats.safetensors_of({"v": np.ones(4, np.float32)}),
              {"Content-Type": "application/vnd.safetensors"})
    assert s.value("v") == [0] * 4


def test_what_was_written_there_can_be_taken_from_there(s):
    strand(s)
    make(s, "w")
    s.assign("w", {"op": "add", "args": [{"variable": "v"}, 1.0]})
    assert s.value("w") == [1] * 4 and s.value("v") == [0] * 4
    fetched = s.post(":run", {"fetches": {"v": {"variable": "v"}}}).expect(200).json["fetches"]["v"]
    assert fetched["data"] == [0] * 4
    assert "4" in str(s.get("variables/v:stats").expect(200).json)
    assert s.post("variables/v:gather", {"indices": [0]}).expect(200).json["data"] == [0]
    assert s.get("variables/v:preview?format=json").status == 200
    s.save("c")
    assert s.get("checkpoints/c:export?format=safetensors").status == 200
    assert s.get("values").status == 200
    s.create("x", {"initialized_value": "v"})
    s.initialize(variables=["x"])
    assert s.value("x") == [0] * 4
    s.post("/v1:verify").expect(200)
    s.delete("variables/v").expect(200)


def test_an_average_follows_what_it_reads_and_is_where_that_is(s):
    """Its shadow is on its variable's device, which is not there: the update of the shadow is refused, not the variable's."""
    strand(s)
    s.put("moving_averages/ema", {"decay": 0.5}).expect(201)
    s.post("moving_averages/ema:create_slots", {"variables": ["v"]}).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "Cannot assign a device to node 'v/ExponentialMovingAverage'", "POST",
              "moving_averages/ema:apply", {"variables": ["v"]})


def test_a_restore_needs_the_devices_of_what_it_restores(s):
    strand(s)
    make(s, "w")
    s.save("c")
    s.assign("w", ONES)
    for path, body in (("checkpoints/c:restore", {}), ("checkpoints/c:restore", {"variables": ["v"]}),
                       (":restore", {"checkpoint": {"name": "c"}})):
        s.refuses(400, "INVALID_ARGUMENT", WORDS, "POST", path, body)
    assert s.value("w") == [1] * 4
    with s.unchanged():
        told = s.post("checkpoints/c:restore", {"dry_run": True}).expect(200).json
    assert WORDS[0] in str(told), told
    assert sorted(told["restored"]) == ["v", "w"], told
    s.restore("c", variables=["w"])
    assert s.value("w") == [0] * 4
    s.delete("variables/v").expect(200)
    s.restore("c", create=True)
    assert s.value("v") == [0] * 4


def test_a_type_of_devices_that_is_not_built_in(s):
    s.create("g", 1.0, device="/device:GPU:0")
    s.refuses(400, "INVALID_ARGUMENT", "Could not satisfy explicit device specification '/device:GPU:0' because no devices "
              "matching that specification are registered in this process", "POST", "variables/g:initialize", {})


def test_soft_placement_lets_it_run(s):
    s.patch("", {"allow_soft_placement": True}).expect(200)
    s.create("g", 1.0, device="/job:ps/task:1/gpu:0")
    assert warned(s.post("variables/g:initialize", {"device": "/gpu:0"}).expect(200)) is None
    assert warned(s.post("variables/g:assign", {"value": 2.0, "device": "/job:ps/task:1/cpu:0"}).expect(200)) is None
    reply = s.post("variables/g:assign", {"value": 2.0, "device": "/task:0"}).expect(200)
    assert warned(reply) == warning("assign", "g", "/task:0", "/job:ps/task:1/device:GPU:0")
    s.create("h", 1.0, device="/job:ps/task:5/gpu:0")
    s.refuses(400, "INVALID_ARGUMENT", "Cannot assign a device to node 'h'", "POST", "variables/h:initialize", {})
    s.put_npy("g", np.float32(3))
    assert s.value("g") == 3
    s.save("c", variables=["g"])
    s.restore("c")
    s.patch("", {"allow_soft_placement": False}).expect(200)
    s.refuses(400, "INVALID_ARGUMENT", "Cannot assign a device to node 'g'", "POST", "variables/g:assign", {"value": 1.0})
    s.refuses(400, "INVALID_ARGUMENT", "Cannot assign a device to node 'g'", "POST", "checkpoints/c:restore", {})
    assert s.value("g") == 3


def test_every_part_of_a_divided_variable_needs_a_device(s):
    s.restart("--cluster", "ps=4,worker=2")
    s.patch("", {"placement": {"strategy": "round_robin", "ps_tasks": 4}}).expect(200)
    s.create("v", {"op": "zeros", "shape": [4]}, slicing=[4])
    s.initialize()
    s.assign("v", ONES)
    s.save("c")
    s.restart("--cluster", "ps=2,worker=2")
    words = "Cannot assign a device to node 'v': Could not satisfy explicit device specification '/job:ps/task:2"
    npy = formats.npy_write(np.zeros(4, np.float32))
    for method, path, body, headers in (
            ("POST", "variables/v:assign", {"value": ONES}, None), ("POST", "checkpoints/c:restore", {}, None),
            ("PUT", "variables/v:value", npy, {"Content-Type": "application/x-npy"}),
            ("PUT", "variables/v:value?slice=0:4", npy, {"Content-Type": "application/x-npy"})):
        s.refuses(400, "INVALID_ARGUMENT", words, method, path, body, headers)
    assert s.value("v") == [1] * 4
    s.delete("variables/v").expect(200)
