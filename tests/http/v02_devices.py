"""Device specifications and what devices there are: how TensorFlow reads, merges and prints them, and where its placer puts a variable."""

import itertools
import os
import random

import device_model

CPU = "/job:localhost/replica:0/task:0/cpu:0"
GPU = "/job:localhost/replica:0/task:0/gpu:0"
NODE = "Cannot assign a device to node 'v': "
ABSENT = object()


def placed(s, device=ABSENT, **fields):
    fields = {key: value for key, value in fields.items() if value is not None}
    with s.unchanged():
        if device is not ABSENT:
            fields["device"] = device
        return s.post("/v1/devices:place", fields).expect(200).json


def canonical(s, device):
    reply = placed(s, device, assign=False)
    assert set(reply) == {"device", "assigned_device"} and reply["assigned_device"] is None
    return reply["device"]


def assigned(s, device, *available, **fields):
    return placed(s, device, available=list(available) or None, **fields)["assigned_device"]


def refuses(s, words, **body):
    """The detail is these words, no more and no less, after a field's name if it has one."""
    reply = s.refuses(400, "INVALID_ARGUMENT", words, "POST", "/v1/devices:place", body)
    assert reply.detail.endswith(words), f"expected ‘{words}’, got ‘{reply.detail}’"
    return reply.detail


def test_there_is_a_cpu_unless_it_is_told_otherwise(s):
    told = s.get("/v1/devices").expect(200).json
    (device,) = told["devices"]
    assert device.pop("threads") >= 1
    assert device.pop("blas_threads") >= 1
    assert device == {"name": CPU, "type": "CPU", "job": "localhost", "replica": 0, "task": 0, "index": 0}
    kinds = {kind["type"]: kind for kind in told["kinds"]}
    assert kinds["CPU"]["devices"] == 1 and "string" in kinds["CPU"]["dtypes"] and "qint8" in kinds["CPU"]["dtypes"]
    assert kinds["GPU"]["devices"] == 0 and kinds["GPU"]["dtypes"] == ["float16", "float32", "float64"]
    assert kinds["GPU"]["priority"] > kinds["CPU"]["priority"]
    assert s.get("/v1").json["devices"] == [{"name": CPU, "type": "CPU"}]
    s.refuses(400, "INVALID_ARGUMENT", "x", "GET", "/v1/devices?x=1")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "/v1/devices", {})
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "GET", "/v1/devices:place")


def test_every_task_of_a_cluster_has_devices(s):
    with s.other_server("--cluster", "ps=11,worker=1", "--cpu-devices", "2", "--cpu-device-threads", "3") as t:
        devices = t.get("/v1/devices").expect(200).json["devices"]
        names = [device["name"] for device in devices]
        wanted = [f"/job:{job}/replica:0/task:{task}/cpu:{index}" for job, count in (("ps", 11), ("worker", 1))
                  for task in range(count) for index in range(2)]
        assert names == sorted(wanted), "as bytes: task 10 stands before task 2"
        assert all(device["threads"] == 3 for device in devices)
        assert t.get("/v1").json["devices"] == [{"name": name, "type": "CPU"} for name in names]
        assert assigned(t, "/job:ps/task:7") == "/job:ps/replica:0/task:7/cpu:0"
        assert assigned(t, "/job:ps/task:7/cpu:1") == "/job:ps/replica:0/task:7/cpu:1"
        assert assigned(t, None) == names[0] and assigned(t, "/job:worker") == "/job:worker/replica:0/task:0/cpu:0"
        assert assigned(t, "/task:9/gpu:3", allow_soft_placement=True) == "/job:ps/replica:0/task:9/cpu:0"
        reply = t.refuses(400, "INVALID_ARGUMENT", "no devices matching that specification are registered", "POST", "/v1/devices:place",
                          {"device": "/job:ps/task:12", "allow_soft_placement": True})
        listed, _, more = reply.detail.partition("available devices: ")[2].partition(", … (")
        assert names[:len(listed.split(", "))] == listed.split(", "), listed
        assert len(listed.split(", ")) + int(more.split()[0]) == 24, "what there is no room for is counted"


