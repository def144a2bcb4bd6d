"""Change feeds: what listeners cost when nothing happens, and what they cost others when something does."""

import contextlib
import os
import selectors
import socket
import statistics
import subprocess
import threading
import time

import client
import session
from peers import MODEL, payload, put

LISTENERS = (0, 100, 1000)
PATH = f"{MODEL}/changes?feed=eventsource"
IDLE_S = 20


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Listeners:
    """So many open feeds, read by one thread as fast as they come."""

    def __init__(self, server, count):
        self.sockets, self.bytes, self.stopped = [], 0, False
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            made = socket.create_connection((server.host, server.port), 30)
            made.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert made.recv(4096).startswith(b"HTTP/1.1 200")
            made.setblocking(False)
            self.selector.register(made, selectors.EVENT_READ)
            self.sockets.append(made)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.stopped:
            for key, _ in self.selector.select(0.2):
                with contextlib.suppress(BlockingIOError):
                    piece = key.fileobj.recv(1 << 16)
                    self.bytes += len(piece)
                    assert piece, "a feed has ended"

    def close(self):
        self.stopped = True
        self.thread.join()
        for each in self.sockets:
            each.close()


@contextlib.contextmanager
def listening(server, count):
    listeners = Listeners(server, count)
    try:
        yield listeners
    finally:
        listeners.close()


@contextlib.contextmanager
def started(options):
    server = session.Server(os.path.abspath(options.server), ["--subscribers-max", "2000"])
    try:
        server.start()
        http = client.Client(server.host, server.port, 600)
        http.request("PUT", MODEL, {}).expect(201)
        put(http, "w0", "float32", [16], payload(64))
        yield server, http
        http.close()
        server.stop()
    finally:
        server.end()
        server.remove()


def idle(bench):
    """Memory and processor time of listeners that nothing happens to."""
    with started(bench.options) as (server, _):
        time.sleep(1)
        before = server.memory()
        with listening(server, 1000):
            time.sleep(2)
            cpu, began = cpu_s(server.process.pid), time.monotonic()
            time.sleep(IDLE_S)
            share = (cpu_s(server.process.pid) - cpu) / (time.monotonic() - began)
            after = server.memory()
        grown = after["RssAnon"] - before["RssAnon"]
        bench.rows.append({"what": "1000 idle listeners", "core": share, "bytes": grown})
        print(f"{'1000 idle listeners':34} {share * 100:.2f} % of a core (aim: under 2); "
              f"{grown / 1e6:.1f} MB more (aim: under 50)", flush=True)


def requests(bench):
    """Reads and updates of one variable while so many listen; each update is told to all of them."""
    with started(bench.options) as (server, _):
        body = os.path.join(server.root, "body")
        with open(body, "w", encoding="ascii") as file:
            file.write('{"value": [' + ", ".join(["1"] * 16) + "]}")
        asked = (("GET 64 B raw", ("GET", f"{MODEL}/variables/w0:value?format=raw"), False),
                 ("GET 64 B raw, beside updates", ("GET", f"{MODEL}/variables/w0:value?format=raw"), True),
                 ("assign_add 64 B", ("POST", f"{MODEL}/variables/w0:assign_add", "-f", body), False))
        seen = {}
        for _ in range(bench.options.rounds):
            for count in LISTENERS:
                with listening(server, count):
                    for what, arguments, beside in asked:
                        with updating(bench, server, body) if beside else contextlib.nullcontext():
                            seen.setdefault((what, count), []).append(bench.measured("http", server.port, 4, *arguments))
        for (what, count), found in seen.items():
            middle = {key: statistics.median(f[key] for f in found) for key in ("per_second", "p50_ms", "p99_ms")}
            base = {key: statistics.median(f[key] for f in seen[what, 0]) for key in ("p50_ms", "p99_ms")}
            bench.rows.append({"what": what, "listeners": count, **middle})
            print(f"{what:34} {count:5} listeners c=4   {middle['per_second']:10.1f}/s   p50 {middle['p50_ms']:7.3f} ms   "
                  f"p99 {middle['p99_ms']:7.3f} ms ({middle['p99_ms'] / base['p99_ms']:.2f}x)", flush=True)


@contextlib.contextmanager
def updating(bench, server, body):
    command = [bench.load_binary, "http", server.host, str(server.port), "1", "600", "POST",
               f"{MODEL}/variables/w0:assign_add", "-f", body]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=session.die_with_parent)
    try:
        yield
    finally:
        process.kill()
        process.wait()
