"""Requests with an Idempotency-Key, and what must be the same when they are made again."""

RAW = {"Content-Type": "application/octet-stream"}
# Of one exchange, not of the reply.
OF_THE_MOMENT = {"date", "server-timing", "x-request-id", "idempotency-replayed", "connection"}


def key(name, **more):
    return {"Idempotency-Key": name, **more}


def told(reply):
    """What must be the same when it is told again."""
    return reply.status, {n: v for n, v in reply.headers.items() if n not in OF_THE_MOMENT}, reply.body


def is_replay(reply, first):
    assert reply.headers.get("idempotency-replayed") == "true", str(reply)
    assert told(reply) == told(first), f"{first}\n--- and then\n{reply}"


def replays(s, first, method, path, body=None, headers=None):
    """The request, made again, changes nothing and is told the same. A body that is a function is made anew."""
    with s.unchanged():
        reply = s.request(method, path, body() if callable(body) else body, headers)
    is_replay(reply, first)
    return reply


def is_whole(s):
    assert s.post("/v1:verify").expect(200).json["findings"] == 0


def count(s, limit, name, client=None):
    return (client or s.client).request("POST", s.path("variables/n:count_up_to"), {"limit": limit}, key(name))
