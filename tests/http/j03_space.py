"""When the space that settings allow is used up: 507, nothing changed, deletes still work."""

import formats

FLAGS = ["--store-max-bytes", "40m"]
RAW = {"Content-Type": "application/octet-stream"}
SIZE = 4 << 20


def fill(s):
    """Writes until refused; how many were taken."""
    for k in range(40):
        headers = {**RAW, "Tensor-Dtype": "uint8", "Tensor-Shape": str(SIZE)}
        reply = s.put(f"variables/v{k}", bytes([k]) * SIZE, headers)
        if reply.status == 507:
            s.is_refusal(reply, 507, "RESOURCE_EXHAUSTED")
            return k
        assert reply.status == 201, str(reply)
    raise AssertionError("more was taken than allowed")


def test_full_is_507_and_deleting_makes_room(s):
    taken = fill(s)
    assert 3 <= taken <= 10, taken
    for k in range(taken):
        assert s.bytes_of(f"v{k}") == bytes([k]) * SIZE
    assert f"v{taken}" not in s.names()
    s.refuses(507, "RESOURCE_EXHAUSTED", (), "PUT", "checkpoints/c", formats.safetensors_write(
        {"w": ("uint8", [SIZE], bytes(SIZE))}), {"Content-Type": "application/vnd.safetensors"})
    for k in range(taken):
        s.delete(f"variables/v{k}").expect(200)
    s.restart()
    again = fill(s)
    assert again >= taken - 1, (taken, again)
    for k in range(again):
        s.delete(f"variables/v{k}").expect(200)


def test_what_shares_bytes_needs_no_room(s):
    taken = fill(s)
    s.save("c1")
    s.save("c2")
    s.restore("c1")
    assert s.bytes_of("v0") == bytes(SIZE)
    for k in range(taken):
        s.delete(f"variables/v{k}").expect(200)
    assert s.get(f"checkpoints/c2:value?tensor=v{taken - 1}&format=raw").body == bytes([taken - 1]) * SIZE
    s.delete("checkpoints/c1").expect(200)
    s.delete("checkpoints/c2").expect(200)
