"""Every file that is broken on purpose: refused with what is wrong with it, nothing changed, and no more memory taken than it
is worth. TENSORKEEP_FIXTURES=folder takes others of the same form."""

import json
import os

import fixture_files as fixtures
import formats

FOLDER = os.path.join(fixtures.FOLDER, "malformed")
if not os.path.exists(FOLDER):
    FOLDER = fixtures.FOLDER
FORMAT = {"tf-v2": "tf_v2", "tf-v1": "tf_v1"}
KEPT = "kept"  # a checkpoint that no case may touch

# What a refusal must say, beside the name of a tensor that is to blame.
WORDS = {
    "tf-v2/index-empty": "0 bytes",
    "tf-v2/index-truncated-footer": "does not end as a table",
    "tf-v2/index-bad-magic": "does not end as a table",
    "tf-v2/block-crc": "checksum",
    "tf-v2/block-not-snappy": "snappy",
    "tf-v2/snappy-4gib": "4294967295",
    "tf-v2/snappy-offset-0": "snappy",
    "tf-v2/handle-wraps": "18446744073709551600",
    "tf-v2/restarts-huge": "1073741823 restarts",
    "tf-v2/entry-shared-too-long": "shares a key",
    "tf-v2/keys-out-of-order": "not after the one before",
    "tf-v2/no-header": "header",
    "tf-v2/shards-2147483647": "2147483647",
    "tf-v2/bad-consumer": "version 1",
    "tf-v2/dim-negative": "negative dimension",
    "tf-v2/shape-overflow": "more than 2^63",
    "tf-v2/dims-300": "300 dimensions",
    "tf-v2/size-too-small": "20 bytes",
    "tf-v2/offset-past-end": "4096",
    "tf-v2/offset-plus-size-wraps": "9223372036854775800",
    "tf-v2/tensor-crc": "checksum",
    "tf-v2/crc-not-masked": "checksum",
    "tf-v2/shard-id-too-big": "data file 1",
    "tf-v2/data-file-missing": "missing",
    "tf-v2/dtype-0": "number 0",
    "tf-v2/dtype-ref": "101",
    "tf-v2/slice-record-missing": "no record",
    "tf-v2/slices-leave-hole": "hole",
    "tf-v2/slice-rank": "1 dimensions",
    "tf-v2/slice-shape-smaller": "[1,3]",
    "tf-v2/string-length-2-63": "more bytes",
    "tf-v2/string-length-crc": "checksum",
    "tf-v2/string-count-huge": "1099511627776",
    "tf-v2/proto-varint-11": "varint",
    "tf-v2/proto-length-past-end": "100 bytes",
    "tf-v1/truncated": "table",
    "tf-v1/block-crc": "checksum",
    "tf-v1/no-meta": "no metadata",
    "tf-v1/record-missing": "missing",
    "tf-v1/too-few-values": "5 values",
    "tf-v1/float-val-length": "23 bytes",
    "tf-v1/dim-negative": "negative dimension",
    "tf-v1/slices-overlap": "overlap",
    "tf-v1/shards-disagree-shape": "float32[5]",
    "tf-v1/min-consumer-99": "99",
    "tf-v1/snappy-4gib": "4294967295",
    "tf-v1/dtype-wrong-field": "0 values",
    "safetensors/seven-bytes": "7",
    "safetensors/header-past-end": "1000",
    "safetensors/header-100000001": "100000001",
    "safetensors/not-json": "JSON",
    "safetensors/deep-metadata": "nested deeper",
    "safetensors/overlap": "begins at 12",
    "safetensors/first-not-at-0": "begins at 8",
    "safetensors/past-end": "48 bytes",
    "safetensors/shape-mismatch": "32 bytes",
    "safetensors/dim-negative": "plain integers",
    "safetensors/dim-1e30": "plain integers",
    "safetensors/dtype-unknown": "F128",
    "safetensors/name-duplicate": "twice",
    "safetensors/metadata-number": "no text",
    "safetensors/offsets-three": "more than two",
    "safetensors/lone-surrogate": "surrogate",
    "npy/bad-magic": "magic",
    "npy/data-short": "ends after 20 of 24",
    "npy/header-past-end": "header",
    "npy/dim-negative": "dimension",
    "npy/shape-huge": "1152921504606846976",
    "npy/itemsize-0": "4611686018427387904",
    "npy/key-extra": "has x",
    "npy/python-code": "__import__",
    "npy/fortran-order-1": "True or False",
    "npy/dtype-f16": "<f16",
    "npy/dim-20-digits": "99999999999999999999",
    "npz/crc": "CRC-32",
    "npz/method-12": "method 12",
    "npz/encrypted": "encrypted",
    "npz/zip64-huge": "9223372036854775808",
    "npz/deflate-garbage": "damaged",
}


def cases(*kinds):
    if not os.path.exists(os.path.join(FOLDER, "manifest.json")):
        return
    for case in json.loads(fixtures.read_file(FOLDER, "manifest.json"))["cases"]:
        if case["format"] in kinds:
            yield case, {name: fixtures.read_file(FOLDER, case["dir"], name) for name in case["files"]}


# --- memory ---

