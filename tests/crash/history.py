"""Is there one order of everything that was asked and answered, as if it had been done one thing at a time?

A history is a list of Call. Every commit has a number of its own, the revision, so acknowledged writes tell their place
themselves; what is left to find is where the writes went whose replies nobody got: each into a revision that no other write
claims, or nowhere. Then all must hold together: every reply says what the state at its place says, no revision is without a
write, and whoever began after another had ended comes after it (linearizability: Herlihy and Wing 1990). The search is over
the lost replies alone; reads and refusals take the earliest place that is possible, which is right if any is.
"""

import bisect
import json

INFINITE = float("inf")
STEPS_MAX = 200_000  # of the search for the places of lost replies
ORDERS_MAX = 2_000  # complete orders tried


class Broken(Exception):
    """There is no such order."""


class Undecided(Exception):
    """The search was given up."""


class Call:
    """What one client asked once (however often it had to send it), and what it heard.

    require: [[variable, "revision" or "version", number]] or [[variable, "until", the last revision it may have]], and below:
    [[variable, limit]] must hold for it to be done;
    change: [[variable, "add" or "set", number]] or [[variable, "copy", another variable]], nothing for a read. What a checkpoint
    holds are variables too: a save copies all that it saves to them, and a restore copies them back;
    outcome: "done", "refused" (a condition did not hold, nothing was changed) or "lost" (no reply was ever got);
    revision: of a done write, its place; at: of a read that tells it, the revision that it shows;
    before, seen: {variable: {"value", "version", "revision"}}, as far as the reply told, before and after the change.
    end is the time of the reply; of a lost one, the time after which it cannot take effect any more.
    """

    FIELDS = ("client", "what", "begin", "end", "require", "below", "change", "outcome", "revision", "at", "before", "seen")

    def __init__(self, client, what, change=(), require=(), below=()):
        self.client, self.what = client, what
        self.change, self.require, self.below = list(change), list(require), list(below)
        self.begin = self.end = None
        self.outcome = "lost"
        self.revision = self.at = None
        self.before, self.seen = {}, {}
        self.floor = 0  # the checker's: every call that ended before this one began is at or before this place

    def sees(self, variable, **what):
        self.seen.setdefault(variable, {}).update(what)

    @classmethod
    def read(cls, fields):
        call = cls(fields["client"], fields["what"])
        for name in cls.FIELDS:
            setattr(call, name, fields[name])
        if call.end is None:
            call.end = INFINITE
        return call

    def fields(self):
        found = {name: getattr(self, name) for name in self.FIELDS}
        if found["end"] == INFINITE:
            found["end"] = None
        return found

    def __str__(self):
        return json.dumps({name: value for name, value in self.fields().items() if value not in (None, [], {})})


class State:
    """Of one variable after one revision."""

    __slots__ = ("value", "version", "revision")

    def __init__(self, value, version, revision):
        self.value, self.version, self.revision = value, version, revision

    def __str__(self):
        return f"value {self.value}, version {self.version}, revision {self.revision}"

    def key(self):
        return self.value, self.version, self.revision


# --- one call and a state --------------------------------------------------------------------------------------------

def objection(call, states):
    """Why it would be refused in this state; None when it would not."""
    for variable, field, number in call.require:
        if field == "until":
            if states[variable].revision > number:
                return f"{variable} has revision {states[variable].revision}, none after {number} is allowed"
        elif getattr(states[variable], field) != number:
            return f"{variable} has {field} {getattr(states[variable], field)}, {number} is required"
    for variable, limit in call.below:
        if states[variable].value >= limit:
            return f"{variable} is {states[variable].value}, the limit is {limit}"
    return None


def contradiction(told, states, when):
    """What a reply said that is not so; None when all of it is."""
    for variable, fields in told.items():
        for field, value in fields.items():
            if getattr(states[variable], field) != value:
                return f"it was told {field} {value} of {variable} {when}, which has {states[variable]}"
    return None


