"""HTTP as the tests speak it: a keep-alive client that checks on every reply what the contract promises for all of
them, and raw sockets for what no proper client would send."""

import base64
import gzip
import hashlib
import http.client
import json
import socket
import struct

from record import RECORDER

# Every code a client may see, and the statuses it may come with.
CODES = {
    "INVALID_ARGUMENT": {400, 411, 417},
    "UNAUTHENTICATED": {401},
    "PERMISSION_DENIED": {403, 421},
    "NOT_FOUND": {404},
    "METHOD_NOT_ALLOWED": {405},
    "NOT_ACCEPTABLE": {406},
    "UNSUPPORTED_MEDIA_TYPE": {415},
    "ALREADY_EXISTS": {409},
    "FAILED_PRECONDITION": {409},
    "ABORTED": {409},
    "PRECONDITION_FAILED": {412},
    "PAYLOAD_TOO_LARGE": {413, 414, 431},
    "UNPROCESSABLE": {422},
    "OUT_OF_RANGE": {400, 410, 416},
    "RESOURCE_EXHAUSTED": {429, 507},
    "DATA_LOSS": {500},
    "UNKNOWN": {500},
    "UNIMPLEMENTED": {501},
    "UNAVAILABLE": {503},
    "INTERNAL": {500},
}

# Verbs that are POSTed and change nothing.
READING_VERBS = (":gather", ":verify", "/devices:place")


class ContractBroken(AssertionError):
    """A reply that no request should ever get."""


def text_of(body, limit=600):
    """Bytes as something to print."""
    if body is None:
        return ""
    if isinstance(body, (bytes, bytearray, memoryview)):
        try:
            shown = bytes(body[:limit]).decode("utf-8")
        except UnicodeDecodeError:
            shown = repr(bytes(body[:limit]))
        return shown + (f" … ({len(body)} bytes)" if len(body) > limit else "")
    return str(body)[:limit]


class Reply:
    """Status, headers (names in lower case) and body of one reply, and what was asked."""

    def __init__(self, asked, status, headers, body):
        self.asked, self.status, self.body = asked, status, body
        self.headers = {}
        for name, value in headers:
            name = name.lower()
            self.headers[name] = self.headers[name] + ", " + value if name in self.headers else value

    @property
    def unpacked(self):
        """The body without its Content-Encoding."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    @property
    def json(self):
        try:
            return json.loads(self.unpacked)
        except ValueError as broken:
            raise ContractBroken(f"not JSON ({broken}): {self}") from None

    @property
    def code(self):
        return self.json.get("code")

    @property
    def detail(self):
        return self.json.get("detail", "")

    @property
    def etag(self):
        return self.headers.get("etag")

    @property
    def revision(self):
        return int(self.headers["tensorkeep-revision"])

    def expect(self, status):
        """The reply itself, if it has this status."""
        if self.status != status:
            raise AssertionError(f"expected {status}, got\n{self}")
        return self

    def __str__(self):
        lines = [f"> {self.asked}", f"< {self.status}"]
        lines += [f"< {name}: {value}" for name, value in self.headers.items()]
        return "\n".join(lines + [f"< {text_of(self.body)}"])


def check_problem(reply):
    """RFC 9457 as the contract shapes it."""
    if not reply.headers.get("content-type", "").startswith("application/problem+json"):
        raise ContractBroken(f"an error that is not application/problem+json:\n{reply}")
    problem = reply.json
    for field in ("type", "title", "status", "code", "detail", "error"):
        if field not in problem:
            raise ContractBroken(f"problem document without '{field}':\n{reply}")
    if problem["status"] != reply.status:
        raise ContractBroken(f"the status in the body is another one:\n{reply}")
    if reply.status not in CODES.get(problem["code"], ()):
        raise ContractBroken(f"code {problem['code']} does not go with status {reply.status}:\n{reply}")
    if len(problem["detail"]) < 8 or not isinstance(problem["error"], str):
        raise ContractBroken(f"the detail says nothing:\n{reply}")
    if reply.status == 405 and "allow" not in reply.headers:
        raise ContractBroken(f"405 without Allow:\n{reply}")


def check_write(method, path, reply):
    """Every reply to a write tells its revision twice."""
    where = path.partition("?")[0]
    if method not in ("POST", "PUT", "PATCH", "DELETE") or not where.startswith("/v1/models/"):
        return
    if where.endswith(READING_VERBS) or "dry_run" in reply.asked:
        return
    if "tensorkeep-revision" not in reply.headers:
        raise ContractBroken(f"a write without Tensorkeep-Revision:\n{reply}")
    if reply.headers.get("content-type", "").startswith("application/json"):
        if reply.json.get("revision") != reply.revision:
            raise ContractBroken(f"the revision in the body is not the header's:\n{reply}")


def crc32c(data):
    """Plainly: a bit at a time, over a table of bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def crc32c_table():
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC32C = crc32c_table()
CRC32C_BYTES_MAX = 20000  # more take too long here; of those the tests of digests check some themselves


