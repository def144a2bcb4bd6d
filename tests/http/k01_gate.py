"""Requests that are not quite HTTP: refused at the gate, connection closed, nothing changed."""

HOST = b"Host: localhost\r\n"


def send(s, data, wait=False):
    """The first reply to these bytes; with `wait`, whether the connection was closed after it."""
    with s.socket(timeout=15 * s.patience) as raw:
        raw.send(data)
        reply = raw.reply()
        return reply, raw.closed() if wait else None


def refused(s, data, *statuses):
    with s.unchanged():
        reply, closed = send(s, data, True)
    if reply is None:
        return  # hung up on: as good
    assert reply.status in (statuses or (400,)), f"{data[:300]!r}\n{reply}"
    assert closed, f"the connection stays open after {data[:300]!r}\n{reply}"
    assert reply.headers.get("connection", "").lower() == "close", str(reply)


def get(s, headers=HOST, path=None, method=b"GET", version=b"HTTP/1.1"):
    path = s.path("variables/w").encode() if path is None else path
    return method + b" " + path + b" " + version + b"\r\n" + headers + b"\r\n"


def put(s, headers, body):
    return (b"PUT " + s.path("variables/w:value").encode() + b" HTTP/1.1\r\n" + HOST +
            b"Content-Type: application/json\r\n" + headers + b"\r\n" + body)


def test_a_proper_request_passes(s):
    s.make("w", [1])
    reply, _ = send(s, get(s))
    assert reply.status == 200
    reply, _ = send(s, put(s, b"Content-Length: 3\r\n", b"[2]"))
    assert reply.status == 200
    reply, _ = send(s, put(s, b"Transfer-Encoding: chunked\r\n", b"1\r\n[\r\n2\r\n3]\r\n0\r\n\r\n"))
    assert reply.status == 200 and s.value("w") == [3]


def test_hosts(s):
    s.make("w", [1])
    refused(s, get(s, b""))
    refused(s, get(s, HOST + HOST))
    refused(s, get(s, HOST + b"Host: other\r\n"))
    for name in (b"localhost", b"LOCALHOST", b"127.0.0.1", b"127.0.0.1:%d" % s.server.port, b"[::1]:99", b"localhost:1"):
        reply, _ = send(s, get(s, b"Host: " + name + b"\r\n"))
        assert reply.status == 200, f"{name}: {reply}"
    for name in (b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"", b"local host", b"localhost:x",
                 b"a/b", b"user@localhost"):
        with s.unchanged():
            reply, _ = send(s, get(s, b"Host: " + name + b"\r\n"))
        assert reply is None or reply.status in (400, 403, 421), f"{name}: {reply}"


def test_targets(s):
    s.make("w", [1])
    for target in (b"http://localhost/v1", b"*", b"v1/models", b"a:1", b"//", b"/v1#f", b"/v1\x01", b"/v1\x7f", b"/v1 x"):
        reply, _ = send(s, get(s, path=target))
        assert reply is None or reply.status in (400, 404), f"{target}: {reply}"
    for target in (b"/v1/models/a%00b", b"/v1/models/%zz", b"/v1/models/%4", b"/v1/models/%", b"/v1/models/a%0d%0aX:%20y",
                   b"/v1/models/%ff", b"/v1/models/%c0%af", b"/v1/models?x=%00", b"/v1/models?page_size=%zz"):
        reply, _ = send(s, get(s, path=target))
        assert reply is not None and reply.status == 400, f"{target}: {reply}"


def test_long_targets_and_headers(s):
    reply, _ = send(s, get(s, path=b"/v1/models/" + b"a" * 300_000))
    assert reply is None or reply.status in (414, 400, 431), str(reply)
    reply, _ = send(s, get(s, HOST + b"X: " + b"a" * 300_000 + b"\r\n"))
    assert reply is None or reply.status in (431, 400), str(reply)
    reply, _ = send(s, get(s, HOST + b"".join(b"X%d: y\r\n" % i for i in range(5000))))
    assert reply is None or reply.status in (431, 400), str(reply)
    reply, _ = send(s, get(s, path=b"/v1/models?" + b"&".join(b"a%d=1" % i for i in range(500))))
    assert reply is None or reply.status == 400, str(reply)
    s.get("/healthz").expect(200)


def test_header_lines(s):
    s.make("w", [1])
    for line in (b"X y: z\r\n", b"X : y\r\n", b" X: y\r\n", b": y\r\n", b"X\r\n", b"X: a\x00b\r\n", b"X: a\rb\r\n",
                 b"X: a\r\n folded\r\n", b"X\x80: y\r\n", b"X(: y\r\n", b"X: a\nY: b\r\n"):
        refused(s, get(s, HOST + line))


