"""What a restore tells: all its lists in every reply, both sides of what does not fit, and what it would do."""

import concurrent.futures

import formats

np = formats.np
LISTS = ("restored", "created", "missing", "unexpected", "mismatched", "not_in_checkpoint")
SAFE = {"Content-Type": "application/vnd.safetensors"}


def lists(report):
    return {key: report[key] for key in LISTS if report[key]}


def imports(s, arrays, name="c"):
    return s.put(f"checkpoints/{name}", formats.safetensors_of(arrays), SAFE).expect(201)


def zeros(*names):
    return {name: np.zeros(2, "<f4") for name in names}


def test_every_list_is_there_in_every_reply(s):
    s.make("a", [1, 2])
    s.save()
    for body in ({}, {"variables": []}, {"variables": ["a"]}, {"dry_run": True}):
        report = s.post("checkpoints/c:restore", body).expect(200).json
        assert set(LISTS) <= set(report) and all(isinstance(report[key], list) for key in LISTS), report
        assert report["dry_run"] is bool(body.get("dry_run")) and isinstance(report["revision"], int)
    for body in ({"variables": ["a", "ghost"]}, {"variables": ["a", "a"]}):
        reply = s.post("checkpoints/c:restore", body)
        assert reply.status >= 400 and set(LISTS) <= set(reply.json), str(reply)
        assert reply.json["restored"] == [], "nothing was"


def test_a_refusal_tells_all_that_is_amiss_not_only_the_first(s):
    s.make("a", [1, 2])
    s.make("b", [1], "int32")
    s.make("d", [[1, 2, 3], [4, 5, 6]])
    imports(s, {"a": np.zeros(2, "<f4"), "b": np.zeros(1, "<f4"), "d": np.zeros((3, 2), "<f4"), "x": np.zeros(1), "y": np.zeros(1)})
    reply = s.refuses(404, "NOT_FOUND", ("'x'", "2 such"), "POST", "checkpoints/c:restore", {})
    assert reply.json["unexpected"] == ["x", "y"] and reply.json["variable"] == "x"
    assert [m["name"] for m in reply.json["mismatched"]] == ["b", "d"]
    reply = s.refuses(400, "INVALID_ARGUMENT", ("Expected dtype int32 does not equal restored dtype float", "2 mismatched"),
                      "POST", "checkpoints/c:restore", {"on_extra": "skip"})
    assert reply.json["unexpected"] == ["x", "y"]
    picks = {"variables": {"a": "a", "ghost": "b", "ghost2": "d"}}
    reply = s.refuses(404, "NOT_FOUND", ("Key ghost not found in checkpoint", "2 missing"), "POST", "checkpoints/c:restore", picks)
    assert reply.json["missing"] == ["ghost", "ghost2"] and reply.json["tensor"] == "ghost"


def test_a_mismatch_has_both_sides(s):
    s.make("b", [1, 2], "float64")
    s.make("w", [[1, 2, 3], [4, 5, 6]])
    s.create("open", dtype="int8", shape=[3], validate_shape=False)
    imports(s, {"b": np.zeros(2, "<f4"), "w": np.zeros((3, 2), "<f4"), "open": np.zeros((1, 1), "<i2")})
    report = s.restore(on_mismatch="skip").json
    assert lists(report) == {"mismatched": [
        {"name": "b", "tensor": "b", "expected": {"dtype": "float64", "shape": [2]}, "found": {"dtype": "float32", "shape": [2]},
         "reason": "Expected dtype double does not equal restored dtype float: the variable is float64, the tensor float32"},
        {"name": "open", "tensor": "open", "expected": {"dtype": "int8", "shape": s.info("open")["shape"]},
         "found": {"dtype": "int16", "shape": [1, 1]},
         "reason": "Expected dtype int8 does not equal restored dtype int16: the variable is int8, the tensor int16"},
        {"name": "w", "tensor": "w", "expected": {"dtype": "float32", "shape": [2, 3]}, "found": {"dtype": "float32", "shape": [3, 2]},
         "reason": "Assign requires shapes of both tensors to match. lhs shape= [2,3] rhs shape= [3,2]"}]}, report
    s.delete("variables/w").expect(200)
    s.make("w", [0] * 5)
    report = s.restore(reshape=True, on_mismatch="skip", variables=["w"]).json
    assert report["mismatched"][0]["reason"] == "Input to reshape is a tensor with 6 values, but the requested shape has 5"


