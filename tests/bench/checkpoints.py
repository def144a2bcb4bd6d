"""Saving and restoring: alone, while an optimizer takes steps, and beside torch.save and Redis BGSAVE of the same bytes. Each
function takes run.py's Bench."""

import contextlib
import os
import random
import shutil
import statistics
import tempfile
import threading
import time

import client
import formats
import peers

np = formats.np
COUNT = 200  # variables that are saved
TRAINED, ELEMENTS = 10, 1_000_000  # of them an optimizer changes; Adam has two slots for each
STEPS_BETWEEN = 5  # from one save to the next, about


def total_bytes(bench):
    return (1 << 28) if bench.options.quick else (1 << 30)


def make_model(http, total, count):
    """So many variables of so many bytes together."""
    size = total // count // 4 * 4
    for index in range(count):
        peers.put(http, f"layer{index}/w", "float32", [size // 4], b"\0\0\x80\x3f" * (size // 4))
    return size


def timed(http, method, path, body, status):
    """Milliseconds until the reply is here."""
    began = time.perf_counter()
    http.request(method, peers.MODEL + path, body).expect(status)
    return (time.perf_counter() - began) * 1e3


def show(what, mode, text):
    print(f"{what:34} {mode:14} c=1   {text}", flush=True)


# --- alone -----------------------------------------------------------------------------------------------------------

def quiet(bench, mode):
    """1 GiB in 200 variables, a little of it changed between a save and the restore."""
    total = total_bytes(bench)
    with peers.ours(bench.options, mode) as (_, http):
        make_model(http, total, COUNT)
        timings = {"save": [], "restore": []}
        for k in range(bench.options.rounds * 3):
            timings["save"].append(timed(http, "POST", "/checkpoints", {"name": f"c{k}"}, 201))
            http.request("PUT", f"{peers.MODEL}/variables/layer{k % COUNT}/w:value?slice=0:10", b"\0" * 40,
                         {"Content-Type": "application/octet-stream"}).expect(200)
            timings["restore"].append(timed(http, "POST", f"/checkpoints/c{k}:restore", {}, 200))
        for what, times in timings.items():
            bench.rows.append({"what": f"{what} {total >> 20} MiB in {COUNT} variables", "durability": mode, "ms": times})
            show(f"{what} {total >> 20} MiB, {COUNT} variables", mode,
                 f"median {statistics.median(times):8.2f} ms   worst {max(times):8.2f} ms   (aim: under 10 ms)")


# --- beside steps ----------------------------------------------------------------------------------------------------

class Steps(threading.Thread):
    """A client that takes one step after another: [(begin, end)] of each."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.http = client.Client(server.host, server.port, 600)
        self.taken, self.over, self.failure = [], threading.Event(), None

    def run(self):
        gradient = {"op": "fill", "dims": [ELEMENTS], "value": 0.001}
        body = {"gradients": {f"trained{index}": gradient for index in range(TRAINED)}}
        try:
            while not self.over.is_set():
                began = time.perf_counter()
                self.http.request("POST", f"{peers.MODEL}/optimizers/adam:apply_gradients", body).expect(200)
                self.taken.append((began, time.perf_counter()))
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def wait_for(self, count):
        while len(self.taken) < count and self.failure is None:
            time.sleep(0.002)
        if self.failure is not None:
            raise RuntimeError(f"a step failed: {self.failure}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.http.close()


def beside_steps(bench, mode):
    """Saves while Adam changes some of what is saved, or all of it. A step that ran beside a save may have waited for it; the
    first one that began after it writes what it shares with the checkpoint anew, whether or not there was anything to wait for."""
    changed = 3 * TRAINED * ELEMENTS * 4
    for what, total in ((f"{changed * 100 // total_bytes(bench)} % changes", total_bytes(bench)), ("all changes", changed)):
        with peers.ours(bench.options, mode) as (server, http):
            others = COUNT - 3 * TRAINED
            make_model(http, max(total - changed, others * 4), others)
            for index in range(TRAINED):
                peers.put(http, f"trained{index}", "float32", [ELEMENTS], peers.float32_noise(ELEMENTS))
            http.request("PUT", f"{peers.MODEL}/optimizers/adam", {"type": "adam", "learning_rate": 0.001}).expect(201)
            with Steps(server) as steps, peers.watched(server) as memory:
                steps.wait_for(2 * STEPS_BETWEEN)
                saves, restores = save_and_restore(bench, http, steps)
            report_steps(bench, mode, f"{total >> 20} MiB, {what}", steps.taken[STEPS_BETWEEN:], saves, restores, memory)


def save_and_restore(bench, http, steps):
    """[(begin, end)] of saves and of restores. Two checkpoints are kept, as a saver would."""
    source, saves, restores = random.Random(1), [], []

    def once(found, method, path, body, status):
        steps.wait_for(len(steps.taken) + STEPS_BETWEEN)
        time.sleep(source.random() * 0.1)
        began = time.perf_counter()
        http.request(method, peers.MODEL + path, body).expect(status)
        found.append((began, time.perf_counter()))

    for k in range(12 if bench.options.quick else 40):
        once(saves, "POST", "/checkpoints", {"name": f"c{k}"}, 201)
        if k >= 2:
            once([], "DELETE", f"/checkpoints/c{k - 2}", None, 200)
        if k % 4 == 3:
            once(restores, "POST", f"/checkpoints/c{k}:restore", {}, 200)
    steps.wait_for(len(steps.taken) + 2)
    return saves, restores


def milliseconds(spans):
    return [(end - began) * 1e3 for began, end in spans]


def kinds_of_steps(steps, saves):
    """{kind: milliseconds of each}."""
    found = {"beside a save": [], "first after it": [], "other": []}
    for index, (began, end) in enumerate(steps):
        if any(began < until and since < end for since, until in saves):
            kind = "beside a save"
        elif index > 0 and any(steps[index - 1][0] < until <= began for _, until in saves):
            kind = "first after it"
        else:
            kind = "other"
        found[kind].append((end - began) * 1e3)
    return found


def report_steps(bench, mode, what, steps, saves, restores, memory):
    kinds = kinds_of_steps(steps, saves)
    save, restore = milliseconds(saves), milliseconds(restores)
    bench.rows.append({"what": f"saves beside Adam steps, {what}", "durability": mode, "save_ms": save, "restore_ms": restore,
                       "step_ms": kinds, "memory": memory})
    show(what, mode, f"save median {statistics.median(save):7.2f} worst {max(save):7.2f} ms (aim: under 10)   restore median "
         f"{statistics.median(restore):7.2f} worst {max(restore):7.2f} ms   anonymous memory {memory['RssAnon'] >> 20} MiB")
    for kind, times in kinds.items():
        times.sort()
        if times:
            show(f"  steps {kind}", mode, f"{len(times):4} steps   median {statistics.median(times):7.2f}   p99 "
                 f"{times[len(times) * 99 // 100]:7.2f}   worst {times[-1]:7.2f} ms")
    if kinds["beside a save"] and kinds["other"]:
        show("  delay by a save", mode, f"of the median {difference(kinds, statistics.median):+.2f} ms, of the worst "
             f"{difference(kinds, max):+.2f} ms (aim: under 20)")


def difference(kinds, of):
    return of(kinds["beside a save"]) - of(kinds["other"])


# --- beside peers ----------------------------------------------------------------------------------------------------

def beside_peers(bench, mode):
    """The same bytes in as many tensors: a save of ours, a file of PyTorch's with its sync, a dump of Redis; and back. All of it
    changes between two saves, in every one of them."""
    total = total_bytes(bench)
    found = {}
    with peers.ours(bench.options, mode) as (_, http), tempfile.TemporaryDirectory(prefix="tensorkeep-bench-torch-") as folder, \
            redis_with(bench, total) as port:
        size = make_model(http, total, COUNT)
        state = torch_state(size)
        for k in range(bench.options.rounds):
            found.setdefault("save", []).append(timed(http, "POST", "/checkpoints", {"name": f"c{k}"}, 201))
            found.setdefault("restore", []).append(timed(http, "POST", f"/checkpoints/c{k}:restore", {}, 200))
            if state is not None:
                found.setdefault("torch.save and fsync", []).append(torch_save(state, f"{folder}/state", mode == "commit"))
                found.setdefault("torch.load and copy", []).append(torch_load(state, f"{folder}/state"))
            if port:
                found.setdefault("redis BGSAVE", []).append(redis_save(port))
    bench.rows.append({"what": f"save and restore of {total >> 20} MiB beside peers", "durability": mode, "ms": found})
    for what, times in found.items():
        mine = found["restore" if "load" in what or what == "restore" else "save"]
        ratio = "" if times is mine else f"   {statistics.median(b / a for a, b in zip(mine, times)):8.0f} of ours"
        show(f"{what}, {total >> 20} MiB", mode, f"median {statistics.median(times):9.2f} ms   worst {max(times):9.2f} ms{ratio}")


def torch_state(size):
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: saves have one peer less")
        return None
    return {f"layer{index}/w": torch.ones(size // 4) for index in range(COUNT)}


def torch_save(state, name, sync):
    import torch
    with contextlib.suppress(FileNotFoundError):
        os.remove(name)
    began = time.perf_counter()
    with open(name, "wb") as file:
        torch.save(state, file)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    return (time.perf_counter() - began) * 1e3


def torch_load(state, name):
    import torch
    began = time.perf_counter()
    for key, tensor in torch.load(name).items():
        state[key].copy_(tensor)
    return (time.perf_counter() - began) * 1e3


@contextlib.contextmanager
def redis_with(bench, total):
    """The port of one that has the bytes; None where there is no Redis."""
    if not shutil.which("redis-server"):
        yield None
        return
    with peers.redis_in_memory() as port:
        bench.load("resp", port, COUNT, "SET", "layer@", "-b", str(total // COUNT // 4 * 4), "-n", "1")
        yield port


def redis_save(port):
    """Until the dump is whole, and synced, as Redis always does."""
    began = time.perf_counter()
    peers.redis_ask(port, "BGSAVE")
    while "rdb_bgsave_in_progress:1" in (told := peers.redis_ask(port, "INFO", "persistence")):
        time.sleep(0.002)
    if "rdb_last_bgsave_status:ok" not in told:
        raise RuntimeError("redis did not save")
    return (time.perf_counter() - began) * 1e3
