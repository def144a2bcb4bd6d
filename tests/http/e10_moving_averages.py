"""assign_moving_average, and ExponentialMovingAverage as a thing of the model."""

import threading

import formats

np = formats.np
E = "moving_averages/e"
NAME = "ExponentialMovingAverage"


def assign_average(s, name, value, decay, **more):
    return s.post(f"variables/{name}:assign_moving_average", {"value": value, "decay": decay, **more})


def blend(old, value, decay, dtype=np.float32):
    """TensorFlow's arithmetic: 1 - decay by way of float32, then in the variable's dtype."""
    rest = dtype(np.float32(1.0 - decay))
    old, value = np.asarray(old, dtype), np.asarray(value, dtype)
    return old - (old - value) * rest


# --- assign_moving_average ----------------------------------------------------------------------

def test_a_variable_moves_towards_a_value(s):
    for dtype in ("float16", "float32", "float64"):
        kind = formats.NUMPY[dtype]
        want = s.make(dtype, [10, 11, -3], dtype)
        for i in range(3):
            value = [1.5 * i, 2, 7]
            reply = assign_average(s, dtype, value, 0.9, zero_debias=False).expect(200).json
            want = blend(want, value, 0.9, np.dtype(kind).type)
            assert reply["name"] == dtype and reply["version"] == i + 2
            assert s.array(dtype).tobytes() == want.astype(kind).tobytes(), (dtype, s.array(dtype), want)


def test_a_big_one_moves_as_a_small_one_does(s):
    value = np.linspace(-1, 1, 3_000_000, dtype="<f4")
    want = s.make("w", value)
    s.make("v", value[::-1].copy())
    assign_average(s, "w", {"variable": "v"}, 0.75, zero_debias=False).expect(200)
    assert s.array("w").tobytes() == blend(want, value[::-1], 0.75).tobytes()


def test_the_bias_of_a_zero_is_taken_out(s):
    s.make("w", [0.0, 0.0])
    biased = np.zeros(2, np.float32)
    for t in range(1, 5):
        value = [t, 10.0]
        assign_average(s, "w", value, 0.9).expect(200)
        biased = blend(biased, value, 0.9)
        factor = np.float32(1) - np.power(np.float32(1) - np.float32(np.float32(1.0 - 0.9)), np.float32(t))
        assert np.allclose(s.array("w"), biased / factor, rtol=1e-6), (t, s.array("w"))
        assert s.array("w/biased").tobytes() == biased.tobytes() and s.value("w/local_step") == t
    assert np.allclose(s.array("w")[1], 10.0)
    for name in ("w/biased", "w/local_step"):
        info = s.info(name)
        assert not info["trainable"] and info["collections"] == ["variables"] and info["dtype"] == "float32", info
    s.initialize(variables=["w/biased", "w/local_step"])
    assert s.value("w/biased") == [0, 0] and s.value("w/local_step") == 0


def test_decays_may_be_variables_and_expressions(s):
    s.make("w", 8.0)
    s.make("decay", 0.5)
    assign_average(s, "w", 0, {"variable": "decay"}, zero_debias=False).expect(200)
    assert s.value("w") == 4
    assign_average(s, "w", 0, {"op": "multiply", "args": [{"variable": "decay"}, 0.5]}, zero_debias=False).expect(200)
    assert s.value("w") == 1
    assign_average(s, "w", 9, 1, zero_debias=False).expect(200)
    assert s.value("w") == 1
    assign_average(s, "w", 9, {"dtype": "float64", "shape": [], "data": 0.75}, zero_debias=False).expect(200)
    assert s.value("w") == 3