def test_what_was_made_is_told_apart(s):
    s.make("a", [1, 2])
    imports(s, zeros("a", "b", "n/c"))
    report = s.restore(create=True).json
    assert lists(report) == {"restored": ["a", "b", "n/c"], "created": ["b", "n/c"]}
    assert lists(s.restore(create=True).json) == {"restored": ["a", "b", "n/c"]}


def test_variables_that_the_checkpoint_has_nothing_for_are_told(s):
    for name in ("a", "b", "x/c"):
        s.make(name, [1, 2])
    s.create("apart", 1.0, collections=["local_variables"])
    imports(s, zeros("a", "y/c"))
    assert lists(s.restore(on_extra="skip").json) == {"restored": ["a"], "unexpected": ["y/c"], "not_in_checkpoint": ["b", "x/c"]}
    assert lists(s.restore(prefix_map={"y/": "x/"}).json) == {"restored": ["a", "x/c"], "not_in_checkpoint": ["b"]}
    assert lists(s.restore(variables=["a"]).json) == {"restored": ["a"]}, "who names some does not ask for the rest"


def test_the_longest_prefix_counts_in_any_order(s):
    imports(s, zeros("a/x", "a/b/x", "a/b", "c"))
    for prefixes in ({"a/": "1/", "a/b/": "2/", "": "0/"}, {"": "0/", "a/b/": "2/", "a/": "1/"}):
        report = s.restore(prefix_map=prefixes, create=True, dry_run=True).json
        assert report["restored"] == ["1/b", "2/x", "1/x", "0/c"], report
    s.refuses(400, "INVALID_ARGUMENT", ("at most 1000 prefixes", "1001"), "POST", "checkpoints/c:restore",
              {"prefix_map": {f"p{i}": "q" for i in range(1001)}})


def test_one_variable_is_for_one_tensor(s):
    s.make("a", [1, 2])
    imports(s, zeros("a", "old/a", "b"))
    base = ("POST", "checkpoints/c:restore")
    for names in (["a", "a"], ["a", "a:0"]):
        s.refuses(400, "INVALID_ARGUMENT", "At least two variables have the same name: a", *base, {"variables": names})
    s.refuses(400, "INVALID_ARGUMENT", ("The same saveable will be restored with two names: b", "'a'"), *base,
              {"variables": {"b": "a", "a": "a"}})
    reply = s.refuses(400, "INVALID_ARGUMENT", ("'a' would be restored from two tensors", "'old/a'"), *base,
                      {"prefix_map": {"old/": ""}, "on_extra": "skip"})
    assert reply.json["unexpected"] == ["b"]
    s.refuses(400, "INVALID_ARGUMENT", "'n'", *base, {"prefix_map": {"a": "n", "b": "n"}, "create": True, "on_extra": "skip"})
    s.refuses(400, "INVALID_ARGUMENT", ("variables", "prefix_map"), *base, {"variables": ["a"], "prefix_map": {}})


