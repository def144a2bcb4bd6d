"""POST :run: operations in order in one commit, with requirements, guards, fetches and dry runs."""

import formats

np = formats.np


def furnish(s):
    s.make("a", [1.0, 2.0], "float32")
    s.make("b", [10.0, 20.0], "float32")
    s.make("n", 0, "int64")


def run(s, *ops, **fields):
    return s.post(":run", {"ops": list(ops), **fields}).expect(200).json


def op(verb, variable, value=None, **fields):
    return {"op": verb, "variable": variable, **({} if value is None else {"value": value}), **fields}


def test_operations_see_those_before_them_and_are_one_commit(s):
    furnish(s)
    before = s.info("n")["revision"]
    reply = run(s, op("assign_add", "a", [1, 1]), op("assign", "b", {"variable": "a"}),
                op("assign_sub", "b", [2, 2]), op("count_up_to", "n", limit=5),
                fetches={"b": {"variable": "b"}, "n": {"variable": "n"}})
    assert reply["revision"] == before + 1
    assert reply["fetches"]["b"] == {"dtype": "float32", "shape": [2], "data": [0.0, 1.0]}
    assert reply["fetches"]["n"]["data"] == 1
    assert [r["op"] for r in reply["results"]] == ["assign_add", "assign", "assign_sub", "count_up_to"]
    assert [r["version"] for r in reply["results"]] == [2, 2, 3, 2] and reply["results"][3]["value"] == 0
    assert {r["revision"] for r in reply["results"]} == {before + 1}
    assert s.info("b")["version"] == 3
    assert s.array("a").tolist() == [2, 3] and s.array("b").tolist() == [0, 1]


def test_a_checkpoint_keeps_what_was_there_at_its_place(s):
    furnish(s)
    big = {"op": "fill", "dims": [300000], "value": {"dtype": "float32", "shape": [], "data": [1]}}
    s.create("big", big)
    s.post("variables/big:initialize")
    reply = run(s, op("assign", "a", [5, 6]), op("scatter_add", "big", indices=[7], updates=[1.0]),
                {"op": "save", "name": "mid", "global_step": {"variable": "n"}},
                op("assign", "a", [7, 8]), op("scatter_add", "big", indices=[7, 299999], updates=[1.0, 1.0]),
                {"op": "save", "name": "end", "variables": {"first": "a"}})
    assert [r["name"] for r in reply["results"] if r["op"] == "save"] == ["mid-0", "end"]
    assert s.get("checkpoints/mid-0:value?tensor=a").json["data"] == [5, 6]
    assert s.get("checkpoints/mid-0:value?tensor=big&slice=6:8").json["data"] == [1, 2]
    assert s.get("checkpoints/mid-0:value?tensor=big&slice=-1").json["data"] == 1
    assert s.get("checkpoints/end:value?tensor=first").json["data"] == [7, 8]
    assert s.get("variables/big:value?slice=7").json["data"] == 3
    assert s.post("/v1:verify?payloads=true").expect(200).json["findings"] == 0


def test_initialization_in_a_run_reads_what_came_before(s):
    s.make("w", [3.0], "float32")
    s.create("twice", {"op": "multiply", "args": [{"variable": "w"}, 2.0]})
    reply = run(s, op("assign", "w", [4.0]), {"op": "initialize", "variables": ["twice"]}, op("assign_add", "twice", [1.0]))
    assert reply["results"][1]["initialized"] == ["twice"]
    assert s.array("twice").tolist() == [9.0]


def test_large_and_small_values_in_one_run(s):
    furnish(s)
    s.create("big", {"op": "zeros", "shape": [600000]})
    s.post("variables/big:initialize")
    reply = run(s, op("assign_add", "big", {"op": "ones", "shape": [600000]}), op("count_up_to", "n", limit=5),
                op("assign_add", "big", {"variable": "big"}), op("assign", "a", [0, 0]),
                fetches={"sum": {"op": "reduce_sum", "args": [{"variable": "big"}]}})
    assert reply["fetches"]["sum"]["data"] == 1200000.0
    assert s.post("/v1:verify?payloads=true").expect(200).json["findings"] == 0


def test_requirements_name_both_sides(s):
    furnish(s)
    version, revision = s.info("a")["version"], s.info("b")["revision"]
    run(s, op("assign", "a", [0, 0]), require=[{"variable": "a", "version": version}, {"variable": "b:0", "revision": revision}])
    s.refuses(412, "PRECONDITION_FAILED", f"has version {version + 1}, {version} is required", "POST", ":run",
              {"require": [{"variable": "a", "version": version}], "ops": [op("assign", "b", [0, 0])]})
    s.refuses(412, "PRECONDITION_FAILED", "require[1]", "POST", ":run",
              {"require": [{"variable": "a", "version": version + 1}, {"variable": "b", "revision": 1}], "ops": []})
    s.refuses(404, "NOT_FOUND", "'absent'", "POST", ":run", {"require": [{"variable": "absent", "version": 0}]})
    s.refuses(400, "INVALID_ARGUMENT", "version", "POST", ":run", {"require": [{"variable": "a"}]})