def applied(call, states, revision):
    """{variable: State} that the write leaves, of those it changes."""
    after = {}
    for variable, how, what in call.change:
        old = after.get(variable, states[variable])
        if how == "copy":
            value = after.get(what, states[what]).value
        else:
            value = what if how == "set" else old.value + what
        after[variable] = State(value, old.version + 1, revision)
    return after


def changes(call, variable):
    """How many versions of the variable the write makes."""
    return sum(1 for changed, _, _ in call.change if changed == variable)


def misfit(call, states, after):
    """Why the write cannot have been done here with this reply; None when it can."""
    why = objection(call, states) or contradiction(call.before, states, "before")
    return why or contradiction(call.seen, {**states, **after}, "after")


# --- where lost replies went -----------------------------------------------------------------------------------------

class Search:
    """Gives the revisions without a write to calls without a reply, in every way that fits the others' replies."""

    def __init__(self, calls, first, states):
        self.first, self.states = first, states  # before all of them
        self.known = {}
        for call in calls:
            if call.change and call.outcome == "done":
                if call.revision in self.known:
                    raise Broken(f"two writes of revision {call.revision}:\n{self.known[call.revision]}\n{call}")
                if call.revision <= first:
                    raise Broken(f"a write before the first revision, {first + 1}:\n{call}")
                self.known[call.revision] = call
        self.lost = [call for call in calls if call.change and call.outcome == "lost"]
        self.written = {}  # {revision: {…: (variable, what was seen of it as this revision left it, call)}}
        self.shown = {}  # {revision: [reads that show the state after it]}
        self.widest = max((changes(call, variable) for call in self.lost for variable in states), default=1)
        self.gather_facts(calls)
        self.last = max([first, *self.known, *self.written, *self.shown])
        self.holes = [revision for revision in range(first + 1, self.last + 1) if revision not in self.known]
        self.anchors = self.all_anchors()
        self.bounds = {id(call): bounds for call, bounds in zip(self.lost, self.all_bounds(calls))}
        # Revisions that somebody spoke of; which call has another one makes no difference to what follows.
        self.named = set(self.written) | {n for call in calls for _, field, n in call.require if field == "revision"}
        self.ordered = {variable for call in calls for variable, field, _ in call.require if field == "until"}
        self.steps = 0

    def gather_facts(self, calls):
        for call in calls:
            if call.at is not None:
                self.shown.setdefault(call.at, []).append(call)
            for variable, fields in call.seen.items():
                if fields.get("revision") is not None:
                    self.written.setdefault(fields["revision"], {})[variable, repr(fields)] = (variable, fields, call)

    def all_anchors(self):
        """{variable: [(revision, least and greatest version before it)]}, as far as anybody was told the one after it."""
        found = {variable: {} for variable in self.states}
        for revision, facts in self.written.items():
            for variable, fields, _ in facts.values():
                if "version" in fields and revision > self.first:
                    most = changes(self.known[revision], variable) if revision in self.known else self.widest
                    least = most if revision in self.known else 1
                    found[variable][revision] = (fields["version"] - most, fields["version"] - least)
        return {variable: [(revision, *before) for revision, before in sorted(anchors.items())]
                for variable, anchors in found.items()}

    def all_bounds(self, calls):
        """For every lost call the places it must lie between, as calls that tell their place have it."""
        placed = [(call, call.at if call.revision is None else call.revision) for call in calls]
        placed = [(call, place) for call, place in placed if place is not None]
        ends = sorted((call.end, place) for call, place in placed)
        lows = running(max, [place for _, place in ends], 0)
        begins = sorted((-call.begin, place if call.change else place + 1) for call, place in placed)
        highs = running(min, [place for _, place in begins], INFINITE)
        for call in self.lost:
            yield lows[bisect.bisect_left(ends, (call.begin, 0))], highs[bisect.bisect_left(begins, (-call.end, 0))]

    def forward(self, states, revision):
        """Replays known writes from after `revision` on. (states, trail, the next revision without a write or None);
        the trail is [(revision, {variable: State})]."""
        trail = []
        while revision < self.last:
            revision += 1
            call = self.known.get(revision)
            if call is None:
                return states, trail, revision
            after = self.write(call, states, revision)
            states = {**states, **after}
            trail.append((revision, after))
        return states, trail, None

    def write(self, call, states, revision):
        """{variable: State} after the write; Broken where its reply or what others saw of this revision says otherwise."""
        after = applied(call, states, revision)
        why = misfit(call, states, after)
        if why:
            raise Broken(f"revision {revision}: {why}:\n{call}")
        beyond = {**states, **after}
        for variable, fields, reader in self.written.get(revision, {}).values():
            why = contradiction({variable: fields}, beyond, "later")
            if why:
                raise Broken(f"revision {revision}: {why}:\n{reader}\nwritten by {call}")
        for reader in self.shown.get(revision, ()):
            why = contradiction(reader.seen, beyond, f"at revision {revision}")
            if why:
                raise Broken(f"{why}:\n{reader}\nwritten by {call}")
        return after

    def fits(self, call, revision, states):
        low, high = self.bounds[id(call)]
        if not low < revision < high:
            return False
        try:
            return self.versions_fit({**states, **self.write(call, states, revision)}, revision)
        except Broken:
            return False

    def versions_fit(self, states, revision):
        """Whether what is missing to the next known version of each variable can still be done, and is not already."""
        for variable, anchors in self.anchors.items():
            index = bisect.bisect_right(anchors, (revision, INFINITE, INFINITE))
            if index < len(anchors):
                place, least, most = anchors[index]
                version = states[variable].version
                holes = bisect.bisect_left(self.holes, place) - bisect.bisect_right(self.holes, revision)
                # Those that tell a version would be anchors themselves.
                between = (self.known.get(known) for known in range(revision + 1, place))
                known = sum(changes(call, variable) for call in between if call is not None)
                if version + known > most or version + known + holes * self.widest < least:
                    return False
        return True

    def choices(self, states, hole):
        """Lost calls that may have this revision; of several alike, which end alike too, the one that began first: whatever was
        known before it began was known before the others did."""
        found, alike = [], set()
        for call in sorted(self.lost, key=lambda c: c.begin):
            key = repr((call.change, call.require, call.below, call.end))
            if key not in alike and self.fits(call, hole, states):
                alike.add(key)
                found.append(call)
        return found

    def mark(self, hole, states):
        """Two paths to the same mark go on alike."""
        return hole, frozenset(map(id, self.lost)), tuple(
            (state.value, state.version, state.revision if variable in self.ordered or state.revision in self.named else 0)
            for variable, state in states.items())

    def orders(self):
        """Every complete trail, with {id of a lost call: its revision}. Depth first, without recursion: a long run has
        many holes."""
        states, trail, hole = self.forward(self.states, self.first)
        if hole is None:
            yield trail, {}
            return
        why, deepest = self.no_one(hole), hole
        stack = [[states, trail, hole, self.choices(states, hole), None]]
        failed = set()  # marks that led nowhere
        while stack:
            states, trail, hole, choices, taken = stack[-1]
            if taken is not None:
                self.lost.append(taken)
                stack[-1][4] = None
            if not choices:
                stack.pop()
                continue
            call = choices.pop(0)
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Undecided(f"the places of {len(self.lost)} lost replies were not found in {STEPS_MAX} steps, up to {why}")
            self.lost.remove(call)
            stack[-1][4] = call
            after = applied(call, states, hole)
            try:
                beyond, more, following = self.forward({**states, **after}, hole)
            except Broken as broken:
                why, deepest = (str(broken), hole) if hole >= deepest else (why, deepest)
                continue
            whole = [(hole, after)] + more
            if following is None:
                places = {id(entry[4]): entry[2] for entry in stack}
                yield [step for entry in stack for step in entry[1]] + whole, places
                failed.clear()  # the order was not good: the next may be, whatever its marks
                continue
            mark = self.mark(following, beyond)
            if mark not in failed:
                failed.add(mark)
                choices = self.choices(beyond, following)
                if not choices and following > deepest:
                    why, deepest = self.no_one(following), following
                stack.append([beyond, whole, following, choices, None])
        raise Broken(why)

    def no_one(self, hole):
        lines = [f"revision {hole} belongs to no request; lost ones:"] + [f"{call}" for call in self.lost[:20]]
        for revision in (hole - 1, hole + 1):
            if revision in self.known:
                lines.append(f"revision {revision}: {self.known[revision]}")
        return "\n".join(lines)