def test_any_form_of_a_device_becomes_its_canonical_text(s):
    for device, text in (("", ""), ("/", ""), (":/:7//", ""), ("/job:foo/replica:0", "/job:foo/replica:0"),
                         ("/gpu:0/task:0/replica:0/job:foo/", "/job:foo/replica:0/task:0/device:GPU:0"),
                         ("cpu:0", "/device:CPU:0"), ("/CpU", "/device:CPU:*"), ("/gpu:*", "/device:GPU:*"),
                         ("/device:XLA_CPU:1", "/device:XLA_CPU:1"), ("/device:gpu:1", "/device:gpu:1"), ("/device::*", "/device::*"),
                         ("/job:a/job:b/task:1/task:2", "/job:b/task:2"), ("/job:", "/job:"), ("/job:*", "/job:*"),
                         ("/task: +07\t/cpu:\n1", "/task:7/device:CPU:1"), ("/replica:-0/task:-3", "/replica:0/task:-3"),
                         ("/task:2147483647", "/task:2147483647"), ("/job:é ☃ \"'\\", "/job:é ☃ \"'\\"), ("/job:" + "j" * 250,) * 2,
                         (None, ""), ({}, ""), ([], ""),
                         ({"job": "j", "replica": 0, "task": 1, "device_type": "CPU", "device_index": 2},
                          "/job:j/replica:0/task:1/device:CPU:2"),
                         ({"job": None, "replica": None, "device_type": "gpu", "device_index": None}, "/device:GPU:*"),
                         ({"device_type": "Gpu"}, "/device:Gpu:*"), ({"device_index": 3}, ""), ({"job": ""}, "/job:"),
                         ({"task": -2147483647}, "/task:-2147483647")):
        assert canonical(s, device) == text, device
        assert canonical(s, canonical(s, device)) == text, device


def test_what_is_no_device_is_refused_in_the_words_of_python(s):
    for device, words in (("/job:muu/gpu:2/cpu:0", "Cannot specify multiple device types: /job:muu/gpu:2/cpu:0"),
                          ("/device:GPU:0/gpu:0", "Cannot specify multiple device types: /device:GPU:0/gpu:0"),
                          ("/bar:muu/baz:2", "Unknown attribute: 'bar' in '/bar:muu/baz:2'"),
                          ("/device:CPU", "Unknown attribute: 'device' in '/device:CPU'"),
                          ("/tpu:0", "Unknown attribute: 'tpu' in '/tpu:0'"), ("/cpu:0:1", "Unknown attribute: 'cpu' in '/cpu:0:1'"),
                          ("/ñ:☃", "Unknown attribute: 'ñ' in '/ñ:☃'"), ("/Job:a", "Unknown attribute: 'Job' in '/Job:a'"),
                          *((text, f"invalid literal for int() with base 10: {literal}") for text, literal in (
                              ("/job:j/replica:foo", "'foo'"), ("/job:j/task:bar", "'bar'"), ("/replica:*", "'*'"), ("/task:", "''"),
                              ("/cpu:x", "'x'"), ("/device:CPU:1.5", "'1.5'"), ("/task:1_0", "'1_0'"), ("/task:0x10", "'0x10'"),
                              ("/task:- 1", "'- 1'"), ("/task:it's", '"it\'s"'), ("/task:\x01\t", "'\\x01\\t'"), ("/task:٣", "'٣'")))):
        detail = refuses(s, words, device=device, assign=False)
        assert detail == f"field 'device': {words}", detail
        detail = refuses(s, words, device=device)
        assert detail == f"field 'device': Malformed device specification '{device}': {words}", detail
        refuses(s, words, device=["/job:x", device])


