"""TensorFlow's V1 checkpoint files, written and read a second time."""

import struct

import formats
import sstable_files as sstable
from sstable_files import varint, varint_at

# dtype: number in the file, field of the values, numpy's type of what the field holds (None: varints)
DTYPES = {
    "float32": (1, 5, "<f4"), "float64": (2, 6, "<f8"), "int32": (3, 7, None), "uint8": (4, 7, None),
    "int16": (5, 7, None), "int8": (6, 7, None), "string": (7, 8, None), "complex64": (8, 9, "<f4"),
    "int64": (9, 10, None), "bool": (10, 11, None), "qint8": (11, 7, None), "quint8": (12, 7, None),
    "qint32": (13, 7, None), "qint16": (15, 7, None), "quint16": (16, 7, None), "uint16": (17, 7, None),
    "complex128": (18, 12, "<f8"), "float16": (19, 13, None), "uint32": (22, 16, None), "uint64": (23, 17, None),
}
NAME = {number: name for name, (number, _, _) in DTYPES.items()}
# What numpy calls the numbers that stand in varints.
NUMBERS = {"qint8": "<i1", "quint8": "<u1", "qint16": "<i2", "quint16": "<u2", "qint32": "<i4", "float16": "<u2",
           "bool": "<u1"}
SIZE = {**formats.SIZE, "qint8": 1, "quint8": 1, "qint16": 2, "quint16": 2, "qint32": 4}


# --- protobuf ---

def field(number, payload):
    """A length-delimited field, or a varint one where the payload is a number."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def fields(data):
    """[(number, payload)]: a number for varints, else bytes."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint_at(data, at)
        if tag & 7 == 0:
            value, at = varint_at(data, at)
        else:
            size = {1: 8, 5: 4}.get(tag & 7)
            if size is None:
                assert tag & 7 == 2
                size, at = varint_at(data, at)
            assert at + size <= len(data)
            value, at = data[at:at + size], at + size
        found.append((tag >> 3, value))
    return found


def one(found, number, default=b""):
    return next((value for n, value in found if n == number), default)


# --- slices: [(start, length)] with length -1 for a whole dimension ---

def ordered(value):
    """A signed number so that its bytes sort as it does."""
    size = 1
    while not -(1 << 7 * size - 1) <= value < 1 << 7 * size - 1:
        size += 1
    number = value % (1 << 8 * size)
    head = (1 << size) - 1 << 8 * size - size
    return (number | head if value >= 0 else number & ~head).to_bytes(size, "big")


def key_of(name, part):
    data = name.encode() if isinstance(name, str) else name
    text = data.replace(b"\xff", b"\x01\x02\x03").replace(b"\0", b"\0\xff").replace(b"\x01\x02\x03", b"\xff\0")
    rank = b"\0" if not part else b"\1" + bytes([len(part)])
    key = b"\0" + text + b"\0\1" + rank
    return key + b"".join(ordered(start) + ordered(length) for start, length in part)


def slice_message(part):
    return b"".join(field(1, b"" if length == -1 else (field(1, start) if start else b"") + field(2, length))
                    for start, length in part)


def slice_of(message):
    part = []
    for number, extent in fields(message):
        assert number == 1
        found = fields(extent)
        length = one(found, 2, -1)
        part.append((one(found, 1, 0), length))
    return part


def extents(shape, part):
    return [(0, size) if length == -1 else (start, length) for size, (start, length) in zip(shape, part)]


def whole(shape):
    return [(0, -1)] * len(shape)


# --- values ---

def values_message(dtype, data, packed=True):
    """TensorProto with nothing but the values, of row-major little-endian bytes (strings: a list)."""
    _, number, kind = DTYPES[dtype]
    if dtype == "string":
        return b"".join(field(number, element) for element in data)
    if not data:
        return b""
    if kind is not None and packed:
        return field(number, bytes(data))
    if kind is not None:
        size, wire = int(kind[2]), 5 if kind == "<f4" else 1
        return b"".join(varint(number << 3 | wire) + data[at:at + size] for at in range(0, len(data), size))
    values = formats.np.frombuffer(data, NUMBERS.get(dtype) or formats.NUMPY[dtype])
    if not packed:
        return b"".join(field(number, int(value)) for value in values)
    return field(number, b"".join(varint(int(value)) for value in values))


def values_of(dtype, message):
    _, number, kind = DTYPES[dtype]
    found = fields(message)
    assert all(n == number for n, _ in found), "values in another field"
    if dtype == "string":
        return [payload for _, payload in found]
    if kind is not None:
        return b"".join(payload for _, payload in found)
    values = []
    for _, payload in found:
        if isinstance(payload, int):
            values.append(payload)
            continue
        at = 0
        while at < len(payload):
            value, at = varint_at(payload, at)
            values.append(value)
    size = SIZE[dtype]
    return b"".join((value & (1 << 8 * size) - 1).to_bytes(size, "little") for value in values)


# --- files ---

def write(tensors, versions=b"\x08\x01", packed=lambda: True, **table):
    """One file. tensors: [(name, dtype, shape, data)] or with a list of (slice, data) in place of data. Strings are lists
    of bytes. packed: whether the next values are."""
    metas, records = b"", []
    for name, dtype, shape, data in tensors:
        parts = data if isinstance(data, list) and data and isinstance(data[0], tuple) else [(whole(shape), data)]
        dims = b"".join(field(2, field(1, size) if size else b"") for size in shape)
        slices = b"".join(field(4, slice_message(part)) for part, _ in parts)
        metas += field(1, field(1, name.encode()) + field(2, dims) + field(3, DTYPES[dtype][0]) + slices)
        for part, values in parts:
            record = field(1, name.encode()) + field(2, slice_message(part)) + field(3, values_message(dtype, values, packed()))
            records.append((key_of(name, part), field(2, record)))
    metas += field(2, versions) if versions is not None else b""
    return sstable.write(sorted([(b"", field(1, metas))] + records), **table)


def read(data):
    """{name: (dtype, shape, {slice: data})} in the order of the metadata."""
    found, _ = sstable.read(data)
    records, tensors = dict(found), {}
    for number, meta in fields(one(fields(records.pop(b"")), 1)):
        if number != 1:
            continue
        about = fields(meta)
        name, dtype = one(about, 1).decode(), NAME[one(about, 3)]
        shape = [one(fields(dim), 1, 0) for n, dim in fields(one(about, 2)) if n == 2]
        parts = {}
        for n, message in about:
            if n != 4:
                continue
            part = slice_of(message)
            record = fields(one(fields(records.pop(key_of(name, part))), 2))
            assert one(record, 1).decode() == name and slice_of(one(record, 2)) == part
            parts[tuple(part)] = values_of(dtype, one(record, 3))
        tensors[name] = dtype, shape, parts
    assert not records, f"records that the metadata does not tell of: {list(records)}"
    return tensors


def assembled(dtype, shape, parts):
    """The whole tensor: bytes, or a list of strings."""
    array = formats.np.zeros(shape, object if dtype == "string" else f"V{SIZE[dtype]}")
    seen = formats.np.zeros(shape, int)
    for part, data in parts.items():
        place = tuple(slice(start, start + length) for start, length in extents(shape, part))
        size = [length for _, length in extents(shape, part)]
        if dtype == "string":
            piece = formats.np.empty(formats.count_of(size), object)
            piece[:] = data
            array[place] = piece.reshape(size)
        else:
            array[place] = formats.np.frombuffer(data, array.dtype).reshape(size)
        seen[place] += 1
    assert (seen == 1).all(), "slices that overlap or leave a hole"
    return list(array.reshape(-1)) if dtype == "string" else array.tobytes()
