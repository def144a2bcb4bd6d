"""How long a start takes with much in the store, beside one with nothing in it; and writes beside a backup of that store, beside
writes alone. Takes run.py's Bench."""

import contextlib
import subprocess
import time

import client
import session
from peers import MODEL, payload, put

EACH = 256 << 20
TOTAL, TOTAL_QUICK = 10 << 30, 1 << 30


@contextlib.contextmanager
def server_of(bench, *flags):
    server = session.Server(bench.options.server, flags)
    try:
        yield server
    finally:
        server.end()
        server.remove()


def fill(server, total):
    """So many bytes in values of EACH, and a small one."""
    server.start()
    http = client.Client(server.host, server.port, 600)
    http.request("PUT", MODEL, {}).expect(201)
    for index in range(total // EACH):
        put(http, f"w{index}", "uint8", [EACH], payload(EACH))
    put(http, "small", "uint8", [64], payload(64))
    http.close()
    server.stop()


def start(server, end):
    """Starts a second, until it says that it serves."""
    began = time.monotonic()
    server.start()
    took = time.monotonic() - began
    end()
    return 1 / took


def assigns(server, seconds):
    """Writes of 64 bytes a second, one after the other."""
    http, count, began = client.Client(server.host, server.port, 600), 0, time.monotonic()
    while time.monotonic() - began < seconds:
        http.request("PUT", f"{MODEL}/variables/small:value", payload(64), {"Content-Type": "application/octet-stream"}).expect(200)
        count += 1
    http.close()
    return count / (time.monotonic() - began)


def assigns_beside_backup(server, seconds):
    backup = subprocess.Popen(["curl", "-sS", "-o", "/dev/null", f"http://127.0.0.1:{server.port}/v1/backup"],
                              preexec_fn=session.die_with_parent)
    try:
        return assigns(server, seconds)
    finally:
        backup.kill()
        backup.wait()


def run(bench):
    total = TOTAL_QUICK if bench.options.quick else TOTAL
    text = f"{total >> 30} GiB"
    with server_of(bench) as full, server_of(bench) as empty:
        fill(full, total)
        for what, end in (("a stop", session.Server.stop), ("a kill", session.Server.kill9)):
            start(full, lambda e=end: e(full))
            start(empty, lambda e=end: e(empty))
            bench.row(f"start with {text}, after {what}", 1, "commit", lambda e=end: start(full, lambda: e(full)),
                      lambda e=end: start(empty, lambda: e(empty)), "itself, empty")
        full.start()
        bench.row(f"PUT 64 B beside a backup of {text}", 1, "commit", lambda: assigns_beside_backup(full, bench.options.seconds),
                  lambda: assigns(full, bench.options.seconds), "itself, alone", 64)
        full.stop()