def test_numbers_texts_and_forms_have_their_limits(s):
    refuses(s, "not '2147483648'", device="/task:2147483648")
    refuses(s, "not '99999999999999999999999999999999'", device="/cpu:99999999999999999999999999999999")
    refuses(s, "not '-2147483648'", device="/replica:-2147483648")
    s.refuses(400, "INVALID_ARGUMENT", ("at most 255 bytes", "256"), "POST", "/v1/devices:place", {"device": "/job:" + "j" * 251})
    s.refuses(400, "INVALID_ARGUMENT", ("at most 255 bytes", "258"), "POST", "/v1/devices:place", {"device": "/job:" + "j" * 240 + "/cpu"})
    s.refuses(400, "INVALID_ARGUMENT", ("at most 255 bytes", "262"), "POST", "/v1/devices:place",
              {"device": ["/job:" + "j" * 250, "/task:1"]})
    s.refuses(400, "INVALID_ARGUMENT", "at most 255 bytes", "POST", "/v1/devices:place", {"device": "/" * 100000})
    for body, words in (({"device": 5}, "or null; or an array of these"), ({"device": True}, "field 'device'"),
                        ({"device": [["/cpu:0"]]}, "field 'device[0]' must be a device: a string, an object of its parts, or null"),
                        ({"device": [1]}, "field 'device"), ({"device": {"job": 1}}, "field 'device.job'"), ({"device": {"jub": "x"}}, "job"),
                        ({"device": {"task": "1"}}, "field 'device.task'"), ({"device": {"task": 2 ** 31}}, "2147483648"),
                        ({"device": {"task": 2 ** 70}}, "field 'device.task'"), ({"device": {"job": "a/b"}}, "'a/b'"),
                        ({"device": {"job": "a", "device_type": "CPU:0"}}, "'CPU:0'"), ({"device": {"job": "j" * 300}}, "255"),
                        ({"device": ["/cpu:0"] * 17}, "17"), ({"device": "a\0b"}, "field 'device'"), ({"devise": ""}, "device"),
                        ({"available": CPU}, "field 'available'"), ({"available": ["/cpu:0"]}, ("field 'available[0]'", "'/cpu:0'")),
                        ({"available": [CPU, CPU]}, ("two devices", CPU)), ({"available": [GPU.replace("0/gpu", "x/gpu")]}, "'x'"),
                        ({"available": [f"/job:a/replica:0/task:{i}/cpu:0" for i in range(1025)]}, ("1025", "1024")),
                        ({"colocated_with": ["/cpu:0"] * 1025}, ("1025", "1024 (devices_per_request_max)")), ({"colocated_with": "x"}, "field 'colocated_with'"),
                        ({"dtype": "float99"}, "float99"), ({"name": 1}, "field 'name'"), ({"op": []}, "field 'op'"),
                        ({"allow_soft_placement": 1}, "field 'allow_soft_placement'"), ({"assign": None}, "field 'assign'")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "/v1/devices:place", body)
    s.refuses(400, "INVALID_ARGUMENT", "object", "POST", "/v1/devices:place", [])
    s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", (), "POST", "/v1/devices:place", b"device", {"Content-Type": "text/plain"})
    s.refuses(413, "PAYLOAD_TOO_LARGE", (), "POST", "/v1/devices:place", {"name": "x" * (33 << 20)})
    assert assigned(s, None) == CPU and s.post("/v1/devices:place", None).expect(200).json == {"device": "", "assigned_device": CPU}


def test_scopes_nest(s):
    for scopes, text in ((["/device:GPU:0", "/job:worker", "/device:CPU:0", "/job:ps"], "/job:ps/device:CPU:0"),
                         (["/job:worker/device:GPU:0", None, "/cpu:0"], "/device:CPU:0"), ([None], ""), (["/cpu:0", None], ""),
                         (["/cpu:1", "/gpu:*"], "/device:GPU:1"), (["/gpu:1", {"device_index": 7}], "/device:GPU:1"),
                         (["", {"job": "a"}, "/task:1", {}], "/job:a/task:1")):
        assert canonical(s, scopes) == text, scopes


