"""Tickets for EventSource, which sends no token of ours: good once, for one stream, as long as the token is."""

import re
import time

from token_files import bearer, guarded_server, reload

STREAM = "feed=eventsource&heartbeat=1"


def ticket_of(t, token=None):
    reply = t.request("POST", "/v1/tickets", None, bearer(t.tokens[token]) if token else None).expect(201)
    assert re.fullmatch(r"[0-9a-f]{32}", reply.json["ticket"]) and reply.json["expires_in_ms"] > 0, str(reply)
    assert reply.headers["cache-control"] == "no-store", str(reply)
    return reply.json["ticket"]


class Stream:
    """An EventSource's request, and what comes of it."""

    def __init__(self, t, query, headers=""):
        self.raw = t.socket(timeout=20 * t.patience)
        self.raw.send(f"GET {t.path('changes')}?{STREAM}{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        while b"\r\n\r\n" not in self.raw.received:
            assert self.raw.more(), "it ended without a reply"
        self.status = int(self.raw.received.split(b" ", 2)[1])

    def reads(self, words):
        while words not in self.raw.received:
            assert self.raw.more(), f"it ended without {words}"

    def close(self):
        self.raw.socket.close()

    def refused(self):
        """Its problem document."""
        reply = self.raw.reply()
        self.close()
        return reply


def test_a_ticket_opens_one_stream(s):
    with guarded_server(s, reader="read") as t:
        ticket = ticket_of(t, "reader")
        stream = Stream(t, f"&ticket={ticket}")
        assert stream.status == 200, stream.raw.received
        stream.reads(b"hello")
        t.make("w", [1.0])
        stream.reads(b'"w"')
        again = Stream(t, f"&ticket={ticket}").refused()
        assert again.status == 401 and again.code == "UNAUTHENTICATED", str(again)
        assert ticket not in str(again), str(again)
        stream.close()


def test_nothing_but_a_good_ticket_opens_one(s):
    with guarded_server(s, "--token-failures-max", "1000", reader="read") as t:
        good = ticket_of(t, "reader")
        for wrong in ("", "&ticket=", "&ticket=x", "&ticket=" + "0" * 32, f"&ticket={good[:-1]}", f"&ticket={good}0",
                      f"&ticket={good.upper()}x", f"&Ticket={good}", f"&token={t.tokens['reader']}", f"&ticket={t.tokens['reader']}"):
            assert Stream(t, wrong).refused().status == 401, wrong
        stream = Stream(t, f"&ticket={good}")
        assert stream.status == 200
        stream.close()


def test_a_ticket_does_what_its_token_may_and_no_more(s):
    with guarded_server(s, "--token-failures-max", "1000", other=("admin", "models=elsewhere"), writer="write") as t:
        refused = Stream(t, f"&ticket={ticket_of(t, 'other')}").refused()
        assert refused.status == 403 and "'other'" in refused.detail, str(refused)
        t.client.headers = {}
        for method, path in (("GET", "variables"), ("POST", ":initialize"), ("DELETE", ""), ("GET", "/v1/models")):
            reply = t.request(method, f"{path}?ticket={ticket_of(t, 'writer')}")
            assert reply.status == 401, str(reply)
        assert t.post("/v1/tickets").status == 401


def test_a_ticket_is_void_after_its_time_and_when_tokens_change(s):
    with guarded_server(s, "--ticket-keep-ms", "1000", reader="read") as t:
        late = ticket_of(t, "reader")
        waiting = Stream(t, f"&ticket={ticket_of(t, 'reader')}")
        for _ in range(2):
            waiting.reads(b"\n:")  # heartbeats, a second apart
            waiting.raw.received = b""
        waiting.close()
        assert Stream(t, f"&ticket={late}").refused().status == 401
        before = ticket_of(t, "reader")
        reload(t)
        assert Stream(t, f"&ticket={before}").refused().status == 401


def test_asking_for_one_takes_nothing_else(s):
    s.refuses(400, "INVALID_ARGUMENT", "query argument", "POST", "/v1/tickets?for=me")
    s.refuses(400, "INVALID_ARGUMENT", "no body", "POST", "/v1/tickets", {})
    assert s.get("/v1/tickets").status == 405


def test_there_are_only_so_many(s):
    with guarded_server(s, "--tickets-max", "2", reader="read") as t:
        first = ticket_of(t, "reader")
        ticket_of(t, "reader")
        reply = t.post("/v1/tickets")
        assert reply.status == 429 and "tickets_max" in reply.detail and "retry-after" in reply.headers, str(reply)
        stream = Stream(t, f"&ticket={first}")
        assert stream.status == 200
        stream.close()
        ticket_of(t, "reader")


def test_without_tokens_it_is_the_same(s):
    reply = s.post("/v1/tickets").expect(201)
    stream = Stream(s, f"&ticket={reply.json['ticket']}")
    assert stream.status == 200
    stream.close()
    assert Stream(s, f"&ticket={reply.json['ticket']}").refused().status == 401
    stream = Stream(s, "")
    assert stream.status == 200
    stream.close()


def test_a_stream_ends_with_its_token(s):
    with guarded_server(s, gone="read", weaker="admin", stays="read") as t:
        streams = {}
        for name in ("gone", "weaker", "stays"):
            streams[name] = Stream(t, "", f"Authorization: Bearer {t.tokens[name]}\r\n")
            streams[name].reads(b"hello")
        by_ticket = Stream(t, f"&ticket={ticket_of(t, 'gone')}")
        by_ticket.reads(b"hello")
        t.file.remove("gone")
        t.file.remove("weaker")
        t.file.add("weaker", "read", token=t.tokens["weaker"])
        reload(t)
        for stream in (streams["gone"], streams["weaker"], by_ticket):
            assert stream.raw.closed(), stream.raw.received
        streams["stays"].raw.received = b""
        t.make("w", [1.0])
        streams["stays"].reads(b'"w"')
        streams["stays"].close()


def test_a_stream_ends_with_its_tokens_time(s):
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4 * s.patience))
    with guarded_server(s, brief=("read", f"until={until}")) as t:
        stream = Stream(t, "", f"Authorization: Bearer {t.tokens['brief']}\r\n")
        assert stream.status == 200, stream.raw.received
        stream.reads(b"hello")
        assert stream.raw.closed(), stream.raw.received
        assert t.get("", bearer(t.tokens["brief"])).status == 401


def test_tickets_are_not_in_the_log(s):
    with guarded_server(s, "--access-log", "--log-level", "debug", reader="read") as t:
        used, wrong = ticket_of(t, "reader"), "f" * 32
        stream = Stream(t, f"&ticket={used}")
        stream.reads(b"hello")
        stream.close()
        assert Stream(t, f"&ticket={wrong}").refused().status == 401
        t.stop()
        with open(t.server.errors, encoding="utf-8") as file:
            log = file.read()
        assert used not in log and wrong not in log and "/changes" in log, log
        t.server.start()
