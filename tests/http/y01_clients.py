"""The clients of openapi/clients: each tells the same little story, and prints the same, whatever it is written in."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import numpy
import session
from token_files import guarded_server

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "openapi", "clients")
STORY = """\
initialized: global_step layer/weights
step 1: 0.75 0.25 -0.25 -0.75 -1.25 -1.75
saved model.ckpt-1: global_step layer/weights
changes: checkpoint.saved model.ckpt-1, variable.changed global_step, variable.changed layer/weights
refused: INVALID_ARGUMENT
"""


def tells_the_story(s, tool, *arguments, token=None):
    """A tool that is not there is no failure, one that is there and does not work is."""
    if shutil.which(tool) is None:
        raise session.Skipped(f"there is no {tool} here")
    model = f"{s.model}-{tool.rsplit('/', 1)[-1]}"
    command = [tool, *arguments, f"http://127.0.0.1:{s.server.port}", model]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "HOME": os.environ.get("HOME") or tempfile.gettempdir()}
    if token is not None:
        environment["TENSORKEEP_TOKEN"] = token
    told = subprocess.run(command, cwd=CLIENTS, env=environment, timeout=55 * s.patience, capture_output=True, text=True, check=False)
    assert told.returncode == 0, f"{command}: exit status {told.returncode}\n{told.stdout}{told.stderr}"
    assert told.stdout == STORY, f"{command} printed\n{told.stdout}\ninstead of\n{STORY}"
    s.client.request("GET", f"/v1/models/{model}").expect(404)  # tidied up


def test_python(s):
    tells_the_story(s, sys.executable, "-B", "tensorkeep.py")


def test_javascript(s):
    tells_the_story(s, "node", "tensorkeep.mjs")


def test_go(s):
    tells_the_story(s, "go", "run", "tensorkeep.go")


def test_rust(s):
    if shutil.which("rustc") is None:
        raise session.Skipped("there is no rustc here")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "rust")
        subprocess.run(["rustc", "-o", program, "tensorkeep.rs"], cwd=CLIENTS, timeout=55 * s.patience, check=True)
        tells_the_story(s, program)


def test_java(s):
    tells_the_story(s, "java", "Tensorkeep.java")


def test_shell(s):
    tells_the_story(s, "bash", "tensorkeep.sh")


def test_with_a_token(s):
    tools = [(sys.executable, "-B", "tensorkeep.py"), ("node", "tensorkeep.mjs"), ("bash", "tensorkeep.sh")]
    with guarded_server(s, one="read,write,admin") as t:
        for tool in tools:
            if shutil.which(tool[0]) is not None:
                tells_the_story(t, *tool, token=t.tokens["one"])


def test_arrays_go_out_and_come_in_from_python(s):
    spec = importlib.util.spec_from_file_location("tensorkeep", os.path.join(CLIENTS, "tensorkeep.py"))
    tensorkeep = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tensorkeep)
    client = tensorkeep.Tensorkeep(f"http://127.0.0.1:{s.server.port}")
    sent = numpy.arange(24, dtype=numpy.int64).reshape(2, 3, 4) - 7
    client.assign(s.model, "scope/array", sent)
    client.connection.sock.shutdown(socket.SHUT_RDWR)  # a connection that was lost meanwhile is made again
    came = client.value(s.model, "scope/array")
    assert came.dtype == sent.dtype and numpy.array_equal(came, sent), came
