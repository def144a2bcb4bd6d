"""The servers that are measured: ours, and what is measured beside it."""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time

import client
import formats
import session

SIZES = [("64 B", 64), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20), ("64 MiB", 64 << 20)]
RAW = "Content-Type: application/octet-stream"
MODEL = "/v1/models/bench"
NGINX = """
daemon off; master_process on; worker_processes 2; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600;
    client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u;
    scgi_temp_path {root}/s; default_type application/octet-stream;
    server {{ listen 127.0.0.1:{port}; root {root}/files; }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, what):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended at once")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{what} does not listen")


@contextlib.contextmanager
def peer(command, port, what):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=session.die_with_parent)
    try:
        wait_for(port, process, what)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def files_of_sizes(folder):
    """v0, v1, … of the sizes above."""
    for index, (_, size) in enumerate(SIZES):
        with open(f"{folder}/v{index}", "wb") as file:
            file.write(payload(size))


@contextlib.contextmanager
def nginx(fill=files_of_sizes):
    """Its port; it serves the folder that `fill` puts files into."""
    with tempfile.TemporaryDirectory(prefix="tensorkeep-bench-nginx-") as root:
        os.chmod(root, 0o755)  # its workers run as another user
        os.mkdir(f"{root}/files")
        fill(f"{root}/files")
        port = free_port()
        with open(f"{root}/conf", "w", encoding="ascii") as file:
            file.write(NGINX.format(root=root, port=port))
        with peer(["nginx", "-p", root, "-c", f"{root}/conf"], port, "nginx"):
            yield port


@contextlib.contextmanager
def redis(fsync):
    """A fresh one, so that its log does not grow from row to row."""
    with tempfile.TemporaryDirectory(prefix="tensorkeep-bench-redis-") as root:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", root, "--save", "", "--appendonly",
                   "yes", "--appendfsync", fsync, "--auto-aof-rewrite-percentage", "0", "--daemonize", "no"]
        with peer(command, port, "redis-server"):
            yield port


@contextlib.contextmanager
def redis_in_memory():
    """One that writes a file only when it is told to; as it stands in memory, for ours are not compressed either."""
    with tempfile.TemporaryDirectory(prefix="tensorkeep-bench-redis-") as root:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", root, "--save", "", "--rdbcompression",
                   "no", "--daemonize", "no"]
        with peer(command, port, "redis-server"):
            yield port


def redis_ask(port, *words):
    """The first line of the reply; of a text all of it."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection, connection.makefile("rb") as replies:
        connection.sendall(b"".join([b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words]))
        line = replies.readline().decode().strip()
        if line.startswith("-"):
            raise RuntimeError(f"redis: {line}")
        return replies.read(int(line[1:])).decode() if line.startswith("$") else line


@contextlib.contextmanager
def etcd():
    """One member; it syncs every commit. Its port, for HTTP."""
    with tempfile.TemporaryDirectory(prefix="tensorkeep-bench-etcd-") as root:
        port, other = free_port(), free_port()
        here, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{other}"
        command = ["etcd", "--data-dir", f"{root}/data", "--listen-client-urls", here, "--advertise-client-urls", here,
                   "--listen-peer-urls", between, "--initial-advertise-peer-urls", between, "--initial-cluster",
                   f"default={between}"]
        with peer(command, port, "etcd"):
            time.sleep(1.5)  # it listens before it has made itself the leader
            yield port


@contextlib.contextmanager
def watched(server):
    """{"RssAnon": most bytes meanwhile, "VmRSS": …}, and under "before" what they were."""
    found, done = {"before": server.memory(), "RssAnon": 0, "VmRSS": 0}, threading.Event()

    def watch():
        while not done.wait(0.02):
            now = server.memory()
            found.update({name: max(found[name], now[name]) for name in ("RssAnon", "VmRSS")})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


@contextlib.contextmanager
def ours(options, mode, *flags, binary=None):
    server = session.Server(os.path.abspath(binary or options.server), ["--durability", mode, *flags])
    try:
        server.start()
        http = client.Client(server.host, server.port, 600)
        http.request("PUT", MODEL, {}).expect(201)
        yield server, http
        http.close()
        server.stop()
    finally:
        server.end()
        server.remove()


def payload(size):
    return bytes(range(64)) * (size // 64)


def put(http, name, dtype, shape, body):
    reply = http.request("PUT", f"{MODEL}/variables/{name}", body, {
        "Content-Type": "application/octet-stream", "Tensor-Dtype": dtype, "Tensor-Shape": ",".join(map(str, shape))})
    assert reply.status in (200, 201), str(reply)
    return reply


def float32_noise(count):
    """Bytes of so many numbers between -0.5 and 0.5."""
    return (formats.np.random.default_rng(1).random(count, "<f4") - formats.np.float32(0.5)).tobytes()


def safetensors_body(tensors):
    """The body and headers for float32 tensors of one dimension, given as bytes."""
    return formats.safetensors_write({name: ("float32", [len(data) // 4], data) for name, data in tensors.items()}), {
        "Content-Type": "application/vnd.safetensors"}
