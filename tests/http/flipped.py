"""Damage on the disk."""

import os


def flip(folder, marker, copies=False):
    """One byte of the value that holds this marker, in whatever file it lies; with `copies` wherever it lies: pages that are free
    still hold what they held."""
    flipped = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                data = file.read() if os.stat(path).st_blocks * 512 < 64 << 20 else b""
            at = data.find(marker)
            flipped += at >= 0
            with open(path, "r+b") as file:
                while at >= 0:
                    file.seek(at + 100)
                    file.write(bytes([data[at + 100] ^ 1]))
                    at = data.find(marker, at + 1) if copies else -1
    assert flipped == 1, "the bytes lie in one file"