def test_a_dry_run_tells_what_the_restore_would_be_answered_with(s):
    s.make("a", [1, 2])
    s.make("b", [3], "int32")
    imports(s, {"a": np.array([5, 6], "<f4"), "b": np.zeros(1, "<f4"), "c": np.zeros(1)})
    for choices in ({}, {"on_extra": "skip"}, {"on_extra": "skip", "on_mismatch": "skip"}, {"create": True}):
        with s.unchanged():
            told = s.post("checkpoints/c:restore", {**choices, "dry_run": True}).expect(200).json
        assert told["dry_run"] is True and told["restored"] and told["restored"][0] == "a"
        reply = s.post("checkpoints/c:restore", choices)
        if reply.status == 200:
            assert told["refused"] is None and "refused" not in reply.json, reply.json
            assert lists(told) == lists(reply.json)
        else:
            assert told["refused"] == {key: reply.json[key] for key in told["refused"]}, (told, str(reply))
    # What cannot be looked at at all is refused as ever.
    s.refuses(404, "NOT_FOUND", "ghost", "POST", "checkpoints/ghost:restore", {"dry_run": True})
    s.refuses(400, "INVALID_ARGUMENT", "same name", "POST", "checkpoints/c:restore", {"variables": ["a", "a"], "dry_run": True})


def test_who_is_not_there(s):
    s.make("a", [1])
    s.save()
    words = "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for ghost"
    s.refuses(404, "NOT_FOUND", words, "POST", "checkpoints/ghost:restore", {})
    s.refuses(404, "NOT_FOUND", words, "POST", ":restore", {"checkpoint": {"name": "ghost"}})
    s.refuses(404, "NOT_FOUND", "nobody", "POST", ":restore", {"checkpoint": {"model": "nobody", "name": "c"}})
    s.refuses(404, "NOT_FOUND", "nobody", "POST", "/v1/models/nobody/checkpoints/c:restore", {})
    s.refuses(400, "INVALID_ARGUMENT", "ill name", "POST", ":restore", {"checkpoint": {"name": "ill name"}})
    s.refuses(400, "INVALID_ARGUMENT", "ill model", "POST", ":restore", {"checkpoint": {"model": "ill model", "name": "c"}})
    s.refuses(400, "INVALID_ARGUMENT", "checkpoint", "POST", ":restore", {"variables": ["a"]})
    s.refuses(400, "INVALID_ARGUMENT", "nam", "POST", ":restore", {"checkpoint": {"name": "c", "nam": "c"}})
    for field, value in (("create", "yes"), ("dry_run", 1), ("on_extra", "drop"), ("on_mismatch", None), ("prefix_map", {"a": 1}),
                         ("variables", [1]), ("variables", {"a": None}), ("restore", True)):
        s.refuses(400, "INVALID_ARGUMENT", field, "POST", "checkpoints/c:restore", {field: value})


def test_the_condition_is_about_the_model(s):
    s.make("a", [1, 2])
    s.save()
    tag = s.get("").expect(200).etag
    s.put("variables/a:value", [0, 0]).expect(200)
    reply = s.request("POST", "checkpoints/c:restore", {}, {"If-Match": tag})
    s.is_refusal(reply, 412, "PRECONDITION_FAILED")
    assert s.value("a") == [0, 0]
    s.request("POST", "checkpoints/c:restore", {}, {"If-Match": s.get("").etag}).expect(200)
    assert s.value("a") == [1, 2]


def test_names_of_tensors_are_any_text(s):
    """From one byte to 480, of any UTF-8 but U+0000; under a map they go to variables."""
    names = ["x" * 255, "y" * 480, "é" * 240, "a b/\n\t\"'\\", "\u0001\u007f", "\U0010ffff", "//", "..", " "]
    arrays = {name: np.full(2, number, "<f4") for number, name in enumerate(names)}
    imports(s, arrays)
    assert [t["name"] for t in s.get("checkpoints/c").json["tensors"]] == sorted(names, key=str.encode)
    picks = {name: f"v{number}" for number, name in enumerate(names)}
    for variable in picks.values():
        s.create(variable, dtype="float32", shape=[2])
    s.restore(variables=picks)
    for number in range(len(names)):
        assert s.value(f"v{number}") == [number, number]
    assert s.restore(create=True, on_extra="skip").json["created"] == ["x" * 255]
    assert sorted(s.restore(on_extra="skip").json["unexpected"]) == sorted(names[1:])


