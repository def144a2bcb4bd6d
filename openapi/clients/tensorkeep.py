#!/usr/bin/env python3
"""Tensorkeep from Python: the standard library and numpy.

    python3 tensorkeep.py http://127.0.0.1:7840 example

The class is the client, to be copied; below it is what it can do. A token is taken from TENSORKEEP_TOKEN.
"""

import http.client
import io
import json
import os
import struct
import sys
import time
import urllib.parse
import uuid

import numpy


class Refused(Exception):
    """The server said no, and why: problem["code"], problem["detail"] …"""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('code')}: {problem.get('detail')}")
        self.status, self.problem = status, problem


class Tensorkeep:
    """One keep-alive connection; a thread has its own."""

    def __init__(self, url, token=None, timeout=60):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=timeout)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method, path, body=None, **headers):
        """The reply, not yet read. A lost connection is tried once more: reads change nothing, and a write that must not
        be made twice carries an Idempotency-Key, by which the server knows it again."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | self.headers
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        for left in 1, 0:
            try:
                self.connection.request(method, "/v1" + urllib.parse.quote(path, safe="/:?&=,%+"), body, headers)
                reply = self.connection.getresponse()
                break
            except (ConnectionError, http.client.BadStatusLine):
                self.connection.close()
                if not left or (method == "POST" and "Idempotency-Key" not in headers):
                    raise
        if reply.status >= 400:
            raise Refused(reply.status, json.loads(reply.read()))
        return reply

    def call(self, method, path, body=None, **headers):
        """JSON goes in, JSON comes out."""
        return json.loads(self.send(method, path, body, **headers).read())

    def value(self, model, variable):
        """The variable as a numpy array."""
        reply = self.send("GET", f"/models/{model}/variables/{variable}:value", Accept="application/x-npy")
        return numpy.load(io.BytesIO(reply.read()), allow_pickle=False)

    def assign(self, model, variable, array):
        """The numpy array as the variable's value, created if it is not there."""
        file = io.BytesIO()
        numpy.save(file, array, allow_pickle=False)
        path = f"/models/{model}/variables/{variable}"
        return json.loads(self.send("PUT", path, file.getvalue(), Content_Type="application/x-npy").read())

    def changes(self, model, since):
        """What happens to a model after a revision, as it happens: {"event": "variable.changed", "name": …, "revision": …, …}. When
        the connection is lost it goes on where it was. {"event": "gap"}: look at everything again. Takes the connection: have
        one for it alone."""
        while True:
            try:
                path = f"/models/{model}/changes?feed=eventsource&since={since}"
                kind, data = "message", []
                for line in self.send("GET", path, Accept="text/event-stream"):
                    field, _, text = line.decode().rstrip("\r\n").partition(": ")
                    if field == "event":
                        kind = text
                    elif field == "id":
                        since = int(text)
                    elif field == "data":
                        data.append(text)
                    elif not field and data:
                        if kind == "gap":
                            yield {"event": "gap", **json.loads("\n".join(data))}
                        elif kind == "changes":
                            yield from json.loads("\n".join(data))["changes"]
                        kind, data = "message", []
            except (ConnectionError, http.client.HTTPException, TimeoutError):
                pass
            self.connection.close()
            time.sleep(1)


def main(url, model):
    token = os.environ.get("TENSORKEEP_TOKEN")
    client = Tensorkeep(url, token)

    client.call("PUT", f"/models/{model}", {"seed": 7})
    client.call("POST", f"/models/{model}/variables", [
        {"name": "layer/weights", "initial_value": {"op": "ones", "shape": [2, 3]}},
        {"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": False}])
    ready = client.call("POST", f"/models/{model}:initialize")
    print("initialized:", *sorted(ready["initialized"]))

    client.call("PUT", f"/models/{model}/optimizers/sgd", {"type": "gradient_descent", "learning_rate": 0.5})
    gradient = numpy.arange(6).reshape(2, 3) + 0.5
    step = client.call("POST", f"/models/{model}/optimizers/sgd:apply_gradients",
                       {"gradients": {"layer/weights": gradient.tolist()}, "global_step": "global_step"},
                       Idempotency_Key=str(uuid.uuid4()))
    print(f"step {step['global_step']}:", *client.value(model, "layer/weights").ravel())

    saved = client.call("POST", f"/models/{model}/checkpoints",
                        {"name": "model.ckpt", "global_step": {"variable": "global_step"}})
    file = client.send("GET", f"/models/{model}/checkpoints/{saved['name']}:export?format=safetensors").read()
    length, = struct.unpack_from("<Q", file)
    header = json.loads(file[8:8 + length])
    print(f"saved {saved['name']}:", *sorted(name for name in header if name != "__metadata__"))

    seen = []
    for change in Tensorkeep(url, token).changes(model, ready["revision"]):
        if change["event"].startswith(("variable.", "checkpoint.")):
            seen.append(f"{change['event']} {change['name']}")
        if change["event"] == "checkpoint.saved":
            break
    print("changes:", ", ".join(sorted(seen)))

    try:
        client.call("POST", f"/models/{model}/variables/layer/weights:assign_add", {"value": [1.0, 2.0]})
    except Refused as no:
        print("refused:", no.problem["code"])
    client.call("DELETE", f"/models/{model}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
