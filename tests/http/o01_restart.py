"""Stops and kills: what was acknowledged is there afterwards."""

import os
import shutil
import subprocess
import threading
import time

import formats
from flipped import flip

np = formats.np


def fill(s):
    assert s.put("/v1/models/seeded", {"seed": 5, "labels": {"a": "b"}}).status in (200, 201)
    s.create("declared", {"op": "random_normal", "shape": [3], "seed": 1}, trainable=False, collections=["variables", "x"])
    s.make("small", [1, 2, 3])
    s.put_npy("large", np.arange(1_000_000, dtype="<f4"))
    s.put_raw("text", "string", [2], formats.strings_write([b"\xff", b"abc"]))
    s.create("zeros", {"op": "zeros", "shape": [500, 500]})
    s.initialize(variables=["zeros"])
    s.save("c1", variables=["small", "large"])
    s.put("variables/large:value?slice=5:10", np.zeros(5, "<f4").tobytes(), {"Content-Type": "application/octet-stream"}).expect(200)
    s.post("variables/small:assign_add", {"value": [1, 1, 1]}).expect(200)


def everything(s):
    """All that a client can see, as one comparable value."""
    seen = {"models": s.get("/v1/models").body, "model": s.get().body, "variables": s.get("variables").body,
            "checkpoints": s.get("checkpoints").body, "c1": s.get("checkpoints/c1").body}
    for name in s.names("?initialized=true"):
        seen[name] = s.bytes_of(name)
        seen[name + " info"] = s.get(f"variables/{name}").body
    seen["declared info"] = s.get("variables/declared").body
    seen["tensor"] = s.get("checkpoints/c1:value?tensor=large&format=raw").body
    return seen


def test_a_stop_and_a_kill_lose_nothing(s):
    fill(s)
    before = everything(s)
    s.restart()
    assert everything(s) == before
    s.kill9()
    s.restart()
    assert everything(s) == before
    s.initialize(variables=["declared"])
    assert abs(s.value("declared")[0] - -0.8113182) < 1e-6, "the initial value is still what it was"


def test_revisions_go_on_where_they_were(s):
    s.make("w", [1])
    before = s.tick()
    s.kill9()
    s.restart()
    assert s.tick() == before + 1


def test_many_kills_in_a_row(s):
    s.make("n", 0, "int64")
    for k in range(1, 8):
        s.post("variables/n:assign_add", {"value": 1}).expect(200)
        s.kill9()
        s.restart()
        assert s.value("n") == k


