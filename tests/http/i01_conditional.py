"""ETag, If-None-Match, If-Match, Range: RFC 9110."""

import formats
from ranged import parts_of

np = formats.np
RAW = {"Content-Type": "application/octet-stream"}
READABLE = ("", "variables", "variables/w", "variables/w:value", "variables/w:value?format=raw",
            "variables/w:value?format=npy", "checkpoints", "checkpoints/c", "checkpoints/c:export?format=safetensors",
            "values?format=safetensors")


def fill(s):
    s.make("w", [1, 2, 3])
    s.save("c")


def test_every_read_has_a_strong_quoted_etag_and_304(s):
    fill(s)
    for path in READABLE:
        tag = s.get(path).expect(200).etag
        assert tag and tag.startswith('"') and tag.endswith('"') and len(tag) > 2, (path, tag)
        for condition in (tag, f'"other", {tag}', "*", f"W/{tag}"):
            reply = s.get(path, {"If-None-Match": condition}).expect(304)
            assert reply.etag == tag and not reply.body, (path, str(reply))
        s.head(path, {"If-None-Match": tag}).expect(304)
        s.get(path, {"If-None-Match": '"other"'}).expect(200)


def test_representations_have_tags_of_their_own(s):
    fill(s)
    tags = [s.get(f"variables/w:value?format={kind}").etag for kind in ("json", "raw", "npy", "safetensors")]
    tags += [s.get("variables/w:value?format=raw&slice=0").etag, s.get("variables/w:value?format=raw&slice=1").etag,
             s.get("variables/w").etag]
    assert len(set(tags)) == len(tags), tags


def test_a_change_changes_the_tag_and_nothing_else_does(s):
    fill(s)
    s.make("other", [1])
    paths = ("variables/w", "variables/w:value", "variables/w:value?format=raw")
    before = [s.get(path).etag for path in paths]
    s.put("variables/other:value", [2]).expect(200)
    s.save("d")
    assert [s.get(path).etag for path in paths] == before
    s.put("variables/w:value", [1, 2, 3]).expect(200)
    after = [s.get(path).etag for path in paths]
    assert all(a != b for a, b in zip(before, after)), (before, after)


def test_a_list_changes_its_tag_when_something_in_it_does(s):
    fill(s)
    before = s.get("variables").etag
    s.put("variables/w:value", [1, 2, 3]).expect(200)
    middle = s.get("variables").etag
    s.create("x", 1.0)
    assert len({before, middle, s.get("variables").etag}) == 3


def test_tags_survive_a_restart(s):
    fill(s)
    before = [s.get(path).etag for path in READABLE]
    s.restart()
    assert [s.get(path).etag for path in READABLE] == before


