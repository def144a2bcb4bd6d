"""Initialization: what runs, in what state, all or nothing."""


def twice(name):
    return {"op": "multiply", "args": [{"initialized_value": name}, 2.0]}


def test_all_a_subset_a_prefix_a_collection(s):
    for name, extra in (("a/x", {}), ("a/y", {}), ("b", {}), ("l", {"collections": ["local_variables"]})):
        s.create(name, {"op": "ones", "shape": [2]}, **extra)
    reply = s.initialize(variables=["b"]).json
    assert (reply["initialized"], reply["skipped"]) == (["b"], []), reply
    assert sorted(s.initialize(prefix="a/").json["initialized"]) == ["a/x", "a/y"]
    assert s.initialize(collection="local_variables").json["initialized"] == ["l"]
    assert sorted(s.initialize().json["initialized"]) == ["a/x", "a/y", "b"], "variables of another collection stay"


def test_only_uninitialized_leaves_values_alone(s):
    s.create("a", {"op": "zeros", "shape": [2]})
    s.create("b", {"op": "zeros", "shape": [2]})
    s.assign("a", [5, 5])
    reply = s.initialize(only_uninitialized=True).json
    assert (reply["initialized"], reply["skipped"]) == (["b"], ["a"]), reply
    assert (s.value("a"), s.value("b")) == ([5, 5], [0, 0])


def test_initializing_again_resets(s):
    s.create("a", {"op": "fill", "dims": [2], "value": 3.0})
    s.initialize()
    s.assign("a", [9, 9])
    s.initialize()
    assert s.value("a") == [3, 3]


def test_one_variable_by_its_own_verb(s):
    s.create("a", {"op": "ones", "shape": [1]})
    s.create("b", {"op": "ones", "shape": [1]})
    s.post("variables/a:initialize", {}).expect(200)
    assert s.names("?initialized=true") == ["a"]
    s.post("variables/b:initialize").expect(200)
    assert s.names("?initialized=false") == []


def test_reading_or_updating_before_initialization_is_refused(s):
    s.create("w", {"op": "zeros", "shape": [2]})
    words = ("w", "not initialized")
    s.refuses(409, "FAILED_PRECONDITION", words, "GET", "variables/w:value")
    s.refuses(409, "FAILED_PRECONDITION", words, "GET", "variables/w:value?format=raw&slice=0")
    s.refuses(409, "FAILED_PRECONDITION", words, "POST", "variables/w:assign_add", {"value": [1, 1]})
    s.refuses(409, "FAILED_PRECONDITION", words, "POST", "variables/w:assign_sub", {"value": [1, 1]})
    s.refuses(409, "FAILED_PRECONDITION", words, "PUT", "variables/w:value?slice=0", 1.0)
    s.refuses(409, "FAILED_PRECONDITION", words, "GET", "values?names=w")
    problem = s.get("variables/w:value").json
    assert problem["variable"] == "w", problem


def test_assign_initializes(s):
    s.create("w", {"op": "zeros", "shape": [2]})
    s.assign("w", [1, 2])
    assert s.info("w")["initialized"] is True and s.value("w") == [1, 2]


def test_initialized_value_is_the_new_value_in_the_same_run(s):
    s.create("w", {"op": "random_normal", "shape": [3]})
    s.create("w2", {"initialized_value": "w"})
    s.create("w_twice", twice("w"))
    s.initialize()
    w = s.array("w")
    assert (s.array("w2") == w).all() and (s.array("w_twice") == 2 * w).all()
    s.initialize()
    again = s.array("w")
    assert (again != w).any() and (s.array("w2") == again).all() and (s.array("w_twice") == 2 * again).all()


def test_initialized_value_is_the_current_value_of_an_initialized_variable(s):
    s.create("w", {"op": "ones", "shape": [2]})
    s.create("t", twice("w"))
    s.assign("w", [10, 20])
    reply = s.initialize(variables=["t"]).json
    assert reply["initialized"] == ["t"]
    assert (s.value("t"), s.value("w")) == ([20, 40], [10, 20])


def test_initialized_value_initializes_what_it_names_if_need_be(s):
    s.create("w", {"op": "ones", "shape": [2]})
    s.create("x", twice("w"))
    s.create("y", twice("x"))
    reply = s.initialize(variables=["y"])
    assert sorted(reply.json["initialized"]) == ["w", "x", "y"]
    assert (s.value("w"), s.value("x"), s.value("y")) == ([1, 1], [2, 2], [4, 4])
    assert s.tick() == reply.revision + 1, "one transaction"


