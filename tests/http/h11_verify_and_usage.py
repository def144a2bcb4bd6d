"""Checkpoints verified; what checkpoints, models and the whole store take."""

import formats
from flipped import flip

np = formats.np
LARGE = 300_000  # elements: of several chunks


def test_what_is_whole_verifies(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.make("small", [1, 2])
    s.create("fill", {"op": "zeros", "shape": [LARGE]})
    s.initialize(variables=["fill"])
    s.save("c")
    with s.unchanged():
        found = s.post("checkpoints/c:verify").expect(200).json
    assert found["verified"] is True and found["mismatches"] == [] and found["mismatch_count"] == 0, found
    assert (found["checkpoint"], found["tensors"], found["bytes"]) == ("c", 3, LARGE * 8 + 8), found
    assert found["checked_bytes"] == LARGE * 4, found
    s.refuses(404, "NOT_FOUND", "'ghost'", "POST", "checkpoints/ghost:verify")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "GET", "checkpoints/c:verify")



def test_a_flipped_byte_is_reported_and_not_a_failure(s):
    with s.other_server() as t:
        marker = np.random.default_rng(1).bytes(4096)
        t.put_raw("w", "uint8", [400_000], bytes(200_000) + marker + bytes(200_000 - len(marker)))
        t.put_npy("other", np.arange(LARGE, dtype="<f4"))
        t.save("c")
        t.save("whole", variables=["other"])
        t.stop()
        flip(t.server.data, marker)
        t.server.start()
        t.connect()
        found = t.post("checkpoints/c:verify").expect(200).json
        assert found["verified"] is False and found["mismatch_count"] == 1, found
        assert found["mismatches"][0]["tensor"] == "w" and "checksum" in found["mismatches"][0]["reason"], found
        assert (found["tensors"], found["checked_bytes"]) == (2, 400_000 + LARGE * 4), found
        assert t.post("checkpoints/whole:verify").expect(200).json["verified"] is True


# --- what checkpoints take ---


def used(s):
    return s.get("/v1/usage").expect(200).json


def usage_of(s, model=None):
    return next(m for m in used(s)["models"] if m["name"] == (model or s.model))


def listed(s):
    return {c["name"]: c for c in s.get("checkpoints?usage=true").expect(200).json["checkpoints"]}


