"""Bearer tokens: the file, the command that makes them, what they allow, and when it is read again."""

import json
import os
import re
import signal
import subprocess
import threading
import time

from session import Skipped
from token_files import TokensFile, bearer, guarded_server, reload

JSON = {"Content-Type": "application/json"}


def as_(t, name, method, path, body=None, **headers):
    credentials = bearer(t.tokens[name]) if name else {"Authorization": ""}
    return t.request(method, path, body, {**credentials, **headers})


def test_without_a_token_only_health_is_told(s):
    with guarded_server(s) as t:
        t.client.headers = {}
        t.get("/healthz").expect(200)
        t.get("/readyz").expect(200)
        for path in ("/v1", "/v1/models", "", "variables/w", "/nothing/here", "/v1/models/other"):
            reply = t.get(path).expect(401)
            assert reply.code == "UNAUTHENTICATED" and reply.headers["www-authenticate"] == 'Bearer realm="tensorkeep"', str(reply)
        t.request("OPTIONS", "").expect(204)


def test_all_wrong_credentials_are_answered_alike(s):
    with guarded_server(s, "--token-failures-max", "1000", old=("admin", "until=2001-09-09T01:46:40Z")) as t:
        right = t.tokens["root"]
        answers = set()
        for value in (f"Bearer {t.tokens['old']}", "Bearer x", "Bearer", "Bearer ", f"Basic {right}", right, f"Bearer {right}x",
                      f"Bearer {right[:-1]}", f"Bearer {right.upper()}X", f"Bearer {right} {right}", "Bearer " + "a" * 5000,
                      f"Bearer{right}", f"Bearer {right},{right}"):
            reply = t.get("variables", {"Authorization": value}).expect(401)
            assert 'error="invalid_token"' in reply.headers["www-authenticate"], str(reply)
            answers.add(reply.body)
        assert len(answers) == 1, answers
        t.get("variables", {"Authorization": f"bearer {right}"}).expect(200)
        t.get("variables", {"Authorization": f"BEARER  {right}"}).expect(200)


def test_a_second_authorization_header_is_refused(s):
    with guarded_server(s) as t:
        line = f"Authorization: Bearer {t.tokens['root']}\r\n"
        with t.socket() as raw:
            raw.send(f"GET /v1 HTTP/1.1\r\nHost: localhost\r\n{line}{line}\r\n".encode())
            assert raw.reply().status == 400


def test_a_scope_includes_those_before_it(s):
    with guarded_server(s, reader="read", writer="write", both="read,write", boss="admin") as t:
        as_(t, "writer", "POST", "variables", {"name": "w", "initial_value": [1.0]}).expect(201)
        as_(t, "both", "POST", ":initialize", {}).expect(200)
        for name in ("reader", "writer", "both", "boss"):
            as_(t, name, "GET", "variables/w:value").expect(200)
            as_(t, name, "POST", "variables/w:gather", {"indices": [0]}).expect(200)
        reply = as_(t, "reader", "POST", "variables/w:assign", {"value": [2]}).expect(403)
        assert reply.code == "PERMISSION_DENIED" and "'write'" in reply.detail and "'reader'" in reply.detail, str(reply)
        assert 'error="insufficient_scope", scope="write"' in reply.headers["www-authenticate"], str(reply)
        as_(t, "writer", "POST", "/v1:verify").expect(403)
        as_(t, "boss", "POST", "/v1:verify").expect(200)
        assert as_(t, "reader", "GET", "variables/w:value").json["data"] == [1]


