"""Every operation of the table, asked for without a token, with wrong ones, and with the right one."""

import token_files
from token_files import bearer

WITHOUT_TOKEN = {"getHealth", "getReadiness", "getServerLive", "getServerReady"}  # and what is the same for everybody
READ_BY_POST = {"gatherValue", "verifyCheckpoint"}
NAMES = {"{model}": "m1", "{name}": "x", "{key}": "k"}


def target(path):
    for name, value in NAMES.items():
        path = path.replace(name, value)
    return path


def below(scope):
    """The scope that is just not enough; None: there is no weaker one."""
    return {"READ": None, "WRITE": "read", "ADMIN": "write"}[scope]


def test_the_table_gives_no_more_than_it_must(s):
    del s
    rows = list(token_files.routes())
    assert len(rows) > 80
    for operation, method, path, _, scope, everything in rows:
        rank = token_files.SCOPES.index(scope)
        if method != "GET" and operation not in READ_BY_POST and scope != "READ":
            assert rank >= token_files.SCOPES.index("WRITE"), (operation, scope)
        if "{model}" in path:
            assert rank >= token_files.SCOPES.index("READ"), (operation, scope)
        assert scope != "FREE" or operation in WITHOUT_TOKEN, (operation, scope)
        assert not everything or "{model}" not in path, operation


def test_every_route_with_every_kind_of_token(s):
    asked = 0
    with token_files.guarded_server(s, "--token-failures-max", "1000000", "--checkpoint-root", s.server.root, read="read", write="write", admin="admin",
                                    old=("admin", "until=2020-01-01T00:00:00Z"), other=("admin", "models=m2")) as t:
        for operation, method, path, body, scope, everything in token_files.routes():
            def ask(headers, method=method, path=path, body=body):
                t.client.headers = {}
                return t.request(method, target(path), None if body == "BODY_NONE" else {}, headers)

            label = f"{operation} ({method} {path}, {scope})"
            asked += 1
            if scope in ("FREE", "OPEN"):
                assert ask({}).status not in (401, 403), label
                assert ask(bearer("wrong")).status not in (401, 403), label
                continue
            for headers in ({}, bearer("wrong"), bearer(t.tokens["old"]), {"Authorization": "Basic eDp5"}):
                reply = ask(headers)
                assert reply.status == 401 and "www-authenticate" in reply.headers, f"{label}: {reply}"
            weaker = below(scope)
            if weaker:
                reply = ask(bearer(t.tokens[weaker]))
                assert reply.status == 403 and f"'{scope.lower()}'" in reply.detail, f"{label}: {reply}"
            if "{model}" in path or everything:
                reply = ask(bearer(t.tokens["other"]))
                assert reply.status == 403 and "'other'" in reply.detail, f"{label}: {reply}"
            reply = ask(bearer(t.tokens[scope.lower()]))
            assert reply.status not in (401, 403), f"{label}: {reply}"
    assert asked > 80


def test_unknown_places_tell_nothing_without_a_token(s):
    with token_files.guarded_server(s, reader="read") as t:
        t.client.headers = {}
        for method, path in (("GET", "/"), ("GET", "/v2"), ("BREW", "/v1"), ("DELETE", "/v1"), ("GET", "/v1/models/a:nothing"),
                             ("POST", "/v1/models/../x"), ("GET", "/v1/models/%00")):
            unknown = t.request(method, path)
            assert unknown.status in (400, 401, 404, 501) or unknown.status < 400, str(unknown)
            if unknown.status not in (400, 501) and unknown.status >= 400:
                assert unknown.status == 401, str(unknown)
        assert t.request("DELETE", "/v1", None, bearer(t.tokens["reader"])).status == 405
        assert t.get("/v1/nothing", bearer(t.tokens["reader"])).status == 404