def test_what_cannot_be_averaged(s):
    s.make("w", [1.0, 2.0])
    s.make("i", 3, "int32")
    s.create("unset", dtype="float32", shape=[])
    s.make("pair", [0.5, 0.5])
    path = "variables/{}:assign_moving_average"
    for name, body, status, code, words in (
            ("i", {"value": 1, "decay": 0.5}, 400, "INVALID_ARGUMENT", "The variables must be half, float, or double: i:0"),
            ("unset", {"value": 1, "decay": 0.5}, 409, "FAILED_PRECONDITION", "unset"),
            ("ghost", {"value": 1, "decay": 0.5}, 404, "NOT_FOUND", "ghost"),
            ("w", {"value": 1, "decay": 0.5}, 400, "INVALID_ARGUMENT", ("float32[2]", "float32[]")),
            ("w", {"value": {"dtype": "float64", "shape": [2], "data": [1, 2]}, "decay": 0.5}, 400, "INVALID_ARGUMENT",
             ("float32[2]", "float64[2]")),
            ("w", {"value": [1, 2], "decay": {"variable": "pair"}}, 400, "INVALID_ARGUMENT", ("decay", "float32[2]")),
            ("w", {"value": [1, 2], "decay": {"variable": "i"}}, 400, "INVALID_ARGUMENT", ("decay", "int32")),
            ("w", {"value": [1, 2], "decay": {"variable": "ghost"}}, 404, "NOT_FOUND", "ghost"),
            ("w", {"value": [1, 2]}, 400, "INVALID_ARGUMENT", "decay"),
            ("w", {"decay": 0.5}, 400, "INVALID_ARGUMENT", "value"),
            ("w", {"value": [1, 2], "decay": 0.5, "zero_debias": 1}, 400, "INVALID_ARGUMENT", "zero_debias"),
            ("w", {"value": [1, 2], "decay": 0.5, "zero_bias": True}, 400, "INVALID_ARGUMENT", ("zero_bias", "zero_debias"))):
        s.refuses(status, code, words, "POST", path.format(name), body)
    s.make("w/biased", [1.0, 2.0, 3.0])
    s.refuses(400, "INVALID_ARGUMENT", ("w/biased", "float32[2]", "float32[3]"), "POST", path.format("w"),
              {"value": [1, 2], "decay": 0.5})
    s.delete("variables/w%2Fbiased").expect(200)
    s.create("w/local_step", dtype="float32", shape=[])
    s.refuses(409, "FAILED_PRECONDITION", "w/local_step", "POST", path.format("w"), {"value": [1, 2], "decay": 0.5})
    long_name = "n" * 250
    s.make(long_name, 1.0)
    s.refuses(400, "INVALID_ARGUMENT", "255", "POST", path.format(long_name), {"value": 1, "decay": 0.5})


# --- the resource -------------------------------------------------------------------------------

def test_averages_are_made_read_changed_listed_and_deleted(s):
    made = s.put(E, {"decay": 0.25}).expect(201)
    assert made.headers["location"] == f"/v1/models/{s.model}/{E}"
    assert {key: made.json[key] for key in ("moving_averages", "name", "decay", "num_updates", "zero_debias")} == {
        "moving_averages": "e", "name": NAME, "decay": 0.25, "num_updates": None, "zero_debias": False}
    read = s.get(E).expect(200).json
    assert read == {**made.json, "shadows": {}, "tensors": {}, "variables_to_restore": {}}
    changed = s.put(E, {"decay": 0.5, "num_updates": 3, "zero_debias": True, "name": NAME}).expect(200).json
    assert (changed["decay"], changed["num_updates"], changed["zero_debias"]) == (0.5, 3, True)
    assert changed["revision"] > read["revision"] and changed["created"] == read["created"]
    s.put("moving_averages/d", {"decay": 1, "name": "foo"}).expect(201)
    s.restart()
    assert [each["moving_averages"] for each in s.get("moving_averages").json["moving_averages"]] == ["d", "e"]
    page = s.get("moving_averages?page_size=1").expect(200).json
    assert page["next_page_token"] == "d"
    assert s.get("moving_averages?page_size=1&page_token=d").json["moving_averages"] == [changed]
    tag = s.get(E).etag
    s.get(E, {"If-None-Match": tag}).expect(304)
    s.refuses(412, "PRECONDITION_FAILED", "'e'", "PUT", E, {"decay": 1}, {"If-None-Match": "*"})
    assert s.delete(E, {"If-Match": tag}).expect(200).json["deleted"] == "e"
    s.refuses(404, "NOT_FOUND", "'e'", "GET", E)
    s.refuses(404, "NOT_FOUND", "'e'", "DELETE", E)


def test_bodies_are_checked(s):
    s.make("pair", [1, 2])
    s.put(E, {"decay": 0.5}).expect(201)
    for body, words in (({}, "decay"), ({"decay": None}, "decay"), ({"decay": "x"}, "decay"), ({"decay": "NaN"}, "finite"),
                        ({"decay": 0.5, "zero_debias": 0}, "zero_debias"), ({"decay": 0.5, "num_update": 1}, "num_updates"),
                        ({"decay": 0.5, "num_updates": [1]}, "num_updates"),
                        ({"decay": 0.5, "num_updates": {"variable": "pair"}}, "num_updates"),
                        ({"decay": 0.5, "num_updates": True}, "num_updates"), ({"decay": 0.5, "name": ""}, "shadow"),
                        ({"decay": 0.5, "name": "a//b"}, "shadow"), ({"decay": 0.5, "name": "n" * 201}, "200"), ([], "object")):
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "moving_averages/new", body)
    s.refuses(409, "ALREADY_EXISTS", (NAME, "'foo'"), "PUT", E, {"decay": 0.5, "name": "foo"})
    s.refuses(404, "NOT_FOUND", "ghost", "PUT", "moving_averages/new", {"decay": 0.5, "num_updates": {"variable": "ghost"}})
    s.refuses(413, "PAYLOAD_TOO_LARGE", "num_updates", "PUT", "moving_averages/new",
              {"decay": 0.5, "num_updates": {"op": "reduce_sum", "args": [[0.5] * 4096]}})