def test_a_token_for_some_models_sees_no_others(s):
    with guarded_server(s, some=("write", "models=a*,b?,exact")) as t:
        for model in ("a", "abc", "b1", "b", "b12", "exact", "exactly", "c"):
            t.put(f"/v1/models/{model}", {}).expect(201)
        seen = {"a", "abc", "b1", "exact"}
        assert {m["name"] for m in as_(t, "some", "GET", "/v1/models").json["models"]} == seen
        for model in ("a", "abc", "b1", "exact"):
            as_(t, "some", "GET", f"/v1/models/{model}").expect(200)
        for model in ("b", "b12", "exactly", "c", "nothing"):
            reply = as_(t, "some", "GET", f"/v1/models/{model}").expect(403)
            assert f"'{model}'" in reply.detail, str(reply)
        as_(t, "some", "PUT", "/v1/models/a2", {}).expect(201)
        as_(t, "some", "PUT", "/v1/models/d", {}).expect(403)
        as_(t, "some", "DELETE", "/v1/models/c").expect(403)
        as_(t, "some", "GET", "/v1/usage").expect(403)
        as_(t, "some", "GET", "/v1").expect(200)


def test_pages_of_models_do_not_tell_of_others(s):
    with guarded_server(s, some=("read", "models=*e")) as t:
        for model in ("ae", "bf", "ce", "df", "ee", "ff"):
            t.put(f"/v1/models/{model}", {}).expect(201)
        names, token = [], ""
        while True:
            page = as_(t, "some", "GET", f"/v1/models?page_size=2{token}").expect(200).json
            names += [m["name"] for m in page["models"]]
            if not page.get("next_page_token"):
                break
            assert len(page["models"]) == 2, page
            token = f"&page_token={page['next_page_token']}"
        assert names == ["ae", "ce", "ee"], names


def test_another_model_cannot_be_reached_through_ones_own(s):
    with guarded_server(s, mine=("write", "models=mine")) as t:
        for model in ("mine", "theirs"):
            t.model = model
            t.put("", {})
            t.make("w", [1.0, 2.0])
            t.save("c")
        t.model = "mine"
        theirs = {"model": "theirs", "name": "c"}
        for method, path, body in (("POST", ":restore", {"checkpoint": theirs}),
                                   ("GET", "checkpoints/c:diff?against=c&model=theirs", None)):
            reply = as_(t, "mine", method, path, body).expect(403)
            assert "'theirs'" in reply.detail, str(reply)
        as_(t, "mine", "PUT", "savers/s", {}).expect(201)
        reply = as_(t, "mine", "POST", "savers/s:restore", {"checkpoint": theirs})
        assert reply.status == 403, str(reply)
        as_(t, "mine", "POST", ":restore", {"checkpoint": {"model": "mine", "name": "c"}}).expect(200)
        as_(t, "mine", "GET", "checkpoints/c:diff?against=c&model=mine").expect(200)


def test_the_file_is_read_again_on_a_signal(s):
    with guarded_server(s, first="read") as t:
        as_(t, "first", "GET", "").expect(200)
        t.tokens["second"] = t.file.add("second", "write")
        as_(t, "second", "GET", "").expect(401)
        t.file.remove("first")
        reload(t)
        as_(t, "second", "GET", "").expect(200)
        as_(t, "first", "GET", "").expect(401)
        t.file.lines.append("broken")
        t.file.write()
        reload(t, "tokens stay as they were")
        as_(t, "second", "GET", "").expect(200)
        t.file.lines.pop()
        t.file.write(0o640)
        reload(t, "others can get at it")
        as_(t, "second", "GET", "").expect(200)
        os.unlink(t.file.path)
        reload(t, "cannot be opened")
        as_(t, "second", "GET", "").expect(200)


def test_the_file_changes_under_load(s):
    """Who is in it all the time is never refused, and who is not never let in."""
    with guarded_server(s, "--token-failures-max", "1000000", stays="write") as t:
        t.make("w", [0.0])
        stop, wrong, done = threading.Event(), [], []

        def ask(token, status):
            mine = t.another_client()
            mine.headers = bearer(token)
            while not stop.is_set():
                reply = mine.request("POST", t.path("variables/w:assign_add"), {"value": [1]})
                done.append(reply.status)
                if reply.status != status:
                    wrong.append(str(reply))
                    return

        threads = [threading.Thread(target=ask, args=(t.tokens["stays"], 200)) for _ in range(3)]
        threads.append(threading.Thread(target=ask, args=("nobody's", 401)))
        for thread in threads:
            thread.start()
        for k in range(30):
            t.file.add(f"more{k}", "read")
            t.server.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        t.file.add("last", "read")
        reload(t, "read again: 33 tokens")
        until = time.monotonic() + 30 * t.patience
        while min(done.count(200), done.count(401)) < 20 and not wrong:
            assert time.monotonic() < until, (done.count(200), done.count(401))
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[0]
        assert t.value("w") == [done.count(200)], (t.value("w"), done.count(200))


