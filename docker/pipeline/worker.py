"""A worker: reads the weights, computes gradients on its own points, pushes them. The server applies the average of all workers'
gradients once they are there, in one commit, so any worker may be killed and started again at any time."""

import json
import os
import socket
import urllib.parse

from common import MODEL, STEPS, WORKERS, arrays, connect, patiently, safetensors
import net

NAME = os.environ.get("WORKER", socket.gethostname())


def prepare(client):
    """Every worker says the same under the same Idempotency-Key: one of them makes the variables, the others hear that reply."""
    at = f"/models/{MODEL}"
    variables = [{"name": name, "initial_value": value} for name, value in net.WEIGHTS.items()]
    variables.append({"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": False})
    patiently(client.call, "PUT", at, {"seed": 1})
    patiently(client.call, "POST", f"{at}/variables", variables, Idempotency_Key=f"{MODEL}-variables")
    patiently(client.call, "POST", f"{at}:initialize", {"only_uninitialized": True})
    patiently(client.call, "PUT", f"{at}/optimizers/adam", {"type": "adam", "learning_rate": {
        "op": "exponential_decay", "learning_rate": 0.03, "global_step": {"variable": "global_step"},
        "decay_steps": 200, "decay_rate": 0.7}})


def step(client, where, arms):
    """Whether there is another one. What the weights were read at is what the contribution is to."""
    names = ",".join([*net.WEIGHTS, "global_step"])
    weights = patiently(arrays, client, f"/models/{MODEL}/values?names={names}")
    number = int(weights["global_step"])
    if number >= STEPS:
        return False
    loss, gradients = net.gradients(weights, where, arms)
    if number % 50 == 0:
        print(f"{NAME}: step {number}, loss {loss:.3f}", flush=True)
    query = urllib.parse.urlencode({"global_step": "global_step", "accumulate": json.dumps(
        {"replicas": WORKERS, "key": f"step-{number}", "worker": NAME})})
    # 202: the others are not there yet. The same contribution again is not counted twice, it waits again.
    patiently(client.call, "POST", f"/models/{MODEL}/optimizers/adam:apply_gradients?{query}", safetensors(gradients),
              Content_Type="application/vnd.safetensors", Prefer="wait=30")
    return True


def main():
    client = connect()
    prepare(client)
    where, arms = net.points(sum(NAME.encode()))
    while step(client, where, arms):
        pass
    print(f"{NAME}: done", flush=True)


if __name__ == "__main__":
    main()
