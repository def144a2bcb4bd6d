"""What a value's elements are (:stats), with NumPy as judge."""

import json
import threading
import time

import formats
from comparing import number, parts_of, some_bytes

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}
SMALL, LARGE = 500, 300_000  # elements: of one record, and of several chunks for every type
PERCENTS = [1, 5, 25, 50, 75, 95, 99]
SAMPLE_MAX = 65536


def stats(s, name, query=""):
    return s.get(f"variables/{name}:stats{query}").expect(200).json


def numbers_of(dtype, data):
    """The elements as the numbers that they are taken for, in float64; integers exactly."""
    if dtype == "bool":
        return np.frombuffer(data, "u1")
    parts = parts_of(dtype, data)
    return np.hypot(parts[0::2], parts[1::2]) if dtype.startswith("complex") else parts


def stride_of(shape):
    count = int(np.prod(shape))
    stride = max(1, -(-count // SAMPLE_MAX))
    while stride > 1 and np.gcd(stride, shape[-1]) > 1 and shape[-1] < count:
        stride += 1
    return stride


def judge(dtype, data, shape):
    x = numbers_of(dtype, data)
    wide = x.astype("f8")
    fine = np.isfinite(wide)
    finite, exact = wide[fine], x[fine]
    sample = wide[::stride_of(shape)]
    sample = sample[np.isfinite(sample)]
    found = {"count": len(x), "finite": int(fine.sum()), "nan": int(np.isnan(wide).sum()),
             "pos_inf": int((wide == np.inf).sum()), "neg_inf": int((wide == -np.inf).sum()),
             "zero": int((finite == 0).sum()), "negative": int((finite < 0).sum()),
             "positive": int((finite > 0).sum()), "exact": stride_of(shape) == 1}
    if len(finite) > 0:
        found |= {"min": exact.min(), "max": exact.max(), "mean": finite.mean(), "stddev": finite.std(),
                  "l1": np.abs(finite).sum(), "l2": np.sqrt((finite * finite).sum())}
        found["percentiles"] = dict(zip(map(str, PERCENTS), np.percentile(sample, PERCENTS)))
    return found


def must_agree(got, expected, what):
    for key, value in expected.items():
        if isinstance(value, dict):
            must_agree(got[key], value, f"{what}: {key}")
        elif isinstance(value, (int, bool, np.integer)):
            assert number(got[key]) == int(value), f"{what}: {key} is {got[key]}, not {value}"
        else:
            scale = 0 if key != "mean" else got["l1"] / got["count"]
            assert np.isclose(number(got[key]), value, rtol=1e-11, atol=1e-12 * scale), \
                f"{what}: {key} is {got[key]}, not {value}"


def check_types(s, count, special):
    rng = np.random.default_rng(17 + special)
    for dtype, _, _, _ in formats.DTYPES:
        data = bytes(rng.integers(0, 2, count, "u1")) if dtype == "bool" else \
            some_bytes(dtype, count, rng, special)
        s.put_raw(dtype, dtype, [count // 100, 100], data)
        reply = stats(s, dtype)
        assert (reply["name"], reply["dtype"], reply["shape"]) == (dtype, dtype, [count // 100, 100])
        assert reply.get("of") == ("magnitude" if dtype.startswith("complex") else None)
        must_agree(reply, judge(dtype, data, [count // 100, 100]), dtype)


def test_small_values_of_every_type_are_as_numpy_says(s):
    check_types(s, SMALL, False)
    check_types(s, SMALL, True)


def test_large_values_of_every_type_are_as_numpy_says(s):
    check_types(s, LARGE, True)


def test_scalars_nothing_and_nothing_finite(s):
    s.make("scalar", 2.5)
    reply = stats(s, "scalar")
    assert (reply["min"], reply["max"], reply["mean"], reply["stddev"], reply["l2"]) == (2.5, 2.5, 2.5, 0, 2.5)
    assert set(reply["percentiles"].values()) == {2.5}
    s.put_raw("nothing", "float32", [0, 3], b"")
    s.put_raw("wild", "float32", [3], np.array([np.nan, np.inf, -np.inf], "<f4").tobytes())
    for name, count in ("nothing", 0), ("wild", 3):
        reply = stats(s, name)
        assert (reply["count"], reply["finite"]) == (count, 0), reply
        for key in ("min", "max", "mean", "stddev", "l1", "l2", "percentiles"):
            assert reply[key] is None, (key, reply)


def test_bounds_of_integers_are_exact(s):
    for dtype, values in (("int64", [-2**63, 2**63 - 1, 2**53 + 1]), ("int64", [-2**53 - 1]), ("uint64", [2**53 + 1, 2**63 - 1]),
                          ("uint64", [2**63, 2**64 - 1]), ("uint64", [0, 2**63 + 1]), ("uint64", [2**64 - 1])):
        s.put_raw(dtype, dtype, [len(values)], np.array(values, dtype).tobytes())
        for told in stats(s, dtype), s.get(f"variables/{dtype}:histograms").expect(200).json["series"][-1]["stats"]:
            for bound, value in (("min", min(values)), ("max", max(values))):
                assert isinstance(told[bound], int) and told[bound] == value, (told, value)
        assert s.delete(f"variables/{dtype}")


def test_strings_are_refused(s):
    s.put_raw("words", "string", [1], b"\x01\x00\x00\x00a")
    s.refuses(400, "INVALID_ARGUMENT", ["string", "no numbers"], "GET", "variables/words:stats")


def test_what_is_not_there_is_refused(s):
    s.create("declared", None, dtype="float32", shape=[3])
    s.refuses(409, "FAILED_PRECONDITION", ["declared", "not initialized"], "GET", "variables/declared:stats")
    s.refuses(404, "NOT_FOUND", ["nobody"], "GET", "variables/nobody:stats")
    s.make("w", [1, 2, 3])
    s.refuses(404, "NOT_FOUND", ["c1"], "GET", "variables/w:stats?checkpoint=c1")
    s.save("c1", variables=["w"])
    s.refuses(404, "NOT_FOUND", ["other", "c1"], "GET", "variables/other:stats?checkpoint=c1")
    s.refuses(400, "INVALID_ARGUMENT", ["bins"], "GET", "variables/w:stats?bins=3")


def test_fills_and_recipes_of_any_size_are_measured(s):
    s.create("fill", {"op": "fill", "dims": [50_000, 40_000], "value": 0.25})
    s.create("random", {"op": "random_normal", "shape": [300, 1000], "seed": 7}, virtual=True)
    s.create("huge", {"op": "random_normal", "shape": [10 ** 10], "seed": 7}, virtual=True)
    s.initialize()
    reply = stats(s, "fill")
    assert (reply["count"], reply["min"], reply["max"], reply["mean"]) == (2 * 10**9, 0.25, 0.25, 0.25), reply
    assert reply["stddev"] == 0 and reply["l1"] == 5e8 and not reply["exact"], reply
    assert np.isclose(reply["l2"], 0.25 * np.sqrt(2e9), rtol=1e-14)
    data = s.bytes_of("random", format="raw")
    reply = stats(s, "random")
    must_agree(reply, judge("float32", data, [300, 1000]), "random")
    assert reply["digest"] is None, reply
    for path in ("stats", "histograms"):
        s.refuses(413, "PAYLOAD_TOO_LARGE", ["expression_max_bytes"], "GET", f"variables/huge:{path}")


def test_all_columns_are_in_the_sample(s):
    """256 columns of which one is greater: a stride of 16 would see it in each of its elements, or in none."""
    columns, rows = 256, 4096
    array = np.zeros((rows, columns), "<f4")
    array[:, 5] = 1
    s.put_raw("w", "float32", [rows, columns], array.tobytes())
    reply = stats(s, "w")
    must_agree(reply, judge("float32", array.tobytes(), [rows, columns]), "w")
    assert reply["percentiles"]["99"] == 0 and not reply["exact"]


# --- of checkpoints, and entity tags ---


def test_a_checkpoint_keeps_its_statistics(s):
    s.make("global_step", 5, "int64")
    s.make("w", [1, 2, 3])
    s.save("c1", global_step=5)
    s.assign("w", [10, 20, 30])
    s.assign("global_step", 6)
    now, then = stats(s, "w"), stats(s, "w", "?checkpoint=c1-5")
    assert (now["mean"], now["step"], now["version"]) == (20, 6, 2), now
    assert (then["mean"], then["step"], then["checkpoint"]) == (2, 5, "c1-5") and "version" not in then, then
    s.delete("variables/w").expect(200)
    assert stats(s, "w", "?checkpoint=c1-5") == then


def test_an_entity_tag_says_whether_anything_has_changed(s):
    s.make("global_step", 5, "int64")
    s.make("w", [1, 2, 3])
    first = s.get("variables/w:stats").expect(200)
    tag = first.headers["etag"]
    again = s.get("variables/w:stats", {"If-None-Match": tag})
    assert again.status == 304 and again.body == b"" and again.headers["etag"] == tag
    head = s.head("variables/w:stats").expect(200)
    assert head.headers["etag"] == tag
    for path in ("stats", "preview", "histograms"):
        refused = s.get(f"variables/w:{path}", {"If-Match": '"r1-other"'})
        assert (refused.status, refused.code) == (412, "PRECONDITION_FAILED"), refused
    s.assign("w", [1, 2, 4])
    second = s.get("variables/w:stats", {"If-None-Match": tag}).expect(200)
    assert second.json["max"] == 4 and second.headers["etag"] != tag
    s.assign("global_step", 6)  # is told, too
    third = s.get("variables/w:stats", {"If-None-Match": second.headers["etag"]}).expect(200)
    assert third.json["step"] == 6 and third.headers["etag"] != second.headers["etag"]


def test_digests_are_those_of_the_value(s):
    s.make("w", [1, 2, 3])
    s.save("c1")
    listed = s.get("checkpoints/c1").expect(200).json["tensors"]
    assert stats(s, "w")["digest"] == next(t["digest"] for t in listed if t["name"] == "w")


# --- remembered, and beside writers ---


def test_what_is_remembered_is_of_the_value_as_it_is(s):
    rng = np.random.default_rng(4)
    array = rng.standard_normal(100_000).astype("<f4")
    s.put_raw("w", "float32", [len(array)], array.tobytes())
    for i in range(20):
        must_agree(stats(s, "w"), judge("float32", array.tobytes(), [len(array)]), f"after {i}")
        array[i] = 1000 + i
        s.put_ok(f"variables/w:value?slice={i}:{i + 1}", array[i:i + 1].tobytes(),
                 {**RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "1"})
    s.delete("variables/w").expect(200)
    s.put_raw("w", "float32", [len(array)], (-array).tobytes())
    must_agree(stats(s, "w"), judge("float32", (-array).tobytes(), [len(array)]), "made again")


def test_numbers_beside_a_writer_are_of_one_version(s):
    """All elements are the same in each version, so any other deviation is a torn read."""
    count, ended = 400_000, threading.Event()
    s.put_raw("w", "float32", [count], np.zeros(count, "<f4").tobytes())

    def write():
        try:
            overwrite()
        finally:
            ended.set()

    def overwrite():
        client = s.another_client()
        for i in range(1, 12):
            client.request("PUT", s.path("variables/w:value"), np.full(count, i, "<f4").tobytes(), RAW).expect(200)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not ended.is_set():
        reply = stats(s, "w")
        assert reply["min"] == reply["max"] == reply["mean"] and reply["stddev"] == 0, json.dumps(reply)
        assert reply["version"] - 1 == reply["mean"], reply
        seen.append(reply["version"])
        time.sleep(0.001)
    writer.join()
    assert seen == sorted(seen) and stats(s, "w")["mean"] == 11
