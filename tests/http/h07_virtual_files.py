"""Any checkpoint and any live set of variables is a safetensors file to read by ranges."""

import base64
import functools
import hashlib
import io
import json

import client
import formats
import ranged
from ranged import parts_of
from session import Skipped

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}
EXPORT = "checkpoints/c:export?format=safetensors"
VALUES = "values?format=safetensors"
BIG = 100_000  # float32: two chunks


def fill(s):
    """Big and small ones, one without elements, a scalar, a fill."""
    rng = np.random.default_rng(7)
    arrays = {"big": rng.standard_normal(BIG).astype("<f4"), "small": np.arange(5, dtype="<i8"), "half": rng.random((3, 7)).astype("<f2"),
              "none": np.zeros((0, 4), dtype="<f8"), "global_step": np.array(41, dtype="<i8"), "odd/name": np.arange(3, dtype="|u1")}
    for name, array in arrays.items():
        s.put_npy(name, array)
    s.create("fill", {"op": "fill", "dims": [20_000], "value": 1.5})
    s.initialize(variables=["fill"])
    arrays["fill"] = np.full(20_000, 1.5, dtype="<f4")
    return arrays


def opened(s, path, insist="If-Range"):
    return ranged.RangedFile(s.server.host, s.server.port, s.path(path), insist)


def digests(reply, name="repr-digest"):
    found = {}
    for item in filter(None, reply.headers.get(name, "").split(", ")):
        algorithm, _, text = item.partition("=")
        found[algorithm] = base64.b64decode(text.strip(":"))
    return found


@functools.lru_cache
def crc_of(data):
    return client.crc32c(data).to_bytes(4, "big")


def ranges_of(places):
    return "bytes=" + ",".join(f"{begin}-{end - 1}" for begin, end in places)


def test_a_reader_of_ranges_reads_a_checkpoint(s):
    arrays = fill(s)
    s.save("c", global_step=41)
    whole = s.get("checkpoints/c-41:export?format=safetensors").expect(200)
    for insist in ("If-Range", "If-Match"):
        file = opened(s, "checkpoints/c-41:export?format=safetensors", insist)
        assert set(file.header) == set(arrays) and file.etag == whole.etag
        for name, array in arrays.items():
            assert file.tensor(name) == array.tobytes(), name
            begin, end = file.place(name)
            assert whole.body[begin:end] == array.tobytes(), name
        s.put("variables/small:value", [5, 4, 3, 2, 1]).expect(200)  # what was saved stays
        assert file.tensor("small") == arrays["small"].tobytes()


def test_an_overwritten_checkpoint_is_noticed(s):
    arrays = fill(s)
    s.save("c")
    by_range, by_match = opened(s, EXPORT), opened(s, EXPORT, "If-Match")
    s.save("c", overwrite=True)  # the same values: another checkpoint nevertheless
    for file, status in ((by_range, 200), (by_match, 412)):
        try:
            file.tensor("big")
            raise AssertionError("it was not noticed")
        except ranged.Moved as moved:
            assert moved.args == (status,)
    assert opened(s, EXPORT).tensor("big") == arrays["big"].tobytes()
    s.delete("checkpoints/c").expect(200)
    assert by_match.ask([(0, 8)]).status == 404


