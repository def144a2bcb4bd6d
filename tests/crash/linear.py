#!/usr/bin/python3
"""Many clients at once, SIGKILL in the middle, lost replies: is there one order of all of it?

Every client asks for one thing at a time and writes down when it asked and what it heard. Replies get lost when the server is
killed, and when a client hangs up before it has read them. Mostly it asks again then, under the same Idempotency-Key, until it
has heard; at times it never learns. Some requests are sent twice at the same moment. The history of all is then put into one
order, or shown to have none (history.py): no update is lost, doubled or torn, no read is older than what was known when it began.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "http"), HERE]
sys.dont_write_bytecode = True

import client  # noqa: E402
import session  # noqa: E402
import history  # noqa: E402
import linear_calls as calls  # noqa: E402
from kill import MODES, kill_while_starting  # noqa: E402
from workload import BROKEN, Wrong  # noqa: E402

HANG_UP = 0.03  # of the writes are sent and not waited for
TWICE = 0.03  # are sent on two connections at once
GIVE_UP = 0.15  # of the lost ones are not asked for again


class Life:
    """A server from its start to its end."""

    def __init__(self, server):
        self.host, self.port = server.host, server.port
        self.over = threading.Event()
        self.died = history.INFINITE  # after this moment nothing it was asked can take effect


class Stage:
    """Where clients find the server; they wait here while there is none."""

    def __init__(self):
        self.condition = threading.Condition()
        self.life = None
        self.closed = False

    def show(self, life):
        with self.condition:
            self.life = life
            self.condition.notify_all()

    def close(self):
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def wait(self):
        """The server's life; None when it is all over."""
        with self.condition:
            self.condition.wait_for(lambda: self.closed or self.life is not None)
            return self.life


class HungUp(OSError):
    """The client closed the connection before it read the reply."""


class Caller(threading.Thread):
    """One client."""

    def __init__(self, number, seed, stage, patience):
        super().__init__(daemon=True)
        self.number, self.stage, self.patience = number, stage, patience
        self.random = random.Random(seed)
        self.known = {}  # {variable: what was seen of it last}
        self.heard = []
        self.lives = []  # of lost writes: (call, the life that it was lost in)
        self.life = self.connection = None
        self.number_of_write = self.hung_up = self.again = self.replayed = 0
        self.failure = None

    def run(self):
        try:
            while not self.stage.closed:
                request = self.random.choice(calls.CALLS)(self.number, self.random, self.known)
                if request is not None:
                    self.perform(request)
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = f"{type(failure).__name__}: {failure}"

    def perform(self, request):
        call, life = request.call, self.stage.wait()
        if life is None:
            return
        if call.change:
            self.number_of_write += 1
            request.headers["Idempotency-Key"] = f"{self.number}-{self.number_of_write}"
        call.begin = time.monotonic()
        reply = self.ask(life, request)
        call.end = time.monotonic()
        if reply is None:
            return
        if not request.hear(reply):
            raise Wrong(f"an unexpected reply\n{reply}")
        self.replayed += "idempotency-replayed" in reply.headers
        self.heard.append(call)
        for name, fields in call.seen.items():
            if "revision" in fields:
                self.known[name] = fields

    def ask(self, life, request):
        """The reply, to the first request or to a repetition; None when there will not be one."""
        while True:
            try:
                reply = self.exchange(life, request)
                if reply.status != 409 or reply.code != "ABORTED":
                    return reply
                time.sleep(0.002)  # the first one is still running
            except BROKEN as broken:
                self.hang_up()
                if not isinstance(broken, HungUp) and not life.over.wait(5 * self.patience):
                    raise Wrong(f"the connection broke before the kill: {broken!r}") from None
                if not request.call.change:
                    return None
                if self.random.random() < GIVE_UP:
                    self.lives.append((request.call, life))
                    return None
                life = self.stage.wait()
            self.again += 1

    def exchange(self, life, request):
        if self.life is not life:
            self.hang_up()
            self.life = life
        if self.connection is None:
            self.connection = self.connect()
        chance = self.random.random() if request.call.change else 1.0
        if chance < HANG_UP:
            self.send(self.connection, request)
            self.hung_up += 1
            raise HungUp()
        if chance < HANG_UP + TWICE:
            return self.exchange_twice(request)
        self.send(self.connection, request)
        return self.receive(self.connection, request)

    def exchange_twice(self, request):
        """On two connections at once. When both are done they must have been told the same; one may hear that the other is
        still running."""
        with contextlib.closing(self.connect()) as other:
            self.send(other, request)
            self.send(self.connection, request)
            replies = [self.receive(connection, request) for connection in (self.connection, other)]
        done = [reply for reply in replies if reply.status == 200]
        if len(done) == 2 and done[0].body != done[1].body:
            raise Wrong(f"a request was done twice\n{done[0]}\n{done[1]}")
        return (done or [reply for reply in replies if reply.code != "ABORTED"] or replies)[0]

    def connect(self):
        return http.client.HTTPConnection(self.life.host, self.life.port, timeout=60 * self.patience)

    @staticmethod
    def send(connection, request):
        body, headers = request.body, dict(request.headers)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(request.method, request.path, body, headers)

    @staticmethod
    def receive(connection, request):
        got = connection.getresponse()
        asked = json.dumps(request.body) if isinstance(request.body, dict) else client.text_of(request.body)
        reply = client.Reply(f"{request.method} {request.path} {request.headers}\n> {asked}", got.status, got.getheaders(),
                             got.read())
        client.check(request.method, request.path, reply)
        return reply

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


