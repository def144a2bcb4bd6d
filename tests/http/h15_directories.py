"""Checkpoints from and to a directory of the server: only what checkpoint_root names, and nothing outside of it."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import zipfile

import formats

np = formats.np
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
W = np.arange(6, dtype="<f4").reshape(2, 3)
SAFE = formats.safetensors_write({"w": ("float32", [2, 3], W.tobytes())})


@contextlib.contextmanager
def rooted(s, *flags):
    """A server with a root, and the root."""
    root = tempfile.mkdtemp(prefix="tensorkeep-root-")
    try:
        with s.other_server("--checkpoint-root", root, *flags) as other:
            yield other, root
    finally:
        shutil.rmtree(root)


def put(root, path, data=b""):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def got(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return file.read()


def tree(root):
    """Everything below it, by name; files by what they hold."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            plain = os.path.isfile(path) and not os.path.islink(path)
            found[os.path.relpath(path, root)] = hashlib.sha256(open(path, "rb").read()).hexdigest() if plain else None
    return found


def take(s, path, name="c", **fields):
    return s.post("checkpoints:import", {"name": name, "path": path, **fields})


def give(s, path, form, name="c", **fields):
    return s.post(f"checkpoints/{name}:export", {"path": path, "format": form, **fields})


def holds_w(s, name="c"):
    return s.get(f"checkpoints/{name}:value?tensor=w").expect(200).json["data"] == W.tolist()


def make(s):
    s.put_raw("w", "float32", [2, 3], W.tobytes())
    s.save("c")


def copy_fixture(root, name, folder):
    """EXPECTED.json of a fixture whose files are now in a folder of the root."""
    source = os.path.join(FIXTURES, name)
    os.makedirs(os.path.join(root, folder), exist_ok=True)
    with open(os.path.join(source, "EXPECTED.json"), encoding="utf-8") as file:
        expected = json.load(file)
    for entry in expected["files"]:
        if os.path.exists(os.path.join(source, entry["path"])):
            shutil.copy(os.path.join(source, entry["path"]), os.path.join(root, folder))
    return expected


def is_fixture(s, expected, name="c"):
    listed = {t["name"]: t for t in s.get(f"checkpoints/{name}").expect(200).json["tensors"]}
    wanted = {t["name"]: t for t in expected["tensors"]}
    assert set(listed) == set(wanted), set(listed) ^ set(wanted)
    for tensor, entry in wanted.items():
        assert listed[tensor]["shape"] == entry["shape"] and listed[tensor]["dtype"] == entry["dtype"], tensor
        if "sha256" in entry:
            data = s.get(f"checkpoints/{name}:value?format=raw&tensor={tensor.replace('/', '%2F')}").expect(200).body
            assert hashlib.sha256(data).hexdigest() == entry["sha256"], tensor


# --- whether at all ---


def test_without_a_root_nothing_is_read_or_written(s):
    make(s)
    for path, body in (("checkpoints:import", {"name": "d", "path": "x"}), ("checkpoints/c:export", {"path": "x", "format": "npz"})):
        s.refuses(403, "PERMISSION_DENIED", "checkpoint_root", "POST", path, body)


def test_a_root_that_is_not_there(s):
    with s.other_server("--checkpoint-root", "/nonexistent/root") as other:
        make(other)
        other.refuses(503, "UNAVAILABLE", ("/nonexistent/root", "checkpoint_root"), "POST", "checkpoints:import", {"name": "d", "path": "x"})
        other.refuses(503, "UNAVAILABLE", "checkpoint_root", "POST", "checkpoints/c:export", {"path": "x", "format": "npz"})


