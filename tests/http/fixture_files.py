"""The checkpoints of a folder of fixtures: what a client would send of each, what must then be there, and how to look."""

import hashlib
import io
import json
import os
import struct
import tarfile
import urllib.parse
import zipfile

import formats

np = formats.np
HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("TENSORKEEP_FIXTURES") or os.path.join(HERE, "..", "fixtures")

# What each format has no form for, of all dtypes that are kept.
SAFE_NOT = {"string", "complex128", "qint8", "quint8", "qint16", "quint16", "qint32"}
QUANTIZED = {"qint8": "<i1", "quint8": "<u1", "qint16": "<i2", "quint16": "<u2", "qint32": "<i4"}
HOLDS = {
    "safetensors": lambda dtype: dtype not in SAFE_NOT,
    "npz": lambda dtype: dtype in formats.NUMPY,
    "tf_v2": lambda dtype: True,
    "tf_v1": lambda dtype: dtype not in ("bfloat16", "float8_e4m3fn", "float8_e5m2"),
}
EXPORTS = tuple(HOLDS)


class Case:
    """One checkpoint: its files, and the tensors that EXPECTED.json tells of."""

    def __init__(self, label, kind, files, about, tensors):
        self.label, self.format, self.files, self.about = label, kind, files, about
        self.open = about["open"] if isinstance(about["open"], str) else None
        self.real = about["origin"] == "real"
        self.tensors = [t for t in tensors if "expect" not in t]
        self.refused = [t["name"] for t in tensors if t.get("expect") in ("reject", "unsupported")]
        self.skipped = [t["name"] for t in tensors if t.get("expect") == "skip"]

    def bodies(self):
        """(what it is, body, query) for every way to send it."""
        if self.format == "tf-v2":
            prefix = {"prefix": self.open}
            yield "tar", tar_of(self.files), {}
            yield "tar.gz", tar_of(self.files, "w:gz"), prefix
            yield "zip", zip_of(self.files, zipfile.ZIP_STORED), prefix
            yield "deflated zip", zip_of(self.files, zipfile.ZIP_DEFLATED), {}
            return
        if len(self.files) == 1:
            (path, body), = self.files.items()
            yield path, body, {"tensor": self.tensors[0]["name"]} if self.format == "npy" and self.tensors else {}
        if self.format == "tf-v1":
            yield "tar", tar_of(self.files), {}
            yield "zip", zip_of(self.files, zipfile.ZIP_STORED), {}

    def unfit(self, kind):
        """The names of the tensors that have no form in this format."""
        return [t["name"] for t in self.tensors if not HOLDS[kind](t["dtype"])]


def tar_of(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return out.getvalue()


def tar_read(body):
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}


def zip_of(files, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def read_file(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def cases(*kinds):
    """Every checkpoint of the folder that is of one of these formats."""
    for folder in sorted(os.listdir(FOLDER)):
        path = os.path.join(FOLDER, folder, "EXPECTED.json")
        if not os.path.exists(path):
            continue
        about = json.loads(read_file(path))
        if not set(about["format"].split("+")) & set(kinds):
            continue
        files = {f["path"]: read_file(FOLDER, folder, f["path"]) for f in about["files"]}
        for f in about["files"]:
            assert hashlib.sha256(files[f["path"]]).hexdigest() == f["sha256"], (folder, f["path"])
        if about["format"].startswith("tf-"):
            yield Case(folder, about["format"], files, about, about["tensors"])
            continue
        for name, data in files.items():
            kind = name.rpartition(".")[2]
            if kind in kinds:
                yield Case(f"{folder}/{name}", kind, {name: data}, about, [t for t in about["tensors"] if t["file"] == name])


# --- looking ---

def query_of(query):
    query = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
    return "?" + query if query else ""


def digest_of(dtype, data):
    """Of strings: every element's."""
    if dtype == "string":
        return [hashlib.sha256(element).hexdigest() for element in formats.strings_read(data)]
    return hashlib.sha256(data).hexdigest()


def first_numbers(dtype, data):
    """The first elements as EXPECTED.json writes them; None where numpy has no such numbers."""
    if dtype == "string":
        return [element[:64].decode("latin-1") for element in formats.strings_read(data)[:8]]
    if dtype == "bfloat16":
        return spelled((np.frombuffer(data, "<u2")[:8].astype("<u4") << np.uint32(16)).view("<f4").astype(float).tolist())
    kind = formats.NUMPY.get(dtype) or QUANTIZED.get(dtype)
    if kind is None:
        return None
    array = np.frombuffer(data, kind)[:8]
    if dtype.startswith("complex"):
        return [spelled([float(value.real), float(value.imag)]) for value in array]
    return spelled(array.astype(float).tolist() if dtype.startswith("float") else array.tolist())


def spelled(numbers):
    return ["NaN" if n != n else "Infinity" if n == float("inf") else "-Infinity" if n == -float("inf") else n for n in numbers]


def compare(s, checkpoint, case, without=()):
    """Every tensor of the checkpoint is what it must be, and there is no other."""
    expected = {t["name"]: t for t in case.tensors if t["name"] not in without}
    listed = {t["name"]: t for t in s.get(f"checkpoints/{checkpoint}").expect(200).json["tensors"]}
    assert set(listed) == set(expected), (case.label, set(listed) ^ set(expected))
    brief = None
    if len(expected) > 40 and not any(t["dtype"] in SAFE_NOT for t in case.tensors):
        brief, _ = formats.safetensors_read(s.get(f"checkpoints/{checkpoint}:export?format=safetensors").expect(200).body)
    for name, tensor in expected.items():
        where = f"{case.label}: {name}"
        assert (listed[name]["dtype"], listed[name]["shape"]) == (tensor["dtype"], tensor["shape"]), where
        if brief is not None:
            data = brief[name][2]
        else:
            data = s.get(f"checkpoints/{checkpoint}:value" + query_of({"tensor": name, "format": "raw"})).expect(200).body
        if tensor["dtype"] == "string":
            assert digest_of("string", data) == tensor["element_sha256"], where
            lengths, at = [], 0
            while at < len(data):
                lengths.append(struct.unpack_from("<I", data, at)[0])
                at += 4 + lengths[-1]
            assert lengths == tensor["element_lengths"], where
        else:
            assert digest_of(tensor["dtype"], data) == tensor["sha256"], where
            assert len(data) == tensor["nbytes"] == listed[name]["bytes"], where
        first = first_numbers(tensor["dtype"], data)
        assert first in (None, tensor["first"]), f"{where}: {first} is not {tensor['first']}"
