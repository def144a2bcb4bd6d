"""Documents go packed to who takes gzip, where that pays; tensors never do; each form has its own entity tag."""

import gzip
import json

GZIP = {"Accept-Encoding": "gzip"}


def filled(s, count=30):
    s.post("variables", [{"name": f"layer{i}/weights", "initial_value": {"op": "zeros", "shape": [4]}}
                         for i in range(count)]).expect(201)


def coding(reply):
    return reply.headers.get("content-encoding")


def test_lists_go_packed(s):
    filled(s)
    for path in ("variables", "/v1", "/v1/ops", "/v1/verbs", "/v1/optimizers", "graph", "changes?since=0", "/v1/usage", "/metrics"):
        plain, packed = s.get(path).expect(200), s.get(path, GZIP).expect(200)
        assert coding(plain) is None and coding(packed) == "gzip", path
        assert len(packed.body) <= 0.9 * len(plain.body) and packed.headers["content-length"] == str(len(packed.body))
        if path not in ("/metrics", "/v1/usage"):
            assert gzip.decompress(packed.body) == plain.body
        for reply in (plain, packed):
            assert "accept-encoding" in reply.headers["vary"].lower(), str(reply)


def test_head_tells_the_same(s):
    filled(s)
    packed, bare = s.get("variables", GZIP).expect(200), s.head("variables", GZIP).expect(200)
    for name in ("content-encoding", "content-length", "content-type", "etag", "vary"):
        assert bare.headers[name] == packed.headers[name], name


def test_replies_to_writes_go_packed_too_and_are_kept_plain(s):
    body = {"variables": [f"v{i}" for i in range(90)]}
    for i in range(90):
        s.create(f"v{i}", 1.0)
    key = {"Idempotency-Key": s.model}
    packed = s.post(":initialize", body, {**GZIP, **key}).expect(200)
    assert coding(packed) == "gzip"
    plain = s.post(":initialize", body, key).expect(200)
    assert plain.headers["idempotency-replayed"] == "true" and coding(plain) is None
    assert json.loads(gzip.decompress(packed.body)) == plain.json


def test_what_is_small_goes_as_it_is(s):
    s.make("w", [1])
    for path in ("/healthz", "variables/w", "variables/w:value"):
        reply = s.get(path, GZIP).expect(200)
        assert coding(reply) is None and len(reply.body) < 512, str(reply)


def test_tensors_are_never_packed(s):
    s.create("big", {"op": "zeros", "shape": [20000]})
    s.initialize()
    s.save("c")
    for path in ("variables/big:value", "variables/big:value?format=npy", "variables/big:value?format=raw",
                 "values?format=safetensors", "checkpoints/c:export?format=npz", "checkpoints/c:value?tensor=big"):
        reply = s.get(path, GZIP).expect(200)
        assert coding(reply) is None and len(reply.body) > 20000, path
        assert reply.etag == s.get(path).etag
    assert coding(s.post(":run", {"fetches": {"big": {"variable": "big"}}}, GZIP).expect(200)) is None


def test_each_form_has_its_own_tag_and_either_spares_the_reply(s):
    filled(s)
    plain, packed = s.get("variables").expect(200), s.get("variables", GZIP).expect(200)
    assert packed.etag != plain.etag and packed.etag.endswith('-gzip"')
    for headers in ({}, GZIP):
        for known in (plain, packed):
            again = s.get("variables", {**headers, "If-None-Match": known.etag}).expect(304)
            assert again.etag == known.etag and not again.body
            s.get("variables", {**headers, "If-Match": known.etag}).expect(200)
    assert "accept-encoding" in s.get("variables", {"If-None-Match": packed.etag}).headers["vary"].lower()
    s.create("one_more", 1.0)
    for known in (plain, packed):
        s.get("variables", {**GZIP, "If-None-Match": known.etag}).expect(200)
        s.get("variables", {**GZIP, "If-Match": known.etag}).expect(412)


def test_a_write_takes_the_tag_of_either(s):
    s.put("", {"labels": {f"label{i}": "x" * 20 for i in range(30)}}).expect(200)
    s.patch("", {"labels": {f"label{i}": "x" * 20 for i in range(30)}}).expect(200)
    packed = s.get("", GZIP).expect(200)
    assert coding(packed) == "gzip"
    s.patch("", {"labels": {}}, {"If-Match": packed.etag}).expect(200)
    s.patch("", {"labels": {}}, {"If-Match": packed.etag}).expect(412)


def test_what_is_asked_for_is_what_comes(s):
    filled(s)
    for accept, wanted in (("gzip", "gzip"), ("x-gzip", "gzip"), ("*", "gzip"), ("br, gzip;q=0.1", "gzip"), ("identity", None),
                           ("gzip;q=0", None), ("", None), ("br", None), ("*;q=0", None), ("gzip;q=0, *", None),
                           ("gzip;q=0.5, identity", None), ("gzip;q=0.5, identity;q=1", None), ("identity;q=0.4, gzip;q=0.5", "gzip"),
                           ("gzip;q=0.5, identity;q=0.5", "gzip"), ("gzip;q=0.5, *;q=1", None), ("gzip, *;q=0", "gzip"),
                           ("identity;q=0", None), ("identity;q=0, *;q=0.001", "gzip"), ("*;q=0, identity;q=0", None)):
        assert coding(s.get("variables", {"Accept-Encoding": accept}).expect(200)) == wanted, accept


def test_what_is_never_packed_goes_plain_even_where_that_is_refused(s):
    s.create("big", {"op": "zeros", "shape": [20000]})
    s.initialize()
    for accept in ("gzip, identity;q=0", "gzip, *;q=0", "identity;q=0", "*;q=0"):
        for path in ("/healthz", "variables/big:value"):
            assert coding(s.get(path, {"Accept-Encoding": accept}).expect(200)) is None, (accept, path)


def test_many_fields_are_one_list(s):
    filled(s)
    for accepts, wanted in ((("br", "gzip"), "gzip"), (("gzip;q=0.5", "identity"), None), (("gzip", "*;q=0"), "gzip"), (("*", "gzip;q=0"), None)):
        fields = "".join(f"Accept-Encoding: {accept}\r\n" for accept in accepts)
        with s.socket() as raw:
            raw.send(f"GET {s.path('variables')} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
            assert coding(raw.reply("GET variables").expect(200)) == wanted, accepts


def test_refusals_go_as_they_are(s):
    name = "x" * 200
    reply = s.get(f"variables/{name}", GZIP).expect(404)
    assert coding(reply) is None and reply.json["code"] == "NOT_FOUND"


def test_the_setting_decides(s):
    with s.other_server("--gzip-min-bytes", "0") as t:
        filled(t)
        reply = t.get("variables", GZIP).expect(200)
        assert coding(reply) is None and "accept-encoding" not in reply.headers["vary"].lower()
    with s.other_server("--gzip-min-bytes", "100k") as t:
        filled(t)
        assert coding(t.get("variables", GZIP).expect(200)) is None
