"""What was wrong once."""

import formats

np = formats.np
SAFE = {"Content-Type": "application/vnd.safetensors"}


def test_a_scalars_shape_travels_in_a_header(s):
    """An empty header value was refused by the library, and the connection closed without a reply."""
    s.create("n", dtype="float64", shape=[])
    s.assign("n", 1.5)
    for kind in ("raw", "npy", "safetensors"):
        s.get(f"variables/n:value?format={kind}").expect(200)
    shape = s.get("variables/n:value?format=raw").headers["tensor-shape"]
    s.put("variables/copy", np.float64(2.5).tobytes(), {
        "Content-Type": "application/octet-stream", "Tensor-Dtype": "float64", "Tensor-Shape": shape}).expect(201)
    assert s.info("copy")["shape"] == [] and s.value("copy") == 2.5


def test_metadata_of_any_length_is_kept(s):
    """Trained files carry more than a few kilobytes of it."""
    metadata = {f"text_encoder:{i}:rank": "x" * (i * 7 % 90) for i in range(400)}
    s.put("checkpoints/c", formats.safetensors_write({"w": ("int8", [1], b"\1")}, metadata), SAFE).expect(201)
    s.restart()
    _, found = formats.safetensors_read(s.get("checkpoints/c:export?format=safetensors").expect(200).body)
    assert {name: found.get(name) for name in metadata} == metadata


def test_a_tensors_name_may_hold_control_characters_in_a_query(s):
    s.put("checkpoints/c", formats.safetensors_write({"a\nb\x01": ("int8", [1], b"\7")}), SAFE).expect(201)
    assert s.get("checkpoints/c:value?tensor=a%0Ab%01").expect(200).json["data"] == [7]
    s.refuses(400, "INVALID_ARGUMENT", (), "GET", "checkpoints/c:value?tensor=a%00b")


def test_a_refused_restore_still_tells_what_it_found(s):
    s.make("a", [1])
    s.make("b", [1, 2])
    s.save("c")
    s.delete("variables/b").expect(200)
    s.make("b", [1, 2, 3])
    s.delete("variables/a").expect(200)
    report = s.post("checkpoints/c:restore", {}).json
    for field in ("restored", "missing", "unexpected", "mismatched"):
        assert isinstance(report[field], list), report
    assert report["restored"] == [] or s.info("b")["shape"] == [3]
    assert report["mismatched"] and report["unexpected"], report


def test_a_value_that_two_checkpoints_hold_is_shared(s):
    s.put_npy("w", np.ones(100_000, "<f4"))
    s.save("one")
    s.delete("variables/w").expect(200)
    assert s.get("checkpoints/one").json["unique_bytes"] == 400_000
    s.restore("one", create=True)
    s.save("two")
    assert s.get("checkpoints/two").json["shared_bytes"] == 400_000