def test_a_signal_to_read_again_ends_no_server(s):
    s.make("w", [1])
    s.server.process.send_signal(signal.SIGHUP)
    assert s.value("w") == [1]


def test_files_that_are_wrong_keep_the_server_from_starting(s):
    digest = "sha256:" + 64 * "0"
    for line, words in (("a", "line 3.*name, a digest"), ("a b read", "line 3.*64 hex"), (f"a {digest} all", "read, write and admin"),
                        (f"a {digest} ", "name, a digest"), (f"a/b {digest} read", "letters"), (f"a {digest} read,", "comma"),
                        (f"a {digest} read models=", "models="), (f"a {digest} read models=a,,b", "empty name"),
                        (f"a {digest} read models=a/b", "model names"), (f"a {digest} read until=tomorrow", "until="),
                        (f"a {digest} read models=a models=b", "each once"), (f"a {digest} read what=is", "each once"),
                        (f"a {digest[:-1]}g read", "hexadecimal digit"), (f"a {digest} read\nb {digest} read", "same digest"),
                        (f"a {digest} read\na {digest[:-1]}1 read", "already"), ("secret-token-pasted-here read", "name, a digest")):
        file = TokensFile(s.server.root)
        file.lines.append(line)
        file.write()
        ended = subprocess.run(s.server.command("--tokens", file.path, "--data", s.server.root + "/other"), capture_output=True,
                               text=True, timeout=30 * s.patience, check=False)
        assert ended.returncode != 0 and re.search(words, ended.stderr), (line, ended)
        assert "secret-token" not in ended.stderr and 64 * "0" not in ended.stderr, ended.stderr


def test_files_that_others_can_read_are_refused(s):
    file = TokensFile(s.server.root)
    for mode in (0o644, 0o640, 0o602, 0o660):
        file.write(mode)
        ended = subprocess.run(s.server.command("--tokens", file.path, "--data", s.server.root + "/other"), capture_output=True,
                               text=True, timeout=30 * s.patience, check=False)
        assert ended.returncode != 0 and f"{mode:04o}" in ended.stderr, ended
    for path in (s.server.root, file.path + ".missing", "/dev/null"):
        ended = subprocess.run(s.server.command("--tokens", path, "--data", s.server.root + "/other"), capture_output=True,
                               text=True, timeout=30 * s.patience, check=False)
        assert ended.returncode != 0 and "the tokens file" in ended.stderr, ended


def test_the_command_makes_tokens_that_work(s):
    path = os.path.join(s.server.root, "made")

    def command(*arguments):
        return subprocess.run([s.server.binary, "token", *arguments], capture_output=True, text=True, check=False)

    first = command("boss", "--scopes", "admin", "--tokens", path)
    assert first.returncode == 0 and re.fullmatch(r"tk_[0-9a-f]{64}\n", first.stdout), first
    assert os.stat(path).st_mode & 0o777 == 0o600
    second = command("peer", "--tokens", path, "--models", s.model, "--until", "2999-01-01T00:00:00Z")
    with open(path, encoding="ascii") as file:
        text = file.read()
    assert first.stdout.strip() not in text and second.stdout.strip() not in text
    assert command("boss", "--tokens", path).returncode != 0
    shown = command("third", "--scopes", "read,write")
    token, line = shown.stdout.splitlines()
    assert line.startswith("third sha256:") and line.endswith(" read,write"), shown
    with open(path, "a", encoding="ascii") as file:
        file.write(line + "\n")
    with s.other_server("--tokens", path) as t:
        t.put(f"/v1/models/{s.model}", {}, bearer(first.stdout.strip())).expect(201)
        t.get(f"/v1/models/{s.model}", bearer(second.stdout.strip())).expect(200)
        t.put("/v1/models/x", {}, bearer(token)).expect(201)
    for wrong in ((), ("a", "b"), ("a", "--scopes"), ("a", "--scopes", "all"), ("a", "--what", "b"), ("a\nb",), ("#a",),
                  ("a", "--models", "x y"), ("a", "--until", "soon"), ("a", "--tokens", "/nowhere/tokens")):
        ended = command(*wrong)
        assert ended.returncode != 0 and ended.stderr and not ended.stdout, (wrong, ended)


