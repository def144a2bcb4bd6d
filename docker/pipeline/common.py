"""What the services have in common: where the server is, and several tensors at once."""

import io
import json
import os
import struct
import sys
import time

import numpy

# In the image it lies beside this file, in the source tree with the other clients.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "openapi", "clients"))
import tensorkeep  # noqa: E402

MODEL = os.environ.get("MODEL", "spiral")
STEPS = int(os.environ.get("STEPS", "500"))
WORKERS = int(os.environ.get("WORKERS", "2"))


def connect():
    """A client of its own for whoever asks, once the server answers."""
    client = tensorkeep.Tensorkeep(os.environ.get("TENSORKEEP_URL", "http://127.0.0.1:7840"), os.environ.get("TENSORKEEP_TOKEN"))
    until = time.monotonic() + 60
    while True:
        try:
            client.call("GET", "")
            return client
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def patiently(call, *arguments, **headers):
    """The same again while the server is busy, or does another's request with the same Idempotency-Key."""
    while True:
        try:
            return call(*arguments, **headers)
        except tensorkeep.Refused as no:
            if no.problem["code"] not in ("ABORTED", "UNAVAILABLE") and no.status != 429:
                raise
            time.sleep(0.2)


def arrays(client, path):
    """{name: array} of what the server sends as npz, all of it of one revision."""
    file = numpy.load(io.BytesIO(client.send("GET", path, Accept="application/x-npz").read()), allow_pickle=False)
    return {name: file[name] for name in file.files}


def safetensors(tensors):
    """float32 arrays as a file: 8 bytes of length, a JSON header, the data."""
    header, data = {}, b""
    for name, array in tensors.items():
        bytes_of = array.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + len(bytes_of)]}
        data += bytes_of
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def wait_for_model(client):
    """The revision from which to watch the model, once a worker has made it."""
    while True:
        try:
            return client.call("GET", f"/models/{MODEL}")["revision"]
        except tensorkeep.Refused as no:
            if no.status != 404:
                raise
            time.sleep(0.2)