def test_a_conditional_write_wins_or_changes_nothing(s):
    fill(s)
    tag = s.get("variables/w").etag
    value_tag = s.get("variables/w:value").etag
    for path, good in (("variables/w:value", value_tag), ("variables/w", tag)):
        reply = s.refuses(412, "PRECONDITION_FAILED", "revision", "PUT", path, b"\0" * 12,
                          {**RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "3", "If-Match": '"r1-other"'})
        # The tag in a 412 is good for the next try.
        again = s.put(path, b"\0" * 12, {**RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "3", "If-Match": reply.etag})
        assert again.status == 200, str(again)
    value_tag = s.get("variables/w:value").etag
    s.put("variables/w:value", [4, 5, 6], {"If-Match": f'"x", {value_tag}'}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", "revision", "PUT", "variables/w:value", [7, 8, 9], {"If-Match": value_tag})
    assert s.value("w") == [4, 5, 6]
    s.put("variables/w:value", [7, 8, 9], {"If-Match": "*"}).expect(200)
    s.refuses(412, "PRECONDITION_FAILED", (), "PUT", "variables/ghost",
              b"\0" * 4, {**RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "1", "If-Match": "*"})


def test_updates_by_verb_and_deletes_are_conditional_too(s):
    fill(s)
    old = s.get("variables/w").etag
    s.put("variables/w:value", [1, 1, 1]).expect(200)
    for verb, body in (("assign", {"value": [0, 0, 0]}), ("assign_add", {"value": [1, 1, 1]}), ("assign_sub", {"value": [1, 1, 1]})):
        s.refuses(412, "PRECONDITION_FAILED", "revision", "POST", f"variables/w:{verb}", body, {"If-Match": old})
    s.refuses(412, "PRECONDITION_FAILED", "revision", "DELETE", "variables/w", None, {"If-Match": old})
    new = s.get("variables/w").etag
    s.post("variables/w:assign_add", {"value": [1, 1, 1]}, {"If-Match": new}).expect(200)
    s.delete("variables/w", {"If-Match": s.get("variables/w").etag}).expect(200)


def test_if_none_match_star_creates_only(s):
    headers = {**RAW, "Tensor-Dtype": "float32", "Tensor-Shape": "1", "If-None-Match": "*"}
    s.put("variables/w", b"\0" * 4, headers).expect(201)
    s.refuses(412, "PRECONDITION_FAILED", (), "PUT", "variables/w", b"\0\0\0\1", headers)
    assert s.value("w") == [0]


def test_compare_and_swap_counts_exactly(s):
    import threading
    s.make("n", [0], "int64")
    clients, failures = [s.another_client() for _ in range(4)], []

    def work(client):
        try:
            done = 0
            while done < 10:
                reply = client.request("GET", s.path("variables/n:value")).expect(200)
                got = client.request("PUT", s.path("variables/n:value"), [reply.json["data"][0] + 1], {"If-Match": reply.etag})
                assert got.status in (200, 412), str(got)
                done += got.status == 200
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert s.value("n") == [40]


def test_malformed_conditions(s):
    fill(s)
    for value in ("unquoted", '"open', ""):
        reply = s.put("variables/w:value", [0, 0, 0], {"If-Match": value})
        assert reply.status in (400, 412), str(reply)
    assert s.value("w") == [1, 2, 3]


def test_byte_ranges_of_raw_values(s):
    for size in (1000, 3_000_000):
        data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
        s.put_raw("r", "uint8", [size], data)
        path = "variables/r:value?format=raw"
        whole = s.get(path).expect(200)
        assert whole.headers.get("accept-ranges") == "bytes"
        for text, begin, end in (("0-0", 0, 1), ("0-9", 0, 10), ("990-", 990, size), ("-1", size - 1, size),
                                 ("5-99999999999", 5, size), (f"-{size * 2}", 0, size), (f"{size - 1}-", size - 1, size),
                                 (f"0-{size - 1}", 0, size), (f"{size // 2}-{size // 2 + 300}", size // 2, size // 2 + 301)):
            reply = s.get(path, {"Range": f"bytes={text}"}).expect(206)
            assert reply.body == data[begin:end], (size, text)
            assert reply.headers["content-range"] == f"bytes {begin}-{min(end, size) - 1}/{size}", str(reply)
            assert reply.etag == whole.etag
            head = s.head(path, {"Range": f"bytes={text}"})
            assert head.status in (200, 206)
        s.delete("variables/r")


def test_ranges_past_the_end_are_416(s):
    s.put_raw("r", "uint8", [10], b"0123456789")
    path = "variables/r:value?format=raw"
    for text in ("10-", "10-20", "-0", "99999999999999999999-"):
        reply = s.get(path, {"Range": f"bytes={text}"})
        assert reply.status == 416 and reply.code == "OUT_OF_RANGE", str(reply)
        assert reply.headers["content-range"] == "bytes */10", str(reply)
    s.put_raw("e", "uint8", [0], b"")
    assert s.get("variables/e:value?format=raw", {"Range": "bytes=0-0"}).status == 416


def test_ranges_that_mean_nothing_are_ignored(s):
    s.put_raw("r", "uint8", [10], b"0123456789")
    for text in ("bytes=5-2", "bytes=x", "lines=0-1", "bytes=", "bytes=0-1,x", "bytes=--1", "0-1"):
        reply = s.get("variables/r:value?format=raw", {"Range": text})
        assert reply.status == 200 and reply.body == b"0123456789", (text, str(reply))


def test_if_range(s):
    s.put_raw("r", "uint8", [10], b"0123456789")
    path = "variables/r:value?format=raw"
    tag = s.get(path).etag
    assert s.get(path, {"Range": "bytes=0-1", "If-Range": tag}).expect(206).body == b"01"
    assert s.get(path, {"Range": "bytes=0-1", "If-Range": '"other"'}).expect(200).body == b"0123456789"
    s.get(path, {"Range": "bytes=0-1", "If-None-Match": tag}).expect(304)
    for other in (f"W/{tag}", f"{tag}, {tag}", "*", "Sun, 29 Nov 2026 21:00:00 GMT", "Sun, 29 Nov 1970 21:00:00 GMT", "x"):
        assert s.get(path, {"Range": "bytes=0-1,5-6", "If-Range": other}).expect(200).body == b"0123456789", other
    s.put("variables/r:value", b"9876543210", RAW).expect(200)
    assert s.get(path, {"Range": "bytes=0-1", "If-Range": tag}).expect(200).body == b"9876543210"


def test_several_ranges_come_as_parts(s):
    for size in (1000, 3_000_000):
        data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
        s.put_raw("r", "uint8", [size], data)
        path = "variables/r:value?format=raw"
        whole = s.get(path).expect(200)
        for text, ranges in (("0-0,2-2", [(0, 1), (2, 3)]), ("900-,0-9", [(900, size), (0, 10)]),
                             ("-5, 3-4", [(size - 5, size), (3, 5)]), ("5-9,20-29,7-12,100-", [(5, 13), (20, 30), (100, size)]),
                             (f"{size}-,1-1,{size + 9}-{size + 10},3-3", [(1, 2), (3, 4)]),
                             (",".join(f"{i}-{i}" for i in range(510, -1, -2)), [(i, i + 1) for i in range(510, -1, -2)])):
            reply = s.get(path, {"Range": f"bytes={text}"}).expect(206)
            assert parts_of(reply) == [(begin, end, size, data[begin:end]) for begin, end in ranges], text
            assert reply.etag == whole.etag
            assert s.head(path, {"Range": f"bytes={text}"}).expect(200).headers["content-length"] == str(size)
        boundaries = {s.get(path, {"Range": "bytes=0-0,2-2"}).headers["content-type"] for _ in range(4)}
        assert len(boundaries) == 4, boundaries
        for text, begin, end in (("0-4,5-9", 0, 10), ("5-9,0-4", 0, 10), ("0-,0-,-1", 0, size), (f"7-8,{size}-", 7, 9)):
            reply = s.get(path, {"Range": f"bytes={text}"}).expect(206)
            assert reply.headers["content-range"] == f"bytes {begin}-{end - 1}/{size}" and reply.body == data[begin:end], text
        s.delete("variables/r")


def test_more_ranges_than_are_served_are_416_and_no_range_costs_more_than_the_whole(s):
    s.put_raw("r", "uint8", [4000], bytes(4000))
    path = "variables/r:value?format=raw"
    reply = s.refuses(416, "OUT_OF_RANGE", ("257", "256"), "GET", path, None,
                      {"Range": "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 514, 2))})
    assert reply.headers["content-range"] == "bytes */4000"
    overlapping = "bytes=" + ",".join(f"{i}-" for i in range(256))
    assert s.get(path, {"Range": overlapping}).expect(206).body == bytes(4000)
    # two fields are no range
    with s.socket() as raw:
        raw.send(f"GET /v1/models/{s.model}/{path} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\nRange: bytes=3-4\r\n\r\n".encode())
        assert raw.reply().expect(200).body == bytes(4000)


def test_a_read_may_insist_on_what_it_has_begun(s):
    fill(s)
    for path in READABLE:  # what a checkpoint shares is part of its tag, and looking for effects makes commits
        tag = s.get(path).etag
        s.get(path, {"If-Match": tag}).expect(200)
        s.get(path, {"If-Match": "*"}).expect(200)
        s.get(path, {"If-Match": tag, "If-None-Match": tag}).expect(304)
        for other in ('"other"', f"W/{tag}"):
            reply = s.refuses(412, "PRECONDITION_FAILED", "If-Match", "GET", path, None, {"If-Match": other})
            assert reply.etag == tag or path == "checkpoints/c", (path, str(reply))
        s.head(path, {"If-Match": '"other"'}).expect(412)
        s.refuses(400, "INVALID_ARGUMENT", "If-Match", "GET", path, None, {"If-Match": "unquoted"})
    path = "variables/w:value?format=raw"
    tag = s.get(path).etag
    s.put("variables/w:value", [4, 5, 6]).expect(200)
    reply = s.refuses(412, "PRECONDITION_FAILED", (), "GET", path, None, {"If-Match": tag, "Range": "bytes=0-3"})
    assert reply.etag == s.get(path).etag != tag
    assert s.get("variables/none:value", {"If-Match": tag}).status == 404


def test_a_patch_is_a_write_also_one_that_says_what_is_there(s):
    """Of whatever: its revision is the commit's, and all else stays."""
    s.make("v", [1])
    s.put("optimizers/o", {"type": "momentum", "momentum": 0.5, "learning_rate": 1}).expect(201)
    s.put("savers/saver", {}).expect(201)
    s.save("c")

    def without_times(reply):
        return {key: value for key, value in reply.json.items() if key not in ("revision", "updated")}

    for path, body in (("variables/v", {"device": "/cpu:0"}), ("variables/v", {"caching_device": "/cpu:0"}), ("variables/v", {}),
                       ("optimizers/o", {"momentum": 0.25}), ("optimizers/o", {}), ("checkpoints/c", {"pinned": True}),
                       ("checkpoints/c", {"labels": {"a": "b"}}), ("checkpoints/c", {}), ("savers/saver", {"max_to_keep": 3}),
                       ("savers/saver", {}), ("", {"labels": {"a": "b"}}), ("", {"device": "/cpu:0"}),
                       ("", {"quota": {"bytes": 9999}})):
        first, again = (s.patch(path, body).expect(200) for _ in range(2))
        assert without_times(first) == without_times(again), path
        assert first.json["revision"] < again.json["revision"] == int(again.headers["tensorkeep-revision"]), (path, body)
        assert s.get("").json["revision"] == again.json["revision"], path
    before = s.get("").json["revision"]
    assert s.patch("", {}).expect(200).json["revision"] == before == s.get("").json["revision"], "of a model nothing was said"
