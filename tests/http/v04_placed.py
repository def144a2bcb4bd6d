"""Where variables are: what requests may say of it, what is told of it, finding them by it, and moving them."""

import formats
from every_write import NPY
from flipped import flip

np = formats.np

FLAGS = ("--cluster", "ps=4,worker=2")
PS = "/job:ps/replica:0/task:%d/cpu:0"


def devices(s, query=""):
    return {v["name"]: v["device"] for v in s.get("variables?page_size=1000" + query).expect(200).json["variables"]}


def made(s, name, device, **fields):
    """What is told of a new variable."""
    s.create(name, 1.0, **({} if device == "absent" else {"device": device}), **fields)
    return s.info(name)


def move(s, name, device, **headers):
    return s.patch(f"variables/{name}", {"device": device}, headers)


# --- what a request says ---

def test_every_form_of_a_device(s):
    for number, (form, text) in enumerate((
            ("absent", ""), ("", ""), (None, ""), ([], ""), ({}, ""),
            ("/cpu:0", "/device:CPU:0"), ("job:ps/task:3", "/job:ps/task:3"), ("/gpu:*", "/device:GPU:*"),
            ({"job": "ps", "task": 2}, "/job:ps/task:2"),
            ({"job": "ps", "replica": 0, "task": None, "device_type": "CPU", "device_index": 0}, "/job:ps/replica:0/device:CPU:0"),
            (["/job:ps/cpu:1", "/gpu:*"], "/job:ps/device:GPU:1"),
            (["/job:ps", {"task": 1}, "/cpu:0"], "/job:ps/task:1/device:CPU:0"),
            (["/job:ps/task:1", None, "/cpu:0"], "/device:CPU:0"))):
        assert made(s, f"v{number}", form)["device"] == text, form


def test_what_is_no_device_is_refused_in_tensorflows_words(s):
    for device, words in (("/job:muu/gpu:2/cpu:0", "Cannot specify multiple device types: /job:muu/gpu:2/cpu:0"),
                          ("/tpu:0", "Unknown attribute: 'tpu' in '/tpu:0'"),
                          ("/replica:foo", "invalid literal for int() with base 10: 'foo'"),
                          ("/task:99999999999", "device"), (5, "'device' must be"), (True, "'device' must be"),
                          ({"jobs": "ps"}, "jobs"), (["/job:ps", 7], "device[1]"), ([["/job:ps"]], "device[0]"),
                          (["/cpu:0"] * 17, "at most 16"), ("/job:" + "a" * 255, "device")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "v", "initial_value": 1, "device": device})
        s.refuses(400, "INVALID_ARGUMENT", words.replace("'device'", "'caching_device'"), "POST", "variables",
                  {"name": "v", "initial_value": 1, "caching_device": device})
    refused = s.post("variables", [{"name": "a", "initial_value": 1}, {"name": "b", "initial_value": 1, "device": "/x:1"}])
    assert refused.status == 400 and refused.json["failed_operation"] == 1 and s.names() == []


def test_a_device_that_is_not_there_is_no_reason_not_to_be_made(s):
    about = made(s, "v", "/job:ps/task:7/gpu:3")
    assert (about["device"], about["assigned_device"], about["initialized"]) == ("/job:ps/task:7/device:GPU:3", None, False)


def test_several_at_once_each_say_their_own(s):
    told = s.post("variables", [{"name": "a", "initial_value": 1, "device": "/job:ps/task:1"}, {"name": "b", "initial_value": 1},
                                {"name": "c", "initial_value": 1, "device": {"job": "worker"}}]).expect(201).json["variables"]
    assert [v["device"] for v in told] == ["/job:ps/task:1", "", "/job:worker"]
    assert [v["assigned_device"] for v in told] == [PS % 1, PS % 0, "/job:worker/replica:0/task:0/cpu:0"]


