"""TensorFlow's V2 checkpoints (tensor bundles), written and read a second time: {file name: bytes}."""

import io
import struct
import tarfile
import zipfile

import formats
import sstable_files as sstable
import v1_files
from sstable_files import crc32c, masked, varint, varint_at
from v1_files import NAME, extents, field, fields, key_of, one, slice_message, slice_of

np = formats.np
NUMBER = {**{name: number for number, name in NAME.items()}, "bfloat16": 14, "float8_e5m2": 24, "float8_e4m3fn": 25}
NAMES = {number: name for name, number in NUMBER.items()}
SIZE = {**v1_files.SIZE, "float8_e5m2": 1, "float8_e4m3fn": 1}


# --- values: row-major little-endian bytes, or a list of strings ---

def swapped(dtype, data):
    part = SIZE[dtype] // 2 if dtype.startswith("complex") else SIZE[dtype]
    return np.frombuffer(data, f"<u{part}").byteswap().tobytes() if part > 1 else data


def stored(dtype, data, big_endian):
    """The bytes of a data file and their checksum."""
    if dtype != "string":
        data = swapped(dtype, data) if big_endian else bytes(data)
        return data, crc32c(data)
    order = ">" if big_endian else "<"
    lengths = b"".join(struct.pack(order + "I", len(string)) for string in data)
    check = struct.pack(order + "I", masked(crc32c(lengths)))
    strings = b"".join(data)
    return b"".join(varint(len(string)) for string in data) + check + strings, crc32c(lengths + check + strings)


def value_of(dtype, count, data, crc, big_endian):
    """The reverse, with every checksum looked at."""
    if dtype != "string":
        assert len(data) == count * SIZE[dtype] and masked(crc32c(data)) == crc
        return swapped(dtype, data) if big_endian else data
    at, lengths, strings = 0, [], []
    for _ in range(count):
        length, at = varint_at(data, at)
        lengths.append(length)
    at += 4
    for length in lengths:
        strings.append(data[at:at + length])
        at += length
    assert at == len(data) and stored(dtype, strings, big_endian)[0] == data
    assert masked(stored(dtype, strings, big_endian)[1]) == crc
    return strings


# --- records ---

def entry(dtype, shape, shard=0, offset=0, size=0, crc=0, slices=()):
    dims = b"".join(field(2, field(1, dim) if dim else b"") for dim in shape)
    numbers = b"".join(field(number, value) for number, value in ((3, shard), (4, offset), (5, size)) if value)
    return (field(1, NUMBER.get(dtype, dtype)) + field(2, dims) + numbers + (struct.pack("<BI", 0x35, crc) if crc else b"")
            + b"".join(field(7, slice_message(part)) for part in slices))


def header(shards=1, big_endian=False, version=b"\x08\x01"):
    return field(1, shards) + (field(2, 1) if big_endian else b"") + field(3, version)


class Making:
    """A checkpoint that is made tensor by tensor, in the order of its data."""

    def __init__(self, shards=1, big_endian=False, padding=0):
        self.shards, self.big_endian, self.padding = shards, big_endian, padding
        self.data = [bytearray() for _ in range(shards)]
        self.records = {b"": header(shards, big_endian)}

    def put(self, key, dtype, shape, data, shard):
        value, crc = stored(dtype, data, self.big_endian)
        self.records[key] = entry(dtype, shape, shard, len(self.data[shard]), len(value), masked(crc))
        self.data[shard] += value
        if self.padding:
            self.data[shard] += bytes(-len(self.data[shard]) % self.padding)

    def add(self, name, dtype, shape, data, shard=0):
        self.put(name.encode(), dtype, shape, data, shard)

    def add_slices(self, name, dtype, shape, parts):
        """parts: [(slice, data, shard)]"""
        for part, data, shard in parts:
            self.put(key_of(name, part), dtype, [length for _, length in extents(shape, part)], data, shard)
        self.records[name.encode()] = entry(dtype, shape, slices=[part for part, _, _ in parts])

    def files(self, prefix="model.ckpt-7", **table):
        made = {f"{prefix}.data-{i:05}-of-{self.shards:05}": bytes(data) for i, data in enumerate(self.data)}
        made[f"{prefix}.index"] = sstable.write(sorted(self.records.items()), **table)
        return made


def write(tensors, prefix="model.ckpt-7", **how):
    """[(name, dtype, shape, data)] in one shard."""
    making = Making(**how)
    for tensor in tensors:
        making.add(*tensor)
    return making.files(prefix)


def read(files, prefix):
    """{name: (dtype, shape, data)} in the order of the data; strings as lists of bytes, slices put together."""
    records, types = sstable.read(files[prefix + ".index"])
    records = dict(records)
    about = fields(records.pop(b""))
    shards, big_endian = one(about, 1, 0), one(about, 2, 0) == 1
    assert one(fields(one(about, 3)), 1, 0) == 1 and set(types) == {0}
    places, tensors = {}, {}

    def load(key):
        about = fields(records.pop(key))
        dtype, shard, offset, size = NAMES[one(about, 1)], one(about, 3, 0), one(about, 4, 0), one(about, 5, 0)
        shape = [one(fields(dim), 1, 0) for number, dim in fields(one(about, 2)) if number == 2]
        data = files[f"{prefix}.data-{shard:05}-of-{shards:05}"][offset:offset + size]
        crc = int.from_bytes(one(about, 6), "little")
        return (shard, offset), dtype, shape, value_of(dtype, formats.count_of(shape), data, crc, big_endian)

    for key in [key for key in records if not key.startswith(b"\0")]:
        about, name = fields(records[key]), key.decode()
        parts = [slice_of(message) for number, message in about if number == 7]
        if not parts:
            places[name], *tensors[name] = load(key)
            continue
        dtype = NAMES[one(about, 1)]
        shape = [one(fields(dim), 1, 0) for number, dim in fields(one(about, 2)) if number == 2]
        loaded = [load(key_of(key, part)) for part in parts]
        places[name] = min(place for place, _, _, _ in loaded)
        pieces = {tuple(part): data for part, (_, _, _, data) in zip(parts, loaded)}
        tensors[name] = [dtype, shape, v1_files.assembled(dtype, shape, pieces)]
        del records[key]
    assert not records, f"records of nothing: {list(records)}"
    return {name: tuple(tensors[name]) for name in sorted(tensors, key=places.get)}


# --- containers ---

def tar(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def untar(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers()}


def unzip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
