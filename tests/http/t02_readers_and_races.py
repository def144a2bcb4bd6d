"""Readers beside long updates, and conditional writers that race: reads never wait and are never torn, one of the racers wins."""

import threading
import time

import formats
from e02_at_once import together

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}
CLIENTS = 16


def big(s):
    """Elements of 64 MiB of float32; fewer under slow tools."""
    return (64 << 20) // 4 // (8 if s.slow else 1)


def test_reads_go_on_while_a_long_update_runs(s):
    count = big(s)
    s.create("w", {"op": "fill", "dims": [count], "value": 1.0})
    s.initialize()
    s.make("small", 7.0)
    writer, done, spans, reads = s.another_client(), threading.Event(), [], []

    def write():
        """Until some reads have begun and ended while one update ran: however slow the machine, then nothing waited."""
        try:
            for times in range(1, 40):
                began = time.monotonic()
                writer.request("POST", s.path("variables/w:assign"), {"value": {"op": "multiply", "args": [
                    {"op": "sqrt", "args": [{"op": "square", "args": [{"variable": "w"}]}]}, 2.0]}} if times % 2 else {
                        "value": {"op": "fill", "dims": [count], "value": 1.0}}).expect(200)
                spans.append((began, time.monotonic()))
                if times >= 4 and sum(1 for read in list(reads) if inside(read, spans)) >= 10:
                    break
        finally:
            done.set()

    def read_small(http):
        while not done.is_set():
            began = time.monotonic()
            assert http.request("GET", s.path("variables/small:value")).expect(200).json["data"] == 7.0
            reads.append((began, time.monotonic()))

    def read_slices(http):
        """Of the variable that is being written: a piece of the old value or of the new one."""
        while not done.is_set():
            began = time.monotonic()
            at = count // 3
            reply = http.request("GET", s.path(f"variables/w:value?format=raw&slice={at}:{at + 100000}")).expect(200)
            assert reply.body in (ones, twos), "neither the old value nor the new one"
            reads.append((began, time.monotonic()))

    def read_whole(http):
        last = 0
        while not done.is_set():
            reply = http.request("GET", s.path("variables/w:value?format=raw")).expect(200)
            values = np.frombuffer(reply.body, "<f4")
            assert values[0] in (1.0, 2.0) and (values == values[0]).all(), "two values in one reply"
            revision = int(reply.etag.split("-")[0].strip('"r'))
            assert revision >= last, "time went backwards"
            last = revision

    ones, twos = np.ones(100_000, "<f4").tobytes(), np.full(100_000, 2, "<f4").tobytes()
    readers = [s.another_client() for _ in range(4)]
    works = [write] + [lambda r=r, c=c: r(c) for r, c in zip((read_small, read_small, read_slices, read_whole), readers)]
    together(len(works), lambda index: works[index](), done)
    assert sum(1 for read in reads if inside(read, spans)) >= 10, "no read ended before the update it met"


def inside(read, spans):
    return any(begin < read[0] and read[1] < end for begin, end in spans)


def test_writers_do_not_wait_for_a_reader_that_stalls(s):
    count = big(s)
    s.put_npy("w", np.ones(count, "<f4"))
    with s.socket(receive_buffer=65536) as raw:
        raw.send(f"GET {s.path('variables/w:value?format=raw')} HTTP/1.1\r\nHost: {s.server.host}:{s.server.port}\r\n\r\n".encode())
        raw.more()
        for _ in range(3):
            s.post("variables/w:assign_add", {"value": {"op": "fill", "dims": [count], "value": 1.0}}).expect(200)
        reply = raw.reply()
        assert reply.status == 200 and reply.body == np.ones(count, "<f4").tobytes(), "the value it began with"
    assert s.value("w", slice="0") == 4.0


def test_large_updates_of_different_variables_at_once(s):
    count, times = big(s) // 16, 6
    names = [f"w{index}" for index in range(6)]
    for name in names:
        s.create(name, {"op": "fill", "dims": [count], "value": 0.0})
    s.initialize()
    clients = [s.another_client() for _ in names]

    def work(index):
        for _ in range(times):
            clients[index].request("POST", s.path(f"variables/{names[index]}:assign_add"), {
                "value": {"op": "fill", "dims": [count], "value": float(index + 1)}}).expect(200)

    together(len(names), work)
    for index, name in enumerate(names):
        assert (s.array(name) == times * (index + 1)).all()
        assert s.info(name)["version"] == times + 1


def test_small_updates_let_a_large_one_pass(s):
    """It is computed ahead of its commit, and each of them made it start again."""
    count, done = big(s) // 16, threading.Event()
    s.create("w", {"op": "fill", "dims": [count], "value": 0.0})
    s.make("steps", [0.0])
    s.initialize(variables=["w"])
    asked = [("steps", "assign_add", {"value": [1.0]}), ("w", "scatter_add", {"indices": [5], "updates": [1.0]})]
    clients, small = [s.another_client() for _ in range(3)], [0, 0]
    ones = {"op": "fill", "dims": [count], "value": 1.0}
    ops = [{"op": "assign_add", "variable": "w", "value": ones}, {"op": "assign_add", "variable": "steps", "value": [1.0]}]

    def work(index):
        if index == 2:
            try:
                for _ in range(10):
                    clients[2].request("POST", s.path(":run"), {"ops": ops, "fetches": {"s": {"variable": "steps"}}}).expect(200)
            finally:
                done.set()
            return
        name, verb, body = asked[index]
        while not done.is_set():
            clients[index].request("POST", s.path(f"variables/{name}:{verb}"), body).expect(200)
            small[index] += 1

    together(3, work)
    value = s.array("w")
    assert value[0] == 10 and value[5] == 10 + small[1] and s.value("steps") == [10 + small[0]]


