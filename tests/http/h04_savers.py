"""Savers: how they are made, what they save under which names, and what is restored through them."""

from saving import checkpoints, fill, is_whole, last, latest, names_of, save, saver

FLAGS = ["--cluster", "ps=2"]


# --- making and looking --------------------------------------------------------------------------

def test_defaults_are_tensorflows(s):
    fill(s)
    reply = s.put("savers/train/s", {}).expect(201)
    assert reply.headers["location"].endswith("/savers/train/s")
    about = s.get("savers/train/s").expect(200).json
    for field, value in (("name", "train/s"), ("max_to_keep", 5), ("keep_checkpoint_every_n_hours", 10000), ("reshape", False),
                         ("restore_sequentially", False), ("allow_empty", False), ("pad_step_number", False),
                         ("sharded", False), ("built", True), ("variables", ["v1", "v2"]), ("variable_count", 2),
                         ("last_checkpoints", []), ("latest", None)):
        assert about[field] == value, (field, about)
    assert about["checkpoint_state"] == {"model_checkpoint_path": None, "all_model_checkpoint_paths": []}


def test_settings_read_back(s):
    fill(s)
    stated = {"variables": {"my_v2": "v2", "día": "v1"}, "max_to_keep": 3, "keep_checkpoint_every_n_hours": 0.5, "reshape": True,
              "restore_sequentially": True, "allow_empty": True, "pad_step_number": True, "sharded": True}
    about = saver(s, **stated)
    assert {field: about[field] for field in stated} == stated
    again = s.get("savers/s").expect(200).json
    assert {field: again[field] for field in stated} == stated
    assert saver(s, "t", variables=["v2:0"])["variables"] == ["v2"]
    assert saver(s, "u", max_to_keep=None)["max_to_keep"] == 0


def test_the_variables_are_those_of_the_day_it_was_built(s):
    fill(s)
    saver(s)
    saver(s, "deferred", defer_build=True)
    s.make("later", [1])
    s.create("local", 1.0, collections=["local_variables"])
    save(s, "c")
    assert names_of(s, "c") == ["v1", "v2"]
    about = s.get("savers/deferred").json
    assert about["built"] is False and about["variables"] is None
    s.refuses(409, "FAILED_PRECONDITION", ("deferred", "`build()` should be called before save"), "POST", "savers/deferred:save",
              {"name": "d"})
    s.refuses(409, "FAILED_PRECONDITION", "deferred", "POST", "savers/deferred:restore", {"checkpoint": "c"})
    about = s.post("savers/deferred:build").expect(200).json
    assert about["built"] is True and about["variables"] == ["later", "v1", "v2"]
    revision = about["revision"]
    s.make("much_later", [1])
    assert s.post("savers/deferred:build", {}).expect(200).json["variables"] == ["later", "v1", "v2"]
    assert s.get("savers/deferred").json["revision"] == revision
    save(s, "d", "deferred")
    # Made over, it looks again.
    assert saver(s)["variables"] == ["later", "much_later", "v1", "v2"]


def test_one_that_is_put_again_is_made_over_and_keeps_its_list(s):
    fill(s)
    saver(s, max_to_keep=3, pad_step_number=True, variables=["v1"])
    save(s, "c", global_step=7)
    about = s.put("savers/s", {"variables": {"x": "v2"}}).expect(200).json
    assert (about["max_to_keep"], about["pad_step_number"], about["variables"]) == (5, False, {"x": "v2"})
    assert about["last_checkpoints"] == ["c-00000007"] and about["latest"] == "c-00000007"
    save(s, "c", global_step=7)
    assert names_of(s, "c-7") == ["x"] and last(s) == ["c-00000007", "c-7"]


def test_lists_by_pages(s):
    fill(s)
    for name in ("c", "a/x", "b"):
        saver(s, name)
    save(s, "k", "b")
    listed = s.get("savers").expect(200).json["savers"]
    assert [each["name"] for each in listed] == ["a/x", "b", "c"]
    assert listed[1]["latest"] == "k" and listed[1]["checkpoints"] == 1 and listed[0]["latest"] is None
    page = s.get("savers?page_size=2").json
    assert len(page["savers"]) == 2
    rest = s.get(f"savers?page_size=2&page_token={page['next_page_token']}").json
    assert [each["name"] for each in rest["savers"]] == ["c"] and not rest.get("next_page_token")
    s.refuses(400, "INVALID_ARGUMENT", "page token", "GET", "savers?page_token=" + 300 * "x")


