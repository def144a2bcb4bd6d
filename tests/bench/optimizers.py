"""Steps of optimizers beside PyTorch's own: 10 million float32 in memory, turn about."""

import json
import statistics
import subprocess
import time

COUNT = 10_000_000
TURNS = 5  # of each step in a round; the best counts
# Numbers read and written for an element at the least: variable and gradient in, variable out, slots both ways.
MOVED = {"gradient_descent": 3, "momentum": 5, "adam": 7}


def best(step):
    seconds = []
    for _ in range(TURNS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def torch_steps():
    """Each of its ways to step: tensor by tensor, as a list of them, and in one kernel where it has that."""
    try:
        import torch
    except ImportError:
        return {}
    kinds = {"gradient_descent": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": 0.9}),
             "adam": (torch.optim.Adam, {})}
    ways = {"single tensor": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
    found = {}

    def on(threads, optimizer):
        def run():
            torch.set_num_threads(threads)
            optimizer.step()
        return run

    for name, (kind, hyper) in kinds.items():
        for way, how in ways.items():
            parameter = torch.nn.Parameter(torch.rand(COUNT))
            parameter.grad = torch.rand(COUNT)
            try:
                optimizer = kind([parameter], lr=0.001, **hyper, **how)
                optimizer.step()  # makes its state
            except (TypeError, RuntimeError):
                continue
            for threads in (1, 2):
                found[name, f"torch {way}, {threads} thread{'s' * (threads > 1)}"] = on(threads, optimizer)
    return found


def run(binary, rounds):
    """Rows of {what, path, peer, ours_seconds, peer_seconds, ratio}, printed as they come to be; a ratio is ours by the peer's."""
    peers, ours, theirs = torch_steps(), [], []
    for _ in range(rounds):
        done = subprocess.run([binary, str(TURNS)], capture_output=True, text=True, check=True)
        ours.append(json.loads(done.stdout))
        theirs.append({key: best(step) for key, step in peers.items()})
    copy = statistics.median(turn["copy"] for turn in ours)
    print(f"{'copy':18} {'':35} {copy * 1e3:7.2f} ms  {8e-9 * COUNT / copy:6.1f} GB/s", flush=True)
    rows = [{"what": "copy", "ours_seconds": [turn["copy"] for turn in ours]}]
    for name, moved in MOVED.items():
        for path in ours[0][name]:
            mine = [turn[name][path] for turn in ours]
            seconds = statistics.median(mine)
            rows.append({"what": name, "path": path, "ours_seconds": mine})
            print(f"{name:18} {path:35} {seconds * 1e3:7.2f} ms  {4e-9 * moved * COUNT / seconds:6.1f} GB/s", flush=True)
            threads = path.split(", ")[1]
            for peer in (peer for key, peer in peers if key == name and peer.endswith(threads)):
                ratios = [a / turn[name, peer] for a, turn in zip(mine, theirs)]
                rows.append({"what": name, "path": path, "peer": peer, "ours_seconds": mine,
                             "peer_seconds": [turn[name, peer] for turn in theirs], "ratios": ratios,
                             "ratio": statistics.median(ratios)})
                print(f"{'':18} {'  of ' + peer:35} {statistics.median(ratios):7.2f}", flush=True)
    return rows
