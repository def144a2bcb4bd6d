"""Contributions that wait for the others, that are said again, that meet kills."""

import threading
import time

import formats
from accumulating import RATE, Asked, contribute, is_whole, key, look, prepare, until_there_are, wait, waiting

np = formats.np


# --- waiting -------------------------------------------------------------------------------------

def test_who_waits_is_told_of_the_step(s):
    prepare(s)
    asked = [waiting(s, "k", 4, [i, i, i], 30) for i in range(3)]
    until_there_are(s, "k", 3)
    looking = Asked(s, lambda c: c.request("GET", s.path("optimizers/o/accumulations/k?wait=30")))
    begin = time.monotonic()
    last = contribute(s, "k", 4, [3, 3, 3]).expect(200).json
    replies = [each.answer().expect(200) for each in asked]
    seen = looking.answer().expect(200).json
    assert time.monotonic() - begin < 5 * s.patience
    for reply in replies:
        assert reply.headers["preference-applied"] == "wait=30"
        assert "location" not in reply.headers
        assert {"revision": last["revision"], "global_step": 1, "applied": True, "accumulated": 4,
                "optimizer": "o"}.items() <= reply.json.items()
    assert seen["applied"] is True and seen["revision"] == last["revision"]
    # whoever comes later does not wait
    assert contribute(s, "k", 4, [1, 1, 1], headers=wait(30)).expect(200).json["dropped"] is True


def test_the_time_is_over_some_day(s):
    prepare(s)
    begin = time.monotonic()
    reply = contribute(s, "k", 2, [1, 1, 1], headers=wait(1)).expect(202)
    assert 0.9 < time.monotonic() - begin < 10 * s.patience
    assert reply.json["accumulated"] == 1 and reply.headers["preference-applied"] == "wait=1"
    assert reply.headers["location"].endswith("/accumulations/k")
    assert look(s, "k", "?wait=1").expect(200).json["applied"] is False
    # nothing that can be read: not asked for
    for odd in ("wait=soon", "wait", "wait=-1", "respond-async"):
        reply = contribute(s, f"odd-{len(odd)}", 2, [1, 1, 1], headers={"Prefer": odd}).expect(202)
        assert "preference-applied" not in reply.headers
    both = contribute(s, "k", 2, [1, 1, 1], headers={"Prefer": "durability=commit, wait=5"}).expect(200)
    assert both.headers["preference-applied"].split(", ") == ["wait=5", "durability=commit"]


def test_those_who_wait_hold_no_thread(s):
    with s.other_server("--worker-threads", "2") as other:
        prepare(other)
        asked = [waiting(other, "k", 21, [1, 1, 1], 60) for _ in range(20)]
        until_there_are(other, "k", 20)
        contribute(other, "k", 21, [1, 1, 1]).expect(200)
        assert {each.answer().status for each in asked} == {200}
        assert other.array("w").tolist() == [0.5, 1.5, 2.5]


def test_what_is_dropped_is_told_to_those_who_wait(s):
    prepare(s)
    asked = waiting(s, "k", 2, [1, 1, 1], 30)
    until_there_are(s, "k", 1)
    s.delete("optimizers/o/accumulations/k").expect(200)
    s.is_refusal(asked.answer(), 409, "ABORTED", ["'k'", "dropped"])


def test_a_stopping_server_answers_those_who_wait(s):
    prepare(s)
    asked = waiting(s, "k", 2, [1, 1, 1], 60)
    until_there_are(s, "k", 1)
    assert s.server.stop() == 0
    assert asked.answer().expect(202).json["accumulated"] == 1
    s.restart()
    contribute(s, "k", 2, [1, 1, 1]).expect(200)
    assert s.array("w").tolist() == [0.5, 1.5, 2.5]


# --- said again ----------------------------------------------------------------------------------

