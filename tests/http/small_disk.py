"""A server whose data lie on a disk of their own that is small and can be filled up: memory, mounted where only it sees it."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import session

SCRIPT = """#!/bin/sh
exec unshare -rm sh -c 'mount -t tmpfs -o size="$0" none "$1" && shift && exec {server} "$@"' {size} {mount} "$@"
"""


class Disk:
    """Of the session's server, as it looks from outside."""

    def __init__(self, s, mount):
        self.root = f"/proc/{s.server.process.pid}/root{mount}"
        self.process = s.server.process

    @property
    def room(self):
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def leave(self, room):
        """Somebody else takes the rest, or gives some back."""
        with open(f"{self.root}/of-others", "ab") as file:
            size = max(0, file.tell() + self.room - room)
            file.truncate(min(size, file.tell()))
            while size > os.fstat(file.fileno()).st_size:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError:  # the server was faster
                    size = os.fstat(file.fileno()).st_size + max(0, self.room - room)

    def temporary_files(self):
        """Open files of the server that have no name any more, or never had one."""
        folder = f"/proc/{self.process.pid}/fd"
        links = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"{folder}/{name}"))
        return [link for link in links if link.endswith(" (deleted)")]


def can_mount():
    return shutil.which("unshare") is not None and subprocess.run(
        ["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(s, size, *flags):
    """(a session with a server on a disk of that many bytes, the Disk)."""
    if not can_mount():
        raise session.Skipped("no disk can be mounted here")
    with tempfile.TemporaryDirectory(prefix="tensorkeep-test-disk-") as mount:
        script = f"{mount}-server"
        with open(script, "w", encoding="ascii") as file:
            file.write(SCRIPT.format(server=s.server.binary, size=size, mount=mount))
        os.chmod(script, 0o700)
        server = session.Server(script, flags, s.patience, f"{mount}/data")
        other = session.Session(server)
        try:
            server.start()
            other.connect()
            other.put("", {}).expect(201)
            yield other, Disk(other, mount)
            other.stop()
            assert not session.FOUND.search(server.complaints()), server.complaints()
        finally:
            other.disconnect()
            server.end()
            server.remove()
            os.remove(script)
