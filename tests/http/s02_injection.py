"""What clients send stays what it is: no line of the log, no header and no document of the server's can be made from outside."""

import json
import os
import random

LOG = ["--access-log", "--log-level", "debug"]
NASTY = ["\n", "\r\n", "\x1b[31m", "\0", "\x7f", '"', "\\", "\u2028", "\u0085", "\ud7ff", "'", "</script>", "%0d%0a", "{}", '","level":"error']


def lines(t):
    with open(t.server.errors, "rb") as file:
        return file.read().split(b"\n")[:-1]


def check_log(t):
    """Each line is one JSON object of printable characters, of bounded length."""
    all_of = lines(t)
    for line in all_of:
        entry = json.loads(line)
        assert isinstance(entry, dict) and {"time", "level", "message"} <= set(entry), line
        assert len(line) < 8192 and all(byte >= 0x20 and byte != 0x7F for byte in line), line
        assert entry["level"] in ("debug", "info", "warning", "error"), line
    return [json.loads(line) for line in all_of]


def escaped(text):
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def test_paths_cannot_write_lines_of_the_log(s):
    with s.other_server(*LOG) as t:
        for text in NASTY:
            for path in (f"/v1/models/{escaped(text)}", f"/{escaped(text)}", f"/v1/models/x?{escaped(text)}={escaped(text)}",
                         f"/v1/models/{t.model}/variables/{escaped('a' + text)}:value", f"/v1/models/x:{escaped(text)}"):
                assert 400 <= t.get(path).status < 500, path
            with t.socket() as raw:
                raw.send(b"GET /v1/" + text.encode("utf-8", "replace").replace(b" ", b"") + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
                raw.reply()
        t.get("/" + "a" * 6000)
        t.stop()
        entries = check_log(t)
        assert sum(entry["message"] == "request" for entry in entries) >= 5 * len(NASTY), len(entries)
        t.server.start()


def test_headers_cannot_either(s):
    with s.other_server(*LOG) as t:
        for text in NASTY + ["x" * 128, "x" * 129, '{"a":1}', "\u00e9"]:
            for name in ("X-Request-Id", "User-Agent", "traceparent", "tracestate", "Authorization", "Origin", "Referer", "Host",
                         "Idempotency-Key", "Accept", "Content-Type", "If-None-Match", "Range", "Prefer"):
                with t.socket() as raw:
                    value = text.encode("utf-8", "replace")
                    host = b"" if name == "Host" else b"Host: localhost\r\n"
                    raw.send(b"GET /v1/models HTTP/1.1\r\n" + host + name.encode() + b": " + value + b"\r\nConnection: close\r\n\r\n")
                    reply = raw.reply()
                    if reply is None:
                        continue
                    for header, got in reply.headers.items():
                        assert all(0x20 <= ord(c) < 0x7F for c in got), (name, text, header, got)
                        assert header not in ("level", "injected"), str(reply)
        t.stop()
        check_log(t)
        t.server.start()


def test_a_request_id_comes_back_clean_or_not_at_all(s):
    for good in ("a", "req-1/2.3~", "x" * 128, '{"a":"b"}', "<b>"):
        assert s.get("/healthz", {"X-Request-Id": good}).headers["x-request-id"] == good
    for bad in ("x" * 129, "a b", "\u00e9", "a\tb"):
        got = s.get("/healthz", {"X-Request-Id": bad.encode("utf-8").decode("latin-1")}).headers["x-request-id"]
        assert len(got) == 16 and bad not in got, got


def test_texts_come_back_as_texts(s):
    """Labels are any text: told in JSON, never as markup or in a header."""
    for text in ("<img onerror=alert(1) src=x>", '"},{"x":"', "\r\nSet-Cookie: a=b", "\x00\x1f", "\u2028</script>"):
        reply = s.patch("", {"labels": {"note": text}})
        if reply.status == 200:
            reply = s.get("")
            assert reply.json["labels"]["note"] == text, str(reply)
            assert b"\r\n" not in reply.body and "set-cookie" not in reply.headers
        else:
            assert reply.status == 400, str(reply)


def test_names_cannot_break_out_of_headers(s):
    for name in ('a"b', "a\r\nSet-Cookie: x", "a;b", "a b", "a\\b", "../../etc/passwd", "a/../b", "\u00e9"):
        for path in (f"checkpoints/{escaped(name)}:export", f"variables/{escaped(name)}", f"savers/{escaped(name)}"):
            method, body = ("GET", None) if path.startswith("check") else ("PUT", {})
            reply = s.request(method, path, body)
            assert reply.status in (400, 404), str(reply)
            assert "set-cookie" not in reply.headers, str(reply)
        reply = s.post("checkpoints", {"name": name})
        assert reply.status == 400 and "location" not in reply.headers, str(reply)
    s.make("w", [1.0])
    s.save("layer/c.v1")
    reply = s.get("checkpoints/layer/c.v1:export?format=npz").expect(200)
    assert '"' not in reply.headers["content-disposition"].split('filename="')[1][:-1], str(reply)


def test_noise_in_every_place_of_a_request(s):
    with s.other_server(*LOG) as t:
        t.make("w", [1.0])
        source = random.Random(29)
        good = (f"PUT {t.path('variables/w:value')}?slice=0:1 HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r-1\r\n"
                "Content-Type: application/json\r\nContent-Length: 3\r\nConnection: close\r\n\r\n[2]").encode()
        for _ in range(400 if not t.slow else 60):
            data = bytearray(good)
            for _ in range(source.randrange(1, 4)):
                data[source.randrange(len(data))] = source.choice(b"\0\r\n\t \x1b\x7f\xff:/%?#\"\\{}[]aZ0")
            with t.socket(timeout=15 * t.patience) as raw:
                raw.send(bytes(data))
                raw.finish_sending()
                raw.closed()
        t.get("/healthz").expect(200)
        t.stop()
        check_log(t)
        t.server.start()


def test_nothing_is_written_outside_the_data_folder(s):
    """Of everything above its root nothing is new."""
    with s.other_server() as t:
        beside = os.path.dirname(t.server.data)
        before = set(os.listdir(beside))
        t.make("w", [1.0])
        for name in ("../x", "/tmp/x", "..%2Fx", "%2e%2e%2fx"):
            for path in (f"checkpoints/{name}", f"variables/{name}", f"savers/{name}", f"optimizers/{name}"):
                assert 400 <= t.put(path, {}).status < 500, path
        t.save("c")
        assert set(os.listdir(beside)) == before, os.listdir(beside)
        assert os.stat(t.server.data).st_mode & 0o777 == 0o700
        for folder, _, files in os.walk(t.server.data):
            for file in files:
                assert os.stat(os.path.join(folder, file)).st_mode & 0o077 == 0, (folder, file)
