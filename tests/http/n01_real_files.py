"""Real trained files: in, changed, saved, killed, restored, out; every tensor by its digest."""

import hashlib
import json
import os
import re

import formats

np = formats.np
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
SAFE = {"Content-Type": "application/vnd.safetensors"}
LEGAL = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\-/]*$")


def files():
    """(file name, its bytes, expected tensors)"""
    for folder in sorted(os.listdir(FIXTURES)):
        if not folder.startswith("st-"):
            continue
        base = os.path.join(FIXTURES, folder)
        with open(os.path.join(base, "EXPECTED.json"), encoding="utf-8") as file:
            expected = json.load(file)
        for name in expected["files"]:
            with open(os.path.join(base, name["path"]), "rb") as file:
                body = file.read()
            assert hashlib.sha256(body).hexdigest() == name["sha256"]
            yield name["path"], body, [t for t in expected["tensors"] if t["file"] == name["path"]]


def digests(body):
    tensors, _ = formats.safetensors_read(body)
    return {name: (dtype, shape, hashlib.sha256(data).hexdigest()) for name, (dtype, shape, data) in tensors.items()}


def wanted(expected):
    return {t["name"]: (t["dtype"], t["shape"], t["sha256"]) for t in expected}


def legal(name):
    """A variable's name for any tensor's name."""
    return "/".join(re.sub(r"[^A-Za-z0-9_.\-]", "_", part).lstrip("-_") or "x" for part in re.split(r"[:/]", name) if part)


def test_every_file_survives_change_save_kill_restart_restore_export(s):
    for index, (path, body, expected) in enumerate(files()):
        model = f"f{index}"
        s.put(f"/v1/models/{model}", {}).expect(201)
        s.model = model
        s.put("checkpoints/imported", body, SAFE).expect(201)
        names = {t["name"]: legal(t["name"]) for t in expected}
        assert len(set(names.values())) == len(names)
        if names:
            s.restore("imported", variables=names, create=True)
            # Change everything that is not empty, and one tensor in a part.
            for t in expected:
                if t["nbytes"]:
                    s.put(f"variables/{names[t['name']]}:value", bytes(t["nbytes"]), {"Content-Type": "application/octet-stream"}).expect(200)
            s.save("changed", variables=names)
        s.kill9()
        s.restart()
        exported = s.get("checkpoints/imported:export?format=safetensors").expect(200).body
        assert digests(exported) == wanted(expected), path
        if not names:
            continue
        s.restore("imported", variables=names)
        s.save("again", variables=names)
        assert digests(s.get("checkpoints/again:export?format=safetensors").body) == wanted(expected), path
        for name, (_, _, digest) in digests(s.get("checkpoints/changed:export?format=safetensors").body).items():
            size = next(t["nbytes"] for t in expected if t["name"] == name)
            assert digest == hashlib.sha256(bytes(size)).hexdigest(), (path, name)


def test_files_with_legal_names_are_values_directly(s):
    seen = 0
    for index, (path, body, expected) in enumerate(files()):
        s.put(f"/v1/models/v{index}", {}).expect(201)
        s.model = f"v{index}"
        if all(LEGAL.match(t["name"]) for t in expected):
            s.put("values?create=true", body, SAFE).expect(200)
            if expected:
                assert digests(s.get("values?format=safetensors").expect(200).body) == wanted(expected), path
            for t in expected:
                assert hashlib.sha256(s.bytes_of(t["name"])).hexdigest() == t["sha256"], (path, t["name"])
            seen += 1
        else:
            s.refuses(400, "INVALID_ARGUMENT", "name", "PUT", "values?create=true", body, SAFE)
            assert s.names() == []
    assert seen >= 4


def test_inspection_shows_what_is_in_the_file(s):
    for index, (path, body, expected) in enumerate(files()):
        s.put(f"checkpoints/c{index}", body, SAFE).expect(201)
        about = s.get(f"checkpoints/c{index}").expect(200).json
        assert {t["name"]: (t["dtype"], t["shape"], t["bytes"]) for t in about["tensors"]} == \
            {t["name"]: (t["dtype"], t["shape"], t["nbytes"]) for t in expected}, path


def test_exported_metadata_is_the_files(s):
    for index, (path, body, _) in enumerate(files()):
        _, before = formats.safetensors_read(body)
        s.put(f"checkpoints/m{index}", body, SAFE).expect(201)
        _, after = formats.safetensors_read(s.get(f"checkpoints/m{index}:export?format=safetensors").body)
        for key, value in before.items():
            assert after.get(key) == value, (path, key)