# --- updates ------------------------------------------------------------------------------------

def test_shadows_begin_where_their_variables_are_and_follow_them(s):
    s.make("v0", [10.0, 20.0])
    s.make("v1", 30.0, "float64")
    s.put(E, {"decay": 0.25}).expect(201)
    reply = s.post(f"{E}:apply", {"variables": ["v0", "v1:0"]}).expect(200).json
    assert reply == {"moving_averages": "e", "decay": 0.25, "versions": {f"v0/{NAME}": 2, f"v1/{NAME}": 2},
                     "revision": reply["revision"]}
    assert s.value(f"v0/{NAME}") == [10, 20] and s.value(f"v1/{NAME}") == 30
    s.assign("v0", [20.0, 20.0])
    s.post(f"{E}:apply").expect(200)
    assert s.value(f"v0/{NAME}") == [17.5, 20] and s.value(f"v1/{NAME}") == 30
    s.post(f"{E}:apply", {"variables": ["v0"]}).expect(200)
    assert s.value(f"v0/{NAME}") == [19.375, 20]
    shadow = s.info(f"v0/{NAME}")
    assert not shadow["trainable"] and shadow["collections"] == ["variables"]
    assert shadow["initial_value"] == {"initialized_value": "v0"}
    assert s.info("v0")["collections"] == ["variables", "trainable_variables", "moving_average_variables"]
    assert s.names("?collection=moving_average_variables") == ["v0", "v1"]
    assert s.get(E).json["shadows"] == {"v0": f"v0/{NAME}", "v1": f"v1/{NAME}"}


def test_slots_come_first_and_are_initialized_with_everything(s):
    s.create("v", 10.0)
    s.put(E, {"decay": 0.25, "zero_debias": True}).expect(201)
    s.post(f"{E}:create_slots", {"variables": ["v"], "tensors": {"add": {"op": "add", "args": [{"variable": "v"}, 1.0]}}}).expect(200)
    assert not s.info(f"v/{NAME}")["initialized"] and not s.info(f"add/{NAME}/biased")["initialized"]
    s.refuses(409, "FAILED_PRECONDITION", "v", "POST", f"{E}:apply")
    s.initialize()
    assert s.value(f"v/{NAME}") == 10 and s.value(f"add/{NAME}") == 0
    assert s.get(E).json["tensors"] == {"add": {"op": "add", "args": [{"variable": "v"}, 1.0]}}
    s.post(f"{E}:apply").expect(200)
    assert s.value(f"v/{NAME}") == 10 and s.value(f"add/{NAME}") == 11
    assert s.value(f"add/{NAME}/local_step") == 1
    s.refuses(400, "INVALID_ARGUMENT", "Moving average already computed for: v:0", "POST", f"{E}:create_slots", {"variables": ["v"]})
    s.refuses(400, "INVALID_ARGUMENT", "Moving average already computed for: v:0", "POST", f"{E}:apply", {"variables": ["v", "v:0"]})


def test_tensors_begin_at_zero_and_may_be_told_anew_each_time(s):
    s.put(E, {"decay": 0.75}).expect(201)
    for loss, want in ((8, 2.0), (6.0, 3.0), (3, 3.0)):
        s.post(f"{E}:apply", {"tensors": {"loss": loss}}).expect(200)
        assert s.value(f"loss/{NAME}") == want
    assert s.info(f"loss/{NAME}")["dtype"] == "float32"
    s.post(f"{E}:apply").expect(200)
    assert s.value(f"loss/{NAME}") == 4.25, "the tensor as it was first told"


def test_few_updates_make_it_faster(s):
    s.make("n", 1, "int64")
    s.make("v", 0.0)
    s.put(E, {"decay": 0.9, "num_updates": {"variable": "n"}}).expect(201)
    assert s.get(E).json["num_updates"] == {"variable": "n"}
    s.post(f"{E}:apply", {"variables": ["v"]}).expect(200)
    s.assign("v", 11.0)
    assert s.post(f"{E}:apply").expect(200).json["decay"] == float(np.float32(2) / np.float32(11))
    assert abs(s.value(f"v/{NAME}") - 9.0) < 1e-5
    s.assign("n", 1000)
    assert s.post(f"{E}:apply").expect(200).json["decay"] == float(np.float32(0.9))


