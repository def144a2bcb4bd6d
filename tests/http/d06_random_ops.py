"""Random ops and initializers over HTTP: runs of an op, rows and crops, initializers in their variable's shape, errors."""

import math

import formats

np = formats.np

RANDOM_INITIALIZERS = ["random_normal_initializer", "truncated_normal_initializer", "uniform_unit_scaling_initializer",
                       "variance_scaling_initializer", "glorot_normal_initializer", "glorot_uniform_initializer",
                       "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"]


def result(s, expression, **fields):
    s.names_used = getattr(s, "names_used", 0) + 1
    name = f"x{s.names_used}"
    s.create(name, expression, **fields)
    s.initialize(variables=[name])
    return s.array(name)


def refused(s, expression, *words, **fields):
    s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "bad", "initial_value": expression, **fields})


def close(got, want, atol=2e-8):
    assert np.allclose(got, want, rtol=0, atol=atol), (got, want)


# --- runs ---

def test_each_run_of_an_op_has_its_own_numbers(s):
    # tf.truncated_normal([1], stddev=0.05, seed=1), nine runs of one session, as TensorFlow 1.x printed them.
    printed = [-0.04056591, 0.03198485, 0.06793887, 0.02758562, -0.01044426, -0.01816605, -0.0337953, -0.07017376,
               -0.08169106]
    for run, number in enumerate(printed):
        close(result(s, {"op": "truncated_normal", "shape": [1], "stddev": 0.05, "seed": 1, "run": run}), [number])
    # tf.random_uniform([1], seed=1), two runs.
    close(result(s, {"op": "random_uniform", "shape": [1], "seed": 1}), [0.2390374])
    close(result(s, {"op": "random_uniform", "shape": [1], "seed": 1, "run": 1}), [0.22267115])
    # A run may stand after TensorFlow's own attributes: shape, mean, stddev, dtype, seed.
    first = result(s, {"op": "random_normal", "args": [[3], 0.0, 1.0, "float32", 1, 1]})
    close(first, [0.5517125, -0.13107553, -0.044813868], 1e-6)  # those of another profile


def test_a_run_is_no_less_than_0_and_can_be_counted(s):
    for op in ("random_normal", "random_uniform", "glorot_uniform_initializer"):
        refused(s, {"op": op, "shape": [3], "run": -1}, "run")
        refused(s, {"op": op, "shape": [3], "run": 2 ** 63 - 1}, "run", "64 bits")


# --- rows, crops, classes, gamma ---

def test_rows_are_shuffled_as_tensorflow_does(s):
    order = [[7, 9, 3, 6, 5, 1, 8, 4, 0, 2], [5, 1, 8, 3, 0, 9, 4, 7, 2, 6]]
    for run in (0, 1):
        got = result(s, {"op": "random_shuffle", "args": [list(range(10))], "seed": 1, "run": run})
        assert got.tolist() == order[run], got
    rows = [[i, -i] for i in range(10)]
    got = result(s, {"op": "random_shuffle", "value": rows, "seed": 1})
    assert got.tolist() == [rows[i] for i in order[0]], got
    assert result(s, {"op": "random_shuffle", "args": [5.0], "seed": 1}) == 5.0


def test_a_variable_is_shuffled_and_cropped_whole(s):
    source = np.arange(20 * 30, dtype="<f4").reshape(20, 30)
    s.make("w", source.tolist())
    got = result(s, {"op": "random_shuffle", "args": [{"variable": "w"}], "seed": 3})
    assert (got[got[:, 0].argsort()] == source).all() and not (got == source).all()
    crops = set()
    for seed in range(5):
        got = result(s, {"op": "random_crop", "args": [{"variable": "w"}, [7, 11]], "seed": seed})
        top, left = divmod(int(got[0, 0]), 30)
        assert (got == source[top:top + 7, left:left + 11]).all(), got
        crops.add((top, left))
    assert len(crops) > 1, crops
    refused(s, {"op": "random_crop", "args": [{"variable": "w"}], "size": [21, 30]},
            "assertion failed: [Need value.shape >= size, got ] [20 30] [21 30]")
    refused(s, {"op": "random_crop", "args": [{"variable": "w"}], "size": [2]}, "[20,30]", "[2]")


def test_classes_come_with_their_probabilities(s):
    got = result(s, {"op": "multinomial", "logits": [[0.0, math.log(3.0), -1000.0]], "num_samples": 20000, "seed": 1})
    assert got.dtype == np.int64 and got.shape == (1, 20000)
    share = np.bincount(got.ravel(), minlength=3) / 20000
    assert abs(share[0] - 0.25) < 0.02 and abs(share[1] - 0.75) < 0.02 and share[2] == 0, share
    refused(s, {"op": "multinomial", "args": [[0.0, 0.0], 1]}, "logits should be a matrix, got shape [2]")
    refused(s, {"op": "multinomial", "args": [[[0.0, 0.0]], -1]}, "num_samples should be nonnegative, got -1")
    refused(s, {"op": "multinomial", "args": [[[]], 1]}, "num_classes should be positive, got 0")


def test_gamma_numbers_for_each_alpha_and_beta(s):
    got = result(s, {"op": "random_gamma", "shape": [6], "alpha": [0.5, 1.0, 3.5], "seed": 1})
    assert got.shape == (6, 3)
    assert got[0].view("<u4").tolist() == [0x390dadfc, 0x400e8f95, 0x3f9089eb], got[0]
    halved = result(s, {"op": "random_gamma", "shape": [6], "alpha": [0.5, 1.0, 3.5], "beta": 2.0, "seed": 1})
    assert (halved == got / 2).all()
    refused(s, {"op": "random_gamma", "shape": [0], "alpha": 1.0}, "Input shape should have non-zero element count")
    s.create("zero", {"op": "random_gamma", "shape": [2], "alpha": 0.0})
    s.refuses(400, "INVALID_ARGUMENT", "alpha must be positive", "POST", ":initialize", {"variables": ["zero"]})


