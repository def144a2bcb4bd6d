"""What tasks cost: one server whose variables lie on 1, 2 and 4 parameter-server tasks, turn about with the same clients; small
commits, commits over several variables at once, and bytes. Before that LMDB alone, with one environment and with several
(environments.c): why all tasks share one, and what a commit over several would cost. Takes run.py's Bench; under four minutes."""

import contextlib
import json
import os
import statistics
import subprocess
import tempfile

import peers

COUNTS = (1, 2, 4)  # of tasks, of environments
CONNECTIONS = (1, 4, 16, 64)
MODES = ("commit", "interval=1000")
ROUNDS_MAX, SECONDS_MAX, ALONE_SECONDS_MAX = 3, 0.6, 0.3
WIDE = 4  # variables of one commit
MIB = 1 << 20
JSON = "Content-Type: application/json"


def run(bench):
    rounds, seconds = min(bench.options.rounds, ROUNDS_MAX), min(bench.options.seconds, SECONDS_MAX)
    alone(bench, rounds, min(seconds, ALONE_SECONDS_MAX))
    for mode in MODES:
        served(bench, mode, rounds, seconds)


def show(bench, what, mode, clients, unit, figures):
    """A line: the medians for 1, 2 and 4, and the median ratio of the last to the first. `figures`: a list of rounds for each."""
    ratios = {count: statistics.median(b / a for a, b in zip(figures[1], figures[count])) for count in COUNTS[1:]}
    bench.rows.append({"what": what, "durability": mode, "connections": clients, "unit": unit, "by_count": figures, "ratios": ratios})
    medians = "".join(f"{statistics.median(figures[count]):11.0f}" for count in COUNTS)
    print(f"{what:42} {mode:14} c={clients:<3}{medians} {unit:10} {ratios[2]:5.2f} {ratios[4]:5.2f}", flush=True)


def heading(what):
    print(f"{what:42} {'':14} {'':5}{1:11}{2:11}{4:11} {'':10} {'2:1':>5} {'4:1':>5}", flush=True)


def alone(bench, rounds, seconds):
    program = os.path.join(os.path.dirname(bench.load_binary), "release", "tests", "bench", "environments")
    if not os.path.exists(program):
        print("LMDB alone is left out: `make bench` builds the program")
        return
    with tempfile.TemporaryDirectory(prefix="tensorkeep-bench-") as folder:
        done = subprocess.run([program, folder, str(rounds), str(seconds)], capture_output=True, text=True, check=True)
    found = {}
    for row in json.loads(done.stdout):
        found.setdefault((row["what"], row["clients"]), {})[row["environments"]] = row["per_second"]
    heading("LMDB alone, environments:")
    for (what, clients), figures in sorted(found.items(), key=lambda each: (each[0][0], each[0][1])):
        show(bench, what.removesuffix(", MB"), "(no server)", clients, "MB/s" if what.endswith("MB") else "units/s", figures)


def served(bench, mode, rounds, seconds):
    """All servers are there at once."""
    with contextlib.ExitStack() as stack:
        servers = {count: stack.enter_context(peers.ours(bench.options, mode, "--cluster", f"ps={count}")) for count in COUNTS}
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for count, (_, http) in servers.items():
            make_variables(http, count)
        heading("served, tasks:")
        for what, connections, unit, request in requests(folder):
            figures = {count: [] for count in COUNTS}
            for turn in range(rounds):
                for count in COUNTS if turn % 2 == 0 else reversed(COUNTS):
                    rate = bench.measured("http", servers[count][0].port, connections, *request, seconds=seconds)["per_second"]
                    figures[count].append(rate * (1.048576 if unit == "MB/s" else 1))
            show(bench, what, mode, connections, unit, figures)


def requests(folder):
    """(what, connections, unit, request of load.c)"""
    one = body(folder, "one", {"value": 1})
    wide = body(folder, "wide", {"ops": [{"op": "assign_add", "variable": f"wide{i}", "value": 1} for i in range(WIDE)]})
    for connections in CONNECTIONS:
        yield "assign_add, a variable each", connections, "commits/s", [
            "POST", f"{peers.MODEL}/variables/own@:assign_add", "-f", one, "-H", JSON]
    for connections in (1, 16):
        yield f"run over {WIDE} variables, one commit", connections, "commits/s", ["POST", f"{peers.MODEL}:run", "-f", wide, "-H", JSON]
    for connections in (1, 4):
        yield "PUT 1 MiB raw", connections, "MB/s", [
            "PUT", f"{peers.MODEL}/variables/large@:value", "-H", peers.RAW, "-b", str(MIB)]
        yield "assign_add 1 MiB, stored delta", connections, "MB/s", [
            "POST", f"{peers.MODEL}/variables/large@:assign_add", "-f", body(folder, "stored", {"value": {"variable": "delta"}}),
            "-H", JSON]


def body(folder, name, fields):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as file:
        json.dump(fields, file)
    return path


def make_variables(http, tasks):
    """Each on its task, in turn."""
    made = [(f"own{i}", [], "int64") for i in range(max(CONNECTIONS))] + [(f"wide{i}", [], "int64") for i in range(WIDE)]
    made += [(f"large{i}", [MIB // 4], "float32") for i in range(4)] + [("delta", [MIB // 4], "float32")]
    http.request("POST", f"{peers.MODEL}/variables", [
        {"name": name, "device": f"/job:ps/task:{index % tasks}",
         "initial_value": {"op": "zeros", "shape": shape, "dtype": dtype}}
        for index, (name, shape, dtype) in enumerate(made)]).expect(201)
    http.request("POST", f"{peers.MODEL}:initialize", {}).expect(200)
