"""Pages of other origins, and names that a server may be reached by: only those that were listed."""

FLAGS = ["--cors-origins", "https://lab.example,http://localhost:3000", "--allowed-hosts", "tensors.example,other.example"]


def test_a_listed_origin_is_let_in_and_told_so(s):
    s.make("w", [1])
    for origin in ("https://lab.example", "http://localhost:3000"):
        reply = s.get("variables/w:value", {"Origin": origin}).expect(200)
        assert reply.headers["access-control-allow-origin"] == origin, str(reply)
        assert "origin" in reply.headers.get("vary", "").lower(), str(reply)
        exposed = reply.headers.get("access-control-expose-headers", "").lower()
        for name in ("etag", "tensorkeep-revision", "tensor-shape", "tensor-dtype", "content-range", "idempotency-replayed"):
            assert name in exposed, (name, exposed)
        s.put("variables/w:value", [2], {"Origin": origin}).expect(200)


def test_a_preflight_is_answered(s):
    s.make("w", [1])
    reply = s.request("OPTIONS", "variables/w:value", None, {
        "Origin": "https://lab.example", "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,if-match"})
    assert reply.status in (200, 204), str(reply)
    assert reply.headers["access-control-allow-origin"] == "https://lab.example"
    assert "PUT" in reply.headers["access-control-allow-methods"]
    for name in ("content-type", "if-match", "idempotency-key", "last-event-id"):
        assert name in reply.headers["access-control-allow-headers"].lower(), name


def test_other_origins_get_nothing(s):
    s.make("w", [1])
    for origin in ("https://evil.example", "https://lab.example.evil.example", "http://lab.example", "https://lab.example:444",
                   "null", "https://lab.example/"):
        reply = s.request("OPTIONS", "variables/w:value", None, {"Origin": origin, "Access-Control-Request-Method": "PUT"})
        assert "access-control-allow-origin" not in reply.headers, str(reply)
        s.refuses(403, "PERMISSION_DENIED", "origin", "PUT", "variables/w:value", [2], {"Origin": origin})


def test_the_servers_own_pages_are_let_in(s):
    s.make("w", [1])
    own = f"http://127.0.0.1:{s.server.port}"
    s.put("variables/w:value", [2], {"Origin": own, "Sec-Fetch-Site": "same-origin"}).expect(200)
    s.refuses(403, "PERMISSION_DENIED", (), "PUT", "variables/w:value", [3], {"Sec-Fetch-Site": "cross-site"})


def test_listed_hosts_are_answered_to(s):
    s.make("w", [1])
    for host in ("tensors.example", "other.example:80", "TENSORS.example", "localhost"):
        s.get("variables/w", {"Host": host}).expect(200)
    for host in ("ensors.example", "tensors.example.evil", "example"):
        assert s.get("variables/w", {"Host": host}).status in (400, 403, 421)
