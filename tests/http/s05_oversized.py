"""Heads that are too large, too long or too many: refused within bounds, by name, and the server goes on."""

HOST = b"Host: localhost\r\n"
LARGE = {400, 413, 414, 431}


def ask(s, head, path=b"/v1"):
    """The reply; None: the connection ended without one."""
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"GET " + path + b" HTTP/1.1\r\n" + HOST + head + b"\r\n")
        reply = raw.reply()
        if reply is None or reply.headers.get("connection") == "close":
            assert raw.closed()
        return reply


def test_one_header_of_every_size(s):
    """Small ones pass, large ones do not, and between the two there is one border."""
    passed = []
    for size in (1, 100, 1000, 4000, 8000, 12000, 16000, 20000, 30000, 40000, 70000, 140000, 1 << 20):
        reply = ask(s, b"X: " + b"y" * size + b"\r\n")
        assert reply is None or reply.status in LARGE | {200}, (size, str(reply))
        passed.append(reply is not None and reply.status == 200)
        s.get("/healthz").expect(200)
    assert passed == sorted(passed, reverse=True) and passed[3] and not passed[-1], passed


def test_a_long_name_of_a_header(s):
    for size in (100, 5000, 100_000):
        reply = ask(s, b"y" * size + b": x\r\n")
        assert reply is None or reply.status in LARGE | {200}, (size, str(reply))
    s.get("/healthz").expect(200)


def test_the_number_of_headers(s):
    for count, statuses in ((60, {200}), (63, {200}), (64, {400}), (500, {400, 431})):
        reply = ask(s, b"".join(b"X-%d: y\r\n" % k for k in range(count)))
        assert reply is not None and reply.status in statuses, (count, str(reply))
    reply = ask(s, b"a: b\r\n" * 100_000)
    assert reply is None or reply.status in LARGE, str(reply)


def test_long_targets(s):
    for size in (1000, 4000, 40_000, 1 << 20):
        for path in (b"/" + b"a" * size, b"/v1/models/" + b"a" * size, b"/v1?" + b"a" * size, b"/v1?x=" + b"a" * size,
                     b"/v1/models/m/variables/" + b"a/" * (size // 2) + b"b", b"/" + b"%61" * (size // 3)):
            reply = ask(s, b"", path)
            assert reply is None or reply.status in LARGE | {404}, (size, path[:30], str(reply))
    s.get("/healthz").expect(200)


def test_many_query_arguments(s):
    for count in (10, 32, 33, 500, 5000):
        reply = ask(s, b"", b"/v1/models?" + b"&".join(b"a%d=b" % k for k in range(count)))
        assert reply is None or reply.status in LARGE, (count, str(reply))
    reply = ask(s, b"", b"/v1/models?" + b"&" * 3000)
    assert reply is None or reply.status == 200, str(reply)
    reply = ask(s, b"", b"/v1/models?page_size=1&page_size=1")
    assert reply.status == 400, str(reply)


def test_one_long_line_that_never_ends(s):
    with s.other_server("--header-timeout-ms", "2000") as t:
        before = t.server.memory()["VmRSS"]
        with t.socket(timeout=20 * t.patience) as raw:
            raw.send(b"GET /v1 HTTP/1.1\r\nX: ")
            sent = 0
            while sent < 64 << 20 and raw.send(b"y" * 65536):
                sent += 65536
            assert sent < 64 << 20, "it takes as much as one sends"
            assert raw.closed()
        assert t.server.memory()["VmRSS"] - before < 64 << 20
        t.get("/healthz").expect(200)


def test_many_large_heads_at_once_cost_no_more_than_they_may(s):
    before = s.server.memory()["VmRSS"]
    sockets = [s.socket() for _ in range(200)]
    try:
        for raw in sockets:
            raw.send(b"GET /v1 HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 30_000)
        s.get("/healthz").expect(200)
        assert s.server.memory()["VmRSS"] - before < 64 << 20
    finally:
        for raw in sockets:
            raw.socket.close()


def test_declared_sizes_are_not_believed(s):
    """Nothing is set aside for what was only announced."""
    s.make("w", [1.0])
    before = s.server.memory()["VmRSS"]
    sockets = [s.socket() for _ in range(10)]
    try:
        for raw in sockets:
            raw.send((f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                      f"Content-Length: {1 << 35}\r\n\r\n").encode() + bytes(1000))
        s.get("/healthz").expect(200)
        assert s.server.memory()["VmRSS"] - before < 64 << 20
    finally:
        for raw in sockets:
            raw.socket.close()
    assert s.value("w") == [1]
