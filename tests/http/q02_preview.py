"""A value as a picture (:preview), with NumPy as judge."""

import io
import itertools

import formats
from comparing import number, some_bytes
from q01_statistics import numbers_of

np = formats.np


def preview(s, name, **query):
    query = "&".join(f"{key}={value}" for key, value in query.items())
    reply = s.get(f"variables/{name}:preview?{query}").expect(200)
    assert reply.headers["content-type"] == "application/x-npy" and reply.headers["content-disposition"] == "attachment"
    tile = np.load(io.BytesIO(reply.body), allow_pickle=False)
    assert tile.dtype == np.dtype("<f4") and tile.ndim == 2 and not np.isfortran(tile)
    return tile


def begins(count, cells):
    return [i * count // cells for i in range(cells + 1)]


def reduce_block(block, how):
    if how == "mean":
        return block.sum() / block.size
    flat = block.reshape(-1)
    if np.isnan(flat).any() or (np.isposinf(flat).any() and np.isneginf(flat).any()):
        return np.nan
    return flat[np.abs(flat).argmax()]


def judge(view, how="mean", height=256, width=256):
    rows, cols = view.shape
    height, width = min(height, rows), min(width, cols)
    tile = np.empty((height, width), "f8")
    with np.errstate(all="ignore"):
        for i, j in itertools.product(range(height), range(width)):
            if how == "nearest":
                tile[i, j] = view[(2 * i + 1) * rows // (2 * height), (2 * j + 1) * cols // (2 * width)]
            else:
                r, c = begins(rows, height), begins(cols, width)
                tile[i, j] = reduce_block(view[r[i]:r[i + 1], c[j]:c[j + 1]], how)
        return tile.astype("f4")


def must_agree(tile, expected, what):
    assert tile.shape == expected.shape, (what, tile.shape, expected.shape)
    assert np.allclose(tile, expected, rtol=1e-6, atol=1e-7 * np.nanmax(np.abs(expected), initial=1, where=np.isfinite(expected)),
                       equal_nan=True), f"{what}: {tile} is not {expected}"


def put(s, name, dtype, shape, seed, special=False):
    data = some_bytes(dtype, formats.count_of(shape), np.random.default_rng(seed), special)
    s.put_raw(name, dtype, shape, data)
    return numbers_of(dtype, data).astype("f8").reshape(shape)


def test_every_type_and_way_is_as_numpy_says(s):
    for dtype in (name for name, _, _, _ in formats.DTYPES if name != "bool"):
        view = put(s, dtype, dtype, [70, 91], 3, special=True)
        for how in ("mean", "absmax", "nearest"):
            must_agree(preview(s, dtype, reduce=how, height=9, width=20), judge(view, how, 9, 20), f"{dtype} {how}")
    s.put_raw("bool", "bool", [2, 3], bytes([0, 1, 1, 0, 0, 1]))
    assert preview(s, "bool").tolist() == [[0, 1, 1], [0, 0, 1]]


def test_sizes_that_do_not_divide(s):
    view = put(s, "w", "float32", [97, 301], 5)
    for height, width in (1, 1), (1, 301), (97, 1), (96, 300), (13, 7), (1024, 1024), (97, 301):
        must_agree(preview(s, "w", height=height, width=width), judge(view, "mean", height, width), (height, width))
    assert (preview(s, "w", height=97, width=301) == view.astype("f4")).all(), "cells of one element are that"


def test_windows_and_slices(s):
    value = put(s, "w", "float32", [6, 40, 50], 6)
    for text, view in (("2", value[2]), ("...,3", value[..., 3]), ("-1,::-2", value[-1, ::-2]),
                       (":,7,::3", value[:, 7, ::3]), ("4,5", value[4, 5][None, :]), ("0,0,0", value[0, 0, :1][None, :]),
                       ("1:2,4,10:20", value[1:2, 4, 10:20]), ("5,::-1,::-1", value[5, ::-1, ::-1])):
        must_agree(preview(s, "w", slice=text, height=5, width=8), judge(view, "mean", 5, 8), text)
    view = value[3]
    for rows, cols in ("5:20", "10:11"), ("0:40", "-7:"), (":3", ":"), ("30:99", "49:50"):
        r, c = (slice(*(int(x) if x else None for x in text.split(":"))) for text in (rows, cols))
        must_agree(preview(s, "w", slice=3, rows=rows, cols=cols, height=4, width=4), judge(view[r, c], "mean", 4, 4), (rows, cols))
    backwards = value[3, ::-1, ::2]
    must_agree(preview(s, "w", slice="3,::-1,::2", rows="10:20", cols="5:25"), judge(backwards[10:20, 5:25]), "backwards")


def test_lines_scalars_and_nothing(s):
    line = put(s, "line", "float64", [1000], 7)
    must_agree(preview(s, "line", width=10), judge(line[None, :], "mean", 256, 10), "line")
    must_agree(preview(s, "line", cols="990:1000"), judge(line[None, 990:]), "its end")
    s.make("scalar", 2.5)
    assert preview(s, "scalar").tolist() == [[2.5]]
    s.put_raw("nothing", "float32", [0, 5], b"")
    assert preview(s, "nothing").shape == (0, 5)
    assert preview(s, "line", cols="5:5").shape == (1, 0)


def test_large_values_are_as_numpy_says(s):
    view = put(s, "w", "float32", [1000, 1500], 8)
    for how in ("mean", "absmax"):
        must_agree(preview(s, "w", reduce=how, height=30, width=40), judge(view, how, 30, 40), how)
    must_agree(preview(s, "w", rows="100:900", cols="7:1491", height=10, width=10), judge(view[100:900, 7:1491], "mean", 10, 10), "window")


def test_nan_and_infinities_are_seen(s):
    array = np.ones((4, 8), "<f4")
    array[0, 0], array[1, 2], array[2, 4], array[3, 5], array[2, 7] = np.nan, np.inf, np.inf, -np.inf, -np.inf
    s.put_raw("w", "float32", [4, 8], array.tobytes())
    for how in ("mean", "absmax"):
        tile = preview(s, "w", reduce=how, height=2, width=4)
        assert np.array_equal(tile, [[np.nan, np.inf, 1, 1], [1, 1, np.nan, -np.inf]], equal_nan=True), (how, tile)


# --- differences ---


def test_a_difference_to_a_checkpoint(s):
    for dtype in ("float32", "complex64", "int16", "float16"):
        old = some_bytes(dtype, 600, np.random.default_rng(1), False)
        new = some_bytes(dtype, 600, np.random.default_rng(2), False)
        s.put_raw(dtype, dtype, [20, 30], old)
        s.save("old-" + dtype)
        s.put_raw(dtype, dtype, [20, 30], new)
        if dtype == "complex64":
            expected = np.abs(np.frombuffer(new, "<c8").astype("c16") - np.frombuffer(old, "<c8").astype("c16"))
        else:
            expected = numbers_of(dtype, new).astype("f8") - numbers_of(dtype, old).astype("f8")
        expected = expected.reshape(20, 30)
        must_agree(preview(s, dtype, against="old-" + dtype), judge(expected), dtype)
        must_agree(preview(s, dtype, against="old-" + dtype, reduce="absmax", height=3, width=4, rows="2:19"),
                   judge(expected[2:19], "absmax", 3, 4), dtype)
        backwards = expected if dtype == "complex64" else -expected
        must_agree(preview(s, dtype, checkpoint="old-" + dtype, against="current"), judge(backwards), dtype)


def test_a_difference_to_another_shape_is_refused(s):
    s.make("w", [1, 2, 3])
    s.save("old")
    s.delete("variables/w").expect(200)
    s.make("w", [1, 2])
    s.refuses(409, "FAILED_PRECONDITION", ["float32[2]", "float32[3]"], "GET", "variables/w:preview?against=old")
    s.refuses(404, "NOT_FOUND", ["ghost"], "GET", "variables/w:preview?against=ghost")


# --- what else is said ---


def test_json_says_what_the_picture_is_of(s):
    view = put(s, "w", "float32", [40, 50], 9)
    view[:] = np.arange(2000).reshape(40, 50)
    s.put_raw("w", "float32", [40, 50], view.astype("<f4").tobytes())
    for path, headers in (":preview?format=json&", {}), (":preview?", {"Accept": "application/json"}):
        reply = s.get(f"variables/w{path}rows=10:30&cols=0:8&height=2&width=3&reduce=nearest", headers).expect(200).json
        data = reply.pop("data")
        assert reply == {"name": "w", "dtype": "float32", "shape": [40, 50], "revision": reply["revision"], "view": [40, 50],
                         "rows": [10, 30], "cols": [0, 8], "reduce": "nearest", "height": 2, "width": 3}
        must_agree(np.array(data), judge(view[10:30, :8], "nearest", 2, 3), "json")
    s.put_raw("wild", "float32", [3], np.array([np.nan, np.inf, -np.inf], "<f4").tobytes())
    data = s.get("variables/wild:preview?format=json").expect(200).json["data"]
    assert data == [["NaN", "Infinity", "-Infinity"]] and number(data[0][1]) == np.inf


def test_entity_tags_tell_pictures_apart(s):
    s.make("w", [[1, 2], [3, 4]])
    s.save("old")
    tags = set()
    for path in ("", "?height=1", "?format=json", "?against=old", "?checkpoint=old", "?checkpoint=old&against=current"):
        reply = s.get("variables/w:preview" + path).expect(200)
        tags.add(reply.headers["etag"])
        again = s.get("variables/w:preview" + path, {"If-None-Match": reply.headers["etag"]})
        assert again.status == 304 and again.body == b"", path
    assert len(tags) == 6, tags
    compared = s.get("variables/w:preview?checkpoint=old&against=current").expect(200).headers["etag"]
    s.assign("w", [[1, 2], [3, 5]])
    changed = s.get("variables/w:preview?checkpoint=old&against=current", {"If-None-Match": compared}).expect(200)
    assert changed.headers["etag"] != compared


def test_what_is_no_picture_is_refused(s):
    s.put_raw("w", "float32", [2, 3, 4], bytes(96))
    s.put_raw("words", "string", [1], b"\x01\x00\x00\x00a")
    s.create("declared", None, dtype="float32", shape=[3])
    bad = (400, "INVALID_ARGUMENT")
    for query, words in (("", ["[2,3,4]", "slice"]), ("slice=1,2,3,4", ["slice"]), ("slice=0&height=0", ["height", "1024"]),
                         ("slice=0&width=1025", ["width", "1024"]), ("slice=0&reduce=max", ["reduce", "absmax"]),
                         ("slice=0&rows=1", ["rows"]), ("slice=0&cols=::2", ["cols"]), ("slice=0&rows=a:b", ["rows"])):
        s.refuses(*bad, words, "GET", "variables/w:preview?" + query)
    s.refuses(400, "OUT_OF_RANGE", ["index 2"], "GET", "variables/w:preview?slice=2")
    s.refuses(*bad, ["string", "no numbers"], "GET", "variables/words:preview")
    s.refuses(409, "FAILED_PRECONDITION", ["not initialized"], "GET", "variables/declared:preview")
    s.refuses(406, "NOT_ACCEPTABLE", ["npy", "json"], "GET", "variables/w:preview?slice=0&format=png")


def test_windows_of_values_of_any_size(s):
    s.create("huge", {"op": "random_normal", "shape": [10 ** 5, 10 ** 5], "seed": 7}, virtual=True)
    s.create("fill", {"op": "fill", "dims": [10 ** 5, 10 ** 5], "value": 2.0})
    s.initialize()
    window = s.array("huge", slice="99000:99050,500:600")
    must_agree(preview(s, "huge", rows="99000:99050", cols="500:600", height=5, width=5), judge(window.astype("f8"), "mean", 5, 5), "huge")
    assert (preview(s, "fill", rows="5:2005", cols="1:40001", height=2, width=2) == 2).all()
