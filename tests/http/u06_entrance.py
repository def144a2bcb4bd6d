"""Where a newcomer looks first: the root, the page of the API, what the server says of itself, health by other names."""

import html.parser
import json

from token_files import bearer, guarded_server

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
EMPTY = {"meta", "br"}


class Page(html.parser.HTMLParser):
    """Every element that begins also ends, and where links go."""

    def __init__(self, reply):
        super().__init__()
        assert reply.headers["content-type"] == "text/html; charset=utf-8", str(reply)
        self.open, self.links, self.ids, self.seen = [], [], [], set()
        self.feed(reply.unpacked.decode())
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())


def test_the_root_tells_where_to_go(s):
    text = s.get("/").expect(200)
    assert text.headers["content-type"].startswith("text/plain") and "/docs" in text.body.decode()
    page = Page(s.get("/", BROWSER).expect(200))
    assert {"docs", "openapi.yaml", "v1", "metrics"} <= set(page.links)
    for link in page.links:
        s.get("/" + link, BROWSER if link == "docs" else None).expect(200)
    assert not page.seen & {"script", "style", "link", "img"}, "its policy allows none of them"
    s.head("/").expect(200)
    s.refuses(406, "NOT_ACCEPTABLE", "text", "GET", "/", None, {"Accept": "image/png"})
    s.refuses(400, "INVALID_ARGUMENT", "x", "GET", "/?x=1")


def test_docs_show_every_operation(s):
    reply = s.get("/docs", {"Accept-Encoding": "gzip"}).expect(200)
    assert reply.headers["content-encoding"] == "gzip"
    page = Page(reply)
    document = s.get("/openapi.json").expect(200).json
    operations = [item[method]["operationId"] for item in document["paths"].values() for method in item
                  if method in ("get", "put", "post", "patch", "delete")]
    assert sorted(page.ids) == sorted(operations)
    assert not page.seen & {"script", "style", "link", "img"}
    s.get("/docs", {"If-None-Match": reply.etag, "Accept-Encoding": "gzip"}).expect(304)
    plain = s.get("/docs").expect(200)
    assert plain.body == reply.unpacked and plain.etag != reply.etag


def test_what_the_server_says_of_itself(s):
    about = s.get("/v1").expect(200).json
    assert about["name"] == "Tensorkeep" and about["authentication"] == "none" and about["tls"] is False
    assert about["devices"] == [{"name": "/job:localhost/replica:0/task:0/cpu:0", "type": "CPU"}] and about["codings"] == ["gzip"]
    assert {"json", "npy", "safetensors", "npz"} <= {row["name"] for row in about["formats"]}
    assert "float32" in about["dtypes"] and about["limits"]["connections_max"] > 0
    assert about["revision"] == s.get("/v1").json["revision"] and len(about["identity"]) == 16
    with guarded_server(s) as t:
        assert t.get("/v1").expect(200).json["authentication"] == "bearer"


def test_health_by_the_names_of_the_open_inference_protocol(s):
    assert s.get("/v2/health/live").expect(200).json == {"live": True}
    assert s.get("/v2/health/ready").expect(200).json == {"ready": True}
    assert s.get("/v2").expect(200).json == {"name": "tensorkeep", "version": s.get("/v1").json["version"], "extensions": []}
    s.refuses(404, "NOT_FOUND", (), "GET", "/v2/health")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "/v2", {})


def test_without_a_token_there_is_a_way_in_and_no_more(s):
    with guarded_server(s, reader=("read",)) as t:
        t.client.headers = {}
        for path in ("/", "/docs", "/v2/health/live", "/v2/health/ready"):
            t.get(path).expect(200)
        for path in ("/v2", "/v1", "/metrics"):
            t.get(path).expect(401)
            t.get(path, bearer(t.tokens["reader"])).expect(200)


def test_nothing_here_depends_on_what_is_kept(s):
    before = s.get("/").body, s.get("/docs").body
    s.make("secret_name", [1])
    assert (s.get("/").body, s.get("/docs").body) == before
    assert json.loads(s.get("/healthz").body) == {"status": "ok"}
