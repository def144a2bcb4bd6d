"""What tests of savers ask and look at: s is a session."""


def fill(s):
    s.make("v1", [1, 2])
    s.make("v2", [3], "int32")


def saver(s, name="s", **fields):
    return s.put_ok(f"savers/{name}", fields).json


def save(s, name, saver_name="s", **fields):
    reply = s.post(f"savers/{saver_name}:save", {"name": name, **fields})
    assert reply.status in (200, 201), str(reply)
    return reply


def last(s, name="s"):
    return s.get(f"savers/{name}").expect(200).json["last_checkpoints"]


def latest(s, name="s"):
    return s.get(f"checkpoints:latest?saver={name}").expect(200).json["name"]


def names_of(s, checkpoint):
    return [tensor["name"] for tensor in s.get(f"checkpoints/{checkpoint}").expect(200).json["tensors"]]


def checkpoints(s):
    return sorted(c["name"] for c in s.get("checkpoints").expect(200).json["checkpoints"])


def is_whole(s):
    report = s.post("/v1:verify").expect(200).json
    assert report["findings"] == 0, report
