"""Every exchange of the suite as a line of JSON, for the comparison with openapi/openapi.yaml: into the folder that
TENSORKEEP_RECORD names, a file for each test file. Bodies that are long or not text are recorded by their size alone."""

import json
import os

BODY_BYTES_MAX = 65536

FOLDER = os.environ.get("TENSORKEEP_RECORD")


class Recorder:
    """Writes nothing before begin()."""

    def __init__(self):
        self.file = None  # a descriptor: what is written goes there at once, also from children of the test
        self.test = ""

    def begin(self, name):
        """The exchanges that follow are those of the test file of this name."""
        if FOLDER:
            os.makedirs(FOLDER, exist_ok=True)
            self.file = os.open(os.path.join(FOLDER, f"{name}.jsonl"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)

    def write(self, method, target, headers, body, reply):
        if self.file is None or "server" in reply.headers:  # the server gives no such header: a proxy spoke
            return
        sent, sent_bytes = text_and_size(body)
        got, got_bytes = text_and_size(reply.body)
        line = {"test": self.test, "method": method, "target": target,
                "headers": {str(name).lower(): str(value) for name, value in headers.items()},
                "body": sent, "body_bytes": sent_bytes, "status": reply.status, "reply_headers": reply.headers,
                "reply": got, "reply_bytes": got_bytes}
        os.write(self.file, json.dumps(line).encode() + b"\n")

    def end(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None


def text_and_size(body):
    """Of an iterator, which is gone when this is asked, only that there was something."""
    if body is None:
        return None, 0
    if not isinstance(body, (bytes, bytearray, memoryview)):
        return None, 1
    body = bytes(body)
    if len(body) > BODY_BYTES_MAX:
        return None, len(body)
    try:
        return body.decode("utf-8"), len(body)
    except UnicodeDecodeError:
        return None, len(body)


RECORDER = Recorder()
