"""Certificates for tests, signed by themselves."""

import os
import ssl
import subprocess

KINDS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"],
         "ed25519": ["-newkey", "ed25519"]}


class Certificate:
    """A pair of files; who speaks to its server takes `context`."""

    def __init__(self, folder, kind="ecdsa", name="server"):
        self.path, self.key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
        self.make(kind)

    def make(self, kind):
        """Another pair in its place."""
        new = [self.path + ".new", self.key + ".new"]
        subprocess.run(["openssl", "req", "-x509", *KINDS[kind], "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", new[0], "-keyout", new[1]],
                       check=True, capture_output=True)
        os.chmod(new[1], 0o600)
        os.rename(new[0], self.path)
        os.rename(new[1], self.key)

    @property
    def flags(self):
        return ["--tls-cert", self.path, "--tls-key", self.key]

    @property
    def context(self):
        return ssl.create_default_context(cafile=self.path)