def test_fields_are_checked(s):
    with rooted(s) as (s, root):
        make(s)
        for body, word in (({"path": "x"}, "name"), ({"name": "d"}, "path"), ({"name": "d", "path": 1}, "path"),
                           ({"name": "d", "path": "x", "overwrit": True}, "overwrit"), ({"name": "d", "path": "x", "overwrite": 1}, "overwrite"),
                           ({"name": "d", "path": "x", "on_unsupported": "maybe"}, "error or skip"), ({"name": "a//b", "path": "w"}, "a//b"),
                           ({"name": "d", "path": "x", "npy_v2": "half"}, "npy_v2")):
            put(root, "w", SAFE)
            s.refuses(400, "INVALID_ARGUMENT", word, "POST", "checkpoints:import", body)
        s.refuses(415, "UNSUPPORTED_MEDIA_TYPE", "safetensors", "POST", "checkpoints:import", {"name": "d", "path": "w", "format": "onnx"})
        s.refuses(406, "NOT_ACCEPTABLE", ("onnx", "safetensors", "npz"), "POST", "checkpoints/c:export", {"path": "x", "format": "onnx"})
        s.refuses(400, "INVALID_ARGUMENT", "format", "POST", "checkpoints/c:export", {"path": "x"})
        s.refuses(400, "INVALID_ARGUMENT", "none or deflate", "POST", "checkpoints/c:export", {"path": "x", "format": "npz", "compression": "7z"})
        s.refuses(404, "NOT_FOUND", "no-such", "POST", "checkpoints/no-such:export", {"path": "a/b/x", "format": "npz"})
        assert tree(root).keys() == {"w"}, "and no directory was made"


# --- staying inside ---


def test_paths_never_leave_the_root(s):
    with rooted(s) as (s, root):
        make(s)
        outside = tempfile.mkdtemp(prefix="tensorkeep-outside-")
        try:
            put(outside, "w.safetensors", SAFE)
            put(root, "in/w.safetensors", SAFE)
            os.symlink(outside, os.path.join(root, "link"))
            os.symlink(os.path.join(outside, "w.safetensors"), os.path.join(root, "link.safetensors"))
            os.symlink("in", os.path.join(root, "inner"))
            name = os.path.basename(outside)
            before = tree(root), tree(outside)
            for path in (f"../{name}/w.safetensors", f"in/../../{name}/w.safetensors", os.path.join(outside, "w.safetensors"),
                         "link/w.safetensors", "inner/w.safetensors", "link.safetensors", "..", "in/..", "/", "", "in//w.safetensors",
                         "./in/w.safetensors", "in/./w.safetensors", "link", "x" * 256, "a/" * 3000 + "b", "in/w.safetensors/x"):
                s.refuses(400, "INVALID_ARGUMENT", (), "POST", "checkpoints:import", {"name": "d", "path": path})
                if path != "link.safetensors":
                    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "checkpoints/c:export", {"path": path, "format": "safetensors", "overwrite": True})
            s.refuses(400, "INVALID_ARGUMENT", "symbolic link", "POST", "checkpoints/c:export", {"path": "link.safetensors", "format": "safetensors", "overwrite": True})
            s.refuses(400, "INVALID_ARGUMENT", (), "POST", "checkpoints:import", {"name": "d", "path": "in/w.safe\0tensors"})
            assert (tree(root), tree(outside)) == before
            take(s, "in/w.safetensors", "d").expect(201)
        finally:
            shutil.rmtree(outside)


def test_what_is_no_file_is_not_opened(s):
    with rooted(s) as (s, root):
        os.mkfifo(os.path.join(root, "fifo"))
        os.mkfifo(os.path.join(root, "p.index"))
        os.mkfifo(os.path.join(root, "q.data-00000-of-00001"))
        put(root, "q.index", b"?")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(os.path.join(root, "socket"))
            for path, words in (("fifo", "FIFO"), ("socket", "socket"), ("q", "FIFO")):
                s.refuses(400, "INVALID_ARGUMENT", words, "POST", "checkpoints:import", {"name": "d", "path": path})
        s.refuses(404, "NOT_FOUND", "'p'", "POST", "checkpoints:import", {"name": "d", "path": "p"})
        s.refuses(404, "NOT_FOUND", "no directory 'no'", "POST", "checkpoints:import", {"name": "d", "path": "no/such"})
        s.refuses(404, "NOT_FOUND", "nothing.index", "POST", "checkpoints:import", {"name": "d", "path": "nothing"})


def test_the_store_itself_is_out_of_bounds(s):
    holder = tempfile.mkdtemp(prefix="tensorkeep-holder-")
    try:
        with s.other_server("--checkpoint-root", holder) as other:
            make(other)
            other.server.stop()
            data = os.path.join(holder, "data")
            shutil.copytree(other.server.data, data)
            old, other.server.data = other.server.data, data
            other.server.start()
            other.connect()
            for path in ("data/x.npz", "data/"):
                other.refuses(403, "PERMISSION_DENIED", "data folder", "POST", "checkpoints/c:export", {"path": path, "format": "npz"})
            other.refuses(403, "PERMISSION_DENIED", "data folder", "POST", "checkpoints:import", {"name": "d", "path": "data/data.mdb"})
            other.server.stop()
            other.server.data = old
            other.server.start()
            other.connect()
    finally:
        shutil.rmtree(holder)


