"""What the tests of accumulations share: an optimizer, and contributions in a line each."""

import threading
import time

import formats

np = formats.np
RATE = 0.5


def key(name, **more):
    return {"Idempotency-Key": name, **more}


def wait(seconds):
    return {"Prefer": f"wait={seconds}"}


def prepare(s, kind="gradient_descent", **more):
    s.put("optimizers/o", {"type": kind, "learning_rate": RATE, **more}).expect(201)
    s.make("w", [1, 2, 3])
    s.make("step", 0, "int64")


def body(name, replicas, gradient, worker=None, **more):
    accumulate = {"replicas": replicas, "key": name, **({"worker": worker} if worker else {})}
    return {"gradients": {"w": gradient}, "global_step": "step", "accumulate": accumulate, **more}


def contribute(s, *args, headers=None, client=None, **more):
    return (client or s.client).request("POST", s.path("optimizers/o:apply_gradients"), body(*args, **more), headers)


def look(s, name, query=""):
    return s.get(f"optimizers/o/accumulations/{name}{query}")


def is_whole(s):
    assert s.post("/v1:verify").expect(200).json["findings"] == 0


def mean32(gradients):
    """As TensorFlow's accumulators compute it: added up in order, then divided."""
    total = np.array(gradients[0], "f4")
    for each in gradients[1:]:
        total = total + np.array(each, "f4")
    return total / np.float32(len(gradients))


class Asked(threading.Thread):
    """A request of its own client, whose reply is there after join."""

    def __init__(self, s, ask):
        super().__init__()
        self.client, self.ask, self.reply, self.failed = s.another_client(), ask, None, None
        self.start()

    def run(self):
        try:
            self.reply = self.ask(self.client)
        except OSError as failed:
            self.failed = failed

    def answer(self):
        self.join()
        assert self.failed is None, self.failed
        return self.reply


def waiting(s, name, replicas, gradient, seconds, worker=None, headers=None):
    return Asked(s, lambda c: contribute(s, name, replicas, gradient, worker=worker, client=c,
                                         headers={**wait(seconds), **(headers or {})}))


def until_there_are(s, name, count):
    end = time.monotonic() + 20 * s.patience
    while look(s, name).status != 200 or look(s, name).json["accumulated"] < count:
        assert time.monotonic() < end
        time.sleep(0.01)