class Peak:
    """The most memory that the server had at once, above what it had before, less the pages of files that stayed mapped."""

    def __init__(self, s):
        self.s, self.before, self.bytes = s, None, 0

    def __enter__(self):
        with open(f"/proc/{self.s.server.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        self.before = self.s.server.memory()
        return self

    def __exit__(self, *_):
        after = self.s.server.memory()
        mapped = max(0, after["RssFile"] - self.before["RssFile"])
        self.bytes = after["VmHWM"] - self.before["VmRSS"] - mapped


def allowed(s, size):
    return 8 * size + ((64 << 20) if s.slow else (8 << 20))


# --- cases ---

def bodies(case, files):
    """How it is sent, and whether the format has to be said."""
    if len(files) > 1 or case["format"] == "tf-v2":
        yield fixtures.tar_of(files), False
        yield fixtures.zip_of(files, fixtures.zipfile.ZIP_DEFLATED), False
        return
    (body,) = files.values()
    yield body, False
    yield body, True


def put(s, body, query):
    return s.put("checkpoints/c" + fixtures.query_of(query), body, {"Content-Type": "application/octet-stream"})


def refused(case, reply, format_said):
    """4xx, and words for a person: of a file that does not even look like one of its format, only when it is said to be."""
    assert 400 <= reply.status < 500, f"{case['id']} ({case['what']}):\n{reply}"
    assert len(reply.detail) > 10, str(reply)
    if "of no format" in reply.detail and not format_said:
        return
    assert WORDS.get(case["id"], "").lower() in reply.detail.lower(), f"{case['id']}:\n{reply}"
    if case["stage"] == "load" and case.get("bad_tensors"):
        assert any(f"'{name}'" in reply.detail for name in case["bad_tensors"]), f"{case['id']}:\n{reply}"


def try_case(s, case, files):
    for body, format_said in bodies(case, files):
        query = {"format": FORMAT.get(case["format"], case["format"])} if format_said else {}
        with Peak(s) as peak:
            if case["expect"] == "reject":
                with s.unchanged():
                    reply = put(s, body, query)
                refused(case, reply, format_said)
                s.get("checkpoints/c").expect(404)
            else:
                reply = put(s, body, query)
        if case["expect"] in ("either", "accept"):
            assert reply.status == 201 or (case["expect"] == "either" and 400 <= reply.status < 500), str(reply)
        if reply.status == 201:
            exports_are_whole(s)
            s.delete("checkpoints/c").expect(200)
        assert peak.bytes < allowed(s, len(body)), f"{case['id']}: {peak.bytes} bytes of memory for {len(body)}"


def exports_are_whole(s):
    """What was taken in can be looked at and goes out again."""
    for tensor in s.get("checkpoints/c").expect(200).json["tensors"]:
        reply = s.get("checkpoints/c:value" + fixtures.query_of({"tensor": tensor["name"], "format": "raw"})).expect(200)
        assert len(reply.body) == tensor["bytes"]
    for kind in fixtures.EXPORTS:
        s.get(f"checkpoints/c:export?format={kind}&on_unsupported=skip").expect(200)


def through_all(s, *kinds):
    tensors = {"w": ("uint8", [1 << 20], bytes(range(256)) * 4096)}
    s.put(f"checkpoints/{KEPT}", formats.safetensors_write(tensors)).expect(201)
    seen = 0
    for case, files in cases(*kinds):
        if case["expect"] != "limit":
            try_case(s, case, files)
            seen += 1
    assert s.get(f"checkpoints/{KEPT}:value?tensor=w&format=raw").expect(200).body == tensors["w"][2]
    assert [c["name"] for c in s.get("checkpoints").json["checkpoints"]] == [KEPT]
    report = s.post("/v1:verify").expect(200).json
    assert report["ok"] and report["findings"] == 0, report
    return seen


def test_tensorflow_v2(s):
    through_all(s, "tf-v2")


def test_tensorflow_v1(s):
    through_all(s, "tf-v1")


def test_safetensors(s):
    through_all(s, "safetensors")


def test_npy_and_npz(s):
    through_all(s, "npy", "npz")


def test_what_is_over_a_limit_is_refused_and_within_it_is_loaded(s):
    """A zip bomb: from its directory alone, and in memory that does not grow with it."""
    for case, files in cases("npz", "npy", "safetensors", "tf-v2", "tf-v1"):
        if case["expect"] != "limit":
            continue
        body = next(iter(bodies(case, files)))[0]
        with s.other_server("--import-max-bytes", "1m") as other, Peak(other) as peak:
            reply = other.refuses(413, "PAYLOAD_TOO_LARGE", "import_max_bytes", "PUT", "checkpoints/c", body)
            assert peak.bytes < allowed(other, len(body)), (case["id"], peak.bytes)
            assert other.post("/v1:verify").expect(200).json["ok"], str(reply)
        with Peak(s) as peak:
            s.put("checkpoints/c", body).expect(201)
        assert peak.bytes < allowed(s, len(body)) + (16 << 20), (case["id"], peak.bytes)
        tensors = s.get("checkpoints/c").json["tensors"]
        assert sum(t["bytes"] for t in tensors) > 1 << 20
        s.delete("checkpoints/c").expect(200)


def test_state_files_beside_checkpoints(s):
    """The state file says which of several is meant; a broken one says nothing, and leads nowhere."""
    two = {"tf-v2": "v2-serving-half-plus-two-2016"}
    folder = os.path.join(fixtures.HERE, "..", "fixtures", two["tf-v2"])
    data = {end: fixtures.read_file(folder, f"export.{end}") for end in ("index", "data-00000-of-00001")}
    for case, files in cases("checkpoint-state"):
        together = {f"{prefix}.{end}": part for prefix in ("ckpt-1", "ckpt-2") for end, part in data.items()}
        body = fixtures.tar_of({**together, **files})
        if case["expect"] == "accept":
            put(s, body, {}).expect(201)
            s.delete("checkpoints/c").expect(200)
        else:
            with s.unchanged():
                reply = put(s, body, {})
            assert 400 <= reply.status < 500 and "ckpt-1" in reply.detail, str(reply)
        put(s, body, {"prefix": "ckpt-1"}).expect(201)
        s.delete("checkpoints/c").expect(200)
