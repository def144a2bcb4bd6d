"""How elements were distributed over the versions of a variable (:histograms), with NumPy as judge."""

import time
import urllib.parse

import formats
from comparing import number

np = formats.np
FLAGS = ["--history-interval-ms", "0", "--history-cpu-percent", "100"]
BASIS_POINTS = [0, 668, 1587, 3085, 5000, 6915, 8413, 9332, 10000]
SECONDS_MAX = 30


def histograms(s, name, **query):
    query = urllib.parse.urlencode(query)
    return s.get(f"variables/{name}:histograms?{query}").expect(200).json


def versions(reply):
    return [one["version"] for one in reply["series"]]


def write(s, name, array, **fields):
    dtype = {"f4": "float32", "f8": "float64", "i4": "int32", "c8": "complex64"}[array.dtype.str[1:]]
    s.put_raw(name, dtype, list(array.shape), array.tobytes())


def kept(s, name):
    """The newest version that is kept, which the entity tag names; 0: none. (The value itself is told in any case.)"""
    tag = s.head(f"variables/{name}:histograms").expect(200).headers["etag"]
    return int(tag.strip('"').split("-v")[1].split("-")[0], 16)


def wait_for(s, name, version):
    end = time.monotonic() + SECONDS_MAX * s.patience
    while kept(s, name) < version:
        assert time.monotonic() < end, f"version {version} of {name} was not kept, {kept(s, name)} was: {histograms(s, name, bins=1)}"
        time.sleep(0.005)
    return histograms(s, name)


def expected_counts(x, lo, hi, bins):
    x = x[np.isfinite(x)]
    counts, _ = np.histogram(x[(x >= lo) & (x <= hi)], bins, (lo, hi))
    return counts, int((x < lo).sum()), int((x > hi).sum())


def error_of(got, x, lo, hi):
    """How much of the elements is in a wrong place: 0 to 2."""
    counts, below, above = expected_counts(x, lo, hi, len(got["counts"]))
    assert np.isclose(sum(got["counts"]) + got["below"] + got["above"], np.isfinite(x).sum()), got
    return (np.abs(np.array(got["counts"]) - counts).sum() + abs(got["below"] - below) + abs(got["above"] - above)) / len(x)


def test_few_elements_are_counted_exactly(s):
    for count in 1, 2, 5, 128, 129:
        x = np.random.default_rng(count).standard_normal(count).astype("<f4")
        write(s, f"w{count}", x)
        for lo, hi, bins in (-3, 3, 12), (-0.5, 0.25, 7), (5, 6, 2):
            reply = histograms(s, f"w{count}", lo=lo, hi=hi, bins=bins)
            assert (reply["lo"], reply["hi"], reply["bins"]) == (lo, hi, bins)
            got, = reply["series"]
            counts, below, above = expected_counts(x, lo, hi, bins)
            assert got["counts"] == counts.tolist() and (got["below"], got["above"]) == (below, above), (count, got)
        got, = histograms(s, f"w{count}")["series"]
        assert sum(got["counts"]) == count and got["below"] == got["above"] == 0, got


def test_distributions_of_all_kinds_are_true_in_any_range(s):
    rng = np.random.default_rng(1)
    n = 200_000
    outliers = rng.standard_normal(n)
    outliers[:5] = 1e4
    zeros = rng.standard_normal(n) * (rng.random(n) > 0.6)
    peaks = np.where(rng.random(n) < 0.5, -1, 1) + 0.01 * rng.standard_normal(n)
    for name, x in (("narrow", rng.normal(0.97, 0.005, n)), ("wide", rng.normal(0, 0.05, n)), ("outliers", outliers),
                    ("zeros", zeros), ("peaks", peaks), ("lognormal", rng.lognormal(0, 2, n))):
        x = x.astype("<f4")
        write(s, name, x)
        lo, hi = (float(q) for q in np.quantile(x, [0.005, 0.995]))
        got, = histograms(s, name, lo=repr(lo), hi=repr(hi))["series"]
        assert error_of(got, x, lo, hi) < 0.06, (name, error_of(got, x, lo, hi))
        got, = histograms(s, name, lo=repr((lo + hi) / 2), hi=repr(hi), bins=16)["series"]
        assert error_of(got, x, (lo + hi) / 2, hi) < 0.06, (name, "zoomed")
        for point, value in list(zip(BASIS_POINTS, got["quantiles"]))[1:8]:
            assert (x < value).mean() - 0.01 < point / 1e4 < (x <= value).mean() + 0.01, (name, point, value)
        assert (got["quantiles"][0], got["quantiles"][8]) == (x.min(), x.max()), (name, got["quantiles"])


