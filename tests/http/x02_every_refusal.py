"""What every write may answer before it does anything: each status that the document lists for all of them, asked of
each, with nothing changed."""

import json
import re

import every_write as ew
from held_key import held_key

FLAGS = ["--checkpoint-root", ew.ROOT, "--json-body-max-bytes", "4096", "--upload-max-bytes", "16384"]
MANY = 20000  # bytes that no body may have here


def rows():
    """Operation, method, path, body and headers of every write."""
    for name, (method, path, body, headers) in ew.WRITES.items():
        yield name, method, path, body, headers


def furnished(s, model):
    """Once for all of them: nothing of it changes."""
    s.model = model
    ew.furnish(s)


def address(s, path):
    return path.format(model=s.model)


def test_of_another_revision(s):
    furnished(s, "revisions")
    for name, method, path, body, headers in rows():
        s.refuses(412, "PRECONDITION_FAILED", "If-Match", method, address(s, path), body, {**headers, "If-Match": '"r987654321"'})


def test_in_a_model_that_is_not_there(s):
    s.model = "absent"
    for name, method, path, body, headers in rows():
        if name != "createModel":
            s.is_refusal(s.request(method, address(s, path), body, headers), 404, "NOT_FOUND", "absent")
    s.get("").expect(404)


def test_with_the_key_of_another_request(s):
    furnished(s, "keys")
    for name, method, path, body, headers in rows():
        s.put("/v1/models/other-" + name, {}, {"Idempotency-Key": name}).expect(201)
        s.refuses(422, "UNPROCESSABLE", name, method, address(s, path), body, {**headers, "Idempotency-Key": name})


def test_while_a_request_with_its_key_runs(s):
    furnished(s, "slow")
    doubtful = {"Idempotency-Key": "slow", "If-Match": '"r987654321"'}
    with held_key(s, "slow", lambda: s.request("DELETE", "variables/none", None, doubtful)):
        for name, method, path, body, headers in rows():
            reply = s.request(method, address(s, path), body, {**headers, **doubtful})
            s.is_refusal(reply, 409, "ABORTED", ("slow", "still running"))


def test_with_an_argument_that_is_none(s):
    furnished(s, "arguments")
    for name, method, path, body, headers in rows():
        path = address(s, path)
        s.refuses(400, "INVALID_ARGUMENT", "nonsense", method, path + ("&" if "?" in path else "?") + "nonsense=1", body, headers)


def test_with_a_body_of_a_strange_type(s):
    furnished(s, "types")
    for name, method, path, body, headers in rows():
        if body is not None:
            s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "text/csv", method, address(s, path), body, {**headers, "Content-Type": "text/csv"})
            s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Encoding", method, address(s, path), body, {**headers, "Content-Encoding": "br"})


def test_with_a_body_that_is_too_large(s):
    furnished(s, "sizes")
    for name, method, path, body, headers in rows():
        if body is not None:
            large = bytes(MANY) if isinstance(body, bytes) else json.dumps({"labels": {"a": "x" * MANY}}).encode()
            setting = "upload_max_bytes" if isinstance(body, bytes) else "json_body_max_bytes"
            given = headers if isinstance(body, bytes) else {"Content-Type": "application/json"}
            s.refuses(413, "PAYLOAD_TOO_LARGE", setting, method, address(s, path), large, given)


def test_every_write_is_in_the_table(s):
    document = s.get("/openapi.json").json
    documented = {item[method]["operationId"] for item in document["paths"].values() for method in item
                  if method in ("put", "post", "patch", "delete")}
    assert documented <= set(ew.WRITES) | ew.WITHOUT_EFFECT, documented - set(ew.WRITES) - ew.WITHOUT_EFFECT
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation["operationId"] in ew.WRITES:
                named = {parameter["$ref"].rpartition("/")[2] for parameter in operation["parameters"] if "$ref" in parameter}
                assert {"IdempotencyKey", "IfMatch", "IfNoneMatchAny", "Prefer"} <= named, operation["operationId"]
                listed = {status for status in operation["responses"] if re.fullmatch("4..", status)}
                wanted = {"400", "409", "412", "422"} | ({"413", "415"} if "requestBody" in operation else set())
                assert wanted <= listed, (operation["operationId"], wanted - listed)
