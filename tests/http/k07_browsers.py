"""What pages of other sites can make a browser send, and what browsers are told about every reply."""

import http.client

HEADERS = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
           "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin"}
EVIL = "https://evil.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MOZILLA = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/50.0"}


def own(s):
    return f"http://127.0.0.1:{s.server.port}"


def test_every_reply_has_the_headers(s):
    s.make("w", [1.0, 2.0])
    tag = s.get("variables/w:value").etag
    big = s.put_raw("big", "uint8", [1 << 20], bytes(1 << 20))
    del big
    replies = [s.get("/healthz"), s.get("variables/w:value"), s.head("variables/w"), s.get("variables/none"), s.get("/nothing"),
               s.get("variables/w:value", {"If-None-Match": tag}), s.get("variables/big:value?format=raw"), s.delete("/v1"),
               s.get("variables/big:value?format=raw", {"Range": "bytes=1-5"}), s.request("OPTIONS", "variables/w"),
               s.get("variables/big:value?format=raw", {"Range": "bytes=9999999-"}), s.post("variables", "{"),
               s.get("/v1", {"Host": "evil.example"}), s.get("values?format=safetensors"), s.post("variables/w:assign", {"value": [3, 4]})]
    assert {200, 201, 204, 206, 304, 400, 404, 405, 416, 421} - {201} <= {r.status for r in replies}, [r.status for r in replies]
    for reply in replies:
        for name, value in HEADERS.items():
            assert reply.headers.get(name) == value, (name, str(reply))
        kept = "no-cache" if "etag" in reply.headers else "no-store"
        assert reply.headers["cache-control"] == kept, str(reply)
        assert "strict-transport-security" not in reply.headers and "set-cookie" not in reply.headers, str(reply)
        assert "server" not in reply.headers and "x-powered-by" not in reply.headers, str(reply)


def test_bytes_are_for_saving_not_for_showing(s):
    s.put_raw("big", "uint8", [1 << 20], b"<script>alert(1)</script>" + bytes((1 << 20) - 25))
    s.put_raw("small", "uint8", [25], b"<script>alert(1)</script>")
    for path in ("variables/big:value?format=raw", "variables/small:value?format=raw", "variables/big:value?format=npy",
                 "values?format=safetensors&names=big"):
        reply = s.get(path).expect(200)
        assert reply.headers["content-disposition"].startswith("attachment"), str(reply)
        assert "html" not in reply.headers["content-type"], str(reply)