def test_without_names_all_trainable_variables_are_averaged(s):
    s.put(E, {"decay": 0.5}).expect(201)
    s.refuses(400, "INVALID_ARGUMENT", "trainable", "POST", f"{E}:apply")
    s.make("a", 1.0)
    s.make("b", 2.0)
    s.post("variables", {"name": "c", "initial_value": 3.0, "trainable": False}).expect(201)
    s.initialize(variables=["c"])
    s.post(f"{E}:apply").expect(200)
    assert s.get(E).json["shadows"] == {"a": f"a/{NAME}", "b": f"b/{NAME}"}
    assert s.post(f"{E}:apply", {"variables": []}).expect(200).json["versions"] == {}
    s.make("late", 1.0)
    s.post(f"{E}:apply").expect(200)
    assert set(s.get(E).json["shadows"]) == {"a", "b"}, "the set is what it was made of"


def test_what_is_restored_from_where(s):
    s.make("v0", 10.0)
    s.make("v1", 30.0)
    s.post("variables", {"name": "v2", "initial_value": 20.0, "trainable": False}).expect(201)
    s.post("variables", {"name": "local", "initial_value": 20.0, "trainable": False, "collections": ["local_variables"]}).expect(201)
    s.put(E, {"decay": 0.25, "name": "foo"}).expect(201)
    s.initialize(variables=["v2"])
    want = {"v0/foo": "v0", "v1/foo": "v1", "v2": "v2"}
    assert s.get(E).json["variables_to_restore"] == want
    s.post(f"{E}:apply", {"variables": ["v0", "v1"], "tensors": {"add": {"op": "add", "args": [{"variable": "v0"}, 1.0]}}}).expect(200)
    assert s.get(E).json["variables_to_restore"] == {**want, "add/foo": "add/foo"}
    assert s.get(f"{E}?moving_avg_variables=v0,add").json["variables_to_restore"] == {
        "v0/foo": "v0", "add/foo": "add", "v1": "v1", "v1/foo": "v1/foo", "v2": "v2"}
    assert s.get(f"{E}?moving_avg_variables=").json["variables_to_restore"]["v0"] == "v0"
    s.refuses(400, "INVALID_ARGUMENT", "a//b", "GET", f"{E}?moving_avg_variables=a//b")
    s.post(f"{E}:apply", {"variables": ["v2"]}).expect(200)
    restored = s.get(E).json["variables_to_restore"]
    assert restored["v2/foo"] == "v2" and "v2" not in restored
    s.save("c")
    s.assign("v0", 99.0)
    s.post("checkpoints/c:restore", {"variables": {"v0/foo": "v0"}}).expect(200)
    assert s.value("v0") == 10


def test_what_updates_refuse(s):
    s.make("v", [1.0, 2.0])
    s.make("i", 3, "int32")
    s.create("unset", dtype="float32", shape=[])
    s.put(E, {"decay": 0.5}).expect(201)
    s.post(f"{E}:apply", {"variables": ["v"], "tensors": {"t": 1.0}}).expect(200)
    for body, status, code, words in (
            ({"variables": ["i"]}, 400, "INVALID_ARGUMENT", "The variables must be half, float, or double: i:0"),
            ({"tensors": {"x": {"variable": "i"}}}, 400, "INVALID_ARGUMENT", "The variables must be half, float, or double: x:0"),
            ({"variables": ["ghost"]}, 404, "NOT_FOUND", "ghost"),
            ({"variables": ["unset"]}, 409, "FAILED_PRECONDITION", "unset"),
            ({"variables": ["v"], "tensors": {"v": 1.0}}, 400, "INVALID_ARGUMENT", "'v' is averaged as a variable"),
            ({"variables": ["t"]}, 400, "INVALID_ARGUMENT", "'t' is averaged as a tensor"),
            ({"variables": ["unset", "v"], "tensors": {"unset": 1.0}}, 400, "INVALID_ARGUMENT", "already computed for: unset:0"),
            ({"tensors": {"t": [1.0, 2.0]}}, 400, "INVALID_ARGUMENT", (f"t/{NAME}", "float32[2]", "float32[]")),
            ({"tensors": {"a//b": 1.0}}, 400, "INVALID_ARGUMENT", "a//b"),
            ({"tensors": {"n" * 240: 1.0}}, 400, "INVALID_ARGUMENT", "255"),
            ({"tensors": {"x": {"op": "nothing"}}}, 400, "INVALID_ARGUMENT", "nothing"),
            ({"tensors": [1]}, 400, "INVALID_ARGUMENT", "tensors"), ({"variables": "v"}, 400, "INVALID_ARGUMENT", "variables"),
            ({"names": ["v"]}, 400, "INVALID_ARGUMENT", "names")):
        s.refuses(status, code, words, "POST", f"{E}:apply", body)
    s.refuses(404, "NOT_FOUND", "'ghost'", "POST", "moving_averages/ghost:apply")
    s.refuses(413, "PAYLOAD_TOO_LARGE", "tensor", "POST", f"{E}:create_slots",
              {"tensors": {"x": {"op": "reduce_sum", "args": [[0.5] * 4096]}}})
    s.delete("variables/v").expect(200)
    s.refuses(404, "NOT_FOUND", "'v'", "POST", f"{E}:apply")
    s.post(f"{E}:apply", {"tensors": {"t": 1.0}}).expect(200)


