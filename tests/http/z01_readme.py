"""The commands of the README, the tour and the operators' guide, run as they stand.

Of each document the blocks whose info string is `sh test` run in order, in one bash -e, with H set to the /v1 of a server of its
own. No request of theirs may be refused, but in a block `sh test refused` each of them is. A block `text` directly after one is
what it prints.
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
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")


def anchors(text):
    """What headings are called in links."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}


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


def run_commands_of(s, document):
    with open(document, encoding="utf-8") as file:
        found = steps(file.read())
    assert found, f"{document} has no `sh test` block"
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
                raise AssertionError(f"not answered as {document} has it:\n{file.read()}")


def test_every_command_of_the_readme_works(s):
    run_commands_of(s, os.path.join(s.root, "README.md"))


def test_every_command_of_the_tour_works(s):
    run_commands_of(s, os.path.join(s.root, "openapi", "README.md"))


def test_every_command_for_operators_works(s):
    run_commands_of(s, os.path.join(s.root, "docker", "README.md"))


def test_links_between_the_documents_lead_somewhere(s):
    for document in ("README.md", "openapi/README.md", "docker/README.md", "tests/README.md"):
        path = os.path.join(s.root, document)
        with open(path, encoding="utf-8") as file:
            links = LINK.findall(file.read())
        for link in links:
            target, _, heading = link.partition("#")
            other = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            assert os.path.exists(other), f"{document}: {link} is not there"
            if heading:
                with open(other, encoding="utf-8") as file:
                    assert heading in anchors(file.read()), f"{document}: no heading is {link}"
