#!/usr/bin/python3
"""Does the checker of histories see what it is for? Histories made by chance, of a store that keeps its word and of stores that
break it in one way each: the first must pass, every other must be found."""

import heapq
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from history import Broken, Call, INFINITE, State, Undecided, applied, check, objection  # noqa: E402

VARIABLES = ("a", "b", "c", "n")
SAVED = {name: f"saved {name}" for name in VARIABLES}  # what the one checkpoint has of them
CLIENTS = 8
KINDS = ["add", "add", "add twice", "swap", "transfer", "count", "read", "reads"]
FIRST = 5  # the revision before all calls
SEEDS = 6  # histories for each fault


def first_states():
    return {name: State(100, 1, FIRST) for name in (*VARIABLES, *SAVED.values())}


class Store:
    """All states there ever were; `fault` is planted once, at the first chance after `planting` calls. Saves and restores that are
    broken are so from then on: a good one soon covers the traces."""

    def __init__(self, source, fault, planting):
        self.source, self.fault, self.planting = source, fault, planting
        self.states = first_states()
        self.revision = FIRST
        self.past = [(FIRST, self.states)]
        self.calls = 0
        self.planted = False

    def plant(self, fault):
        """Whether this is the moment for it."""
        if self.fault != fault or self.planted or self.calls < self.planting:
            return False
        self.planted = True
        return True

    def commit(self, after):
        self.revision += 1
        self.states = {**self.states, **after}
        self.past.append((self.revision, self.states))

    def perform(self, call):
        """At this moment. The outcome is in the call, for the case that the client hears of it."""
        self.calls += 1
        if not call.change:
            return self.show(call)
        why = objection(call, self.states)
        if why is None and self.plant("refused for nothing"):
            why = "no reason"
        elif why is not None and call.require and self.plant("two winners"):
            why = None
        if why is not None:
            call.outcome = "refused"
            for name, _, _ in call.require:
                call.sees(name, revision=self.states[name].revision)
            return None
        before = self.states
        after = applied(call, self.states, self.revision + 1)
        call.outcome, call.revision = "done", self.revision + 1
        call.before = {name: {"value": before[name].value} for name in after if call.below}
        for name, state in after.items():
            if call.what not in ("save", "restore"):
                call.sees(name, version=state.version, revision=state.revision)
        return self.break_word(call, after)

    def break_word(self, call, after):
        """Commits, or does to it what the fault says."""
        name = next(iter(after))
        if len(after) == 1 and self.plant("lost update"):
            return self.commit({name: State(self.states[name].value, after[name].version, self.revision + 1)})
        if len(after) == 1 and self.plant("forgotten update"):
            return None  # not even a revision: the next write gets the same one
        if call.change[0][1] == "add" and self.plant("doubled in one commit"):
            twice = after[name].value + call.change[0][2]
            return self.commit({**after, name: State(twice, after[name].version, after[name].revision)})
        if len(after) == 2 and self.plant("torn update"):
            return self.commit({name: after[name]})
        if self.fault in (f"torn {call.what}", f"{call.what} of nothing") and self.calls >= self.planting:
            after = self.break_copy(call, after)
        self.commit(after)
        if not call.require and self.plant("doubled update"):
            self.commit(applied(call, self.states, self.revision + 1))
        return None

    def break_copy(self, call, after):
        """Torn, a save has read half of it a little earlier, and a restore leaves half of it; or either leaves everything."""
        old = self.past[-8:][0][1]
        if self.fault == "torn save":
            left = {name: old[source].value for name, _, source in call.change[1::2]}
        else:
            left = {name: self.states[name].value for name, _, _ in call.change[self.fault == "torn restore":]}
        self.planted |= any(after[name].value != value for name, value in left.items())
        return {name: State(left.get(name, state.value), state.version, state.revision) for name, state in after.items()}

    def mixed(self):
        """Half of it of now and half of a little earlier, where that makes a state that never was."""
        old = self.past[-8:][0][1]
        mixed = {name: (old if index % 2 else self.states)[name] for index, name in enumerate(VARIABLES)}
        return None if any(mixed.items() <= states.items() for _, states in self.past) else mixed

    def show(self, call):
        states, call.outcome = self.states, "done"
        if call.what == "reads" and self.mixed() is not None and self.plant("torn read"):
            states = self.mixed()
        elif call.what != "read checkpoint" and len(self.past) > 60 and self.plant("stale read"):
            states = self.past[-50][1]
        elif self.plant("read of what never was"):
            states = {name: State(state.value + 1, state.version, state.revision) for name, state in states.items()}
        else:
            call.at = self.revision if call.what == "reads" else None
        for name in call.seen:
            call.sees(name, value=states[name].value, revision=states[name].revision)


