"""Updates over HTTP: counters and compare-and-set beside Redis and etcd, rows of a table beside those of one ten times as large,
and steps of optimizers beside PyTorch's kernel with a write of the same state. Each function takes run.py's Bench."""

import contextlib
import json
import os
import random
import shutil
import statistics
import tempfile
import time

import peers

JSON = "Content-Type: application/json"
CONNECTIONS = (1, 16, 64)
COLUMNS, ROWS = 64, 1000  # of an embedding; of it in one update
COUNT = 10_000_000  # elements of the variable that optimizers change
# A step writes the variable and the slots of its optimizer.
WRITTEN = {"gradient_descent": 1, "momentum": 2, "adam": 3}
# A transaction of etcd that compares, and puts. Its condition always holds: it never has to be tried again.
ETCD_SWAP = {"compare": [{"key": "aw==", "target": "VERSION", "result": "GREATER", "version": "-1"}],
             "success": [{"request_put": {"key": "aw==", "value": "MTIzNDU2Nzg="}}]}


# --- counters --------------------------------------------------------------------------------------------------------

def counts(bench, mode, fsync):
    """One counter that all connections add to, and values that are set only if they are what was seen last."""
    redis = shutil.which("redis-server") is not None
    etcd = shutil.which("etcd") is not None and fsync == "always"
    with peers.ours(bench.options, mode) as (server, http), tempfile.TemporaryDirectory() as folder:
        for name in ["global_step", *(f"own{index}" for index in range(max(CONNECTIONS)))]:
            peers.put(http, name, "int64", [], bytes(8))
        one, swap = f"{folder}/one", f"{folder}/swap"
        write_json(one, {"value": 1})
        write_json(swap, ETCD_SWAP)
        for connections in CONNECTIONS:
            bench.row("global_step assign_add", connections, mode,
                      lambda c=connections: bench.load("http", server.port, c, "POST", path("global_step:assign_add"), "-f", one,
                                                       "-H", JSON),
                      (lambda c=connections: redis_load(bench, fsync, c, "INCR", "global_step")) if redis else None,
                      f"redis INCR {fsync}")
        for connections in CONNECTIONS:
            ours = lambda c=connections, key="own@": bench.load(  # noqa: E731
                "http", server.port, c, "PUT", path(f"{key}:value"), "-b", "8", "-m", "-H", peers.RAW)
            bench.row("If-Match PUT, a key each", connections, mode, ours,
                      (lambda c=connections: redis_load(bench, fsync, c, "SET", "own@", "-b", "8")) if redis else None,
                      f"redis SET {fsync}")
            if etcd:
                bench.row("If-Match PUT, a key each", connections, mode, ours,
                          lambda c=connections: etcd_load(bench, c, swap), "etcd txn, one key")
            bench.row("If-Match PUT, one key, winners", connections, mode, lambda f=ours: f(key="global_step"), None, None)


def redis_load(bench, fsync, connections, *command):
    with peers.redis(fsync) as port:
        return bench.load("resp", port, connections, *command)


def etcd_load(bench, connections, file):
    with peers.etcd() as port:
        return bench.load("http", port, connections, "POST", "/v3/kv/txn", "-f", file, "-H", JSON)


def path(name):
    return f"{peers.MODEL}/variables/{name}"


def write_json(name, value):
    with open(name, "w", encoding="ascii") as file:
        json.dump(value, file)


# --- rows ------------------------------------------------------------------------------------------------------------

def sparse(bench, mode):
    """Random rows of a table and of one ten times as large, turn about: the cost should be that of the rows."""
    small = 100_000 if bench.options.quick else 1_000_000
    sizes, turns, source = (small, 10 * small), 5 if bench.options.quick else 20, random.Random(1)
    with peers.ours(bench.options, mode) as (_, http):
        http.request("PUT", f"{peers.MODEL}/optimizers/adagrad", {"type": "adagrad", "learning_rate": 0.01}).expect(201)
        for size in sizes:
            http.request("POST", f"{peers.MODEL}/variables", {"name": f"table{size}", "row_updates": True, "initial_value": {
                "op": "ones", "shape": [size, COLUMNS]}}).expect(201)
        http.request("POST", f"{peers.MODEL}:initialize", {}).expect(200)
        for what, request in (("scatter_add", scatter_rows), ("sparse adagrad", adagrad_rows)):
            for size in sizes:
                timed(http, *request(size, [0]))  # makes slots
            seconds = {size: [] for size in sizes}
            for _ in range(turns):
                for size in sizes:
                    seconds[size].append(timed(http, *request(size, [source.randrange(size) for _ in range(ROWS)])))
            ratios = [b / a for a, b in zip(*seconds.values())]
            row = {"what": f"{what} of {ROWS} rows", "durability": mode, "rows": sizes, "columns": COLUMNS,
                   "ms": {size: [s * 1e3 for s in found] for size, found in seconds.items()},
                   "ratio": statistics.median(seconds[sizes[1]]) / statistics.median(seconds[sizes[0]]), "ratios": ratios}
            bench.rows.append(row)
            each = ", ".join(f"{size} rows {statistics.median(found) * 1e3:7.2f} ms" for size, found in seconds.items())
            print(f"{row['what']:34} {mode:14} c=1   {each}   ratio {row['ratio']:.2f} (aim: at most 1.2)", flush=True)


