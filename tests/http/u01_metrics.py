"""GET /metrics: what is counted, in both text formats; Prometheus reads it."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

import client
import session

OPEN = {"Accept": "application/openmetrics-text; version=1.0.0"}
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? (\S+)$')
TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "tools", "usr", "bin")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",), "histogram": ("_bucket", "_count", "_sum")}


def samples(s, headers=None):
    """{(name, labels): value}, labels as they stand."""
    text = s.get("/metrics", headers).expect(200).body.decode()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            assert (name, labels or "") not in found, line
            found[name, labels or ""] = float(value)
    return found


def told(s, name, labels=""):
    return samples(s)[name, labels]


def tool(name):
    path = shutil.which(name) or shutil.which(name, path=TOOLS)
    if path is None:
        raise session.Skipped(f"{name} of Debian's package prometheus is not installed")
    return path


def test_both_formats_by_what_is_asked_for(s):
    for accept, kind in ((None, "text/plain; version=0.0.4"), ("*/*", "text/plain; version=0.0.4"),
                         ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                          "application/openmetrics-text; version=1.0.0"), ("text/plain", "text/plain; version=0.0.4")):
        reply = s.get("/metrics", {"Accept": accept} if accept else None).expect(200)
        assert reply.headers["content-type"].startswith(kind), str(reply)
        assert reply.body.endswith(b"# EOF\n") == ("openmetrics" in kind)
        assert "accept" in reply.headers["vary"].lower()
    s.refuses(406, "NOT_ACCEPTABLE", "openmetrics", "GET", "/metrics", None, {"Accept": "image/png"})
    s.head("/metrics").expect(200)
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "/metrics", {})


def test_open_metrics_is_one_block_a_family(s):
    s.make("w", [1])
    lines = s.get("/metrics", OPEN).expect(200).body.decode().split("\n")
    assert lines[-2:] == ["# EOF", ""] and lines.count("# EOF") == 1
    family, kind, seen = None, None, set()
    for line in lines[:-2]:
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen and len(line.split()) > 3 and "\\" not in line, line
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
            kind = line.split()[3]
        elif line.startswith("# UNIT "):
            assert line.split()[2] == family and family.endswith("_" + line.split()[3]), line
        else:
            name = SAMPLE.match(line).group(1)
            assert name in [family + suffix for suffix in SUFFIXES[kind]], (family, kind, line)
    for name in ("tensorkeep_request_duration_seconds", "tensorkeep_commit_duration_seconds", "tensorkeep_commit_fsync_seconds",
                 "tensorkeep_store_bytes", "tensorkeep_reader_oldest_revision_lag", "tensorkeep_changes_subscribers",
                 "tensorkeep_optimizer_steps"):
        assert name in seen, name


def test_requests_are_counted_by_route_and_status(s):
    series = 'method="GET",route="/v1/models/{model}/variables/{name}",code="%d"'
    before = samples(s)
    s.make("w", [1])
    for _ in range(3):
        s.get("variables/w").expect(200)
    s.head("variables/w").expect(200)
    s.get("variables/nosuch").expect(404)
    s.get("/v1/nosuch").expect(404)
    after = samples(s)

    def grown(name, labels):
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    assert grown("tensorkeep_request_duration_seconds_count", series % 200) == 4
    assert grown("tensorkeep_request_duration_seconds_count", series % 404) == 1
    assert grown("tensorkeep_request_duration_seconds_count", 'method="none",route="none",code="404"') == 1
    assert grown("tensorkeep_requests_total", 'code="404"') == 2
    assert grown("tensorkeep_requests_total", 'code="201"') >= 1
    assert grown("tensorkeep_request_body_bytes_total", "") > 0 and grown("tensorkeep_reply_body_bytes_total", "") > 0
    assert after["tensorkeep_requests_total", 'code="507"'] == 0, "there before it first happens"


def test_every_status_there_is_has_a_series(s):
    with open(os.path.join(s.root, "openapi", "openapi.yaml"), encoding="utf-8") as file:
        documented = {int(status) for status in re.findall(r"^ +'(\d{3})':", file.read(), re.M)}
    refusals = set().union(*client.CODES.values())
    codes = {labels for name, labels in samples(s) if name == "tensorkeep_requests_total"}
    assert 200 in documented and {f'code="{status}"' for status in documented | refusals} <= codes, sorted(codes)


def test_histograms_add_up(s):
    s.make("w", [1])
    found = samples(s)
    counts = {key: value for key, value in found.items() if key[0].endswith("_count")}
    assert len(counts) > 3
    for (name, labels), count in counts.items():
        bare = name[:-len("_count")]
        buckets = [value for (other, its), value in found.items()
                   if other == bare + "_bucket" and re.sub(r',?le="[^"]*"$', "", its) == labels]
        assert buckets == sorted(buckets) and buckets[-1] == count and len(buckets) == 15, (name, labels, buckets)
        assert (found[bare + "_sum", labels] > 0) == (count > 0)
    assert [its for other, its in found if other == "tensorkeep_commit_fsync_seconds_bucket"][-1] == 'le="+Inf"'


def test_what_clients_send_is_no_label(s):
    known = {labels for _, labels in samples(s)}
    for path in ("variables/label_of_mine", "variables/label_of_mine:value", "checkpoints/label_of_mine", "/label_of_mine"):
        s.get(path).expect(404)
    body = s.get("/metrics").body
    assert b"label_of_mine" not in body and s.model.encode() not in body
    assert len({labels for _, labels in samples(s)} - known) <= 4 * 17


def test_the_store_is_told(s):
    before = samples(s)
    s.make("w", [1.0] * 100000)
    s.save("c-1")
    s.assign("w", {"op": "zeros", "shape": [100000]})
    after = samples(s)
    assert after["tensorkeep_store_revision", ""] == s.info("w")["revision"]
    assert after["tensorkeep_commit_duration_seconds_count", ""] > before["tensorkeep_commit_duration_seconds_count", ""]
    assert after["tensorkeep_commit_fsync_seconds_count", ""] > before["tensorkeep_commit_fsync_seconds_count", ""]
    assert after["tensorkeep_commit_updates_total", ""] > before["tensorkeep_commit_updates_total", ""]
    live, free = (after["tensorkeep_store_bytes", f'kind="{kind}"'] for kind in ("live", "free"))
    files = sum(value for (name, _), value in after.items() if name == "tensorkeep_store_file_bytes")
    assert live > 400000 and files == live + free
    for i in range(8):
        s.save(f"more-{i}")
    assert told(s, "tensorkeep_store_bytes", 'kind="shared"') > after["tensorkeep_store_bytes", 'kind="shared"']
    assert after["process_resident_memory_bytes", ""] > 1e6 and after["process_open_fds", ""] > 3
    assert 0 <= time.time() - after["process_start_time_seconds", ""] < 3600


def test_steps_of_optimizers_are_counted_by_type_and_once(s):
    s.make("w", [1.0, 2.0])
    s.put("optimizers/o", {"type": "adam", "learning_rate": 0.1}).expect(201)
    before = told(s, "tensorkeep_optimizer_steps_total", 'op="adam"')
    step = {"gradients": {"w": [0.5, 0.5]}}
    s.post("optimizers/o:apply_gradients", step).expect(200)
    for _ in range(2):
        s.post("optimizers/o:apply_gradients", step, {"Idempotency-Key": s.model}).expect(200)
    s.post("optimizers/o:apply_gradients", {"gradients": {"w": [1.0]}}).expect(400)
    assert told(s, "tensorkeep_optimizer_steps_total", 'op="adam"') == before + 2
    assert told(s, "tensorkeep_optimizer_steps_total", 'op="momentum"') == 0


def test_promtool_finds_nothing_to_say(s):
    promtool = tool("promtool")
    s.make("w", [1])
    s.get("/nosuch").expect(404)
    text = s.get("/metrics").expect(200).body
    ended = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=30 * s.patience, check=False)
    assert ended.returncode == 0 and not ended.stdout.strip() and not ended.stderr.strip(), ended


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask_prometheus(port, query):
    """The values of a query; none while it is not there yet."""
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return [item["value"][1] for item in json.load(reply)["data"]["result"]]
    except OSError:
        return []


def test_prometheus_scrapes_a_live_server(s):
    prometheus, port = tool("prometheus"), free_port()
    s.make("w", [1])
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s"},
                       "scrape_configs": [{"job_name": "tensorkeep",
                                           "static_configs": [{"targets": [f"127.0.0.1:{s.server.port}"]}]}]}, file)
        with open(os.path.join(folder, "log"), "wb") as log, subprocess.Popen(
                [prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log,
                preexec_fn=session.told_with_parent) as process:
            try:
                values, until = [], time.monotonic() + 40 * s.patience
                while not values and time.monotonic() < until and process.poll() is None:
                    time.sleep(0.3)
                    values = ask_prometheus(port, "tensorkeep_store_revision")
                with open(log.name, encoding="utf-8", errors="replace") as lines:
                    assert values == [str(s.info("w")["revision"])], (values, lines.read()[-2000:])
                assert ask_prometheus(port, 'up{job="tensorkeep"}') == ["1"]
                assert ask_prometheus(port, "count(tensorkeep_commit_duration_seconds_bucket)") == ["15"]
            finally:
                process.terminate()
                process.wait(20 * s.patience)