def test_the_list_tells_what_each_checkpoint_takes_when_asked(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.save("a")
    s.put("variables/w:value?slice=0:10", np.zeros(10, "<f4").tobytes(), {"Content-Type": "application/octet-stream"}).expect(200)
    s.save("b")
    assert "unique_bytes" not in s.get("checkpoints").json["checkpoints"][0]
    found = listed(s)
    assert 0 < found["a"]["unique_bytes"] < LARGE * 4 and found["b"]["unique_bytes"] == 0, found
    for name, checkpoint in found.items():
        assert checkpoint["unique_bytes"] + checkpoint["shared_bytes"] == LARGE * 4, checkpoint
        inspected = s.get(f"checkpoints/{name}").json
        assert (inspected["unique_bytes"], inspected["shared_bytes"]) == (
            checkpoint["unique_bytes"], checkpoint["shared_bytes"]), inspected
    page = s.get("checkpoints?usage=true&page_size=1").expect(200).json
    assert page["checkpoints"] == [found["b"]] and page["next_page_token"]
    s.refuses(400, "INVALID_ARGUMENT", "usage", "GET", "checkpoints?usage=maybe")


def test_what_is_unique_is_what_a_deletion_frees(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.put_npy("v", np.arange(LARGE, dtype="<f8"))
    s.make("small", [1, 2, 3])
    for i in range(4):
        s.save(f"c{i}")
        at = i * 70_000
        s.put(f"variables/w:value?slice={at}:{at + 30_000}", np.zeros(30_000, "<f4").tobytes(),
              {"Content-Type": "application/octet-stream"}).expect(200)
    s.delete("variables/v").expect(200)
    for name in ("c1", "c3", "c0", "c2"):
        before, unique = usage_of(s)["stored_bytes"], listed(s)[name]["unique_bytes"]
        s.delete(f"checkpoints/{name}").expect(200)
        assert before - usage_of(s)["stored_bytes"] == unique, name


def test_a_tag_of_the_list_with_usage_follows_other_models(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.save("c")
    s.delete("variables/w").expect(200)
    plain, full = s.get("checkpoints"), s.get("checkpoints?usage=true")
    assert listed(s)["c"]["unique_bytes"] == LARGE * 4
    before = used(s)["total"]["stored_bytes"]
    other = "sharing-" + s.model
    s.put(f"/v1/models/{other}", {}).expect(201)
    s.post(f"/v1/models/{other}:restore", {"checkpoint": {"model": s.model, "name": "c"}, "create": True}).expect(200)
    assert s.get("checkpoints", {"If-None-Match": plain.etag}).status == 304
    again = s.get("checkpoints?usage=true", {"If-None-Match": full.etag}).expect(200)
    assert again.json["checkpoints"][0]["unique_bytes"] == 0, again.json
    ours, theirs = usage_of(s), usage_of(s, other)
    assert ours["stored_bytes"] == theirs["stored_bytes"] == LARGE * 4, (ours, theirs)
    assert ours["unique_bytes"] == theirs["unique_bytes"] == 0, (ours, theirs)
    assert used(s)["total"]["stored_bytes"] == before, "what two models share is stored once"
    s.delete(f"/v1/models/{other}").expect(200)
    assert usage_of(s)["unique_bytes"] == LARGE * 4


# --- the whole store ---


def test_usage_of_the_store(s):
    with s.other_server("--store-max-bytes", "1g") as t:
        empty = used(t)
        assert empty["total"]["stored_bytes"] == 0 and empty["limits"]["store_max_bytes"] == 1 << 30, empty
        t.put_npy("w", np.arange(LARGE, dtype="<f4"))
        t.create("declared", dtype="float32", shape=[10 ** 6])
        t.save("a", variables=["w"])
        t.save("b", variables=["w"])
        found = used(t)
        model = found["models"][0]
        assert (model["name"], model["variables"], model["initialized"], model["checkpoints"]) == ("m", 2, 1, 2), model
        assert model["variable_bytes"] == LARGE * 4 and model["checkpoint_bytes"] == LARGE * 8, model
        assert model["logical_bytes"] == LARGE * 12 and model["stored_bytes"] == LARGE * 4, model
        assert model["shared_between_checkpoints_bytes"] == LARGE * 4 and model["unique_bytes"] == LARGE * 4, model
        assert found["total"]["logical_bytes"] == model["logical_bytes"] and found["revision"] > 0, found
        files = found["files"]
        assert files["bytes"] == sum(f["bytes"] for f in files["list"]) > LARGE * 4, files
        for file in files["list"] + [files]:
            assert file["used_bytes"] + file["free_bytes"] == file["bytes"], file
        assert [f["name"] for f in files["list"]] == ["meta.mdb", "rows.mdb", "bulk.mdb"], files
        assert found["limits"]["disk_free_bytes"] > 0 and found["limits"]["map_size_bytes"] > 0, found


def test_counters_alone_cost_no_look_at_the_lists(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    found = s.get("/v1/usage?stored=false").expect(200).json
    model = next(m for m in found["models"] if m["name"] == s.model)
    assert "stored_bytes" not in model and "stored_bytes" not in found["total"], found
    assert model["variable_bytes"] == LARGE * 4, model


def test_models_come_in_pages_and_the_total_is_of_all(s):
    with s.other_server() as t:
        for name in ("a", "b", "c"):
            t.put(f"/v1/models/{name}", {}).expect(201)
            t.put_ok(f"/v1/models/{name}/variables/w", formats.npy_write(np.ones(100, "<f4")),
                     {"Content-Type": "application/x-npy"})
        names, token = [], ""
        while token is not None:
            page = t.get(f"/v1/usage?page_size=2&page_token={token}").expect(200).json
            names += [m["name"] for m in page["models"]]
            assert page["total"]["variables"] == 3, page
            token = page["next_page_token"]
        assert names == ["a", "b", "c", "m"], names


def test_usage_has_a_tag_that_changes_with_the_store(s):
    with s.other_server() as t:
        t.put_npy("w", np.arange(LARGE, dtype="<f4"))
        first = t.get("/v1/usage").expect(200)
        again = t.get("/v1/usage", {"If-None-Match": first.etag})
        if again.status == 200:  # the disk is others' too
            assert again.json["limits"]["disk_free_bytes"] != first.json["limits"]["disk_free_bytes"] or \
                again.json["files"] != first.json["files"], again
        t.make("v", [1])
        assert t.get("/v1/usage", {"If-None-Match": first.etag}).status == 200
        assert t.get("/v1/usage?stored=false").etag != t.get("/v1/usage").etag
    s.refuses(400, "INVALID_ARGUMENT", "stored", "GET", "/v1/usage?stored=some")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "/v1/usage", {})
