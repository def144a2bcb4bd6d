"""Ten thousand connections: all of them kept, or turned away, and honest clients answered."""

import contextlib
import os
import resource
import socket
import time

from session import Skipped

COUNT = 10_000
FILES = COUNT + 512
SECONDS_MAX = 40


def allow_files(s):
    """Room for as many sockets here; the server makes its own."""
    if s.slow:
        raise Skipped("not under a tool that makes everything many times slower")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise Skipped(f"the hard limit of open files is {hard}, {FILES} are needed")
    if soft != resource.RLIM_INFINITY and soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def connect(s, until):
    """COUNT connections of which every other has begun a request; fewer when the server takes no more of them."""
    made = []
    for k in range(COUNT):
        if time.monotonic() > until:
            break
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.settimeout(2)
        try:
            one.connect(("127.0.0.1", s.server.port))
            if k % 2:
                one.send(b"GET /v1 HTTP/1.1\r\nHost: loc")
        except OSError:
            one.close()
            break
        made.append(one)
    return made


def close_all(sockets):
    for one in sockets:
        one.close()


def is_ended(one):
    one.setblocking(False)
    try:
        return one.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def server_files(s):
    return len(os.listdir(f"/proc/{s.server.process.pid}/fd"))


def until_true(what, seconds, question):
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def test_ten_thousand_are_kept_and_others_served_beside_them(s):
    allow_files(s)
    with s.other_server("--connections-max", "12000", "--http-threads", "16", "--header-timeout-ms", "60000",
                        "--idle-timeout-ms", "60000") as t:
        t.make("w", [0.0])
        before, files = t.server.memory()["VmRSS"], server_files(t)
        sockets = connect(t, time.monotonic() + SECONDS_MAX)
        try:
            assert len(sockets) == COUNT, len(sockets)
            until_true("the server did not take all of them", SECONDS_MAX, lambda: server_files(t) >= files + COUNT)
            for k in range(100):
                t.post("variables/w:assign_add", {"value": [1]}).expect(200)
                assert t.value("w") == [k + 1]
            fresh = [t.another_client() for _ in range(20)]
            for each in fresh:
                each.request("GET", "/healthz").expect(200)
            grown = t.server.memory()["VmRSS"] - before
            assert grown < COUNT * 64 * 1024, grown
            assert not any(is_ended(one) for one in sockets[::100])
        finally:
            close_all(sockets)
        t.disconnect()
        until_true("connections that are gone are kept", SECONDS_MAX, lambda: server_files(t) < files + 100)
        t.connect()
        t.get("/healthz").expect(200)


def test_more_than_there_is_room_for_are_turned_away_in_time(s):
    """A flood of silent connections keeps others out only until their heads are due."""
    allow_files(s)
    with s.other_server("--connections-max", "500", "--header-timeout-ms", "1000", "--idle-timeout-ms", "5000") as t:
        t.make("w", [1.0])
        t.disconnect()
        sockets = connect(t, time.monotonic() + 15)
        try:
            honest = t.another_client()
            honest.timeout = 3

            def served():
                with contextlib.suppress(OSError, AssertionError, Exception):
                    return honest.request("GET", t.path("variables/w:value")).status == 200
                return False

            until_true("honest clients are locked out", SECONDS_MAX, served)
            assert server_files(t) < 1500
        finally:
            close_all(sockets)
        t.connect()
        t.post("variables/w:assign_add", {"value": [1]}).expect(200)
        assert t.value("w") == [2]


def test_connecting_and_leaving_costs_nothing_in_the_end(s):
    s.get("/healthz").expect(200)
    files = server_files(s)
    for how in ("close", "reset", "half"):
        for _ in range(1000 if not s.slow else 100):
            with s.socket() as raw:
                if how == "reset":
                    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if how == "half":
                    raw.send(b"POST /v1/models/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{")
    until_true("descriptors are lost", 30 * s.patience, lambda: server_files(s) <= files + 2)
    s.get("/healthz").expect(200)