# --- rounds ----------------------------------------------------------------------------------------------------------

def begin(server):
    """Makes all variables; their states, and the revision before everything else."""
    http_client = client.Client(server.host, server.port)
    http_client.request("PUT", calls.MODEL, {"seed": 1}).expect(201)
    for name, shape in calls.SHAPES.items():
        start = calls.EACH if name in calls.ACCOUNTS else 0
        # Laid out for updates of rows from the start: to do so later is a commit of its own, that nobody asks for.
        http_client.request("POST", f"{calls.MODEL}/variables", {"name": name, "row_updates": True, "initial_value": {
            "op": "fill", "dims": shape, "value": {"dtype": calls.DTYPES[name], "shape": [], "data": start}}}).expect(201)
    http_client.request("PUT", f"{calls.MODEL}/optimizers/descent", {"type": "gradient_descent", "learning_rate": 1.0}).expect(201)
    made = http_client.request("POST", f"{calls.MODEL}:initialize", {}).expect(200).revision
    states = {name: history.State(calls.EACH if name in calls.ACCOUNTS else 0, 1, made) for name in calls.SHAPES}
    states[calls.APPLIED] = history.State(0, 1, made)
    for checkpoint in calls.CHECKPOINTS:
        first = http_client.request("POST", f"{calls.MODEL}/checkpoints", {"name": checkpoint}).expect(201).revision
        states |= {calls.kept(checkpoint, name): history.State(states[name].value, 1, first) for name in calls.SHAPES}
    http_client.close()
    return states, first


def kill(server, life, stage):
    died = server.process.poll()
    stage.show(None)
    server.kill9()
    life.died = time.monotonic()
    life.over.set()
    if died is not None:
        raise Wrong(f"the server ended by itself with status {died}\n{server.complaints()}")


def last_look(server, number):
    """Calls that read everything."""
    requests = [calls.several(number, sorted(calls.SHAPES))] + [calls.read_saved(number, name) for name in calls.CHECKPOINTS]
    http_client = client.Client(server.host, server.port, 60 * server.patience)
    for request in requests:
        request.call.begin = time.monotonic()
        reply = http_client.request(request.method, request.path)
        request.call.end = time.monotonic()
        if not request.hear(reply):
            raise Wrong(f"cannot be read at the end\n{reply}")
    http_client.close()
    return [request.call for request in requests]


def check_failures(callers, server):
    for caller in callers:
        if caller.failure:
            raise Wrong(f"client {caller.number}: {caller.failure}\n{server.complaints()}")


