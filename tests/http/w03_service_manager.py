"""What a service manager or a container engine is told, and how it can ask."""

import os
import socket

import backups
import session


def manager(address):
    """A socket that takes what the server says."""
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    taken.bind(address)
    taken.settimeout(30)
    return taken


def started(s, address):
    """A server that was told to notify that address."""
    other = session.Session(session.Server(s.server.binary, (), s.patience))
    os.environ["NOTIFY_SOCKET"] = address
    try:
        other.server.start()
    finally:
        del os.environ["NOTIFY_SOCKET"]
    return other.connect()


def test_it_tells_when_it_is_ready_and_when_it_stops(s):
    path = os.path.join(s.server.root, "notify")
    for bound, named in ((path, path), ("\0" + path, "@" + path)):
        with manager(bound) as taken:
            other = started(s, named)
            try:
                assert taken.recv(1000) == b"READY=1"
                other.get("/readyz").expect(200)
                other.stop()
                assert taken.recv(1000) == b"STOPPING=1"
            finally:
                other.server.end()
                other.server.remove()


def test_it_serves_although_nobody_listens(s):
    for address in (os.path.join(s.server.root, "nobody"), "relative", "/" + "x" * 200):
        other = started(s, address)
        try:
            other.get("/healthz").expect(200)
            other.stop()
            assert "service manager" in other.server.complaints() or "NOTIFY_SOCKET" in other.server.complaints()
        finally:
            other.server.end()
            other.server.remove()


def test_the_program_can_be_asked_for_health(s):
    port = str(s.server.port)
    assert backups.works(s, "health", flags=("--port", port)) == b"ready\n"
    assert backups.works(s, "health", flags=("--port", port, "--bind", "0.0.0.0", "--insecure")) == b"ready\n"
    backups.refuses(s, "is no address", "health", flags=("--port", port, "--bind", "nowhere.invalid"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        backups.refuses(s, "nobody answers", "health", flags=("--port", str(free.getsockname()[1])))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        backups.refuses(s, "not ready", "health", flags=("--port", str(mute.getsockname()[1])))