def test_refusals_written_past_the_library_have_them_too(s):
    with s.other_server("--json-body-max-bytes", "10k") as t:
        with t.socket() as raw:
            raw.send((f"PUT {t.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                      "Content-Type: application/json\r\n\r\n").encode())
            for _ in range(40):
                if not raw.send(b"10000\r\n" + b"1" * 65536 + b"\r\n"):
                    break
            reply = raw.reply()
        assert reply.status == 413, str(reply)
        for name, value in HEADERS.items():
            assert reply.headers.get(name) == value, (name, str(reply))


def test_writes_of_foreign_pages_are_refused(s):
    s.make("w", [1])
    foreign = ({"Origin": EVIL}, {"Origin": "null"}, {"Origin": own(s) + "0"}, {"Origin": own(s).replace("http", "ftp")},
               {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
               {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, {"Referer": EVIL + "/page"}, {"Referer": EVIL},
               {"Referer": "about:blank"}, {"Referer": ""}, {"Origin": "", "Sec-Fetch-Site": "same-origin"})
    for headers in foreign:
        for kind in (FORM, {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}, {}):
            s.refuses(403, "PERMISSION_DENIED", "origin", "POST", "variables/w:assign", '{"value": [9]}', {**headers, **kind})
        s.refuses(403, "PERMISSION_DENIED", "origin", "DELETE", "variables/w", None, headers)
        s.refuses(403, "PERMISSION_DENIED", "origin", "PUT", "/v1/models/foreign", None, headers)
    assert s.value("w") == [1]


def test_forms_of_old_browsers_are_refused(s):
    s.make("w", [1])
    for kind in (FORM, {"Content-Type": "text/plain"}, {"Content-Type": "Text/Plain; charset=utf-8"},
                 {"Content-Type": "multipart/form-data; boundary=x"}):
        s.refuses(403, "PERMISSION_DENIED", "X-Requested-With", "POST", "variables/w:assign", '{"value": [9]}', {**MOZILLA, **kind})
    s.refuses(403, "PERMISSION_DENIED", "X-Requested-With", "POST", ":initialize", None, MOZILLA)
    s.post("variables/w:assign", '{"value": [2]}', {**MOZILLA, **FORM, "X-Requested-With": "x"}).expect(200)
    s.post("variables/w:assign", '{"value": [3]}', {**MOZILLA, "Content-Type": "application/json"}).expect(200)
    s.post("variables/w:assign", '{"value": [4]}', {**MOZILLA, **FORM, "Origin": own(s)}).expect(200)


def test_programs_need_no_headers(s):
    s.make("w", [1])
    for kind in (FORM, {}, {"Content-Type": "application/json"}, {"User-Agent": "curl/7.88.1", **FORM},
                 {"User-Agent": "python-requests/2", "Referer": own(s) + "/docs"}, {"Sec-Fetch-Mode": "cors", "User-Agent": "node"},
                 {"Sec-Fetch-Site": "none", "User-Agent": "Mozilla/5.0"}):
        s.post("variables/w:assign", '{"value": [2]}', kind).expect(200)


def test_reads_of_foreign_pages_are_visits_or_nothing(s):
    s.make("w", [1])
    for site in ("cross-site", "same-site"):
        for mode in ("no-cors", "cors", "websocket"):
            reply = s.get("variables/w:value", {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}).expect(403)
            assert reply.code == "PERMISSION_DENIED", str(reply)
        s.get("variables/w:value", {"Sec-Fetch-Site": site}).expect(403)
        reply = s.get("variables/w:value", {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).expect(200)
        assert "access-control-allow-origin" not in reply.headers and reply.headers["x-content-type-options"] == "nosniff"
    reply = s.get("variables/w:value", {"Origin": EVIL}).expect(200)
    assert "access-control-allow-origin" not in reply.headers, str(reply)


def test_listed_origins_are_let_in_and_no_others(s):
    with s.other_server("--cors-origins", "https://lab.example, http://localhost:3000") as t:
        t.model = "m1"
        t.put("", {})
        t.make("w", [1])
        lab = {"Origin": "https://lab.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        reply = t.get("variables/w:value", lab).expect(200)
        assert reply.headers["access-control-allow-origin"] == "https://lab.example"
        assert reply.headers["cross-origin-resource-policy"] == "cross-origin" and "Origin" in reply.headers["vary"]
        assert "access-control-allow-credentials" not in reply.headers, str(reply)
        exposed = reply.headers["access-control-expose-headers"].lower().split(", ")
        for name in ("etag", "location", "retry-after", "content-range", "accept-ranges", "repr-digest", "ratelimit", "server-timing",
                     "tensorkeep-revision", "x-request-id", "www-authenticate"):
            assert name in exposed, name
        t.post("variables/w:assign", {"value": [2]}, lab).expect(200)
        t.post("variables/w:assign", {"value": [2]}, {"Referer": "https://lab.example/page"}).expect(200)
        for headers in ({**lab, "Origin": EVIL}, {**lab, "Origin": "https://lab.example."}, {**lab, "Origin": "https://LAB.example/"},
                        {"Referer": "https://lab.example.evil.example/"}, {"Referer": "https://evil.example/https://lab.example/"}):
            t.post("variables/w:assign", {"value": [3]}, headers).expect(403)
        plain = t.get("variables/w:value").expect(200)
        assert "access-control-allow-origin" not in plain.headers and plain.headers["cross-origin-resource-policy"] == "same-origin"
        preflight = t.request("OPTIONS", "variables/w:assign", None, {**lab, "Access-Control-Request-Method": "POST"}).expect(204)
        assert "Authorization" in preflight.headers["access-control-allow-headers"], str(preflight)
        refused = t.request("OPTIONS", "variables/w:assign", None, {**lab, "Origin": EVIL, "Access-Control-Request-Method": "POST"})
        assert not [name for name in refused.headers if name.startswith("access-control")], str(refused)


def test_names_that_lead_here_are_not_enough(s):
    """DNS rebinding: the page's own name, pointed at this machine."""
    s.make("w", [1])
    for host in ("evil.example", f"evil.example:{s.server.port}", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1",
                 "[2001:db8::1]", "169.254.169.254", "0.0.0.0", "localhost.", "2130706433", "127.1"):
        for method, path, body in (("GET", "variables/w:value", None), ("POST", "variables/w:assign", {"value": [9]})):
            reply = s.request(method, path, body, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"})
            assert reply.status in (403, 421), str(reply)
    assert s.value("w") == [1]


def test_both_host_and_target_count(s):
    s.make("w", [1])
    with s.socket() as raw:
        raw.send(f"GET http://evil.example{s.path('variables/w')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert raw.reply().status == 400
    connection = http.client.HTTPConnection("127.0.0.1", s.server.port, timeout=20 * s.patience)
    connection.putrequest("GET", s.path("variables/w"), skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