def test_a_reader_of_a_live_set_notices_that_it_moves_on(s):
    arrays = fill(s)
    file, whole_or_part = opened(s, VALUES, "If-Match"), opened(s, VALUES)
    assert file.tensor("big") == arrays["big"].tobytes()
    assert file.metadata == {"model": s.model, "revision": str(s.get(VALUES).revision), "step": "41"}
    s.tick()  # another model is nothing to it
    assert file.tensor("half") == arrays["half"].tobytes()
    s.put("variables/small:value", [9, 9, 9, 9, 9]).expect(200)
    for stale, status in ((file, 412), (whole_or_part, 200)):
        try:
            stale.tensor("half")
            raise AssertionError("it was not noticed")
        except ranged.Moved as moved:
            assert moved.args == (status,)
    # What came instead is the whole of what is there now, and says so.
    tensors, metadata = formats.safetensors_read(whole_or_part.body)
    assert tensors["small"][2] == np.full(5, 9, dtype="<i8").tobytes()
    assert int(metadata["revision"]) > int(file.metadata["revision"])
    assert whole_or_part.reply.headers["ETag"] != file.etag
    again = opened(s, VALUES, "If-Match")
    assert again.tensor("small") == np.full(5, 9, dtype="<i8").tobytes()
    s.delete("variables/odd/name").expect(200)
    assert again.ask([(0, 8)]).status == 412


def test_several_tensors_come_in_one_request(s):
    arrays = fill(s)
    s.save("c")
    file = opened(s, EXPORT)
    wanted = ["odd/name", "fill", "small"]  # none lies beside another
    places = [file.place(name) for name in wanted]
    reply = s.get(EXPORT, {"Range": ranges_of(places), "If-Range": file.etag}).expect(206)
    assert parts_of(reply) == [(*place, file.size, arrays[name].tobytes()) for name, place in zip(wanted, places)]
    assert digests(reply, "content-digest") == {"crc32c": crc_of(reply.body)}
    # Tensors that lie side by side come as one part.
    places = [file.place(name) for name in arrays if name != "none"]
    reply = s.get(EXPORT, {"Range": ranges_of(places)}).expect(206)
    assert reply.headers["content-range"] == f"bytes {file.start}-{file.size - 1}/{file.size}", str(reply)


def test_whole_tensors_come_with_their_checksum(s):
    arrays = fill(s)
    s.save("c")
    for path in (EXPORT, VALUES):
        file = opened(s, path)
        for name in ("big", "small", "half", "fill"):
            file.tensor(name)
            assert file.reply.headers["Content-Digest"] == "crc32c=:" + base64.b64encode(crc_of(arrays[name].tobytes())).decode() + ":", name
        whole = s.get(path)
        reply = s.get(path, {"Range": f"bytes=0-7,{file.start}-{len(whole.body) - 1}"}).expect(206)
        assert digests(reply, "content-digest") == {"crc32c": crc_of(reply.body)}
        reply = s.get(path, {"Range": f"bytes=8-{file.start - 1}"}).expect(206)
        assert digests(reply, "content-digest") == {"crc32c": crc_of(reply.body)}
        # half a tensor would have to be read for one
        reply = s.get(path, {"Range": f"bytes={file.place('big')[0]}-{file.place('big')[0] + 99_999}"}).expect(206)
        assert "content-digest" not in reply.headers
        reply = s.get(path, {"Range": "bytes=0-7", "Want-Content-Digest": "crc32c=0"}).expect(206)
        assert "content-digest" not in reply.headers


