"""Requests that two readers may understand differently: each has its one required answer, the connection ends after it, and what
was hidden behind it is never run."""

import random

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


def put(s, value, headers=b"", body=None, version=b"HTTP/1.1", host=HOST):
    """A write that would be seen."""
    body = b"[%d]" % value if body is None else body
    length = b"" if b"length" in headers.lower() or b"transfer-" in headers.lower() else b"Content-Length: %d\r\n" % len(body)
    return b"PUT %s %s\r\n%s%s%s%s\r\n%s" % (s.path("variables/w:value").encode(), version, host, JSON, length, headers, body)


LAST = b"Connection: close\r\n"


def get(s, headers=b"", path=None, method=b"GET", version=b"HTTP/1.1", host=HOST):
    path = s.path("variables/w:value").encode() if path is None else path
    return b"%s %s %s\r\n%s%s\r\n" % (method, path, version, host, headers)


def chunked(value):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(value), value)


def malformed(s):
    """(what, bytes, statuses): the first reply has one of these, and is the last."""
    own = s.path("variables/w:value").encode()
    lone = get(s, b"X: y\r\n")
    yield "NUL in the path", get(s, path=own + b"%00"), {400}
    yield "a raw NUL in the path", get(s, path=own + b"\0x"), {400}
    yield "dots", get(s, path=b"/v1/models/x/../" + s.model.encode()), {400}
    yield "escaped dots", get(s, path=b"/v1/models/%2e%2e/"), {400}
    yield "escaped CR LF", get(s, path=own + b"%0d%0aX:%20y"), {400}
    yield "half an escape", get(s, path=own + b"%4"), {400}
    yield "no escape", get(s, path=own + b"%zz"), {400}
    yield "an absolute target", get(s, path=b"http://localhost" + own), {400}
    yield "another's target", get(s, path=b"http://evil.example" + own), {400}
    yield "an authority", get(s, path=b"localhost:80", method=b"CONNECT"), {400, 501}
    yield "a star", get(s, path=b"*"), {400}
    yield "no slash", get(s, path=b"v1"), {400}
    yield "a fragment", get(s, path=own + b"#x"), {400}
    yield "a space in the target", get(s, path=b"/v1 /models"), {400}
    yield "a tab for a space", lone.replace(b"GET ", b"GET\t"), {400, 501}
    yield "two spaces", lone.replace(b"GET ", b"GET  "), {400}
    yield "no Host", get(s, host=b""), {400}
    yield "two Hosts", get(s, HOST), {400}
    yield "two different Hosts", get(s, b"Host: evil.example\r\n"), {400}
    yield "an unknown method", get(s, method=b"FOO<>"), {400, 501}
    yield "a method in lower case", get(s, method=b"get"), {400, 501}
    yield "a lone LF", lone.replace(b"X: y\r\n", b"X: y\n"), {400}
    yield "LF everywhere", lone.replace(b"\r\n", b"\n"), {400}
    yield "LF after the request line", lone.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), {400}
    yield "CR alone", lone.replace(b"X: y", b"X: y\rZ: z"), {400}
    yield "NUL in a value", lone.replace(b"X: y", b"X: y\0z"), {400}
    yield "NUL in a name", lone.replace(b"X: y", b"X\0: y"), {400}
    yield "a control character in a value", lone.replace(b"X: y", b"X: \x01"), {400}
    yield "a space before the colon", lone.replace(b"X: y", b"X : y"), {400}
    yield "a space before the name", lone.replace(b"X: y", b" X: y"), {400}
    yield "a folded line", lone.replace(b"X: y", b"X: y\r\n z"), {400}
    yield "no colon", lone.replace(b"X: y", b"X"), {400}
    yield "no name", lone.replace(b"X: y", b": y"), {400}
    yield "no token", lone.replace(b"X: y", b"X(): y"), {400}
    yield "GET with a body", get(s, b"Content-Length: 3\r\n") + b"[9]", {400}
    yield "GET with chunks", get(s, b"Transfer-Encoding: chunked\r\n") + chunked(b"[9]"), {400}
    yield "DELETE with a body", get(s, b"Content-Length: 3\r\n", method=b"DELETE") + b"[9]", {400}
    yield "Expect", put(s, 9, b"Expect: foo\r\n"), {417}
    yield "HTTP/2", get(s, version=b"HTTP/2.0"), {400, 505}
    yield "HTTP/0.9", get(s, version=b"HTTP/0.9"), {400, 505}
    yield "no version", b"GET " + own + b"\r\n\r\n", {400, 505}
    yield "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 501, 505}
    yield from lengths(s)