def test_they_are_operations_of_a_run(s):
    s.make("v", 8.0)
    s.put(E, {"decay": 0.5}).expect(201)
    run = {"ops": [{"op": "create_average_slots", "moving_averages": "e", "variables": ["v"], "tensors": {"x": {"variable": "v"}}},
                   {"op": "initialize", "only_uninitialized": True},
                   {"op": "assign", "variable": "v", "value": 16.0},
                   {"op": "apply_moving_averages", "moving_averages": "e"},
                   {"op": "assign_moving_average", "variable": "v", "value": 0, "decay": 0.75, "zero_debias": False}],
           "fetches": {"shadow": {"variable": f"v/{NAME}"}, "x": {"variable": f"x/{NAME}"}, "v": {"variable": "v"}}}
    for dry in (True, False):
        got = s.post(":run", {**run, "dry_run": dry}).expect(200).json
        assert {name: each["data"] for name, each in got["fetches"].items()} == {"shadow": 12, "x": 8, "v": 12}
    assert got["results"][3] == {"op": "apply_moving_averages", "moving_averages": "e", "decay": 0.5,
                                 "versions": {f"v/{NAME}": 2, f"x/{NAME}": 2}}
    assert s.value(f"v/{NAME}") == 12 and s.get(E).json["shadows"] == {"v": f"v/{NAME}", "x": f"x/{NAME}"}
    s.refuses(400, "INVALID_ARGUMENT", ("already computed for: v:0",), "POST", ":run",
              {"ops": [{"op": "assign", "variable": "v", "value": 1.0}, {"op": "create_average_slots", "moving_averages": "e",
                                                                         "variables": ["v"]}]})
    s.refuses(400, "INVALID_ARGUMENT", "moving_averages", "POST", ":run", {"ops": [{"op": "apply_moving_averages"}]})


def test_big_ones_and_many_clients(s):
    """Ahead of the commit, and again when something came between."""
    s.put_npy("w", np.zeros(1_500_000, "<f4"))
    s.put(E, {"decay": 0.5}).expect(201)
    s.post(f"{E}:apply", {"variables": ["w"]}).expect(200)
    s.put_npy("w", np.ones(1_500_000, "<f4"))
    failures = []

    def update(client):
        reply = client.request("POST", s.path(f"{E}:apply"), {})
        if reply.status != 200:
            failures.append(str(reply))

    threads = [threading.Thread(target=update, args=(s.another_client(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert s.array(f"w/{NAME}", slice="0:2").tolist() == [0.9375, 0.9375]


def test_deleting_leaves_shadows_which_are_taken_up_again(s):
    s.make("v", 4.0)
    s.put(E, {"decay": 0.5}).expect(201)
    s.post(f"{E}:apply", {"variables": ["v"], "tensors": {"t": 1.0}}).expect(200)
    s.delete(E).expect(200)
    assert s.value(f"v/{NAME}") == 4
    s.put(E, {"decay": 0.5}).expect(201)
    assert s.get(E).json["shadows"] == {}
    s.assign("v", 0.0)
    s.post(f"{E}:apply", {"variables": ["v"]}).expect(200)
    assert s.value(f"v/{NAME}") == 2
    s.kill9()
    s.restart()
    assert s.post("/v1:verify").expect(200).json["findings"] == 0
    assert s.get(E).json["shadows"] == {"v": f"v/{NAME}"}
    s.delete("").expect(200)
    assert s.post("/v1:verify").expect(200).json["findings"] == 0