# --- in ---


def test_files_of_any_format_come_in(s):
    with rooted(s) as (s, root):
        put(root, "a/w.safetensors", SAFE)
        put(root, "a/w.npy", formats.npy_write(W))
        out = io.BytesIO()
        np.savez_compressed(out, w=W)
        put(root, "a/w.npz", out.getvalue())
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("x/w.safetensors", SAFE)
        put(root, "a/w.zip", out.getvalue())
        for number, (path, form, fields) in enumerate((("a/w.safetensors", "safetensors", {}), ("a/w.npy", "npy", {"tensor": "w"}),
                                                       ("a/w.npz", "npz", {}), ("a/w.zip", "safetensors", {}),
                                                       ("a/w.npz", "npz", {"format": "npz"}))):
            reply = take(s, path, f"c{number}", **fields).expect(201)
            assert reply.json["format"] == form and reply.json["name"] == f"c{number}" and reply.json["skipped"] == [], reply.json
            assert reply.headers["location"] == f"/v1/models/{s.model}/checkpoints/c{number}"
            assert holds_w(s, f"c{number}")
        s.refuses(409, "ALREADY_EXISTS", "c0", "POST", "checkpoints:import", {"name": "c0", "path": "a/w.npz"})
        take(s, "a/w.npz", "c0", overwrite=True).expect(200)
        put(root, "a/garbage", b"nothing of the kind")
        s.refuses(400, "INVALID_ARGUMENT", "safetensors", "POST", "checkpoints:import", {"name": "d", "path": "a/garbage"})
        put(root, "a/empty", b"")
        s.refuses(400, "INVALID_ARGUMENT", "empty", "POST", "checkpoints:import", {"name": "d", "path": "a/empty"})


def test_a_model_in_several_safetensors_files(s):
    with rooted(s) as (s, root):
        for number, name in enumerate("ab", 1):
            put(root, f"m/model-0000{number}-of-00002.safetensors", formats.safetensors_write({name: ("int8", [1], bytes([number]))}))
        put(root, "m/model.safetensors.index.json", json.dumps({"weight_map": {
            name: f"model-0000{number}-of-00002.safetensors" for number, name in enumerate("ab", 1)}}).encode())
        take(s, "m/model.safetensors.index.json").expect(201)
        assert [t["name"] for t in s.get("checkpoints/c").json["tensors"]] == ["a", "b"]


def test_tensorflow_prefixes_and_directories_come_in(s):
    with rooted(s) as (s, root):
        expected = copy_fixture(root, "v2-sonnet-mean-2x2", "v2")
        prefix = expected["open"]
        for path in (f"v2/{prefix}", f"v2/{prefix}.index"):
            assert take(s, path, overwrite=True).json["format"] == "tf_v2"
            is_fixture(s, expected)
        # Another checkpoint beside it, whose name begins the same: none of ours.
        for name in [name for name in os.listdir(os.path.join(root, "v2")) if name.startswith(prefix)]:
            shutil.copy(os.path.join(root, "v2", name), os.path.join(root, "v2", name.replace(prefix, prefix + "0")))
        take(s, f"v2/{prefix}", "d").expect(201)
        for latest in (prefix, os.path.join("/home/somebody/train", prefix)):
            put(root, "v2/checkpoint", f'model_checkpoint_path: "{latest}"\nall_model_checkpoint_paths: "{latest}"\n'.encode())
            for path in ("v2", "v2/"):
                assert take(s, path, overwrite=True).expect(200).json["format"] == "tf_v2"
                is_fixture(s, expected)
        # Or the one that is asked for, whatever the directory's latest is.
        put(root, "v2/checkpoint", b'model_checkpoint_path: "gone"')
        take(s, "v2", prefix=prefix, overwrite=True).expect(200)
        is_fixture(s, expected)
        take(s, ".", prefix=f"v2/{prefix}", overwrite=True).expect(200)
        is_fixture(s, expected)
        for path, asked, words in (("v2", "m-3", "m-3.index"), ("v2", "../v2/" + prefix, "'..' is not allowed"), ("v2", "", "empty")):
            s.is_refusal(take(s, path, prefix=asked, overwrite=True), 400 if asked != "m-3" else 404,
                         "INVALID_ARGUMENT" if asked != "m-3" else "NOT_FOUND", words)
        put(root, "checkpoint", f'model_checkpoint_path: "v2/{prefix}"'.encode())
        take(s, ".", overwrite=True).expect(200)
        is_fixture(s, expected)