def test_the_digest_is_of_the_whole_whatever_is_sent_of_it(s):
    fill(s)
    s.save("c")
    for path in (EXPORT, VALUES, "variables/big:value?format=npy", "variables/big:value?format=raw", "variables/fill:value?format=raw",
                 "variables/small:value?format=safetensors", "checkpoints/c:value?tensor=big&format=npy"):
        whole = s.get(path).expect(200)
        assert digests(whole)["crc32c"] == crc_of(whole.body), path
        for reply in (s.head(path), s.get(path, {"Range": "bytes=0-7"}), s.get(path, {"Range": "bytes=0-7,16-20"}),
                      s.get(path, {"Range": "bytes=-9", "Want-Repr-Digest": "sha-512=10, unixsum=3, nothing"})):
            assert reply.status in (200, 206) and digests(reply) == digests(whole), (path, str(reply))
        sha = hashlib.sha256(whole.body).digest()
        for headers in ({"Want-Repr-Digest": "sha-256=10"}, {"Want-Repr-Digest": "sha-256=1, crc32c=9", "Range": "bytes=5-9"}):
            for _ in range(3):
                assert digests(s.get(path, headers)) == {"crc32c": crc_of(whole.body), "sha-256": sha}, path
                assert digests(s.head(path, headers)) == {"crc32c": crc_of(whole.body), "sha-256": sha}, path
        assert digests(s.get(path, {"Want-Repr-Digest": "sha-256=10, crc32c=0"})) == {"sha-256": sha}
        assert not digests(s.get(path, {"Want-Repr-Digest": "sha-256=0, crc32c=0"}))
        s.get(path, {"If-None-Match": whole.etag, "Want-Repr-Digest": "sha-256=10"}).expect(304)
    # a change is another digest
    before = digests(s.get(VALUES, {"Want-Repr-Digest": "sha-256=10"}))
    s.put("variables/small:value", [0, 0, 0, 0, 0]).expect(200)
    reply = s.get(VALUES, {"Want-Repr-Digest": "sha-256=10"})
    assert digests(reply) == {"crc32c": crc_of(reply.body), "sha-256": hashlib.sha256(reply.body).digest()} != before


