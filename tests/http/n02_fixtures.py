"""Every checkpoint of the fixtures: in, each tensor compared, out in every format that can hold it, in again; and out byte for
byte as TensorFlow wrote it. TENSORKEEP_FIXTURES=folder takes others."""

import os

import fixture_files as fixtures
import formats
import sstable_files as sstable

np = formats.np


def put(s, name, body, query):
    return s.put(f"checkpoints/{name}" + fixtures.query_of(query), body, {"Content-Type": "application/octet-stream"})


def brought_in(s, case, name="c"):
    """Imported in every way there is to send it; the last stays under this name."""
    for index, (how, body, query) in enumerate(case.bodies()):
        if case.refused:
            refused_tensors(s, case, name, body, query)
        else:
            reply = put(s, name, body, {**query, "overwrite": "true"})
            assert reply.status == (200 if index else 201), f"{case.label} as {how}\n{reply}"
        fixtures.compare(s, name, case)


def refused_tensors(s, case, name, body, query):
    """One that cannot be kept: the import names it; asked to, it leaves it out and says so."""
    with s.unchanged():
        reply = put(s, name + ".refused", body, query)
        assert 400 <= reply.status < 500, str(reply)
        assert case.format == "npy" or any(each in reply.detail for each in case.refused), str(reply)
    if case.format == "npy":
        return
    reply = put(s, name, body, {**query, "overwrite": "true", "on_unsupported": "skip"})
    assert reply.status in (200, 201), str(reply)
    assert [each["name"] for each in reply.json["skipped"]] == sorted(case.refused), str(reply)
    assert all(each["reason"] for each in reply.json["skipped"]), str(reply)


def out_and_in_again(s, case, name="c"):
    for kind in fixtures.EXPORTS:
        unfit = case.unfit(kind)
        path = f"checkpoints/{name}:export?format={kind}"
        if unfit:
            reply = s.get(path).expect(406)
            assert any(each in reply.detail for each in unfit), str(reply)
            path += "&on_unsupported=skip"
        reply = s.get(path).expect(200)
        assert int(reply.headers["content-length"]) == len(reply.body)
        again = f"{name}.{kind}"
        assert put(s, again, reply.body, {}).status == 201, f"{case.label} as {kind}"
        fixtures.compare(s, again, case, unfit)
        if kind in ("tf_v1", "tf_v2"):
            twice = s.get(path.replace(f"/{name}:", f"/{again}:")).expect(200)
            assert files_of(twice) == files_of(reply), f"{case.label}: what came in again goes out otherwise"


def files_of(reply):
    """The checkpoint's own files, of an archive or alone."""
    if reply.headers["content-type"] != "application/x-tar":
        return [reply.body]
    return [data for name, data in sorted(fixtures.tar_read(reply.body).items()) if name != "checkpoint"]


def through_all(s, *kinds):
    for index, case in enumerate(fixtures.cases(*kinds)):
        s.model = f"{'-'.join(kinds)}.{index}"
        s.put("", {}).expect(201)
        if case.format == "npy" and case.refused:
            (_, body, query), = case.bodies()
            refused_tensors(s, case, "c", body, query)
            continue
        brought_in(s, case)
        if index % 4 == 0 and not s.slow:
            s.kill9()
            s.restart()
        out_and_in_again(s, case)
        fixtures.compare(s, "c", case)


def test_tensorflow_v1(s):
    through_all(s, "tf-v1")


def test_tensorflow_v2(s):
    through_all(s, "tf-v2")


def test_safetensors(s):
    through_all(s, "safetensors")


def test_npz(s):
    through_all(s, "npz")


def test_npy(s):
    through_all(s, "npy")


def test_straight_from_a_directory(s):
    """Each where it lies, by the name that a user of TensorFlow or NumPy would give."""
    with s.other_server("--checkpoint-root", os.path.realpath(fixtures.FOLDER)) as other:
        for index, case in enumerate(fixtures.cases("tf-v1", "tf-v2", "safetensors", "npz", "npy")):
            path = f"{case.label}/{case.open}" if case.format.startswith("tf-") else case.label
            body = {"name": f"c{index}", "path": path}
            if case.format == "npy" and case.tensors:
                body["tensor"] = case.tensors[0]["name"]
            if case.refused:
                reply = other.refuses(400, "INVALID_ARGUMENT", (), "POST", "checkpoints:import", body)
                assert case.format == "npy" or any(each in reply.detail for each in case.refused), str(reply)
                continue
            other.post("checkpoints:import", body).expect(201)
            fixtures.compare(other, body["name"], case)


def test_numpy_reads_what_goes_out_as_npz(s):
    for index, case in enumerate(fixtures.cases("npz", "tf-v1")):
        if case.unfit("npz"):
            continue
        _, body, query = next(iter(case.bodies()))
        put(s, f"c{index}", body, query).expect(201)
        for compression in ("none", "deflate"):
            reply = s.get(f"checkpoints/c{index}:export?format=npz&compression={compression}").expect(200)
            arrays = np.load(fixtures.io.BytesIO(reply.body), allow_pickle=False)
            assert sorted(arrays.files) == sorted(t["name"] for t in case.tensors)
            for tensor in case.tensors:
                array = arrays[tensor["name"]]
                assert list(array.shape) == tensor["shape"], (case.label, tensor["name"])
                assert fixtures.digest_of(tensor["dtype"], array.tobytes()) == tensor["sha256"], (case.label, tensor["name"])


def test_a_v1_file_goes_out_byte_for_byte(s):
    """As TensorFlow wrote it: also one without versions, and variables of one explicit part."""
    seen = 0
    for index, case in enumerate(fixtures.cases("tf-v1")):
        if not case.real or len(case.files) > 1:
            continue
        _, body, _ = next(iter(case.bodies()))
        put(s, f"c{index}", body, {}).expect(201)
        s.kill9()
        s.restart()
        assert s.get(f"checkpoints/c{index}:export?format=tf_v1").expect(200).body == body, case.label
        seen += 1
    assert seen >= 3


def test_a_v2_bundle_goes_out_byte_for_byte(s):
    """Data always; the index wherever it is not compressed, which ours never is, else the same records."""
    seen = 0
    for index, case in enumerate(fixtures.cases("tf-v2")):
        if not case.real:
            continue
        _, body, query = next(iter(case.bodies()))
        put(s, f"c{index}", body, query).expect(201)
        files = fixtures.tar_read(s.get(f"checkpoints/c{index}:export?format=tf_v2&container=tar").expect(200).body)
        ours = {name.partition(".")[2].rpartition(".")[2] or name: data for name, data in files.items()}
        for name, data in case.files.items():
            if name == "checkpoint":
                continue
            end = name[len(case.open) + 1:]
            if end == "index":
                records, types = sstable.read(data)
                assert sstable.read(ours[end])[0] == records, case.label
                if set(types) == {0}:
                    assert ours[end] == data, case.label
                    seen += 1
            else:
                assert ours[end] == data, (case.label, name)
    assert seen >= 5