def test_changing_one_setting_leaves_the_others(s):
    fill(s)
    saver(s, variables=["v1"], max_to_keep=4, reshape=True)
    about = s.patch("savers/s", {"max_to_keep": 2, "pad_step_number": True}).expect(200).json
    assert (about["max_to_keep"], about["pad_step_number"], about["reshape"], about["variables"]) == (2, True, True, ["v1"])
    about = s.patch("savers/s", {"variables": {"y": "v2"}}).expect(200).json
    assert (about["max_to_keep"], about["variables"]) == (2, {"y": "v2"})
    tag = s.get("savers/s").etag
    s.patch("savers/s", {"sharded": True}, {"If-Match": tag}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "s", "PATCH", "savers/s", {"sharded": False}, {"If-Match": tag})
    s.refuses(412, "PRECONDITION_FAILED", "s", "PUT", "savers/s", {}, {"If-None-Match": "*"})
    s.refuses(404, "NOT_FOUND", "ghost", "PATCH", "savers/ghost", {"sharded": False})


def test_a_deleted_saver_leaves_its_checkpoints(s):
    fill(s)
    saver(s, max_to_keep=2)
    save(s, "a")
    save(s, "b")
    s.delete("savers/s").expect(200)
    assert checkpoints(s) == ["a", "b"] and s.get("checkpoints/a").json["saver"] == "s"
    for method, path, body in (("GET", "savers/s", None), ("DELETE", "savers/s", None), ("POST", "savers/s:save", {"name": "c"}),
                               ("POST", "savers/s:restore", {"checkpoint": "a"}), ("GET", "checkpoints:latest?saver=s", None),
                               ("POST", "savers/s:build", {})):
        s.refuses(404, "NOT_FOUND", "saver 's'", method, path, body)
    # Another of its name has nothing to do with them.
    saver(s, max_to_keep=1)
    assert last(s) == [] and s.get("savers/s").json["latest"] is None
    save(s, "c")
    save(s, "d")
    assert checkpoints(s) == ["a", "b", "d"]
    is_whole(s)


def test_a_model_goes_with_its_savers(s):
    fill(s)
    saver(s)
    save(s, "c")
    s.delete("").expect(200)
    is_whole(s)
    s.put("", {}).expect(201)
    assert s.get("savers").json["savers"] == []


# --- what is wrong with one ----------------------------------------------------------------------

