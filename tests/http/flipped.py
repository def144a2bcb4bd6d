"""Damage on the disk."""

import os


def flip(folder, marker):
    """One byte of the value that holds this marker, in whatever file it lies."""
    flipped = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                data = file.read() if os.stat(path).st_blocks * 512 < 64 << 20 else b""
            at = data.find(marker)
            if at >= 0:
                with open(path, "r+b") as file:
                    file.seek(at + 100)
                    file.write(bytes([data[at + 100] ^ 1]))
                flipped += 1
    assert flipped == 1, "the bytes lie in one file, once"
