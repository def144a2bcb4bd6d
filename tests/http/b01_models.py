"""Models: namespaces with a seed."""

import session

BAD_NAMES = ["a%2Fb", "-a", "_a", ".a", "a%20b", "a" * 129, "%C3%A9", "a%00b", "a%3Ab", "a~b", "%2e%2e"]


def test_put_creates_and_put_again_confirms(s):
    made = s.put("/v1/models/fresh", {"seed": 7, "labels": {"team": "vision"}}).expect(201)
    assert made.json["name"] == "fresh" and made.json["seed"] == 7
    again = s.put("/v1/models/fresh", {"seed": 7}).expect(200)
    assert again.json["seed"] == 7
    assert s.get("/v1/models/fresh").json["labels"] == {"team": "vision"}


def test_another_seed_on_an_existing_model_is_a_conflict(s):
    s.put("/v1/models/seeded", {"seed": 7}).expect(201)
    with s.unchanged():
        reply = s.put("/v1/models/seeded", {"seed": 8}).expect(409)
        assert "7" in reply.detail and "8" in reply.detail, str(reply)
    assert s.get("/v1/models/seeded").json["seed"] == 7


def test_a_model_counts_what_is_in_it(s):
    s.create("a", {"op": "zeros", "shape": [10]})
    s.create("b", {"op": "zeros", "shape": [5], "dtype": "float64"})
    about = s.get().expect(200).json
    for field in ("name", "seed", "labels", "created", "revision", "variables", "initialized", "bytes",
                  "checkpoints", "unique_bytes"):
        assert field in about, (field, about)
    assert (about["name"], about["seed"], about["variables"], about["initialized"]) == (s.model, None, 2, 0), about
    s.initialize(variables=["a"])
    s.save(variables=["a"])
    about = s.get().json
    assert (about["variables"], about["initialized"], about["checkpoints"]) == (2, 1, 1), about


def test_models_are_listed(s):
    s.put("/v1/models/zz.last", {}).expect(201)
    s.put("/v1/models/Aa-1_b", {}).expect(201)
    names = [model["name"] for model in s.get("/v1/models").expect(200).json["models"]]
    assert {"zz.last", "Aa-1_b", s.model} <= set(names) and len(names) == len(set(names)), names


def test_deleting_a_model_deletes_everything_in_it_and_nothing_else(s):
    for model in ("doomed", "doomed2", "doom"):
        s.put(f"/v1/models/{model}", {}).expect(201)
        s.post(f"/v1/models/{model}/variables", {"name": "w", "initial_value": {"op": "ones", "shape": [4]}})
        s.post(f"/v1/models/{model}:initialize", {}).expect(200)
        s.post(f"/v1/models/{model}/checkpoints", {"name": "c"}).expect(201)
    s.delete("/v1/models/doomed").expect(200)
    s.refuses(404, "NOT_FOUND", "doomed", "GET", "/v1/models/doomed")
    s.refuses(404, "NOT_FOUND", "doomed", "GET", "/v1/models/doomed/variables/w")
    s.refuses(404, "NOT_FOUND", "doomed", "DELETE", "/v1/models/doomed")
    for model in ("doomed2", "doom"):
        assert s.get(f"/v1/models/{model}/variables/w:value").json["data"] == [1, 1, 1, 1]
    # The name is free again, and nothing of the old one comes back.
    s.put("/v1/models/doomed", {}).expect(201)
    about = s.get("/v1/models/doomed").json
    assert (about["variables"], about["checkpoints"]) == (0, 0), session.pretty(about)


def test_variables_of_two_models_do_not_meet(s):
    s.put("/v1/models/twin", {})
    s.make("w", [1, 2])
    s.refuses(404, "NOT_FOUND", "w", "GET", "/v1/models/twin/variables/w")


def test_bad_model_names_are_refused(s):
    for name in BAD_NAMES:
        with s.unchanged():
            reply = s.put(f"/v1/models/{name}", {})
            assert reply.status in (400, 404), f"{name}: {reply}"
    s.put("/v1/models/" + "a" * 128, {}).expect(201)
    s.put("/v1/models/9", {}).expect(201)


def test_fields_of_a_model_are_checked(s):
    for body, word in (({"sead": 1}, "sead"), ({"seed": "1"}, "seed"), ({"seed": 1.5}, "seed"),
                       ({"labels": [1]}, "labels"), ({"labels": {"a": 1}}, "a"), ([], "object"),
                       ({"seed": True}, "seed"), ({"seed": 2 ** 64}, "seed")):
        s.refuses(400, "INVALID_ARGUMENT", word, "PUT", "/v1/models/checked", body)
    s.refuses(404, "NOT_FOUND", "checked", "GET", "/v1/models/checked")


def test_negative_and_large_seeds_are_kept(s):
    for index, seed in enumerate((-1, 0, 2 ** 31, 2 ** 63 - 1, -2 ** 63)):
        s.put(f"/v1/models/seed{index}", {"seed": seed}).expect(201)
        assert s.get(f"/v1/models/seed{index}").json["seed"] == seed


def test_labels_can_be_changed(s):
    s.patch("", {"labels": {"stage": "test", "owner": "é"}}).expect(200)
    assert s.get().json["labels"] == {"stage": "test", "owner": "é"}
    s.refuses(400, "INVALID_ARGUMENT", "lables", "PATCH", "", {"lables": {}})