def rounds(options, server, callers, stage, source):
    """All calls, the states before them, the first revision, and the number of kills."""
    server.start("--durability", MODES[0])
    states, first = begin(server)
    life, kills = Life(server), 0
    stage.show(life)
    for caller in callers:
        caller.start()
    for number in range(options.rounds):
        time.sleep(source.uniform(0.05, options.seconds))
        kill(server, life, stage)
        kills += 1
        kill_while_starting(server, source)
        server.start("--durability", MODES[(number + 1) % len(MODES)])
        check_failures(callers, server)
        life = Life(server)
        stage.show(life)
    time.sleep(source.uniform(0.05, options.seconds))
    stage.close()
    for caller in callers:
        caller.join()
        caller.hang_up()
    check_failures(callers, server)
    looks = last_look(server, len(callers))
    status = server.stop()
    life.died = time.monotonic()
    if status != 0 or session.FOUND.search(server.complaints()):
        raise Wrong(f"exit status {status}\n{server.complaints()}")
    server.start("--durability", MODES[0], "--verify")
    looks += last_look(server, len(callers))
    server.stop()
    return gather(callers) + looks, states, first, kills


def gather(callers):
    """All calls, those without a reply with the time after which they cannot happen any more."""
    for caller in callers:
        for call, life in caller.lives:
            call.end = life.died
    return [call for caller in callers for call in caller.heard + [call for call, _ in caller.lives]]


def write(path, found, states, first):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps({"first": first, "states": {name: state.key() for name, state in states.items()}}) + "\n")
        for call in sorted(found, key=lambda c: c.begin):
            file.write(json.dumps(call.fields()) + "\n")


def read(path):
    with open(path, encoding="utf-8") as file:
        head = json.loads(file.readline())
        found = [history.Call.read(json.loads(line)) for line in file]
    return found, {name: history.State(*key) for name, key in head["states"].items()}, head["first"]


def report(options, found, done, kills, callers):
    counts = {}
    for call in found:
        what = f"{call.what} {call.outcome}" if call.outcome != "done" else call.what
        counts[what] = counts.get(what, 0) + 1
    print(", ".join(f"{name} {times}" for name, times in sorted(counts.items())))
    lost = sum(1 for call in found if call.outcome == "lost")
    print(f"seed {options.seed}: {kills} kills, {sum(c.hung_up for c in callers)} hung up, {len(found)} calls, "
          f"{sum(c.again for c in callers)} sent again ({sum(c.replayed for c in callers)} had been done), {lost} never heard of "
          f"again ({done} had been done), all there in one order, none lost, doubled or torn")


def main():
    parser = argparse.ArgumentParser(description="clients at once and kill -9, then the order of all of it")
    parser.add_argument("--server", default="build/tensorkeep")
    parser.add_argument("--rounds", type=int, default=8, help="kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="longest time between two kills")
    parser.add_argument("--history", metavar="FILE", help="write all calls there")
    parser.add_argument("--check", metavar="FILE", help="only check the calls that were written there")
    options = parser.parse_args()
    if options.check:
        print(f"{history.check(*read(options.check))} lost writes were done; one order of all")
        return 0
    binary, source, stage = os.path.abspath(options.server), random.Random(options.seed), Stage()
    server = session.Server(binary, (), 5 if "/tsan/" in binary or "/asan/" in binary else 1)
    callers = [Caller(number, source.random(), stage, server.patience) for number in range(options.clients)]
    print(f"seed {options.seed}, {options.rounds} kills, {options.clients} clients, durability {' and '.join(MODES)} in turn",
          flush=True)
    try:
        found, states, first, kills = rounds(options, server, callers, stage, source)
        if options.history:
            write(options.history, found, states, first)
        done = history.check(found, states, first)
    except (Wrong, AssertionError, client.ContractBroken, history.Broken, history.Undecided) as wrong:
        print(f"WRONG (seed {options.seed}): {wrong}")
        return 1
    finally:
        stage.close()
        server.end()
        server.remove()
    report(options, found, done, kills, callers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
