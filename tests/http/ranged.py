"""A reader of safetensors files over HTTP, as others write it: the length, the header, then tensors by Range."""

import http.client
import json
import struct


class RangedFile:
    """Opens a file at `path`; reads of it insist on the state it was opened at, in the way `insist` names."""

    def __init__(self, host, port, path, insist="If-Range"):
        self.connection = http.client.HTTPConnection(host, port, timeout=300)
        self.path, self.insist, self.etag, self.size = path, insist, None, None
        (size,) = struct.unpack("<Q", self.read(0, 8))
        self.header = json.loads(self.read(8, 8 + size))
        self.metadata = self.header.pop("__metadata__", {})
        self.start = 8 + size

    def ask(self, ranges):
        headers = {"Range": "bytes=" + ",".join(f"{begin}-{end - 1}" for begin, end in ranges)}
        if self.etag:
            headers[self.insist] = self.etag
        self.connection.request("GET", self.path, headers=headers)
        reply = self.connection.getresponse()
        self.body = reply.read()
        self.reply = reply
        return reply

    def read(self, begin, end):
        """Bytes [begin, end), which need one. Moved: the file is another one by now."""
        reply = self.ask([(begin, end)])
        if reply.status in (200, 412):  # the whole of something else, or nothing
            raise Moved(reply.status)
        span, _, size = reply.headers["Content-Range"].partition("/")
        assert reply.status == 206 and span == f"bytes {begin}-{end - 1}", (reply.status, span)
        self.size = int(size)
        self.etag = reply.headers["ETag"]
        return self.body

    def place(self, name):
        begin, end = self.header[name]["data_offsets"]
        return self.start + begin, self.start + end

    def tensor(self, name):
        begin, end = self.place(name)
        return self.read(begin, end) if end > begin else b""


class Moved(Exception):
    """What is there now is not what was opened."""


def parts_of(reply):
    """[(begin, end, whole, bytes)] of a multipart/byteranges body, read as RFC 9110 14.6 says, to its last byte."""
    kind, _, boundary = reply.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges" and len(boundary) >= 24 and "content-range" not in reply.headers, str(reply)
    assert int(reply.headers["content-length"]) == len(reply.body)
    mark, end = b"--" + boundary.encode(), f"\r\n--{boundary}--\r\n".encode()
    assert reply.body.startswith(mark) and reply.body.endswith(end), str(reply)
    parts = []
    for part in (b"\r\n" + reply.body[:-len(end)]).split(b"\r\n" + mark)[1:]:
        head, blank, data = part.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert blank and sorted(fields) == [b"Content-Range", b"Content-Type"], fields
        unit, numbers = fields[b"Content-Range"].decode().split(" ")
        span, whole = numbers.split("/")
        begin, last = map(int, span.split("-"))
        assert unit == "bytes" and len(data) == last + 1 - begin
        parts.append((begin, last + 1, int(whole), data))
    return parts