def test_guards_let_nothing_through(s):
    furnish(s)
    run(s, op("assign_add", "a", [3, 4]), guards={"finite": True, "max_update_norm": 5.0})
    s.refuses(422, "UNPROCESSABLE", "norm of 10", "POST", ":run",
              {"ops": [op("assign_add", "a", [3, 4]), op("assign_add", "a", [3, 4])], "guards": {"max_update_norm": 9.9}})
    s.refuses(422, "UNPROCESSABLE", "first at element 1", "POST", ":run",
              {"ops": [op("assign_add", "b", [1, "Infinity"])], "guards": {"finite": True}})
    reply = run(s, op("assign_add", "a", [3, 4]), op("assign_sub", "a", [3, 4]), guards={"max_update_norm": 0.0})
    assert reply["update_norm"] == 0.0
    for wrong in (-1, "NaN", "Infinity", "much"):
        s.refuses(400, "INVALID_ARGUMENT", "max_update_norm", "POST", ":run", {"guards": {"max_update_norm": wrong}})


def test_the_500th_operation_fails_and_nothing_is_done(s):
    furnish(s)
    ops = [op("assign_add", "a", [1, 1]) for _ in range(499)] + [op("assign_add", "a", [1, 1, 1])]
    with s.unchanged():
        reply = s.post(":run", {"ops": ops})
        assert reply.status == 400 and reply.json["failed_operation"] == 499, reply
        assert "shape [2] expected, the value has [3]" in reply.detail
    assert s.array("a").tolist() == [1, 2]
    run(s, *ops[:499])
    assert s.array("a").tolist() == [500, 501]


def test_a_dry_run_tells_and_keeps_nothing(s):
    furnish(s)
    with s.unchanged():
        reply = run(s, op("assign", "a", [8, 9]), {"op": "save", "name": "c"}, dry_run=True, fetches={"a": {"variable": "a"}})
        assert reply["dry_run"] is True and reply["fetches"]["a"]["data"] == [8, 9]
        assert s.get("checkpoints/c").status == 404
        bad = s.post(":run", {"ops": [op("assign", "a", [1])], "dry_run": True})
        assert bad.status == 400 and bad.json["failed_operation"] == 0


def test_a_run_without_operations_is_a_look_at_one_revision(s):
    furnish(s)
    with s.unchanged():
        reply = s.post(":run", {"fetches": {"x": {"op": "add", "args": [{"variable": "a"}, {"variable": "b"}]}}}).expect(200).json
    assert reply["fetches"]["x"]["data"] == [11.0, 22.0] and reply["results"] == []


def test_bad_requests(s):
    furnish(s)
    for word, body in (
            ("there is no operation 'asign': did you mean 'assign'?", {"ops": [{"op": "asign", "variable": "a"}]}),
            ("there is no operation 'transpose' (GET /v1/verbs lists them)", {"ops": [{"op": "transpose"}]}),
            ("'ops[0].op' is required", {"ops": [{"variable": "a", "value": 1}]}),
            ("unknown field", {"ops": [op("assign", "a", [1, 1], vlaue=3)]}),
            ("'ops[0].value' is required", {"ops": [op("assign", "a")]}),
            ("'ops[0].variable' is required", {"ops": [{"op": "assign", "value": 1}]}),
            ("unknown field 'opps'", {"opps": []}),
            ("unknown field 'ops[0].name'; known here: op, variable, value, validate_shape, slice", {"ops": [op("assign", "a", 1, name="a")]}),
            ("unknown field 'actions'; known here: require, guards, dry_run, device, ops, fetches", {"actions": []}),
            ("'ops'", {"ops": {"op": "assign"}}),
            ("'ops[0]'", {"ops": [1]}),
            ("'fetches'", {"fetches": [1]}),
            ("fetch 'x'", {"fetches": {"x": {"op": "add", "args": [{"variable": "a"}, [1, 2, 3]]}}}),
            ("limit", {"ops": [op("count_up_to", "n")]}),
            ("only assign may change a shape", {"ops": [op("assign_add", "a", [1, 1], validate_shape=False)]})):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", ":run", body)
    s.refuses(404, "NOT_FOUND", "'absent'", "POST", ":run", {"ops": [op("assign", "absent", 1)]})
    s.refuses(409, "FAILED_PRECONDITION", "not initialized", "POST", ":run", {"fetches": {"x": {"variable": declare(s)}}})
    s.refuses(409, "ALREADY_EXISTS", "twice", "POST", ":run",
              {"ops": [{"op": "save", "name": "twice"}, {"op": "save", "name": "twice"}]} if initialized(s) else {})


def declare(s):
    s.create("u", {"op": "zeros", "shape": [2]})
    return "u"


def initialized(s):
    return s.post(":initialize", {"only_uninitialized": True}).expect(200)


def test_the_catalogue_names_every_operation(s):
    verbs = {verb["name"]: verb for verb in s.get("/v1/verbs").expect(200).json["verbs"]}
    assert {"assign", "scatter_nd_add", "count_up_to", "initialize", "save", "apply_gradients",
            "apply_moving_averages"} <= set(verbs)
    assert verbs["assign"]["fields"] == ["variable", "value", "validate_shape", "slice", "device"]
    assert verbs["apply_gradients"]["fields"] == ["optimizer", "gradients", "global_step", "clip_by_global_norm",
                                                  "base_revision", "max_staleness", "accumulate", "device"]
    assert all(verb["summary"].endswith(".") for verb in verbs.values())
