"""TensorFlow's V2 checkpoints: what it writes comes in, and goes out as it would write it."""

import random

import bundles
import formats
import sstable_files as sstable

np = formats.np
TF = "checkpoints/c:export?format=tf_v2"
STRINGS = [b"", b"one", "zwei \u00fc".encode(), bytes(range(256)), b"x" * 300]


def numbers(dtype, shape, seed=1):
    if dtype == "string":
        return [STRINGS[i % len(STRINGS)] for i in range(formats.count_of(shape))]
    size = formats.count_of(shape) * bundles.SIZE[dtype]
    top = 2 if dtype == "bool" else 256
    return np.random.default_rng(seed).integers(0, top, size, dtype=np.uint8).tobytes()


def zoo():
    """A tensor of every type, of several shapes, with names of all sorts."""
    made = [(f"types/{dtype}", dtype, [3, 2], numbers(dtype, [3, 2], i)) for i, dtype in enumerate(bundles.NUMBER)]
    made += [("scalar", "float32", [], numbers("float32", [])), ("empty", "int64", [0], b""),
             ("empty/too", "float64", [2, 0, 5], b""), ("no strings", "string", [0, 3], []),
             ("one string", "string", [], [b"\x0a\x00" * 500]), ("caf\u00e9/\u540d\u524d", "int8", [2], b"\1\2"),
             ("layer-0/kernel/.ATTRIBUTES/VARIABLE_VALUE", "float32", [2, 2], numbers("float32", [2, 2])),
             ("w" * 300, "uint8", [1], b"\7"), ("a\nb", "uint8", [1], b"\7"), ("a", "uint8", [1], b"\7")]
    random.Random(5).shuffle(made)
    return made


def expect(s, tensors, name="c"):
    """What the checkpoint holds, by the bytes of each."""
    exported = s.get(f"checkpoints/{name}:export?format=tf_v2").expect(200)
    got = bundles.read(bundles.untar(exported.body), name)
    want = {tensor: (dtype, list(shape), data) for tensor, dtype, shape, data in tensors}
    assert set(got) == set(want), set(got) ^ set(want)
    for tensor, value in want.items():
        assert got[tensor] == value, tensor


# --- in ---

def test_every_type_comes_in_and_goes_out_as_it_was(s):
    files = bundles.write(zoo(), "c")
    reply = s.put("checkpoints/c", bundles.tar(files)).expect(201)
    assert reply.json["format"] == "tf_v2" and reply.json["skipped"] == [], reply.json
    out = bundles.untar(s.get(TF).expect(200).body)
    state = out.pop("checkpoint")
    assert state == b'model_checkpoint_path: "c"\nall_model_checkpoint_paths: "c"\n', state
    assert set(out) == set(files)
    for name, data in files.items():
        assert out[name] == data, f"{name} is written otherwise"
    listed = {t["name"]: t for t in s.get("checkpoints/c").json["tensors"]}
    assert listed["types/bfloat16"]["dtype"] == "bfloat16" and listed["scalar"]["shape"] == []
    assert s.get("checkpoints/c:value?tensor=caf%C3%A9%2F%E5%90%8D%E5%89%8D").json["data"] == [1, 2]


def test_what_takes_no_bytes_stays_where_it_was(s):
    """No strings at all take four bytes of a data file, so what has none is before or behind them."""
    tensors = [("a", "float32", [0], b""), ("c", "string", [0], []), ("b", "float32", [2, 0], b""), ("d", "string", [0], []),
               ("aa", "int8", [1], b"\1"), ("0", "string", [3, 0], []), ("z", "int64", [0], b"")]
    for order in (tensors, tensors[::-1]):
        files = bundles.write(order, "c")
        s.put("checkpoints/c?overwrite=true", bundles.tar(files))
        out = bundles.untar(s.get(TF).expect(200).body)
        assert out.pop("checkpoint") and out == files, order


def test_which_of_several_has_to_be_there(s):
    files = {**bundles.write(zoo()[:3], "m-1"), **bundles.write(zoo()[:3], "m-2")}
    s.refuses(400, "INVALID_ARGUMENT", ("m-1", "m-2", "prefix="), "PUT", "checkpoints/c", bundles.tar(files))
    for query in ("", "&format=tf_v2"):
        s.refuses(400, "INVALID_ARGUMENT", "no checkpoint 'm-3' among the files", "PUT", f"checkpoints/c?prefix=m-3{query}",
                  bundles.tar(files))
    s.put("checkpoints/c?prefix=m-1", bundles.tar(files)).expect(201)