def test_one_made_of_a_tensor_has_its_device_in_the_query(s):
    body = formats.npy_write(np.arange(3, dtype="<f4"))
    s.request("PUT", "variables/v?device=/job:ps/task:2", body, NPY).expect(201)
    assert s.info("v")["device"] == "/job:ps/task:2" and s.info("v")["initialized"]
    s.request("PUT", "variables/v?device=/job:ps/task:3", body, NPY).expect(200)
    assert s.info("v")["device"] == "/job:ps/task:2"
    s.refuses(400, "INVALID_ARGUMENT", "Unknown attribute: 'x'", "PUT", "variables/w?device=/x:1", body, NPY)
    one = formats.safetensors_write({"m": ("float32", [1], b"\0\0\0\0"), "v": ("float32", [3], b"\0" * 12)})
    s.request("PUT", "values?create=true&device=/job:ps/task:1", one, {"Content-Type": "application/vnd.safetensors"}).expect(200)
    assert devices(s) == {"m": "/job:ps/task:1", "v": "/job:ps/task:2"}


# --- what is told ---

def test_where_it_is_in_this_process(s):
    for number, (device, assigned) in enumerate((("absent", PS % 0), ("/job:ps", PS % 0), ("/task:1", PS % 1), ("/job:ps/task:3", PS % 3),
                                                 ("/job:worker/cpu:0", "/job:worker/replica:0/task:0/cpu:0"), ("/cpu:1", None),
                                                 ("/gpu:0", None), ("/job:ps/task:4", None), ("/replica:1", None),
                                                 ("/job:a b", None))):
        assert made(s, f"v{number}", device)["assigned_device"] == assigned, device


def test_soft_placement_of_the_model_counts(s):
    """And what was remembered of the variable is not what it is now."""
    made(s, "v", "/job:ps/task:1/gpu:0")
    before = s.get("variables/v").expect(200)
    assert before.json["assigned_device"] is None
    s.patch("", {"allow_soft_placement": True}).expect(200)
    after = s.get("variables/v", headers={"If-None-Match": before.headers["etag"]}).expect(200)
    assert after.json["assigned_device"] == PS % 1 and after.json["revision"] == before.json["revision"]
    s.get("variables/v", headers={"If-None-Match": after.headers["etag"]}).expect(304)


def test_reads_may_be_kept_elsewhere(s):
    assert made(s, "n", "absent")["caching_device"] is None and made(s, "o", "absent", caching_device=None)["caching_device"] is None
    assert made(s, "c", "absent", caching_device="/job:foo")["caching_device"] == "/job:foo"
    inside = made(s, "i", "/job:ps/task:1/cpu:0", caching_device="/job:worker")
    assert (inside["device"], inside["caching_device"]) == ("/job:ps/task:1/device:CPU:0", "/job:worker/task:1/device:CPU:0")
    hidden = made(s, "h", "/job:ps/task:1/cpu:0", caching_device=[None, {"job": "worker"}])
    assert hidden["caching_device"] == "/job:worker"
    s.post(":initialize", {"variables": ["i"]}).expect(200)
    assert s.value("i") == 1.0


def test_a_model_is_around_its_variables(s):
    s.patch("", {"device": "/job:ps", "placement": {"ps_tasks": 4}}).expect(200)
    about = made(s, "v", "/cpu:0", caching_device="/gpu:1")
    assert (about["device"], about["caching_device"]) == ("/job:ps/task:0/device:CPU:0", "/job:worker/device:GPU:1")
    assert made(s, "n", None)["device"] == "" and made(s, "w", "absent")["device"] == "/job:ps/task:1"
    s.create("r", {"op": "random_normal", "shape": [2]}, device="/cpu:0")
    told = {n["name"]: n.get("device") for n in s.get("graph?page_size=1000").expect(200).json["nodes"]}
    assert told["r"] == told["r/Assign"] == told["r/read"] == "/job:ps/task:2/device:CPU:0"
    assert told["random_normal"] == told["random_normal/mul"] == "/job:worker/device:CPU:0"


