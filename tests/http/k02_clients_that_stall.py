"""Clients that stop talking: they cost a connection for a while, never more."""

import http.client
import time

FLAGS = ["--header-timeout-ms", "700", "--idle-timeout-ms", "1000", "--connections-max", "40"]


def test_headers_that_do_not_come(s):
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"GET /v1 HTT")
        began = time.monotonic()
        raw.reply()
        assert raw.closed()
        assert time.monotonic() - began < 15 * s.patience


def test_headers_that_drip(s):
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\n")
        closed, began = False, time.monotonic()
        while time.monotonic() - began < 15 * s.patience and not closed:
            closed = not raw.send(b"X: y\r\n")
            time.sleep(0.2)
        assert closed, "a byte now and then must not keep it open"


def test_idle_connections_are_closed(s):
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.reply().status == 200
        assert raw.closed()


def test_many_stalled_connections_do_not_lock_out_others_for_long(s):
    stalled = [s.socket() for _ in range(60)]
    try:
        for raw in stalled:
            raw.send(b"GET /v1 HTT")
        until = time.monotonic() + 20 * s.patience
        while True:
            try:
                client = s.another_client()
                client.timeout = 3
                assert client.request("GET", "/healthz").status == 200
                break
            except (OSError, AssertionError, http.client.HTTPException):
                assert time.monotonic() < until, "locked out"
                time.sleep(0.3)
    finally:
        for raw in stalled:
            raw.socket.close()


def test_when_every_worker_is_held_up_more_work_is_refused_not_queued_for_ever(s):
    with s.other_server("--worker-threads", "2", "--queue-requests-max", "2", "--uploads-max", "16") as t:
        size = 8 << 20
        t.put_raw("w", "uint8", [size], bytes(size))
        stalled = []
        try:
            for _ in range(12):
                raw = t.socket()
                raw.send((f"PUT {t.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\n"
                          f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n").encode() + bytes(1 << 20))
                stalled.append(raw)
            time.sleep(0.3)
            refused = 0
            for raw in stalled:
                raw.socket.setblocking(False)
                try:
                    raw.received += raw.socket.recv(65536)
                except BlockingIOError:
                    continue
                reply = raw.reply()
                assert reply.status == 429 and reply.code == "RESOURCE_EXHAUSTED", str(reply)
                assert int(reply.headers["retry-after"]) >= 1, str(reply)
                refused += 1
            # Short look-ups need no worker.
            t.get("variables/w").expect(200)
            t.get("/healthz").expect(200)
            assert refused > 0
        finally:
            for raw in stalled:
                raw.socket.close()
        until = time.monotonic() + 30 * t.patience
        while t.put("variables/w:value?slice=0:2", [5, 6]).status == 429:
            assert time.monotonic() < until, "never free again"
            time.sleep(0.2)
        assert t.value("w", slice="0:3") == [5, 6, 0]


def test_a_stalled_upload_holds_nobody_up(s):
    s.make("w", [1, 2])
    with s.socket() as raw:
        raw.send((f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                  "Content-Length: 8\r\n\r\n").encode() + b"\0\0")
        for k in range(20):
            s.put("variables/w:value", [k, k]).expect(200)
        assert s.value("w") == [19, 19]