def test_files_of_every_format_and_archives_are_read_by_ranges_too(s):
    fill(s)
    s.save("c", variables=["big", "small", "fill"])
    for query in ("format=npz", "format=npz&compression=deflate", "format=tf_v2", "format=tf_v2&container=zip", "format=tf_v1",
                  "format=safetensors&container=tar", "format=safetensors&container=zip"):
        path = f"checkpoints/c:export?{query}"
        whole, again = s.get(path).expect(200), s.get(path).expect(200)
        size = len(whole.body)
        assert again.body == whole.body and again.etag == whole.etag, query
        if "deflate" not in query and "tf_v1" not in query:  # made anew, their checksums are not known
            assert digests(whole)["crc32c"] == crc_of(whole.body), query
        reply = s.head(path, {"Want-Repr-Digest": "sha-256=1, crc32c=1"}).expect(200)
        assert digests(reply) == {"crc32c": crc_of(whole.body), "sha-256": hashlib.sha256(whole.body).digest()}, query
        assert int(reply.headers["content-length"]) == size
        reply = s.get(path, {"Range": f"bytes={size - 30}-,0-9", "If-Range": whole.etag}).expect(206)
        assert parts_of(reply) == [(size - 30, size, size, whole.body[-30:]), (0, 10, size, whole.body[:10])]
        middle = s.get(path, {"Range": f"bytes={size // 3}-{size // 2}", "If-Match": whole.etag}).expect(206)
        assert middle.body == whole.body[size // 3:size // 2 + 1]
        s.refuses(412, "PRECONDITION_FAILED", (), "GET", path, None, {"If-Match": '"r1"'})


def test_head_says_what_get_does(s):
    fill(s)
    s.save("c")
    for path in (EXPORT, VALUES, "variables/big:value?format=npy"):
        get, head = s.get(path).expect(200), s.head(path, {"Range": "bytes=0-9"}).expect(200)
        for name in ("content-length", "content-type", "content-disposition", "etag", "accept-ranges", "repr-digest", "vary",
                     "tensor-dtype", "tensor-shape", "tensorkeep-revision"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
        assert get.headers["accept-ranges"] == "bytes" and int(get.headers["content-length"]) == len(get.body)


def test_parts_of_large_files_are_lent_not_copied(s):
    size = (4 if s.slow else 48) << 20
    data = np.random.default_rng(8).integers(0, 256, size, dtype=np.uint8)
    s.put_npy("w", data)
    s.save("c")
    file = opened(s, EXPORT)
    begin, _ = file.place("w")
    places = [(begin + at, begin + at + size // 300) for at in range(0, size - size // 200, size // 200)]
    before = s.server.memory()["RssAnon"]
    clients = [s.another_client() for _ in range(4)]
    for each in clients:
        reply = each.request("GET", s.path(EXPORT), None, {"Range": ranges_of(places)}).expect(206)
        assert [part[:2] for part in parts_of(reply)] == places
        assert parts_of(reply)[-1][3] == data[places[-1][0] - begin:places[-1][1] - begin].tobytes()
        assert len(each.request("GET", s.path(EXPORT)).expect(200).body) == file.size
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (16 << 20)


def test_any_ranges_of_a_file_of_large_tensors(s):
    """Of most tensors nobody looks where their bytes are; whatever is asked for is right, and so is the whole."""
    rng = np.random.default_rng(9)
    for k in range(7):
        s.put_npy(f"w{k}", rng.integers(0, 256, int(rng.integers(100_000, 700_000)), dtype=np.uint8))
    s.create("table", {"op": "zeros", "shape": [40_000, 4]}, row_updates=True)
    s.initialize(variables=["table"])
    s.post("variables/table:scatter_update", {"indices": [3, 39_999], "updates": [[1, 2, 3, 4], [5, 6, 7, 8]]}).expect(200)
    s.save("c")
    for path in (EXPORT, VALUES):
        whole = s.get(path).expect(200)
        for count in [1] * 30 + [2, 3, 5, 40]:
            ranges_are_right(s, path, whole, rng, count)
        size = len(whole.body)
        for headers, status in (({"Range": "bytes=0-7", "If-Range": '"other"'}, 200), ({"Range": "lines=1-2"}, 200),
                                ({"Range": "bytes=0-7", "Want-Repr-Digest": "sha-256=1"}, 206), ({"Range": f"bytes={size}-"}, 416)):
            reply = s.get(path, headers).expect(status)
            assert status != 200 or reply.body == whole.body, headers
        assert digests(s.head(path, {"Want-Repr-Digest": "sha-256=1"}))["sha-256"] == hashlib.sha256(whole.body).digest()
    packed = s.get(VALUES + "&container=zip").expect(200).body
    assert s.get(VALUES + "&container=zip", {"Range": "bytes=5-99"}).expect(206).body == packed[5:100]


def ranges_are_right(s, path, whole, rng, count):
    size = len(whole.body)
    begins = sorted(rng.choice(size, count, replace=False).tolist())
    places = [(begin, min(size, begin + int(rng.integers(1, 300_000) if count < 6 else 100))) for begin in begins]
    reply = s.get(path, {"Range": ranges_of(places)}).expect(206)
    assert digests(reply) == digests(whole)
    if "content-range" in reply.headers:  # one, or all of them touch
        begin, end = (int(x) for x in reply.headers["content-range"][6:].split("/")[0].split("-"))
        found = [(begin, end + 1, size, reply.body)]
    else:
        found = parts_of(reply)
    assert found[0][0] == places[0][0]
    assert all(body == whole.body[begin:end] for begin, end, _, body in found)


def test_small_files_have_a_sha_256_unasked(s):
    s.make("w", [1, 2, 3])
    s.save("c")
    for path in (EXPORT, VALUES):
        reply = s.get(path).expect(200)
        assert digests(reply) == {"crc32c": crc_of(reply.body), "sha-256": hashlib.sha256(reply.body).digest()}
        assert set(digests(s.get(path, {"Want-Repr-Digest": "sha-256=0"}))) == {"crc32c"}
    s.make("big", np.zeros(BIG))
    assert set(digests(s.get(VALUES))) == {"crc32c"}
    assert set(digests(s.get("variables/w:value?format=npy"))) == {"crc32c"}
    assert "repr-digest" not in s.get("variables/w:value").headers


def test_values_made_when_read_have_a_digest_when_it_is_asked_for(s):
    s.post("variables", {"name": "made", "virtual": True, "initial_value": {"op": "random_uniform", "shape": [200_000], "seed": 3}}).expect(201)
    s.initialize()
    s.make("w", [1, 2, 3])
    whole = s.get(VALUES).expect(200)
    assert not digests(whole)
    assert digests(s.get(VALUES, {"Want-Repr-Digest": "crc32c=1"})) == {"crc32c": crc_of(whole.body)}
    assert digests(s.head(VALUES, {"Want-Repr-Digest": "sha-256=1"})) == {"sha-256": hashlib.sha256(whole.body).digest()}
    sliced = "variables/made:value?format=raw&slice=::2"
    assert digests(s.get(sliced, {"Want-Repr-Digest": "crc32c=1"})) == {"crc32c": crc_of(s.get(sliced).body)}


def test_an_inspection_tells_checksums_or_digests(s):
    arrays = fill(s)
    s.create("made", {"op": "random_uniform", "shape": [50_000], "seed": 3}, virtual=True)
    s.initialize(variables=["made"])
    arrays["made"] = s.array("made")
    s.save("c")
    for query in ("", "?digest=crc32c"):
        told = {tensor["name"]: tensor["digest"] for tensor in s.get(f"checkpoints/c{query}").expect(200).json["tensors"]}
        assert told == {name: None if name == "made" else "crc32c:" + crc_of(array.tobytes()).hex() for name, array in arrays.items()}
    for _ in range(2):
        reply = s.get("checkpoints/c?digest=sha-256").expect(200)
        told = {tensor["name"]: tensor["digest"] for tensor in reply.json["tensors"]}
        assert told == {name: "sha-256:" + hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    s.get("checkpoints/c?digest=sha-256", {"If-None-Match": reply.etag}).expect(304)
    s.refuses(400, "INVALID_ARGUMENT", ("digest", "crc32c", "sha-256", "md5"), "GET", "checkpoints/c?digest=md5")
    s.refuses(400, "INVALID_ARGUMENT", ("digest", "json"), "GET", "checkpoints/c?format=text&digest=sha-256")


def test_metadata_says_what_the_file_is_of(s):
    fill(s)
    imported = {"format": "pt", "author": "somebody", "model": "elsewhere", "revision": "7", "step": "1000"}
    tensors = {"w": ("float32", [1], b"\0\0\x80\x3f")}
    s.put("checkpoints/i", formats.safetensors_write(tensors, imported), SAFE).expect(201)
    s.save("c", global_step=12)
    for path, step in (("checkpoints/i", "1000"), ("checkpoints/c-12", "12")):
        info = s.get(path).expect(200).json
        first, second = (s.get(f"{path}:export?format=safetensors").expect(200) for _ in range(2))
        assert first.body == second.body and first.etag == second.etag
        metadata = formats.safetensors_read(first.body)[1]
        ours = {"model": s.model, "revision": str(info["revision"]), "step": step}
        assert metadata == ({**imported, **ours} if path == "checkpoints/i" else ours), metadata
        assert list(metadata) == sorted(metadata)
    assert s.get("checkpoints/i").json["metadata"] == imported, "what was imported is kept"
    before = s.get("checkpoints/i:export").body
    s.put("variables/global_step:value", 43).expect(200)
    metadata = formats.safetensors_read(s.get(VALUES).body)[1]
    assert metadata["step"] == "43" and metadata["model"] == s.model
    assert formats.safetensors_read(s.get("values?format=safetensors&names=small").body)[1]["step"] == "43"
    s.delete("variables/global_step").expect(200)
    assert "step" not in formats.safetensors_read(s.get(VALUES).body)[1]
    s.put_npy("global_step", np.array([1, 2], dtype="<i8"))
    assert "step" not in formats.safetensors_read(s.get(VALUES).body)[1]
    s.restart()
    assert s.get("checkpoints/i:export").body == before


def test_tags_are_of_everything_that_changes_the_bytes(s):
    fill(s)
    s.put_raw("text", "string", [1], formats.strings_write([b"x"]))
    s.save("c")
    paths = (["values?format=safetensors&names=small,half", "values?format=safetensors&names=small",
              "values?format=safetensors&prefix=o", "values?format=safetensors&prefix=s", "values?names=small", "values?names=half"] +
             ["checkpoints/c:export?on_unsupported=skip", "checkpoints/c:value?tensor=big&format=safetensors"])
    seen = {}
    for path in paths:
        reply = s.get(path).expect(200)
        assert seen.setdefault(reply.etag, reply.body) == reply.body, f"{path} has the tag of other bytes"
    assert len(seen) == len(paths)
    a = s.get("values?names=small", {"Accept": "application/vnd.safetensors"}).expect(200)
    b = s.get("values?names=small", {"Accept": "application/json"}).expect(200)
    assert a.etag != b.etag and "Accept" in a.headers["vary"]


def test_numpy_reads_values(s):
    arrays = fill(s)
    s.save("c")
    for path in ("checkpoints/c:export?format=npz", "checkpoints/c:export?format=npz&compression=deflate", "values?format=npz"):
        with np.load(io.BytesIO(s.get(path).expect(200).body), allow_pickle=False) as loaded:
            assert set(loaded.files) == set(arrays), path
            for name, array in arrays.items():
                assert loaded[name].dtype == array.dtype and np.array_equal(loaded[name], array), (path, name)
    rng = np.random.default_rng(1)
    for dtype, kind in formats.NUMPY.items():
        for shape in ((), (0, 3), (4, 5)):
            array = rng.integers(0, 2, shape).astype(kind)
            s.put_npy(f"v_{dtype}", array)
            got = np.load(io.BytesIO(s.get(f"variables/v_{dtype}:value?format=npy").expect(200).body), allow_pickle=False)
            assert got.dtype == array.dtype and got.shape == array.shape and np.array_equal(got, array), dtype
            s.delete(f"variables/v_{dtype}").expect(200)


# safetensors' name -> torch's
TORCH = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
         "I8": "int8", "U8": "uint8", "BOOL": "bool", "C64": "complex64", "U16": "uint16", "U32": "uint32", "U64": "uint64",
         "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}


def torch_load(torch, data):
    """A state dict of a safetensors file: all that it takes."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        dtype = getattr(torch, TORCH[entry["dtype"]])
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
        state[name] = flat.reshape(entry["shape"])
    return state


def test_pytorch_reads_checkpoints_and_values(s):
    try:
        import torch
    except ImportError:
        raise Skipped("there is no PyTorch here (Debian: python3-torch)") from None
    rng = np.random.default_rng(2)
    wanted = {}
    for dtype, size, _, safe in formats.DTYPES:
        if safe is None or not hasattr(torch, TORCH[safe]):
            continue
        for index, shape in enumerate(((), (0, 3), (17, 5))):
            data = rng.integers(0, 2 if dtype == "bool" else 256, formats.count_of(shape) * size, dtype=np.uint8).tobytes()
            s.put_raw(f"{dtype}/{index}", dtype, shape, data)
            wanted[f"{dtype}/{index}"] = (TORCH[safe], shape, data)
    assert len(wanted) >= 3 * 11
    s.save("c")
    for path in (EXPORT, VALUES):
        state = torch_load(torch, s.get(path).expect(200).body)
        assert set(state) == set(wanted)
        for name, (dtype, shape, data) in wanted.items():
            tensor = state[name]
            assert tensor.dtype == getattr(torch, dtype) and tuple(tensor.shape) == shape, name
            assert bytes(tensor.flatten().view(torch.uint8).tolist()) == data, name
    model = torch.nn.Linear(5, 3)
    for name, parameter in model.state_dict().items():
        s.put_npy(f"linear/{name}", parameter.numpy())
    loaded = torch.nn.Linear(5, 3)
    state = torch_load(torch, s.get("values?format=safetensors&prefix=linear/").expect(200).body)
    loaded.load_state_dict({name.removeprefix("linear/"): tensor for name, tensor in state.items()})
    x = torch.ones(2, 5)
    assert torch.equal(model(x), loaded(x))