def test_parts_say_where_each_is(s):
    s.create("w", {"op": "zeros", "shape": [4, 2]}, slicing=[2, 1], device="/job:ps/task:3")
    parts = s.info("w")["partitions"]["parts"]
    assert [(p["device"], p["assigned_device"]) for p in parts] == [("/job:ps/task:3", PS % 3)] * 2
    s.patch("", {"placement": {"ps_tasks": 3}}).expect(200)
    s.create("d", {"op": "zeros", "shape": [4, 2]}, slicing=[4, 1])
    about = s.info("d")
    assert [p["device"] for p in about["partitions"]["parts"]] == [f"/job:ps/task:{task}" for task in (0, 1, 2, 0)]
    assert [p["assigned_device"] for p in about["partitions"]["parts"]] == [PS % task for task in (0, 1, 2, 0)]
    assert about["device"] == "/job:ps"


# --- finding ---

def test_a_list_of_what_is_somewhere(s):
    for name, device in (("a", "/job:ps/task:0"), ("b", "/job:ps/task:1/cpu:0"), ("c", "/job:worker/task:1"), ("d", None),
                         ("e", "/cpu:0"), ("f", "/job:ps/gpu:*")):
        made(s, name, device)
    for query, names in (("/job:ps", "abf"), ("/task:1", "bc"), ("/job:ps/task:1", "b"), ("/cpu:*", "be"), ("/device:CPU:0", "be"),
                         ("/gpu:*", "f"), ("/job:worker/replica:0", ""), ("", "abcdef"), ("/job:p", "")):
        assert "".join(devices(s, "&device=" + query)) == names, query
    s.refuses(400, "INVALID_ARGUMENT", "query argument 'device': Unknown attribute: 'bar' in '/bar:1'", "GET", "variables?device=/bar:1")
    s.refuses(400, "INVALID_ARGUMENT", "device", "GET", "variables?device=/job:" + "a" * 300)


def test_what_has_a_part_somewhere_is_there(s):
    s.patch("", {"placement": {"ps_tasks": 3}}).expect(200)
    s.create("d", {"op": "zeros", "shape": [2, 2]}, slicing=[2, 1])
    assert [list(devices(s, f"&device=/job:ps/task:{task}")) for task in range(4)] == [["d"], ["d"], [], []]


# --- moving ---

def test_a_variable_goes_elsewhere_and_keeps_its_value(s):
    s.make("v", [1, 2, 3])
    before = s.info("v")
    moved = move(s, "v", "/job:ps/task:2").expect(200)
    assert (moved.json["device"], moved.json["assigned_device"]) == ("/job:ps/task:2", PS % 2)
    assert moved.json == s.info("v") and moved.headers["etag"] == s.get("variables/v").headers["etag"]
    assert moved.json["version"] == before["version"] and moved.json["revision"] == moved.revision > before["revision"]
    assert s.value("v") == [1, 2, 3]
    for form, text in ((["/job:worker", {"task": 1}], "/job:worker/task:1"), ("", ""), ("/job:ps/task:9", "/job:ps/task:9"), (None, "")):
        assert move(s, "v", form).expect(200).json["device"] == text
    changes = [c for c in s.get(f"changes?since={before['revision']}").expect(200).json["changes"] if c.get("variable", c.get("name")) == "v"]
    assert [c["event"] for c in changes] == ["variable.changed"] * 5, changes
    s.patch("variables/v", {"caching_device": "/job:worker"}).expect(200)
    assert s.info("v")["caching_device"] == "/job:worker"
    assert s.patch("variables/v", {"caching_device": None}).expect(200).json["caching_device"] is None


def test_moving_is_refused_as_other_writes_are(s):
    s.make("v", [1, 2, 3])
    s.refuses(404, "NOT_FOUND", "'w'", "PATCH", "variables/w", {"device": "/cpu:0"})
    s.refuses(400, "INVALID_ARGUMENT", "Unknown attribute: 'x'", "PATCH", "variables/v", {"device": "/x:0"})
    s.refuses(400, "INVALID_ARGUMENT", "trainable", "PATCH", "variables/v", {"trainable": False})
    s.refuses(412, "PRECONDITION_FAILED", "'v'", "PATCH", "variables/v", {"device": "/cpu:0"}, {"If-Match": '"r1"'})
    assert s.info("v")["device"] == ""
    tag = s.get("variables/v").headers["etag"]
    assert move(s, "v", "/cpu:0", **{"If-Match": tag}).expect(200).json["device"] == "/device:CPU:0"


