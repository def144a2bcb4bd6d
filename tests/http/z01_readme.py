"""The README's commands, run as they stand.

Blocks whose info string is `sh test` run in order, in one bash -e, with H set to the server's /v1. No request of theirs may be
refused, but in a block `sh test refused` each of them is. A block `text` directly after one is what it prints.
"""

import os
import re
import subprocess
import tempfile

# curl as the commands of a block see it. What was not answered as it should be is written down, for a pipe or a job in the
# background would hide the exit status.
CURL = """
curl() {{
    if command curl --fail-with-body "$@"; then answer=taken; else answer=refused; fi
    [ $answer = {answer} ] || {{ echo "$answer: curl $*" >>{folder}/otherwise; return 22; }}
}}
"""
BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.M | re.S)


def steps(text):
    """[[commands, what the server does with them, expected output or None]]"""
    found, end = [], None
    for block in BLOCK.finditer(text):
        if block["info"].split() in (["sh", "test"], ["sh", "test", "refused"]):
            found.append([block["text"], "refused" if "refused" in block["info"] else "taken", None])
            end = block.end()
        elif block["info"].strip() == "text" and end is not None and not text[end:block.start()].strip():
            found[-1][2] = block["text"]
            end = None
    return found


def test_blocks_are_found(_):
    text = "a\n```sh test\necho 1\n```\n\n```text\n1\n```\nb\n```sh\nfalse\n```\n```text\nno\n```\n```sh test refused\ntrue\n```\n"
    assert steps(text) == [["echo 1\n", "taken", "1\n"], ["true\n", "refused", None]]


def test_every_command_of_the_readme_works(s):
    if not os.path.exists(s.readme):
        return
    with open(s.readme, encoding="utf-8") as file:
        found = steps(file.read())
    assert found, "the README has no `sh test` block"
    with s.other_server() as t, tempfile.TemporaryDirectory() as folder:
        script = ""
        for index, (commands, answer, _) in enumerate(found):
            script += f"exec >{folder}/out{index} 2>&1\n{CURL.format(answer=answer, folder=folder)}\n{commands}\n"
        work = os.path.join(folder, "work")
        os.mkdir(work)
        environment = {**os.environ, "H": f"http://127.0.0.1:{t.server.port}/v1"}
        ended = subprocess.run(["bash", "-e", "-c", script], cwd=work, env=environment, timeout=50 * s.patience, check=False)
        for index, (commands, _, expected) in enumerate(found):
            try:
                with open(f"{folder}/out{index}", encoding="utf-8") as file:
                    printed = file.read()
            except OSError:
                raise AssertionError(f"not reached (the one before failed):\n{commands}") from None
            last = not os.path.exists(f"{folder}/out{index + 1}")
            assert not last or ended.returncode == 0, f"exit status {ended.returncode} of\n{commands}\n{printed}"
            if expected is not None:
                assert printed.strip() == expected.strip(), f"{commands}\nprinted\n{printed}\ninstead of\n{expected}"
        if os.path.exists(f"{folder}/otherwise"):
            with open(f"{folder}/otherwise", encoding="utf-8") as file:
                raise AssertionError(f"not answered as the README has it:\n{file.read()}")