# --- races -----------------------------------------------------------------------------------------------------------

def race(s, rounds, begin, ask):
    """In every round 16 clients ask at the same moment: [[replies], …]. begin() once before each round gives what
    ask(client, index, it) needs; it returns the reply."""
    clients = [s.another_client() for _ in range(CLIENTS)]
    ready, found, given = threading.Barrier(CLIENTS, timeout=50 * s.patience), [[] for _ in range(rounds)], [None]

    def work(index):
        try:
            for number in range(rounds):
                if index == 0:
                    given[0] = begin()
                ready.wait()
                found[number].append((index, ask(clients[index], index, given[0])))
                ready.wait()
        except BaseException:
            ready.abort()
            raise

    together(CLIENTS, work)
    return found


def one_winner(replies, good=(200,)):
    """(index of the winner, its reply); all others have lost with 412."""
    won = [(index, reply) for index, reply in replies if reply.status in good]
    lost = [reply for _, reply in replies if reply.status == 412]
    assert len(won) == 1 and len(lost) == len(replies) - 1, "\n".join(str(reply) for _, reply in replies)
    for reply in lost:
        assert reply.code == "PRECONDITION_FAILED", str(reply)
    return won[0]


def test_one_compare_and_set_wins_in_every_round(s):
    for count, rounds in ((1, 20), (1000, 10), (100_000, 5)):
        s.put_npy("n", np.zeros(count, "<i8"))
        before = s.info("n")["version"]

        def ask(http, index, tag, count=count):
            body = np.full(count, index, "<i8").tobytes()
            return http.request("PUT", s.path("variables/n:value"), body, {**RAW, "If-Match": tag})

        values = []

        def begin():
            values.append(int(s.array("n")[0]))
            return s.get("variables/n").etag

        for number, replies in enumerate(race(s, rounds, begin, ask)):
            winner, reply = one_winner(replies)
            for _, lost in replies:
                if lost.status == 412:
                    assert lost.etag.split("-")[0].strip('"') == f"r{reply.revision}", f"{lost}\nthe winner:\n{reply}"
            if number + 1 < rounds:
                assert values[number + 1] == winner
        array = s.array("n")
        assert (array == array[0]).all() and s.info("n")["version"] == before + rounds
        s.delete("variables/n")


def test_one_update_by_verb_wins_and_the_others_change_nothing(s):
    s.make("n", [0, 0], "int64")

    def ask(http, index, tag):
        verb = ("assign_add", "assign_sub", "assign", "assign_add")[index % 4]
        return http.request("POST", s.path(f"variables/n:{verb}"), {"value": [index + 1, index + 1]}, {"If-Match": tag})

    expected = 0
    for replies in race(s, 15, lambda: s.get("variables/n").etag, ask):
        winner, _ = one_winner(replies)
        expected = {0: expected + winner + 1, 1: expected - winner - 1, 2: winner + 1, 3: expected + winner + 1}[winner % 4]
    assert s.value("n") == [expected, expected]


def test_one_run_with_a_requirement_wins(s):
    """One tells the version, another the revision; what the losers would have done to other variables is not there."""
    s.make("n", 0, "int64")
    for index in range(CLIENTS):
        s.make(f"by/{index}", 0, "int64")

    def ask(http, index, seen):
        field = "version" if index % 2 else "revision"
        return http.request("POST", s.path(":run"), {"require": [{"variable": "n", field: seen[field]}], "ops": [
            {"op": "assign_add", "variable": f"by/{index}", "value": 1}, {"op": "assign_add", "variable": "n", "value": 1}]})

    won = [0] * CLIENTS
    for replies in race(s, 15, lambda: s.info("n"), ask):
        winner, _ = one_winner(replies)
        won[winner] += 1
    assert s.value("n") == 15 and [s.value(f"by/{index}") for index in range(CLIENTS)] == won


def test_one_creation_wins(s):
    def begin():
        begin.number += 1
        return begin.number

    begin.number = 0

    def ask(http, index, number):
        return http.request("PUT", s.path(f"variables/v{number}"), np.full(3, index, "<f4").tobytes(), {
            **RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "3", "If-None-Match": "*"})

    for number, replies in enumerate(race(s, 10, begin, ask), 1):
        winner, _ = one_winner(replies, (201,))
        assert s.value(f"v{number}") == [winner] * 3


def test_one_deletion_wins(s):
    def begin():
        s.make("n", 0, "int64")
        return s.get("variables/n").etag

    def ask(http, _, tag):
        return http.request("DELETE", s.path("variables/n"), None, {"If-Match": tag})

    for replies in race(s, 10, begin, ask):
        won = [reply for _, reply in replies if reply.status == 200]
        lost = [reply for _, reply in replies if reply.status in (404, 412)]
        assert len(won) == 1 and len(lost) == CLIENTS - 1, "\n".join(str(reply) for _, reply in replies)


def test_a_loop_of_compare_and_set_loses_no_update(s):
    """16 clients that look, add and try again until they win."""
    s.make("n", 0, "int64")
    clients = [s.another_client() for _ in range(CLIENTS)]
    each = 3 if s.slow else 8

    def work(index):
        http = clients[index]
        reply = http.request("GET", s.path("variables/n:value")).expect(200)
        tag, value, done = reply.etag, reply.json["data"], 0
        while done < each:
            got = http.request("PUT", s.path("variables/n:value"), value + 1, {"If-Match": tag})
            assert got.status in (200, 412), str(got)
            done += got.status == 200
            reply = http.request("GET", s.path("variables/n:value")).expect(200)
            tag, value = reply.etag, reply.json["data"]

    together(CLIENTS, work)
    assert s.value("n") == CLIENTS * each and s.info("n")["version"] == CLIENTS * each + 1