def check_digests(method, reply):
    """RFC 9530: Repr-Digest of the whole, Content-Digest of what came."""
    names = ("content-digest",) if reply.status == 206 else ("content-digest", "repr-digest")
    for name in names:
        for item in filter(None, reply.headers.get(name, "").split(", ")):
            algorithm, _, encoded = item.partition("=")
            if encoded[:1] != ":" or encoded[-1:] != ":":
                raise ContractBroken(f"{name} is no list of byte sequences:\n{reply}")
            digest = base64.b64decode(encoded[1:-1], validate=True)
            if algorithm == "sha-256":
                right = hashlib.sha256(reply.body).digest()
            elif algorithm == "crc32c":
                right = crc32c(reply.body).to_bytes(4, "big") if len(reply.body) <= CRC32C_BYTES_MAX else digest
            else:
                raise ContractBroken(f"{name} with an algorithm of no name:\n{reply}")
            if method == "GET" and reply.status in (200, 206) and digest != right:
                raise ContractBroken(f"{name} is wrong:\n{reply}")


def check(method, path, reply):
    """What holds for every reply whatever was asked."""
    if method == "HEAD":
        if reply.body:
            raise ContractBroken(f"a reply to HEAD with a body:\n{reply}")
    elif reply.status >= 400:
        check_problem(reply)
    elif reply.status < 300:
        check_write(method, path, reply)
        if reply.headers.get("content-type", "").startswith("application/json"):
            reply.json  # pylint: disable=pointless-statement
    check_digests(method, reply)
    if reply.status == 304 and reply.body:
        raise ContractBroken(f"304 with a body:\n{reply}")


class Client:
    """One keep-alive connection. Not for two threads at once: take another."""

    def __init__(self, host, port, timeout=60, again=True):
        self.host, self.port, self.timeout = host, port, timeout
        self.again = again  # once more when a kept connection turns out to be closed
        self.connection = None
        self.headers = {}  # of every request
        self.tls = None  # an ssl.SSLContext: speak HTTPS
        self.log = []  # the last exchanges, for reports

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def request(self, method, path, body=None, headers=None):
        """One exchange. A dict or list goes as JSON, text as UTF-8, bytes as they are; an iterator is chunked."""
        headers = {**self.headers, **(headers or {})}
        if isinstance(body, (dict, list, int, float)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        elif isinstance(body, str):
            body = body.encode()
        asked = f"{method} {path}" + "".join(f"\n> {n}: {v}" for n, v in headers.items())
        if isinstance(body, (bytes, bytearray, memoryview)):
            asked += f"\n> {text_of(body)}"
        reply = self.exchange(asked, method, path, body, headers)
        self.log.append(reply)
        del self.log[:-6]
        RECORDER.write(method, path, headers, body, reply)
        check(method, path, reply)
        return reply

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)

    def exchange(self, asked, method, path, body, headers):
        fresh = self.connection is None
        if fresh:
            self.connection = self.connect()
        try:
            try:
                self.connection.request(method, path, body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the body was sent: the reply says why
            got = self.connection.getresponse()
            return Reply(asked, got.status, got.getheaders(), got.read())
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            # The server may close an idle connection at any time: once more, on a new one.
            if fresh or not self.again or not isinstance(body, (bytes, type(None))):
                raise
            return self.exchange(asked, method, path, body, headers)
        except Exception:
            self.close()
            raise


class Raw:
    """A socket, for bytes that are not HTTP and for clients that behave badly."""

    def __init__(self, host, port, timeout=20, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the other side has closed already."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def vanish(self):
        """Closes it with a reset: nothing that is still on its way comes from here or arrives."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_sending(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def more(self):
        """Some more bytes into self.received; False at the end."""
        try:
            piece = self.socket.recv(262144)
        except ConnectionResetError:
            return False
        self.received += piece
        return bool(piece)

    def reply(self, asked="(raw)", head=False):
        """The next whole reply, or None when the connection ends before one."""
        while b"\r\n\r\n" not in self.received:
            if not self.more():
                return None
        start, _, rest = self.received.partition(b"\r\n\r\n")
        lines = start.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        found = {name.lower(): value for name, value in headers}
        if status == 100:
            self.received = rest
            return self.reply(asked, head)
        if head or status in (204, 304):
            length = 0
        elif "content-length" in found:
            length = int(found["content-length"])
        else:
            length = None
        pieces, have = [rest], len(rest)
        while length is None or have < length:
            self.received = b""
            if not self.more():
                break
            pieces.append(self.received)
            have += len(self.received)
        rest = b"".join(pieces)
        if length is None:
            length = len(rest)
        self.received = rest[length:]
        reply = Reply(asked, status, headers, rest[:length])
        if status >= 400 and not head and b"<html>" not in reply.body:
            check_problem(reply)  # what libmicrohttpd refuses by itself it answers in its own words
        return reply

    def closed(self):
        """Whether the other side has closed, or does so now."""
        try:
            while self.more():
                pass
            return True
        except socket.timeout:
            return False
