"""Seeds: TensorFlow's numbers, and the same bits again."""

import hashlib

import formats

np = formats.np

# Printed for model seed absent and op seed 1: the first four by TensorFlow 1.x on Linux to eight decimals; the last two are
# later versions', which take a float logarithm and may differ in the last bit (they print -2.4427042 as the fourth).
NORMAL = ["-0.81131822", "1.48459876", "0.06532937", "-2.44270396"]
NORMAL_REST = [0.0992484, 0.5912243]
UNIFORM = ["0.23903739", "0.92039955", "0.05051243", "0.49574447", "0.83552229", "0.02647042"]
UNIFORM_5_10_SEED_7 = ["7.41970491", "7.53101540", "6.27571869", "5.62371159", "9.66505051", "8.32304668"]
INT32_SEED_7 = [87, 87, 25, 94, 60, 43, 90, 79, 68, 3, 60, 97, 93, 56, 83, 46]
TRUNCATED_SEED_66478 = [0.09230107, 0.082141876, -0.17306817, -0.07687748]


def draw(s, name, op, **attributes):
    s.create(name, {"op": op, **attributes})
    s.initialize(variables=[name])
    return s.array(name)


def printed(array):
    return [f"{x:.8f}" for x in np.asarray(array).ravel().astype(float)]


def same(got, want):
    assert np.array_equal(got, np.array(want, got.dtype)), (got, want)


def test_op_seed_alone_gives_tensorflows_numbers(s):
    normal = draw(s, "n", "random_normal", shape=[2, 3], seed=1).ravel().astype(float)
    assert printed(normal[:4]) == NORMAL and np.abs(normal[4:] - NORMAL_REST).max() < 1.2e-7, normal
    assert printed(draw(s, "u", "random_uniform", shape=[2, 3], seed=1)) == UNIFORM
    same(draw(s, "u1", "random_uniform", shape=[1], seed=1), [0.2390374])
    assert printed(draw(s, "u7", "random_uniform", shape=[2, 3], minval=5, maxval=10, seed=7)) == UNIFORM_5_10_SEED_7
    same(draw(s, "i7", "random_uniform", shape=[1000], minval=0, maxval=100, seed=7, dtype="int32")[:16], INT32_SEED_7)
    same(draw(s, "t", "truncated_normal", shape=[784, 200], stddev=0.1, seed=66478)[0, :4], TRUNCATED_SEED_66478)


def test_scaling_rounds_as_tensorflow_does(s):
    got = draw(s, "n", "random_normal", shape=[2, 3], mean=5.0, stddev=0.35, seed=1)
    assert printed(got)[:4] == ["4.71603870", "5.51960945", "5.02286530", "4.14505386"]


def test_model_seed_and_op_seed_together(s):
    s.put("/v1/models/graph1", {"seed": 1234}).expect(201)
    s.model = "graph1"
    got = draw(s, "n", "random_normal", shape=[100, 10], mean=-1.5, stddev=0.02, seed=42)
    same(got.ravel()[:4], [-1.5112813, -1.4940199, -1.4971374, -1.5339803])


def test_doubles_and_halves(s):
    got = draw(s, "d", "random_normal", shape=[1], dtype="float64", seed=0)
    assert printed(got) == ["-0.63436665"]
    got = draw(s, "du", "random_uniform", shape=[100, 100], minval=-1.0, maxval=1.0, dtype="float64", seed=1)
    assert [float(x) for x in got.ravel()[:3]] == [0.8245998469009979, -0.19180050307607477, 0.36835816884961137]
    got = draw(s, "h", "random_uniform", shape=[1000], minval=-0.5, maxval=0.5, dtype="float16", seed=1)
    same(got[:4], [-0.3057, 0.413, 0.2979, -0.3613])


def test_the_same_seeds_give_the_same_bits_again(s):
    first = draw(s, "a", "truncated_normal", shape=[70, 33], seed=5)
    s.assign("a", np.zeros((70, 33)).tolist())
    s.initialize()
    assert np.array_equal(s.array("a"), first)
    # The place in the tensor decides, not its size.
    longer = draw(s, "b", "truncated_normal", shape=[300, 33], seed=5)
    assert np.array_equal(longer[:70], first)


def test_without_any_seed_entropy_is_fresh_and_kept(s):
    first = draw(s, "a", "random_normal", shape=[4])
    kept = s.info("a")["initialized_with"]
    assert "seed" in str(kept), kept
    s.initialize()
    assert not np.array_equal(s.array("a"), first)
    assert str(s.info("a")["initialized_with"]) != str(kept)


def test_with_a_model_seed_values_depend_on_the_name_and_nothing_else(s):
    values = {}
    for model, names in (("one", ["w", "v"]), ("two", ["extra", "v", "w"]), ("three", ["w"])):
        s.put(f"/v1/models/{model}", {"seed": 99}).expect(201)
        s.model = model
        for name in names:
            s.create(name, {"op": "random_normal", "shape": [5]})
        s.initialize()
        values[model] = {name: s.array(name) for name in names}
    assert np.array_equal(values["one"]["w"], values["two"]["w"])
    assert np.array_equal(values["one"]["w"], values["three"]["w"])
    assert np.array_equal(values["one"]["v"], values["two"]["v"])
    assert not np.array_equal(values["one"]["w"], values["one"]["v"])
    s.model = "one"
    s.initialize()
    assert np.array_equal(s.array("w"), values["one"]["w"]), "initializing again gives the same bits"