def test_what_lies_close_together_far_from_zero_is_told_apart(s):
    rng = np.random.default_rng(11)
    far = {"f8": 1e8 + rng.normal(0, 1, 50_000), "i8": 10**12 + rng.integers(0, 1000, 50_000), "i4": -2**30 - rng.integers(0, 500, 50_000),
           "u8": 2**63 + rng.integers(0, 2**40, 50_000).astype("u8"), "few": 1e9 + np.arange(20.0)}
    for name, x in far.items():
        x = x.astype("<" + name if name != "few" else "<f8")
        s.put_raw(name, x.dtype.name, list(x.shape), x.tobytes())
        lo, hi = (float(v) for v in np.percentile(x.astype("f8"), (0.5, 99.5)))
        got, = histograms(s, name, lo=repr(lo), hi=repr(hi), bins=32)["series"]
        true = np.histogram(x.astype("f8"), 32, (lo, hi))[0]
        assert np.abs(np.array(got["counts"]) - true).sum() < 0.06 * len(x), (name, got["counts"], true)
        assert got["quantiles"][0] == float(x.min()), (name, got["quantiles"])
        assert np.allclose(got["quantiles"][4], np.median(x.astype("f8")), atol=0.02 * (hi - lo), rtol=0), (name, got["quantiles"])


def test_ranges_are_full_or_robust(s):
    x = np.zeros(100_001, "<f4")
    x[:] = np.linspace(0, 1, len(x))
    x[0], x[-1] = -1000, 1000
    write(s, "w", x)
    full, robust = histograms(s, "w", bins=10), histograms(s, "w", bins=10, range="robust")
    assert (full["lo"], full["hi"]) == (-1000, 1000), full
    assert 0 <= robust["lo"] < 0.02 and 0.98 < robust["hi"] <= 1, robust
    assert all(np.isclose(c, 0.098 * len(x), rtol=0.03) for c in robust["series"][0]["counts"]), robust
    write(s, "constant", np.full(1000, 7, "<f4"))
    reply = histograms(s, "constant", bins=4)
    assert (reply["lo"], reply["hi"], reply["series"][0]["counts"]) == (6.5, 7.5, [0, 0, 1000, 0]), reply
    write(s, "wild", np.array([np.nan, np.inf, -np.inf], "<f4"))
    reply = histograms(s, "wild", bins=2)
    got, = reply["series"]
    assert (reply["lo"], reply["hi"], got["counts"], got["quantiles"]) == (0, 1, [0, 0], None), reply
    assert (got["stats"]["nan"], got["stats"]["pos_inf"], got["stats"]["neg_inf"], got["stats"]["mean"]) == (1, 1, 1, None)
    s.make("far", [1.0])
    reply = histograms(s, "far", lo="1e18", bins=4)
    assert reply["lo"] == 1e18 < reply["hi"] and reply["series"][0]["below"] == 1, reply


