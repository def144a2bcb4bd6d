#!/usr/bin/python3
"""How fast, beside peers that serve the same bytes in the same minute on the same machine: nginx for reads, Redis and etcd for
writes, PyTorch for steps and saves.

Every row is measured in several rounds, ours and the peer's turn about; the number to look at is the median of the rounds'
ratios, because a shared machine makes single figures wander by a factor of two while ratios hold. The table goes to
standard output, everything to build/bench.json. Nothing here fails because something is slow.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "http"))
sys.dont_write_bytecode = True

import checkpoint_files  # noqa: E402
import checkpoint_growth  # noqa: E402
import checkpoints  # noqa: E402
import client  # noqa: E402
import draws  # noqa: E402
import feed  # noqa: E402
import looks  # noqa: E402
import optimizers  # noqa: E402
import overhead  # noqa: E402
import starts  # noqa: E402
import tasks  # noqa: E402
import tls  # noqa: E402
import updates  # noqa: E402
from peers import MODEL, RAW, SIZES, nginx, ours, payload, put, redis, watched  # noqa: E402

BIG = 64 << 20
MODES = [("commit", "always"), ("interval=1000", "everysec")]


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.load_binary = os.path.join(ROOT, "build", "bench-load")
        compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
        os.makedirs(os.path.dirname(self.load_binary), exist_ok=True)
        subprocess.run([compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", "-o", self.load_binary,
                        os.path.join(HERE, "load.c")], check=True)

    # --- clients: requests per second ---

    def wrk(self, port, path, connections, headers=()):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(self.options.seconds))}s", "--timeout", "60s"]
        for header in headers:
            command += ["-H", header]
        out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
        if re.search(r"Non-2xx or 3xx responses|Socket errors", out):
            raise RuntimeError(f"wrk: {out}")
        return float(re.search(r"Requests/sec:\s+([0-9.]+)", out)[1])

    def load(self, *arguments, **options):
        return self.measured(*arguments, **options)["per_second"]

    def measured(self, protocol, port, connections, method, path, *more, seconds=None):
        """What load.c prints."""
        command = [self.load_binary, protocol, "127.0.0.1", str(port), str(connections),
                   str(seconds or self.options.seconds), method, path, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)

    def read(self, port, path, size, connections, headers=()):
        """wrk where replies are small enough for it to be fair, our own reader for large ones."""
        if size < BIG and shutil.which("wrk"):
            return self.wrk(port, path, connections, headers)
        more = [part for header in headers for part in ("-H", header)]
        return self.load("http", port, connections, "GET", path, *more)

    def worth(self, size, connections):
        """A quick run leaves out many connections with large bodies."""
        return not (self.options.quick and size >= BIG and connections > 1)

    # --- rows ---

    def row(self, what, connections, mode, mine, theirs, peer_name, size=0, rounds=None):
        """Turn about; `theirs` may be None."""
        figures = {"what": what, "connections": connections, "durability": mode, "peer": peer_name if theirs else None,
                   "bytes": size, "ours_per_second": [], "peer_per_second": []}
        for _ in range(rounds or self.options.rounds):
            figures["ours_per_second"].append(mine())
            if theirs:
                figures["peer_per_second"].append(theirs())
        ratios = [a / b for a, b in zip(figures["ours_per_second"], figures["peer_per_second"])]
        figures["ratio"] = statistics.median(ratios) if ratios else None
        figures["ratios"] = ratios
        self.rows.append(figures)
        self.show(figures)

    def show(self, f):
        mine = statistics.median(f["ours_per_second"])
        theirs = statistics.median(f["peer_per_second"]) if f["peer_per_second"] else None
        ratio = f"{f['ratio']:6.2f}x" if f["ratio"] is not None else "      –"
        spread = f"{min(f['ratios']):.2f}–{max(f['ratios']):.2f}" if f["ratios"] else ""
        moved = f"{mine * f['bytes'] / 1e9:6.2f} GB/s" if f["bytes"] >= 1 << 16 else ""
        print(f"{f['what']:34} {f['durability']:14} c={f['connections']:<3} {mine:12.1f}/s {moved:12} "
              f"{f['peer'] or '':22} {'' if theirs is None else f'{theirs:12.1f}/s'} {ratio} {spread}", flush=True)

    def guarded(self, step, *arguments):
        """A part that cannot be measured is reported, and the others go on."""
        try:
            step(*arguments)
        except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as failure:
            print(f"NOT MEASURED {step.__name__}{arguments}: {str(failure)[:600]}", flush=True)
            self.rows.append({"what": step.__name__, "arguments": [str(a) for a in arguments], "failed": str(failure)})

    def reads(self):
        have = shutil.which("nginx") is not None
        with ours(self.options, "commit") as (server, http), (nginx() if have else contextlib.nullcontext()) as port:
            for index, (_, size) in enumerate(SIZES):
                put(http, f"v{index}", "uint8", [size], payload(size))
            for connections in (1, 16):
                for index, (text, size) in enumerate(SIZES):
                    if not self.worth(size, connections):
                        continue
                    path = f"{MODEL}/variables/v{index}:value?format=raw"
                    self.row(f"GET {text} raw", connections, "(read)",
                             lambda p=path, n=size, c=connections: self.read(server.port, p, n, c),
                             (lambda i=index, n=size, c=connections: self.read(port, f"/v{i}", n, c)) if have else None,
                             "nginx file", size)
                mine = http.request("GET", f"{MODEL}/variables/v1:value?format=raw").etag
                theirs = client.Client("127.0.0.1", port).request("GET", "/v1").etag if have else None
                self.row("GET If-None-Match (304)", connections, "(read)",
                         lambda c=connections: self.read(server.port, f"{MODEL}/variables/v1:value?format=raw", 0, c,
                                                         [f"If-None-Match: {mine}"]),
                         (lambda c=connections: self.read(port, "/v1", 0, c, [f"If-None-Match: {theirs}"])) if have else None,
                         "nginx file")

    def redis_set(self, fsync, size, connections):
        with redis(fsync) as port:
            # The first write of a key allocates; ours have been written once too.
            self.load("resp", port, connections, "SET", "k@", "-b", str(size), "-n", "1")
            return self.load("resp", port, connections, "SET", "k@", "-b", str(size))

    def puts(self, mode, fsync):
        have = shutil.which("redis-server") is not None
        with ours(self.options, mode) as (server, http):
            for connections in (1, 16):
                for text, size in (SIZES[2], SIZES[3]):
                    if not self.worth(size, connections):
                        continue
                    for index in range(connections):
                        put(http, f"w{index}", "float32", [size // 4], payload(size))
                    self.row(f"PUT {text} raw", connections, mode,
                             lambda n=size, c=connections: self.load("http", server.port, c, "PUT", f"{MODEL}/variables/w@:value",
                                                                     "-H", RAW, "-b", str(n)),
                             (lambda n=size, c=connections: self.redis_set(fsync, n, c)) if have else None,
                             f"redis SET {fsync}", size)
                    for index in range(connections):
                        http.request("DELETE", f"{MODEL}/variables/w{index}")

    def adds(self, mode, fsync):
        """Adding a stored variable to another (no bytes in the request), and adding bytes that come with the request."""
        have = shutil.which("redis-server") is not None
        with ours(self.options, mode) as (server, http), tempfile.TemporaryDirectory() as folder:
            for text, size in SIZES[1:]:
                put(http, "delta", "float32", [size // 4], payload(size))
                body = self.add_body(folder, size)
                for connections in (1, 16):
                    if not self.worth(size, connections):
                        continue
                    for index in range(connections):
                        put(http, f"w{index}", "float32", [size // 4], payload(size))
                    peer_row = (lambda n=size, c=connections: self.redis_set(fsync, n, c)) if have else None
                    path = f"{MODEL}/variables/w@:assign_add"
                    with open(f"{folder}/stored", "w", encoding="ascii") as file:
                        file.write('{"value": {"variable": "delta"}}')
                    self.row(f"assign_add {text}, stored delta", connections, mode,
                             lambda c=connections, p=path: self.load("http", server.port, c, "POST", p, "-f", f"{folder}/stored"),
                             peer_row, f"redis SET {fsync}", size)
                    if body and not self.options.quick:
                        self.row(f"assign_add {text}, base64 body", connections, mode,
                                 lambda c=connections, p=path: self.load("http", server.port, c, "POST", p, "-f", body),
                                 peer_row, f"redis SET {fsync}", size)
                    for index in range(connections):
                        http.request("DELETE", f"{MODEL}/variables/w{index}")
                http.request("DELETE", f"{MODEL}/variables/delta")

    @staticmethod
    def add_body(folder, size):
        """The file with the JSON body; None where a body of that size is over the default limit."""
        if size > 16 << 20:
            return None
        path = f"{folder}/base64-{size}"
        with open(path, "w", encoding="ascii") as file:
            json.dump({"value": {"dtype": "float32", "shape": [size // 4],
                                 "base64": base64.b64encode(payload(size)).decode()}}, file)
        return path

    def memory(self):
        """A large variable streamed in and out: how much memory beyond the mapped file."""
        size = (4 << 30) if not self.options.quick else (1 << 30)
        with ours(self.options, "commit") as (server, http):
            http.request("POST", f"{MODEL}/variables", {"name": "huge", "dtype": "uint8", "shape": [size]}).expect(201)
            timings = {}
            with watched(server) as peaks:
                for what, more in (("write", ["PUT", f"{MODEL}/variables/huge:value", "-H", RAW, "-b", str(size)]),
                                   ("overwrite", ["PUT", f"{MODEL}/variables/huge:value", "-H", RAW, "-b", str(size)]),
                                   ("read", ["GET", f"{MODEL}/variables/huge:value?format=raw"])):
                    began = time.monotonic()
                    self.load("http", server.port, 1, *more, "-n", "1", seconds=1)
                    timings[what] = time.monotonic() - began
            beyond = peaks["RssAnon"] - peaks["before"]["RssAnon"]
            self.rows.append({"what": "memory", "bytes": size, "peaks": peaks, "seconds": timings})
            rates = ", ".join(f"{what} {size / seconds / 1e9:.2f} GB/s" for what, seconds in timings.items())
            print(f"{f'{size >> 30} GiB variable':34} {'commit':14} c=1   beyond the map: {peaks['RssAnon'] >> 20} MiB "
                  f"({beyond >> 20} MiB more than idle; aim: under 200 MB); with mapped pages {peaks['VmRSS'] >> 20} MiB; {rates}",
                  flush=True)

    def random(self):
        """Seeded draws; the program is built by `make bench`."""
        self.rows += draws.run(os.path.join(ROOT, "build", "release", "tests", "bench", "draws"), self.options.rounds)

    def optimizers(self):
        """Steps in memory; the program is built by `make bench`."""
        self.rows += optimizers.run(os.path.join(ROOT, "build", "release", "tests", "bench", "optimizers"), self.options.rounds)

    def stats(self):
        looks.stats(self)

    def counts(self, mode, fsync):
        updates.counts(self, mode, fsync)

    def sparse(self, mode):
        updates.sparse(self, mode)

    def steps(self, mode):
        updates.steps(self, mode)

    def checkpoints(self, mode):
        checkpoints.quiet(self, mode)

    def checkpoints_beside_steps(self, mode):
        checkpoints.beside_steps(self, mode)

    def checkpoints_beside_peers(self, mode):
        checkpoints.beside_peers(self, mode)

    def feed_idle(self):
        feed.idle(self)

    def feed_requests(self):
        feed.requests(self)

    def checkpoints_exported(self):
        checkpoint_files.exported(self)

    def checkpoints_imported(self, mode):
        checkpoint_files.imported(self, mode)

    def checkpoints_grown(self, mode):
        checkpoint_growth.grown(self, mode)

    def tasks(self):
        tasks.run(self)

    def tls(self):
        tls.run(self)

    def starts(self):
        starts.run(self)

    def overhead(self):
        overhead.watched_over(self)

    def run(self):
        parts = [(self.reads,)] + [(part, *mode) for part in (self.puts, self.adds, self.counts) for mode in MODES]
        parts += [(part, mode) for part in (self.sparse, self.steps, self.checkpoints, self.checkpoints_beside_steps,
                                               self.checkpoints_beside_peers, self.checkpoints_imported, self.checkpoints_grown)
                  for mode, _ in MODES]
        parts += [(self.checkpoints_exported,), (self.tls,), (self.overhead,), (self.starts,), (self.memory,), (self.tasks,),
                  (self.stats,), (self.random,), (self.optimizers,), (self.feed_idle,),
                  (self.feed_requests,)]
        for part in parts:
            if not self.options.only or self.options.only in part[0].__name__:
                self.guarded(*part)


def versions(options):
    found = {}
    for name, command in (("tensorkeep", [os.path.abspath(options.server), "--version"]), ("nginx", ["nginx", "-v"]),
                          ("redis", ["redis-server", "--version"]), ("etcd", ["etcd", "--version"]),
                          ("wrk", ["wrk", "-v"]), ("kernel", ["uname", "-r"])):
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            found[name] = (done.stdout + done.stderr).strip().split("\n")[0]
        else:
            print(f"{name} is not installed: rows beside it have no ratio")
    return found


def main():
    parser = argparse.ArgumentParser(description="how fast, beside nginx, Redis, etcd and PyTorch")
    parser.add_argument("--server", default="build/tensorkeep")
    parser.add_argument("--quick", action="store_true", help="about two minutes, less trustworthy")
    parser.add_argument("--rounds", type=int, help="turns per row")
    parser.add_argument("--seconds", type=float, help="of load per turn")
    parser.add_argument("--only", default="", metavar="PART",
                        help="what its name holds: reads, puts, adds, counts, sparse, steps, checkpoints (all, or as "
                             "checkpoints_exported), tls, overhead, starts, memory, tasks, stats, random or optimizers")
    parser.add_argument("--baseline", metavar="SERVER", help="another build, which overhead is also measured beside")
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "bench.json"))
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.7 if options.quick else 2)
    bench = Bench(options)
    about = {"versions": versions(options), "cores": os.cpu_count(), "rounds": options.rounds, "seconds": options.seconds}
    print(", ".join(f"{name}: {text}" for name, text in about["versions"].items()))
    print(f"{os.cpu_count()} cores, {options.rounds} rounds of {options.seconds} s; ratio: ours to the peer's, median and range")
    began = time.monotonic()
    bench.run()
    about.update(rows=bench.rows, took_seconds=time.monotonic() - began)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(about, file, indent=1)
    print(f"{about['took_seconds']:.0f} s; all figures in {os.path.relpath(options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