def test_several_shards_stay_as_they_were(s):
    making = bundles.Making(shards=5)
    tensors = [(f"v{i}", "float32", [i], numbers("float32", [i], i)) for i in range(1, 40)]
    for i, tensor in enumerate(tensors):
        making.add(*tensor, shard=(0, 1, 2, 4)[i * 7 % 4])
    files = making.files("c")
    s.put("checkpoints/c", bundles.tar(files)).expect(201)
    out = bundles.untar(s.get(TF).expect(200).body)
    assert out.pop("checkpoint")
    assert files.pop("c.data-00003-of-00005") == b"", "a shard that holds nothing has no file"
    assert out == files


def test_any_container_any_folder_any_order(s):
    files = bundles.write(zoo()[:10])
    noise = {"run/notes.txt": b"nothing", "run/model.ckpt-7.meta": b"a graph", "run/events.out": b"events"}
    inside = {f"run/{name}": data for name, data in files.items()}
    bodies = [bundles.tar(files), bundles.tar(dict(reversed(files.items()))), bundles.tar(files, "w:gz"),
              bundles.zipped(files), bundles.zipped(inside, 8), bundles.tar({**noise, **inside}),
              bundles.tar({f"./{name}": data for name, data in files.items()})]
    for i, body in enumerate(bodies):
        reply = s.put(f"checkpoints/c{i}", body).expect(201)
        assert reply.json["format"] == "tf_v2"
        expect(s, zoo()[:10], f"c{i}")
    kind = "application/vnd.tensorflow.checkpoint-v2"
    s.put("checkpoints/typed", bodies[0], {"Content-Type": kind}).expect(201)
    s.put("checkpoints/said?format=tf_v2", bodies[3], {"Content-Type": "application/zip"}).expect(201)
    accepted = s.get("checkpoints/typed:export", {"Accept": kind}).expect(200)
    assert set(bundles.read(bundles.untar(accepted.body), "typed")) == {name for name, *_ in zoo()[:10]}


def test_one_of_several_is_named_or_the_latest(s):
    files, state = {}, 'model_checkpoint_path: "m-{0}"\nall_model_checkpoint_paths: "m-1"\n'
    for step in (1, 2, 3):
        files.update(bundles.write([("step", "int64", [], step.to_bytes(8, "little"))], f"m-{step}"))
    reply = s.refuses(400, "INVALID_ARGUMENT", ("m-1", "m-2", "prefix="), "PUT", "checkpoints/c", bundles.tar(files))
    s.put("checkpoints/two?prefix=m-2", bundles.tar(files)).expect(201)
    assert s.get("checkpoints/two:value?tensor=step").json["data"] == 2, reply
    s.refuses(400, "INVALID_ARGUMENT", "m-4", "PUT", "checkpoints/c?format=tf_v2&prefix=m-4", bundles.tar(files))
    files["checkpoint"] = state.format(3).encode()
    s.put("checkpoints/three", bundles.tar(files)).expect(201)
    assert s.get("checkpoints/three:value?tensor=step").json["data"] == 3
    s.put("checkpoints/one?prefix=m-1", bundles.tar(files)).expect(201)
    assert s.get("checkpoints/one:value?tensor=step").json["data"] == 1


def test_the_other_byte_order_is_turned_round(s):
    making = bundles.Making(big_endian=True)
    for tensor in zoo():
        making.add(*tensor)
    s.put("checkpoints/c", bundles.tar(making.files())).expect(201)
    expect(s, zoo())


def test_tensors_are_found_wherever_they_lie(s):
    making = bundles.Making(padding=64)
    for tensor in zoo():
        making.add(*tensor)
    s.put("checkpoints/c", bundles.tar(making.files(block_bytes=300))).expect(201)
    expect(s, zoo())


# --- partitioned ---

def parts_of(array, cuts, shards, draw):
    """[(slice, data, shard)] of an array of bytes or strings, cut along every axis."""
    parts = [[]]
    for size, count in zip(array.shape, cuts):
        edges = [0] + sorted(draw.sample(range(1, size), count - 1)) + [size]
        parts = [part + [(begin, end - begin)] for part in parts for begin, end in zip(edges, edges[1:])]
    draw.shuffle(parts)
    made = []
    for part in parts:
        piece = array[tuple(slice(begin, begin + length) for begin, length in part)]
        spoken = [(0, -1) if length == size and draw.random() < 0.5 else (begin, length)
                  for (begin, length), size in zip(part, array.shape)]
        data = list(piece.reshape(-1)) if array.dtype == object else piece.tobytes()
        made.append((spoken, data, draw.randrange(shards)))
    return made


