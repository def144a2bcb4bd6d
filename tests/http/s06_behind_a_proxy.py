"""nginx in front, over connections it keeps: what it lets through means the same to both, and nothing is hidden in it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

import client
import s01_smuggling as smuggling
from session import Skipped, die_with_parent
from token_files import bearer, guarded_server

QUIET_SECONDS = 0.3
CONF = """
daemon off; master_process off; error_log stderr crit; pid {root}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off; server_tokens off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u;
    scgi_temp_path {root}/s;
    upstream behind {{ server 127.0.0.1:{behind}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://behind; proxy_http_version 1.1;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front:
    """Looks like a server to what asks it."""

    def __init__(self, s, port):
        self.s, self.port, self.model, self.patience = s, port, s.model, s.patience
        self.server = s.server

    def socket(self, **options):
        return client.Raw("127.0.0.1", self.port, **options)

    def path(self, path):
        return self.s.path(path)


@contextlib.contextmanager
def nginx(s, buffering="on"):
    if not shutil.which("nginx"):
        raise Skipped("there is no nginx here")
    with tempfile.TemporaryDirectory(prefix="tensorkeep-test-nginx-") as root:
        port = free_port()
        with open(os.path.join(root, "conf"), "w", encoding="ascii") as file:
            file.write(CONF.format(root=root, port=port, behind=s.server.port, buffering=buffering))
        child = subprocess.Popen(["nginx", "-p", root, "-c", os.path.join(root, "conf")], stderr=subprocess.DEVNULL,
                                 preexec_fn=die_with_parent)
        try:
            until = time.monotonic() + 20 * s.patience
            while True:
                with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), 1)):
                    break
                assert child.poll() is None and time.monotonic() < until, "nginx does not start"
                time.sleep(0.05)
            yield Front(s, port)
        finally:
            child.terminate()
            child.wait()


def replies_of(front, data, seconds=20):
    """What comes back until the connection ends, or is quiet for so long."""
    replies = []
    with front.socket(timeout=seconds * front.patience) as raw:
        raw.send(data)
        with contextlib.suppress(TimeoutError):
            while (reply := raw.reply()) is not None:
                replies.append(reply)
    return replies


def is_of_nginx(reply):
    return b"nginx" in reply.body


def test_what_is_malformed_reaches_nobody_behind_it(s):
    """Whatever nginx makes of it: a request hidden behind it is not run, and the next client's is."""
    s.make("w", [1])
    for buffering in ("on", "off"):
        with nginx(s, buffering) as front:
            for what, data, _ in smuggling.malformed(s):
                before = s.value("w")
                replies = replies_of(front, data, QUIET_SECONDS)
                assert len(replies) <= 2, (what, [str(reply) for reply in replies])
                after = s.value("w")
                assert after in (before, [9]) and (after == before or not replies or replies[0].status == 200), (what, after)
                s.put("variables/w:value", [1]).expect(200)
                honest = replies_of(front, smuggling.put(s, 5) + smuggling.get(s, smuggling.LAST))
                assert [r.status for r in honest] == [200, 200] and honest[1].json["data"] == [5], (what, [str(r) for r in honest])


def test_targets_mean_the_same_through_it(s):
    """nginx passes the target on as it came; where both answer, they answer alike."""
    s.make("w", [1])
    s.make("layer/w", [2])
    with nginx(s) as front:
        own = s.path("variables/").encode()
        same = 0
        for path in (own + b"w", own + b"w:value", own + b"layer/w", own + b"layer%2Fw", own + b"layer%2fw:value", own + b"%77",
                     own + b"w%3Avalue", own + b"w%00", own + b"..%2Fw", own + b"layer/../w", own + b"layer/./w", own + b"layer//w",
                     own + b"w?", own + b"w:value?slice=0:1", own + b"w:value?slice=%30:1", own + b"w:value?x=1", own + b"w#x",
                     b"/v1//models", b"//v1", b"/v1/models/", b"/v1/models/%2e%2e", b"/v1/%6dodels", b"/healthz", b"/healthz/",
                     b"/v1/models/" + s.model.encode() + b"%20", b"/v1\\models", own + b"w;x", own + b"w:0", own + b"\xc3\xa9"):
            data = smuggling.get(s, smuggling.LAST, path)
            through, direct = replies_of(front, data), replies_of(s, data)
            assert len(through) == 1 and len(direct) == 1, (path, through, direct)
            if is_of_nginx(through[0]):
                assert through[0].status == 400 and direct[0].status in (400, 404), (path, str(through[0]), str(direct[0]))
                continue
            same += 1
            assert through[0].status == direct[0].status and through[0].body == direct[0].body, (path, str(through[0]), str(direct[0]))
        assert same > 15, same


def test_mixtures_through_it(s):
    s.make("w", [1])
    with nginx(s) as front:
        for _ in range(3):
            stream = b"".join(smuggling.put(s, k) + smuggling.get(s) for k in range(10))
            replies = replies_of(front, stream + smuggling.get(s, smuggling.LAST))
            assert [r.status for r in replies] == [200] * 21, [str(r) for r in replies]
            assert [r.json["data"] for r in replies[1:20:2]] == [[k] for k in range(10)]
        body = smuggling.chunked(b"[7]")
        replies = replies_of(front, smuggling.put(s, 9, b"Transfer-Encoding: chunked\r\n", body) + smuggling.get(s, smuggling.LAST))
        assert [r.status for r in replies] == [200, 200] and replies[1].json["data"] == [7]


def test_tokens_go_through_and_headers_come_back(s):
    with guarded_server(s, reader="read") as t, nginx(t) as front:
        mine = client.Client("127.0.0.1", front.port, 20 * s.patience)
        assert mine.request("GET", t.path("")).status == 401
        reply = mine.request("GET", t.path(""), None, bearer(t.tokens["reader"])).expect(200)
        assert reply.headers["content-security-policy"].startswith("default-src 'none'") and reply.etag, str(reply)
        assert mine.request("DELETE", t.path(""), None, bearer(t.tokens["reader"])).status == 403
        mine.close()
