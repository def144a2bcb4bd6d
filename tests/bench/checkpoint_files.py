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
FORMATS = ("safetensors", "npz", "tf_v2", "tf_v1")
MEMORY_FOLDER = "/dev/shm"


def source(http, bench):
    """A checkpoint of 200 tensors."""
    size = checkpoints.make_model(http, checkpoints.total_bytes(bench), checkpoints.COUNT)
    http.request("POST", f"{peers.MODEL}/checkpoints", {"name": "c"}).expect(201)
    return size


def export_path(form):
    return f"{peers.MODEL}/checkpoints/c:export?format={form}"


def download(http, form, name):
    """The exported file, in pieces. Its media type and size."""
    http.connection.request("GET", export_path(form))
    reply = http.connection.getresponse()
    if reply.status != 200:
        raise RuntimeError(f"{form}: {reply.status} {reply.read()[:300]}")
    with open(name, "wb") as file:
        shutil.copyfileobj(reply, file, 1 << 20)
        return reply.headers["content-type"], file.tell()


def show_memory(what, mode, memory):
    beyond = memory["RssAnon"] - memory["before"]["RssAnon"]
    checkpoints.show(f"  memory of {what}", mode, f"anonymous {memory['RssAnon'] >> 20} MiB, {beyond >> 20} MiB more than before")


# --- out -------------------------------------------------------------------------------------------------------------

def exported(bench):
    """1 GiB in every format, to one client and to four, and one tensor of it as a range of the file."""
    have = shutil.which("nginx") is not None
    with peers.ours(bench.options, "commit") as (server, http), tempfile.TemporaryDirectory(prefix="tensorkeep-bench-file-") as folder:
        tensor = source(http, bench)
        for form in FORMATS:
            _, size = download(http, form, f"{folder}/c")
            with (peers.nginx(lambda to: shutil.copy(f"{folder}/c", to)) if have else contextlib.nullcontext()) as port, \
                    peers.watched(server) as memory:
                for connections in (1, 4) if form == "safetensors" else (1,):
                    row_beside_nginx(bench, f"export {size >> 20} MiB {form}", connections, server.port, port, export_path(form), size)
                if form == "safetensors":
                    begin = size - 100 * tensor
                    row_beside_nginx(bench, f"range of {tensor >> 20} MiB", 1, server.port, port, export_path(form), tensor, [
                        "-H", f"Range: bytes={begin}-{begin + tensor - 1}"])
            bench.rows.append({"what": f"memory of exports, {form}", "memory": memory})
            show_memory(f"exports, {form}", "(read)", memory)
        arrays = [np.ones(tensor // 4, "<f4") for _ in range(checkpoints.COUNT)]
        size = tensor * checkpoints.COUNT
        bench.row(f"export {size >> 20} MiB safetensors", 1, "(read)",
                  lambda: bench.load("http", server.port, 1, "GET", export_path("safetensors")), lambda: numpy_write(arrays),
                  "numpy to memory", size)


def row_beside_nginx(bench, what, connections, ours, theirs, path, size, more=()):
    bench.row(what, connections, "(read)", lambda: bench.load("http", ours, connections, "GET", path, *more),
              (lambda: bench.load("http", theirs, connections, "GET", "/c", *more)) if theirs else None, "nginx file", size)


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
    """1 GiB in every format, under a name that is there already, beside a copy of that file, synced where ours is, and beside
    PyTorch reading its own into tensors that are there."""
    with peers.ours(bench.options, mode) as (server, http), tempfile.TemporaryDirectory(prefix="tensorkeep-bench-file-") as folder:
        tensor = source(http, bench)
        about = {form: download(http, form, f"{folder}/{form}") for form in FORMATS}
        http.request("DELETE", f"{peers.MODEL}/checkpoints/c").expect(200)
        state = checkpoints.torch_state(tensor)
        if state is not None:
            checkpoints.torch_save(state, f"{folder}/state", True)

        def import_it(form):
            return bench.load("http", server.port, 1, "PUT", f"{peers.MODEL}/checkpoints/i?overwrite=true", "-H",
                              f"Content-Type: {about[form][0]}", "-f", f"{folder}/{form}", "-n", "1")

        for form, (_, size) in about.items():
            what = f"import {size >> 20} MiB {form}"
            with peers.watched(server) as memory:
                import_it(form)  # a file that is new grows
                bench.row(what, 1, mode, lambda f=form: import_it(f), lambda f=form: copy_file(f"{folder}/{f}", mode == "commit"),
                          "cp and its sync", size)
                if state is not None and form == "safetensors":
                    bench.row(what, 1, mode, lambda f=form: import_it(f),
                              lambda: 1e3 / checkpoints.torch_load(state, f"{folder}/state"), "torch.load and copy", size)
            bench.rows.append({"what": f"memory of imports, {form}", "durability": mode, "memory": memory})
            show_memory(f"imports, {form}", mode, memory)


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