def test_values_are_read_from_the_state_before_the_run(s):
    s.create("a", {"op": "ones", "shape": [2]})
    s.create("b", {"op": "add", "args": [{"variable": "a"}, 100.0]})
    s.assign("a", [7, 7])
    s.initialize()
    assert (s.value("a"), s.value("b")) == ([1, 1], [107, 107])
    # Two that read each other are no cycle: both read the old state.
    s.create("p", dtype="float32", shape=[])
    s.assign("p", 1.0)
    s.create("q", {"variable": "p"})
    s.initialize(variables=["q"])
    assert s.value("q") == 1


def test_reading_an_uninitialized_variable_fails_the_whole_run(s):
    s.create("a", {"op": "ones", "shape": [2]})
    s.create("b", {"variable": "a"})
    s.create("c", {"op": "ones", "shape": [2]})
    s.refuses(409, "FAILED_PRECONDITION", "a", "POST", ":initialize", {})
    assert s.names("?initialized=true") == []


def test_a_cycle_is_named(s):
    s.create("a", {"op": "ones", "shape": []})
    s.create("b", twice("a"))
    s.create("c", twice("b"))
    s.delete("variables/a").expect(200)
    # Now a again, of c: a -> c -> b -> a. Refused at creation, or when it is run.
    with s.unchanged():
        made = s.post("variables", [{"name": "z", "initial_value": twice("z")}])
        assert made.status in (400, 404), str(made)
    reply = s.post("variables", {"name": "a", "initial_value": twice("c")})
    if reply.status == 201:
        reply = s.refuses(400, "INVALID_ARGUMENT", "cycle", "POST", ":initialize", {})
    assert reply.status == 400, str(reply)
    for name in "abc":
        assert f"'{name}'" in reply.detail or f"{name} " in reply.detail, reply.detail
    assert s.names("?initialized=true") == []


def test_a_cycle_inside_one_creation_is_refused(s):
    with s.unchanged():
        reply = s.post("variables", [{"name": "a", "initial_value": twice("b")}, {"name": "b", "initial_value": twice("a")}])
    assert reply.status in (400, 404) and "'b'" in reply.detail, str(reply)
    assert s.names() == []


def test_a_dependency_that_is_gone_is_named(s):
    s.create("a", {"op": "ones", "shape": []})
    s.create("b", twice("a"))
    s.delete("variables/a").expect(200)
    reply = s.post(":initialize", {})
    assert reply.status in (400, 404) and "'a'" in reply.detail, str(reply)
    assert s.info("b")["initialized"] is False


def test_an_initial_value_of_an_unknown_variable_is_refused(s):
    for reference in ({"variable": "ghost"}, {"initialized_value": "ghost"}):
        with s.unchanged():
            reply = s.post("variables", {"name": "w", "initial_value": reference})
        assert reply.status in (400, 404) and "ghost" in reply.detail, str(reply)


def test_bad_requests_are_refused(s):
    s.create("a", {"op": "ones", "shape": []})
    for body, word in (({"variable": ["a"]}, "variable"), ({"variables": "a"}, "variables"),
                       ({"variables": [1]}, "variables"), ({"only_uninitialized": 1}, "only_uninitialized"),
                       ({"collection": ["x"]}, "collection")):
        s.refuses(400, "INVALID_ARGUMENT", word, "POST", ":initialize", body)
    s.refuses(404, "NOT_FOUND", "ghost", "POST", ":initialize", {"variables": ["a", "ghost"]})
    assert s.info("a")["initialized"] is False


def test_an_empty_set_runs_and_does_nothing(s):
    for body in ({"variables": []}, {"prefix": "nothing/"}):
        reply = s.post(":initialize", body).expect(200)
        assert (reply.json["initialized"], reply.json["skipped"]) == ([], []), str(reply)


def test_a_chain_of_two_hundred(s):
    s.create("v0", 1.0)
    s.post("variables", [{"name": f"v{i}", "initial_value": {"op": "add", "args": [{"initialized_value": f"v{i - 1}"}, 1.0]}}
                         for i in range(1, 200)]).expect(201)
    assert len(s.initialize(variables=["v199"]).json["initialized"]) == 200
    assert s.value("v199") == 200


def test_large_initial_values(s):
    n = 300_000
    s.create("ones", {"op": "fill", "dims": [n], "value": 1.25})
    s.create("noise", {"op": "random_uniform", "shape": [n], "seed": 3})
    s.create("sum", {"op": "add", "args": [{"initialized_value": "ones"}, {"initialized_value": "noise"}]})
    s.initialize()
    noise = s.array("noise")
    assert (s.array("ones") == 1.25).all() and 0 <= noise.min() and noise.max() < 1 and 0.49 < noise.mean() < 0.51
    assert (s.array("sum") == noise + s.array("ones")).all()
