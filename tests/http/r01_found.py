"""What was wrong once."""

import formats

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}


def test_a_scalars_shape_travels_in_a_header(s):
    """An empty header value was refused by the library, and the connection closed without a reply."""
    s.create("n", dtype="float64", shape=[])
    s.assign("n", 1.5)
    for kind in ("raw", "npy", "safetensors"):
        s.get(f"variables/n:value?format={kind}").expect(200)
    shape = s.get("variables/n:value?format=raw").headers["tensor-shape"]
    s.put("variables/copy", np.float64(2.5).tobytes(), {
        "Content-Type": "application/octet-stream", "Tensor-Dtype": "float64", "Tensor-Shape": shape}).expect(201)
    assert s.info("copy")["shape"] == [] and s.value("copy") == 2.5


def test_metadata_of_any_length_is_kept(s):
    """Trained files carry more than a few kilobytes of it."""
    metadata = {f"text_encoder:{i}:rank": "x" * (i * 7 % 90) for i in range(400)}
    s.put("checkpoints/c", formats.safetensors_write({"w": ("int8", [1], b"\1")}, metadata), SAFE).expect(201)
    s.restart()
    _, found = formats.safetensors_read(s.get("checkpoints/c:export?format=safetensors").expect(200).body)
    assert {name: found.get(name) for name in metadata} == metadata


def test_a_tensors_name_may_hold_control_characters_in_a_query(s):
    s.put("checkpoints/c", formats.safetensors_write({"a\nb\x01": ("int8", [1], b"\7")}), SAFE).expect(201)
    assert s.get("checkpoints/c:value?tensor=a%0Ab%01").expect(200).json["data"] == [7]
    s.refuses(400, "INVALID_ARGUMENT", (), "GET", "checkpoints/c:value?tensor=a%00b")


def test_a_refused_restore_still_tells_what_it_found(s):
    s.make("a", [1])
    s.make("b", [1, 2])
    s.save("c")
    s.delete("variables/b").expect(200)
    s.make("b", [1, 2, 3])
    s.delete("variables/a").expect(200)
    report = s.post("checkpoints/c:restore", {}).json
    for field in ("restored", "missing", "unexpected", "mismatched"):
        assert isinstance(report[field], list), report
    assert report["restored"] == [] or s.info("b")["shape"] == [3]
    assert report["mismatched"] and report["unexpected"], report


def test_a_value_that_two_checkpoints_hold_is_shared(s):
    s.put_npy("w", np.ones(100_000, "<f4"))
    s.save("one")
    s.delete("variables/w").expect(200)
    assert s.get("checkpoints/one").json["unique_bytes"] == 400_000
    s.restore("one", create=True)
    s.save("two")
    assert s.get("checkpoints/two").json["shared_bytes"] == 400_000


def test_what_another_model_does_is_no_change_of_these_values(s):
    """One strong tag stood for two bodies: the body told the store's revision, the tag the model's."""
    s.make("a", [1, 2])
    for kind in ("json", "safetensors"):
        before = s.get(f"values?format={kind}").expect(200)
        s.put(f"/v1/models/{s.model}_neighbour_{kind}", {}).expect(201)
        after = s.get(f"values?format={kind}").expect(200)
        assert after.etag == before.etag and after.body == before.body
        s.get(f"values?format={kind}", {"If-None-Match": before.etag}).expect(304)
    s.assign("a", [3, 4])
    s.get("values?format=safetensors", {"If-None-Match": before.etag}).expect(200)


def test_an_integer_too_large_for_int64_is_refused_not_rounded(s):
    for text in ("9223372036854775808", "18446744073709551616", "-9223372036854775809", "[1, 18446744073709551615]"):
        body = f'{{"name": "n", "initial_value": {text}}}'.encode()
        s.refuses(400, "INVALID_ARGUMENT", ("int64",), "POST", "variables", body)
    s.create("n", initial_value=9223372036854775807)
    assert s.info("n")["dtype"] == "int64"


def test_only_uninitialized_skips_a_variable_that_was_assigned(s):
    s.create("n", dtype="int32", shape=[])
    s.refuses(409, "FAILED_PRECONDITION", ("initial value",), "POST", ":initialize",
              {"variables": ["n"], "only_uninitialized": True})
    s.assign("n", 5)
    report = s.post(":initialize", {"variables": ["n"], "only_uninitialized": True}).expect(200).json
    assert report["initialized"] == [] and report["skipped"] == ["n"], report
    s.refuses(409, "FAILED_PRECONDITION", ("initial value",), "POST", ":initialize", {"variables": ["n"]})


