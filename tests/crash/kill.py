#!/usr/bin/python3
"""SIGKILL under load, again and again on the same data: what was acknowledged is there, nothing is half done.

Every worker has variables and checkpoints of its own and one request under way at a time, so after a kill its part of the
store must be exactly the state before that request or the state after it. Then it asks again, under the same key: done is only
what was not done before. Over that lie a counter that all add to and a
set of variables that all overwrite together. Values are compared byte by byte, revisions must not go back, and the server
checks its own checksums.
"""

import argparse
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "http"), HERE]
sys.dont_write_bytecode = True

import client  # noqa: E402
import formats  # noqa: E402
import session  # noqa: E402
from workload import MODEL, STAMPED, STAMP_COUNT, State, TRAINED, Worker, Wrong  # noqa: E402
from workload_calls import CALLS, made_saver, saver_of  # noqa: E402

np = formats.np
MODES = ("commit", "interval=50")
CLUSTER = ("--cluster", "ps=4")  # what is created goes round these tasks


# --- what is there ---------------------------------------------------------------------------------------------------

def get(http_client, path):
    reply = http_client.request("GET", MODEL + path)
    if reply.status != 200:
        raise Wrong(f"cannot be read after the restart\n{reply}")
    return reply


def listed(http_client, kind):
    token, found = "", []
    while True:
        page = get(http_client, f"/{kind}?page_size=100" + (f"&page_token={token}" if token else "")).json
        found += page[kind]
        token = page.get("next_page_token")
        if not token:
            return found


def found_states(http_client, workers):
    """{prefix: State} as the server has it."""
    states = {worker.prefix: State() for worker in workers}
    for variable in listed(http_client, "variables"):
        prefix = variable["name"].split("/")[0]
        if prefix in states:
            is_trained = variable["name"].startswith(f"{prefix}/g")
            found = states[prefix].trained if is_trained else states[prefix].variables
            found[variable["name"]] = get(
                http_client, f"/variables/{variable['name']}:value?format=raw").body if variable["initialized"] else None
    for checkpoint in listed(http_client, "checkpoints"):
        name = checkpoint["name"]
        tensors = {}
        for tensor in get(http_client, f"/checkpoints/{name}").json["tensors"]:
            tensors[tensor["name"]] = get(http_client, f"/checkpoints/{name}:value?tensor={tensor['name']}&format=raw").body
        state = states[name.split("-")[0]]
        state.checkpoints[name], state.marks[name] = tensors, (checkpoint["pinned"], checkpoint["labels"])
    for saver in listed(http_client, "savers"):
        told = get(http_client, f"/savers/{saver['name']}").json
        states[saver["name"].split("/")[0]].savers[saver["name"]] = {
            field: told[field] for field in ("max_to_keep", "last_checkpoints", "latest")}
    return states


def check_workers(http_client, workers):
    states = found_states(http_client, workers)
    for worker in workers:
        found = states[worker.prefix]
        if found == worker.state:
            # Nothing new to be seen of the request under way; some change nothing that is a worker's own.
            if not worker.took_effect:
                worker.took_effect = None if found == worker.next_state else False
        elif worker.next_state is not None and found == worker.next_state:
            worker.state, worker.took_effect = worker.next_state, True
        else:
            text = f"{worker.prefix}: neither the acknowledged state ({worker.state.differences(found)})"
            if worker.next_state is not None:
                text += f" nor the one of the request under way ({worker.next_state.differences(found)})"
            raise Wrong(text)
        worker.next_state = None


def check_counter(http_client, workers):
    value = get(http_client, "/variables/counter:value").json["data"]
    least = sum(worker.added for worker in workers)
    choices = {least}
    for worker in workers:
        choices |= {choice + worker.adding for choice in choices}
    if value not in choices:
        raise Wrong(f"the counter is {value}; acknowledged: {least}, under way: {[w.adding for w in workers]}")
    # Whichever of the requests under way took effect, from now on they are part of the past.
    workers[0].added += value - least
    for worker in workers:
        worker.adding = 0


def check_stamps(http_client, workers):
    body = get(http_client, f"/values?names={','.join(STAMPED)}&format=safetensors").body
    tensors, _ = formats.safetensors_read(body)
    values = {int(x) for name in STAMPED for x in np.unique(np.frombuffer(tensors[name][2], "<i8"))}
    if len(values) != 1:
        raise Wrong(f"a write of several variables was half done: {values}")
    acknowledged = [pair for worker in workers for pair in worker.stamps]
    allowed = {worker.stamping for worker in workers} | {max(acknowledged)[1] if acknowledged else 0}
    if values.pop() not in allowed:
        raise Wrong("the stamp is neither the last acknowledged one nor one under way")
    for worker in workers:
        worker.stamps = []
        worker.stamping = None
    # What was found is what later rounds start from.
    workers[0].stamps.append((0, int(np.frombuffer(tensors[STAMPED[0]][2], "<i8")[0])))


def check_server(http_client, server, seen):
    """Its own checksums, and that revisions did not go back. False when it has no verify route."""
    reply = http_client.request("POST", f"{MODEL}/variables/tick:assign", {"value": [1]})
    if reply.status != 200 or reply.revision <= seen:
        raise Wrong(f"revision after {seen} expected\n{reply}")
    reply = http_client.request("POST", "/v1:verify")
    if reply.status == 404:
        return False
    if reply.status != 200:
        raise Wrong(f"verification failed\n{reply}\n{server.complaints()}")
    return True


