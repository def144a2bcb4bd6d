"""Clients that are slow on purpose, in the head, the body and the reply, while honest ones are served."""

import contextlib
import threading
import time

FLAGS = ["--header-timeout-ms", "1500", "--idle-timeout-ms", "60000", "--body-rate-min-bytes", "64k", "--reply-rate-min-bytes", "256k",
         "--uploads-max", "40", "--http-threads", "2"]
EACH = 12
BIG = 32 << 20
READ_SECONDS = 13  # longer than rates are averaged over; then what is left in buffers is read, and its end must come


class Drip:
    """A client that goes on a little at a time, and notes when it was cut off."""

    def __init__(self, s, kind):
        self.kind, self.ended, self.began, self.got = kind, None, time.monotonic(), 0
        self.raw = s.socket(timeout=0.5, receive_buffer=4096)
        upload = (f"PUT {s.path('variables/up:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n")
        start = {"head": "GET /v1 HTTP/1.1\r\nHost: localhost\r\n",
                 "body": upload + f"Content-Length: {BIG}\r\n\r\n",
                 "chunks": upload + "Transfer-Encoding: chunked\r\n\r\n",
                 "json": (f"POST {s.path('variables/w:assign')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Content-Length: 100000\r\n\r\n{"),
                 "reply": f"GET {s.path('variables/big:value?format=raw')} HTTP/1.1\r\nHost: localhost\r\n\r\n"}[kind]
        self.raw.send(start.encode())

    def step(self):
        piece = {"head": b"X: y\r\n", "body": b"\0" * 100, "chunks": b"1\r\n\0\r\n", "json": b" "}.get(self.kind)
        if piece is not None:
            if not self.raw.send(piece):
                self.ended = time.monotonic()
            self.raw.socket.setblocking(False)
        at_once = 1 << 20 if time.monotonic() > self.began + READ_SECONDS else 2048
        try:
            piece = self.raw.socket.recv(at_once)
            self.got += len(piece)
            if not piece:
                self.ended = time.monotonic()
        except (BlockingIOError, TimeoutError):
            pass
        except OSError:
            self.ended = time.monotonic()


def serve_honest(s, stop, latencies, failures):
    mine = s.another_client()
    while not stop.is_set():
        began = time.monotonic()
        try:
            mine.request("POST", s.path("variables/w:assign_add"), {"value": [1]}).expect(200)
            mine.request("GET", s.path("variables/w:value")).expect(200)
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)
            return
        latencies.append(time.monotonic() - began)
        time.sleep(0.01)


def send_from_far_away(s, failures):
    """Above the least rate, for longer than it is averaged over."""
    size = 2 << 20
    with s.socket(timeout=30 * s.patience) as raw:
        raw.send((f"PUT {s.path('variables/far:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                  f"Content-Length: {size}\r\n\r\n").encode())
        for _ in range(64):
            if not raw.send(b"\1" * (size // 64)):
                failures.append("cut off while it sent more than it must")
                return
            time.sleep(0.18)
        if raw.reply().status != 200:
            failures.append("refused")


def test_slow_heads_bodies_and_readers_are_cut_off_and_hold_nobody_up(s):
    s.make("w", [0.0])
    s.put_raw("big", "uint8", [BIG], bytes(BIG))
    s.put_raw("up", "uint8", [BIG], bytes(BIG))
    stop, latencies, failures = threading.Event(), [], []
    s.put_raw("far", "uint8", [2 << 20], bytes(2 << 20))
    honest = [threading.Thread(target=serve_honest, args=(s, stop, latencies, failures)) for _ in range(2)]
    honest.append(threading.Thread(target=send_from_far_away, args=(s, failures)))
    for thread in honest:
        thread.start()
    drips = [Drip(s, kind) for kind in ("head", "body", "chunks", "json", "reply") for _ in range(EACH)]
    try:
        until = time.monotonic() + 40 * s.patience
        while any(drip.ended is None for drip in drips):
            assert time.monotonic() < until, [drip.kind for drip in drips if drip.ended is None]
            for drip in drips:
                if drip.ended is None:
                    drip.step()
            time.sleep(0.1 if time.monotonic() < drips[0].began + READ_SECONDS else 0)
    finally:
        stop.set()
        for thread in honest:
            thread.join()
        for drip in drips:
            with contextlib.suppress(OSError):
                drip.raw.socket.close()
    assert all(drip.got < BIG for drip in drips)
    assert not failures, failures
    assert len(latencies) > 100, len(latencies)
    assert s.value("w") == [len(latencies)]
    assert s.bytes_of("up", slice="0:1000") == bytes(1000)
    assert s.bytes_of("far", slice="0:10") == b"\1" * 10