def test_the_reply_to_initialize_tells_the_seeds_it_drew(s):
    """With them the run can be repeated: the pair is the model's seed and the op's."""
    s.create("r", initial_value={"op": "add", "args": [{"op": "random_uniform", "shape": [5]},
                                                       {"op": "random_normal", "shape": [5]}]})
    s.create("z", initial_value={"op": "zeros", "shape": [2]})
    drawn = s.post(":initialize", {}).expect(200).json["initialized_with"]
    assert list(drawn) == ["r"] and len(drawn["r"]) == 2, drawn
    assert drawn["r"] == s.info("r")["initialized_with"]
    first = s.value("r")
    parts = []
    for op, draw in zip(("random_uniform", "random_normal"), drawn["r"]):
        again = f"/v1/models/{s.model}_{op}"
        s.put(again, {"seed": draw["seed"]}).expect(201)
        s.post(f"{again}/variables", {"name": "a", "initial_value": {"op": op, "shape": [5], "seed": draw["seed2"]}})
        s.post(f"{again}:initialize", {}).expect(200)
        parts.append(np.float32(s.get(f"{again}/variables/a:value").expect(200).json["data"]))
    assert (parts[0] + parts[1]).tolist() == np.float32(first).tolist()


def test_output_names_mean_the_variable_in_lists_of_names_too(s):
    s.make("w", [1, 2])
    assert s.get("values?names=w:0").expect(200).json["values"]["w"]["data"] == [1, 2]
    s.refuses(400, "INVALID_ARGUMENT", ("twice",), "GET", "values?names=w,w:0")


def test_every_update_takes_validate_shape_and_only_assign_its_false(s):
    s.make("w", [1, 2])
    for verb in ("assign", "assign_add", "assign_sub"):
        s.post(f"variables/w:{verb}", {"value": [1, 2], "validate_shape": True}).expect(200)
    for verb in ("assign_add", "assign_sub"):
        s.refuses(400, "INVALID_ARGUMENT", ("validate_shape",), "POST", f"variables/w:{verb}",
                  {"value": [1, 2], "validate_shape": False})


def test_formats_that_are_told_are_those_there_are(s):
    told = {entry["name"]: entry["media_type"] for entry in s.get("/v1").expect(200).json["formats"]}
    assert set(told) == {"json", "raw", "npy", "safetensors", "npz", "tf_v1", "tf_v2", "safetensors_shards"}, told
    refused = s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "hdf5", "PUT", "checkpoints/c?format=hdf5", b"x").detail
    for name in set(told) - {"json", "raw"}:
        assert f"{name} ({told[name]})" in refused, (name, refused)


def test_conditions_on_whole_runs_are_about_the_model(s):
    s.create("w", {"op": "ones", "shape": [2]})
    stale = s.get("").expect(200).etag
    s.create("v", {"op": "ones", "shape": [2]})
    s.refuses(412, "PRECONDITION_FAILED", "model", "POST", ":initialize", {}, headers={"If-Match": stale})
    s.post(":initialize", {}, headers={"If-Match": s.get("").etag}).expect(200)
    s.save("c")
    s.refuses(412, "PRECONDITION_FAILED", "model", "POST", "checkpoints/c:restore", {}, headers={"If-Match": stale})
    s.post("checkpoints/c:restore", {}, headers={"If-Match": s.get("").etag}).expect(200)


def test_a_page_of_checkpoints_goes_on_when_its_last_one_is_gone(s):
    s.create("w", {"op": "ones", "shape": [2]})
    s.initialize()
    for name in "abcd":
        s.save(name)
    page = s.get("checkpoints?page_size=2").expect(200).json
    assert [each["name"] for each in page["checkpoints"]] == ["d", "c"]
    s.delete("checkpoints/c").expect(200)
    page = s.get(f"checkpoints?page_size=2&page_token={page['next_page_token']}").expect(200).json
    assert [each["name"] for each in page["checkpoints"]] == ["b", "a"] and page["next_page_token"] is None


def test_an_expression_with_indices_is_no_sparse_gradient(s):
    s.make("w", [1.0, 2.0], "float32")
    s.put("optimizers/o", {"type": "gradient_descent", "learning_rate": 1.0}).expect(201)
    s.put("accumulators/a", {"dtype": "float32", "shape": [2]}).expect(201)
    rows = {"op": "gather", "params": {"dtype": "float32", "data": [5, 6, 7]}, "indices": [2, 0]}
    s.post("optimizers/o:apply_gradients", {"gradients": {"w": rows}}).expect(200)
    assert s.get("variables/w:value").json["data"] == [-6, -3]
    s.post("accumulators/a:apply_grad", {"gradient": rows}).expect(200)
    assert s.post("accumulators/a:take_grad", {"num_required": 1}).expect(200).json["gradient"]["data"] == [7, 5]
