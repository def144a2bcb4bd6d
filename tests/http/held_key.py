"""An Idempotency-Key that is in use for as long as a test wants."""

import contextlib
import select


@contextlib.contextmanager
def held_key(s, key, probe):
    """Gives the connection of an upload that is under way with this key. probe: a function that makes another request with
    the key and gives its reply: 409 once the upload has the key. A probe may have the key first, and then the upload is
    refused: another one is begun."""
    for _ in range(1000):
        with s.socket() as slow:
            head = f"PUT {s.path('values')} HTTP/1.1\r\nHost: {s.server.host}:{s.server.port}\r\nIdempotency-Key: {key}\r\n"
            slow.send(head.encode() + b"Content-Type: application/vnd.safetensors\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n")
            while not select.select([slow.socket], [], [], 0)[0]:
                if probe().status == 409:
                    yield slow
                    return
    raise AssertionError(f"no upload keeps the key {key}")
