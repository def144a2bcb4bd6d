"""Restoring: all, some, renamed, from elsewhere; all or nothing."""


def names_in(report, field):
    """Entries are names, or objects that tell more."""
    assert field in report, f"no '{field}' in {report}"
    return sorted(entry if isinstance(entry, str) else entry.get("variable") or entry["name"] for entry in report[field])


def fill(s):
    s.make("a", [1, 2])
    s.make("b", [3], "int32")
    s.save("c")


def test_restoring_needs_no_initialization(s):
    fill(s)
    s.delete("variables/a").expect(200)
    s.create("a", {"op": "zeros", "shape": [2]})
    report = s.restore("c").json
    assert names_in(report, "restored") == ["a", "b"]
    assert report["missing"] == report["unexpected"] == report["mismatched"] == [], report
    assert s.info("a")["initialized"] is True and s.value("a") == [1, 2] and s.value("b") == [3]


def test_restoring_some(s):
    fill(s)
    s.put("variables/a:value", [0, 0]).expect(200)
    s.put("variables/b:value", [0]).expect(200)
    assert names_in(s.restore("c", variables=["b"]).json, "restored") == ["b"]
    assert s.value("a") == [0, 0] and s.value("b") == [3]


def test_restoring_under_other_names(s):
    s.make("v2", [7, 8])
    s.save("c", variables={"my_v2": "v2"})
    s.put("variables/v2:value", [0, 0]).expect(200)
    s.restore("c", variables={"my_v2": "v2"})
    assert s.value("v2") == [7, 8]
    s.make("old/x", [1])
    s.save("d", variables=["old/x"])
    s.make("new/x", [0])
    s.restore("d", prefix_map={"old/": "new/"})
    assert s.value("new/x") == [1]


def test_one_tensor_into_several_variables(s):
    s.make("a", [5])
    s.save("c")
    s.make("x", [0])
    s.restore("c", variables={"a": "x"})
    assert s.value("x") == [5] and s.value("a") == [5]


def test_from_another_model(s):
    fill(s)
    source = s.model
    s.put("/v1/models/target", {}).expect(201)
    s.model = "target"
    s.make("z", [0, 0])
    reply = s.post(":restore", {"checkpoint": {"model": source, "name": "c"}, "variables": {"a": "z"}}).expect(200)
    assert names_in(reply.json, "restored") == ["z"] or names_in(reply.json, "restored") == ["a"]
    assert s.value("z") == [1, 2]
    s.refuses(404, "NOT_FOUND", "ghost", "POST", ":restore", {"checkpoint": {"model": "ghost", "name": "c"}})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", ":restore", {"checkpoint": {"model": source, "name": "ghost"}})
    # The bytes stay when the model they came from goes.
    s.delete(f"/v1/models/{source}").expect(200)
    assert s.value("z") == [1, 2]


def test_strict_by_default_and_all_or_nothing(s):
    fill(s)
    s.put("variables/a:value", [0, 0]).expect(200)
    s.delete("variables/b").expect(200)
    s.make("b", [1, 2], "int32")
    reply = s.refuses(400, "INVALID_ARGUMENT", ("b", "[1]", "[2]"), "POST", "checkpoints/c:restore", {})
    assert s.value("a") == [0, 0] and s.value("b") == [1, 2]
    assert names_in(reply.json, "mismatched") == ["b"], reply.json
    s.make("extra", [1])
    reply = s.post("checkpoints/c:restore", {"variables": ["extra"]})
    assert reply.status in (400, 404) and "extra" in reply.detail and names_in(reply.json, "missing") == ["extra"], str(reply)


def test_a_mismatch_in_dtype_names_both(s):
    s.make("a", [1, 2])
    s.save("c")
    s.delete("variables/a").expect(200)
    s.make("a", [1, 2], "float64")
    s.refuses(400, "INVALID_ARGUMENT", ("a", "float32", "float64"), "POST", "checkpoints/c:restore", {})


