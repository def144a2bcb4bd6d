"""Random numbers beside NumPy and PyTorch: 10 million float32 into memory that is there already, turn about."""

import json
import statistics
import subprocess
import time

COUNT = 10_000_000
TURNS = 3  # of each draw in a round; the best counts
OPS = ("random_uniform", "random_normal", "truncated_normal")


def best(draw):
    rates = []
    for _ in range(TURNS):
        began = time.perf_counter()
        draw()
        rates.append(COUNT / (time.perf_counter() - began))
    return max(rates)


def numpy_draws():
    """Generator(Philox); it has no truncated normal."""
    try:
        import numpy as np
    except ImportError:
        return {}
    generator, out = np.random.Generator(np.random.Philox(1)), np.ones(COUNT, np.float32)
    return {("random_uniform", "numpy Philox"): lambda: generator.random(out=out, dtype=np.float32),
            ("random_normal", "numpy Philox"): lambda: generator.standard_normal(out=out, dtype=np.float32)}


def torch_draws():
    """On one thread and on two."""
    try:
        import torch
    except ImportError:
        return {}
    out, found = torch.ones(COUNT), {}

    def on(threads, draw):
        def run():
            torch.set_num_threads(threads)
            draw()
        return run

    for threads in (1, 2):
        name = f"torch, {threads} thread{'s' * (threads > 1)}"
        found["random_uniform", name] = on(threads, out.uniform_)
        found["random_normal", name] = on(threads, out.normal_)
        found["truncated_normal", name] = on(threads, lambda: torch.nn.init.trunc_normal_(out))
    return found


def run(binary, rounds):
    """Rows of {what, path, peer, ours_per_second, peer_per_second, ratio}, printed as they come to be."""
    peers, ours, theirs = {**numpy_draws(), **torch_draws()}, [], []
    for _ in range(rounds):
        done = subprocess.run([binary, str(TURNS)], capture_output=True, text=True, check=True)
        ours.append(json.loads(done.stdout))
        theirs.append({key: best(draw) for key, draw in peers.items()})
    rows = []
    for op in OPS:
        for path in ours[0][op]:
            mine = [turn[op][path] for turn in ours]
            rows.append({"what": op, "path": path, "ours_per_second": mine})
            ratios = {}
            for peer in (name for key, name in peers if key == op):
                ratios[peer] = [a / turn[op, peer] for a, turn in zip(mine, theirs)]
                rows.append({"what": op, "path": path, "peer": peer, "ours_per_second": mine,
                             "peer_per_second": [turn[op, peer] for turn in theirs], "ratios": ratios[peer],
                             "ratio": statistics.median(ratios[peer])})
            beside = "  ".join(f"{peer} {statistics.median(values):5.2f}x" for peer, values in ratios.items())
            print(f"{op:18} {path:18} {statistics.median(mine) / 1e6:8.1f} M/s   {beside}", flush=True)
    return rows