def test_root_adds_to_the_file_of_the_user_who_serves(s):
    if os.geteuid() != 0:
        raise Skipped("only root works for others")
    file = TokensFile(s.server.root)
    os.chown(file.path, 65534, 65534)
    made = subprocess.run([s.server.binary, "token", "peer", "--tokens", file.path], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made
    status = os.stat(file.path)
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65534, 0o600), status
    with open(file.path, encoding="ascii") as text:
        assert text.read().startswith("# who may do what\n\npeer sha256:")
    ended = subprocess.run(s.server.command("--tokens", file.path, "--data", s.server.root + "/other"), capture_output=True,
                           text=True, timeout=30 * s.patience, check=False)
    assert ended.returncode != 0 and "belongs to user 65534" in ended.stderr, "a server trusts nobody else's file"


def test_wrong_tokens_are_slowed_down(s):
    with guarded_server(s, "--token-failures-max", "3") as t:
        guesser = t.another_client()
        for _ in range(3):
            assert guesser.request("GET", "/v1", None, bearer("guess")).status == 401
        reply = guesser.request("GET", "/v1", None, bearer("guess"))
        assert reply.status == 429 and 1 <= int(reply.headers["retry-after"]) <= 60, str(reply)
        assert guesser.request("GET", "/v1", None, bearer(t.tokens["root"])).status == 429
        assert guesser.request("GET", "/v1").status == 401
        assert guesser.request("GET", "/healthz").status == 200
        t.get("").expect(200)  # its connection has shown the right one last
        told = t.get("/metrics").expect(200).body
        assert b"\ntensorkeep_token_failures_total 3\n" in told and b"\ntensorkeep_rate_refusals_total 2\n" in told, told


def test_tokens_are_in_no_log_and_no_reply(s):
    with guarded_server(s, "--access-log", "--log-level", "debug", "--token-failures-max", "2", reader="read") as t:
        wrong = "wrong-token-of-somebody"
        guesser = t.another_client()
        guesses = [guesser.request("GET", "/v1", None, bearer(wrong)) for _ in range(3)]
        assert [reply.status for reply in guesses] == [401, 401, 429], guesses
        replies = [*guesses,
                   as_(t, "reader", "GET", ""), as_(t, "reader", "DELETE", ""), as_(t, "reader", "GET", "/v1"),
                   t.get(f"?access_token={t.tokens['root']}"), t.get("/nothing"), t.get("/metrics").expect(200), t.get("/v1", {"X-Request-Id": "x"})]
        reload(t)
        with open(t.server.errors, encoding="utf-8") as file:
            log = file.read()
        for secret in (wrong, t.tokens["root"], t.tokens["reader"]):
            assert secret not in log, log
            for reply in replies[:6] + replies[7:]:
                assert secret.encode() not in reply.body and secret not in json.dumps(reply.headers), str(reply)


def test_idempotency_keys_do_not_lend_rights(s):
    with guarded_server(s, writer="write", reader="read") as t:
        t.make("w", [1.0])
        key = {"Idempotency-Key": "k-1"}
        as_(t, "writer", "POST", "variables/w:assign_add", {"value": [1]}, **key).expect(200)
        as_(t, "reader", "POST", "variables/w:assign_add", {"value": [1]}, **key).expect(403)
        as_(t, None, "POST", "variables/w:assign_add", {"value": [1]}, **key).expect(401)
