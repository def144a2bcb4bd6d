"""How often a client may ask, and how much at once: refused with 429, told how long to wait, and nobody else is held up."""

import re
import threading

from token_files import bearer, guarded_server

LIMIT = re.compile(r'^"default";r=(\d+);t=(\d+)$')


def left(reply):
    return tuple(map(int, LIMIT.match(reply.headers["ratelimit"]).groups()))


def test_without_a_limit_none_is_told(s):
    reply = s.get("")
    assert "ratelimit" not in reply.headers and "ratelimit-policy" not in reply.headers, str(reply)


def test_every_reply_tells_what_is_left(s):
    with s.other_server("--rate-requests-max", "5", "--rate-window-ms", "1000000") as t:
        before = left(t.get("/v1"))
        assert before[0] == 3 and 0 < before[1] <= 1000, before  # the model was made with the first
        for expected in (2, 1, 0):
            reply = t.get("/nothing") if expected == 2 else t.get("/v1")
            assert left(reply)[0] == expected, str(reply)
            assert reply.headers["ratelimit-policy"] == '"default";q=5;w=1000', str(reply)
        for _ in range(3):
            reply = t.get("/v1").expect(429)
            assert reply.code == "RESOURCE_EXHAUSTED" and "rate_requests_max" in reply.detail, str(reply)
            assert left(reply)[0] == 0 and 100 < int(reply.headers["retry-after"]) <= 200, str(reply)
        for _ in range(20):
            t.get("/healthz").expect(200)
            t.get("/readyz").expect(200)


def test_a_write_that_is_refused_changes_nothing(s):
    with guarded_server(s, "--rate-requests-max", "4", "--rate-window-ms", "1000000", writer="write") as t:
        writer = t.another_client()
        writer.headers = bearer(t.tokens["writer"])
        path = t.path("variables")
        for k in range(4):
            writer.request("POST", path, {"name": f"w{k}", "initial_value": 1}).expect(201)
        before = t.get("").expect(200).json["revision"]
        writer.request("POST", path, {"name": "late", "initial_value": 1}).expect(429)
        assert t.get("").expect(200).json["revision"] == before


def test_tokens_have_their_own(s):
    with guarded_server(s, "--rate-requests-max", "3", "--rate-window-ms", "1000000", one="read", two="read") as t:
        one, two = t.another_client(), t.another_client()
        one.headers, two.headers = bearer(t.tokens["one"]), bearer(t.tokens["two"])
        for _ in range(3):
            one.request("GET", "/v1").expect(200)
        one.request("GET", "/v1").expect(429)
        two.request("GET", "/v1").expect(200)
        again = t.another_client()
        again.headers = one.headers
        again.request("GET", "/v1").expect(429)
        # who has no token is refused for that, and takes nothing from anybody
        again.headers = {}
        for _ in range(6):
            again.request("GET", "/v1").expect(401)
        two.request("GET", "/v1").expect(200)


def test_a_bucket_fills_again(s):
    with s.other_server("--rate-requests-max", "50", "--rate-window-ms", "1000") as t:
        refused = 0
        for _ in range(3000):
            refused += t.get("/v1").status == 429
            if refused > 20:
                break
        assert refused > 20
        until = threading.Event()
        until.wait(0.5)
        t.get("/v1").expect(200)


def ask_until(client, status):
    """The first reply with this status: what a request takes is free again when its reply has gone out."""
    for _ in range(400):
        reply = client.request("GET", "/v1")
        if reply.status == status:
            break
        threading.Event().wait(0.02)
    return reply.expect(status)


def test_so_many_at_once_and_no_more(s):
    with guarded_server(s, "--requests-per-client-max", "2", "--rate-requests-max", "0", slow="write", other="write") as t:
        t.put_raw("w", "uint8", [1 << 20], bytes(1 << 20))
        head = (f"PUT {t.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                f"Authorization: Bearer {t.tokens['slow']}\r\nContent-Length: {1 << 20}\r\n\r\n").encode()
        client, other = t.another_client(), t.another_client()
        client.headers, other.headers = bearer(t.tokens["slow"]), bearer(t.tokens["other"])
        with t.socket() as first, t.socket() as second:
            first.send(head + bytes(1000))
            second.send(head + bytes(1000))
            reply = ask_until(client, 429)
            assert "requests_per_client_max" in reply.detail and int(reply.headers["retry-after"]) >= 1, str(reply)
            other.request("GET", "/v1").expect(200)
            first.send(bytes((1 << 20) - 1000))
            assert first.reply().status == 200
            ask_until(client, 200)
            second.socket.close()
        with t.socket() as third:
            third.send(head + bytes(1000))
            ask_until(client, 200)  # who left is not counted any more
