"""TLS: what is spoken and what is not, certificates and their change, and that HTTP goes through it unharmed."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import backups
import formats
from certificates import Certificate
from session import Skipped
from token_files import TokensFile, reload

np = formats.np


@contextlib.contextmanager
def tls_server(s, *flags, kind="ecdsa"):
    certificate = Certificate(s.server.root, kind)
    with s.other_server(*certificate.flags, *flags, tls=certificate.context) as t:
        t.certificate = certificate
        yield t


def openssl(t, *arguments, text="", wait=0.0):
    """What s_client says, after `text` was typed."""
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{t.server.port}", *arguments],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        try:
            child.stdin.write(text.encode())
            child.stdin.flush()
            time.sleep(wait)
            return child.communicate(timeout=20 * t.patience)[0].decode("utf-8", "replace")
        except (BrokenPipeError, ValueError):
            return child.stdout.read().decode("utf-8", "replace")
        finally:
            child.kill()


def test_every_kind_of_exchange_goes_through(s):
    for kind in ("ecdsa", "rsa", "ed25519"):
        with tls_server(s, kind=kind) as t:
            t.make("w", [1.0, 2.0])
            assert t.value("w") == [1, 2]
            ends = re.search(rb"^tensorkeep_certificate_expiry_seconds (\S+)$", t.get("/metrics").expect(200).body, re.M)
            assert 86400 < float(ends[1]) - time.time() < 3 * 86400, ends
            t.post("variables/w:assign_add", {"value": [1, 1]}).expect(200)
            t.head("variables/w:value").expect(200)
            t.get("variables/nothing").expect(404)
            big = np.arange(5_000_000, dtype="<f4")
            t.put_npy("big", big)
            assert (t.array("big") == big).all()
            part = t.get("variables/big:value?format=raw", {"Range": "bytes=4000001-8000000"}).expect(206).body
            assert part == big.tobytes()[4000001:8000001]
            pieces = (big.tobytes()[i:i + 100_000] for i in range(0, big.nbytes, 100_000))
            t.put("variables/again", pieces, {"Content-Type": "application/octet-stream", "Tensor-Dtype": "float32",
                                              "Tensor-Shape": str(big.size)}).expect(201)
            assert t.bytes_of("again") == big.tobytes()
            names = [f"p{i}" for i in range(1200)]
            t.post("variables", [{"name": n, "initial_value": [1.0, 2.0, 3.0]} for n in names]).expect(201)
            t.initialize(only_uninitialized=True)
            together = t.get("values?format=safetensors&prefix=p").expect(200).body
            assert len(formats.safetensors_read(together)[0]) == len(names)


def test_a_refusal_in_the_middle_of_a_body_is_told(s):
    with tls_server(s, "--json-body-max-bytes", "100k") as t:
        t.make("w", [1.0])
        raw = t.certificate.context.wrap_socket(socket.create_connection(("127.0.0.1", t.server.port)), server_hostname="localhost")
        raw.settimeout(20 * t.patience)
        with raw:
            raw.sendall((f"PUT {t.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n").encode())
            piece = b"10000\r\n" + bytes(65536).replace(b"\0", b"1") + b"\r\n"
            received = b""
            with contextlib.suppress(OSError):
                for _ in range(64):
                    raw.sendall(piece)
            with contextlib.suppress(OSError):
                while piece_in := raw.recv(65536):
                    received += piece_in
        assert received.startswith(b"HTTP/1.1 413 "), received[:300]
        assert b"json_body_max_bytes" in received, received
        assert t.value("w") == [1]


def test_old_versions_are_not_spoken(s):
    with tls_server(s) as t:
        for version in ("-tls1", "-tls1_1"):
            told = openssl(t, version, "-cipher", "ALL@SECLEVEL=0")
            assert "Cipher is (NONE)" in told or "unknown option" in told.lower(), told
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            told = openssl(t, version, text="")
            assert f"New, {name}, Cipher is" in told, told


def test_weak_suites_are_not_spoken(s):
    with tls_server(s, kind="rsa") as t:
        for suite in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256",
                      "NULL-SHA256", "aNULL", "CAMELLIA128-SHA", "ECDHE-RSA-NULL-SHA"):
            told = openssl(t, "-tls1_2", "-cipher", suite + "@SECLEVEL=0")
            assert "Cipher is (NONE)" in told or "no cipher match" in told, (suite, told)
        for suite in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"):
            assert f"Cipher is {suite}" in openssl(t, "-tls1_2", "-cipher", suite), suite
        assert "Cipher is (NONE)" in openssl(t, "-tls1_2", "-sigalgs", "RSA+SHA1")
        assert "Cipher is (NONE)" in openssl(t, "-groups", "P-521")


def test_nothing_is_renegotiated(s):
    with tls_server(s) as t:
        told = openssl(t, "-tls1_2", text="R\n", wait=1)
        assert "RENEGOTIATING" in told and "HTTP/1.1" not in told, told
        request = "GET /healthz HTTP/1.1\nHost: localhost\nConnection: close\n\n"
        assert "HTTP/1.1 200" in openssl(t, "-tls1_2", "-crlf", "-quiet", text=request, wait=1)
        assert "HTTP/1.1" not in openssl(t, "-tls1_2", "-crlf", text="R\n" + request, wait=1)


def test_gnutls_finds_what_it_should_and_no_more(s):
    if not shutil.which("gnutls-cli-debug"):
        raise Skipped("there is no gnutls-cli-debug here")
    with tls_server(s, kind="rsa") as t:
        told = subprocess.run(["gnutls-cli-debug", "-p", str(t.server.port), "127.0.0.1"], capture_output=True, text=True,
                              timeout=50 * t.patience, check=False).stdout
        answers = {line.rsplit("...", 1)[0].strip(): line.rsplit("...", 1)[1].strip() for line in told.splitlines() if "..." in line}
        for question, answer in (("for TLS 1.0 (RFC2246) support", "no"), ("for TLS 1.1 (RFC4346) support", "no"),
                                 ("for TLS 1.2 (RFC5246) support", "yes"), ("for TLS 1.3 (RFC8446) support", "yes"),
                                 ("for RSA key exchange support", "no"), ("for anonymous authentication support", "no"),
                                 ("for AES-CBC cipher (RFC3268) support", "no"), ("for 3DES-CBC cipher (RFC2246) support", "no"),
                                 ("for MD5 MAC support", "no"), ("for SHA1 MAC support", "no"), ("for heartbeat (RFC6520) support", "no"),
                                 ("for safe renegotiation (RFC5746) support", "yes"),
                                 ("for ext master secret (RFC7627) support", "yes")):
            assert answers.get(question) == answer, (question, answers.get(question), told)


def test_plain_http_and_noise_get_nothing_back(s):
    with tls_server(s) as t:
        for data in (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(1000), bytes(range(256)) * 40):
            with t.socket() as raw:
                raw.send(data)
                raw.finish_sending()
                assert raw.closed()
                assert b"HTTP/1" not in raw.received, raw.received
        t.get("/healthz").expect(200)


def test_a_handshake_that_does_not_come_is_ended(s):
    with tls_server(s, "--header-timeout-ms", "500", "--idle-timeout-ms", "60000") as t:
        for start in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with t.socket(timeout=20 * t.patience) as raw:
                raw.send(start)
                assert raw.closed()


def test_the_certificate_changes_under_load(s):
    with tls_server(s) as t:
        t.make("w", [1.0])
        stop, failures, done = threading.Event(), [], []
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

        def ask(again):
            each = t.another_client()
            each.tls, each.again = trusting, again
            while not stop.is_set():
                try:
                    each.request("GET", t.path("variables/w:value")).expect(200)
                    done.append(1)
                    if not again:
                        each.close()
                except Exception as failure:  # pylint: disable=broad-except
                    failures.append(failure)
                    return

        threads = [threading.Thread(target=ask, args=(k % 2 == 0,)) for k in range(4)]
        for thread in threads:
            thread.start()
        old = t.certificate.context
        for kind in ("rsa", "ecdsa", "ed25519", "rsa"):
            t.certificate.make(kind)
            reload(t, "the certificate was read again")
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures and len(done) > 20, (failures, len(done))
        fresh = t.another_client()
        fresh.tls = t.certificate.context
        fresh.request("GET", "/healthz").expect(200)
        stale = t.another_client()
        stale.tls = old
        try:
            stale.request("GET", "/healthz")
            raise AssertionError("the first certificate is shown still")
        except ssl.SSLCertVerificationError:
            pass
        with open(t.certificate.key, "w", encoding="ascii") as file:
            file.write("broken")
        reload(t, "it stays as it was")
        again = t.another_client()
        again.tls = fresh.tls
        again.request("GET", "/healthz").expect(200)


def refused(s, words, *flags):
    """Does not start, and says these words."""
    ended = subprocess.run(s.server.command(*flags, "--data", s.server.root + "/other"), capture_output=True, text=True,
                           timeout=30 * s.patience, check=False)
    assert ended.returncode != 0 and re.search(words, ended.stderr), (flags, ended)


def test_files_that_do_not_fit_are_refused(s):
    one, two = Certificate(s.server.root, name="one"), Certificate(s.server.root, "rsa", "two")
    refused(s, "'tls_key' is needed", "--tls-cert", one.path)
    refused(s, "'tls_cert' is needed", "--tls-key", one.key)
    refused(s, "is not that of the certificate", "--tls-cert", one.path, "--tls-key", two.key)
    refused(s, "the certificate '.*' is not usable", "--tls-cert", one.key, "--tls-key", one.key)
    refused(s, "0644: others can get at it", "--tls-cert", one.path, "--tls-key", two.path)
    refused(s, "cannot be opened", "--tls-cert", one.path + ".missing", "--tls-key", one.key)
    os.chmod(one.key, 0o604)
    refused(s, "0604: others can get at it", *one.flags)


def test_beyond_loopback_tokens_and_tls_are_needed(s):
    certificate, tokens = Certificate(s.server.root), TokensFile(s.server.root)
    words = "needs --tokens and --tls-cert"
    refused(s, words, "--bind", "0.0.0.0")
    refused(s, words, "--bind", "0.0.0.0", *certificate.flags)
    refused(s, words, "--bind", "0.0.0.0", "--tokens", tokens.path)
    refused(s, words, "--bind", "::", "--tokens", tokens.path)


def test_heads_that_are_too_large_are_refused_through_it(s):
    with tls_server(s) as t:
        for size in (17_000, 32_000, 32_300):
            t.refuses(431, "PAYLOAD_TOO_LARGE", "head_max_bytes", "GET", "/v1", None, {"X": "y" * size})


def test_the_program_asks_for_health_through_it(s):
    for kind in ("ecdsa", "rsa", "ed25519"):
        with tls_server(s, kind=kind) as t:
            port = ("--port", str(t.server.port))
            assert backups.works(s, "health", flags=(*port, *t.certificate.flags)) == b"ready\n"
            assert backups.works(s, "health", flags=(*port, "--tls-cert", "not looked at")) == b"ready\n"
            backups.refuses(s, "not ready", "health", flags=port)
    backups.refuses(s, "does not speak TLS", "health", flags=("--port", str(s.server.port), "--tls-cert", "any"))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        backups.refuses(s, "does not speak TLS", "health", flags=("--port", str(mute.getsockname()[1]), "--tls-cert", "any"))


def test_health_through_it_is_what_the_server_says(s):
    certificate = Certificate(s.server.root, "ecdsa")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.flags[1::2])
    for answer, words in ((b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503 Service Unavailable"), (b"", "not ready"),
                          (b"HTTP/1.1 200", "not ready")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                    assert peer.recv(1000).startswith(b"GET /readyz HTTP/1.1\r\n")
                    peer.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            backups.refuses(s, words, "health", flags=("--port", str(listener.getsockname()[1]), *certificate.flags))
            thread.join()


def test_a_peer_that_never_ends_its_answer_is_waited_for_no_longer(s):
    """Byte by byte, to be ended by the other side alone; over TLS a record of its handshake that does not end, either."""
    certificate = Certificate(s.server.root, "ecdsa")
    for flags, begin, piece in (((), b"", b"H"), (certificate.flags, b"\x16\x03\x03\x40\x00", b"\x02")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with listener.accept()[0] as peer, contextlib.suppress(OSError):
                    peer.recv(4096)
                    peer.sendall(begin)
                    while True:
                        peer.sendall(piece)
                        time.sleep(0.5)

            thread = threading.Thread(target=serve)
            thread.start()
            backups.refuses(s, "TLS" if flags else "not ready: H", "health",
                            flags=("--port", str(listener.getsockname()[1]), *flags))
            thread.join()


def test_what_a_peer_writes_is_no_commands_for_a_terminal(s):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with listener.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 503 \x1b[2J")

        thread = threading.Thread(target=serve)
        thread.start()
        backups.refuses(s, "not ready: HTTP/1.1 503 \n", "health", flags=("--port", str(listener.getsockname()[1])))
        thread.join()
