"""GET /v1/backup, and what the commands make of it."""

import os
import struct
import threading
import time

import backups
import client
import formats
import session

np = formats.np
BACKUPS = int(os.environ.get("TENSORKEEP_BACKUPS", "3"))  # taken beside writers


def taken(s, path):
    reply = s.get("/v1/backup").expect(200)
    with open(path, "wb") as file:
        file.write(reply.body)
    return reply


def served(s, data, model):
    """A session on that data folder; the caller stops it."""
    other = session.Session(session.Server(s.server.binary, (), s.patience, data=data))
    other.model = model
    other.server.start()
    return other.connect()


def test_a_backup_restored_is_the_store(s):
    backups.fill(s)
    before = backups.everything(s)
    file, data = os.path.join(s.server.root, "b1"), os.path.join(s.server.root, "restored")
    reply = taken(s, file)
    assert reply.headers["content-type"] == "application/vnd.tensorkeep.backup", str(reply.headers)
    revision = int(reply.headers["tensorkeep-revision"])
    assert reply.headers["content-disposition"] == f'attachment; filename="tensorkeep-{revision}.backup"'
    assert len(reply.body) > 4_000_000
    s.assign("small", [7, 7, 7])  # after it
    said = backups.works(s, "restore-backup", file, data=data)
    assert b"all well" in said and b"put back" in said, said
    other = served(s, data, s.model)
    try:
        assert backups.everything(other) == before
        assert other.get("/v1").json["identity"] == s.get("/v1").json["identity"]
        after = other.assign("small", [8, 8, 8]).revision
        # No entity tag that was told after the backup can come to mean something else.
        assert after > revision + 10**11, (after, revision)
        # Nor can a place in a feed: whoever asks from there is told to look at everything anew.
        reply = other.get(f"changes?since={revision + 1}")
        other.is_refusal(reply, 410, "OUT_OF_RANGE", "not kept any more")
        events = other.get(f"changes?since={after - 1}").expect(200).json["changes"]
        assert [event["name"] for event in events] == ["small"], events
        assert other.assign("small", [9, 9, 9]).revision == after + 1
        assert other.post("/v1:verify").expect(200).json["ok"]
    finally:
        other.stop()
        other.server.remove()


def test_it_is_of_one_moment_while_others_write(s):
    """a and b are always changed together; so they are in every backup."""
    a = np.zeros(200_000, "<f4")
    with s.other_server("--backup-rate-max-bytes", "4m") as other:
        for name in ("a", "b"):
            other.put_npy(name, a)
        stop = threading.Event()

        def write():
            writer = other.another_client()
            while not stop.is_set():
                writer.request("POST", other.path(":run"), {"ops": [
                    {"op": "assign_add", "variable": name, "value": {"op": "ones", "shape": [200_000]}}
                    for name in ("a", "b")]}).expect(200)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            files = [os.path.join(s.server.root, f"moment{i}") for i in range(BACKUPS)]
            for file in files:
                taken(other, file)
        finally:
            stop.set()
            thread.join()
        for file in files:
            backups.works(s, "restore-backup", file, data=file + ".data")
            restored = served(s, file + ".data", other.model)
            try:
                assert np.array_equal(restored.array("a"), restored.array("b"))
            finally:
                restored.stop()
                restored.server.remove()