def test_partitioned_tensors_become_whole(s):
    draw = random.Random(7)
    making, tensors = bundles.Making(shards=3), []
    for i, (dtype, shape, cuts) in enumerate([
            ("float32", (43, 20), (4, 1)), ("float32", (43, 20), (1, 4)), ("int8", (7, 5, 6), (3, 2, 3)), ("int64", (9,), (9,)),
            ("string", (6, 3), (3, 2)), ("complex128", (5, 4), (1, 1)), ("bool", (2, 2, 2, 2), (2, 2, 2, 2))]):
        data = numbers(dtype, shape, i)
        if dtype == "string":
            array = np.empty(formats.count_of(shape), object)
            array[:] = data
            array = array.reshape(shape)
        else:
            array = np.frombuffer(data, f"V{bundles.SIZE[dtype]}").reshape(shape)
        making.add_slices(f"part/{i}", dtype, shape, parts_of(array, cuts, 3, draw))
        tensors.append((f"part/{i}", dtype, shape, data))
    making.add("whole", "float32", [2], b"\0" * 8)
    tensors.append(("whole", "float32", [2], b"\0" * 8))
    s.put("checkpoints/c", bundles.tar(making.files())).expect(201)
    expect(s, tensors)


def test_a_partition_with_a_hole_changes_nothing(s):
    making = bundles.Making()
    making.add_slices("w", "int8", [6], [([(0, 2)], b"ab", 0), ([(3, 3)], b"def", 0)])
    reply = s.refuses(400, "INVALID_ARGUMENT", ("'w'", "hole"), "PUT", "checkpoints/c", bundles.tar(making.files()))
    assert reply.json["tensor"] == "w", reply.json
    making = bundles.Making()
    making.add_slices("w", "int8", [2, 3], [([(0, 1), (0, 3)], b"abc", 0), ([(0, 1), (1, 2)], b"bc", 0), ([(1, 1), (0, 1)], b"d", 0)])
    s.refuses(400, "INVALID_ARGUMENT", ("'w'", "overlap"), "PUT", "checkpoints/c", bundles.tar(making.files()))


# --- what cannot be kept, and what is broken ---

def test_what_cannot_be_kept_is_named_and_can_be_left_out(s):
    making = bundles.Making()
    making.add("good", "int8", [1], b"\5")
    for name, number in (("tree", 21), ("four", 29), ("later", 77)):
        making.records[name.encode()] = bundles.entry(number, [2], 0, 0, 1, 1)
    making.records[b"\xff\xfe"] = making.records[b"good"]
    files = bundles.tar(making.files())
    s.refuses(400, "INVALID_ARGUMENT", ("DT_INT4", "on_unsupported=skip"), "PUT", "checkpoints/c", files)
    skipped = s.put("checkpoints/c?on_unsupported=skip", files).expect(201).json["skipped"]
    assert [entry["reason"] for entry in skipped][:3] == [
        "dtype DT_INT4 is not kept here", "dtype number 77 is of a newer TensorFlow", "dtype DT_VARIANT is not kept here"], skipped
    assert len(skipped) == 4 and "UTF-8" in skipped[3]["reason"], skipped
    expect(s, [("good", "int8", [1], b"\5")])


def test_broken_files_change_nothing(s):
    tensors = [("a", "float32", [2, 3], numbers("float32", [2, 3])), ("b", "string", [3], [b"x", b"yy", b""])]
    data, index = "c.data-00000-of-00001", "c.index"

    def broken(words, **changed):
        files = {**bundles.write(tensors, "c"), **{{"data": data, "index": index}[name]: value for name, value in changed.items()}}
        s.refuses(400, "INVALID_ARGUMENT", words, "PUT", "checkpoints/c", bundles.tar(files))

    good = bundles.write(tensors, "c")
    flipped = bytearray(good[data])
    flipped[5] ^= 1
    broken(("'a'", "checksum"), data=bytes(flipped))
    flipped[5] ^= 1
    flipped[-1] ^= 1
    broken(("'b'", "checksum"), data=bytes(flipped))
    broken(("'b'", "not inside"), data=good[data][:-1])
    broken(("the index", "checksum"), index=good[index].replace(b"\x12\x04", b"\x12\x05", 1))
    broken(("the index", "cut off"), index=good[index][:-1])
    broken(("the index", "too few"), index=b"")
    broken("without the header", index=sstable.write([(b"a", b"")]))
    missing = {index: good[index]}
    s.refuses(400, "INVALID_ARGUMENT", ("'a'", data, "missing"), "PUT", "checkpoints/c", bundles.tar(missing))
    for at in range(0, len(good[index]), 7):
        some = bytearray(good[index])
        some[at] ^= 0x20
        reply = s.put(f"checkpoints/x{at}", bundles.tar({**good, index: bytes(some)}))
        assert reply.status in (201, 400), f"byte {at}: {reply}"