def test_state_files_that_lead_elsewhere(s):
    with rooted(s) as (s, root):
        put(root, "evil", SAFE)
        malformed = ("traversal", "unclosed-quote", "timestamps")
        for name in malformed:
            shutil.copytree(os.path.join(FIXTURES, "malformed", "checkpoint-state", name), os.path.join(root, name))
        texts = {"up": b'model_checkpoint_path: "../evil"', "dots": b'model_checkpoint_path: ".."', "dot": b'model_checkpoint_path: "."',
                 "self": b'model_checkpoint_path: "a/../../evil"', "slash": b'model_checkpoint_path: "/"', "open": b'model_checkpoint_path: "x',
                 "none": b"", "void": b'model_checkpoint_path: ""', "gone": b'model_checkpoint_path: "gone"', "etc": b'model_checkpoint_path: "/etc/passwd"'}
        for name, text in texts.items():
            put(root, f"{name}/checkpoint", text)
        for name in (*texts, *malformed):
            reply = take(s, name)
            assert reply.status in (400, 404), (name, str(reply))
            assert "checkpoint" in reply.json["detail"], (name, reply.json)
        os.makedirs(os.path.join(root, "bare"))
        s.refuses(404, "NOT_FOUND", "no file 'checkpoint'", "POST", "checkpoints:import", {"name": "d", "path": "bare"})
        os.symlink("../evil", os.path.join(root, "bare", "checkpoint"))
        s.refuses(400, "INVALID_ARGUMENT", "symbolic link", "POST", "checkpoints:import", {"name": "d", "path": "bare"})
        put(root, "timestamps/ckpt-2", SAFE)
        take(s, "timestamps").expect(201)
        assert holds_w(s)


# --- out ---


def test_single_files_go_out_under_the_name_that_is_given(s):
    with rooted(s) as (s, root):
        make(s)
        reply = give(s, "out/model.safetensors", "safetensors").expect(200)
        assert reply.json["path"] == "out/model.safetensors" and reply.json["format"] == "safetensors" and reply.json["name"] == "c"
        data = got(root, "out/model.safetensors")
        assert data == s.get("checkpoints/c:export?format=safetensors").body
        assert reply.json["files"] == [{"name": "model.safetensors", "bytes": len(data)}] and reply.json["bytes"] == len(data)
        assert reply.json["skipped"] == []
        assert give(s, "out", "npz").expect(200).json["path"] == "out/c.npz"
        assert np.array_equal(np.load(os.path.join(root, "out/c.npz"))["w"], W)
        assert give(s, "new/", "npz", compression="deflate").expect(200).json["path"] == "new/c.npz"
        assert give(s, ".", "safetensors", container="zip").expect(200).json["files"][0]["name"] == "c.zip"
        assert zipfile.ZipFile(os.path.join(root, "c.zip")).read("c.safetensors") == data
        for container in ("zip", "tar"):  # what is in it is named without the archive's ending
            for path, inside in ((f"x/m.{container}", "m"), ("x/plain", "plain")):
                told = give(s, path, "tf_v2", container=container, overwrite=True).expect(200).json
                assert told["path"] == path and told["files"][0]["name"] == path[2:], told
                take(s, path, "packed", overwrite=True)
                assert holds_w(s, "packed") and f"{inside}.index".encode() in got(root, path)
        assert not [name for name in tree(root) if ".tmp" in name], tree(root)
        for path in ("out/model.safetensors", "out/c.npz"):
            assert holds_w(s, take(s, path, "again", overwrite=True).json["name"])