def test_what_is_missing_or_left_over_may_be_skipped(s):
    fill(s)
    s.delete("variables/b").expect(200)
    s.make("c", [9])
    s.put("variables/a:value", [0, 0]).expect(200)
    # b is in the checkpoint and nowhere in the model.
    with s.unchanged():
        reply = s.post("checkpoints/c:restore", {"on_extra": "error"})
        assert reply.status in (400, 404, 409) and "b" in reply.detail, str(reply)
    report = s.restore("c", on_extra="skip").json
    assert names_in(report, "restored") == ["a"] and names_in(report, "unexpected") == ["b"], report
    assert s.value("a") == [1, 2]
    report = s.restore("c", variables=["a", "c"], on_missing="skip").json
    assert names_in(report, "restored") == ["a"] and names_in(report, "missing") == ["c"], report
    assert s.value("c") == [9]


def test_mismatches_may_be_skipped(s):
    fill(s)
    s.put("variables/a:value", [0, 0]).expect(200)
    s.delete("variables/b").expect(200)
    s.make("b", [1, 2], "int32")
    report = s.restore("c", on_mismatch="skip").json
    assert names_in(report, "restored") == ["a"] and names_in(report, "mismatched") == ["b"], report
    assert s.value("a") == [1, 2] and s.value("b") == [1, 2]


def test_reshape(s):
    s.make("a", [[1, 2, 3], [4, 5, 6]])
    s.save("c")
    s.delete("variables/a").expect(200)
    s.make("a", [0] * 6)
    s.refuses(400, "INVALID_ARGUMENT", "a", "POST", "checkpoints/c:restore", {})
    s.restore("c", reshape=True)
    assert s.info("a")["shape"] == [6] and s.value("a") == [1, 2, 3, 4, 5, 6]
    s.delete("variables/a").expect(200)
    s.make("a", [0] * 5)
    s.refuses(400, "INVALID_ARGUMENT", "a", "POST", "checkpoints/c:restore", {"reshape": True})


def test_create_makes_what_is_missing(s):
    fill(s)
    s.delete("variables/b").expect(200)
    report = s.restore("c", create=True).json
    assert names_in(report, "restored") == ["a", "b"]
    assert s.value("b") == [3] and s.info("b")["dtype"] == "int32"


def test_dry_run_tells_and_changes_nothing(s):
    fill(s)
    s.put("variables/a:value", [0, 0]).expect(200)
    with s.unchanged():
        report = s.post("checkpoints/c:restore", {"dry_run": True}).expect(200).json
    assert names_in(report, "restored") == ["a", "b"] and s.value("a") == [0, 0]


def test_bad_requests(s):
    fill(s)
    for body, word in (({"variable": ["a"]}, "variable"), ({"variables": "a"}, "variables"), ({"on_missing": "ignore"}, "ignore"),
                       ({"reshape": 1}, "reshape"), ({"prefix_map": []}, "prefix_map"), ({"variables": {"a": "x:y"}}, "x:y")):
        with s.unchanged():
            reply = s.post("checkpoints/c:restore", body)
        assert reply.status in (400, 404) and word in reply.detail, str(reply)
    s.refuses(400, "INVALID_ARGUMENT", "checkpoint", "POST", ":restore", {})


def test_a_restored_value_is_shared_not_tied(s):
    s.make("a", list(range(5000)))
    s.save("c")
    s.restore("c")
    s.post("variables/a:assign_add", {"value": {"op": "ones", "shape": [5000]}}).expect(200)
    assert s.get("checkpoints/c:value?tensor=a&slice=:3").json["data"] == [0, 1, 2]
    s.delete("checkpoints/c").expect(200)
    assert s.value("a", slice="0:3") == [1, 2, 3]


def test_version_and_revision_move_on_restore(s):
    fill(s)
    before = s.info("a")
    revision = s.restore("c").revision
    after = s.info("a")
    assert after["version"] == before["version"] + 1 and after["revision"] == revision