def test_names_that_no_saver_can_have(s):
    fill(s)
    s.post("variables", {"name": "p", "initial_value": {"op": "zeros", "shape": [4]}, "slicing": [2]}).expect(201)
    for variables, status, words in (
            (["v1", "v1"], 400, "At least two variables have the same name: v1"),
            (["v1", "v1:0"], 400, "At least two variables have the same name: v1"),
            ({"v0": "v1", "v0too": "v1"}, 400, "The same saveable will be restored with two names: v0too"),
            ({"b": "v1", "a": "v1", "c": "v2"}, 400, "The same saveable will be restored with two names: b"),
            (["p", "p/part_0", "p/part_1"], 400, "Mixing slices and non-slices with the same name: p"),
            (["p/part_0", "p"], 400, "At least two variables have the same name: p"),
            (["p/part_0", "p/part_0"], 400, "The same saveable will be restored with two names: p/part_0"),
            (["p/part_0"], 400, ("p", "1 of its 2 parts")),
            ({"x": ["p/part_0", "v1"]}, 400, "Slices must all be slices: v1"),
            ({"x": ["p/part_1"]}, 400, "1 of its 2 parts"),
            (["ghost"], 404, "Variable to save is not a Variable: ghost"),
            (["p/part_2"], 404, "Variable to save is not a Variable: p/part_2"),
            (["v1/part_0"], 404, "Variable to save is not a Variable: v1/part_0"),
            (["p/part_00", "p/part_1"], 404, "Variable to save is not a Variable: p/part_00"),
            ({"x": "ghost"}, 404, ("names_to_saveables must be a dict mapping string names to Tensors/Variables", "ghost")),
            ([5], 400, "Variable to save is not a Variable: 5"),
            ([["v1"]], 400, "Variable to save is not a Variable: "),
            ({"x": 5}, 400, "Not a variable: 5"),
            ({"x": None}, 400, "Not a variable: null"),
            ({"x": []}, 400, "Not a variable: []"),
            ({"": "v1"}, 400, "tensor"),
            ("v1", 400, "Variables to save should be passed in a dict or a list: \"v1\""),
            (7, 400, "Variables to save should be passed in a dict or a list: 7"),
            (["a..b//c"], 400, "a..b//c"),
            ([], 400, "No variables to save"),
            ({}, 400, "No variables to save")):
        s.refuses(status, {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}[status], words, "PUT", "savers/s", {"variables": variables})
    s.refuses(404, "NOT_FOUND", "saver 's'", "GET", "savers/s")
    # And all its parts mean the variable.
    assert saver(s, variables=["p/part_1:0", "v1", "p/part_0:0"])["variables"] == ["p", "v1"]
    assert saver(s, "t", variables={"q": ["p/part_0", "p/part_1"]})["variables"] == {"q": "p"}


def test_settings_that_mean_nothing(s):
    fill(s)
    for body, word in (({"max_to_keep": -1}, "max_to_keep"), ({"max_to_keep": 2.5}, "max_to_keep"), ({"max_to_keep": 10001}, "0 or null"),
                       ({"keep_checkpoint_every_n_hours": -1}, "keep_checkpoint_every_n_hours"),
                       ({"keep_checkpoint_every_n_hours": "NaN"}, "keep_checkpoint_every_n_hours"), ({"reshape": 1}, "reshape"),
                       ({"max_to_kep": 3}, "max_to_keep"), ({"var_list": ["v1"]}, "var_list"),
                       ({"last_checkpoints": "c"}, "last_checkpoints"),
                       ({"last_checkpoints": [], "recover_last_checkpoints": []}, "not both"),
                       ({"variables": ["v1"], "defer_build": True}, "If `var_list` is provided then build cannot be deferred.")):
        s.refuses(400, "INVALID_ARGUMENT", word, "PUT", "savers/s", body)
    s.refuses(400, "INVALID_ARGUMENT", "saver", "PUT", "savers/-s", {})
    saver(s)
    s.refuses(400, "INVALID_ARGUMENT", "defer_build", "PATCH", "savers/s", {"defer_build": True})
    s.refuses(400, "INVALID_ARGUMENT", "x", "POST", "savers/s:build", {"x": 1})


def test_a_saver_of_nothing(s):
    s.refuses(400, "INVALID_ARGUMENT", "No variables to save", "PUT", "savers/s", {})
    assert saver(s, allow_empty=True)["variables"] == []
    with s.unchanged():
        told = save(s, "c").expect(200).json
        assert told["name"] is None and told["saver"] == "s" and told["removed"] == [], told
        told = s.post("savers/s:restore", {"checkpoint": "ghost"}).expect(200).json
        assert told["restored"] == [] and told["checkpoint"] is None
        s.post("savers/s:restore", {"checkpoint": "latest"}).expect(200)
    assert checkpoints(s) == []


# --- saving --------------------------------------------------------------------------------------