def test_what_is_kept_for_it_goes_with_it(s):
    for name in ("v", "v2", "v/Momentum2", "u"):
        s.make(name, [1.0, 2.0])
    s.put("optimizers/m", {"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}).expect(201)
    s.put("optimizers/a", {"type": "adam"}).expect(201)
    s.put("moving_averages/e", {"decay": 0.5}).expect(201)
    for name in ("m", "a"):
        s.post(f"optimizers/{name}:apply_gradients", {"gradients": {"v": [1, 1], "v2": [1, 1]}}).expect(200)
    s.post("moving_averages/e:apply", {"variables": ["v", "u"]}).expect(200)
    before = {name: s.value(name) for name in s.names()}
    old = {name: s.info(name)["revision"] for name in s.names()}
    move(s, "v", "/job:ps/task:3").expect(200)
    gone = {"v", "v/Momentum", "v/Adam", "v/Adam_1", "v/ExponentialMovingAverage", "beta1_power", "beta2_power"}
    assert {name for name, device in devices(s).items() if device == "/job:ps/task:3"} == gone
    assert {name for name in s.names() if s.info(name)["revision"] != old[name]} == gone
    assert {name: s.value(name) for name in s.names()} == before
    s.post("optimizers/m:apply_gradients", {"gradients": {"v": [1, 1]}}).expect(200)
    move(s, "v/Momentum", "/job:ps/task:1").expect(200)
    assert devices(s)["v"] == "/job:ps/task:3" and devices(s)["v/Momentum"] == "/job:ps/task:1"


def test_powers_go_with_the_first_of_the_list_that_made_them(s):
    """As :place would have them; with what is kept for them."""
    there = "/job:ps/task:"
    for name in "zab":
        s.make(name, [1.0, 2.0])
    s.put("optimizers/adam", {"type": "adam"}).expect(201)
    s.post("optimizers/adam:apply_gradients", {"gradients": {"b": [1, 1], "z": [1, 1]}}).expect(200)
    s.post("optimizers/adam:apply_gradients", {"gradients": {"a": [1, 1], "b": [1, 1]}}).expect(200)
    s.put("moving_averages/e", {"decay": 0.5}).expect(201)
    s.post("moving_averages/e:apply", {"variables": ["beta1_power"]}).expect(200)
    powers = {"beta1_power", "beta1_power/ExponentialMovingAverage", "beta2_power"}
    move(s, "z", there + "0").expect(200)
    move(s, "a", there + "1").expect(200)
    assert set(devices(s, "&device=" + there + "0")) == {"z", "z/Adam", "z/Adam_1"}
    assert set(devices(s, "&device=" + there + "1")) == {"a", "a/Adam", "a/Adam_1"}
    move(s, "b", there + "2").expect(200)
    assert set(devices(s, "&device=" + there + "2")) == {"b", "b/Adam", "b/Adam_1"} | powers
    assert s.post(":place", {}).expect(200).json["moved"] == []
    s.put("optimizers/second", {"type": "adamax"}).expect(201)
    s.post("optimizers/second:apply_gradients", {"gradients": {"a": [1, 1], "z": [1, 1]}}).expect(200)
    assert s.info("beta1_power_1")["device"] == there + "1"
    move(s, "b", there + "3").expect(200)
    assert set(devices(s, "&device=" + there + "3")) == {"b", "b/Adam", "b/Adam_1"} | powers, "not those of the other one"
    assert s.post(":place", {}).expect(200).json["moved"] == []
    move(s, "a", "").expect(200)
    assert s.info("beta1_power_1")["device"] == "" != s.info("beta1_power")["device"]


def test_powers_that_lead_to_themselves(s):
    for name in ("beta1_power", "beta1_power/Adam", "beta1_power/Adam_1", "beta2_power"):
        s.create(name, {"op": "zeros", "shape": []}, trainable=False)
    move(s, "beta1_power", "/job:ps/task:3").expect(200)
    assert set(devices(s, "&device=/job:ps/task:3")) == {"beta1_power", "beta1_power/Adam", "beta1_power/Adam_1", "beta2_power"}


def test_a_slot_is_followed_by_its_average(s):
    s.make("v", [1.0])
    s.put("optimizers/m", {"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}).expect(201)
    s.put("moving_averages/e", {"decay": 0.5}).expect(201)
    s.post("optimizers/m:apply_gradients", {"gradients": {"v": [1]}}).expect(200)
    s.post("moving_averages/e:apply", {"variables": ["v/Momentum"]}).expect(200)
    move(s, "v", "/job:ps/task:2").expect(200)
    assert set(devices(s, "&device=/job:ps/task:2")) == {"v", "v/Momentum", "v/Momentum/ExponentialMovingAverage"}


def test_parts_go_together(s):
    s.patch("", {"placement": {"ps_tasks": 3}}).expect(200)
    s.create("d", {"op": "zeros", "shape": [3, 2]}, slicing=[3, 1])
    moved = move(s, "d", "/job:worker/task:1").expect(200).json
    assert [p["device"] for p in moved["partitions"]["parts"]] == ["/job:worker/task:1"] * 3


def test_a_pinned_variable_stays_where_it_was_moved_to(s):
    s.patch("", {"placement": {"ps_tasks": 2}}).expect(200)
    for name in "abc":
        made(s, name, "absent")
    move(s, "a", "/job:ps/task:3").expect(200)
    move(s, "b", None).expect(200)
    move(s, "c", "").expect(200)
    s.post(":place", {}).expect(200)
    assert devices(s)["a"] == "/job:ps/task:3" and devices(s)["b"] == "" and devices(s)["c"].startswith("/job:ps/task:")


# --- what stays ---

def test_all_of_it_outlives_the_process(s):
    s.patch("", {"placement": {"ps_tasks": 3}}).expect(200)
    made(s, "v", "/cpu:0", caching_device="/job:worker")
    s.create("d", {"op": "zeros", "shape": [3, 2]}, slicing=[3, 1])
    before = [s.info("v"), s.info("d")]
    s.restart()
    assert [s.info("v"), s.info("d")] == before
    s.delete("variables/d").expect(200)
    s.delete("variables/v").expect(200)


def test_damaged_devices_of_parts_are_told_and_go_with_the_variable(s):
    """As many as fit a record, and so many that they have chunks."""
    with s.other_server(*FLAGS) as t:
        for parts in (100, 1000):
            t.model = f"of-{parts}"
            t.put("", {"placement": {"ps_tasks": 4}}).expect(201)
            t.create("w", {"op": "zeros", "shape": [parts]}, slicing=[parts], device=f"/cpu:{parts}")
            t.make("other", 1.0)
            t.save("c", variables=["other"])
            t.stop()
            flip(t.server.data, f"/job:ps/task:0/device:CPU:{parts}\0/job:ps/task:1".encode(), copies=True)
            t.restart()
            listed = {v["name"]: v for v in t.get("variables").expect(200).json["variables"]}
            assert set(listed) == {"w", "other"} and listed["w"]["device"] == f"/job:ps/device:CPU:{parts}"
            assert "w" not in t.names("?device=/job:ps/task:3") and "w" in t.names("?device=/job:ps")
            told = t.info("w")["partitions"]["parts"]
            assert len(told) == parts and all(p["device"] is p["assigned_device"] is None for p in told)
            value = {"value": {"op": "ones", "shape": [parts]}}
            for path, body in (("variables/w:assign", value), (":initialize", {"variables": ["w"]}),
                               (":run", {"ops": [{"op": "assign", "variable": "w", **value}]}), (":place", {})):
                t.is_refusal(t.post(path, body), 500, "DATA_LOSS", ("variable 'w': the devices of a variable's parts", "damaged"))
            assert any("variable 'w'" in text for text in t.post("/v1:verify").expect(200).json["texts"])
            t.assign("other", 2.0)
            assert t.value("other") == 2.0
            if parts == 100:
                t.delete("variables/w").expect(200)
                assert t.post("/v1:verify").expect(200).json["ok"]
            t.delete("").expect(200)
            assert t.post("/v1:verify").expect(200).json["ok"]
