"""The server's own OpenAPI document: both forms of it, packed and not, and that it knows each route."""

import json
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
METHODS = {"get", "put", "post", "delete", "patch"}


def source(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        return file.read()


def without_resolving(value, found):
    """Every $ref below a value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            found.add(value["$ref"])
        for each in value.values():
            without_resolving(each, found)
    elif isinstance(value, list):
        for each in value:
            without_resolving(each, found)
    return found


def test_the_yaml_is_the_file_of_the_sources(s):
    reply = s.get("/openapi.yaml").expect(200)
    assert reply.headers["content-type"] == "application/yaml"
    assert reply.body == source("openapi/openapi.yaml")
    assert "content-encoding" not in reply.headers


def test_the_json_says_the_same(s):
    reply = s.get("/openapi.json").expect(200)
    assert reply.headers["content-type"] == "application/json"
    document = reply.json
    assert document["openapi"] == "3.1.1" and document["info"]["title"] == "Tensorkeep"
    # Numbers, booleans and null are themselves, what stands in quotes is text.
    parameters = document["components"]["parameters"]
    assert parameters["PageSize"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10000, "default": 1000}
    assert parameters["IfNoneMatchAny"]["schema"] == {"const": "*"}
    assert document["components"]["schemas"]["NextPageToken"]["type"] == ["string", "null"]
    assert document["components"]["schemas"]["Real"]["oneOf"][1] == {"enum": ["NaN", "Infinity", "-Infinity"]}
    assert "200" in document["paths"]["/v1"]["get"]["responses"]
    limit = document["components"]["schemas"]["Count"]["maximum"]
    assert limit == 2 ** 63 - 1, limit
    assert document["components"]["schemas"]["Float32"]["maximum"] == 3.4028234663852886e38, "no digit is lost"
    # In the order of the file.
    listed = re.findall(rb"^  (/[^\n]*):$", source("openapi/openapi.yaml"), re.M)
    assert [path.encode() for path in document["paths"]] == listed


def test_every_reference_leads_somewhere(s):
    document = s.get("/openapi.json").json
    for ref in without_resolving(document, set()):
        place = document
        assert ref.startswith("#/"), ref
        for part in ref[2:].split("/"):
            assert part in place, ref
            place = place[part]


def test_it_knows_the_routes_of_the_server(s):
    rows = re.findall(r'^ROUTE\((\w+), "([^"]+)", (\w+),.*, "([^"]*)"\)', source("api/routes.def").decode(), re.M)
    routes = {name: (method.lower(), path, set(filter(None, query.split("|")))) for method, path, name, query in rows}
    assert len(routes) > 80, routes
    document = s.get("/openapi.json").json
    shared = document["components"]["parameters"]
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            operation = item[method]
            name = operation["operationId"]
            query = set()
            for parameter in operation.get("parameters", []):
                parameter = shared[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
                if parameter["in"] == "query":
                    query.add(parameter["name"])
            assert routes.get(name) == (method, path, query), (name, routes.get(name), (method, path, query))


def test_it_names_the_scope_that_the_server_wants(s):
    rows = re.findall(r"^ACCESS\((\w+), (\w+), \w+\)", source("api/guard/access.def").decode(), re.M)
    special = dict(rows)
    document = s.get("/openapi.json").json
    for item in document["paths"].values():
        for method in METHODS & set(item):
            scope = special.get(item[method]["operationId"], "READ" if method == "get" else "WRITE")
            wanted = [{}] if scope in ("FREE", "OPEN") else [{"bearer": [scope.lower()]}, {}]
            assert item[method].get("security", document["security"]) == wanted, (item[method]["operationId"], scope)


def test_it_is_in_order(s):
    document = s.get("/openapi.json").json
    paths = re.findall(r'^ROUTE\(\w+, "([^"]+)"', source("api/routes.def").decode(), re.M)
    assert list(document["paths"]) == list(dict.fromkeys(paths))
    for kind, components in document["components"].items():
        assert list(components) == sorted(components, key=str.lower), kind


def test_packed_where_gzip_is_taken(s):
    for path in ("/openapi.yaml", "/openapi.json"):
        whole = s.get(path).expect(200)
        for accept in ("gzip", "br, gzip;q=0.5", "*", "GZIP, deflate"):
            packed = s.get(path, {"Accept-Encoding": accept}).expect(200)
            assert packed.headers["content-encoding"] == "gzip", (accept, str(packed))
            assert packed.unpacked == whole.body and len(packed.body) * 4 < len(whole.body)
            assert packed.etag != whole.etag and "accept-encoding" in packed.headers["vary"].lower()
        for accept in ("identity", "br", "gzip;q=0", "*, gzip;q=0", ""):
            assert "content-encoding" not in s.get(path, {"Accept-Encoding": accept}).expect(200).headers, accept
        assert "accept-encoding" in whole.headers["vary"].lower()


def test_asked_again_it_is_not_sent(s):
    for path in ("/openapi.yaml", "/openapi.json"):
        for accept in ("identity", "gzip"):
            first = s.get(path, {"Accept-Encoding": accept})
            again = s.get(path, {"Accept-Encoding": accept, "If-None-Match": first.etag}).expect(304)
            assert again.body == b"" and again.etag == first.etag
            s.get(path, {"Accept-Encoding": accept, "If-Match": first.etag}).expect(200)
        s.refuses(412, "PRECONDITION_FAILED", "If-Match", "GET", path, None, {"If-Match": '"r1-openapi"'})
    s.refuses(400, "INVALID_ARGUMENT", "format", "GET", "/openapi.json?format=yaml")


def test_a_head_tells_its_size(s):
    whole = s.get("/openapi.json", {"Accept-Encoding": "identity"})
    head = s.request("HEAD", "/openapi.json", None, {"Accept-Encoding": "identity"}).expect(200)
    assert int(head.headers["content-length"]) == len(whole.body) and head.etag == whole.etag


def test_what_json_cannot_say_is_refused_by_the_build(s):
    tool = os.path.join(ROOT, "build", "openapi", "yaml_to_json")
    into, out = os.path.join(s.server.root, "in.yaml"), os.path.join(s.server.root, "out.json")

    def converted(text):
        with open(into, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run([tool, into, out], capture_output=True, text=True, check=False)

    assert converted("a: [1, -2.5, '3', ~, true, no, 1e3, 0.1, 3.4028234663852886e+38, \"x\\ny\", [], {}]\nb: |\n  e\n  f\n'200': {}\n").returncode == 0
    with open(out, encoding="utf-8") as file:
        assert json.load(file) == {"a": [1, -2.5, "3", None, True, "no", 1000.0, 0.1, 3.4028234663852886e38, "x\ny", [], {}], "b": "e\nf\n", "200": {}}
    for text, line, why in (("a: 1\nb: 2\na: 3\n", 3, "twice"), ("a: &x 1\nb: *x\n", 1, "anchors"), ("a: !!str 1\n", 1, "tags"),
                            ("a: 1\n---\nb: 2\n", 3, "second document"), ("a:\n  - b\n c: d\n", 3, ""), ("? [a]\n: b\n", 1, "key"),
                            ("[" * 70 + "]" * 70, 1, "deep"), ("", 1, "no document")):
        refused = converted(text)
        assert refused.returncode == 1, (text, refused)
        assert f":{line}:" in refused.stderr and why in refused.stderr, (text, refused.stderr)