def choose(source, client, known, fault):
    """A call; `known` is what this client has seen last: {variable: State}. A restore may cover the traces of a fault that is not
    about checkpoints."""
    name, other = source.sample(VARIABLES[:3], 2)
    kind = source.choice(KINDS + ([] if fault in FAULTS else ["save", "restore", "read checkpoint", "read checkpoint"]))
    if kind == "add":
        return Call(client, kind, [[name, "add", source.randint(1, 9)]])
    if kind == "add twice":
        return Call(client, kind, [[name, "add", source.randint(1, 9)], [name, "add", source.randint(1, 9)]])
    if kind == "swap":
        return Call(client, kind, [[name, "set", source.randint(0, 999)]], [[name, "revision", known.get(name, FIRST)]])
    if kind == "transfer":
        amount = source.randint(1, 50)
        return Call(client, kind, [[name, "add", -amount], [other, "add", amount]])
    if kind == "count":
        return Call(client, kind, [["n", "add", 1]], below=[["n", 130]])
    if kind == "save":
        return Call(client, kind, [[saved, "copy", each] for each, saved in SAVED.items()])
    if kind == "restore":
        return Call(client, kind, [[each, "copy", SAVED[each]] for each in source.choice([VARIABLES, (name, other)])])
    return reading(client, kind, [name] if kind == "read" else VARIABLES if kind == "reads" else SAVED.values())


def reading(client, kind, names):
    call = Call(client, kind)
    for each in names:
        call.sees(each)
    return call


def history(source, fault, losing, count=600):
    """(calls, the store). Clients call, the store performs at some moment between call and
    reply, and every now and then all replies that are due get lost, as in a crash."""
    store, calls, events, known = Store(source, fault, count // 3), [], [], [{} for _ in range(CLIENTS)]
    for client in range(CLIENTS):
        heapq.heappush(events, (source.random() * 0.01, client, "call", None))
    while events and len(calls) < count:
        now, client, kind, call = heapq.heappop(events)
        if kind == "call":
            call = choose(source, client, known[client], fault)
            call.begin = now
            heapq.heappush(events, (now + source.expovariate(300), client, "perform", call))
        elif kind == "perform":
            perform_late = call.what == "add" and store.plant("done after the end")
            if not perform_late:
                store.perform(call)
            heapq.heappush(events, (now + source.expovariate(300), client, "reply", call))
            if perform_late:
                heapq.heappush(events, (now + 0.05, client, "late", call))
        elif kind == "late":
            copy = Call(client, call.what, call.change, call.require, call.below)
            store.perform(copy)
        else:
            calls.append(call)
            call.end = now
            if source.random() < losing or call.outcome == "lost":
                call.outcome, call.revision, call.at, call.before, call.seen = "lost", None, None, {}, {}
            for name, fields in call.seen.items():
                known[client][name] = fields.get("revision", FIRST)
            heapq.heappush(events, (now + source.expovariate(2000), client, "call", None))
    for _, _, kind, call in events:
        if kind in ("perform", "reply"):
            call.end, call.outcome, call.revision, call.at, call.before, call.seen = INFINITE, "lost", None, None, {}, {}
            calls.append(call)
    exchange_places(source, store, calls)
    finals = [reading(CLIENTS, "reads", VARIABLES), reading(CLIENTS, "read checkpoint", SAVED.values())]
    for final in finals:
        final.begin, final.end = now + 10, now + 11
        store.show(final)
    return calls + finals, store


def exchange_places(source, store, calls):
    """The fault "out of order": two writes one after another, and their revisions the other way round."""
    if store.fault != "out of order":
        return
    plain = [c for c in calls if c.outcome == "done" and c.what == "add"]
    plain.sort(key=lambda c: c.revision)
    pairs = [(x, y) for x, y in zip(plain, plain[20:]) if x.end < y.begin]
    x, y = source.choice(pairs)
    x.begin, x.end, y.begin, y.end = y.begin, y.end, x.begin, x.end
    store.planted = True


FAULTS = ["lost update", "forgotten update", "doubled in one commit", "doubled update", "torn update", "torn read", "stale read",
          "read of what never was", "two winners", "refused for nothing", "done after the end", "out of order"]
FAULTS_OF_CHECKPOINTS = ["torn save", "save of nothing", "torn restore", "restore of nothing"]


def verdict(seed, fault, losing):
    """(whether the history was found good, what was said of it)."""
    calls, store = history(random.Random(seed), fault, losing)
    assert fault is None or store.planted, f"'{fault}' was not planted with seed {seed}"
    states = first_states()
    again = [Call.read(call.fields()) for call in calls]  # as they are written to a file
    try:
        done = check(again, states, FIRST)
        lost = sum(1 for call in calls if call.outcome == "lost" and call.change)
        return True, f"{len(calls)} calls, {done} of {lost} lost writes were done"
    except Broken as broken:
        return False, str(broken).split("\n", maxsplit=1)[0]
    except Undecided as undecided:
        return None, str(undecided)


def case(fault):
    """What went wrong with histories of this fault, or of none."""
    wrong = []
    for seed in range(SEEDS * (5 if fault is None else 1)):
        good, said = verdict(seed, fault, 0.02 if seed % 2 else 0.0)
        if "-v" in sys.argv[1:]:
            print(f"{fault or 'no fault'}, seed {seed}: {said}")
        if good is not (fault is None):
            wrong.append(f"seed {seed}: {'found good' if good else said}")
    return wrong


def main():
    failed = 0
    for fault in [None] + FAULTS + FAULTS_OF_CHECKPOINTS:
        wrong = case(fault)
        failed += bool(wrong)
        for line in wrong:
            print(f"FAIL history, {fault or 'no fault'}, {line}")
    print(f"{1 + len(FAULTS) + len(FAULTS_OF_CHECKPOINTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
