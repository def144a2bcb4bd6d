"""Comparing checkpoints with each other and with the variables, with NumPy as judge (comparing.py)."""

import urllib.parse

import formats
from comparing import changed_bytes, judge, must_agree, some_bytes

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}
SMALL, LARGE = 500, 300_000  # elements: of one record, and of several chunks for every type
NUMBERS = [name for name, _, _, _ in formats.DTYPES if name != "bool"]


def diff(s, checkpoint, against, **query):
    query = urllib.parse.urlencode({"against": against, **query})
    return s.get(f"checkpoints/{checkpoint}:diff?{query}").expect(200).json


def tensors_of(reply):
    return {t["name"]: t for t in reply["tensors"]}


def the_one(reply):
    assert len(reply["tensors"]) == 1, reply
    return reply["tensors"][0]


def write(s, name, dtype, data, at=0):
    """Elements of a variable of one dimension, from `at` on; the rest of it stays."""
    s.put_ok(f"variables/{name}:value?slice={at}:{at + len(data) // formats.SIZE[dtype]}", data,
             {**RAW, "Tensor-Dtype": dtype, "Tensor-Shape": str(len(data) // formats.SIZE[dtype])})


def compare_types(s, count, special):
    rng = np.random.default_rng(8 + special)
    old, new = {}, {}
    for dtype in NUMBERS:
        old[dtype] = some_bytes(dtype, count, rng, special)
        new[dtype] = changed_bytes(dtype, old[dtype], rng, special, rng.integers(0, count, count // 9))
        s.put_raw(dtype, dtype, [count], old[dtype])
    s.save("old")
    for dtype in NUMBERS:
        s.put_raw(dtype, dtype, [count], new[dtype])
    s.save("new")
    reply = diff(s, "new", "old")
    assert reply["changed"] == len(NUMBERS) and not reply["identical"], reply
    for name, tensor in tensors_of(reply).items():
        must_agree(tensor, judge(name, new[name], old[name]), name)
    for name, tensor in tensors_of(diff(s, "old", "new")).items():
        must_agree(tensor, judge(name, old[name], new[name]), "backwards: " + name)
    assert diff(s, "old", "new")["tensors"] == diff(s, "old", "current")["tensors"]


# --- numbers ---


def test_every_type_is_measured_as_numpy_does(s):
    compare_types(s, SMALL, False)


def test_values_of_many_chunks_are_measured_likewise(s):
    compare_types(s, LARGE, False)


def test_nan_and_infinities_are_told_in_the_contracts_words(s):
    compare_types(s, SMALL, True)
    s.make("few", [1, np.nan, np.inf, 2])
    s.save("a")
    s.make("few", [1, np.nan, np.inf, 5])
    s.save("b")
    few = tensors_of(diff(s, "b", "a"))["few"]
    assert (few["changed_count"], few["max_abs"], few["l2"], few["nonfinite_count"]) == (1, 3, 3, 0), few
    assert few["relative_l2"] == few["cosine"] == "NaN", few
    s.make("few", [-np.inf, np.nan, np.inf, 2])
    few = tensors_of(diff(s, "a", "current"))["few"]
    assert (few["max_abs"], few["l2"], few["nonfinite_count"]) == ("Infinity", "Infinity", 1), few
    s.make("few", [np.nan, np.nan, np.inf, 2])
    few = tensors_of(diff(s, "a", "current"))["few"]
    assert (few["max_abs"], few["l2"], few["nonfinite_count"]) == ("NaN", "NaN", 1), few


def test_zeros_of_two_signs_and_one_nan_and_another_have_changed(s):
    for dtype, one, other, distance in (("float32", "<f4", None, 0), ("float16", "<u2", 0x7D00, "NaN"),
                                        ("float64", "<f8", None, 0)):
        a = np.zeros(3, one) if other is None else np.array([0x7F00, 1, 2], one)
        b = np.array([0.0, -0.0, 0.0], one) if other is None else np.array([other, 1, 2], one)
        s.put_raw(dtype, dtype, [3], a.tobytes())
        s.save(dtype, variables=[dtype])
        s.put_raw(dtype, dtype, [3], b.tobytes())
        tensor = the_one(diff(s, dtype, "current", tensor=dtype))
        assert (tensor["status"], tensor["changed_count"], tensor["max_abs"]) == ("changed", 1, distance), tensor


def test_a_zero_vector_has_no_direction(s):
    s.make("w", [3, 4])
    s.save("c")
    s.make("w", [0, 0])
    tensor = the_one(diff(s, "c", "current"))
    assert (tensor["l2"], tensor["relative_l2"], tensor["cosine"]) == (5, "Infinity", None), tensor
    s.save("zero")
    s.make("w", [3, 4])
    tensor = the_one(diff(s, "zero", "current"))
    assert (tensor["l2"], tensor["relative_l2"], tensor["cosine"]) == (5, 1, None), tensor


def test_millions_of_elements(s):
    rng = np.random.default_rng(3)
    old = rng.standard_normal(3_000_000).astype("<f4")
    new = old + rng.standard_normal(old.size).astype("<f4") * np.float32(1e-3)
    s.put_npy("w", old)
    s.save("old")
    s.put_npy("w", new)
    s.save("new")
    tensor = the_one(diff(s, "new", "old"))
    must_agree(tensor, judge("float32", new.tobytes(), old.tobytes()), "w")
    assert 0.99 < tensor["cosine"] < 1 and tensor["changed_count"] > 2_900_000, tensor
    assert diff(s, "new", "old")["tensors"] == [tensor], "the same bits every time"


def test_the_totals_are_those_of_all_tensors(s):
    rng = np.random.default_rng(4)
    arrays = {f"t{i}": rng.standard_normal(100 * i + 1) for i in range(8)}
    for name, array in arrays.items():
        s.put_npy(name, array)
    s.make("flags", [True, False, True], "bool")
    s.save("old")
    for name in list(arrays)[::2]:
        s.put_npy(name, arrays[name] * 1.5)
    s.make("flags", [True, True, True], "bool")
    reply = diff(s, "old", "current")
    tensors = tensors_of(reply)
    changed = [t for t in tensors.values() if t["status"] == "changed"]
    assert (reply["same"], reply["changed"], reply["added"], reply["removed"]) == (4, 5, 0, 0)
    for key in ("changed_count", "changed_bytes", "stored_changed_bytes"):
        assert reply[key] == sum(t[key] for t in changed), key
    assert reply["max_abs"] == max(t["max_abs"] for t in changed if "max_abs" in t)
    assert np.isclose(reply["l2"], np.sqrt(sum(t["l2"] ** 2 for t in changed if "l2" in t)), rtol=1e-12)


# --- what is no number ---


def test_bools_and_quantized_numbers_are_counted(s):
    s.make("flags", [[True, False], [True, True]], "bool")
    s.put_raw("q", "qint32", [3], np.array([1, 2, 3], "<i4").tobytes())
    s.put_raw("q16", "quint16", [LARGE], np.arange(LARGE).astype("<u2").tobytes())
    s.save("old")
    s.make("flags", [[True, True], [False, True]], "bool")
    s.put_raw("q", "qint32", [3], np.array([1, 2, 4], "<i4").tobytes())
    s.put_raw("q16", "quint16", [LARGE], (np.arange(LARGE) // 2 * 2).astype("<u2").tobytes())
    tensors = tensors_of(diff(s, "old", "current"))
    for name, count, size in (("flags", 2, 1), ("q", 1, 4), ("q16", LARGE // 2, 2)):
        assert (tensors[name]["changed_count"], tensors[name]["changed_bytes"]) == (count, count * size), tensors[name]
        assert "max_abs" not in tensors[name] and "cosine" not in tensors[name], tensors[name]


def test_strings_are_compared_element_by_element(s):
    rng = np.random.default_rng(5)
    for count, longest in ((5, 20), (3000, 400)):
        old = [rng.bytes(int(rng.integers(0, longest))) for _ in range(count)]
        new = list(old)
        new[1] = b"another"
        new[2] = old[2] + b"\0"
        new[4] = bytes(len(old[4]))
        name = f"t{count}"
        s.put_raw(name, "string", [count], formats.strings_write(new))
        s.save("new" + name, variables=[name])
        s.put_raw(name, "string", [count], formats.strings_write(old))
        s.save("old" + name, variables=[name])
        tensor = the_one(diff(s, "new" + name, "old" + name))
        changed = [i for i in range(count) if old[i] != new[i]]
        assert tensor["status"] == "changed" and tensor["changed_count"] == len(changed), tensor
        assert tensor["changed_bytes"] == sum(len(new[i]) for i in changed), tensor
        assert tensor["against_bytes"] == sum(len(v) + 4 for v in old) != tensor["bytes"], tensor
        s.put_raw(name, "string", [count], formats.strings_write(old))
        again = the_one(diff(s, "old" + name, "current", tensor=name))
        assert again["status"] == "same", again


def test_another_type_or_shape_is_a_change_without_numbers(s):
    s.make("w", [[1, 2], [3, 4]])
    s.make("x", [1, 2])
    s.save("old")
    for name in "wx":
        s.delete(f"variables/{name}").expect(200)
    s.make("w", [1, 2, 3, 4])
    s.make("x", [1, 2], "float64")
    tensors = tensors_of(diff(s, "old", "current"))
    w, x = tensors["w"], tensors["x"]
    assert (w["status"], w["shape"], w["against_shape"], w["against_dtype"]) == ("changed", [2, 2], [4], "float32"), w
    assert (x["status"], x["dtype"], x["against_dtype"], x["bytes"], x["against_bytes"]) == (
        "changed", "float32", "float64", 8, 16), x
    assert "max_abs" not in w and "changed_count" not in x


def test_added_and_removed_are_said_as_seen_from_the_other_side(s):
    s.make("both", [1])
    s.make("mine", [1, 2])
    s.save("c")
    s.delete("variables/mine").expect(200)
    s.make("theirs", [[3]], "int8")
    s.save("other")
    tensors = tensors_of(diff(s, "c", "other"))
    assert tensors["both"]["status"] == "same"
    assert (tensors["mine"]["status"], tensors["mine"]["shape"]) == ("added", [2])
    assert (tensors["theirs"]["status"], tensors["theirs"]["dtype"]) == ("removed", "int8")
    reply = diff(s, "other", "c")
    assert (reply["same"], reply["added"], reply["removed"], reply["identical"]) == (1, 1, 1, False)
    assert tensors_of(reply)["mine"]["status"] == "removed"


def test_empty_tensors_and_scalars(s):
    s.put_raw("none", "float32", [0, 3], b"")
    s.make("scalar", 4.5)
    s.save("c")
    s.make("scalar", -4.5)
    tensors = tensors_of(diff(s, "c", "current"))
    assert tensors["none"]["status"] == "same"
    assert (tensors["scalar"]["max_abs"], tensors["scalar"]["cosine"]) == (9, -1)


# --- what need not be read ---


def test_what_is_shared_is_not_read(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f8"))
    s.put_npy("v", np.arange(LARGE, dtype="<f4"))
    s.save("old")
    s.save("twin")
    reply = diff(s, "twin", "old")
    assert reply["identical"] and reply["compared_bytes"] == reply["norm_bytes"] == 0, reply
    write(s, "w", "float64", np.full(3, -1.0).tobytes(), at=100_000)
    s.save("new")
    reply = diff(s, "new", "old", measures="difference")
    w, v = tensors_of(reply)["w"], tensors_of(reply)["v"]
    assert v["status"] == "same" and w["changed_count"] == 3 and w["max_abs"] == 100_003, reply
    assert 0 < reply["compared_bytes"] < 600_000 and reply["norm_bytes"] == 0, reply
    assert reply["stored_changed_bytes"] == w["stored_changed_bytes"] == reply["compared_bytes"], reply
    assert "cosine" not in w and "relative_l2" not in w, w
    whole = diff(s, "new", "old")
    assert whole["compared_bytes"] + whole["norm_bytes"] == LARGE * 8, whole
    old, new = np.arange(LARGE, dtype="<f8"), np.arange(LARGE, dtype="<f8")
    new[100_000:100_003] = -1
    must_agree(tensors_of(whole)["w"], judge("float64", new.tobytes(), old.tobytes()), "w")


def test_checksums_tell_a_change_without_reading(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.put_npy("same", np.arange(LARGE, dtype="<f4"))
    s.save("old")
    s.put_npy("w", np.arange(LARGE, dtype="<f4") + 1)
    s.put_npy("same", np.arange(LARGE, dtype="<f4"))
    reply = diff(s, "old", "current", measures="none")
    tensors = tensors_of(reply)
    assert (tensors["w"]["status"], tensors["same"]["status"]) == ("changed", "same"), reply
    assert reply["compared_bytes"] == LARGE * 4, "equal checksums prove nothing"
    assert "changed_count" not in tensors["w"] and "max_abs" not in reply, reply
    assert tensors["w"]["stored_changed_bytes"] == LARGE * 4, reply


def test_equal_bytes_are_the_same_wherever_they_lie(s):
    data = np.random.default_rng(6).standard_normal(LARGE).astype("<f4")
    s.put_npy("w", data)
    s.save("old")
    s.put_npy("w", data * 2)
    s.put_npy("w", data)
    reply = diff(s, "old", "current")
    assert reply["identical"] and reply["compared_bytes"] == LARGE * 4, reply
    # Rows are kept in other chunks than the rest.
    s.create("rows", {"op": "zeros", "shape": [LARGE // 10, 10]}, row_updates=True)
    s.create("bulk", {"op": "zeros", "shape": [LARGE // 10, 10]})
    s.initialize()
    for name in ("rows", "bulk"):
        s.post(f"variables/{name}:assign_add", {"value": {"op": "ones", "shape": [LARGE // 10, 10]}}).expect(200)
    s.save("rows", variables={"x": "rows"})
    s.save("bulk", variables={"x": "bulk"})
    assert the_one(diff(s, "rows", "bulk"))["status"] == "same"
    s.post("variables/bulk:scatter_add", {"indices": [7], "updates": {"op": "ones", "shape": [1, 10]}}).expect(200)
    s.save("bulk", variables={"x": "bulk"}, overwrite=True)
    tensor = the_one(diff(s, "rows", "bulk"))
    assert (tensor["changed_count"], tensor["max_abs"]) == (10, 1), tensor


def test_fills_and_recipes_are_compared_by_how_they_are_made(s):
    s.create("fill", {"op": "fill", "dims": [10 ** 9], "value": 2.0})
    s.create("huge", {"op": "random_normal", "shape": [10 ** 9], "seed": 7}, virtual=True)
    s.initialize()
    s.save("old")
    s.initialize()
    reply = diff(s, "old", "current")
    assert reply["identical"] and reply["compared_bytes"] == 0, reply
    write(s, "huge", "float32", np.full(2, 100.0, "<f4").tobytes(), at=5)
    write(s, "fill", "float32", np.full(2, 5.0, "<f4").tobytes(), at=5)
    was = np.frombuffer(s.get("checkpoints/old:value?tensor=huge&slice=5:7&format=raw").body, "<f4")
    reply = diff(s, "old", "current", measures="difference")
    huge, fill = tensors_of(reply)["huge"], tensors_of(reply)["fill"]
    assert huge["changed_count"] == fill["changed_count"] == 2 and fill["max_abs"] == 3, reply
    assert np.isclose(huge["max_abs"], np.abs(was.astype("f8") - 100).max(), rtol=1e-15), huge
    assert reply["compared_bytes"] < 1_000_000, reply


def test_no_more_of_virtual_values_is_made_than_an_expression_may(s):
    with s.other_server("--expression-max-bytes", "4m") as t:
        t.create("huge", {"op": "random_normal", "shape": [10 ** 9], "seed": 7}, virtual=True)
        t.create("small", {"op": "random_normal", "shape": [LARGE], "seed": 7}, virtual=True)
        t.initialize()
        t.save("old")
        for name in ("huge", "small"):
            write(t, name, "float32", np.full(2, 100.0, "<f4").tobytes(), at=5)
        tensors = tensors_of(diff(t, "old", "current"))
        assert tensors["huge"]["changed_count"] == tensors["small"]["changed_count"] == 2, tensors
        assert "cosine" not in tensors["huge"] and 0 < tensors["small"]["cosine"] < 1, tensors
        for name in ("huge", "small"):
            t.create(name + "_other", {"op": "random_normal", "shape": [10 ** 9 if name == "huge" else LARGE], "seed": 8},
                     virtual=True)
        t.initialize(variables=["huge_other", "small_other"])
        t.save("other", variables={"huge": "huge_other", "small": "small_other"})
        t.refuses(413, "PAYLOAD_TOO_LARGE", ("huge", "expression_max_bytes"), "GET", "checkpoints/old:diff?against=other")
        assert the_one(diff(t, "old", "other", tensor="small"))["changed_count"] > LARGE // 2
        reply = diff(t, "old", "other", measures="none")
        assert reply["changed"] == 2 and reply["compared_bytes"] < 500_000_000, reply


def test_the_rest_of_a_fill_counts_for_the_cosine(s):
    s.create("fill", {"op": "fill", "dims": [LARGE], "value": 2.0})
    s.create("made", {"op": "random_uniform", "shape": [LARGE], "seed": 3}, virtual=True)
    s.initialize()
    s.save("old")
    old = {name: s.array(name) for name in ("fill", "made")}
    for name in old:
        write(s, name, "float32", np.full(2, -1000.0, "<f4").tobytes(), at=200_000)
    s.save("new")
    for name, tensor in tensors_of(diff(s, "new", "old")).items():
        must_agree(tensor, judge("float32", s.bytes_of(name), old[name].tobytes()), name)


# --- which tensors, which pages ---


def test_tensors_are_chosen_by_name_and_prefix(s):
    for name in ("a/x", "a/y", "ab", "b"):
        s.make(name, [1])
    s.save("c")
    for name in ("a/x", "b"):
        s.make(name, [2])
    assert [t["name"] for t in diff(s, "c", "current", prefix="a/")["tensors"]] == ["a/x", "a/y"]
    assert [t["name"] for t in diff(s, "c", "current", changed_only="true")["tensors"]] == ["a/x", "b"]
    reply = diff(s, "c", "current", tensor="ab")
    assert the_one(reply)["name"] == "ab" and reply["identical"] and reply["same"] == 1, reply
    assert diff(s, "c", "current", prefix="zzz")["tensors"] == []
    s.refuses(404, "NOT_FOUND", ("ghost", "'c'"), "GET", "checkpoints/c:diff?against=current&tensor=ghost")


def test_pages_list_some_and_add_up_all(s):
    for i in range(7):
        s.make(f"w{i}", [i])
    s.save("c")
    for i in range(0, 7, 2):
        s.make(f"w{i}", [i + 1])
    names, token, query = [], "", {"page_size": 2}
    while token is not None:
        reply = diff(s, "c", "current", **query)
        assert (reply["same"], reply["changed"]) == (3, 4), reply
        names += [t["name"] for t in reply["tensors"]]
        token = reply["next_page_token"]
        query["page_token"] = token
    assert names == [f"w{i}" for i in range(7)]
    reply = diff(s, "c", "current", page_size=3, changed_only="true", page_token="w0")
    assert [t["name"] for t in reply["tensors"]] == ["w2", "w4", "w6"] and reply["next_page_token"] is None


def test_names_of_any_utf8(s):
    longest = "ü" * 240
    body = formats.safetensors_of({longest: np.ones(3, "<f4"), "z z": np.ones(2, "<f4")})
    s.put("checkpoints/one", body, {"Content-Type": "application/vnd.safetensors"}).expect(201)
    body = formats.safetensors_of({longest: np.zeros(3, "<f4"), "z z": np.ones(2, "<f4")})
    s.put("checkpoints/two", body, {"Content-Type": "application/vnd.safetensors"}).expect(201)
    reply = diff(s, "one", "two", page_size=1)
    assert the_one(reply)["name"] == "z z" and reply["next_page_token"] == "z z"
    reply = diff(s, "one", "two", page_size=1, page_token="z z")
    assert (the_one(reply)["name"], reply["tensors"][0]["changed_count"]) == (longest, 3)
    reply = diff(s, "one", "two", prefix="ü")
    assert the_one(reply)["name"] == longest
    reply = diff(s, "one", "current", prefix="ü" * 200)
    assert the_one(reply)["status"] == "added"


def test_variables_that_a_save_would_leave_out_take_no_part(s):
    s.make("w", [1])
    s.create("local", 1.0, collections=["local_variables"])
    s.create("declared", dtype="float32", shape=[2])
    s.initialize(variables=["local"])
    s.save("c", variables=["w"])
    s.save("with", variables=["w", "local"])
    assert diff(s, "c", "current")["identical"]
    assert set(tensors_of(diff(s, "with", "current"))) == {"w", "local"}
    s.create("later", 1.0)
    assert diff(s, "c", "current")["identical"], "it has no value yet"
    s.initialize(variables=["later"])
    assert tensors_of(diff(s, "c", "current"))["later"]["status"] == "removed"


def test_another_model(s):
    s.make("w", [1, 2])
    s.save("c")
    other = "other-" + s.model
    path = f"/v1/models/{other}"
    s.put(path, {}).expect(201)
    body = formats.npy_write(np.array([1, 5], "<f4"))
    s.put_ok(f"{path}/variables/w", body, {"Content-Type": "application/x-npy"})
    s.post(f"{path}/checkpoints", {"name": "d"}).expect(201)
    for against in ("d", "current"):
        reply = diff(s, "c", against, model=other)
        assert (the_one(reply)["max_abs"], reply["against_model"], reply["model"]) == (3, other, s.model), reply
    s.refuses(404, "NOT_FOUND", "'d'", "GET", "checkpoints/c:diff?against=d")
    s.refuses(404, "NOT_FOUND", "nowhere", "GET", "checkpoints/c:diff?against=d&model=nowhere")
    # What was restored from there is shared with it.
    big = formats.npy_write(np.arange(LARGE, dtype="<f4"))
    s.put_ok(f"{path}/variables/big", big, {"Content-Type": "application/x-npy"})
    s.post(f"{path}/checkpoints", {"name": "e"}).expect(201)
    s.post(":restore", {"checkpoint": {"model": other, "name": "e"}, "create": True}).expect(200)
    s.save("mine", variables=["big"])
    reply = diff(s, "mine", "e", model=other, tensor="big")
    assert reply["identical"] and reply["compared_bytes"] == 0, reply


def test_refusals(s):
    s.make("w", [1])
    s.save("c")
    for query, status, code, words in (
            ("", 400, "INVALID_ARGUMENT", ("against", "current")),
            ("?against=", 400, "INVALID_ARGUMENT", "against"),
            ("?against=ghost", 404, "NOT_FOUND", "'ghost'"),
            ("?against=a//b", 400, "INVALID_ARGUMENT", "a//b"),
            ("?against=c&measures=some", 400, "INVALID_ARGUMENT", ("measures", "some")),
            ("?against=c&tensor=w&prefix=w", 400, "INVALID_ARGUMENT", ("tensor", "prefix")),
            ("?against=c&model=a/b", 400, "INVALID_ARGUMENT", "a/b"),
            ("?against=c&prefix=" + "x" * 481, 400, "INVALID_ARGUMENT", "481"),
            ("?against=c&page_size=0", 400, "INVALID_ARGUMENT", "page_size"),
            ("?against=c&changed=true", 400, "INVALID_ARGUMENT", "changed_only"),
            ("?against=c&changed_only=perhaps", 400, "INVALID_ARGUMENT", "changed_only")):
        s.refuses(status, code, words, "GET", f"checkpoints/c:diff{query}")
    s.refuses(404, "NOT_FOUND", "'ghost'", "GET", "checkpoints/ghost:diff?against=c")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "checkpoints/c:diff?against=c")


def test_entity_tags_follow_both_sides(s):
    s.make("w", [1])
    s.save("a")
    s.make("w", [2])
    s.save("b")
    first = s.get("checkpoints/b:diff?against=a").expect(200)
    same = {"If-None-Match": first.etag}
    assert s.get("checkpoints/b:diff?against=a", same).status == 304
    assert s.get("checkpoints/b:diff?against=a&changed_only=true", same).status == 200
    current = s.get("checkpoints/b:diff?against=current").expect(200)
    assert s.get("checkpoints/b:diff?against=current", {"If-None-Match": current.etag}).status == 304
    s.make("w", [3])
    assert s.get("checkpoints/b:diff?against=a", same).status == 304, "checkpoints do not change"
    assert s.get("checkpoints/b:diff?against=current", {"If-None-Match": current.etag}).status == 200
    s.save("a", overwrite=True)
    again = s.get("checkpoints/b:diff?against=a", same).expect(200)
    assert the_one(again.json)["max_abs"] == 1 and again.etag != first.etag
    head = s.head("checkpoints/b:diff?against=a").expect(200)
    assert head.etag == again.etag and int(head.headers["content-length"]) == len(again.body)


def test_a_checkpoint_against_itself(s):
    s.make("w", [1, np.nan])
    s.save("c")
    assert diff(s, "c", "c")["identical"]
