"""Virtual variables: the recipe is the value until the first write; any slice of it can be read."""

import formats

np = formats.np
HUGE = 10 ** 10


def declare(s, name, initial_value):
    return s.create(name, initial_value, virtual=True)


def test_ten_billion_numbers_are_read_by_slice_and_stored_nowhere(s):
    recipe = {"op": "random_normal", "shape": [HUGE], "stddev": 0.5, "seed": 7}
    declare(s, "huge", recipe)
    s.initialize()
    assert s.info("huge")["virtual"] is True
    assert s.info("huge")["initialized"] is True
    assert s.get().expect(200).json["unique_bytes"] < 10000, "a recipe takes a record"
    # The beginning is the beginning of any draw with these seeds, however long.
    s.create("short", {"op": "random_normal", "shape": [1000], "stddev": 0.5, "seed": 7})
    s.initialize(variables=["short"])
    assert s.bytes_of("huge", slice="0:1000") == s.bytes_of("short")
    # Slices of slices agree wherever they begin.
    part = s.bytes_of("huge", slice=f"{HUGE - 100000}:{HUGE}")
    assert len(part) == 400000
    assert s.bytes_of("huge", slice=f"{HUGE - 99999}:{HUGE - 99996}") == part[4:16]
    assert s.bytes_of("huge", slice=f"{HUGE - 100000}:{HUGE}:33333") == part[0:4] + part[133332:133336] + part[266664:266668] + part[399996:]
    values = np.frombuffer(part, np.float32)
    assert abs(values.mean()) < 0.01 and abs(values.std() - 0.5) < 0.01


def test_the_whole_of_it_is_more_than_a_reply_may_hold(s):
    declare(s, "huge", {"op": "random_uniform", "shape": [HUGE], "seed": 1})
    s.initialize()
    s.refuses(413, "PAYLOAD_TOO_LARGE", "expression_max_bytes", "GET", "variables/huge:value?format=raw")


def test_a_virtual_value_is_the_stored_one(s):
    recipe = {"op": "multiply", "args": [{"op": "truncated_normal", "shape": [300, 1000], "seed": 3}, 2.0]}
    s.create("stored", recipe)
    declare(s, "made", recipe)
    s.initialize()
    assert s.bytes_of("made") == s.bytes_of("stored")
    assert s.get("variables/made:value?format=npy").body == s.get("variables/stored:value?format=npy").body
    assert s.bytes_of("made", slice="7:9,1:1000:7") == s.bytes_of("stored", slice="7:9,1:1000:7")
    assert s.bytes_of("made", slice="::-1,5") == s.bytes_of("stored", slice="::-1,5")


def test_a_write_stores_what_it_changes(s):
    recipe = {"op": "random_normal", "shape": [1000, 1000], "seed": 5}
    s.create("stored", recipe)
    declare(s, "made", recipe)
    s.initialize()
    s.save("before")
    for name in ("stored", "made"):
        s.put(f"variables/{name}:value?slice=500,10:12", b"\0\0\x80\x3f\0\0\0\x40",
              {"Content-Type": "application/octet-stream", "Tensor-Dtype": "float32", "Tensor-Shape": "2"}).expect(200)
    assert s.bytes_of("made") == s.bytes_of("stored")
    for name in ("stored", "made"):
        s.post(f"variables/{name}:assign_add", {"value": {"op": "ones", "shape": [1000, 1000]}}).expect(200)
    assert s.bytes_of("made") == s.bytes_of("stored")
    s.restore("before")
    s.post("variables/stored:initialize", {}).expect(200)
    assert s.bytes_of("made") == s.bytes_of("stored")


def test_others_read_it_like_any_variable(s):
    declare(s, "made", {"op": "random_uniform", "shape": [100000], "seed": 5})
    s.create("twice", {"op": "add", "args": [{"initialized_value": "made"}, {"initialized_value": "made"}]})
    s.initialize()
    made, twice = (np.frombuffer(s.bytes_of(name), np.float32) for name in ("made", "twice"))
    assert (made + made == twice).all()


def test_a_draw_without_seeds_stays_what_it_was(s):
    declare(s, "made", {"op": "random_uniform", "shape": [100000]})
    s.initialize()
    first = s.bytes_of("made")
    assert s.bytes_of("made") == first
    s.initialize()
    assert s.bytes_of("made") != first


def test_what_cannot_be_a_recipe_is_refused(s):
    s.create("a", [1.0, 2.0])
    for words, body in (
            ("reads 'a'", {"initial_value": {"op": "negative", "args": [{"variable": "a"}]}}),
            ("whole tensors", {"initial_value": {"op": "matmul", "args": [{"op": "ones", "shape": [30, 30]}, {"op": "ones", "shape": [30, 30]}]}}),
            ("at most 1000 bytes", {"initial_value": [1.5] * 1000}),
            ("has an initial_value", {"dtype": "float32", "shape": [3]}),
            ("string", {"initial_value": "text"})):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", "variables", {"name": "v", "virtual": True, **body})