def test_a_client_that_leaves_and_one_too_many(s):
    with s.other_server("--backup-rate-max-bytes", "256k", "--backups-max", "1") as other:
        other.put_npy("w", np.arange(5_000_000, dtype="<f4"))
        with other.socket() as raw:
            raw.send(b"GET /v1/backup HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.more(), "it begins"
            reply = other.get("/v1/backup")
            other.is_refusal(reply, 429, "RESOURCE_EXHAUSTED", "backups_max")
            assert "retry-after" in reply.headers, str(reply)
            other.assign("w", {"op": "zeros", "shape": [5_000_000]})  # nobody waits for it
        # The place is free again once the connection is known to be gone.
        for _ in range(400 * s.patience):
            with other.socket() as raw:
                raw.send(b"GET /v1/backup HTTP/1.1\r\nHost: localhost\r\n\r\n")
                raw.more()
                if raw.received.startswith(b"HTTP/1.1 200"):
                    break
            time.sleep(0.05)
        else:
            raise AssertionError("the backup of a client that has left goes on")


def test_it_goes_no_faster_than_it_may(s):
    rate, size = 8_000_000, 12_000_000
    with s.other_server("--backup-rate-max-bytes", str(rate)) as other:
        other.put_npy("w", np.arange(size // 4, dtype="<f4"))
        began = time.monotonic()
        assert len(other.get("/v1/backup").expect(200).body) > size
        # It may be late, on a busy machine, and never early but for what goes at once and what lies in its buffer.
        assert time.monotonic() - began > (size - rate // 10 - 2_000_000) / rate


def test_a_server_that_stops_cuts_it_and_a_cut_one_is_refused(s):
    with s.other_server("--backup-rate-max-bytes", "512k", "--shutdown-timeout-ms", "200") as other:
        other.put_npy("w", np.arange(2_000_000, dtype="<f4"))
        with other.socket(timeout=30 * s.patience) as raw:
            raw.send(b"GET /v1/backup HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.more()
            other.stop()
            while raw.more():
                pass
            got = raw.received
        assert b"\r\n0\r\n" not in got[-16:], "its end was sent"
        file, data = os.path.join(s.server.root, "cut"), os.path.join(s.server.root, "cut.data")
        with open(file, "wb") as out:
            out.write(unchunked(got.partition(b"\r\n\r\n")[2]))
        backups.refuses(s, "ends in the middle", "restore-backup", file, data=data)
        assert sorted(os.listdir(data)) == ["lock"]
        assert other.server.process is None
        other.server.start()
        other.connect()


def unchunked(body):
    """As much of a chunked body as there is."""
    out = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16) if size else 0
        out += body[:length]
        body = body[length + 2:]
    return out


def test_it_takes_no_query_and_head_sends_nothing(s):
    s.refuses(400, "INVALID_ARGUMENT", "since", "GET", "/v1/backup?since=1")
    reply = s.head("/v1/backup").expect(200)
    assert reply.body == b"" and int(reply.headers["tensorkeep-revision"]) > 0
    taken(s, os.path.join(s.server.root, "after head"))


def frame(kind, body):
    head = kind + struct.pack("<II", len(body), client.crc32c(body))
    return head + struct.pack("<I", client.crc32c(head)) + body


def frames_of(stream):
    at, frames = 8, []
    while at < len(stream):
        size = 16 + struct.unpack_from("<I", stream, at + 4)[0]
        frames.append(stream[at:at + size])
        at += size
    return frames


def put_together(frames):
    """A stream of these frames between BEGIN and END, whose counts and checksums are right."""
    begin, middle = frames[0][16:], frames[1:-1]
    chunks = sum(each.startswith(b"TCHK") for each in middle)
    records = struct.unpack_from("<Q", begin, 40)[0]
    heads = client.crc32c(b"".join(each[:16] for each in middle))
    return b"".join([b"tkbackup", frame(b"TBEG", begin[:48] + struct.pack("<Q", chunks)), *middle,
                     frame(b"TEND", struct.pack("<QQII", records, chunks, heads, 0))])


def test_a_backup_that_does_not_fit_together_is_refused(s):
    """With every checksum right: what is restored is checked as a store before it is one."""
    s.put_npy("w", np.arange(200_000, dtype="<f4"))
    frames = frames_of(s.get("/v1/backup").expect(200).body)
    data = os.path.join(s.server.root, "unfit")
    chunk = next(i for i, each in enumerate(frames) if each.startswith(b"TCHK"))
    for wrong in (frames[:chunk] + frames[chunk + 1:], frames[:chunk] + [
            frame(b"TCHK", frames[chunk][16:32] + b"\7" + frames[chunk][33:2000])] + frames[chunk + 1:]):
        said = backups.refuses(s, "the check found", "restore-backup", "-", data=data, input_bytes=put_together(wrong))
        assert b"chunk" in said, said
        assert sorted(os.listdir(data)) == ["lock"]
    backups.works(s, "restore-backup", "-", data=data, input_bytes=put_together(frames))


def test_what_is_no_backup_is_refused(s):
    data = os.path.join(s.server.root, "none")
    for content, text in ((b"", "no backup"), (b"something else entirely", "no backup"),
                          (b"tkbackup", "ends in the middle"), (b"tkbackup" + b"\0" * 100, "checksum")):
        backups.refuses(s, text, "restore-backup", "-", data=data, input_bytes=content)
        assert sorted(os.listdir(data)) == ["lock"]
    backups.refuses(s, "in use by process", "restore-backup", "-", data=s.server.data, input_bytes=b"")
    backups.refuses(s, "cannot read", "restore-backup", os.path.join(s.server.root, "nowhere"), data=data)
