"""Quotas of a model: what is over them is 507 and changes nothing; what makes room always works."""

import io
import select

import numpy

import formats
from token_files import bearer, guarded_server


def npy_of(array):
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


def npz_of(**arrays):
    out = io.BytesIO()
    numpy.savez(out, **arrays)
    return out.getvalue()


def zeros(count):
    return {"op": "zeros", "shape": [count]}


def quota(s, **most):
    return s.patch("", {"quota": most}).expect(200).json["quota"]


def full(s, words, method, path, body=None, headers=None):
    """Refused for the quota, and nothing has changed."""
    return s.refuses(507, "RESOURCE_EXHAUSTED", ("quota", *words), method, path, body, headers)


def held(s):
    info = s.get().expect(200).json
    return info["bytes"] + info["checkpoint_bytes"]


def test_a_model_has_none_until_it_is_given_one(s):
    assert s.get().json["quota"] == {"bytes": None, "variables": None}
    assert quota(s, bytes=100) == {"bytes": 100, "variables": None}
    assert quota(s, variables=3) == {"bytes": 100, "variables": 3}
    assert quota(s, bytes=None) == {"bytes": None, "variables": 3}
    assert quota(s) == {"bytes": None, "variables": 3}
    s.restart()
    assert s.get().json["quota"] == {"bytes": None, "variables": 3}
    assert [m["quota"] for m in s.get("/v1/models").json["models"] if m["name"] == s.model] == [{"bytes": None, "variables": 3}]
    revision = s.get().json["revision"]
    assert s.patch("", {"quota": {"bytes": 7}}).expect(200).revision == revision + 1


def test_it_may_come_with_the_model(s):
    made = s.put(f"/v1/models/{s.model}-b", {"quota": {"bytes": 10, "variables": 0}}).expect(201).json
    assert made["quota"] == {"bytes": 10, "variables": 0}
    s.put(f"/v1/models/{s.model}-b", {}).expect(200)
    s.refuses(507, "RESOURCE_EXHAUSTED", ("0",), "POST", f"/v1/models/{s.model}-b/variables", {"name": "w", "initial_value": 1.0})


def test_what_is_no_quota_is_refused(s):
    for body, word in (({"bytes": -1}, "quota.bytes"), ({"bytes": 1.5}, "quota.bytes"), ({"bytes": "1"}, "quota.bytes"),
                       ({"byte": 1}, "byte"), (5, "quota"), ([], "quota"), (None, "quota"), ({"variables": 2 ** 63}, "variables")):
        s.refuses(400, "INVALID_ARGUMENT", (word,), "PATCH", "", {"quota": body})


