"""Replies that are kept for their Idempotency-Key: how long, how many, how large."""

import time

import formats
from every_write import SAFE
from idempotency import count, is_whole, key, replays

np = formats.np


def test_replies_expire(s):
    with s.other_server("--idempotency-keep-ms", "1000") as other:
        other.make("n", 0, "int64")
        for i in range(30):
            count(other, 99, f"old-{i}").expect(200)
        first = count(other, 99, "kept").expect(200)
        replays(other, first, "POST", "variables/n:count_up_to", {"limit": 99}, key("kept"))
        time.sleep(1.1)
        reply = count(other, 99, "kept").expect(200)
        assert reply.json["value"] == 31 and "idempotency-replayed" not in reply.headers
        replays(other, reply, "POST", "variables/n:count_up_to", {"limit": 99}, key("kept"))
        # An expired key is free for any request.
        other.post("variables/n:assign", {"value": 0}, key("old-0")).expect(200)
        for i in range(8):
            count(other, 99, f"new-{i}").expect(200)
        is_whole(other)
        other.restart("--idempotency-keep-ms", "60000")
        replays(other, reply, "POST", "variables/n:count_up_to", {"limit": 99}, key("kept"))


def test_there_is_a_limit_to_what_is_kept(s):
    with s.other_server("--idempotency-keys-max", "3", "--idempotency-keep-ms", "2000") as other:
        other.make("n", 0, "int64")
        first = count(other, 99, "k0").expect(200)
        for i in (1, 2):
            count(other, 99, f"k{i}").expect(200)
        reply = other.refuses(429, "RESOURCE_EXHAUSTED", ("idempotency_keys_max", "3", "idempotency_keep_ms"), "POST",
                              "variables/n:count_up_to", {"limit": 99}, key("k3"))
        assert reply.headers["retry-after"] == "1"
        replays(other, first, "POST", "variables/n:count_up_to", {"limit": 99}, key("k0"))
        other.post("variables/n:count_up_to", {"limit": 99}).expect(200)  # without a key there is no limit
        time.sleep(2.1)
        assert count(other, 99, "k3").expect(200).json["value"] == 4
        is_whole(other)
        # Of a lower limit all that is over it goes when it has expired, however much it is.
        for i in (4, 5):
            count(other, 99, f"k{i}").expect(200)
        other.restart("--idempotency-keys-max", "1", "--idempotency-keep-ms", "2000")
        time.sleep(2.1)
        count(other, 99, "k6").expect(200)
        is_whole(other)


def test_a_reply_that_is_too_long_to_keep_is_refused(s):
    with s.other_server("--idempotency-reply-max-bytes", "4k") as other:
        many = [{"name": f"v{i}", "dtype": "float32", "shape": [1]} for i in range(100)]
        other.refuses(413, "PAYLOAD_TOO_LARGE", ("idempotency_reply_max_bytes", "4096"), "POST", "variables", many, key("long"))
        assert other.names() == []
        file = formats.safetensors_write({f"w/{'n' * 100}{i}": ("int8", [1], b"\1") for i in range(100)})
        other.refuses(413, "PAYLOAD_TOO_LARGE", "idempotency_reply_max_bytes", "PUT", "values?create=true", file,
                      {**SAFE, **key("long")})
        big = formats.safetensors_write({f"w/{'n' * 100}{i}": ("int8", [30_000], b"\1" * 30_000) for i in range(100)})
        other.refuses(413, "PAYLOAD_TOO_LARGE", "idempotency_reply_max_bytes", "PUT", "values?create=true", big,
                      {**SAFE, **key("long")})
        other.put_npy("fetched", np.zeros(5000, "<i1"))
        run = {"ops": [{"op": "assign_add", "variable": "fetched", "value": {"op": "ones_like", "args": [{"variable": "fetched"}]}}],
               "fetches": {"f": {"variable": "fetched"}}}
        for few in ("0:1000", "0:3000", "0:5000"):
            run["fetches"]["f"] = {"op": "slice", "args": [{"variable": "fetched"}, [0], [int(few[2:])]]}
            if few == "0:1000":
                first = other.post(":run", run, key("few")).expect(200)
                replays(other, first, "POST", ":run", run, key("few"))
            else:
                other.refuses(413, "PAYLOAD_TOO_LARGE", "idempotency_reply_max_bytes", "POST", ":run", run, key("long"))
        run["dry_run"] = True
        other.post(":run", run, key("long")).expect(200)  # is not kept
        other.post("variables", many).expect(201)
        first = other.post("variables/v0:assign", {"value": [1]}, key("long")).expect(200)
        replays(other, first, "POST", "variables/v0:assign", {"value": [1]}, key("long"))
        is_whole(other)


def test_larger_replies_are_kept_outside_their_record(s):
    """Inline in the outcome's record, in a record of their own, in chunks."""
    for n in (1, 8, 60, 400):
        many = [{"name": f"s{n}/v{i}", "dtype": "float32", "shape": [1]} for i in range(n)]
        first = s.post("variables", many, key(f"many-{n}")).expect(201)
        replays(s, first, "POST", "variables", many, key(f"many-{n}"))
    assert len(first.body) > 100_000
    s.kill9()
    s.restart()
    replays(s, first, "POST", "variables", many, key("many-400"))
    is_whole(s)


def test_settings_are_told(s):
    limits = s.get("/v1").expect(200).json["limits"]
    assert limits["idempotency_keep_ms"] == 24 * 3600 * 1000
    assert limits["idempotency_keys_max"] == 1_000_000 and limits["idempotency_reply_max_bytes"] == 262_144


def test_without_acknowledged_syncs_too(s):
    with s.other_server("--durability", "interval=50") as other:
        other.make("n", 0, "int64")
        first = count(other, 99, "k").expect(200)
        other.kill9()
        other.restart("--durability", "interval=50")
        replays(other, first, "POST", "variables/n:count_up_to", {"limit": 99}, key("k"))
