"""Many clients at once: nothing lost, nothing torn."""

import threading

import formats

np = formats.np


def together(count, work, done=None):
    """work(index) in `count` threads; the first failure is raised here, after setting `done` for those that wait for it."""
    failures = []

    def run(index):
        try:
            work(index)
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)
            if done:
                done.set()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_eight_threads_add_up_exactly(s):
    s.create("n", {"op": "zeros", "shape": [], "dtype": "int64"})
    s.initialize()
    rounds = 20 if s.slow else 100
    clients = [s.another_client() for _ in range(8)]
    path, revisions = s.path("variables/n:assign_add"), []

    def work(index):
        for _ in range(rounds):
            reply = clients[index].request("POST", path, {"value": index + 1}).expect(200)
            revisions.append(reply.revision)

    together(8, work)
    assert s.value("n") == rounds * 36
    assert len(set(revisions)) == 8 * rounds, "every write has a revision of its own"
    assert max(revisions) - min(revisions) == 8 * rounds - 1, "and they leave no gap"
    assert s.info("n")["version"] == 8 * rounds + 1


def test_readers_see_whole_values(s):
    n = 400_000
    s.put_npy("w", np.zeros(n, "<f4"))
    rounds = 10 if s.slow else 40
    clients = [s.another_client() for _ in range(4)]
    done = threading.Event()

    def work(index):
        if index == 0:
            for k in range(1, rounds + 1):
                body = np.full(n, k, "<f4").tobytes()
                clients[0].request("PUT", s.path("variables/w:value"), body,
                                   {"Content-Type": "application/octet-stream"}).expect(200)
            done.set()
            return
        last = 0
        while not done.is_set():
            got = np.frombuffer(clients[index].request("GET", s.path("variables/w:value?format=raw")).expect(200).body, "<f4")
            assert (got == got[0]).all(), "two values in one reply"
            assert got[0] >= last, "time went backwards"
            last = got[0]

    together(4, work, done)


def test_one_reply_over_several_variables_is_one_moment(s):
    for name in ("a", "b", "c"):
        s.make(name, [0.0])
    rounds = 20 if s.slow else 100
    writer, reader = s.another_client(), s.another_client()
    done = threading.Event()

    def work(index):
        if index == 0:
            for k in range(rounds):
                stamp = np.array([k], "<f4").tobytes()
                body = formats.safetensors_write({name: ("float32", [1], stamp) for name in "abc"})
                writer.request("PUT", s.path("values"), body, {"Content-Type": "application/vnd.safetensors"}).expect(200)
            done.set()
        else:
            while not done.is_set():
                reply = reader.request("GET", s.path("values?names=a,b,c&format=safetensors")).expect(200)
                tensors, _ = formats.safetensors_read(reply.body)
                assert len({tensor[2] for tensor in tensors.values()}) == 1, tensors

    together(2, work, done)


def test_one_of_many_creations_wins(s):
    clients = [s.another_client() for _ in range(6)]
    won = []

    def work(index):
        for k in range(20):
            reply = clients[index].request("POST", s.path("variables"), {"name": f"v{k}", "initial_value": float(index)})
            assert reply.status in (201, 409), str(reply)
            if reply.status == 201:
                won.append(k)

    together(6, work)
    assert sorted(won) == list(range(20))


def test_default_names_never_collide(s):
    clients = [s.another_client() for _ in range(5)]
    names = []

    def work(index):
        for _ in range(10):
            names.append(clients[index].request("POST", s.path("variables"), {"initial_value": 1.0}).expect(201).json["name"])

    together(5, work)
    assert sorted(names) == sorted(["Variable"] + [f"Variable_{i}" for i in range(1, 50)])


def test_saving_under_load_gives_one_moment(s):
    for name in ("a", "b"):
        s.make(name, [0.0])
    writer = s.another_client()
    done = threading.Event()

    def work(index):
        if index == 0:
            for k in range(1, 60):
                body = formats.safetensors_write({name: ("float32", [1], np.array([k], "<f4").tobytes()) for name in "ab"})
                writer.request("PUT", s.path("values"), body, {"Content-Type": "application/vnd.safetensors"}).expect(200)
            done.set()
        else:
            count = 0
            while not done.is_set():
                s.save(f"c{count}")
                a = s.get(f"checkpoints/c{count}:value?tensor=a").expect(200).json["data"]
                b = s.get(f"checkpoints/c{count}:value?tensor=b").expect(200).json["data"]
                assert a == b
                count += 1

    together(2, work, done)