def lengths(s):
    hidden = len(put(s, 9))
    for text in (b"+3", b"-1", b"0x3", b"3, 3", b"3,3", b"3 3", b"", b"3;", b"0003x", b"\xb2", b"3.0", b"1e1"):
        yield f"Content-Length {text}", put(s, 9, b"Content-Length: %s\r\n" % text), {400}
    for text in (b"18446744073709551615", b"18446744073709551616", b"9223372036854775808", b"1" * 60):
        yield f"Content-Length {text}", put(s, 9, b"Content-Length: %s\r\n" % text), {400, 413}
    yield "two lengths", put(s, 9, b"Content-Length: 3\r\nContent-Length: 0\r\n"), {400}
    yield "two lengths, the other way", put(s, 9, b"Content-Length: 0\r\nContent-Length: %d\r\n" % hidden, b""), {400}
    yield "the same length twice", put(s, 9, b"Content-Length: 3\r\nContent-Length: 3\r\n"), {400}
    for both in (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                 b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"content-length: 3\r\nTRANSFER-ENCODING: chunked\r\n"):
        yield f"both, {both}", put(s, 9, both, chunked(b"[9]")), {400}
    for coding in (b"xchunked", b"chunkedx", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked, chunked", b"chunked;q=1", b"",
                   b"\x0bchunked", b"chunked\r\nTransfer-Encoding: chunked", b"chunked\r\nTransfer-Encoding: identity"):
        yield f"coding {coding}", put(s, 9, b"Transfer-Encoding: %s\r\n" % coding, chunked(b"[9]")), {400}
    yield "a space before the coding's colon", put(s, 9, b"Transfer-Encoding : chunked\r\n", chunked(b"[9]")), {400}
    yield "a folded coding", put(s, 9, b"Transfer-Encoding:\r\n chunked\r\n", chunked(b"[9]")), {400}
    yield "chunks in HTTP/1.0", put(s, 9, b"Transfer-Encoding: chunked\r\n", chunked(b"[9]"), b"HTTP/1.0"), {400}


def test_what_is_wrong_but_clear_ends_nothing(s):
    s.make("w", [1])
    for data in (get(s, path=s.path("variables/w:value").encode() + b"?slice=a%00b"), get(s, path=b"/nothing"), get(s, path=b"/v1?x=%zz"),
                 put(s, 9, b"", b"{"), put(s, 9, b"Content-Encoding: gzip\r\n")):
        replies = ask(s, data + put(s, 2) + get(s, LAST))
        assert 400 <= replies[0].status < 500 and [r.status for r in replies[1:]] == [200, 200], [str(r) for r in replies]
        assert replies[2].json["data"] == [2]


def ask(s, data):
    """The replies to these bytes, up to the end of the connection, which the last of them must bring about."""
    replies = []
    with s.socket(timeout=15 * s.patience) as raw:
        raw.send(data)
        while (reply := raw.reply()) is not None:
            replies.append(reply)
        assert raw.closed()
    return replies


def test_each_has_its_answer_and_nothing_behind_it_is_run(s):
    s.make("w", [1])
    count = 0
    with s.unchanged():
        for what, data, statuses in malformed(s):
            replies = ask(s, data + put(s, 9) + get(s))
            assert len(replies) == 1, (what, [str(reply) for reply in replies])
            assert replies[0].status in statuses, (what, str(replies[0]))
            assert replies[0].headers.get("connection", "").lower() == "close", (what, str(replies[0]))
            count += 1
    assert count > 75
    assert s.value("w") == [1]