def test_what_is_there_is_replaced_only_when_one_says_so(s):
    with rooted(s) as (s, root):
        make(s)
        put(root, "x.npz", b"mine")
        os.makedirs(os.path.join(root, "folder.npz/c.npz"))
        s.refuses(409, "ALREADY_EXISTS", ("x.npz", "overwrite"), "POST", "checkpoints/c:export", {"path": "x.npz", "format": "npz"})
        assert got(root, "x.npz") == b"mine"
        give(s, "x.npz", "npz", overwrite=True).expect(200)
        assert np.array_equal(np.load(os.path.join(root, "x.npz"))["w"], W)
        s.refuses(409, "ALREADY_EXISTS", "directory", "POST", "checkpoints/c:export", {"path": "folder.npz", "format": "npz", "overwrite": True})
        s.refuses(400, "INVALID_ARGUMENT", "no directory", "POST", "checkpoints/c:export", {"path": "x.npz/y", "format": "npz"})
        assert not [name for name in tree(root) if ".tmp" in name], tree(root)


def test_what_a_format_cannot_hold(s):
    with rooted(s) as (s, root):
        make(s)
        s.put_raw("t", "string", [1], formats.strings_write([b"x"]))
        s.save("d")
        s.refuses(406, "NOT_ACCEPTABLE", "t", "POST", "checkpoints/d:export", {"path": "a/d.npz", "format": "npz"})
        assert tree(root) == {}
        reply = give(s, "a/d.npz", "npz", "d", on_unsupported="skip").expect(200)
        assert [entry["name"] for entry in reply.json["skipped"]] == ["t"], reply.json


def test_what_is_made_has_the_permissions_of_where_it_is_made(s):
    with rooted(s) as (s, root):
        make(s)
        for mode in (0o700, 0o755, 0o2775):
            os.chmod(root, mode)
            give(s, f"{mode}/x/c.npz", "npz").expect(200)
            for path, wanted in ((f"{mode}", mode), (f"{mode}/x", mode), (f"{mode}/x/c.npz", mode & 0o666)):
                assert os.stat(os.path.join(root, path)).st_mode & 0o7777 == wanted, (path, oct(wanted))


def test_a_root_that_cannot_be_written_to(s):
    with s.other_server("--checkpoint-root", "/proc") as s:
        make(s)
        s.refuses(503, "UNAVAILABLE", ("cannot create", "x.npz"), "POST", "checkpoints/c:export", {"path": "x.npz", "format": "npz"})
        s.refuses(503, "UNAVAILABLE", "cannot make the directory 'x'", "POST", "checkpoints/c:export", {"path": "x/y.npz", "format": "npz"})


def latest_of(text):
    return re.findall(r'^model_checkpoint_path: "(.*)"$', text, re.M), re.findall(r'^all_model_checkpoint_paths: "(.*)"$', text, re.M)


def test_tensorflow_checkpoints_go_out_with_their_state(s):
    with rooted(s) as (s, root):
        make(s)
        for form in ("tf_v2", "tf_v1"):
            for step in (1, 2):
                s.save(f"{form}.ckpt", global_step=step)
                reply = give(s, f"{form}/", form, f"{form}.ckpt-{step}").expect(200)
                assert reply.json["path"] == f"{form}/{form}.ckpt-{step}", reply.json
                assert "checkpoint" not in [file["name"] for file in reply.json["files"]], reply.json
                for file in reply.json["files"]:
                    assert os.path.getsize(os.path.join(root, form, file["name"])) == file["bytes"]
            latest, paths = latest_of(got(root, f"{form}/checkpoint").decode())
            assert latest == [f"{form}.ckpt-2"] and paths == [f"{form}.ckpt-1", f"{form}.ckpt-2"], paths
            take(s, form, f"{form}-back").expect(201)
            assert holds_w(s, f"{form}-back") and s.get(f"checkpoints/{form}-back").json["tensors"]
            give(s, f"{form}/{form}.ckpt-1", form, f"{form}.ckpt-1", overwrite=True).expect(200)
            latest, paths = latest_of(got(root, f"{form}/checkpoint").decode())
            assert latest == [f"{form}.ckpt-1"] and paths == [f"{form}.ckpt-2", f"{form}.ckpt-1"], paths
            before = tree(root)
            s.refuses(409, "ALREADY_EXISTS", "ckpt-1", "POST", f"checkpoints/{form}.ckpt-1:export", {"path": f"{form}/", "format": form})
            s.refuses(400, "INVALID_ARGUMENT", "checkpoint", "POST", f"checkpoints/{form}.ckpt-1:export", {"path": f"{form}/checkpoint", "format": form, "overwrite": True})
            put(root, f"{form}-broken/checkpoint", b'model_checkpoint_path: "x')
            s.refuses(400, "INVALID_ARGUMENT", "cannot be added to", "POST", "checkpoints/c:export", {"path": f"{form}-broken/", "format": form})
            assert os.listdir(os.path.join(root, f"{form}-broken")) == ["checkpoint"]
            shutil.rmtree(os.path.join(root, f"{form}-broken"))
            assert tree(root) == before