# --- rounds ----------------------------------------------------------------------------------------------------------

def begin(server, workers):
    """The things that all workers share, and what the optimizer changes."""
    http_client = client.Client(server.host, server.port)
    http_client.request("PUT", MODEL, {"seed": 1, "placement": {}}).expect(201)
    for name, size in (("counter", []), ("tick", [1]), *((n, [c]) for n, c in zip(STAMPED, STAMP_COUNT))):
        http_client.request("POST", f"{MODEL}/variables", {
            "name": name, "initial_value": {"op": "zeros", "shape": size, "dtype": "int64"}}).expect(201)
    http_client.request("POST", f"{MODEL}:initialize", {}).expect(200)
    http_client.request("PUT", f"{MODEL}/optimizers/momentum", {
        "type": "momentum", "learning_rate": 1.0, "momentum": 1.0}).expect(201)
    for worker in workers:
        for number, count in enumerate(TRAINED):
            name = f"{worker.prefix}/g{number}"
            http_client.request("POST", f"{MODEL}/variables", {"name": name, "initial_value": {
                "op": "zeros", "shape": [count]}}).expect(201)
            worker.state.trained[name] = bytes(4 * count)
    http_client.request("POST", f"{MODEL}:initialize", {"only_uninitialized": True}).expect(200)
    tasks = {variable["device"] for variable in listed(http_client, "variables")}
    if len(tasks) != 4:
        raise Wrong(f"variables are on {sorted(tasks)}, not on four tasks")
    for worker in workers:
        body, worker.state.savers[saver_of(worker)] = made_saver(worker)
        http_client.request("PUT", f"{MODEL}/savers/{saver_of(worker)}", body).expect(201)
    http_client.close()


def load(server, workers, seconds):
    gone = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(
        client.Client(server.host, server.port, 60 * server.patience, again=False), gone)) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    died = server.process.poll()
    server.kill9()
    gone.set()
    for thread in threads:
        thread.join()
    if died is not None:
        raise Wrong(f"the server ended by itself with status {died}\n{server.complaints()}")
    for worker in workers:
        if worker.failure:
            raise Wrong(f"{worker.prefix}: {worker.failure}\n{server.complaints()}")


def kill_while_starting(server, source):
    """A start that is killed before it is done, sometimes."""
    if source.random() < 0.25:
        process = session.subprocess.Popen(server.command(), stdout=session.subprocess.DEVNULL,
                                           stderr=session.subprocess.DEVNULL, preexec_fn=session.die_with_parent)
        time.sleep(source.random() * 0.05)
        process.kill()
        process.wait()


def check(server, workers):
    http_client = client.Client(server.host, server.port, 120 * server.patience)
    check_workers(http_client, workers)
    check_counter(http_client, workers)
    check_stamps(http_client, workers)
    verified = check_server(http_client, server, max(worker.revision for worker in workers))
    http_client.close()
    if not verified:
        # No route for it: a start that verifies first.
        server.kill9()
        server.start("--durability", MODES[0], "--verify")


def rounds(options, server, workers, source):
    kills = 0
    server.start("--durability", MODES[0])
    begin(server, workers)
    for number in range(options.rounds):
        load(server, workers, source.uniform(0.05, options.seconds))
        kills += 1
        kill_while_starting(server, source)
        mode = MODES[(number + 1) % len(MODES)]
        server.start("--durability", mode)
        check(server, workers)
        if (number + 1) % 10 == 0:
            print(f"round {number + 1}: {sum(w.acknowledged for w in workers)} acknowledged so far", flush=True)
    status = server.stop()
    if status != 0 or session.FOUND.search(server.complaints()):
        raise Wrong(f"exit status {status}\n{server.complaints()}")
    return kills


def main():
    parser = argparse.ArgumentParser(description="kill -9 under load, then look")
    parser.add_argument("--server", default="build/tensorkeep")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.0, help="longest time between two kills")
    parser.add_argument("--keep", action="store_true", help="keep the data when something is wrong")
    options = parser.parse_args()
    source = random.Random(options.seed)
    binary = os.path.abspath(options.server)
    server = session.Server(binary, CLUSTER, 5 if "/tsan/" in binary or "/asan/" in binary else 1)
    workers = [Worker(index, source.random(), CALLS) for index in range(options.workers)]
    print(f"seed {options.seed}, {options.rounds} rounds, {options.workers} workers, durability {' and '.join(MODES)} in turn",
          flush=True)
    kept = options.keep
    try:
        kills = rounds(options, server, workers, source)
        kept = False
    except (Wrong, AssertionError, client.ContractBroken) as wrong:
        print(f"WRONG (seed {options.seed}): {wrong}")
        if options.keep:
            print(f"kept {server.data}")
        return 1
    finally:
        server.end()
        if not kept:
            server.remove()
    counts = {}
    for worker in workers:
        for name, times in worker.counts.items():
            counts[name] = counts.get(name, 0) + times
    print(", ".join(f"{name} {times}" for name, times in sorted(counts.items())))
    print(f"seed {options.seed}: {kills} kills, {sum(w.acknowledged for w in workers)} acknowledged writes, "
          f"{sum(w.repeated for w in workers)} asked for again, all there, none half done, none twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
