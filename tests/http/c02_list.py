"""Lists: filters, pages, collections, trainable."""

import urllib.parse


def fill(s):
    s.post("variables", [
        {"name": "layer1/w", "initial_value": {"op": "zeros", "shape": [2]}},
        {"name": "layer1/b", "initial_value": {"op": "zeros", "shape": [1], "dtype": "float64"}},
        {"name": "layer10/w", "initial_value": {"op": "zeros", "shape": [2]}, "trainable": False},
        {"name": "local", "initial_value": 0, "collections": ["local_variables"], "trainable": False},
        {"name": "both", "initial_value": 0.0, "collections": ["variables", "losses"]},
        {"name": "step", "initial_value": 0, "trainable": False},
    ]).expect(201)


def test_filters_select(s):
    fill(s)
    s.initialize(variables=["step"])
    for query, names in (
            ("prefix=layer1", {"layer1/w", "layer1/b", "layer10/w"}), ("prefix=layer1/", {"layer1/w", "layer1/b"}),
            ("prefix=nothing", set()), ("trainable=false", {"layer10/w", "local", "step"}),
            ("trainable=true", {"layer1/w", "layer1/b", "both"}), ("initialized=true", {"step"}),
            ("initialized=false", {"layer1/w", "layer1/b", "layer10/w", "local", "both"}),
            ("dtype=float64", {"layer1/b"}), ("dtype=double", {"layer1/b"}), ("collection=losses", {"both"}),
            ("collection=local_variables", {"local"}),
            ("collection=variables", {"layer1/w", "layer1/b", "layer10/w", "both", "step"}),
            ("collection=trainable_variables", {"layer1/w", "layer1/b", "both"}),
            ("prefix=layer1&dtype=float32&trainable=true", {"layer1/w"})):
        assert set(s.names("?" + query)) == names, (query, s.names("?" + query))


def test_pages_cover_everything_once(s):
    s.post("variables", [{"name": f"v{i:03}", "initial_value": 0.0} for i in range(57)]).expect(201)
    for size in (1, 7, 56, 57, 58, 1000):
        names, token, pages = [], "", 0
        while True:
            query = {"page_size": size, **({"page_token": token} if token else {})}
            page = s.get("variables?" + urllib.parse.urlencode(query)).expect(200).json
            assert len(page["variables"]) <= size
            names += [v["name"] for v in page["variables"]]
            pages += 1
            token = page.get("next_page_token")
            if not token:
                break
        assert names == [f"v{i:03}" for i in range(57)], (size, names)
        assert pages in (-(-57 // size), -(-57 // size) + 1)


def test_pages_respect_filters_and_changes_between_them(s):
    s.post("variables", [{"name": f"v{i}", "initial_value": 0.0, "trainable": i % 2 == 0} for i in range(10)]).expect(201)
    first = s.get("variables?trainable=true&page_size=2").expect(200).json
    assert [v["name"] for v in first["variables"]] == ["v0", "v2"]
    s.delete("variables/v4").expect(200)
    s.delete("variables/v2").expect(200)
    rest = s.get("variables?trainable=true&page_size=9&page_token="
                 + urllib.parse.quote(first["next_page_token"])).expect(200).json
    assert [v["name"] for v in rest["variables"]] == ["v6", "v8"]


def test_bad_queries_are_refused_by_name(s):
    for query, word in (("page_size=0", "page_size"), ("page_size=-1", "page_size"), ("page_size=x", "page_size"),
                        ("page_token=%00", ""), ("prefx=a", "prefx"),
                        ("trainable=maybe", "trainable"), ("dtype=float31", "float31"),
                        ("prefix=a&prefix=b", "prefix"), ("initialized=2", "initialized")):
        s.refuses(400, "INVALID_ARGUMENT", word, "GET", f"variables?{query}")


def test_collections_are_kept_as_given(s):
    s.create("w", 0.0, collections=["b", "a"])
    s.create("d", 0.0)
    s.create("f", 0.0, trainable=False)
    assert [c for c in s.info("w")["collections"] if c in ("a", "b")] == ["b", "a"]
    assert "trainable_variables" in s.info("d")["collections"] and "variables" in s.info("d")["collections"]
    assert "trainable_variables" not in s.info("f")["collections"]


def test_a_list_shows_one_revision_and_what_metadata_shows(s):
    fill(s)
    listed = s.get("variables").expect(200)
    assert listed.json["revision"] == s.post("variables", {"name": "more", "initial_value": 1.0}).revision - 1
    for variable in listed.json["variables"]:
        info = s.info(variable["name"])
        for field in ("name", "dtype", "shape", "initialized", "trainable"):
            assert variable[field] == info[field], (variable, info)


def test_a_thousand_variables(s):
    s.post("variables", [{"name": f"a/b{i}", "initial_value": {"op": "fill", "dims": [3], "value": float(i)}}
                         for i in range(1000)]).expect(201)
    s.initialize()
    assert s.get().json["initialized"] == 1000
    assert s.value("a/b999") == [999, 999, 999]
