"""One line of JSON for each request, whatever was asked; traces go on in it; where the time went."""

import json
import re
import threading
import time

FLAGS = ["--access-log"]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TIMING = re.compile(r"^(?:[a-z]+;dur=[0-9]+\.[0-9]{3}(?:, |$))+$")


def lines(s):
    """Those that are there, whole."""
    with open(s.server.errors, "rb") as file:
        return [json.loads(line) for line in file.read().rpartition(b"\n")[0].splitlines()]


def logged(s, name):
    """The line of the request with this id: it is written once the reply is out."""
    until = time.monotonic() + 20 * s.patience
    while time.monotonic() < until:
        found = [line for line in lines(s) if line.get("request_id") == name]
        if found:
            assert len(found) == 1, found
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"nothing is logged of {name}")


def timing(reply):
    text = reply.headers["server-timing"]
    assert TIMING.match(text), text
    return {part.split(";dur=")[0]: float(part.split(";dur=")[1]) for part in text.split(", ")}


def test_a_line_tells_what_was_asked_and_what_came(s):
    s.make("w", [1, 2])
    reply = s.get("variables/w?", {"X-Request-Id": "tells"}).expect(200)
    line = logged(s, "tells")
    assert line["message"] == "request" and line["level"] == "info" and line["client"] == "127.0.0.1"
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", line["time"])
    assert line["method"] == "GET" and line["path"] == s.path("variables/w")
    assert line["route"] == "/v1/models/{model}/variables/{name}" and line["operation"] == "getVariable"
    assert line["status"] == 200 and line["bytes"] == len(reply.body) and line["request_bytes"] == 0
    assert 0 <= line["reply_ms"] <= line["ms"] < 60000 * s.patience
    s.put("variables/w:value", [3, 4], {"X-Request-Id": "puts"}).expect(200)
    line = logged(s, "puts")
    assert line["request_bytes"] == 6 and line["operation"] == "putValue"
    assert line["queue_ms"] >= 0 and line["work_ms"] >= line["commit_ms"] > 0
    s.head("variables/w", {"X-Request-Id": "heads"}).expect(200)
    assert logged(s, "heads")["bytes"] == 0


def test_refusals_are_logged_too(s):
    s.get("/v1/nosuch", {"X-Request-Id": "lost"}).expect(404)
    line = logged(s, "lost")
    assert line["status"] == 404 and "route" not in line
    s.get("/v1", {"X-Request-Id": "other", "Host": "evil.example"})
    assert logged(s, "other")["status"] == 421


def test_queries_and_credentials_stay_out_of_it(s):
    s.make("w", [1])
    s.get("variables?prefix=private_prefix", {"X-Request-Id": "query", "Authorization": "Bearer private_token",
                                               "Cookie": "private_cookie"})
    logged(s, "query")
    with open(s.server.errors, "rb") as file:
        assert b"private_" not in file.read()


def test_nothing_a_client_sends_breaks_a_line(s):
    """Each line is parsed by lines(); here with what would break one, or a terminal."""
    targets = [b'/v1/models/a"b', b"/v1/models/a\\b", b"/v1/models/%0a%0d%1b[31m", b"/v1/models/\xc3\xa9\xff", b"/" + b"x" * 4000]
    for index, target in enumerate(targets):
        with s.socket() as raw:
            raw.send(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: \"q\\\"%d\r\n\r\n" % index)
            raw.reply()
    for index in range(len(targets)):
        line = logged(s, f'"q\\"{index}')
        assert line["status"] >= 400 and len(line["path"]) <= 256
        assert all(" " <= c < "\x7f" or ord(c) > 0xA0 for c in line["path"]), line


def test_many_clients_at_once_get_a_line_each(s):
    """More lines than the log gathers at once: none is lost, none is torn, each client's are in order."""
    clients, requests = 8, 200 if s.slow else 400

    def ask(client, number):
        for index in range(requests):
            client.request("GET", "/v1/nosuch" + "x" * 200, None, {"X-Request-Id": f"many-{number}-{index}"})

    threads = [threading.Thread(target=ask, args=(s.another_client(), number)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(clients):
        logged(s, f"many-{number}-{requests - 1}")
    found = [line["request_id"].split("-") for line in lines(s) if line.get("request_id", "").startswith("many-")]
    for number in range(clients):
        assert [int(index) for _, who, index in found if int(who) == number] == list(range(requests)), number


def test_a_trace_goes_on(s):
    given = f"00-{TRACE}-{PARENT}-01"
    reply = s.get("/v1", {"traceparent": given, "tracestate": 'congo="t61', "X-Request-Id": "traced"}).expect(200)
    version, trace, span, flags = reply.headers["traceresponse"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01") and len(span) == 16 and span != PARENT
    line = logged(s, "traced")
    assert line["trace_id"] == TRACE and line["parent_id"] == PARENT and line["span_id"] == span
    assert line["sampled"] is True and line["trace_state"] == 'congo="t61'
    again = s.get("/v1", {"traceparent": given}).expect(200)
    assert again.headers["traceresponse"] != reply.headers["traceresponse"]
    refused = s.get("/v1/nosuch", {"traceparent": f"00-{TRACE}-{PARENT}-00"}).expect(404)
    assert refused.headers["traceresponse"].endswith("-00")


def test_a_broken_trace_is_none(s):
    for index, value in enumerate((f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", "nonsense", f"ff-{TRACE}-{PARENT}-01")):
        reply = s.get("/v1", {"traceparent": value, "tracestate": "a=b", "X-Request-Id": f"broken{index}"}).expect(200)
        assert "traceresponse" not in reply.headers
        line = logged(s, f"broken{index}")
        assert "trace_id" not in line and "trace_state" not in line
    with s.socket() as raw:
        twice = f"traceparent: 00-{TRACE}-{PARENT}-01\r\n".encode() * 2
        raw.send(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\n" + twice + b"\r\n")
        assert "traceresponse" not in raw.reply().headers


def test_request_ids(s):
    assert s.get("/v1", {"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"
    made = {s.get("/v1").headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20 and all(re.match("^[0-9a-f]{16}$", name) for name in made)
    for bad in ("x" * 129, "with space", "\xe9"):
        assert s.get("/v1", {"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_server_timing_tells_where_the_time_went(s):
    s.make("w", [1])
    assert list(timing(s.get("variables/w").expect(200))) == ["total"]
    parts = timing(s.put("variables/w:value", [2]).expect(200))
    assert list(parts) == ["queue", "work", "commit", "total"]
    assert 0 < parts["commit"] <= parts["work"] <= parts["total"]
    assert list(timing(s.get("variables").expect(200))) == ["queue", "work", "total"]


def test_a_reply_that_is_not_taken_is_told(s):
    s.create("big", {"op": "zeros", "shape": [4 << 20]})
    s.initialize()
    with s.socket(receive_buffer=4096) as raw:
        raw.send(b"GET " + s.path("variables/big:value?format=raw").encode() +
                 b" HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: leaves\r\n\r\n")
        raw.more()
    assert logged(s, "leaves")["aborted"] is True