def test_variables_are_counted_slots_too(s):
    quota(s, variables=2)
    s.create("a", [1.0])
    full(s, ("3", "2"), "POST", "variables", [{"name": "b", "initial_value": 1.0}, {"name": "c", "initial_value": 1.0}])
    s.create("b", [1.0])
    full(s, ("3", "2"), "POST", "variables", {"name": "c", "initial_value": 1.0})
    s.initialize()
    s.put("optimizers/o", {"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}).expect(201)
    full(s, ("3", "2"), "POST", "optimizers/o:apply_gradients", {"gradients": {"a": [1.0]}})
    s.delete("variables/b").expect(200)
    s.post("optimizers/o:apply_gradients", {"gradients": {"a": [1.0]}}).expect(200)


def test_bytes_are_those_of_values_and_checkpoints(s):
    s.create("w", zeros(100))
    s.initialize()
    quota(s, bytes=900)
    s.save("c")
    assert held(s) == 800
    full(s, ("1200", "900"), "POST", "checkpoints", {"name": "d"})
    s.create("v", zeros(26))
    full(s, ("904", "900"), "POST", "variables/v:initialize")
    s.create("u", zeros(25))
    s.post("variables/u:initialize").expect(200)
    assert held(s) == 900
    s.assign("w", {"op": "ones", "shape": [100]})
    s.delete("checkpoints/c").expect(200)
    s.post("variables/v:initialize").expect(200)


def test_every_way_to_more_bytes_is_closed(s):
    s.create("w", zeros(10))
    s.initialize()
    s.save("c")
    array = numpy.zeros(100, "float32")
    quota(s, bytes=200)
    s.create("big", zeros(100))
    full(s, (), "POST", ":initialize", {"variables": ["big"]})
    full(s, (), "POST", ":run", {"ops": [{"op": "initialize", "variables": ["big"]}]})
    npy = {"Content-Type": "application/x-npy"}
    full(s, (), "PUT", "variables/new", npy_of(array), npy)
    full(s, (), "PUT", "variables/big:value", npy_of(array), npy)
    full(s, (), "PUT", "values?create=true&format=npz", npz_of(x=array, y=array), {"Content-Type": "application/zip"})
    full(s, (), "PUT", "checkpoints/imported?format=npz", npz_of(x=array), {"Content-Type": "application/zip"})
    s.delete("variables/big").expect(200)
    full(s, (), "POST", ":run", {"ops": [{"op": "save", "name": name} for name in ("d", "e", "f", "g")]})
    s.delete("variables/w").expect(200)
    assert quota(s, bytes=79)
    full(s, ("80", "79"), "POST", "checkpoints/c:restore", {"create": True})
    quota(s, bytes=80)
    s.post("checkpoints/c:restore", {"create": True}).expect(200)


def test_what_replaces_something_needs_room_for_the_difference(s):
    small, large = numpy.zeros(10, "float32"), numpy.zeros(12, "float32")
    zip_type = {"Content-Type": "application/zip"}
    s.put("values?create=true&format=npz", npz_of(a=small, b=small), zip_type).expect(200)
    s.put("checkpoints/c?format=npz", npz_of(a=small), zip_type).expect(201)
    quota(s, bytes=120)
    s.put("values?format=npz", npz_of(a=small, b=small), zip_type).expect(200)
    s.put("checkpoints/c?format=npz&overwrite=true", npz_of(b=small), zip_type).expect(200)
    full(s, ("128", "120"), "PUT", "checkpoints/c?format=npz&overwrite=true", npz_of(b=large), zip_type)
    full(s, ("124", "120"), "PUT", "values?create=true&format=npz", npz_of(d=numpy.zeros(1, "float32")), zip_type)


def test_a_refusal_comes_before_the_bytes(s):
    """An upload that does not fit is refused by its beginning: most of it need not be sent."""
    quota(s, bytes=1000)
    whole, sent = formats.npy_write(numpy.zeros(16 << 20, "float32")), 0
    with s.socket(timeout=20 * s.patience) as raw:
        raw.send(b"PUT " + s.path("variables/w").encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(whole))
        while sent < len(whole) // 2 and not select.select([raw.socket], [], [], 0.1)[0]:
            raw.send(whole[sent:sent + 65536])
            sent += 65536
        reply = raw.reply()
    assert sent < len(whole) // 2 and reply.status == 507 and "quota" in reply.detail, (sent, str(reply))


def test_what_is_over_it_already_stays_and_may_shrink(s):
    s.create("w", zeros(100))
    s.create("v", zeros(10))
    s.initialize()
    s.save("c")
    quota(s, bytes=1, variables=0)
    assert s.value("w") == [0.0] * 100
    s.assign("w", {"op": "ones", "shape": [100]})
    s.post("checkpoints/c:restore", {}).expect(200)
    s.delete("variables/v").expect(200)
    s.delete("checkpoints/c").expect(200)
    full(s, ("bytes",), "POST", "checkpoints", {"name": "d"})


def test_a_saver_that_drops_its_oldest_needs_no_room_for_one_more(s):
    s.create("w", zeros(100))
    s.initialize()
    s.put("savers/s", {"max_to_keep": 2}).expect(201)
    quota(s, bytes=1200)
    for step in range(4):
        s.post("savers/s:save", {"name": "m", "global_step": step}).expect(201)
    assert held(s) == 1200
    quota(s, bytes=1199)
    full(s, ("1200", "1199"), "POST", "savers/s:save", {"name": "m", "global_step": 9})


def test_new_models_have_the_settings(s):
    with s.other_server("--model-quota-bytes", "1k", "--model-quota-variables", "5") as t:
        assert t.get().json["quota"] == {"bytes": 1024, "variables": 5}
        t.create("w", zeros(257))
        full(t, ("1028", "1024"), "POST", ":initialize")
        t.put("/v1/models/free", {"quota": {"bytes": None}}).expect(201)
        assert t.get("/v1/models/free").json["quota"] == {"bytes": None, "variables": 5}
        limits = t.get("/v1").json["limits"]
        assert limits["model_quota_bytes"] == 1024 and limits["model_quota_variables"] == 5


def test_only_an_administrator_sets_one(s):
    with guarded_server(s, writer=("write",), boss=("admin",)) as t:
        writer, boss = bearer(t.tokens["writer"]), bearer(t.tokens["boss"])
        t.request("PATCH", "", {"quota": {"bytes": 10}}, boss).expect(200)
        for method in ("PATCH", "PUT"):
            t.request(method, "", {"quota": {"bytes": None}}, writer).expect(403)
        t.request("PATCH", "", {"labels": {"a": "b"}}, writer).expect(200)
        assert t.request("GET", "", None, writer).json["quota"]["bytes"] == 10


def test_it_is_taken_once_under_a_key(s):
    key = {"Idempotency-Key": s.model}
    first = s.patch("", {"quota": {"bytes": 5}}, key).expect(200)
    s.patch("", {"quota": {"bytes": 6}}).expect(200)
    again = s.patch("", {"quota": {"bytes": 5}}, key).expect(200)
    assert again.json == first.json and s.get().json["quota"]["bytes"] == 6
