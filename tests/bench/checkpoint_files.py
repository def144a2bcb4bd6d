"""Checkpoints as files: exports beside nginx that serves the same bytes and numpy that writes them, imports beside a copy and
PyTorch. Each function takes run.py's Bench."""

import contextlib
import json
import os
import shutil
import struct
import tempfile
import time

import checkpoints
import formats
import peers

np = formats.np
SAFE = "Content-Type: application/vnd.safetensors"
MEMORY_FOLDER = "/dev/shm"


def source(http, bench):
    """A checkpoint of 200 tensors, and how many bytes its file has."""
    checkpoints.make_model(http, checkpoints.total_bytes(bench), checkpoints.COUNT)
    http.request("POST", f"{peers.MODEL}/checkpoints", {"name": "c"}).expect(201)
    reply = http.request("HEAD", f"{peers.MODEL}/checkpoints/c:export?format=safetensors").expect(200)
    return int(reply.headers["content-length"])


def download(http, name):
    """The exported file, in pieces."""
    http.connection.request("GET", f"{peers.MODEL}/checkpoints/c:export?format=safetensors")
    reply = http.connection.getresponse()
    with open(name, "wb") as file:
        shutil.copyfileobj(reply, file, 1 << 20)


def show_memory(what, mode, memory):
    beyond = memory["RssAnon"] - memory["before"]["RssAnon"]
    checkpoints.show(f"  memory of {what}", mode, f"anonymous {memory['RssAnon'] >> 20} MiB, {beyond >> 20} MiB more than before")


# --- out -------------------------------------------------------------------------------------------------------------

def exported(bench):
    """1 GiB of safetensors to one client and to four."""
    have = shutil.which("nginx") is not None
    with peers.ours(bench.options, "commit") as (server, http):
        size = source(http, bench)
        with (peers.nginx(lambda folder: download(http, f"{folder}/c")) if have else contextlib.nullcontext()) as port, \
                peers.watched(server) as memory:
            what = f"export {size >> 20} MiB safetensors"
            path = f"{peers.MODEL}/checkpoints/c:export?format=safetensors"
            for connections in (1, 4):
                bench.row(what, connections, "(read)", lambda c=connections: bench.load("http", server.port, c, "GET", path),
                          (lambda c=connections: bench.load("http", port, c, "GET", "/c")) if have else None, "nginx file", size)
            arrays = [np.ones(size // checkpoints.COUNT // 4, "<f4") for _ in range(checkpoints.COUNT)]
            bench.row(what, 1, "(read)", lambda: bench.load("http", server.port, 1, "GET", path),
                      lambda: numpy_write(arrays), "numpy to memory", size)
        bench.rows.append({"what": "memory of exports", "memory": memory})
        show_memory("exports", "(read)", memory)


def numpy_write(arrays):
    """Files a second, of safetensors as plain as they can be written."""
    with tempfile.NamedTemporaryFile(dir=MEMORY_FOLDER) as file:
        began, header, at = time.perf_counter(), {}, 0
        for index, array in enumerate(arrays):
            header[f"layer{index}/w"] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
            at += array.nbytes
        text = json.dumps(header).encode()
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            array.tofile(file)
        file.flush()
        return 1 / (time.perf_counter() - began)


# --- in --------------------------------------------------------------------------------------------------------------

def imported(bench, mode):
    """1 GiB of safetensors under a name that is there already, beside a copy of that file, synced where ours is, and beside
    PyTorch reading its own into tensors that are there."""
    with peers.ours(bench.options, mode) as (server, http), tempfile.TemporaryDirectory(prefix="tensorkeep-bench-file-") as folder:
        size = source(http, bench)
        name = f"{folder}/c.safetensors"
        download(http, name)
        http.request("DELETE", f"{peers.MODEL}/checkpoints/c").expect(200)
        state = checkpoints.torch_state(checkpoints.total_bytes(bench) // checkpoints.COUNT)
        if state is not None:
            checkpoints.torch_save(state, f"{folder}/state", True)

        def import_it():
            return bench.load("http", server.port, 1, "PUT", f"{peers.MODEL}/checkpoints/i?overwrite=true", "-H", SAFE, "-f", name,
                              "-n", "1")

        what = f"import {size >> 20} MiB safetensors"
        with peers.watched(server) as memory:
            import_it()  # a new file grows
            bench.row(what, 1, mode, import_it, lambda: copy_file(name, mode == "commit"), "cp and its sync", size)
            if state is not None:
                bench.row(what, 1, mode, import_it, lambda: 1e3 / checkpoints.torch_load(state, f"{folder}/state"),
                          "torch.load and copy", size)
        bench.rows.append({"what": "memory of imports", "durability": mode, "memory": memory})
        show_memory("imports", mode, memory)


def copy_file(name, sync):
    """Copies a second."""
    began = time.perf_counter()
    with open(name, "rb") as old, open(f"{name}.copy", "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        if sync:
            os.fsync(new.fileno())
    seconds = time.perf_counter() - began
    os.remove(f"{name}.copy")
    return 1 / seconds