def scatter_rows(size, rows):
    return path(f"table{size}:scatter_add"), {"indices": rows, "updates": ones(len(rows))}


def adagrad_rows(size, rows):
    return f"{peers.MODEL}/optimizers/adagrad:apply_gradients", {"gradients": {f"table{size}": {
        "indices": rows, "values": ones(len(rows))}}}


def ones(rows):
    return {"op": "ones", "shape": [rows, COLUMNS]}


def timed(http, where, body, headers=None):
    """Seconds until the reply is here."""
    if isinstance(body, dict):
        body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    began = time.perf_counter()
    http.request("POST", where, body, headers).expect(200)
    return time.perf_counter() - began


# --- steps -----------------------------------------------------------------------------------------------------------

def steps(bench, mode):
    """A step over 10 million float32, the gradient stored, or sent along; beside PyTorch's own step in process and one write of
    the state that it leaves, synced where ours is."""
    torch_steps = torch_kernels()
    turns = bench.options.rounds if bench.options.quick else 3 * bench.options.rounds
    bandwidth = copy_bandwidth()
    with peers.ours(bench.options, mode) as (_, http), tempfile.TemporaryDirectory(prefix="tensorkeep-bench-state-") as folder:
        gradient = peers.float32_noise(COUNT)
        peers.put(http, "g", "float32", [COUNT], gradient)
        for kind, written in WRITTEN.items():
            more = {"momentum": 0.9} if kind == "momentum" else {}
            http.request("PUT", f"{peers.MODEL}/optimizers/{kind}", {"type": kind, "learning_rate": 0.001, **more}).expect(201)
            peers.put(http, f"w_{kind}", "float32", [COUNT], gradient)
            where = f"{peers.MODEL}/optimizers/{kind}:apply_gradients"
            forms = {"stored gradient": ({"gradients": {f"w_{kind}": {"variable": "g"}}}, None),
                     "safetensors gradient": peers.safetensors_body({f"w_{kind}": gradient})}
            for form, (body, headers) in forms.items():
                timed(http, where, body, headers)  # makes slots
                found = {"ours": [], "torch": [], "write": []}
                for _ in range(turns):
                    found["ours"].append(timed(http, where, body, headers))
                    found["torch"].append(torch_steps[kind]() if torch_steps else None)
                    found["write"].append(write_state(folder, gradient, written, mode == "commit"))
                show_step(bench, kind, form, mode, found, 4 * COUNT * written, bandwidth)
            http.request("DELETE", path(f"w_{kind}"))


def show_step(bench, kind, form, mode, found, written, bandwidth):
    """ours, and what PyTorch and the file take together."""
    mine = statistics.median(found["ours"])
    row = {"what": f"{kind} step, {form}", "durability": mode, "bytes_written": written, "memory_bytes_per_second": bandwidth,
           "bytes_per_second": written / mine, **{f"{name}_seconds": seconds for name, seconds in found.items()}}
    text = (f"{row['what']:34} {mode:14} c=1   {mine * 1e3:8.2f} ms  {written / mine / 1e9:5.2f} GB/s of {bandwidth / 1e9:.1f} "
            "in memory")
    if found["torch"][0] is not None:
        peer = [a + b for a, b in zip(found["torch"], found["write"])]
        row["ratio"] = statistics.median(a / b for a, b in zip(found["ours"], peer))
        text += (f"   torch {statistics.median(found['torch']) * 1e3:.2f} + write {statistics.median(found['write']) * 1e3:.2f} ms"
                 f"   ratio {row['ratio']:.2f} (aim: at most 1.2)")
    bench.rows.append(row)
    print(text, flush=True)


def torch_kernels():
    """{kind: function that takes a step and says how many seconds it took}; nothing without PyTorch."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: steps have no peer")
        return {}
    torch.set_num_threads(os.cpu_count())
    kinds = {"gradient_descent": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": 0.9}),
             "adam": (torch.optim.Adam, {})}

    def kernel(kind, hyper):
        parameter = torch.nn.Parameter(torch.rand(COUNT))
        parameter.grad = torch.rand(COUNT)
        optimizer = kind([parameter], lr=0.001, **hyper)
        optimizer.step()  # makes its state

        def step():
            began = time.perf_counter()
            optimizer.step()
            return time.perf_counter() - began

        return step

    return {name: kernel(*kind) for name, kind in kinds.items()}


def write_state(folder, data, times, sync):
    """Seconds for a new file of that much, and its sync."""
    name = f"{folder}/state"
    with contextlib.suppress(FileNotFoundError):
        os.remove(name)
    began = time.perf_counter()
    file = os.open(name, os.O_WRONLY | os.O_CREAT)
    for _ in range(times):
        view = memoryview(data)
        while view:
            view = view[os.write(file, view):]
    if sync:
        os.fsync(file)
    os.close(file)
    return time.perf_counter() - began


def copy_bandwidth():
    """Bytes read and written per second by a copy of as much."""
    source, target, best = bytearray(4 * COUNT), bytearray(4 * COUNT), float("inf")
    for _ in range(8):
        began = time.perf_counter()
        target[:] = source
        best = min(best, time.perf_counter() - began)
    return 2 * 4 * COUNT / best