def test_names_that_cannot_be_kept_are_refused_in_words(s):
    for name, words in (("z" * 481, ("480", "481")), ("é" * 240 + "x", ("480", "481")), ("a\0b", ("NUL", "0x00")), ("", "0")):
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "checkpoints/c", formats.safetensors_of({"ok": np.zeros(1), name: np.zeros(1)}), SAFE)
    s.make("a", [1])
    s.save()
    for name, word in (("z" * 481, "481"), ("", "0"), ("a\0b", "NUL")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", "checkpoints/c:restore", {"variables": {name: "a"}})
    s.refuses(400, "INVALID_ARGUMENT", "256", "POST", "checkpoints/c:restore", {"variables": {"a": "v" * 256}})
    assert s.restore(prefix_map={"a": "v" * 256}, on_extra="skip").json["unexpected"] == ["a"]
    s.refuses(400, "INVALID_ARGUMENT", ("'a'", "256"), "POST", "checkpoints/c:restore", {"prefix_map": {"a": "v" * 256}, "create": True})


def test_ten_thousand_tensors(s):
    count = 1000 if s.slow else 10_000
    names = [f"layer{i % 100}/{'long_name_of_a_block/' * 8}{i}" for i in range(count)]
    header = {name: ("float32", (1,), np.float32(i).tobytes()) for i, name in enumerate(names)}
    s.put("checkpoints/c", formats.safetensors_write(header), SAFE).expect(201)
    assert sorted(s.restore(create=True).json["created"]) == sorted(names)
    before = s.server.memory()["RssAnon"]
    report = s.restore(prefix_map={f"layer{i}/": f"other{i}/" for i in range(100)}, on_extra="skip").json
    assert len(report["unexpected"]) == len(report["not_in_checkpoint"]) == count and report["restored"] == []
    report = s.restore(variables=names, dry_run=True).json
    assert len(report["restored"]) == count and report["refused"] is None
    reply = s.post("checkpoints/c:restore", {"variables": {f"no{i}": name for i, name in enumerate(names)}}).expect(404)
    assert len(reply.json["missing"]) == count and f"({count} missing)" in reply.detail
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (64 << 20), "a report takes what its names take"
    text = s.get("checkpoints/c?format=text").expect(200).body.decode().split("\n")
    assert len(text) == count + 2 and text[0] == min(names) + " (DT_FLOAT) [1]"


def test_restores_while_the_checkpoint_is_deleted_and_saved_again(s):
    """Each restores one state whole, or finds none."""
    names = [f"v{i}" for i in range(20)]
    s.post("variables", [{"name": name, "dtype": "int32", "shape": []} for name in names]).expect(201)
    s.post(":run", {"ops": [{"op": "assign", "variable": name, "value": 1} for name in names]}).expect(200)
    s.save()
    s.put(f"/v1/models/{s.model}-target", {}).expect(201)
    target = f"/v1/models/{s.model}-target"
    rounds = 10 if s.slow else 60

    def change():
        client = s.another_client()
        for number in range(2, rounds + 2):
            client.request("DELETE", s.path("checkpoints/c")).expect(200)
            client.request("POST", s.path(":run"), {"ops": [{"op": "assign", "variable": name, "value": number}
                                                            for name in names]}).expect(200)
            client.request("POST", s.path("checkpoints"), {"name": "c"}).expect(201)

    def restore():
        client, seen = s.another_client(), set()
        for _ in range(rounds):
            reply = client.request("POST", f"{target}:restore", {"checkpoint": {"model": s.model, "name": "c"}, "create": True})
            seen.add(reply.status)
            if reply.status == 200:
                assert len(reply.json["restored"]) == 20
            values = client.request("GET", f"{target}/values?names={','.join(names)}&format=json")
            if values.status == 200:
                assert len({entry["data"] for entry in values.json["values"].values()}) == 1, "half of one and half of another"
        return seen

    with concurrent.futures.ThreadPoolExecutor() as pool:
        changing, restoring = pool.submit(change), [pool.submit(restore) for _ in range(3)]
        changing.result()
        seen = set().union(*(each.result() for each in restoring))
    assert 200 in seen and seen <= {200, 404}, seen
