"""Checkpoints verified; what checkpoints, models and the whole store take."""

import os

import formats

np = formats.np
LARGE = 300_000  # elements: of several chunks


def test_what_is_whole_verifies(s):
    s.put_npy("w", np.arange(LARGE, dtype="<f4"))
    s.make("small", [1, 2])
    s.create("fill", {"op": "zeros", "shape": [LARGE]})
    s.initialize(variables=["fill"])
    s.save("c")
    with s.unchanged():
        found = s.post("checkpoints/c:verify").expect(200).json
    assert found["verified"] is True and found["mismatches"] == [] and found["mismatch_count"] == 0, found
    assert (found["checkpoint"], found["tensors"], found["bytes"]) == ("c", 3, LARGE * 8 + 8), found
    assert found["checked_bytes"] == LARGE * 4, found
    s.refuses(404, "NOT_FOUND", "'ghost'", "POST", "checkpoints/ghost:verify")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "GET", "checkpoints/c:verify")


def flip(folder, marker):
    """One byte of the value that holds this marker, in whatever file it lies."""
    flipped = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                data = file.read() if os.stat(path).st_blocks * 512 < 64 << 20 else b""
            at = data.find(marker)
            if at >= 0:
                with open(path, "r+b") as file:
                    file.seek(at + 100)
                    file.write(bytes([data[at + 100] ^ 1]))
                flipped += 1
    assert flipped == 1, "the bytes lie in one file, once"


def test_a_flipped_byte_is_reported_and_not_a_failure(s):
    with s.other_server() as t:
        marker = np.random.default_rng(1).bytes(4096)
        t.put_raw("w", "uint8", [400_000], bytes(200_000) + marker + bytes(200_000 - len(marker)))
        t.put_npy("other", np.arange(LARGE, dtype="<f4"))
        t.save("c")
        t.save("whole", variables=["other"])
        t.stop()
        flip(t.server.data, marker)
        t.server.start()
        t.connect()
        found = t.post("checkpoints/c:verify").expect(200).json
        assert found["verified"] is False and found["mismatch_count"] == 1, found
        assert found["mismatches"][0]["tensor"] == "w" and "checksum" in found["mismatches"][0]["reason"], found
        assert (found["tensors"], found["checked_bytes"]) == (2, 400_000 + LARGE * 4), found
        assert t.post("checkpoints/whole:verify").expect(200).json["verified"] is True