def test_a_save_tells_what_it_made(s):
    fill(s)
    saver(s, variables={"my_v2": "v2"})
    reply = save(s, "model.ckpt", global_step=1000).expect(201)
    assert reply.headers["location"].endswith("/checkpoints/model.ckpt-1000")
    told = reply.json
    assert (told["name"], told["saver"], told["global_step"], told["tensors"]) == ("model.ckpt-1000", "s", 1000, 1), told
    assert told["removed"] == told["kept"] == [] and told["shards"] == 1
    assert names_of(s, "model.ckpt-1000") == ["my_v2"]
    s.make("global_step", 7, "int64")
    assert save(s, "model.ckpt", global_step={"variable": "global_step"}).json["name"] == "model.ckpt-7"
    assert s.get("savers/s").json["checkpoint_state"] == {
        "model_checkpoint_path": "model.ckpt-7", "all_model_checkpoint_paths": ["model.ckpt-1000", "model.ckpt-7"]}
    s.patch("savers/s", {"pad_step_number": True}).expect(200)
    assert save(s, "model.ckpt", global_step=42).json["name"] == "model.ckpt-00000042"
    assert save(s, "model.ckpt", global_step=123456789).json["name"] == "model.ckpt-123456789"


def test_what_cannot_be_saved_through_one(s):
    fill(s)
    saver(s)
    for body, status, code, word in (
            ({}, 400, "INVALID_ARGUMENT", "name"), ({"name": "a/../b"}, 400, "INVALID_ARGUMENT", "name"),
            ({"name": "c", "variables": ["v1"]}, 400, "INVALID_ARGUMENT", "saver 's'"),
            ({"name": "c", "prefix": "v"}, 400, "INVALID_ARGUMENT", "saver 's'"),
            ({"name": "c", "saver": "s"}, 400, "INVALID_ARGUMENT", "saver"),
            ({"name": "c", "global_step": "x"}, 400, "INVALID_ARGUMENT", "global_step")):
        s.refuses(status, code, word, "POST", "savers/s:save", body)
    s.create("u", 1.0)
    saver(s, "all")
    s.refuses(409, "FAILED_PRECONDITION", "uninitialized value u", "POST", "savers/all:save", {"name": "c"})
    s.delete("variables/v2").expect(200)
    s.refuses(404, "NOT_FOUND", "v2", "POST", "savers/s:save", {"name": "c"})
    assert checkpoints(s) == [] and last(s) == []


def test_a_saver_overwrites(s):
    fill(s)
    saver(s, variables=["v1"])
    save(s, "c").expect(201)
    s.assign("v1", [8, 9])
    save(s, "c").expect(200)
    assert s.get("checkpoints/c:value?tensor=v1").json["data"] == [8, 9] and last(s) == ["c"]
    s.refuses(412, "PRECONDITION_FAILED", "c", "POST", "savers/s:save", {"name": "c"}, {"If-None-Match": "*"})
    s.post("savers/s:save", {"name": "d"}, {"If-None-Match": "*"}).expect(201)
    is_whole(s)


def test_one_shard_for_each_device(s):
    for name, device in (("b", "/job:ps/task:1"), ("a", "/job:ps/task:0"), ("c", "/job:ps/task:1"), ("d", "/job:ps/task:0")):
        s.create(name, 1.0, device=device)
    s.create("e", 2.0)
    s.initialize()
    saver(s, "sharded", sharded=True)
    saver(s, "plain")
    assert save(s, "x", "sharded").json["shards"] == 3
    assert save(s, "y", "plain").json["shards"] == 1
    assert s.get("checkpoints/x").json["shards"] == 3
    s.delete("variables/e").expect(200)
    saver(s, "sharded", sharded=True)
    assert save(s, "x", "sharded").json["shards"] == 2
    is_whole(s)


def test_two_savers_of_one_variable(s):
    """The guide's own."""
    fill(s)
    saver(s, "all")
    saver(s, "two", variables={"my_v2": "v2"})
    save(s, "a", "all")
    s.assign("v2", [9])
    save(s, "b", "two")
    s.post("savers/all:restore", {"checkpoint": "a"}).expect(200)
    assert s.value("v2") == [3]
    s.post("savers/two:restore", {"checkpoint": "latest"}).expect(200)
    assert s.value("v2") == [9] and s.value("v1") == [1, 2]
    assert latest(s, "all") == "a" and latest(s, "two") == "b"
    assert s.get("checkpoints:latest").json["name"] == "b"


# --- restoring -----------------------------------------------------------------------------------

