"""A real training run: four worker processes compute gradients of a net that reads digits, the server takes the steps. Also with
the server killed in the middle: then as many steps are taken, and none twice."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time

import digits
import formats
import session

np = formats.np
WORKERS = 4
STALE = 4
RATE, SYNC_RATE, DECAY = 0.01, 0.03, 0.1  # the learning rate, and how much of it is left at the end
GOOD = 0.95


def prepare(s, steps, rate=RATE):
    """The weights at the start. The learning rate falls with the step."""
    for name, shape in digits.WEIGHTS.items():
        s.create(name, {"op": "glorot_uniform_initializer", "shape": shape, "seed": 7} if len(shape) == 2 else
                 {"op": "zeros", "shape": shape})
    s.create("global_step", {"op": "zeros", "shape": [], "dtype": "int64"}, trainable=False)
    s.put("optimizers/adam", {"type": "adam", "learning_rate": {
        "op": "exponential_decay", "learning_rate": rate, "global_step": {"variable": "global_step"}, "decay_steps": steps,
        "decay_rate": DECAY}}).expect(201)
    s.initialize()
    return read(s)


def tell_address(s):
    with open(os.path.join(s.server.root, "address.new"), "w", encoding="ascii") as file:
        file.write(f"{s.server.host}:{s.server.port}")
    os.rename(file.name, where(s))


def where(s):
    return os.path.join(s.server.root, "address")


def pushed(s):
    """The folder where the workers leave their gradients."""
    return os.path.join(s.server.root, f"pushed-{s.model}")


@contextlib.contextmanager
def workers(s, steps, *more):
    """Processes of digits.py on this model, and {worker: its lines} once all have ended."""
    tell_address(s)
    os.mkdir(pushed(s))
    command = [sys.executable, digits.__file__, "--where", where(s), "--keep", pushed(s), "--model", f"/v1/models/{s.model}",
               "--steps", str(steps), *more]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    running = [subprocess.Popen(command + ["--worker", str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=environment, preexec_fn=session.die_with_parent) for number in range(WORKERS)]
    lines = {}
    try:
        yield running, lines
        for number, worker in enumerate(running):
            said, wrong = worker.communicate()
            assert worker.returncode == 0, f"worker {number}: {wrong[-2000:]}"
            lines[number] = [json.loads(line) for line in said.splitlines()]
    finally:
        for worker in running:
            worker.kill()
            worker.wait()
            worker.stdout.close()
            worker.stderr.close()


def kill_now_and_then(s, running, total, kills, seed):
    """Each time at some moment after its part of the steps; the workers find the next server by its address."""
    source = random.Random(seed)
    for number in range(1, kills + 1):
        while s.value("global_step") < total * number // (kills + 1):
            if any(worker.poll() for worker in running):
                return  # one has failed: it will tell
            time.sleep(0.005)
        time.sleep(source.random() * 0.03)
        s.kill9()
        time.sleep(source.random() * 0.05)
        s.restart()
        tell_address(s)


def everything(s):
    """{variable: bytes}, slots and powers among them."""
    tensors, _ = formats.safetensors_read(s.get("values?format=safetensors").expect(200).body)
    return {name: data for name, (_, _, data) in tensors.items()}


def is_what_they_make(weights, start, pushes, rate=RATE):
    """The weights are what numpy makes of the same gradients in the same order."""
    adam = digits.Adam(start)
    for step, found in enumerate(pushes):
        adam.step(found, rate * DECAY ** (step / len(pushes)))
    for name, value in weights.items():
        assert np.allclose(value, adam.weights[name], rtol=1e-5, atol=1e-6), (name, np.abs(value - adam.weights[name]).max())


def is_trained(s, weights, steps):
    reached = digits.accuracy(weights, *digits.data()[1])
    assert reached >= (0.8 if s.slow else GOOD), f"{reached:.3f} of the test digits are read"
    assert s.value("global_step") == steps
    # Adam multiplies its powers once a step: they count too.
    for name, beta in (("beta1_power", 0.9), ("beta2_power", 0.999)):
        power, expected = s.value(name), float(beta) ** (steps + 1)
        assert abs(power - expected) <= 1e-4 * expected + 1e-37, (name, power, expected)
    for name in digits.WEIGHTS:
        assert s.info(name)["version"] == steps + 1, s.info(name)
        for slot in (f"{name}/Adam", f"{name}/Adam_1"):
            assert s.info(slot)["version"] == steps + 1 and not s.info(slot)["trainable"], s.info(slot)


def read(s):
    return {name: s.array(name) for name in digits.WEIGHTS}


def check_async(s, lines, start, each):
    """Every push that was acknowledged is one step, and every step one push."""
    steps = sorted((line["global_step"], worker, line["step"]) for worker, said in lines.items() for line in said[:-1])
    assert [step for step, _, _ in steps] == list(range(1, WORKERS * each + 1)), steps
    revisions = [line["revision"] for said in lines.values() for line in sorted(said[:-1], key=lambda l: l["global_step"])]
    assert len(set(revisions)) == len(revisions)
    assert all(0 <= line["staleness"] <= STALE for said in lines.values() for line in said[:-1])
    weights = read(s)
    is_what_they_make(weights, start, [digits.kept(pushed(s), worker, step) for _, worker, step in steps])
    is_trained(s, weights, WORKERS * each)


def mean_of(s, step):
    found = [digits.kept(pushed(s), worker, step) for worker in range(WORKERS)]
    return {name: sum(each[name] for each in found) / np.float32(WORKERS) for name in digits.WEIGHTS}


def steps_each(s):
    return 30 if s.slow else 120


def test_asynchronous_training(s):
    each = steps_each(s)
    start = prepare(s, WORKERS * each)
    with workers(s, each, "--stale", str(STALE)) as (_, lines):
        pass
    check_async(s, lines, start, each)
    assert all(said[-1] == {"again": 0} for said in lines.values())


def test_asynchronous_training_with_kills_takes_every_step_once(s):
    each = steps_each(s)
    start = prepare(s, WORKERS * each)
    with workers(s, each, "--stale", str(STALE)) as (running, lines):
        kill_now_and_then(s, running, WORKERS * each, 3, 5)
    check_async(s, lines, start, each)
    assert all(said[-1]["again"] > 0 for said in lines.values()), "nobody noticed the kills"


def test_synchronous_training_is_the_same_with_and_without_kills(s):
    """Four gradients make a step. They add up exactly (digits.GRAIN), so that their order does not matter."""
    steps, model, found = 30 if s.slow else 80, s.model, []
    for kills in (0, 3):
        s.model = f"{model}-{kills}"
        s.put("", {}).expect(201)
        start = prepare(s, steps, SYNC_RATE)
        with workers(s, steps, "--replicas", str(WORKERS), "--batch", "50") as (running, lines):
            kill_now_and_then(s, running, steps, kills, 6)
        for step in range(steps):
            said = [lines[number][step] for number in range(WORKERS)]
            assert {line["global_step"] for line in said} == {step + 1}, said
        weights = read(s)
        is_what_they_make(weights, start, [mean_of(s, step) for step in range(steps)], SYNC_RATE)
        is_trained(s, weights, steps)
        found.append(everything(s))
    assert found[0].keys() == found[1].keys()
    for name, data in found[0].items():
        assert data == found[1][name], f"{name} is another one after kills"
