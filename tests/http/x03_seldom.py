"""Answers that clients see seldom, for which no other test has a reason: the document lists them, so somebody has to get them."""

import io
import tarfile
import zipfile

import formats
from flipped import flip
from held_key import held_key

np = formats.np
FLAGS = ["--max-json-elements", "50", "--json-body-max-bytes", "4096"]
ARRAY = np.arange(100, dtype="<f4").reshape(10, 10)
TEXTS = {"Content-Type": "application/octet-stream", "Tensor-Dtype": "string", "Tensor-Shape": "2"}
TWO_TEXTS = b"\x01\0\0\0a\x02\0\0\0bc"


def hundred(s):
    s.put_npy("w", ARRAY)
    s.save("c")


def test_texts_whose_length_is_not_told(s):
    s.refuses(411, "INVALID_ARGUMENT", "Content-Length", "PUT", "variables/t", iter([TWO_TEXTS]), TEXTS)
    s.put("variables/t", TWO_TEXTS, TEXTS).expect(201)
    s.refuses(411, "INVALID_ARGUMENT", "Content-Length", "PUT", "variables/t:value", iter([TWO_TEXTS]), TEXTS)
    assert s.get("variables/t:value").json["data"] == ["a", "bc"]


def test_more_elements_than_json_may_have(s):
    hundred(s)
    for path in ("variables/w:value", "values?names=w", "checkpoints/c:value?tensor=w"):
        s.refuses(413, "PAYLOAD_TOO_LARGE", "max_json_elements", "GET", path)
    s.refuses(413, "PAYLOAD_TOO_LARGE", "max_json_elements", "POST", "variables/w:gather", {"indices": list(range(6))})
    s.get("variables/w:value?slice=0:5").expect(200)


def test_a_preview_of_more_than_may_be_gathered(s):
    with s.other_server("--expression-max-bytes", "4096") as t:
        t.put_npy("large", np.zeros((100, 100), "<f4"))
        t.get("variables/large:preview").expect(200)
        t.refuses(413, "PAYLOAD_TOO_LARGE", "4096", "GET", "variables/large:preview?slice=::2")


def test_a_gather_of_a_strange_type(s):
    hundred(s)
    s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "text/csv", "POST", "variables/w:gather", '{"indices": [1]}', {"Content-Type": "text/csv"})
    s.refuses(413, "PAYLOAD_TOO_LARGE", "json_body_max_bytes", "POST", "variables/w:gather", {"indices": [0] * 5000})


def test_arguments_that_verifying_does_not_take(s):
    hundred(s)
    for path in ("/v1:verify", "checkpoints/c:verify"):
        s.refuses(400, "INVALID_ARGUMENT", "nonsense", "POST", path + "?nonsense=1")


def test_values_in_every_archive_and_ranges_of_them(s):
    hundred(s)
    for query, names in (("format=npz", ["w.npy"]), ("format=npz&container=tar", ["w.npy"]), ("format=safetensors&container=zip", ["m"])):
        whole = s.get("values?names=w&" + query).expect(200)
        assert whole.headers["accept-ranges"] == "bytes", query
        if "tar" in query:
            found = tarfile.open(fileobj=io.BytesIO(whole.body)).getnames()
        else:
            found = zipfile.ZipFile(io.BytesIO(whole.body)).namelist()
        assert len(found) == len(names), (query, found)
        part = s.get("values?names=w&" + query, {"Range": "bytes=10-29"}).expect(206)
        assert part.body == whole.body[10:30] and part.headers["content-type"] == whole.headers["content-type"], query
        assert part.headers["content-range"] == f"bytes 10-29/{len(whole.body)}"
        parts = s.get("values?names=w&" + query, {"Range": "bytes=0-3,10-12"}).expect(206)
        assert parts.headers["content-type"].startswith("multipart/byteranges") and whole.body[10:13] in parts.body


def test_ranges_of_a_tensor_of_a_checkpoint(s):
    hundred(s)
    for form in ("raw", "npy", "safetensors"):
        path = f"checkpoints/c:value?tensor=w&format={form}"
        whole = s.get(path).expect(200)
        part = s.get(path, {"Range": "bytes=-40", "If-Range": whole.etag}).expect(206)
        assert part.body == whole.body[-40:] and part.headers["content-type"] == whole.headers["content-type"]


def test_events_that_end(s):
    hundred(s)
    for path in ("/v1/changes", "changes"):
        reply = s.get(path + "?feed=eventsource&since=0&limit=1").expect(200)
        assert reply.headers["content-type"] == "text/event-stream"
        assert b"event: hello\n" in reply.body and b"event: changes\n" in reply.body and reply.body.endswith(b"\n\n"), reply.body


def test_expectations_that_nobody_fulfils(s):
    s.is_refusal(s.request("GET", "/healthz", None, {"Expect": "miracles"}), 417, "INVALID_ARGUMENT", "100-continue")


def test_while_it_stops_it_is_not_ready(s):
    with s.other_server("--shutdown-timeout-ms", "60000") as t:
        client, other = t.another_client(), t.another_client()
        client.request("GET", "/readyz").expect(200)
        other.request("GET", "/v2/health/ready").expect(200)  # each answer ends its connection then
        # An upload under way keeps it from going at once: it is, when its key is taken.
        with held_key(t, "slow", lambda: client.request("DELETE", t.path("variables/none"), None, {"Idempotency-Key": "slow"})):
            t.server.process.terminate()
            reply = until(503, lambda: client.request("GET", "/readyz"))
            t.is_refusal(reply, 503, "UNAVAILABLE", "stopping")
            assert reply.headers["retry-after"].isdigit()
            t.is_refusal(other.request("GET", "/v2/health/ready"), 503, "UNAVAILABLE", "stopping")
        assert t.server.process.wait(60 * t.patience) == 0
        t.server.forget()


def until(status, ask):
    for _ in range(10_000):
        reply = ask()
        if reply.status == status:
            return reply
    raise AssertionError(f"never {status}, but\n{reply}")


def test_damage_of_a_small_value_is_told_by_who_reads_it(s):
    with s.other_server() as t:
        marker = b"\xc3\x5a" * 2000
        t.put_raw("w", "uint8", [len(marker)], marker)
        t.save("c")
        t.stop()
        flip(t.server.data, marker)
        t.restart()
        for path in ("variables/w:value", "variables/w:value?format=raw", "values?names=w&format=npz", "checkpoints/c:value?tensor=w"):
            t.is_refusal(t.get(path), 500, "DATA_LOSS", "damaged")
        reply = t.post("variables/w:assign_add", {"value": {"op": "ones", "shape": [len(marker)], "dtype": "uint8"}})
        t.is_refusal(reply, 500, "DATA_LOSS", "damaged")
        assert t.info("w")["version"] == 1
        t.delete("checkpoints/c").expect(200)
        t.delete("variables/w").expect(200)
        assert t.post("/v1:verify").expect(200).json["ok"]