def running(choose, numbers, start):
    """start, and after every number the least or greatest so far."""
    found = [start]
    for number in numbers:
        found.append(choose(found[-1], number))
    return found


# --- one complete order ----------------------------------------------------------------------------------------------

class Order:
    """The states of all variables along one order of the writes, and whether every call finds a place in it."""

    def __init__(self, first, states, trail, places):
        self.first = first
        self.places = places  # of lost calls
        self.path = {variable: [state] for variable, state in states.items()}
        for _, after in trail:
            for variable, state in after.items():
                self.path[variable].append(state)
        self.revisions = {variable: [first if index == 0 else state.revision for index, state in enumerate(path)]
                          for variable, path in self.path.items()}

    def index(self, variable, place):
        return bisect.bisect_right(self.revisions[variable], place) - 1

    def at(self, variables, place):
        return {variable: self.path[variable][self.index(variable, place)] for variable in variables}

    def place_of_read(self, call):
        """The earliest place not before its floor where its reply is right."""
        variables = set(call.seen) | {entry[0] for entry in call.require + call.below}
        place, why = call.floor, "nothing fits"
        if call.at is not None:
            if call.at < place:
                raise Broken(f"it shows revision {call.at}, but {place} was known before it began:\n{call}")
            place = call.at
        while True:
            states = self.at(variables, place)
            no = contradiction(call.seen, states, f"at revision {place}")
            if no is None and call.outcome == "refused" and objection(call, states) is None:
                no = f"it was refused, and would not have been at revision {place}"
            if no is None:
                return place
            why = why if why != "nothing fits" else no
            later = [self.revisions[v][self.index(v, place) + 1] for v in variables
                     if self.index(v, place) + 1 < len(self.revisions[v])]
            if call.at is not None or not later:
                raise Broken(f"{why}:\n{call}")
            place = min(later)

    def place(self, call):
        """Of a call that has one; None of a lost one that never happened."""
        if not call.change or call.outcome == "refused":
            return self.place_of_read(call)
        place = self.places.get(id(call)) if call.outcome == "lost" else call.revision
        if place is not None and place <= call.floor:
            raise Broken(f"it has revision {place}, but {call.floor} was known before it began:\n{call}")
        return place

    def check(self, calls):
        """Goes through all in the order of time; what begins and ends at the same moment is at the same time."""
        events = [(call.begin, 0, index) for index, call in enumerate(calls)]
        events += [(call.end, 1, index) for index, call in enumerate(calls) if call.end != INFINITE]
        floor = self.first
        for _, ended, index in sorted(events):
            call = calls[index]
            if not ended:
                call.floor = floor
            else:
                floor = max(floor, self.place(call) or 0)
        for call in calls:
            if call.end == INFINITE:
                self.place(call)


def check(calls, states, first):
    """Raises Broken or Undecided. `states` ({variable: State}) are those before all of it, at revision `first`. Returns how
    many lost writes were done after all."""
    calls = [call for call in calls if call.change or call.outcome != "lost"]
    search, tried, why = Search(calls, first, states), 0, None
    try:
        for trail, places in search.orders():
            try:
                Order(first, states, trail, places).check(calls)
                return len(places)
            except Broken as broken:
                why, tried = why or broken, tried + 1
            if tried >= ORDERS_MAX:
                raise Undecided(f"{tried} orders tried; the first fails thus: {why}")
    except Broken as broken:
        # What is wrong with an order that gives every revision a write says more than that there is no other.
        raise why or broken from None
    raise why