def test_statistics_of_a_snapshot_are_those_of_its_version(s):
    values = [np.random.default_rng(i).standard_normal(5000).astype("<f4") for i in range(4)]
    for version, x in enumerate(values, 1):
        write(s, "w", x)
        stats = s.get("variables/w:stats").expect(200).json
        assert wait_for(s, "w", version)["series"][-1]["stats"] == {k: stats[k] for k in (
            "count", "finite", "nan", "pos_inf", "neg_inf", "zero", "negative", "positive", "min", "max", "mean", "stddev", "l1", "l2")}
    reply = histograms(s, "w")
    assert versions(reply) == [1, 2, 3, 4], reply
    for one, x in zip(reply["series"], values):
        assert np.isclose(one["stats"]["mean"], x.astype("f8").mean(), rtol=1e-10)
        assert one["step"] == one["version"] and abs(one["wall_time"] - time.time()) < 600, one


def test_bounds_of_integers_stay_exact_in_snapshots(s):
    values = np.array([2**53 + 1, 2**63 + 1, 2**64 - 1], "u8")
    for version in (1, 2):
        s.put_raw("u", "uint64", [3], values.tobytes())
        wait_for(s, "u", version)
    s.restart()
    for one in histograms(s, "u")["series"]:
        assert (one["stats"]["min"], one["stats"]["max"]) == (2**53 + 1, 2**64 - 1), one


def test_snapshots_cost_no_revision_and_survive_a_restart(s):
    write(s, "w", np.arange(300, dtype="<f4"))
    first = s.info("w")["revision"]
    wait_for(s, "w", 1)
    write(s, "w", np.arange(300, dtype="<f4") + 1)
    assert s.info("w")["revision"] == first + 1, "nothing came between"
    before = wait_for(s, "w", 2)
    s.restart()
    assert histograms(s, "w") == before
    s.kill9()
    s.restart()
    assert histograms(s, "w") == before
    assert s.post("/v1:verify?payloads=true").expect(200).json["findings"] == 0


def test_steps_are_those_of_the_model(s):
    s.make("global_step", 0, "int64")
    for i in range(1, 7):
        s.assign("global_step", i * 10)
        write(s, "w", np.full(10, i, "<f4"))
        wait_for(s, "w", i)
    def steps(**query):
        return [one["step"] for one in histograms(s, "w", **query)["series"]]
    assert steps() == [10, 20, 30, 40, 50, 60]
    assert steps(from_step=20, to_step=50) == [20, 30, 40, 50]
    assert steps(max_steps=3) == [10, 30, 60] and steps(max_steps=1) == [60] and steps(max_steps=2, to_step=30) == [10, 30]
    assert steps(from_step=70) == []


def test_tensorboard_reads_triples_and_basis_points(s):
    x = np.random.default_rng(3).standard_normal(10_000).astype("<f4")
    write(s, "w", x)
    plain = wait_for(s, "w", 1)
    (when, step, triples), = histograms(s, "w", format="tensorboard", bins=30)
    assert (when, step) == (plain["series"][0]["wall_time"], 1) and len(triples) == 30
    assert triples[0][0] == x.min() and triples[-1][1] == x.max() and np.isclose(sum(c for _, _, c in triples), len(x))
    assert all(np.isclose(a[1], b[0]) for a, b in zip(triples, triples[1:]))
    (_, _, lines), = histograms(s, "w", format="tensorboard_distributions")
    assert [point for point, _ in lines] == BASIS_POINTS == plain["basis_points"]
    assert [value for _, value in lines] == plain["series"][0]["quantiles"]


def test_a_variable_that_goes_takes_its_snapshots_with_it(s):
    for name in "w", "v":
        write(s, name, np.arange(500, dtype="<f4"))
        wait_for(s, name, 1)
    s.delete("variables/w").expect(200)
    write(s, "w", np.ones(500, "<f4"))
    write(s, "w", np.ones(500, "<f4"))
    reply = wait_for(s, "w", 2)
    assert all(one["stats"]["max"] == 1 for one in reply["series"]), reply
    s.delete("").expect(200)
    report = s.post("/v1:verify").expect(200).json
    assert report["findings"] == 0, report
    s.put("", {}).expect(201)


