"""Many checkpoints of a model that changes a little between them: what each costs on the disk beside the bytes that changed, how
long saves and deletes take as they get many, and whether what deletes free is used again. Each function takes run.py's Bench."""

import os
import random
import statistics
import time

import checkpoints
import formats
import peers

np = formats.np
SHARE = 100  # one part of so many changes between two saves
SETTLE_SECONDS = 2  # what deletes free is cleared away a little later
RAW = {"Content-Type": "application/octet-stream"}


class Rows:
    """Random rows of one table, all of it laid out for that."""

    def __init__(self, total, columns, saves):
        self.what = f"rows of {4 * columns} bytes"
        self.count, self.columns, self.saves = total // 4 // columns, columns, saves

    def make(self, http):
        http.request("POST", f"{peers.MODEL}/variables", {"name": "table", "row_updates": True, "dtype": "float32", "shape": [
            self.count, self.columns]}).expect(201)
        http.request("PUT", f"{peers.MODEL}/variables/table:value", bytes(4 * self.count * self.columns), RAW).expect(200)

    def change(self, http, source, number):
        rows = source.sample(range(self.count), self.count // SHARE)
        http.request("POST", f"{peers.MODEL}/variables/table:scatter_update", {"indices": rows, "updates": {
            "op": "fill", "dims": [len(rows), self.columns], "value": float(number)}}).expect(200)
        return 4 * len(rows) * self.columns


class Slice:
    """A run of one variable, anywhere."""

    def __init__(self, total, saves):
        self.what, self.count, self.saves = "a slice", total // 4, saves

    def make(self, http):
        peers.put(http, "w", "float32", [self.count], bytes(4 * self.count))

    def change(self, http, source, number):
        count = self.count // SHARE
        at = source.randrange(self.count - count)
        http.request("PUT", f"{peers.MODEL}/variables/w:value?slice={at}:{at + count}",
                     np.full(count, number, "<f4").tobytes(), RAW).expect(200)
        return 4 * count


class Whole:
    """Some of many variables, each as a whole."""

    def __init__(self, total, count, saves):
        self.each, self.count, self.saves = total // count // 4, count, saves
        self.what = f"variables of {self.each * 4 >> 10} KiB"

    def make(self, http):
        for index in range(self.count):
            peers.put(http, f"layer{index}/w", "float32", [self.each], bytes(4 * self.each))

    def change(self, http, source, number):
        data = np.full(self.each, number, "<f4").tobytes()
        body, headers = peers.safetensors_body({f"layer{index}/w": data for index in source.sample(
            range(self.count), self.count // SHARE)})
        http.request("PUT", f"{peers.MODEL}/values", body, headers).expect(200)
        return len(data) * (self.count // SHARE)


def file_bytes(server):
    """What the store takes of the disk."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(server.data) for name in names)


def save_many(http, server, kind, source, first, count):
    """(bytes changed, milliseconds of each change, of each save, growth)."""
    changed, changes, saves, before = 0, [], [], file_bytes(server)
    for number in range(first, first + count):
        began = time.perf_counter()
        changed += kind.change(http, source, number)
        changes.append((time.perf_counter() - began) * 1e3)
        saves.append(checkpoints.timed(http, "POST", "/checkpoints", {"name": f"c{number}"}, 201))
    return changed, changes, saves, file_bytes(server) - before


def delete_many(http, first, last):
    return [checkpoints.timed(http, "DELETE", f"/checkpoints/c{number}", None, 200) for number in range(first, last)]


def grown(bench, mode):
    """1 000 checkpoints with 1 % between them; fewer where rows are far smaller than the chunks they lie in."""
    total, saves = ((1 << 26), 100) if bench.options.quick else ((1 << 28), 1000)
    for kind in (Whole(total, 1000, saves), Slice(total, saves), Rows(total, 4096, saves), Rows(total // 4, 64, saves // 10)):
        with peers.ours(bench.options, mode) as (server, http):
            grown_of(bench, mode, kind, http, server, total)


def ends(times):
    """The first and the last of them."""
    few = max(1, len(times) // 50)
    return f"{statistics.median(times[:few]):.2f} to {statistics.median(times[-few:]):.2f} (worst {max(times):.2f})"


def grown_of(bench, mode, kind, http, server, total):
    source, saves = random.Random(1), kind.saves
    kind.make(http)
    http.request("POST", f"{peers.MODEL}/checkpoints", {"name": "c0"}).expect(201)
    kind.change(http, source, 0)  # makes room for what is shared from now on
    changed, changes, times, growth = save_many(http, server, kind, source, 1, saves)
    whole = file_bytes(server)
    deletes = delete_many(http, 0, saves)
    time.sleep(SETTLE_SECONDS)
    kept = file_bytes(server)
    again_changed, _, again_times, again = save_many(http, server, kind, source, saves + 1, max(1, saves // 2))
    bench.rows.append({"what": f"growth, {kind.what}", "durability": mode, "bytes": total, "saves": saves,
                       "changed_bytes": changed, "growth_bytes": growth, "ratio": growth / changed,
                       "change_ms": changes, "save_ms": times,
                       "delete_ms": deletes, "file_bytes": [whole, kept], "again": [again_changed, again, again_times],
                       "anonymous_memory": server.memory()["RssAnon"]})
    checkpoints.show(f"{saves} checkpoints, {kind.what}", mode, f"{growth >> 20} MiB more for {changed >> 20} MiB changed, "
                     f"{growth / changed:.3f} (aim: at most 1.2)")
    checkpoints.show("", mode, f"ms, first to last: save {ends(times)}   change {ends(changes)}   delete {ends(deletes)}")
    checkpoints.show("", mode, f"files {whole >> 20} MiB, {kept >> 20} after deletes; {again >> 20} MiB more for "
                     f"{again_changed >> 20} MiB changed after them; anonymous memory {server.memory()['RssAnon'] >> 20} MiB")
