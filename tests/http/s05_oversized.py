"""Heads that are too large, too long or too many: refused within bounds, by name, and the server goes on."""

HOST = b"Host: localhost\r\n"
LARGE = {400, 413, 414, 431}
HEAD_MAX = 16384  # --head-max-bytes: up to twice as much is refused by us, more by libmicrohttpd, in its own words


def ask(s, head, path=b"/v1"):
    """The reply; None: the connection ended without one."""
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"GET " + path + b" HTTP/1.1\r\n" + HOST + head + b"\r\n")
        reply = raw.reply()
        if reply is None or reply.headers.get("connection") == "close":
            assert raw.closed()
        return reply


def asked(size, line=False):
    """A head of so many bytes, in its request line or in a field."""
    start, end = (b"GET /v1?", b" HTTP/1.1\r\n" + HOST + b"\r\n") if line else (b"GET /v1 HTTP/1.1\r\n" + HOST + b"X: ", b"\r\n\r\n")
    return start + b"y" * (size - len(start) - len(end)) + end


def refusal(s, head, goes_on=b""):
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(head + goes_on)
        reply = raw.reply()
        assert reply is not None, f"no reply to a head of {len(head)} bytes"
        if reply.status != 200:
            assert reply.headers["connection"] == "close" and raw.closed()
        return reply


def ours(reply, status, size):
    problem = reply.json
    assert (reply.status, problem["code"]) == (status, "PAYLOAD_TOO_LARGE"), str(reply)
    assert all(word in problem["detail"] for word in ("head_max_bytes", str(size), str(HEAD_MAX))), problem


def test_heads_past_the_setting_are_refused_with_a_problem_document(s):
    assert refusal(s, asked(HEAD_MAX)).status == 200
    for size in (HEAD_MAX + 1, 20_000, 24_000, 25_000, 28_000, 32_000, 32_100, 32_200, 32_400):
        ours(refusal(s, asked(size)), 431, size)
        ours(refusal(s, asked(size, True)), 414 if size > HEAD_MAX + 50 else 431, HEAD_MAX if size < HEAD_MAX + 50 else size - 21)
        ours(refusal(s, asked(size), asked(100)), 431, size)
    s.refuses(431, "PAYLOAD_TOO_LARGE", "head_max_bytes", "GET", "/v1", None, {"X": "y" * HEAD_MAX})
    s.refuses(414, "PAYLOAD_TOO_LARGE", "head_max_bytes", "GET", "variables?prefix=" + "y" * HEAD_MAX)
    s.get("/healthz").expect(200)


def test_so_are_those_of_requests_with_a_body(s):
    for size in (HEAD_MAX + 1000, 32_000, 32_300):
        head = asked(size).replace(b"GET /v1 ", b"PUT /a ").replace(b"\r\nX: yyy", b"\r\nContent-Length: 5\r\nX: ", 1)
        for body in (b"", b"12", b"12345", b"12345" + asked(100)):
            ours(refusal(s, head, body), 431, len(head))


def test_far_larger_ones_are_the_librarys(s):
    for size in (2 * HEAD_MAX, 40_000, 300_000):
        for line in (False, True):
            reply = ask(s, b"" if line else b"X: " + b"y" * size + b"\r\n", b"/" + b"a" * size if line else b"/v1")
            assert reply is None or (reply.status, reply.headers["connection"]) == (414 if line else 431, "close"), (size, str(reply))


def test_the_setting_says_how_large(s):
    with s.other_server("--head-max-bytes", "64k") as t:
        assert refusal(t, asked(65536)).status == 200
        assert refusal(t, asked(65537)).status == 431
        assert refusal(t, asked(120_000)).json["code"] == "PAYLOAD_TOO_LARGE"
    with s.other_server("--head-max-bytes", "8k") as t:
        assert refusal(t, asked(8192)).status == 200
        for size in (8193, 12_000, 16_000):
            assert refusal(t, asked(size)).json["code"] == "PAYLOAD_TOO_LARGE"
        t.make("w", [1.0])
        assert t.get("variables/w:value", {"X": "y" * 7900}).json["data"] == [1]
        assert t.get("variables/none", {"X": "y" * 7900}).status == 404


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
