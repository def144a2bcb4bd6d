"""Optimizers as things of a model: made, changed, listed, deleted. What their steps compute is told by those of their own."""

NOT_HYPER = {"optimizer", "type", "name", "learning_rate", "slots", "powers", "created", "updated", "revision", "global_step"}


def catalogue(s):
    return {row["type"]: row for row in s.get("/v1/optimizers").expect(200).json["optimizers"]}


def least(row):
    """A body with what this type requires."""
    body = {"type": row["type"]}
    if row["learning_rate"]["required"]:
        body["learning_rate"] = 0.1
    if row["needs_global_step"]:
        body["global_step"] = "global_step"
    body.update({attribute["name"]: 0.5 for attribute in row["attributes"] if attribute["required"]})
    return body


def test_the_catalogue_tells_types_and_defaults(s):
    types = catalogue(s)
    assert {"gradient_descent", "momentum", "adam"} <= set(types)
    adam = types["adam"]
    assert adam["name"] == "Adam" and adam["learning_rate"] == {"required": False, "default": 0.001}
    defaults = {row["name"]: row.get("default") for row in adam["attributes"]}
    assert defaults == {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "lazy": False}, defaults
    assert adam["slots"] == ["m", "v"] and adam["powers"] == ["beta1_power", "beta2_power"]
    assert {"float16", "float32", "float64"} <= set(adam["dtypes"]) and "int32" not in adam["dtypes"]
    assert types["momentum"]["learning_rate"] == {"required": True}
    assert [row["required"] for row in types["momentum"]["attributes"] if row["name"] == "momentum"] == [True]
    for row in types.values():
        assert row["summary"].endswith(".") and isinstance(row["extension"], bool), row


def test_every_type_is_made_read_back_and_made_again_from_that(s):
    for kind, row in catalogue(s).items():
        body = least(row)
        made = s.put(f"optimizers/{kind}", body).expect(201)
        assert made.headers["location"] == f"/v1/models/{s.model}/optimizers/{kind}"
        read = s.get(f"optimizers/{kind}").expect(200).json
        assert read == made.json and read["optimizer"] == kind and read["type"] == kind and read["name"] == row["name"]
        hyper = {name: value for name, value in read.items() if name not in NOT_HYPER}
        want = {attribute["name"]: body.get(attribute["name"], attribute.get("default")) for attribute in row["attributes"]}
        assert hyper == want, (hyper, want)
        stated = {name: value for name, value in read.items() if name in body or name in hyper or name == "learning_rate"}
        again = s.put(f"optimizers/{kind}", stated).expect(200).json
        for passing in ("revision", "updated"):
            again.pop(passing), read.pop(passing)
        assert again == read, (again, read)


def test_slots_are_named_as_tensorflow_names_them(s):
    first = s.put("optimizers/a", {"type": "adam"}).expect(201).json
    assert first["slots"] == [{"name": "m", "suffix": "Adam", "initial": 0.0},
                              {"name": "v", "suffix": "Adam_1", "initial": 0.0}]
    assert [(p["variable"], p["initial"]) for p in first["powers"]] == [
        ("beta1_power", 0.8999999761581421), ("beta2_power", 0.9990000128746033)]
    second = s.put("optimizers/b", {"type": "adam"}).expect(201).json
    assert [slot["suffix"] for slot in second["slots"]] == ["Adam_2", "Adam_3"]
    assert [power["variable"] for power in second["powers"]] == ["beta1_power_1", "beta2_power_1"]
    named = s.put("optimizers/c", {"type": "momentum", "learning_rate": 1, "momentum": 0.9, "name": "Critic"}).expect(201).json
    assert named["slots"] == [{"name": "momentum", "suffix": "Critic", "initial": 0.0}] and named["powers"] == []
    s.refuses(409, "ALREADY_EXISTS", ("Adam_3", "'b'"), "PUT", "optimizers/d", {"type": "adam", "name": "Adam_3"})
    s.refuses(400, "INVALID_ARGUMENT", "Must specify the optimizer name", "PUT", "optimizers/d", {"type": "adam", "name": ""})
    s.refuses(400, "INVALID_ARGUMENT", "slot name", "PUT", "optimizers/d", {"type": "adam", "name": "a//b"})
    s.delete("optimizers/a").expect(200)
    assert [slot["suffix"] for slot in s.put("optimizers/b", {"type": "adam"}).expect(200).json["slots"]] == ["Adam_2", "Adam_3"]


