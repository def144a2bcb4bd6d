"""gather: rows by number, of one revision, in every wire format, touching nothing else."""

import formats

np = formats.np
GATHER = "variables/{}:gather"


def gather(s, name, indices, query=""):
    return s.post(GATHER.format(name) + query, {"indices": indices})


def rows(s, name, indices, **query):
    text = "&".join(f"{key}={value}" for key, value in {"format": "npy", **query}.items())
    return formats.npy_read(gather(s, name, indices, "?" + text).expect(200).body)


def test_rows_come_in_the_order_of_the_indices(s):
    table = np.arange(30, dtype="<f4").reshape(6, 5)
    s.put_npy("w", table)
    for indices in ([0], [5, 0, 3, 3, 1], 2, [[1, 2, 3], [4, 0, 0]], []):
        want = table[np.array(indices, dtype=int)]
        got = rows(s, "w", indices)
        assert got.dtype == want.dtype and got.shape == want.shape and np.array_equal(got, want), (indices, got)
    reply = gather(s, "w", [1, 1]).expect(200)
    info = s.info("w")
    assert reply.json == {"name": "w", "dtype": "float32", "shape": [2, 5], "revision": info["revision"],
                          "data": [[5, 6, 7, 8, 9]] * 2}
    assert s.post("variables/w:0:gather", {"indices": 0}).expect(200).json["data"] == [0, 1, 2, 3, 4]


def test_every_wire_format_and_conversion(s):
    table = np.arange(12, dtype="<i2").reshape(4, 3)
    s.put_npy("w", table)
    raw = gather(s, "w", [3, 1], "?format=raw").expect(200)
    assert raw.body == table[[3, 1]].tobytes()
    assert "accept-ranges" not in raw.headers
    assert raw.headers["tensor-dtype"] == "int16" and raw.headers["tensor-shape"] == "2,3"
    tensors = formats.safetensors_read(gather(s, "w", [3, 1], "?format=safetensors").expect(200).body)[0]
    assert tensors == {"w": ("int16", [2, 3], table[[3, 1]].tobytes())}
    got = rows(s, "w", [2], dtype="float64")
    assert got.dtype == np.dtype("<f8") and np.array_equal(got, table[[2]].astype("<f8"))
    accepted = s.post(GATHER.format("w"), {"indices": [0]}, {"Accept": "application/x-npy"}).expect(200)
    assert np.array_equal(formats.npy_read(accepted.body), table[[0]])
    s.refuses(406, "NOT_ACCEPTABLE", "npy", "POST", GATHER.format("w"), {"indices": [0]}, {"Accept": "text/html"})
    s.refuses(400, "INVALID_ARGUMENT", "dtype", "POST", GATHER.format("w") + "?dtype=int99", {"indices": [0]})


def test_long_and_short_rows_of_big_tables(s):
    random = np.random.default_rng(5)
    for shape in ((3000, 100), (40, 9000), (300000,), (700, 3, 50)):
        table = random.standard_normal(shape).astype("<f4")
        name = "t" + "x".join(map(str, shape))
        s.put_npy(name, table)
        for count in (1, 30, 500):
            indices = random.integers(0, shape[0], count)
            assert np.array_equal(rows(s, name, indices.tolist()), table[indices]), (shape, count)
        ordered = list(range(shape[0] // 2))
        assert np.array_equal(rows(s, name, ordered), table[:len(ordered)]), shape


def test_rows_of_fills_and_recipes_are_made(s):
    s.create("fill", {"op": "fill", "args": [[1000000, 20], 2.5]})
    s.create("virtual", {"op": "random_uniform", "shape": [10000000, 8], "seed": 7}, virtual=True)
    s.initialize()
    assert np.array_equal(rows(s, "fill", [999999, 0]), np.full((2, 20), 2.5, "<f4"))
    got = rows(s, "virtual", [9999999, 3])
    assert np.array_equal(got[0], s.array("virtual", slice="9999999"))
    assert np.array_equal(got[1], s.array("virtual", slice="3"))


def test_indices_are_any_expression_of_integers(s):
    s.make("w", np.arange(20).reshape(10, 2))
    s.make("picks", [7, 2], "int32")
    assert gather(s, "w", {"variable": "picks"}).expect(200).json["data"] == [[14, 15], [4, 5]]
    assert gather(s, "w", {"op": "range", "args": [0, 6, 3]}).expect(200).json["data"] == [[0, 1], [6, 7]]
    assert gather(s, "w", {"dtype": "int32", "shape": [1], "data": [9]}).expect(200).json["data"] == [[18, 19]]
    drawn = {"op": "random_uniform", "shape": [4], "minval": 0, "maxval": 10, "dtype": "int32", "seed": 3}
    assert gather(s, "w", drawn).expect(200).json == gather(s, "w", drawn).expect(200).json


def test_what_cannot_be_gathered(s):
    s.make("w", np.arange(20).reshape(10, 2))
    s.make("scalar", 1.0)
    s.create("unset", dtype="float32", shape=[3])
    s.put_raw("text", "string", [1], b"\x01\x00\x00\x00a")
    for name, indices, words in (
            ("w", [0, 10], ("gather from 'w'", "indices[1] = 10 is not in [0, 10)")),
            ("w", [[0, 1], [-1, 2]], "indices[1,0] = -1 is not in [0, 10)"),
            ("w", 10, "indices = 10 is not in [0, 10)"),
            ("w", {"dtype": "float32", "shape": [1], "data": [0]}, "indices must be int32 or int64, not float32"),
            ("w", [0.5], "indices"),
            ("w", {"op": "zeros", "shape": [2 ** 40], "dtype": "int64"}, None),
            ("scalar", 0, "params must be at least 1 dimensional"),
            ("text", [0], "string")):
        if words is None:
            s.refuses(413, "PAYLOAD_TOO_LARGE", ("indices", "expression_max_bytes"), "POST", GATHER.format(name),
                      {"indices": indices})
        else:
            s.refuses(400, "INVALID_ARGUMENT", words, "POST", GATHER.format(name), {"indices": indices})
    s.refuses(409, "FAILED_PRECONDITION", "unset", "POST", GATHER.format("unset"), {"indices": [0]})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", GATHER.format("ghost"), {"indices": [0]})
    s.refuses(404, "NOT_FOUND", "ghost", "POST", GATHER.format("w"), {"indices": {"variable": "ghost"}})
    for body, words in (({}, "indices"), ([0], "object"), ({"indices": [0], "axis": 0}, "axis"), ({"indices": None}, "indices")):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", GATHER.format("w"), body)
    s.refuses(413, "PAYLOAD_TOO_LARGE", "expression_max_bytes", "POST", GATHER.format("w") + "?format=npy",
              {"indices": {"op": "zeros", "shape": [2 ** 26], "dtype": "int32"}})
    s.make("wide", np.zeros((1, 2 ** 20)), "uint8")
    s.refuses(413, "PAYLOAD_TOO_LARGE", "expression_max_bytes", "POST", GATHER.format("wide") + "?dtype=int64&format=npy",
              {"indices": {"op": "zeros", "shape": [1000], "dtype": "int32"}})
