"""A real server on data of its own, and what tests say to it."""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import client
import formats

LISTENING = re.compile(rb"^listening on https?://(\[[0-9a-f:]+\]|[0-9.]+):([0-9]+)$")
# What sanitizers say when they have found something.
FOUND = re.compile(r"ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed|CHECK failed")
PR_SET_PDEATHSIG = 1


class Skipped(Exception):
    """Raised by a test that has nothing to ask here; the text is the reason."""


def die_with_parent():
    """In the child: whatever ends the test run ends the server too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def told_with_parent():
    """Likewise, for a child that has something to clear away."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """One process on one data folder. The folder outlives the process: that is what restarts are about."""

    def __init__(self, binary, flags=(), patience=1, data=None):
        self.binary, self.flags, self.patience = binary, list(flags), patience
        self.root = tempfile.mkdtemp(prefix="tensorkeep-test-")
        self.data = data or os.path.join(self.root, "data")
        self.errors = os.path.join(self.root, "stderr")
        self.process = None
        self.host, self.port = None, 0

    def command(self, *flags):
        prefix = []
        if "/tsan/" in self.binary and shutil.which("setarch"):
            prefix = ["setarch", "-R"]
        line = prefix + [self.binary, "--data", self.data, "--port", "0"]
        if os.environ.get("TENSORKEEP_TEST_MAP_BYTES"):
            line += ["--map-size-bytes", os.environ["TENSORKEEP_TEST_MAP_BYTES"]]
        return line + self.flags + list(flags)

    def start(self, *flags):
        assert self.process is None
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                self.command(*flags), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                preexec_fn=die_with_parent)
        line = self.first_line(30 * self.patience)
        found = LISTENING.match(line)
        if not found:
            self.end()
            raise AssertionError(f"the server did not start: {line!r}\n{self.complaints()}")
        self.host, self.port = found[1].decode().strip("[]"), int(found[2])
        return self

    def first_line(self, seconds):
        line, until = b"", time.monotonic() + seconds
        while not line.endswith(b"\n") and time.monotonic() < until:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                piece = os.read(self.process.stdout.fileno(), 1)
                if not piece:
                    break
                line += piece
        return line.rstrip(b"\n")

    def complaints(self):
        try:
            with open(self.errors, encoding="utf-8", errors="replace") as file:
                return file.read()[-4000:]
        except OSError:
            return ""

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.forget()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60 * self.patience)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError("the server did not stop within a minute of SIGTERM") from None
        self.forget()
        return status

    def forget(self):
        self.process.stdout.close()
        self.process = None

    def end(self):
        if self.process is not None:
            self.kill9()

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def memory(self):
        """{"VmRSS": bytes, "RssAnon": bytes, …}"""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return {part[0].rstrip(":"): int(part[1]) * 1024
                    for part in (line.split() for line in file) if len(part) == 3 and part[2] == "kB"}


class Session:
    """A server, and a model of its own for every test."""

    def __init__(self, server):
        self.server = server
        self.model = "m"
        self.clients = []
        self.extra = []
        self.ticks = 0
        self.ticking = None
        self.client = None
        self.tls = None  # of new clients

    @property
    def patience(self):
        return self.server.patience

    @property
    def slow(self):
        """Under a tool that makes everything many times slower."""
        return self.server.patience > 1

    # --- life of the server ---

    def connect(self):
        self.client = self.another_client()
        return self

    def another_client(self):
        made = client.Client(self.server.host, self.server.port, 60 * self.patience)
        made.tls = self.tls
        self.clients.append(made)
        return made

    def socket(self, **options):
        return client.Raw(self.server.host, self.server.port, **options)

    def disconnect(self):
        for each in self.clients:
            each.close()
        self.clients = []

    def kill9(self):
        self.disconnect()
        self.server.kill9()

    def restart(self, *flags):
        """Starts it again on the same data, after a stop if need be."""
        if self.server.process is not None:
            self.stop()
        self.server.start(*flags)
        return self.connect()

    def stop(self):
        self.disconnect()
        status = self.server.stop()
        assert status == 0, f"exit status {status}\n{self.server.complaints()}"

    @contextlib.contextmanager
    def other_server(self, *flags, tls=None):
        """A second server, with settings and data of its own; `tls`: how to speak to it (an ssl.SSLContext)."""
        server = Server(self.server.binary, flags, self.patience)
        other = Session(server)
        other.tls = tls
        try:
            server.start()
            other.connect()
            other.put("", {})
            yield other
            other.disconnect()
            if server.process is not None:
                status = server.stop()
                assert status == 0, f"exit status {status}\n{server.complaints()}"
            assert not FOUND.search(server.complaints()), server.complaints()
        finally:
            other.disconnect()
            server.end()
            server.remove()

    # --- requests; paths are relative to the model unless they begin with a slash ---

    def path(self, path):
        if path.startswith("/"):
            return path
        base = f"/v1/models/{self.model}"
        return base + path if path == "" or path[0] in ":?" else f"{base}/{path}"

    def request(self, method, path, body=None, headers=None):
        return self.client.request(method, self.path(path), body, headers)

    def get(self, path="", headers=None):
        return self.request("GET", path, None, headers)

    def head(self, path="", headers=None):
        return self.request("HEAD", path, None, headers)

    def put(self, path, body=None, headers=None):
        return self.request("PUT", path, body, headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def patch(self, path, body=None, headers=None):
        return self.request("PATCH", path, body, headers)

    def delete(self, path, headers=None):
        return self.request("DELETE", path, None, headers)

    # --- what most tests do ---

    def create(self, name, initial_value=None, **fields):
        if initial_value is not None:
            fields["initial_value"] = initial_value
        return self.post("variables", {"name": name, **fields}).expect(201)

    def initialize(self, **fields):
        return self.post(":initialize", fields).expect(200)

    def make(self, name, value, dtype="float32"):
        """A variable that has this value."""
        array = formats.np.array(value, dtype=formats.NUMPY[dtype])
        self.put_npy(name, array)
        return array

    def put_npy(self, name, array):
        return self.put_ok(f"variables/{name}", formats.npy_write(array), {"Content-Type": "application/x-npy"})

    def put_raw(self, name, dtype, shape, data):
        return self.put_ok(f"variables/{name}", data, {
            "Content-Type": "application/octet-stream", "Tensor-Dtype": dtype,
            "Tensor-Shape": ",".join(map(str, shape))})

    def put_ok(self, path, body, headers=None):
        reply = self.put(path, body, headers)
        assert reply.status in (200, 201), str(reply)
        return reply

    def assign(self, name, value, **fields):
        return self.post(f"variables/{name}:assign", {"value": value, **fields}).expect(200)

    def info(self, name):
        return self.get(f"variables/{name}").expect(200).json

    def value(self, name, **query):
        """The value as JSON data."""
        query = "?" + urllib.parse.urlencode(query) if query else ""
        return self.get(f"variables/{name}:value{query}").expect(200).json["data"]

    def array(self, name, **query):
        query = urllib.parse.urlencode({"format": "npy", **query})
        return formats.npy_read(self.get(f"variables/{name}:value?{query}").expect(200).body)

    def bytes_of(self, name, **query):
        query = urllib.parse.urlencode({"format": "raw", **query})
        return self.get(f"variables/{name}:value?{query}").expect(200).body

    def names(self, query=""):
        return [v["name"] for v in self.get(f"variables{query}").expect(200).json["variables"]]

    def save(self, name="c", **fields):
        """201, or 200 where an older one of that name was replaced."""
        return self.post("checkpoints", {"name": name, **fields}).expect(200 if fields.get("overwrite") else 201)

    def restore(self, name="c", **fields):
        return self.post(f"checkpoints/{name}:restore", fields).expect(200)

    @staticmethod
    def multipart(request, tensors, tensors_first=False):
        """Body and headers of a request that has these tensors beside its JSON: s.post(":run", *s.multipart(…))."""
        parts = [("request", "application/json", json.dumps(request).encode()),
                 ("tensors", "application/vnd.safetensors", formats.safetensors_of(tensors))]
        body, media_type = formats.multipart_write(parts[::-1] if tensors_first else parts)
        return body, {"Content-Type": media_type}

    # --- nothing may have happened ---

    def tick(self):
        """The revision of a commit made just now, in a model that no test uses."""
        path = "/v1/models/ticking/variables/t"
        if self.ticking != self.server.data:
            self.client.request("PUT", "/v1/models/ticking", {})
            self.client.request("POST", "/v1/models/ticking/variables",
                                {"name": "t", "dtype": "int32", "shape": []})
            self.ticking = self.server.data
        self.ticks += 1
        return self.client.request("POST", path + ":assign", {"value": self.ticks}).expect(200).revision

    @contextlib.contextmanager
    def unchanged(self):
        """Revisions grow by one with every commit: between two of ours there must have been none."""
        before = self.tick()
        yield
        after = self.tick()
        assert after == before + 1, f"{after - before - 1} commits where there should be none"

    @contextlib.contextmanager
    def server_alive(self):
        """For what may be accepted or refused: only the server must not fall."""
        yield
        self.get("/healthz").expect(200)

    def refuses(self, status, code, words, method, path, body=None, headers=None):
        """This status and code, a detail with all these words (a text or several), and nothing changed."""
        with self.unchanged():
            reply = self.request(method, path, body, headers)
        self.is_refusal(reply, status, code, words)
        return reply

    @staticmethod
    def is_refusal(reply, status, code, words=()):
        assert reply.status == status, f"expected {status} {code}, got\n{reply}"
        assert reply.code == code, f"expected {code}, got\n{reply}"
        for word in [words] if isinstance(words, str) else words:
            assert word.lower() in reply.detail.lower(), f"the detail does not say '{word}':\n{reply}"


def pretty(value):
    return json.dumps(value, indent=1)[:2000]