def test_patch_merges_and_put_replaces(s):
    made = s.put("optimizers/o", {"type": "adam", "beta1": 0.5, "learning_rate": 0.25}).expect(201).json
    patched = s.patch("optimizers/o", {"beta2": 0.75}).expect(200).json
    assert (patched["beta1"], patched["beta2"], patched["learning_rate"]) == (0.5, 0.75, 0.25)
    assert patched["revision"] > made["revision"] and patched["created"] == made["created"]
    assert s.patch("optimizers/o", {"learning_rate": 0.125}).expect(200).json["learning_rate"] == 0.125
    assert s.patch("optimizers/o", {"type": "adam", "name": "Adam"}).expect(200).json["beta1"] == 0.5
    replaced = s.put("optimizers/o", {"type": "adam", "epsilon": 1}).expect(200).json
    assert (replaced["beta1"], replaced["epsilon"], replaced["learning_rate"]) == (0.9, 1.0, 0.001)
    s.restart()
    assert s.get("optimizers/o").expect(200).json == replaced


def test_learning_rates_may_be_variables_and_schedules(s):
    s.make("lr", 0.5)
    s.make("global_step", 0, "int64")
    for rate in (0.5, 1, {"variable": "lr"}, {"op": "multiply", "args": [{"variable": "lr"}, 0.1]},
                 {"op": "exponential_decay", "args": [0.1, {"variable": "global_step"}, 1000, 0.96], "staircase": True}):
        got = s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": rate})
        assert got.status in (200, 201), str(got)
        again = s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": got.json["learning_rate"]}).expect(200)
        assert again.json["learning_rate"] == got.json["learning_rate"]
    assert s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": {"variable": "lr:0"}}).expect(
        200).json["learning_rate"] == {"variable": "lr"}


def test_what_a_learning_rate_cannot_be(s):
    s.make("pair", [1, 2])
    s.make("flag", True, "bool")
    for rate, status, code, words in (
            ({"variable": "ghost"}, 404, "NOT_FOUND", ("learning_rate", "ghost")),
            ({"variable": "pair"}, 400, "INVALID_ARGUMENT", "lr is not a scalar: [2]"),
            ([0.1], 400, "INVALID_ARGUMENT", "lr is not a scalar: [1]"),
            ({"variable": "flag"}, 400, "INVALID_ARGUMENT", "bool"),
            ("fast", 400, "INVALID_ARGUMENT", "string"),
            ("NaN", 400, "INVALID_ARGUMENT", ()),
            ({"op": "exponential_decay"}, 400, "INVALID_ARGUMENT", "learning_rate"),
            ({"op": "nothing"}, 400, "INVALID_ARGUMENT", "nothing")):
        s.refuses(status, code, words, "PUT", "optimizers/o", {"type": "adam", "learning_rate": rate})
    s.refuses(413, "PAYLOAD_TOO_LARGE", "learning rate", "PUT", "optimizers/o",
              {"type": "adam", "learning_rate": {"op": "reduce_sum", "args": [[0.5] * 4096]}})


def test_bodies_are_checked(s):
    s.put("optimizers/o", {"type": "adam"}).expect(201)
    for body, words in (({}, "type"), ({"type": "adm"}, "did you mean 'adam'"), ({"type": "xyzzyx"}, "/v1/optimizers"),
                        ({"type": 3}, "type"), ({"type": "adam", "beta": 0.9}, ("beta", "beta1")),
                        ({"type": "adam", "beta1": "x"}, "beta1"), ({"type": "adam", "beta1": [0.9]}, "beta1"),
                        ({"type": "adam", "lazy": 1}, "lazy"), ({"type": "adam", "global_step": "g"}, "global_step"),
                        ({"type": "adam", "name": 3}, "name"), ({"type": "gradient_descent"}, "learning_rate is required"),
                        ({"type": "momentum", "learning_rate": 1}, "momentum"), ([], "object"),
                        ({"type": "adam", "beta1": "Infinity"}, "finite")):
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "optimizers/new", body)
    for body, words in (({"beta": 0.9}, ("beta", "beta1")), ({"momentum": 0.9}, "momentum"), ({"beta1": None, "x": 1}, "'x'")):
        s.refuses(400, "INVALID_ARGUMENT", words, "PATCH", "optimizers/o", body)
    s.refuses(409, "ALREADY_EXISTS", ("adam", "gradient_descent"), "PUT", "optimizers/o",
              {"type": "gradient_descent", "learning_rate": 1})
    s.refuses(409, "ALREADY_EXISTS", ("adam", "gradient_descent"), "PATCH", "optimizers/o", {"type": "gradient_descent"})
    s.refuses(409, "ALREADY_EXISTS", ("Adam", "Other"), "PATCH", "optimizers/o", {"name": "Other"})
    s.refuses(404, "NOT_FOUND", "ghost", "PATCH", "optimizers/ghost", {"beta1": 0.9})
    s.refuses(404, "NOT_FOUND", "ghost", "DELETE", "optimizers/ghost")
    s.refuses(404, "NOT_FOUND", "ghost", "GET", "optimizers/ghost")
    s.refuses(404, "NOT_FOUND", "nowhere", "PUT", "/v1/models/nowhere/optimizers/o", {"type": "adam"})


