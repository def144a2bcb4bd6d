"""Files of tokens, and who holds which."""

import contextlib
import hashlib
import os
import re
import secrets
import signal
import time

ROUTE = re.compile(r'^ROUTE\((\w+), "([^"]+)", (\w+), \w+, \w+, (\w+), "([^"]*)"\)', re.M)
ACCESS = re.compile(r"^ACCESS\((\w+), (\w+), (\w+)\)", re.M)
SCOPES = ["FREE", "OPEN", "READ", "WRITE", "ADMIN"]
API = os.path.join(os.path.dirname(__file__), "..", "..", "api")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class TokensFile:
    """One below the root of a server's data."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "tokens")
        self.lines = ["# who may do what", ""]
        self.write()

    def add(self, name, scopes, *options, token=None):
        """The token. Not in force before the server has read the file."""
        token = token or secrets.token_hex(24)
        self.lines.append(" ".join([name, "sha256:" + hashlib.sha256(token.encode()).hexdigest(), scopes, *options]))
        self.write()
        return token

    def remove(self, name):
        self.lines = [line for line in self.lines if not line.startswith(name + " ")]
        self.write()

    def write(self, mode=0o600):
        """A whole new file in its place, as an operator's tool would."""
        with open(os.open(self.path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="ascii") as file:
            file.write("\n".join(self.lines) + "\n")
        os.chmod(self.path + ".new", mode)
        os.rename(self.path + ".new", self.path)


@contextlib.contextmanager
def guarded_server(s, *flags, **scopes):
    """A server that asks for tokens, and a dict of tokens: those of `scopes` (name=scopes or (scopes, option…)), and root's."""
    file = TokensFile(s.server.root)
    tokens = {"root": file.add("root", "admin")}
    for name, wanted in scopes.items():
        tokens[name] = file.add(name, *([wanted] if isinstance(wanted, str) else wanted))
    with s.other_server("--tokens", file.path, *flags) as t:
        t.tokens, t.file = tokens, file
        t.model = s.model
        t.client.headers = bearer(tokens["root"])
        t.put("", {}).expect(201)
        yield t


def reload(t, words="read again", times=1):
    """SIGHUP, and until the log tells of it."""
    before = len(re.findall(words, t.server.complaints()))
    t.server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 20 * t.patience
    while len(re.findall(words, t.server.complaints())) < before + times:
        assert time.monotonic() < until, f"the log does not say '{words}':\n{t.server.complaints()}"
        time.sleep(0.02)


def routes():
    """Every operation: (id, method, path, kind of body, scope, whether it is about all models)."""
    with open(os.path.join(API, "routes.def"), encoding="utf-8") as file:
        rows = ROUTE.findall(file.read())
    with open(os.path.join(API, "guard", "access.def"), encoding="utf-8") as file:
        exceptions = {row[0]: row[1:] for row in ACCESS.findall(file.read())}
    for method, path, operation, body, _ in rows:
        implied = ("READ" if method == "GET" else "WRITE", "OWN" if "{model}" in path else "ALL")
        scope, sight = exceptions.get(operation, implied)
        yield operation, method, path, body, scope, sight == "ALL"