def test_what_is_not_kept_still_has_its_value(s):
    s.create("still", {"op": "random_normal", "shape": [1000], "seed": 1}, trainable=False)
    s.initialize()
    for _ in range(3):
        s.assign("still", {"op": "random_normal", "shape": [1000], "seed": 2})
    reply = histograms(s, "still")
    assert reply["spacing"] == 0 and versions(reply) == [4], reply


def test_complex_numbers_and_integers(s):
    z = (np.arange(50) + 1j * np.arange(50)).astype("<c8")
    write(s, "z", z)
    got, = histograms(s, "z", bins=5)["series"]
    assert got["counts"] == np.histogram(np.abs(z.astype("c16")).astype("f4"), 5)[0].tolist(), got
    write(s, "i", np.arange(-10, 11, dtype="<i4"))
    reply = histograms(s, "i", lo=-10.5, hi=10.5, bins=21)
    assert reply["series"][0]["counts"] == [1] * 21 and reply["series"][0]["stats"]["min"] == -10, reply


def test_an_entity_tag_says_whether_anything_has_changed(s):
    write(s, "w", np.arange(100, dtype="<f4"))
    wait_for(s, "w", 1)
    tag = s.get("variables/w:histograms").expect(200).headers["etag"]
    assert s.get("variables/w:histograms", {"If-None-Match": tag}).status == 304
    assert s.get("variables/w:histograms?bins=3", {"If-None-Match": tag}).status == 200
    write(s, "w", np.arange(100, dtype="<f4") + 1)
    wait_for(s, "w", 2)
    again = s.get("variables/w:histograms", {"If-None-Match": tag}).expect(200)
    assert versions(again.json) == [1, 2] and again.headers["etag"] != tag


def test_what_cannot_be_is_refused(s):
    write(s, "w", np.arange(10, dtype="<f4"))
    s.put_raw("words", "string", [1], b"\x01\x00\x00\x00a")
    s.create("declared", None, dtype="float32", shape=[3])
    for query, words in (("bins=0", "bins"), ("bins=513", "512"), ("max_steps=513", "max_steps"), ("lo=a", "lo"), ("hi=", "hi"),
                         ("lo=1&hi=1", "lo"), ("lo=2&hi=1", "hi"), ("range=all", "range"), ("from_step=1.5", "from_step")):
        s.refuses(400, "INVALID_ARGUMENT", words, "GET", "variables/w:histograms?" + query)
    s.refuses(406, "NOT_ACCEPTABLE", "tensorboard", "GET", "variables/w:histograms?format=npy")
    s.refuses(400, "INVALID_ARGUMENT", "no numbers", "GET", "variables/words:histograms")
    s.refuses(409, "FAILED_PRECONDITION", "not initialized", "GET", "variables/declared:histograms")
    s.refuses(404, "NOT_FOUND", "ghost", "GET", "variables/ghost:histograms")
    assert number(histograms(s, "w", lo=-1e308, bins=1)["lo"]) == -1e308


def test_history_is_bounded_and_evenly_spaced(s):
    with s.other_server("--history-interval-ms", "0", "--history-cpu-percent", "100", "--history-interval-versions", "1") as t:
        for version in range(1, 161):
            write(t, "w", np.full(3, version, "<f4"))
            spacing = histograms(t, "w", bins=1, max_steps=1)["spacing"]
            wait_for(t, "w", version - spacing)
        reply = histograms(t, "w", max_steps=512)
        assert len(reply["series"]) <= 64 and reply["spacing"] > 1, reply["spacing"]
        got = versions(reply)
        assert got[0] in (1, 2) and got[-1] == 160 and 30 <= len(got) and got == sorted(set(got)), got
        assert max(b - a for a, b in zip(got, got[1:])) <= 2 * reply["spacing"], (reply["spacing"], got)
        assert all(one["stats"]["mean"] == one["version"] for one in reply["series"])
        assert t.post("/v1:verify").expect(200).json["findings"] == 0