def test_lengths(s):
    s.make("w", [1])
    for headers in (b"Content-Length: 3\r\nContent-Length: 3\r\n", b"Content-Length: 3\r\nContent-Length: 0\r\n",
                    b"Content-Length: +3\r\n", b"Content-Length: -1\r\n", b"Content-Length: 0x3\r\n", b"Content-Length: 3, 3\r\n",
                    b"Content-Length: 3 3\r\n", b"Content-Length: \r\n", b"Content-Length: 99999999999999999999999\r\n",
                    b"Content-Length: 3.0\r\n", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                    b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"Transfer-Encoding: identity\r\n",
                    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
                    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
                    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n"):
        refused(s, put(s, headers, b"[9]"), 400, 411, 413, 501)
    assert s.value("w") == [1]


def test_transfer_encoding_needs_http_1_1(s):
    s.make("w", [1])
    refused(s, put(s, b"Transfer-Encoding: chunked\r\n", b"3\r\n[9]\r\n0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, 501)
    assert s.value("w") == [1]


def test_chunks_that_are_none(s):
    s.make("w", [1])
    for body in (b"x\r\n[9]\r\n0\r\n\r\n", b"-3\r\n[9]\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n[9]\r\n", b"3\r\n[9]xx0\r\n\r\n",
                 b"3 3\r\n[9]\r\n0\r\n\r\n"):
        with s.unchanged():
            with s.socket(timeout=10 * s.patience) as raw:
                raw.send(put(s, b"Transfer-Encoding: chunked\r\n", body))
                raw.finish_sending()
                reply = raw.reply()
        assert reply is None or reply.status in (400, 413), f"{body}: {reply}"
    assert s.value("w") == [1]


def test_a_write_needs_a_length(s):
    s.make("w", [1])
    with s.unchanged():
        reply, _ = send(s, put(s, b"", b""))
    assert reply.status in (400, 411), str(reply)


def test_a_part_is_not_taken_for_the_whole(s):
    s.make("w", [1.0, 2.0])
    raw = {"Content-Type": "application/octet-stream", "Content-Range": "bytes 0-7/16"}
    for path, body in (("variables/w:value", bytes(8)), ("variables/w:value?slice=0:2", bytes(8)), ("variables/n", bytes(8)),
                       ("checkpoints/c?format=safetensors", b"x"), ("values?format=safetensors", b"x")):
        s.refuses(400, "INVALID_ARGUMENT", "Content-Range", "PUT", path, body, raw)
    s.put("variables/w:value", bytes(8), {"Content-Type": raw["Content-Type"]}).expect(200)
    assert s.value("w") == [0, 0]


def test_expectations(s):
    s.make("w", [1])
    refused(s, put(s, b"Content-Length: 3\r\nExpect: foo\r\n", b"[9]"), 400, 417)
    with s.socket() as raw:
        raw.send(put(s, b"Content-Length: 3\r\nExpect: 100-continue\r\n", b""))
        while b"\r\n\r\n" not in raw.received:
            assert raw.more()
        assert raw.received.startswith(b"HTTP/1.1 100"), raw.received
        raw.send(b"[4]")
        assert raw.reply().status == 200
    assert s.value("w") == [4]


def test_methods(s):
    s.make("w", [1])
    for method in (b"FOO<>", b"CONNECT", b"TRACE", b"get", b"BREW", b"", b"G\x00T"):
        with s.unchanged():
            reply, _ = send(s, get(s, method=method))
        assert reply is None or reply.status in (400, 405, 501), f"{method}: {reply}"


def test_versions(s):
    for version in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3", b"HTTP/1.1 x", b"http/1.1", b"", b"XTTP/1.1"):
        reply, _ = send(s, get(s, version=version))
        assert reply is None or reply.status in (400, 505), f"{version}: {reply}"
    with s.socket(timeout=15 * s.patience) as raw:
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        reply = raw.reply()
        assert reply is None or reply.status in (400, 405, 505), str(reply)


def test_http_1_0_is_served_and_closed(s):
    s.make("w", [1])
    with s.socket() as raw:
        raw.send(get(s, version=b"HTTP/1.0"))
        assert raw.reply().status == 200
        assert raw.closed()


def test_noise(s):
    import random
    source = random.Random(5)
    for size in (1, 10, 1000, 100_000):
        with s.socket(timeout=15 * s.patience) as raw:
            raw.send(bytes(source.randrange(256) for _ in range(size)) + b"\r\n\r\n")
            raw.finish_sending()
            reply = raw.reply()
            assert reply is None or reply.status >= 400
    s.get("/healthz").expect(200)


def test_one_refused_request_does_not_let_the_next_through(s):
    """Request smuggling: what follows a refused request on its connection must never be run."""
    s.make("w", [1])
    hidden = put(s, b"Content-Length: 3\r\n", b"[9]")
    for first in (put(s, b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(hidden)), b"0\r\n\r\n"),
                  put(s, b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden), b""),
                  get(s, HOST + b"Content-Length: %d\r\n" % len(hidden)),
                  get(s, HOST + b"X : y\r\n"), get(s, HOST + HOST)):
        with s.unchanged():
            with s.socket(timeout=10 * s.patience) as raw:
                raw.send(first + hidden)
                raw.reply()
                raw.closed()
    assert s.value("w") == [1]


def test_pipelined_requests_are_answered_in_order(s):
    s.make("w", [1])
    with s.socket() as raw:
        raw.send(b"".join(put(s, b"Content-Length: %d\r\n" % len(b"[%d]" % k), b"[%d]" % k) + get(s, path=s.path(
            "variables/w:value").encode()) for k in range(20)))
        for k in range(20):
            assert raw.reply().status == 200
            assert raw.reply().json["data"] == [k]


def test_connection_close_is_honoured(s):
    s.make("w", [1])
    with s.socket() as raw:
        raw.send(get(s, HOST + b"Connection: close\r\n"))
        assert raw.reply().status == 200
        assert raw.closed()


def test_cross_site_requests_of_browsers_are_refused(s):
    s.make("w", [1])
    for origin in ("http://evil.example", "null"):
        with s.unchanged():
            reply = s.put("variables/w:value", "[9]", {"Origin": origin, "Content-Type": "text/plain"})
            assert reply.status in (403, 415), str(reply)
            reply = s.put("variables/w:value", [9], {"Origin": origin})
            assert reply.status == 403, str(reply)
        reply = s.get("variables/w", {"Origin": origin})
        assert "access-control-allow-origin" not in reply.headers, str(reply)