def test_each_behind_good_requests_leaves_those_alone(s):
    """What came before a bad request is answered as if it were not there."""
    s.make("w", [1])
    for what, data, statuses in malformed(s):
        replies = ask(s, put(s, 5) + get(s) + data + put(s, 9))
        assert [reply.status for reply in replies[:2]] == [200, 200], (what, [str(reply) for reply in replies])
        assert replies[1].json["data"] == [5], what
        assert len(replies) == 3 and replies[2].status in statuses, (what, [str(reply) for reply in replies])
    assert s.value("w") == [5]


def test_chunks_are_read_one_way(s):
    """Each of these is one body, or refused; never a body and something else."""
    s.make("w", [1])
    head = b"Transfer-Encoding: chunked\r\n"
    for body in (b"3\r\n[7]\r\n0\r\n\r\n", b"3;a=b\r\n[7]\r\n0\r\n\r\n", b"03\r\n[7]\r\n00\r\n\r\n", b"3\r\n[7]\r\n0\r\nX: y\r\n\r\n",
                 b"3 \r\n[7]\r\n0\r\n\r\n", b"0x3\r\n[7]\r\n0\r\n\r\n", b"-3\r\n[7]\r\n0\r\n\r\n", b"+3\r\n[7]\r\n0\r\n\r\n",
                 b"3\n[7]\n0\n\n", b"3\r\n[7]\n0\r\n\r\n", b"3\r\n[7]X\r\n0\r\n\r\n", b"4\r\n[7]\r\n0\r\n\r\n", b"2\r\n[7]\r\n0\r\n\r\n",
                 b"fffffffffffffffff\r\n[7]\r\n0\r\n\r\n", b"g\r\n[7]\r\n0\r\n\r\n", b"\r\n3\r\n[7]\r\n0\r\n\r\n", b"3\r\n[7]\r\n",
                 b"3;" + b"a" * 5000 + b"\r\n[7]\r\n0\r\n\r\n", b"3\r\n[7]\r\n0\r\nHost: evil\r\nContent-Length: 5\r\n\r\n"):
        s.put("variables/w:value", [1]).expect(200)
        replies = ask(s, put(s, 9, head, body) + put(s, 8) + get(s, LAST))
        value = s.value("w")
        if replies and replies[0].status == 200:
            assert value == [8] and [r.status for r in replies] == [200, 200, 200], (body, value, [str(r) for r in replies])
        else:
            assert value == [1] and len(replies) <= 1, (body, value, [str(r) for r in replies])


def test_a_good_body_may_look_like_a_request(s):
    s.make("w", [1])
    inner = put(s, 9)
    replies = ask(s, put(s, 0, b"", b" " * 10 + inner) + get(s, LAST))
    assert replies[0].status == 400 and replies[1].json["data"] == [1], [str(r) for r in replies]
    replies = ask(s, b"PUT %s HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nTensor-Dtype: uint8\r\nTensor-Shape: %d\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (s.path("variables/b").encode(), HOST, len(inner), len(inner), inner) + get(s, LAST))
    assert [r.status for r in replies] == [201, 200] and replies[1].json["data"] == [1]
    assert s.bytes_of("b") == inner


def test_mixtures_by_chance(s):
    """Good and bad requests in one stream: those before the first bad one are answered in order, it is refused, and that is all."""
    s.make("w", [1])
    source = random.Random(11)
    bad = list(malformed(s))
    for _ in range(60 if not s.slow else 10):
        stream, expected, value = b"", [], s.value("w")[0]
        for _ in range(source.randrange(1, 8)):
            if source.random() < 0.25:
                what, data, statuses = source.choice(bad)
                stream += data + put(s, 99)
                expected.append((what, statuses))
                break
            if source.random() < 0.5:
                value = source.randrange(2, 90)
                stream += put(s, value)
            else:
                stream += get(s)
            expected.append(("good", {200}))
        if expected[-1][0] == "good":
            stream += get(s, LAST)
            expected.append(("good", {200}))
        replies = ask(s, stream)
        assert len(replies) == len(expected), (expected, [str(reply) for reply in replies])
        for (what, statuses), reply in zip(expected, replies):
            assert reply.status in statuses, (what, str(reply))
        assert s.value("w") == [value], expected
