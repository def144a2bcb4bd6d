"""Names of variables and checkpoints, in paths and in bodies."""

import urllib.parse

GOOD = ["a", "A9", "9", ".a", "..a", "a.b", "a/b", "layer1/weights", "a-b", "a_", "a/_b", "a/-b", "a/b/c/d/e", "a" * 255,
        "x/" * 127 + "y", "a..b", "a/.b", "a-", "W", "w"]
BAD = ["", "/", "/a", "a/", "a//b", "a/./b", "a/../b", ".", "..", "a/..", "./a", "-a", "_a", "a b", "a\tb", "é", "a:b", "a:1",
       "a\u0000b", "a\nb", "a%b", "a?b", "a#b", "a\\b", "a" * 256, "x/" * 127 + "yz" * 2, "a*", "a,b", "~a", "a>b", "\u200b"]


def quoted(name):
    return urllib.parse.quote(name, safe="")


def test_legal_names_work_literally_and_encoded(s):
    for name in GOOD:
        s.create(name, [1.0])
    s.initialize()
    for name in GOOD:
        for path in (name, quoted(name), name.replace("/", "%2f"), name.replace("a", "%61")):
            assert s.get(f"variables/{path}").expect(200).json["name"] == name, path
            assert s.get(f"variables/{path}:value").expect(200).json["data"] == [1.0], path
        assert s.get(f"variables/{name}:0").expect(200).json["name"] == name, "the output suffix means the variable"
    assert len(s.names()) == len(GOOD)


def test_illegal_names_in_bodies(s):
    for name in BAD:
        s.refuses(400, "INVALID_ARGUMENT", "name", "POST", "variables", {"name": name, "initial_value": 1.0})
    s.make("w", [1.0])
    for name in BAD:
        s.refuses(400, "INVALID_ARGUMENT", "name", "POST", "checkpoints", {"name": name})
    assert s.names() == ["w"]


def test_illegal_names_in_paths(s):
    headers = {"Content-Type": "application/octet-stream", "Tensor-Dtype": "int8", "Tensor-Shape": "1"}
    for name in BAD:
        with s.unchanged():
            reply = s.put(f"variables/{quoted(name)}", b"\0", headers)
            assert reply.status in (400, 404, 405), f"{name!r}: {reply}"
    for raw in ("%00", "a%00", "%2e%2e", "a%2F..%2Fb", "a%2F%2Fb", "%2Fa", "a%3Ab", "a%zz", "a%", "a%1", "%ff", "a%0Ab", "%C0%AF",
                "a%2525", "%7e"):
        with s.unchanged():
            reply = s.put(f"variables/{raw}", b"\0", headers)
            assert reply.status in (400, 404), f"{raw}: {reply}"
    assert s.names() == []


def test_names_are_decoded_once(s):
    s.create("a2Fb", 1.0)
    s.get("variables/a%252Fb").expect(400)
    s.get("variables/a/b").expect(404)


def test_dots_are_never_resolved(s):
    s.make("w", [1])
    for path in ("variables/x/../w", "variables/./w", "variables/x/%2e%2e/w", "variables/../variables/w", "variables//w",
                 "variables/w/"):
        reply = s.get(path)
        assert reply.status in (400, 404), f"{path}: {reply}"


def test_a_colon_always_begins_a_verb(s):
    s.make("w", [1])
    s.get("variables/w%3Avalue").expect(400)
    for path in ("variables/w:value:value", "variables/w:0:0", "variables/w:1", "variables/w:00", "variables/w:VALUE"):
        reply = s.get(path)
        assert reply.status in (400, 404, 405), f"{path}: {reply}"
    s.get("variables/w:0:value").expect(200)


def test_names_that_differ_little_stay_apart(s):
    for index, name in enumerate(("w", "W", "w/w", "w.w", "w-w", "w_w", "ww", "w/W")):
        s.make(name, [index])
    for index, name in enumerate(("w", "W", "w/w", "w.w", "w-w", "w_w", "ww", "w/W")):
        assert s.value(name) == [index]


def test_references_by_output_name_in_bodies(s):
    s.make("w", [1, 2])
    s.create("v", {"op": "multiply", "args": [{"variable": "w:0"}, 2.0]})
    s.initialize(variables=["v:0"])
    assert s.value("v") == [2, 4]
    s.save("c", variables=["w:0"])
    assert [t["name"] for t in s.get("checkpoints/c").json["tensors"]] == ["w"]


def test_queries_are_decoded_and_checked(s):
    s.make("a/b", [1])
    assert s.names("?prefix=a%2F") == s.names("?prefix=a/") == ["a/b"]
    for query in ("prefix=%00", "prefix=%ff", "prefix=%", "%zz=1"):
        s.refuses(400, "INVALID_ARGUMENT", (), "GET", f"variables?{query}")
