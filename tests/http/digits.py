#!/usr/bin/python3
"""A small real training run: the digits of the UCI set "Optical Recognition of Handwritten Digits" as scikit-learn carries it,
and a net of two layers whose weights are on the server. As a program it is one worker: it reads the weights over plain HTTP,
computes gradients with numpy and pushes them, and says one line of JSON for every push that was acknowledged."""

import argparse
import base64
import gzip
import http.client
import json
import os
import sys
import time

import numpy as np

import formats

# In Debian's package python3-sklearn: 1797 rows of 64 pixels from 0 to 16, and the digit.
DATA = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"
TESTED = 360  # rows that are not trained with
HIDDEN = 64
WEIGHTS = {"hidden/w": [64, HIDDEN], "hidden/b": [HIDDEN], "out/w": [HIDDEN, 10], "out/b": [10]}
BROKEN = (OSError, http.client.HTTPException)
# Gradients are rounded to multiples of this. They are below 2^6, so four of them add up exactly in float32, whatever their order.
GRAIN = 2.0 ** -16


def data():
    """(pixels, digits) to train with, (pixels, digits) to test with; the same every time."""
    table = np.loadtxt(gzip.open(DATA), delimiter=",", dtype="<f4")
    table = table[np.random.RandomState(1).permutation(len(table))]
    pixels, digits = table[:, :64] / 16, table[:, 64].astype(int)
    return (pixels[TESTED:], digits[TESTED:]), (pixels[:TESTED], digits[:TESTED])


def forward(weights, pixels):
    hidden = np.maximum(pixels @ weights["hidden/w"] + weights["hidden/b"], 0)
    return hidden, hidden @ weights["out/w"] + weights["out/b"]


def gradients(weights, pixels, digits):
    """Of the mean cross-entropy."""
    hidden, scores = forward(weights, pixels)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = scores / scores.sum(axis=1, keepdims=True)
    error[np.arange(len(digits)), digits] -= 1
    error /= len(digits)
    back = (error @ weights["out/w"].T) * (hidden > 0)
    found = {"hidden/w": pixels.T @ back, "hidden/b": back.sum(axis=0), "out/w": hidden.T @ error, "out/b": error.sum(axis=0)}
    return {name: (np.round(value / GRAIN) * GRAIN).astype("<f4") for name, value in found.items()}


def accuracy(weights, pixels, digits):
    return float((forward(weights, pixels)[1].argmax(axis=1) == digits).mean())


class Adam:
    """The steps that the server should have taken, in float32 and as TensorFlow takes them."""

    def __init__(self, weights):
        self.weights = {name: value.copy() for name, value in weights.items()}
        self.first = {name: np.zeros_like(value) for name, value in weights.items()}
        self.second = {name: np.zeros_like(value) for name, value in weights.items()}
        self.beta1, self.beta2, self.epsilon = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
        self.power1, self.power2 = self.beta1, self.beta2

    def step(self, found, learning_rate):
        one = np.float32(1)
        rate = np.float32(learning_rate) * np.sqrt(one - self.power2) / (one - self.power1)
        for name, value in found.items():
            self.first[name] += (value - self.first[name]) * (one - self.beta1)
            self.second[name] += (value * value - self.second[name]) * (one - self.beta2)
            self.weights[name] -= rate * self.first[name] / (np.sqrt(self.second[name]) + self.epsilon)
        self.power1, self.power2 = self.power1 * self.beta1, self.power2 * self.beta2


# --- a worker --------------------------------------------------------------------------------------------------------

