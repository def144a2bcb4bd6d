"""A disk that is full, or fills up in the middle: nothing half done, nothing left behind, and all goes on when there is room again."""

import io
import threading

import formats
from saving import checkpoints, is_whole, last, save, saver
from small_disk import small_disk

np = formats.np
MIB = 1 << 20
RESERVE = ("--disk-reserve-bytes", "16m")
# More than goes through in memory. Bytes that cannot be made fewer.
TENSORS = {f"t{k}": np.random.default_rng(k).integers(0, 255, 10 * MIB, "u1") for k in range(3)}


def npz(save_them):
    file = io.BytesIO()
    save_them(file, **TENSORS)
    return file.getvalue()


FILES = {"application/vnd.safetensors": lambda: formats.safetensors_of(TENSORS), "application/x-npz": lambda: npz(np.savez)}


def is_as_it_was(s, disk, room):
    """No checkpoint, no temporary file; what was staged is given back to the store, though not to the disk."""
    assert checkpoints(s) == []
    s.get("checkpoints/i").expect(404)
    assert disk.temporary_files() == [] and disk.room > room - MIB, (disk.temporary_files(), disk.room, room)
    assert s.bytes_of("w") == b"w" * 100_000
    is_whole(s)


def holds_all(s):
    for name, array in TENSORS.items():
        assert s.get(f"checkpoints/i:value?tensor={name}&format=raw").expect(200).body == array.tobytes()


def test_what_does_not_fit_is_refused_before_it_comes(s):
    with small_disk(s, 100 * MIB, *RESERVE) as (other, disk):
        other.put_raw("w", "uint8", [100_000], b"w" * 100_000)
        disk.leave(30 * MIB)
        for media_type, body in FILES.items():
            other.refuses(507, "RESOURCE_EXHAUSTED", ("do not fit", "disk"), "PUT", "checkpoints/i", body(), {
                "Content-Type": media_type})
            is_as_it_was(other, disk, 30 * MIB)
        disk.leave(90 * MIB)
        for media_type, body in FILES.items():
            other.put_ok("checkpoints/i", body(), {"Content-Type": media_type})
            holds_all(other)
            other.delete("checkpoints/i").expect(200)
        assert disk.temporary_files() == []


def test_a_disk_that_fills_up_while_a_file_comes_in(s):
    for media_type, made in FILES.items():
        with small_disk(s, 150 * MIB, *RESERVE) as (other, disk):
            other.put_raw("w", "uint8", [100_000], b"w" * 100_000)
            body = made()
            with other.unchanged():
                reply = send_by_halves(other, body, media_type, lambda d=disk: d.leave(0))
                other.is_refusal(reply, 507, "RESOURCE_EXHAUSTED")
                disk.leave(20 * MIB)
            is_as_it_was(other, disk, 20 * MIB)
            disk.leave(120 * MIB)
            other.put_ok("checkpoints/i", body, {"Content-Type": media_type})
            holds_all(other)


def send_by_halves(s, body, media_type, between):
    """The reply to an import between whose halves something happens. The server may answer before it has all."""
    def pieces():
        yield body[:len(body) // 2]
        between()
        yield body[len(body) // 2:]

    return s.client.request("PUT", s.path("checkpoints/i"), pieces(), {
        "Content-Type": media_type, "Content-Length": str(len(body))})


def test_saving_through_a_saver_when_there_is_no_room(s):
    """Whatever is refused was not done, and what was done is there."""
    with small_disk(s, 60 * MIB, *RESERVE) as (other, disk):
        for k in range(40):
            other.put_raw(f"v{k}", "uint8", [30_000], bytes([k]) * 30_000)
        saver(other, max_to_keep=100)
        save(other, "c", global_step=0)
        kept, refused = ["c-0"], 0
        for step in range(1, 60):
            disk.leave(12 * MIB - step * MIB // 4 if step < 48 else 0)
            reply = other.post("savers/s:save", {"name": "c", "global_step": step})
            refused += reply.status == 507
            if reply.status != 507:
                kept.append(reply.expect(201).json["name"])
        assert last(other) == kept and checkpoints(other) == sorted(kept) and 0 < refused < 59, refused
        for name in kept:
            assert other.get(f"checkpoints/{name}:value?tensor=v7&format=raw").body == bytes([7]) * 30_000
        is_whole(other)
        disk.leave(20 * MIB)
        save(other, "d")
        assert last(other) == kept + ["d"]
        is_whole(other)


def test_deleting_goes_on_until_the_disk_is_really_full(s):
    """Of the reserve records may take half, and the rest is kept for what makes them fewer."""
    with small_disk(s, 100 * MIB, *RESERVE) as (other, disk):
        other.put_raw("w", "uint8", [20 * MIB], b"w" * (20 * MIB))
        names = [f"c{k}" for k in range(20)]
        for name in names:
            other.save(name)
        other.tick()
        disk.leave(6 * MIB)
        raw = {"Content-Type": "application/octet-stream"}
        other.refuses(507, "RESOURCE_EXHAUSTED", "disk", "PUT", "variables/w:value?slice=0:1000000", b"x" * 1_000_000, raw)
        other.refuses(507, "RESOURCE_EXHAUSTED", "disk", "PUT", "variables/v", b"x" * 1000, {
            **raw, "Tensor-Dtype": "uint8", "Tensor-Shape": "1000"})
        other.refuses(507, "RESOURCE_EXHAUSTED", "deleting", "POST", "checkpoints", {"name": "one-more"})
        other.restore("c7")
        disk.leave(MIB)
        for name in names:
            other.delete(f"checkpoints/{name}").expect(200)
        other.delete("variables/w").expect(200)
        # What it held is room again, though the file is as large as it was.
        disk.leave(18 * MIB)
        other.put_raw("w", "uint8", [18 * MIB], b"x" * (18 * MIB))
        is_whole(other)


def test_many_imports_at_once_that_do_not_all_fit(s):
    with small_disk(s, 150 * MIB, *RESERVE) as (other, disk):
        body, replies = formats.safetensors_of(TENSORS), {}

        def work(number, client):
            replies[number] = client.request("PUT", other.path(f"checkpoints/i{number}"), body, {
                "Content-Type": "application/vnd.safetensors"})

        threads = [threading.Thread(target=work, args=(k, other.another_client())) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = sorted(f"i{k}" for k, reply in replies.items() if reply.status == 201)
        for reply in replies.values():
            if reply.status != 201:
                other.is_refusal(reply, 507, "RESOURCE_EXHAUSTED")
        assert checkpoints(other) == done and len(done) <= 4, done
        assert disk.temporary_files() == []
        is_whole(other)
        for name in done:
            other.delete(f"checkpoints/{name}").expect(200)
        other.put_ok("checkpoints/i", body, {"Content-Type": "application/vnd.safetensors"})
        holds_all(other)