def test_what_decides_about_slots_does_not_change(s):
    made = s.put("optimizers/o", {"type": "rmsprop", "learning_rate": 0.1}).expect(201).json
    assert [(slot["name"], slot["suffix"], slot["initial"]) for slot in made["slots"]] == [
        ("rms", "RMSProp", 1.0), ("momentum", "RMSProp_1", 0.0)]
    s.refuses(409, "FAILED_PRECONDITION", "slots", "PATCH", "optimizers/o", {"centered": True})
    s.delete("optimizers/o").expect(200)
    made = s.put("optimizers/o", {"type": "rmsprop", "learning_rate": 0.1, "centered": True}).expect(201).json
    assert [(slot["name"], slot["suffix"]) for slot in made["slots"]] == [
        ("rms", "RMSProp"), ("mg", "RMSProp_1"), ("momentum", "RMSProp_2")]


def test_lists_are_paged_and_tagged(s):
    for name in ("c", "a", "deep/b"):
        s.put(f"optimizers/{name}", {"type": "adam"}).expect(201)
    whole = s.get("optimizers").expect(200)
    assert [each["optimizer"] for each in whole.json["optimizers"]] == ["a", "c", "deep/b"]
    assert whole.json["optimizers"][0] == s.get("optimizers/a").json
    page = s.get("optimizers?page_size=2").expect(200).json
    assert [each["optimizer"] for each in page["optimizers"]] == ["a", "c"]
    rest = s.get(f"optimizers?page_size=2&page_token={page['next_page_token']}").expect(200).json
    assert [each["optimizer"] for each in rest["optimizers"]] == ["deep/b"] and rest["next_page_token"] is None
    s.get("optimizers", {"If-None-Match": whole.etag}).expect(304)
    s.delete("optimizers/c").expect(200)
    s.get("optimizers", {"If-None-Match": whole.etag}).expect(200)


def test_conditions(s):
    made = s.put("optimizers/o", {"type": "adam"}, {"If-None-Match": "*"}).expect(201)
    s.refuses(412, "PRECONDITION_FAILED", "'o'", "PUT", "optimizers/o", {"type": "adam"}, {"If-None-Match": "*"})
    tag = s.get("optimizers/o").expect(200).etag
    s.get("optimizers/o", {"If-None-Match": tag}).expect(304)
    s.patch("optimizers/o", {"beta1": 0.5}, {"If-Match": tag}).expect(200)
    for method, body in (("PATCH", {"beta1": 0.6}), ("PUT", {"type": "adam"}), ("DELETE", None)):
        s.refuses(412, "PRECONDITION_FAILED", "'o'", method, "optimizers/o", body, {"If-Match": tag})
    s.refuses(412, "PRECONDITION_FAILED", "'p'", "PUT", "optimizers/p", {"type": "adam"}, {"If-Match": "*"})
    assert s.delete("optimizers/o", {"If-Match": s.get("optimizers/o").etag}).expect(200).json["deleted"] == "o"
    assert made.json["revision"] < s.put("optimizers/o", {"type": "adam"}).expect(201).json["revision"]


def test_deleting_leaves_slots_and_models_take_all_with_them(s):
    s.make("w/Adam", [1, 2])
    s.put("optimizers/o", {"type": "adam"}).expect(201)
    s.delete("optimizers/o").expect(200)
    assert s.value("w/Adam") == [1, 2]
    s.put("optimizers/o", {"type": "adam"}).expect(201)
    s.delete("").expect(200)
    s.put("", {}).expect(201)
    assert s.get("optimizers").expect(200).json["optimizers"] == []
    assert s.client.request("POST", "/v1:verify").expect(200).json["findings"] == 0