def test_checkpoints_of_several_files_go_out_and_come_in(s):
    with rooted(s) as (s, root):
        expected = copy_fixture(root, "v2-sonnet-mean-2x2", "in")
        prefix = expected["open"]
        take(s, f"in/{prefix}").expect(201)
        reply = give(s, "v2/m", "tf_v2").expect(200)
        assert reply.json["path"] == "v2/m"
        assert [file["name"] for file in reply.json["files"]] == ["m.data-00000-of-00002", "m.data-00001-of-00002", "m.index"]
        for name in ("data-00000-of-00002", "data-00001-of-00002"):
            assert got(root, f"v2/m.{name}") == got(root, f"in/{prefix}.{name}"), "TensorFlow's own bytes"
        reply = give(s, "v1/m", "tf_v1").expect(200)
        assert [file["name"] for file in reply.json["files"]] == ["m-00000-of-00002", "m-00001-of-00002"]
        assert latest_of(got(root, "v1/checkpoint").decode())[0] == ["m-?????-of-00002"]
        for number, path in enumerate(("v2", "v2/m", "v1", "v1/m", "v1/m-?????-of-00002")):
            take(s, path, f"back{number}").expect(201)
            is_fixture(s, expected, f"back{number}")


def test_exports_at_once_all_get_into_the_state(s):
    with rooted(s) as (s, root):
        make(s)
        steps = range(1, 13)
        for step in steps:
            s.save("m", global_step=step)
        clients = [s.another_client() for _ in range(4)]
        replies = []

        def work(client, mine):
            for step in mine:
                replies.append(client.request("POST", s.path(f"checkpoints/m-{step}:export"), {"path": "out/", "format": "tf_v2"}))

        workers = [threading.Thread(target=work, args=(client, steps[i::4])) for i, client in enumerate(clients)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for client in clients:
            client.close()
        assert [reply.status for reply in replies] == [200] * len(steps), [str(reply) for reply in replies]
        latest, paths = latest_of(got(root, "out/checkpoint").decode())
        assert sorted(paths) == sorted(f"m-{step}" for step in steps) and latest == paths[-1:]
        assert len(os.listdir(os.path.join(root, "out"))) == 1 + 2 * len(steps)


# --- again ---


def test_both_may_be_asked_for_again(s):
    with rooted(s) as (s, root):
        make(s)
        key = {"Idempotency-Key": "k1"}
        first = s.post("checkpoints/c:export", {"path": "x.npz", "format": "npz"}, key).expect(200)
        os.unlink(os.path.join(root, "x.npz"))
        again = s.post("checkpoints/c:export", {"path": "x.npz", "format": "npz"}, key).expect(200)
        assert again.headers["idempotency-replayed"] == "true" and again.json == first.json
        assert tree(root) == {}, "it was told again, not done again"
        s.post("checkpoints/c:export", {"path": "y.npz", "format": "npz"}, key).expect(422)
        put(root, "w.safetensors", SAFE)
        first = s.post("checkpoints:import", {"name": "d", "path": "w.safetensors"}, {"Idempotency-Key": "k2"}).expect(201)
        os.unlink(os.path.join(root, "w.safetensors"))
        again = s.post("checkpoints:import", {"name": "d", "path": "w.safetensors"}, {"Idempotency-Key": "k2"}).expect(201)
        assert again.json == first.json


def test_conditions_are_on_the_checkpoint(s):
    with rooted(s) as (s, root):
        make(s)
        path, body = "checkpoints/c:export", {"path": "x.npz", "format": "npz"}
        s.refuses(412, "PRECONDITION_FAILED", "c", "POST", path, body, {"If-Match": '"r1-checkpoint"'})
        assert tree(root) == {}
        revision = s.get("checkpoints/c").json["revision"]
        s.post(path, body, {"If-Match": f'"r{revision}-checkpoint"'}).expect(200)
        put(root, "w.safetensors", SAFE)
        s.refuses(412, "PRECONDITION_FAILED", "c", "POST", "checkpoints:import", {"name": "c", "path": "w.safetensors"}, {"If-None-Match": "*"})