def test_a_kill_in_the_middle_of_an_upload_leaves_the_old_value(s):
    size = 8_000_000
    old = os.urandom(size)
    s.put_raw("w", "uint8", [size], old)
    for part in (0, size // 3, size - 1):
        raw = s.socket()
        raw.send((f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                  f"Content-Length: {size}\r\n\r\n").encode() + bytes(part))
        time.sleep(0.1)
        s.kill9()
        raw.socket.close()
        s.restart()
        assert s.bytes_of("w") == old


def test_space_of_broken_uploads_is_swept(s):
    size = 16 << 20
    s.put_raw("w", "uint8", [size], bytes(size))

    def on_disk():
        return sum(os.stat(os.path.join(folder, name)).st_blocks * 512
                   for folder, _, names in os.walk(s.server.data) for name in names)

    sizes = []
    for _ in range(6):
        raw = s.socket()
        raw.send((f"PUT {s.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                  f"Content-Length: {size}\r\n\r\n").encode() + bytes(size - 1))
        time.sleep(0.2)
        s.kill9()
        raw.socket.close()
        s.restart()
        sizes.append(on_disk())
    assert sizes[-1] < sizes[1] + size, sizes


def test_a_kill_under_load_loses_no_acknowledged_write(s):
    s.make("a", 0, "int64")
    s.make("b", 0, "int64")
    acknowledged = {"a": 0, "b": 0}

    def work(name, client):
        try:
            while True:
                client.request("POST", s.path(f"variables/{name}:assign_add"), {"value": 1}).expect(200)
                acknowledged[name] += 1
        except Exception:  # pylint: disable=broad-except
            pass  # the kill

    threads = [threading.Thread(target=work, args=(name, s.another_client())) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    s.server.kill9()
    for thread in threads:
        thread.join()
    s.disconnect()
    s.restart()
    for name, count in acknowledged.items():
        assert s.value(name) in (count, count + 1), (name, count, s.value(name))


def test_the_other_durability_mode_loses_nothing_to_a_kill(s):
    with s.other_server("--durability", "interval=50") as t:
        t.make("n", 0, "int64")
        for k in range(50):
            t.post("variables/n:assign_add", {"value": 1}).expect(200)
        t.kill9()
        t.restart()
        assert t.value("n") == 50


def test_it_starts_with_verification(s):
    fill(s)
    before = everything(s)
    s.stop()
    s.server.start("--verify")
    s.connect()
    assert everything(s) == before


def test_damage_is_noticed_not_served(s):
    """A flipped byte in a stored value: 500 DATA_LOSS from verification, or a refused start; never a crash."""
    with s.other_server() as t:
        marker = b"\xc3\x5a" * 40_000
        t.put_raw("w", "uint8", [len(marker)], marker)
        t.make("other", [1, 2])
        t.stop()
        flip(t.server.data, marker[:4096])
        try:
            t.server.start("--verify")
        except AssertionError as refused:
            assert "w" in str(refused) and "checksum" in str(refused).lower(), refused
            return
        t.connect()
        reply = t.client.request("POST", "/v1:verify")
        assert reply.status == 500 and reply.code == "DATA_LOSS" and "w" in reply.detail, str(reply)


def test_a_folder_of_something_else_is_refused(s):

    folder = os.path.join(s.server.root, "alien")
    shutil.copytree(s.server.data, folder)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.path.getsize(path):
            with open(path, "r+b") as file:
                file.write(b"this is not what you are looking for" * 400)
    ended = subprocess.run([s.server.binary, "--data", folder, "--port", "0"], capture_output=True, text=True,
                           timeout=30 * s.patience, check=False)
    assert ended.returncode > 0 and ended.stderr and not ended.stdout, ended


def test_stopping_gives_up_what_takes_too_long(s):
    with s.other_server("--shutdown-timeout-ms", "200") as t:
        # Seconds of work for many processors; under slow tools, whose data files are small, for one.
        side = 10_000 if t.slow else 20_000
        t.create("long", {"op": "random_gamma", "args": [2.0], "shape": [side, side]})
        replies = []
        client = t.another_client()
        thread = threading.Thread(
            target=lambda: replies.append(client.request("POST", t.path("variables/long:initialize"))))
        thread.start()
        time.sleep(0.3)
        t.server.process.terminate()
        assert t.server.process.wait(60 * t.patience) == 0
        thread.join()
        t.server.forget()
        assert replies[0].status == 503 and replies[0].code == "UNAVAILABLE", str(replies[0])
        t.restart()
        assert not t.info("long")["initialized"]


def test_a_signal_right_after_the_start_is_a_stop_like_any(s):
    with s.other_server() as t:
        for i in range(10):
            t.stop()
            t.server.start()
        t.connect()


def test_stopping_lets_requests_under_way_finish(s):
    size = 4 << 20
    with s.other_server() as t:
        t.put_raw("w", "uint8", [size], bytes(size))
        raw = t.socket(timeout=20 * t.patience)
        head = (f"PUT {t.path('variables/w:value')} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                f"Content-Length: {size}\r\n\r\n").encode()
        raw.send(head + b"\1" * (size // 2))
        time.sleep(0.2)
        t.disconnect()
        t.server.process.terminate()
        time.sleep(0.3)
        raw.send(b"\1" * (size - size // 2))
        reply = raw.reply()
        assert reply is not None and reply.status == 200, str(reply)
        assert t.server.process.wait(20 * t.patience) == 0
        t.server.forget()
        t.restart()
        assert t.bytes_of("w") == b"\1" * size