# --- out ---

def test_a_models_variables_go_out_as_tensorflow_would_save_them(s):
    s.make("layer/w", np.arange(6, dtype="<f4").reshape(2, 3))
    s.make("layer/b", [0.5, -1])
    s.put_npy("step", np.int64(7))
    s.create("zeros", {"op": "zeros", "shape": [100, 10]})
    s.create("text", {"op": "constant", "value": ["a", "b\u00fc"], "dtype": "string"})
    s.post(":initialize", {"variables": ["zeros", "text"]}).expect(200)
    s.save("model.ckpt", global_step=12)
    reply = s.get("checkpoints/model.ckpt-12:export?format=tf_v2").expect(200)
    assert reply.headers["content-type"] == "application/x-tar"
    assert 'filename="model.ckpt-12.tar"' in reply.headers["content-disposition"]
    assert int(reply.headers["content-length"]) == len(reply.body)
    files = bundles.untar(reply.body)
    assert set(files) == {"model.ckpt-12.index", "model.ckpt-12.data-00000-of-00001", "checkpoint"}
    got = bundles.read(files, "model.ckpt-12")
    assert got["layer/w"] == ("float32", [2, 3], np.arange(6, dtype="<f4").tobytes())
    assert got["step"] == ("int64", [], (7).to_bytes(8, "little"))
    assert got["zeros"] == ("float32", [100, 10], bytes(4000))
    assert got["text"] == ("string", [2], [b"a", "b\u00fc".encode()])
    assert files == bundles.write([(name, *value) for name, value in got.items()], "model.ckpt-12") | {"checkpoint": files["checkpoint"]}


def test_an_export_is_a_live_file(s):
    s.make("w", list(range(5000)))
    s.make("v", [1, 2])
    s.save("c")
    for container in ("tar", "zip"):
        path = f"{TF}&container={container}"
        whole = s.get(path).expect(200)
        assert s.get(path).body == whole.body, "the same bytes every time"
        s.get(path, {"If-None-Match": whole.etag}).expect(304)
        part = s.get(path, {"Range": "bytes=1000-2999", "If-Range": whole.etag}).expect(206)
        assert part.body == whole.body[1000:3000]
        files = (bundles.untar if container == "tar" else bundles.unzip)(whole.body)
        assert bundles.read(files, "c")["w"][2] == np.arange(5000, dtype="<f4").tobytes()
        s.put(f"checkpoints/again-{container}", whole.body).expect(201)


def test_what_came_in_can_be_restored(s):
    files = bundles.write([("enc/w", "float32", [2], np.float32([1, 2]).tobytes()), ("global_step", "int64", [], (9).to_bytes(8, "little"))])
    s.put("checkpoints/c", bundles.tar(files)).expect(201)
    s.restore("c", create=True)
    assert s.value("enc/w") == [1, 2] and s.value("global_step") == 9


def test_thousands_of_tensors(s):
    count = 200 if s.slow else 3000
    tensors = [(f"layer{i % 7}/v{i}", "int32", [2], i.to_bytes(8, "little")) for i in range(count)]
    files = bundles.write(tensors, "c")
    s.put("checkpoints/c", bundles.tar(files)).expect(201)
    out = bundles.untar(s.get(TF).expect(200).body)
    for name, data in files.items():
        assert out[name] == data, name


def test_a_large_checkpoint_streams(s):
    size = (4 if s.slow else 48) << 20
    array = np.random.default_rng(4).integers(0, 256, size, dtype=np.uint8)
    s.put_npy("w", array)
    s.save("c")
    body = s.get(TF).expect(200).body
    before = s.server.memory()["RssAnon"]
    s.put("checkpoints/d", (body[at:at + 300_001] for at in range(0, len(body), 300_001))).expect(201)
    if not s.slow:
        assert s.server.memory()["RssAnon"] < before + (24 << 20)
    out = bundles.untar(s.get("checkpoints/d:export?format=tf_v2").expect(200).body)
    assert out["d.data-00000-of-00001"] == array.tobytes()
