"""SSTables as TensorFlow writes them, read and written a second time and as plainly as possible: the index of a V2
checkpoint, and a V1 checkpoint as a whole."""

import struct

FOOTER_BYTES = 48
MAGIC = bytes.fromhex("57fb808b247547db")
TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    TABLE.append(_byte)


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    out = b""
    value &= (1 << 64) - 1
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def varint_at(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value & (1 << 64) - 1, at
        assert shift < 70


def snappy_encode(data):
    """Without looking for anything but runs of one byte."""
    out, at = varint(len(data)), 0
    while at < len(data):
        run = 1
        while at + run < len(data) and data[at + run] == data[at] and run < 65:
            run += 1
        if run > 5:
            out += b"\0" + data[at:at + 1] + bytes([(run - 2) << 2 | 2, 1, 0])
            at += run
        else:
            piece = data[at:at + 60]
            out += bytes([(len(piece) - 1) << 2]) + piece
            at += len(piece)
    return out


def snappy_decode(data):
    size, at = varint_at(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = (tag >> 2) + 1
            if length > 60:
                count = length - 60
                length = int.from_bytes(data[at:at + count], "little") + 1
                at += count
            out += data[at:at + length]
            at += length
            continue
        if tag & 3 == 1:
            length, offset = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | data[at]
            at += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            length, offset = 1 + (tag >> 2), int.from_bytes(data[at:at + width], "little")
            at += width
        assert 0 < offset <= len(out)
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


def block_at(data, offset, size, types):
    contents, kind = data[offset:offset + size], data[offset + size]
    assert struct.unpack_from("<I", data, offset + size + 1)[0] == masked(crc32c(data[offset:offset + size + 1]))
    types.append(kind)
    assert kind in (0, 1)
    return snappy_decode(contents) if kind else contents


def entries(block):
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    at, key, found = 0, b"", []
    while at < len(block) - 4 - 4 * restarts:
        shared, at = varint_at(block, at)
        more, at = varint_at(block, at)
        size, at = varint_at(block, at)
        key = key[:shared] + block[at:at + more]
        found.append((key, block[at + more:at + more + size]))
        at += more + size
    return found


def read(data):
    """[(key, value)] in the order of the file, and the types of its blocks."""
    footer, types, found = data[-FOOTER_BYTES:], [], []
    assert footer[40:] == MAGIC
    _, at = varint_at(footer, 0)
    _, at = varint_at(footer, at)
    offset, at = varint_at(footer, at)
    size, _ = varint_at(footer, at)
    for _, handle in entries(block_at(data, offset, size, types)):
        begin, at = varint_at(handle, 0)
        length, _ = varint_at(handle, at)
        found += entries(block_at(data, begin, length, types))
    assert [key for key, _ in found] == sorted({key for key, _ in found})
    return found, types


class Block:
    def __init__(self, interval):
        self.interval, self.out, self.restarts, self.count, self.last = interval, bytearray(), [0], 0, b""

    def add(self, key, value):
        shared = 0
        if self.count % self.interval == 0 and self.count:
            self.restarts.append(len(self.out))
        elif self.count:
            while shared < min(len(key), len(self.last)) and key[shared] == self.last[shared]:
                shared += 1
        self.out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        self.count, self.last = self.count + 1, key

    def size(self):
        return len(self.out) + 4 * len(self.restarts) + 4

    def contents(self):
        return bytes(self.out) + b"".join(struct.pack("<I", at) for at in self.restarts + [len(self.restarts)])


def separator(last, following):
    """The shortest key from `last` on and before `following`."""
    same = 0
    while same < min(len(last), len(following)) and last[same] == following[same]:
        same += 1
    if same < min(len(last), len(following)) and last[same] < 255 and last[same] + 1 < following[same]:
        return last[:same] + bytes([last[same] + 1])
    return last


def successor(last):
    for at, byte in enumerate(last):
        if byte != 255:
            return last[:at] + bytes([byte + 1])
    return last


def write(records, block_bytes=262144, interval=16, large=524288, compress=lambda block: False):
    """The file of [(key, value)], which are sorted. compress: whether a block of data is."""
    out, index, block = bytearray(), Block(1), Block(interval)
    waiting = None  # the last key of a block that is written, and its handle

    def put(contents, compressed=False):
        stored = snappy_encode(contents) if compressed else contents
        handle = varint(len(out)) + varint(len(stored))
        stored += bytes([compressed])
        out.extend(stored + struct.pack("<I", masked(crc32c(stored))))
        return handle

    def close():
        nonlocal block, waiting
        if block.count:
            contents = block.contents()
            waiting = block.last, put(contents, compress(contents))
            block = Block(interval)

    for key, value in records:
        if waiting is not None:
            index.add(separator(waiting[0], key), waiting[1])
            waiting = None
        if block.count and len(key) + len(value) >= large:
            close()
            index.add(separator(waiting[0], key), waiting[1])
            waiting = None
        block.add(key, value)
        if block.size() >= block_bytes:
            close()
    close()
    meta = put(Block(interval).contents())
    if waiting is not None:
        index.add(successor(waiting[0]), waiting[1])
    footer = meta + put(index.contents())
    return bytes(out) + footer + bytes(40 - len(footer)) + MAGIC