def test_texts_and_scopes_by_chance(s):
    chance = random.Random(os.environ.get("TENSORKEEP_CHANCE", "7"))
    fine = 0
    for _ in range(int(os.environ.get("TENSORKEEP_CHANCES", "400"))):
        scopes = [None if chance.random() < 0.1 else device_model.any_text(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        reply = s.post("/v1/devices:place", {"device": scopes if len(scopes) > 1 else scopes[0], "assign": False})
        try:
            text = device_model.canonical(scopes)
            assert reply.expect(200).json["device"] == text, scopes
            fine += 1
        except device_model.Refused as refused:
            s.is_refusal(reply, 400, "INVALID_ARGUMENT")
            assert reply.detail.endswith(str(refused)), (scopes, reply.detail, str(refused))
    assert fine > 0


def test_the_best_of_the_devices_that_match_is_taken(s):
    both = (CPU, GPU)
    assert assigned(s, "/cpu:0", *both) == CPU and assigned(s, "/job:localhost", *both) == GPU
    assert assigned(s, None, *both) == GPU and assigned(s, None, *both, dtype="int32") == CPU
    for dtype in ("half", "float32", "double"):
        assert assigned(s, None, *both, dtype=dtype) == GPU
    for dtype in ("string", "complex64", "bfloat16", "qint8"):
        assert assigned(s, "/gpu:0", *both, dtype=dtype, allow_soft_placement=True) == CPU
    names = [f"/job:w/replica:0/task:{task}/gpu:{index}" for task, index in itertools.product((2, 10, 1), (1, 0))]
    assert assigned(s, None, *names) == "/job:w/replica:0/task:1/gpu:0"
    assert assigned(s, "/gpu:1", *names) == "/job:w/replica:0/task:1/gpu:1"
    assert assigned(s, "/gpu:11", *names, allow_soft_placement=True) == "/job:w/replica:0/task:1/gpu:0"
    assert assigned(s, "/task:2/gpu:11", *names, allow_soft_placement=True) == "/job:w/replica:0/task:2/gpu:0"
    assert assigned(s, "/task:10", names[2].replace("gpu", "device:GPU"), CPU) == "/job:w/replica:0/task:10/device:GPU:1"
    assert assigned(s, "/job:*/device:*:0", *both) == GPU
    assert assigned(s, "/job:w", *names, "/job:w/replica:0/task:0/device:TPU:0") == names[5]


def test_what_cannot_be_placed_is_refused_in_the_words_of_the_placer(s):
    available = f"because no devices matching that specification are registered in this process; available devices: {CPU}"
    for device, soft in (("/device:GPU:0", False), ("/job:ps/task:7", True), ("/device:CPU:100", False), ("/device:cpu:0", False)):
        refuses(s, f"{NODE}Could not satisfy explicit device specification '{device}' {available}", device=device, allow_soft_placement=soft)
    refuses(s, f"{NODE}Could not satisfy explicit device specification '/device:GPU:11' {available}, {GPU}", device="/gpu:11",
            available=[GPU, CPU])
    refuses(s, f"{NODE}Could not satisfy explicit device specification '/device:GPU:0' because no supported kernel for GPU devices is "
               "available.", device="/gpu:0", available=[CPU, GPU], dtype="int32")
    refuses(s, "Cannot assign a device to node 'layer/w': Could not satisfy explicit device specification '/task:1' "
               f"{available}", device="/task:1", name="layer/w")
    refuses(s, f"{NODE}No OpKernel was registered to support Op 'Variable' with these attrs.  Registered devices: [GPU], Registered "
               "kernels: device='CPU' for string", available=[GPU], dtype="string", op="Variable")
    for device in ("/job:a-b", "/job:", "/job:é", "/job:1a", "/task:-1", "/replica:-7", "/cpu:-1", "/device:X Y:0", "/device::0"):
        text = canonical(s, device)
        refuses(s, f"{NODE}Malformed device specification '{text}'", device=device, allow_soft_placement=True)
    s.refuses(409, "FAILED_PRECONDITION", "No devices are registered", "POST", "/v1/devices:place", {"available": []})


def test_what_is_colocated_wants_one_device(s):
    ps = [f"/job:ps/replica:0/task:{task}/cpu:0" for task in range(2)]
    assert assigned(s, None, *ps, colocated_with=["/job:ps", "/task:1"]) == ps[1]
    assert assigned(s, "/gpu:0", *ps, colocated_with=["/job:ps/cpu:0"], allow_soft_placement=True) == ps[0]
    merge = f"{NODE}Cannot colocate nodes 'v' and 'colocated_with[0]': Cannot merge devices with incompatible "
    for device, other, words, soft in (("/job:a", "/job:b", "jobs: '/job:a' and '/job:b'", True),
                                       ("/replica:1", "/replica:2", "replicas: '/replica:1' and '/replica:2'", True),
                                       ("/task:1", "/task:2/job:c", "tasks: '/job:c/task:1' and '/job:c/task:2'", True),
                                       ("/cpu:0", "/gpu:0", "types: '/CPU:0' and '/GPU:0'", False),
                                       ("/cpu:0", "/cpu:1", "ids: '/CPU:0' and '/CPU:1'", False)):
        refuses(s, merge + words, device=device, colocated_with=[other], allow_soft_placement=soft, available=ps)
    refuses(s, f"{NODE}Could not satisfy explicit device specification '/job:ps' because the node was colocated with a group of nodes that "
               "required incompatible device '/job:ps/task:5'", device="/job:ps", colocated_with=["/task:5"], available=ps)
    refuses(s, f"{NODE}Malformed device specification '/job:-'", device="/job:ps", colocated_with=["/job:-"], available=ps)


def test_long_names_leave_room_for_the_reason(s):
    reply = s.refuses(400, "INVALID_ARGUMENT", ("available devices: /job:", "no devices matching"), "POST", "/v1/devices:place",
                      {"device": "/job:" + "j" * 249, "name": "n" * 255, "available": [f"/job:a/replica:0/task:{i}/cpu:0" for i in range(900)]})
    assert reply.detail.endswith(" more)"), reply.detail


def test_a_read_token_may_ask(s):
    from token_files import bearer, guarded_server
    with guarded_server(s, read="read") as t:
        t.client.headers = {}
        assert t.request("POST", "/v1/devices:place", {}, bearer(t.tokens["read"])).expect(200).json["assigned_device"] == CPU
        assert t.request("GET", "/v1/devices", None, bearer(t.tokens["read"])).expect(200).json["devices"]


def test_a_model_says_where_its_variables_go(s):
    with s.other_server("--cluster", "ps=3,worker=1") as t:
        t.put("/v1/models/of_ps", {"device": "/job:ps/gpu:0", "allow_soft_placement": True}).expect(201)
        assert placed(t, model="of_ps") == {"device": "/job:ps/device:GPU:0", "assigned_device": "/job:ps/replica:0/task:0/cpu:0"}
        reply = placed(t, "/task:2/cpu:0", model="of_ps")
        assert reply == {"device": "/job:ps/task:2/device:CPU:0", "assigned_device": "/job:ps/replica:0/task:2/cpu:0"}
        assert placed(t, None, model="of_ps")["device"] == "", "null hides the model's device, too"
        t.refuses(400, "INVALID_ARGUMENT", "'/job:ps/device:GPU:0'", "POST", "/v1/devices:place", {"model": "of_ps", "allow_soft_placement": False})
        t.put("/v1/models/n", {"placement": {"strategy": "round_robin"}}).expect(201)
        for _ in range(2):
            assert placed(t, [], model="n")["device"] == "/job:ps/task:0", "nothing is drawn by asking"
        t.model = "n"
        t.create("a", 1.0)
        assert placed(t, [], model="n") == {"device": "/job:ps/task:1", "assigned_device": "/job:ps/replica:0/task:1/cpu:0"}
        assert placed(t, [], model="n", op="MatMul")["device"] == "/job:worker"
        assert placed(t, "/job:ps/task:2", model="n")["device"] == "/job:ps/task:2"
        t.put("/v1/models/g", {"placement": {"strategy": "greedy", "load": "bytes"}}).expect(201)
        t.model = "g"
        t.create("a", {"op": "zeros", "shape": [10]})
        assert placed(t, [], model="g", dtype="float64")["device"] == "/job:ps/task:1"
        t.refuses(404, "NOT_FOUND", "none", "POST", "/v1/devices:place", {"model": "none"})


def test_a_token_for_one_model_asks_about_that(s):
    from token_files import bearer, guarded_server
    with guarded_server(s, one=("read", "models=m1")) as t:
        t.client.headers = {}
        ask = lambda model: t.request("POST", "/v1/devices:place", {"model": model}, bearer(t.tokens["one"]))  # noqa: E731
        assert ask("m2").status == 403 and ask("m1").status == 404
