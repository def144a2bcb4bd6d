"""What every read of the document may answer: with conditions that hold or do not, of what is not there, and with arguments that
are none. Where a read is comes from the document's own path."""

import re

import every_write

# What furnish makes, by the collection it is in; and arguments that a read cannot do without.
NAMES = {"variables": "v", "optimizers": "o", "accumulations": "k", "moving_averages": "e", "checkpoints": "c", "savers": "s",
         "accumulators": "a"}
NEEDED = {"tensor": "v", "against": "current"}
OTHER = '"r987654321-nothing"'


def reads(s):
    """Operation, its path here, its path in a model that is not there (or None), and the replies it may have, by status."""
    document = s.get("/openapi.json").expect(200).json
    for path, item in document["paths"].items():
        if "get" not in item:
            continue
        query = [f"{given['name']}={NEEDED[given['name']]}" for given in item["get"].get("parameters", ()) if given.get("required")]
        place = re.sub(r"([a-z_]+)/\{(?:name|key)\}", lambda found: f"{found[1]}/{NAMES[found[1]]}", path)
        place += "?" + "&".join(query)
        yield (item["get"]["operationId"], place.replace("{model}", s.model),
               place.replace("{model}", "absent") if "{model}" in place else None, item["get"]["responses"])


def furnished(s):
    every_write.furnish(s)
    s.post("savers/s:save", {"name": "c2"}).expect(201)  # a saver has a latest one


def test_a_tag_that_is_known_is_304_and_another_is_412(s):
    furnished(s)
    asked = set()
    for operation, path, _, replies in reads(s):
        if "304" not in replies:
            continue
        asked.add(operation)
        for _ in range(50):
            tag = s.request("GET", path).expect(200).etag
            known = s.request("GET", path, headers={"If-None-Match": tag})
            if known.status == 304 or operation != "getUsage":  # files shrink by themselves a little later
                break
        assert known.expect(304).etag == tag, operation
        s.request("GET", path, headers={"If-None-Match": OTHER}).expect(200)
        assert operation == "getUsage" or s.request("GET", path, headers={"If-Match": tag}).expect(200).etag == tag
        s.is_refusal(s.request("GET", path, headers={"If-Match": OTHER}), 412, "PRECONDITION_FAILED", "what is here now")
        assert "412" in replies, operation
    assert {"getModel", "getVariable", "getValue", "getOptimizer", "inspectCheckpoint", "diffCheckpoint", "getSaver"} <= asked, asked


def test_in_a_model_that_is_not_there(s):
    for operation, _, absent, replies in reads(s):
        if absent is not None:
            s.is_refusal(s.request("GET", absent), 404, "NOT_FOUND", "absent")
            assert "404" in replies, operation


def test_with_an_argument_that_is_none(s):
    furnished(s)
    for operation, path, _, replies in reads(s):
        s.is_refusal(s.request("GET", path + "&nonsense=1"), 400, "INVALID_ARGUMENT", "nonsense")
        assert "400" in replies, operation


def test_in_a_form_that_is_none(s):
    furnished(s)
    for operation, path, _, replies in reads(s):
        if "406" in replies:
            assert s.request("GET", path).expect(200).headers["vary"].startswith("Accept"), operation
            s.is_refusal(s.request("GET", path, headers={"Accept": "image/png"}), 406, "NOT_ACCEPTABLE", "this is to be had as")


def test_readings_that_are_posted_take_no_other_argument(s):
    furnished(s)
    for path, body in (("/v1:verify", None), ("checkpoints/c:verify", None), ("variables/v:gather", {"indices": [0]})):
        s.refuses(400, "INVALID_ARGUMENT", "nonsense", "POST", path + "?nonsense=1", body)


def test_ranges_of_every_form(s):
    furnished(s)
    forms = {"application/octet-stream": "raw", "application/x-npy": "npy", "application/x-npz": "npz",
             "application/vnd.safetensors": "safetensors"}
    for operation, path, _, replies in reads(s):
        for form in (forms[kind] for kind in replies.get("206", {}).get("content", ()) if kind in forms):
            file = f"{path}&format={form}"
            whole = s.request("GET", file).expect(200).body
            assert s.request("GET", file, headers={"Range": "bytes=0-3"}).expect(206).body == whole[:4], operation
            s.is_refusal(s.request("GET", file, headers={"Range": f"bytes={len(whole)}-"}), 416, "OUT_OF_RANGE", "bytes")
            assert "416" in replies, operation


def test_more_elements_than_json_takes(s):
    with s.other_server("--max-json-elements", "2") as t:
        furnished(t)
        for path in ("variables/v:value", "checkpoints/c:value?tensor=v", "values?names=v"):
            t.is_refusal(t.get(path), 413, "PAYLOAD_TOO_LARGE", "max_json_elements")