def test_a_contribution_that_is_said_again_counts_once(s):
    prepare(s)
    first = contribute(s, "k", 3, [1, 1, 1], headers=key("a")).expect(202)
    with s.unchanged():
        again = contribute(s, "k", 3, [1, 1, 1], headers=key("a")).expect(202)
    assert again.headers["idempotency-replayed"] == "true" and again.body == first.body
    s.kill9()
    s.restart()
    with s.unchanged():
        again = contribute(s, "k", 3, [1, 1, 1], headers=key("a")).expect(202)
    assert again.body == first.body
    contribute(s, "k", 3, [2, 2, 2], headers=key("b")).expect(202)
    last = contribute(s, "k", 3, [3, 3, 3], headers=key("c")).expect(200)
    with s.unchanged():
        assert contribute(s, "k", 3, [3, 3, 3], headers=key("c")).expect(200).body == last.body
        late = contribute(s, "k", 3, [3, 3, 3]).expect(200)
    assert late.json["dropped"] is True
    kept = contribute(s, "k", 3, [4, 4, 4], headers=key("d")).expect(200)
    assert kept.json["dropped"] is True and kept.json["revision"] == last.json["revision"]
    assert s.array("w").tolist() == [0, 1, 2] and s.value("step") == 1


def test_who_waited_and_asks_again_waits_again(s):
    prepare(s)
    asked = waiting(s, "k", 2, [1, 1, 1], 60, headers=key("waits-a"))
    until_there_are(s, "k", 1)
    # while the first still waits, and after a kill
    again = waiting(s, "k", 2, [1, 1, 1], 60, headers=key("waits-a"))
    time.sleep(0.2)
    assert again.is_alive() and look(s, "k").json["accumulated"] == 1
    s.kill9()
    for each in (asked, again):
        each.join()
    s.restart()
    again = waiting(s, "k", 2, [1, 1, 1], 60, headers=key("waits-a"))
    time.sleep(0.2)
    last = contribute(s, "k", 2, [3, 3, 3], headers=key("waits-b")).expect(200).json
    reply = again.answer().expect(200)
    assert reply.json["revision"] == last["revision"] and reply.json["global_step"] == 1
    assert reply.headers["idempotency-replayed"] == "true"
    assert reply.headers["preference-applied"] == "wait=60"
    assert s.array("w").tolist() == [0, 1, 2]


# --- four workers, and kills ---------------------------------------------------------------------

def test_four_workers_step_together_whatever_dies(s):
    """Every step is the average of its four gradients, each applied once, over kills in the middle."""
    workers, steps, kills = 4, 30, 3
    prepare(s)
    rng = np.random.default_rng(9)
    gradients = rng.standard_normal([steps, workers, 3]).astype("f4")
    failed = []

    def work(number):
        client, step = s.another_client(), 0
        client.again = False
        while step < steps:
            try:
                reply = contribute(s, f"step-{step}", workers, gradients[step][number].tolist(), worker=f"w{number}",
                                   client=client, headers=key(f"{step}-{number}", **wait(10)))
            except OSError:
                client.close()
                time.sleep(0.02)
                client.port = s.server.port
                continue
            if reply.status == 202 or (reply.status == 409 and reply.code == "ABORTED"):
                continue
            if reply.status != 200 or reply.json["global_step"] != step + 1:
                failed.append(str(reply))
                return
            step += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
    for each in threads:
        each.start()
    for i in range(kills):
        end = time.monotonic() + 30 * s.patience
        while time.monotonic() < end and not failed:
            try:
                if s.client.request("GET", s.path("variables/step:value")).json["data"] >= (i + 1) * steps // (kills + 1):
                    break
            except OSError:
                s.client.close()
            time.sleep(0.005)
        s.server.kill9()
        s.server.start()
        s.client.close()
        s.client.port = s.server.port
    for each in threads:
        each.join()
    assert not failed, failed
    assert s.value("step") == steps
    expected = np.array([1, 2, 3], "f8") - RATE * gradients.mean(axis=1).sum(axis=0)
    assert np.allclose(s.array("w"), expected, atol=1e-5)
    assert s.get("optimizers/o/accumulations").json["accumulations"] == []
    is_whole(s)