def test_two_places_in_one_expression_draw_different_numbers(s):
    s.put("/v1/models/places", {"seed": 5}).expect(201)
    s.model = "places"
    noise = {"op": "random_uniform", "shape": [8]}
    got = draw(s, "d", "subtract", args=[noise, noise])
    assert (got != 0).any(), got


def test_a_large_normal_is_the_same_by_digest_every_time(s):
    digests = set()
    for name in ("a", "b"):
        draw(s, name, "random_normal", shape=[784, 200], stddev=0.35, seed=1)
        digests.add(hashlib.sha256(s.bytes_of(name)).hexdigest())
    assert len(digests) == 1
    got = s.array("a").ravel()
    assert abs(got.mean()) < 0.01 and abs(got.std() - 0.35) < 0.01


def test_values_survive_a_restart(s):
    first = draw(s, "a", "random_normal", shape=[100])
    s.restart()
    assert np.array_equal(s.array("a"), first)


def test_profiles_are_of_the_model(s):
    """The fourth number is where builds differ: the r1.0 wheels print -2.44270396, later ones -2.4427042."""
    bits = {}
    for profile in ("r1-linux", "late-glibc-2.26", "float-cr", "modern-linux", "r1-new-glibc"):
        s.model = f"profile_{profile}"
        s.put(f"/v1/models/{s.model}", {"profile": profile}).expect(201)
        assert s.get("").json["profile"] == profile
        draw(s, "n", "random_normal", shape=[2, 2], mean=5.0, stddev=0.35, seed=1)
        s.assign("n", {"op": "random_normal", "shape": [2, 2], "seed": 1})
        bits[profile] = s.bytes_of("n")
        s.initialize()
        bits[profile] += s.bytes_of("n")
    assert bits["r1-linux"] != bits["float-cr"]
    s.model = "profile_none"
    s.put(f"/v1/models/{s.model}", {}).expect(201)
    draw(s, "n", "random_normal", shape=[2, 2], mean=5.0, stddev=0.35, seed=1)
    assert s.bytes_of("n") == bits["r1-linux"][16:] and s.get("").json["profile"] == "r1-linux"


def test_profile_and_seed_mode_are_confirmed_or_refused(s):
    path = "/v1/models/kinds"
    s.put(path, {"seed": 1, "profile": "float-cr", "seed_mode": "tf"}).expect(201)
    s.put(path, {"profile": "float-cr"}).expect(200)
    s.put(path, {}).expect(200)
    s.refuses(409, "ALREADY_EXISTS", ["float-cr", "r1-linux"], "PUT", path, {"profile": "r1-linux"})
    s.refuses(409, "ALREADY_EXISTS", ["seed_mode tf", "name"], "PUT", path, {"seed_mode": "name"})
    shown = s.get(path).expect(200).json
    assert (shown["profile"], shown["seed_mode"]) == ("float-cr", "tf")
    s.restart()
    assert s.get(path).expect(200).json == shown
    s.refuses(400, "INVALID_ARGUMENT", ["r1-linux, late-glibc-2.26, float-cr", "did you mean 'r1-linux'"], "PUT",
              "/v1/models/odd", {"profile": "r1_linux"})
    s.refuses(400, "INVALID_ARGUMENT", ["one of name, tf", "'both'"], "PUT", "/v1/models/odd", {"seed_mode": "both"})
    s.refuses(400, "INVALID_ARGUMENT", "profile", "PUT", "/v1/models/odd", {"profile": 1})
    s.refuses(400, "INVALID_ARGUMENT", "seed_mode", "PATCH", path, {"seed_mode": "tf"})


def test_a_draw_that_is_used_twice_is_told_once(s):
    s.create("a", {"op": "subtract", "x": {"op": "random_normal", "shape": [3], "id": "draw"}, "y": {"ref": "draw"}})
    reply = s.initialize().json
    assert len(reply["initialized_with"]["a"]) == len(s.info("a")["initialized_with"]) == 1, reply


def test_a_graph_with_more_ways_than_anyone_can_walk(s):
    """Each of 15 levels takes the one before it four times: 4^15 ways lead to the draw, and it is one."""
    expression = {"op": "random_normal", "shape": [2], "seed": 5, "id": "0"}
    for level in range(15):
        below = {"ref": str(level)}
        expression = {"op": "clip_by_value", "t": {"op": "maximum", "x": expression, "y": below}, "clip_value_min": below,
                      "clip_value_max": below, "id": str(level + 1)}
    s.create("plain", {"op": "random_normal", "shape": [2], "seed": 5})
    s.create("shared", expression)
    s.initialize()
    assert s.bytes_of("shared") == s.bytes_of("plain")
    assert len(s.info("shared")["initialized_with"]) == 1
