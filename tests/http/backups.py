"""The program's commands on data folders, and a state of a server to compare: for the tests of backups."""

import os
import subprocess

import formats

np = formats.np


def line_of(s, *words, data=None, flags=()):
    """`tensorkeep WORDS --data DATA FLAGS`"""
    line = s.server.command()
    line = line[:line.index(s.server.binary) + 1] + list(words)
    if data is not None:
        line += ["--data", data]
    if os.environ.get("TENSORKEEP_TEST_MAP_BYTES"):
        line += ["--map-size-bytes", os.environ["TENSORKEEP_TEST_MAP_BYTES"]]
    return line + list(flags)


def command(s, *words, input_bytes=None, environment=None, **options):
    """Runs it to its end."""
    line = line_of(s, *words, **options)
    done = subprocess.run(line, input=input_bytes, capture_output=True, timeout=120 * s.patience, check=False,
                          env={**os.environ, **(environment or {})})
    assert done.returncode in (0, 1), (line, done)
    return done


def killed(s, after_s, *words, **options):
    """Runs it and kills it then, if it is still there: whether it was."""
    with subprocess.Popen(line_of(s, *words, **options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(after_s)
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            return True


def works(s, *words, **options):
    done = command(s, *words, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def refuses(s, text, *words, **options):
    """Fails with a sentence that has this text."""
    done = command(s, *words, **options)
    assert done.returncode == 1, (words, done.stdout, done.stderr)
    assert text.encode() in done.stderr, (text, done.stderr)
    return done.stdout + done.stderr


def fill(s):
    """One of each kind of thing and of value."""
    s.make("small", [1, 2, 3])
    s.put_npy("large", np.arange(1_000_000, dtype="<f4"))
    s.put_raw("text", "string", [2], formats.strings_write([b"\xff", b"abc"]))
    s.create("zeros", {"op": "zeros", "shape": [500, 500]})
    s.create("drawn", {"op": "random_normal", "shape": [300, 300], "seed": 3})
    s.initialize(variables=["zeros", "drawn"])
    s.save("c1", variables=["small", "large"])
    s.put("variables/large:value?slice=5:10", np.zeros(5, "<f4").tobytes(),
          {"Content-Type": "application/octet-stream"}).expect(200)
    s.put("optimizers/sgd", {"type": "gradient_descent", "learning_rate": 0.5}).expect(201)


def everything(s):
    """All that a client can see of the model, entity tags of values too, as one comparable value."""
    seen = {}
    for path in ("", "variables", "checkpoints", "optimizers", "checkpoints/c1"):
        reply = s.get(path)
        seen[path] = (reply.status, reply.body)
    for name in s.names():
        reply = s.get(f"variables/{name}:value?format=raw")
        seen[name] = (reply.status, reply.body, reply.etag)
    seen["tensor"] = s.get("checkpoints/c1:value?tensor=large&format=raw").body
    return seen
