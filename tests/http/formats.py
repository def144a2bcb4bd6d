"""The wire formats, written a second time and as plainly as possible, to hold the server's against."""

import io
import json
import struct

import numpy as np

# name, bytes per element, numpy's type (None where numpy has none), safetensors' name
DTYPES = [
    ("float16", 2, "<f2", "F16"),
    ("bfloat16", 2, None, "BF16"),
    ("float32", 4, "<f4", "F32"),
    ("float64", 8, "<f8", "F64"),
    ("int8", 1, "|i1", "I8"),
    ("int16", 2, "<i2", "I16"),
    ("int32", 4, "<i4", "I32"),
    ("int64", 8, "<i8", "I64"),
    ("uint8", 1, "|u1", "U8"),
    ("uint16", 2, "<u2", "U16"),
    ("uint32", 4, "<u4", "U32"),
    ("uint64", 8, "<u8", "U64"),
    ("bool", 1, "|b1", "BOOL"),
    ("complex64", 8, "<c8", "C64"),
    ("complex128", 16, "<c16", None),
    ("float8_e4m3fn", 1, None, "F8_E4M3"),
    ("float8_e5m2", 1, None, "F8_E5M2"),
]
SIZE = {name: size for name, size, _, _ in DTYPES}
NUMPY = {name: kind for name, _, kind, _ in DTYPES if kind}
SAFE = {name: safe for name, _, _, safe in DTYPES if safe}
OF_SAFE = {safe: name for name, _, _, safe in DTYPES if safe}


def count_of(shape):
    count = 1
    for dimension in shape:
        count *= dimension
    return count


def safetensors_read(data):
    """{name: (dtype, shape, bytes)}, metadata; the rules of the format are asserted."""
    (size,) = struct.unpack_from("<Q", data)
    assert 8 + size <= len(data), "the header is longer than the file"
    assert data[8:9] == b"{", "the header does not start with {"
    names = []

    def once(pairs):
        found = dict(pairs)
        assert len(found) == len(pairs), "a key occurs twice"
        return found

    header = json.loads(bytes(data[8:8 + size]).decode("utf-8"), object_pairs_hook=once)
    metadata = header.pop("__metadata__", {})
    body = memoryview(data)[8 + size:]
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = entry["data_offsets"]
        dtype = OF_SAFE[entry["dtype"]]
        assert begin == end and stop - begin == SIZE[dtype] * count_of(entry["shape"]), name
        names.append((name, (dtype, entry["shape"], bytes(body[begin:stop]))))
        end = stop
    assert end == len(body), "bytes after the last tensor"
    return dict(names), metadata


def safetensors_write(tensors, metadata=None):
    """The reverse, tensors in the order given."""
    header, at, pieces = {}, 0, []
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": SAFE[dtype], "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        pieces.append(bytes(data))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(pieces)


def safetensors_of(arrays, metadata=None):
    """The same from {name: numpy array}; what numpy has no type for as (dtype, shape, bytes)."""
    def entry(value):
        if isinstance(value, tuple):
            return value
        value = np.asarray(value)
        dtype = next(name for name, kind in NUMPY.items() if np.dtype(kind) == value.dtype)
        return dtype, value.shape, value.tobytes()

    return safetensors_write({name: entry(value) for name, value in arrays.items()}, metadata)


def multipart_write(parts, boundary="tensors-beside-json"):
    """multipart/form-data of [(name, media type or None, bytes)]: the body and its Content-Type."""
    pieces = []
    for name, media_type, data in parts:
        pieces += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'.encode(),
                   f"Content-Type: {media_type}\r\n".encode() if media_type else b"", b"\r\n", data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def npy_write(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version, allow_pickle=False)
    return out.getvalue()


def npy_read(data):
    stream = io.BytesIO(data)
    array = np.load(stream, allow_pickle=False)
    assert stream.read() == b"", "bytes after the array"
    return array


def strings_write(values):
    """string tensors on binary routes: 4-byte little-endian length and bytes per element."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def strings_read(data):
    values, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        values.append(bytes(data[at + 4:at + 4 + size]))
        at += 4 + size
    assert at == len(data)
    return values


def of_json(data, dtype):
    """A JSON reply's "data" as a numpy array."""
    def value(item):
        if isinstance(item, list):
            return [value(part) for part in item]
        return {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}[item] if isinstance(item, str) else item

    if dtype.startswith("complex"):
        pairs = np.array(value(data), dtype="<f4" if dtype == "complex64" else "<f8")
        return np.ascontiguousarray(pairs).view(NUMPY[dtype])[..., 0]
    return np.array(value(data), dtype=NUMPY[dtype])


def bfloat16(values):
    """float32 numbers as bfloat16 bits, rounded to nearest even."""
    bits = np.asarray(values, dtype="<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype("<u2")
