"""TLS and tokens beside the same server without them: what they cost."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

import client
import session
from certificates import Certificate
from peers import MODEL, payload, put
from token_files import TokensFile, bearer

BIG = 64 << 20
HANDSHAKES = re.compile(r"(\d+) connections in ([0-9.]+) real seconds")


@contextlib.contextmanager
def server_with(options, *flags, tls=None, headers=()):
    server = session.Server(os.path.abspath(options.server), ["--durability", "interval=1000", *flags])
    try:
        server.start()
        http = client.Client(server.host, server.port, 600)
        http.tls, http.headers = tls, dict(headers)
        http.request("PUT", MODEL, {}).expect(201)
        put(http, "small", "uint8", [1024], payload(1024))
        put(http, "big", "uint8", [BIG], payload(BIG))
        yield server
        http.close()
        server.stop()
    finally:
        server.end()
        server.remove()


def wrk(bench, scheme, port, connections, headers=()):
    more = [part for header in headers for part in ("-H", header)]
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(bench.options.seconds))}s", *more,
                          f"{scheme}://127.0.0.1:{port}{MODEL}/variables/small:value?format=raw"],
                         capture_output=True, text=True, check=True).stdout
    if re.search(r"Non-2xx or 3xx responses|Socket errors", out):
        raise RuntimeError(f"wrk: {out}")
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out)[1])


def curl(scheme, port, *upload):
    """How many of them a second."""
    began = time.monotonic()
    path = f"{MODEL}/variables/big:value" + ("" if upload else "?format=raw")
    subprocess.run(["curl", "-sSfk", "-o", "/dev/null", *upload, f"{scheme}://127.0.0.1:{port}{path}"], check=True)
    return 1 / (time.monotonic() - began)


def handshakes(bench, port, version):
    out = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", version, "-time",
                          str(max(1, round(bench.options.seconds)))], capture_output=True, text=True, check=True).stdout
    found = HANDSHAKES.search(out)
    return int(found[1]) / float(found[2])


def small(bench, what, plain, guarded, scheme, headers):
    if not shutil.which("wrk"):
        raise RuntimeError("wrk is not installed")
    for connections in (1, 16):
        bench.row(f"GET 1 KiB raw, {what}", connections, "(read)", lambda c=connections: wrk(bench, scheme, guarded.port, c, headers),
                  lambda c=connections: wrk(bench, "http", plain.port, c), "itself, plain", 1024)


def run(bench):
    with tempfile.TemporaryDirectory() as folder, server_with(bench.options) as plain:
        body = os.path.join(folder, "body")
        with open(body, "wb") as file:
            file.write(payload(BIG))
        upload = ["-X", "PUT", "-T", body, "-H", "Content-Type: application/octet-stream", "-H", "Tensor-Dtype: uint8", "-H",
                  f"Tensor-Shape: {BIG}"]
        tokens = TokensFile(folder)
        header = bearer(tokens.add("bench", "write"))
        for k in range(99):
            tokens.add(f"other{k}", "read")
        with server_with(bench.options, "--tokens", tokens.path, headers=header) as guarded:
            small(bench, "a token of 100", plain, guarded, "http", [f"{name}: {value}" for name, value in header.items()])
        for kind in ("ecdsa", "rsa"):
            certificate = Certificate(folder, kind)
            with server_with(bench.options, *certificate.flags, tls=certificate.context) as guarded:
                for version in ("-tls1_2", "-tls1_3"):
                    bench.row(f"handshakes, {kind} {version[1:]}", 1, "-", lambda v=version: handshakes(bench, guarded.port, v), None, None)
                if kind != "ecdsa":
                    continue
                small(bench, "TLS", plain, guarded, "https", [])
                for what, arguments in (("GET", []), ("PUT", upload)):
                    bench.row(f"{what} 64 MiB raw, TLS", 1, "(read)" if what == "GET" else "interval=1000",
                              lambda a=arguments: curl("https", guarded.port, *a), lambda a=arguments: curl("http", plain.port, *a),
                              "itself, plain", BIG)