def test_restoring_goes_by_the_savers_names(s):
    fill(s)
    saver(s, variables={"x": "v1", "y": "v2"})
    save(s, "c", global_step=5)
    s.assign("v1", [0, 0])
    s.assign("v2", [0])
    told = s.post("savers/s:restore", {"checkpoint": "latest", "dry_run": True}).expect(200).json
    assert told["checkpoint"] == "c-5" and sorted(told["restored"]) == ["v1", "v2"] and s.value("v1") == [0, 0]
    told = s.post("savers/s:restore", {"checkpoint": "c-5"}).expect(200).json
    assert told["checkpoint"] == "c-5" and s.value("v1") == [1, 2] and s.value("v2") == [3]
    s.save("other", variables=["v1"])
    s.refuses(404, "NOT_FOUND", "Key x not found in checkpoint", "POST", "savers/s:restore", {"checkpoint": "other"})
    told = s.post("savers/s:restore", {"checkpoint": "other", "on_missing": "skip"}).expect(200).json
    assert told["restored"] == [] and sorted(told["missing"]) == ["x", "y"]


def test_restoring_from_another_model(s):
    fill(s)
    saver(s, variables=["v1"])
    save(s, "c")
    source, s.model = s.model, s.model + "-other"
    s.put("", {}).expect(201)
    s.create("v1", [0.0, 0.0])
    saver(s)
    s.post("savers/s:restore", {"checkpoint": {"model": source, "name": "c"}}).expect(200)
    assert s.value("v1") == [1, 2]


def test_reshape_is_the_savers(s):
    s.make("v", [[1, 2, 3], [4, 5, 6]])
    saver(s, "plain")
    saver(s, "reshape", reshape=True)
    save(s, "c", "plain")
    s.delete("variables/v").expect(200)
    s.make("v", [[0, 0], [0, 0], [0, 0]])
    s.refuses(400, "INVALID_ARGUMENT", "Assign requires shapes of both tensors to match. lhs shape= [3,2] rhs shape= [2,3]", "POST",
              "savers/plain:restore", {"checkpoint": "c"})
    s.post("savers/reshape:restore", {"checkpoint": "c"}).expect(200)
    assert s.value("v") == [[1, 2], [3, 4], [5, 6]]
    s.delete("variables/v").expect(200)
    s.make("v", [0, 0])
    s.refuses(400, "INVALID_ARGUMENT", "Input to reshape is a tensor with 6 values, but the requested shape has 2", "POST",
              "savers/reshape:restore", {"checkpoint": "c"})


def test_what_is_not_there_to_restore(s):
    fill(s)
    saver(s)
    s.refuses(404, "NOT_FOUND", ("ghost", "Failed to find any matching files for ghost"), "POST", "savers/s:restore",
              {"checkpoint": "ghost"})
    s.refuses(404, "NOT_FOUND", ("saver 's'", "Can't load save_path when it is None."), "POST", "savers/s:restore",
              {"checkpoint": "latest"})
    s.refuses(404, "NOT_FOUND", "saver 's' has no checkpoint", "GET", "checkpoints:latest?saver=s")
    for body in ({}, {"checkpoint": None}):
        s.refuses(400, "INVALID_ARGUMENT", "Can't load save_path when it is None.", "POST", "savers/s:restore", body)
    for body, word in (({"checkpoint": 5}, "checkpoint"), ({"checkpoint": "a..//"}, "a..//"), ({"checkpoint": {"model": "m"}}, "name"),
                       ({"checkpoint": "c", "variables": ["v1"]}, "saver 's'"),
                       ({"checkpoint": "c", "prefix_map": {"a": "b"}}, "saver 's'"), ({"checkpoint": "c", "reshape": True}, "saver 's'"),
                       ({"checkpoint": "c", "chekpoint": 1}, "chekpoint")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "savers/s:restore", body)
    # A checkpoint of that name is asked for by an object.
    save(s, "latest")
    save(s, "c")
    assert s.post("savers/s:restore", {"checkpoint": "latest"}).expect(200).json["checkpoint"] == "c"
    assert s.post("savers/s:restore", {"checkpoint": {"name": "latest"}}).expect(200).json["checkpoint"] == "latest"
