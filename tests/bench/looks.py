"""Looking at a value over HTTP, :stats, :preview and :histograms of 10 million float32, beside memory and NumPy that has the
array already. Each of our rounds writes one element first, so that nothing is remembered. Takes run.py's Bench."""

import time

import peers
from formats import np

COUNT, ROWS, COLUMNS, CELLS = 10_000_000, 2500, 4000, 250
SAMPLE = 65536


def rate(work):
    began = time.perf_counter()
    work()
    return 1 / (time.perf_counter() - began)


def statistics_of(array):
    """The same numbers, less the counts and the l1 norm."""
    for take in (np.min, np.max, np.mean, np.std, np.linalg.norm):
        take(array)
    np.percentile(array[::COUNT // SAMPLE], (1, 5, 25, 50, 75, 95, 99))


def stats(bench):
    if np is None:
        raise RuntimeError("NumPy is not installed")
    data = peers.float32_noise(COUNT)
    array, copy = np.frombuffer(data, "<f4"), np.empty(COUNT, "<f4")
    table = array.reshape(ROWS, COLUMNS)
    with peers.ours(bench.options, "commit") as (_, http):
        peers.put(http, "w", "float32", [ROWS, COLUMNS], data)
        path = f"{peers.MODEL}/variables/w"

        def ours(query, fresh=True):
            if fresh:
                http.request("PUT", f"{path}:value?slice=0,0", data[:4], {"Content-Type": "application/octet-stream"}).expect(200)
            return rate(lambda: http.request("GET", path + query).expect(200))

        size = COUNT * 4
        blocks = table.reshape(CELLS, ROWS // CELLS, CELLS, COLUMNS // CELLS)
        for what, query, fresh, peer, name in (
                ("stats", ":stats", True, lambda: np.copyto(copy, array), "memory, one copy"),
                ("stats", ":stats", True, lambda: statistics_of(array), "NumPy"),
                ("stats, remembered", ":stats", False, None, None),
                ("preview 250 x 250, mean", f":preview?height={CELLS}&width={CELLS}", True, lambda: blocks.mean(axis=(1, 3)), "NumPy"),
                ("preview 250 x 250, nearest", f":preview?height={CELLS}&width={CELLS}&reduce=nearest", True, None, None),
                ("histograms, 64 bins", ":histograms?range=robust", True, lambda: np.histogram(array, 64), "NumPy, one histogram")):
            bench.row(f"{what} of 10 M float32", 1, "(read)", lambda q=query, f=fresh: ours(q, f),
                      (lambda p=peer: rate(p)) if peer else None, name, size if fresh else 0)
