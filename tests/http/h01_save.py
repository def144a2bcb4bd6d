"""Saving, listing, inspecting, deleting checkpoints."""

import formats

np = formats.np


def tensors_of(s, checkpoint):
    return {t["name"]: t for t in s.get(f"checkpoints/{checkpoint}").expect(200).json["tensors"]}


def fill(s):
    s.make("a/x", [1, 2])
    s.make("a/y", [[3]], "float64")
    s.make("b", [4, 5, 6], "int8")


def test_all_a_list_a_map_and_a_prefix(s):
    fill(s)
    reply = s.save("all")
    assert reply.json["name"] == "all" and reply.headers["location"].endswith("/checkpoints/all")
    assert set(tensors_of(s, "all")) == {"a/x", "a/y", "b"}
    s.save("list", variables=["a/x", "b"])
    assert set(tensors_of(s, "list")) == {"a/x", "b"}
    s.save("map", variables={"my_x": "a/x", "b": "b"})
    assert set(tensors_of(s, "map")) == {"my_x", "b"}
    s.save("prefix", prefix="a/")
    assert set(tensors_of(s, "prefix")) == {"a/x", "a/y"}


def test_only_global_variables_are_saved_by_default(s):
    s.make("w", [1])
    s.create("local", 1.0, collections=["local_variables"])
    s.save("c")
    assert set(tensors_of(s, "c")) == {"w"}


def test_the_step_becomes_part_of_the_name(s):
    s.make("w", [1])
    assert s.save("model.ckpt", global_step=1000).json["name"] == "model.ckpt-1000"
    s.make("global_step", 7, "int64")
    reply = s.save("model.ckpt", global_step={"variable": "global_step"})
    assert reply.json["name"] == "model.ckpt-7" and reply.headers["location"].endswith("/model.ckpt-7")
    assert s.save("runs/a/model.ckpt", global_step=0).json["name"] == "runs/a/model.ckpt-0"
    s.get("checkpoints/runs/a/model.ckpt-0").expect(200)
    s.get("checkpoints/runs%2Fa%2Fmodel.ckpt-0").expect(200)
    for step, word in ((1.5, "global_step"), ("7", "global_step"), ({"variable": "ghost"}, "ghost"), (2 ** 64, "global_step"),
                       ({"variable": "w"}, "w")):
        with s.unchanged():
            reply = s.post("checkpoints", {"name": "bad", "global_step": step})
        assert reply.status in (400, 404) and word in reply.detail, str(reply)


def test_an_existing_name_needs_overwrite(s):
    s.make("w", [1])
    s.save("c")
    s.put("variables/w:value", [2.0]).expect(200)
    s.refuses(409, "ALREADY_EXISTS", "c", "POST", "checkpoints", {"name": "c"})
    s.refuses(409, "ALREADY_EXISTS", "c", "POST", "checkpoints", {"name": "c", "overwrite": False})
    assert s.get("checkpoints/c:value?tensor=w").json["data"] == [1]
    s.save("c", overwrite=True)
    assert s.get("checkpoints/c:value?tensor=w").json["data"] == [2]
    assert len(s.get("checkpoints").json["checkpoints"]) == 1


def test_inspecting_tells_dtype_shape_bytes_and_digest(s):
    fill(s)
    s.make("same", [1, 2])
    s.save("c")
    tensors = tensors_of(s, "c")
    assert (tensors["a/y"]["dtype"], tensors["a/y"]["shape"], tensors["a/y"]["bytes"]) == ("float64", [1, 1], 8)
    assert tensors["a/x"]["digest"] == tensors["same"]["digest"] != tensors["b"]["digest"]
    about = s.get("checkpoints/c").json
    assert about["name"] == "c" and about["revision"], about
    assert "unique_bytes" in about and "shared_bytes" in about, about


def test_bytes_are_shared_until_they_differ(s):
    s.put_npy("w", np.zeros(500_000, "<f4") + 1)
    s.save("c1")
    s.save("c2")
    about = s.get("checkpoints/c2").json
    assert about["unique_bytes"] == 0 and about["shared_bytes"] >= 2_000_000, about
    s.put("variables/w:value?slice=0:10", np.zeros(10, "<f4").tobytes(), {"Content-Type": "application/octet-stream"}).expect(200)
    s.delete("checkpoints/c1").expect(200)
    about = s.get("checkpoints/c2").json
    assert 0 < about["unique_bytes"] < 2_000_000, about


def test_one_tensor_in_every_format(s):
    array = s.make("w", [[1.5, 2], [3, 4]])
    s.save("c")
    base = "checkpoints/c:value?tensor=w"
    assert s.get(base).json["data"] == array.tolist()
    assert s.get(base + "&format=raw").body == array.tobytes()
    assert np.array_equal(formats.npy_read(s.get(base + "&format=npy").body), array)
    s.refuses(404, "NOT_FOUND", ("ghost", "c"), "GET", "checkpoints/c:value?tensor=ghost")
    s.refuses(400, "INVALID_ARGUMENT", "tensor", "GET", "checkpoints/c:value")