# --- initializers ---

def test_initializers_take_shape_and_dtype_of_their_variable(s):
    for name in RANDOM_INITIALIZERS:
        got = result(s, {"op": name, "seed": 7}, shape=[40, 50], dtype="float64")
        assert got.shape == (40, 50) and got.dtype == np.float64, name
        again = result(s, {"op": name, "seed": 7, "shape": [40, 50], "dtype": "float64"})
        assert (got == again).all(), name
    assert result(s, {"op": "zeros_initializer"}, shape=[2, 3], dtype="int32").tolist() == [[0] * 3] * 2
    assert result(s, {"op": "ones_initializer"}, shape=[2], dtype="bool").tolist() == [True, True]
    assert result(s, {"op": "constant_initializer", "value": 7}, shape=[2], dtype="int32").tolist() == [7, 7]
    got = result(s, {"op": "constant_initializer", "value": [0, 1, 2, 3, 4, 5, 6, 7]}, shape=[3, 4], dtype="float32")
    assert got.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [7, 7, 7, 7]], got
    got = result(s, {"op": "random_uniform_initializer", "minval": -2, "maxval": 8, "seed": 1}, shape=[500], dtype="int64")
    assert got.min() == -2 and got.max() == 7
    assert (result(s, {"op": "identity_initializer", "gain": 2.0}, shape=[2, 3], dtype="float32") == 2 * np.eye(2, 3)).all()


def test_limits_follow_the_shape(s):
    fan_in, fan_out = 5 * 5 * 3, 5 * 5 * 64
    for name, limit in (("glorot_uniform_initializer", math.sqrt(6 / (fan_in + fan_out))), ("he_uniform", math.sqrt(6 / fan_in)),
                        ("lecun_uniform", math.sqrt(3 / fan_in)), ("uniform_unit_scaling_initializer", math.sqrt(3 / fan_in))):
        got = np.abs(result(s, {"op": name, "seed": 1}, shape=[5, 5, 3, 64], dtype="float32"))
        assert limit * 0.99 < got.max() <= np.float32(limit), (name, got.max(), limit)
    # r1.0 leaves the variance truncation costs; names newer than it make up for it.
    for name, deviation in (("glorot_normal_initializer", 0.8796 * math.sqrt(2 / (fan_in + fan_out))),
                            ("he_normal", math.sqrt(2 / fan_in)), ("lecun_normal", math.sqrt(1 / fan_in))):
        got = result(s, {"op": name, "seed": 1}, shape=[5, 5, 3, 64], dtype="float32")
        assert abs(got.std() / deviation - 1) < 0.03, (name, got.std(), deviation)


def test_variance_scaling_in_all_its_forms(s):
    for distribution, deviation in (("normal", 0.8796), ("uniform", 1.0), ("truncated_normal", 1.0), ("untruncated_normal", 1.0)):
        for mode, n in (("fan_in", 100), ("fan_out", 300), ("fan_avg", 200)):
            got = result(s, {"op": "variance_scaling_initializer", "scale": 2.0, "mode": mode, "distribution": distribution,
                             "seed": 3}, shape=[100, 300], dtype="float32")
            assert abs(got.std() / (deviation * math.sqrt(2 / n)) - 1) < 0.03, (distribution, mode, got.std())


def test_initializers_say_what_they_cannot_do(s):
    for name in RANDOM_INITIALIZERS:
        for dtype in ("string", "int32", "bool"):
            refused(s, {"op": name, "shape": [2, 2], "dtype": dtype}, f"Expected floating point type, got {dtype}.")
    refused(s, {"op": "variance_scaling_initializer", "shape": [2], "scale": -1.0}, "`scale` must be positive float.")
    refused(s, {"op": "variance_scaling_initializer", "shape": [2], "mode": "fan"}, "Invalid `mode` argument:")
    refused(s, {"op": "variance_scaling_initializer", "shape": [2], "distribution": "odd"}, "Invalid `distribution` argument:")
    refused(s, {"op": "identity_initializer", "shape": [3]}, "Identity matrix initializer can only be used for 2D matrices.")
    refused(s, {"op": "he_normal"}, "shape")
    refused(s, {"op": "random_uniform", "shape": [2], "dtype": "int32", "minval": 3, "maxval": 3},
            "Need minval < maxval, got 3 >= 3")
    refused(s, {"op": "random_uniform", "shape": [2], "dtype": "int32"}, "Must specify maxval for integer dtype int32")


def test_the_catalogue_lists_them_in_tensorflows_order(s):
    ops = {op["name"]: op for op in s.request("GET", "/v1/ops").expect(200).json["ops"]}
    for name, rows in (("random_normal", ["shape", "mean", "stddev", "dtype", "seed", "run"]),
                       ("random_normal_initializer", ["shape", "mean", "stddev", "seed", "dtype", "run"]),
                       ("variance_scaling_initializer", ["shape", "scale", "mode", "distribution", "seed", "dtype", "run"]),
                       ("random_crop", ["size", "seed", "run"]), ("multinomial", ["num_samples", "seed", "run"]),
                       ("glorot_uniform_initializer", ["shape", "seed", "dtype", "run"])):
        assert [row["name"] for row in ops[name]["attributes"]] == rows, ops[name]