class Server:
    """The server as a worker sees it: an address in a file, that is another one after a restart."""

    def __init__(self, where):
        self.where = where
        self.connection = None
        self.again = 0  # requests that had to be repeated

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body), asked again until there is a reply. Writes carry a key, so that this does nothing twice."""
        while True:
            try:
                if self.connection is None:
                    with open(self.where, encoding="ascii") as file:
                        self.connection = http.client.HTTPConnection(file.read().strip(), timeout=60)
                self.connection.request(method, path, body, headers or {})
                reply = self.connection.getresponse()
                found = reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
                if found[0] != 409:  # else the first one is still running
                    return found
            except BROKEN:
                if self.connection is not None:
                    self.connection.close()
                self.connection = None
            self.again += 1
            time.sleep(0.02)


def read_weights(server, model):
    """{name: array}, global_step and the revision that they are of."""
    names = ",".join([*WEIGHTS, "global_step"])
    status, headers, body = server.request("GET", f"{model}/values?names={names}&format=safetensors")
    assert status == 200, body
    found = {name: np.frombuffer(data, formats.NUMPY[dtype]).reshape(shape)
             for name, (dtype, shape, data) in formats.safetensors_read(body)[0].items()}
    return found, int(found.pop("global_step")), int(headers["tensorkeep-revision"])


def in_json(found, more):
    """The body and its type: tensors in base64."""
    tensors = {name: {"dtype": "float32", "shape": list(value.shape), "base64": base64.b64encode(value.tobytes()).decode()}
               for name, value in found.items()}
    return json.dumps({"gradients": tensors, **more}).encode(), "application/json"


def in_safetensors(found, more):
    """The same as a file of tensors, the rest as its metadata."""
    return formats.safetensors_write(
        {name: ("float32", list(value.shape), value.tobytes()) for name, value in found.items()},
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in more.items()},
    ), "application/vnd.safetensors"


def push(server, options, encode, found, key, more):
    """The reply to these gradients, and whether it was told before."""
    body, kind = encode(found, {"global_step": "global_step", **more})
    status, headers, body = server.request("POST", f"{options.model}/optimizers/{options.optimizer}:apply_gradients", body, {
        "Content-Type": kind, "Idempotency-Key": f"{options.model}-{options.worker}-{key}", "Prefer": "wait=10"})
    return status, json.loads(body), "idempotency-replayed" in headers


def batch(rows, options, step):
    """The same rows whenever this worker comes to this step."""
    pixels, digits = rows
    chosen = np.random.RandomState(1000 * options.worker + step).randint(0, len(pixels), options.batch)
    return pixels[chosen], digits[chosen]


def keep(options, step, pushed):
    np.savez(os.path.join(options.keep, f"{options.worker}-{step}.npz"), **pushed)


def kept(folder, worker, step):
    with np.load(os.path.join(folder, f"{worker}-{step}.npz")) as file:
        return {name: file[name] for name in WEIGHTS}


def train_async(server, options, rows, step):
    """With weights that others change meanwhile, but not too much: what is too stale is computed again."""
    tries = 0
    while True:
        weights, _, revision = read_weights(server, options.model)
        pushed = gradients(weights, *batch(rows, options, step))
        keep(options, step, pushed)
        status, reply, replayed = push(server, options, in_json, pushed, f"{step}-{tries}",
                                       {"base_revision": revision, "max_staleness": options.stale})
        if status == 200:
            return {**reply, "replayed": replayed, "stale": tries}
        assert status == 412, reply
        tries += 1


def train_sync(server, options, rows, step):
    """With weights of exactly this step; the reply comes when all workers have pushed theirs."""
    weights, found, _ = read_weights(server, options.model)
    assert found == step, f"worker {options.worker} is at step {step}, global_step is {found}"
    pushed = gradients(weights, *batch(rows, options, step))
    keep(options, step, pushed)
    while True:
        status, reply, replayed = push(server, options, in_safetensors, pushed, str(step),
                                       {"accumulate": {"replicas": options.replicas, "key": f"step-{step}"}})
        if status == 200:
            return {**reply, "replayed": replayed}
        assert status == 202, reply
        while found == step:  # counted, but the others were not there within the wait
            time.sleep(0.05)
            found = read_weights(server, options.model)[1]
        return {**reply, "global_step": step + 1, "replayed": replayed}


def main():
    parser = argparse.ArgumentParser(description="a worker that trains a net whose weights are on the server")
    parser.add_argument("--where", required=True, help="the file with the server's address")
    parser.add_argument("--model", required=True, help="the model's path")
    parser.add_argument("--keep", required=True, help="the folder where gradients are left, too")
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--stale", type=int, default=4, help="applies of others that may come in between")
    parser.add_argument("--replicas", type=int, default=0, help="synchronous, with so many workers")
    options = parser.parse_args()
    (rows, _), server = data(), Server(options.where)
    train = train_sync if options.replicas else train_async
    for step in range(options.steps):
        print(json.dumps({"step": step, **train(server, options, rows, step)}), flush=True)
    print(json.dumps({"again": server.again}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