def test_lists_are_newest_first_and_latest_is_the_first(s):
    s.make("w", [1])
    s.refuses(404, "NOT_FOUND", (), "GET", "checkpoints:latest")
    for name in ("b", "a", "c"):
        s.save(name)
    assert [c["name"] for c in s.get("checkpoints").expect(200).json["checkpoints"]] == ["c", "a", "b"]
    assert s.get("checkpoints:latest").expect(200).json["name"] == "c"
    s.delete("checkpoints/c").expect(200)
    assert s.get("checkpoints:latest").json["name"] == "a"
    s.save("b", overwrite=True)
    assert s.get("checkpoints:latest").json["name"] == "b"
    page = s.get("checkpoints?page_size=1").json
    assert len(page["checkpoints"]) == 1 and page["next_page_token"]
    assert s.get("checkpoints?page_size=1&page_token=").json == page


def test_what_cannot_be_saved(s):
    s.refuses(400, "INVALID_ARGUMENT", "save", "POST", "checkpoints", {"name": "c"})
    s.make("w", [1])
    s.create("u", 1.0)
    s.refuses(409, "FAILED_PRECONDITION", "'u'", "POST", "checkpoints", {"name": "c"})
    for body, status, code, word in (
            ({"name": "c", "variables": ["w", "w"]}, 400, "INVALID_ARGUMENT", "w"),
            ({"name": "c", "variables": []}, 400, "INVALID_ARGUMENT", ""),
            ({"name": "c", "prefix": "zzz"}, 400, "INVALID_ARGUMENT", "save"),
            ({"name": "c", "variables": ["ghost"]}, 404, "NOT_FOUND", "ghost"),
            ({"name": "c", "variables": {"a": "ghost"}}, 404, "NOT_FOUND", "ghost"),
            ({"name": "c", "variables": {"a": 5}}, 400, "INVALID_ARGUMENT", "a"),
            ({"name": "c", "variables": "w"}, 400, "INVALID_ARGUMENT", "variables"),
            ({"name": "c", "variable": ["w"]}, 400, "INVALID_ARGUMENT", "variable"),
            ({"variables": ["w"]}, 400, "INVALID_ARGUMENT", "name"),
            ({"name": "", "variables": ["w"]}, 400, "INVALID_ARGUMENT", "name"),
            ({"name": "a/../b", "variables": ["w"]}, 400, "INVALID_ARGUMENT", "name"),
            ({"name": "a:b", "variables": ["w"]}, 400, "INVALID_ARGUMENT", "a:b"),
            ({"name": "x" * 250, "global_step": 1000000, "variables": ["w"]}, 400, "INVALID_ARGUMENT", "255"),
            ({"name": "c", "overwrite": 1, "variables": ["w"]}, 400, "INVALID_ARGUMENT", "overwrite")):
        s.refuses(status, code, word, "POST", "checkpoints", body)
    assert s.get("checkpoints").json["checkpoints"] == []


def test_a_checkpoint_never_changes(s):
    s.make("w", [1, 2])
    s.save("c")
    s.put("variables/w:value", [9, 9]).expect(200)
    s.post("variables/w:assign_add", {"value": [1, 1]}).expect(200)
    s.delete("variables/w").expect(200)
    assert s.get("checkpoints/c:value?tensor=w").json["data"] == [1, 2]


def test_deleting(s):
    s.make("w", [1])
    s.save("c")
    s.save("cc")
    s.delete("checkpoints/c").expect(200)
    s.refuses(404, "NOT_FOUND", "'c'", "GET", "checkpoints/c")
    s.refuses(404, "NOT_FOUND", "'c'", "DELETE", "checkpoints/c")
    s.refuses(404, "NOT_FOUND", "'c'", "POST", "checkpoints/c:restore", {})
    s.get("checkpoints/cc").expect(200)
    assert s.value("w") == [1]


def test_strings_and_opaque_types_are_saved(s):
    s.put_raw("t", "string", [2], formats.strings_write([b"\xff", b"abc"]))
    s.put_raw("q", "qint32", [1], b"\1\2\3\4")
    s.save("c")
    s.put_raw("t", "string", [2], formats.strings_write([b"", b""]))
    s.delete("variables/q").expect(200)
    s.restore("c", variables=["t"])
    assert formats.strings_read(s.bytes_of("t")) == [b"\xff", b"abc"]
    assert s.get("checkpoints/c:value?tensor=q&format=raw").body == b"\1\2\3\4"


def test_two_hundred_variables_save_and_restore(s):
    arrays = {f"layer{i}/w": np.full((100, i), i, "<f4") for i in range(200)}
    body = formats.safetensors_write({n: ("float32", list(a.shape), a.tobytes()) for n, a in arrays.items()})
    s.put("values?create=true", body, {"Content-Type": "application/vnd.safetensors"}).expect(200)
    revision = s.save("c").revision
    s.create("zero", 0.0)
    for name in list(arrays)[::17]:
        s.post(f"variables/{name}:assign", {"value": {"op": "zeros_like", "args": [{"variable": name}]}}).expect(200)
    assert len(s.restore("c").json["restored"]) == len(arrays)
    got, _ = formats.safetensors_read(s.get("values?prefix=layer&format=safetensors").body)
    assert {n: t[2] for n, t in got.items()} == {n: a.tobytes() for n, a in arrays.items()}
    assert s.get("checkpoints/c").json["revision"] == revision
