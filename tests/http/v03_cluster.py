"""A server with a cluster: its jobs and tasks, what lies on them and is committed there, and what it says when it starts."""

import json
import os
import re
import subprocess

FLAGS = ("--cluster", "ps=4,worker=2")
SPEC = {"ps": ["h0:2222", "h1:2222"], "worker": {"7": "h2:2222", "3": "h3:2222"}, "chief": 1}


def cluster_of(s):
    return s.get("/v1/cluster").expect(200).json


def tasks_of(s):
    """{("ps", 0): …}; what is on none: ("none", 0)."""
    found = cluster_of(s)
    tasks = {(job["name"], task["task"]): task for job in found["jobs"] for task in job["tasks"]}
    tasks["none", 0] = found["elsewhere"]
    return tasks


def grown(before, after, key):
    """By task what `key` has grown by, where it has."""
    return {name: after[name][key] - before[name][key] for name in after if after[name][key] != before[name][key]}


def make(s, name, device, elements=10, **fields):
    if device is not None:
        fields["device"] = device
    s.create(name, {"op": "zeros", "shape": [elements]}, **fields)


def task_samples(s, name):
    text = s.get("/metrics").expect(200).body.decode()
    return {labels: float(value) for labels, value in re.findall(name + r"_total\{([^}]*)\} (\S+)", text)}


def test_jobs_and_tasks_are_told_in_order(s):
    found = s.get("/v1/cluster").expect(200)
    assert found.revision == found.json["revision"]
    assert [job["name"] for job in found.json["jobs"]] == ["ps", "worker"]
    assert [task["task"] for task in found.json["jobs"][0]["tasks"]] == [0, 1, 2, 3]
    assert found.json["jobs"][1]["tasks"][1] == {
        "task": 1, "name": "/job:worker/replica:0/task:1", "address": None, "devices": 1, "variables": 0,
        "initialized": 0, "bytes": 0, "commits": 0, "written_bytes": 0}
    s.refuses(400, "INVALID_ARGUMENT", "page_size", "GET", "/v1/cluster?page_size=2")
    s.refuses(405, "METHOD_NOT_ALLOWED", (), "POST", "/v1/cluster", {})


def test_variables_count_where_they_are(s):
    before = tasks_of(s)
    make(s, "a", "/job:ps/task:1")
    make(s, "b", "/job:ps/task:1/cpu:0", 100)
    make(s, "c", "/job:worker")
    make(s, "d", None)
    make(s, "e", "/task:2")
    make(s, "f", "/job:ps/replica:0/task:3/device:CPU:0")
    s.post(":initialize", {"variables": ["a", "b", "c"]}).expect(200)
    after = tasks_of(s)
    assert grown(before, after, "variables") == {
        ("ps", 0): 1, ("ps", 1): 2, ("ps", 2): 1, ("ps", 3): 1, ("worker", 0): 1}
    assert grown(before, after, "initialized") == {("ps", 1): 2, ("worker", 0): 1}
    assert grown(before, after, "bytes") == {("ps", 1): 440, ("worker", 0): 40}
    s.delete("variables/b").expect(200)
    assert grown(after, tasks_of(s), "variables") == {("ps", 1): -1}


def test_what_is_on_no_task_is_told_by_name(s):
    before = tasks_of(s)
    make(s, "a", "/job:ps/task:4")
    make(s, "b", "/job:ps/task:4/cpu:0")
    make(s, "c", "/job:moon/task:0/device:GPU:1")
    after = tasks_of(s)
    assert grown(before, after, "variables") == {("none", 0): 3}
    assert {m["name"]: m["variables"] for m in after["none", 0]["missing"]} == {"/job:ps/task:4": 2, "/job:moon/task:0": 1}
    assert [m["name"] for m in after["none", 0]["missing"]] == ["/job:moon/task:0", "/job:ps/task:4"]
    for name in "abc":
        s.delete(f"variables/{name}").expect(200)


def test_of_very_many_missing_tasks_some_are_named(s):
    s.post("variables", [{"name": f"v{i}", "dtype": "int32", "shape": [], "device": f"/job:lost/task:{i}"}
                         for i in range(40)]).expect(201)
    found = tasks_of(s)["none", 0]
    assert len(found["missing"]) == 16 and all(m["variables"] == 1 for m in found["missing"])
    assert found["unnamed"] == 24 and found["variables"] == 40
    for i in range(40):
        s.delete(f"variables/v{i}").expect(200)


def test_a_variable_on_several_unnamed_tasks_is_one_whatever_was_asked_before(s):
    with s.other_server(*FLAGS) as t:
        t.model = "second"
        t.put("", {"placement": {"ps_tasks": 2, "ps_device": "/job:gone"}}).expect(201)
        t.create("parts", {"op": "zeros", "shape": [6]}, slicing=[6])
        found = tasks_of(t)["none", 0]
        assert found["unnamed"] == 0
        assert {m["name"]: m["variables"] for m in found["missing"]} == {"/job:gone/task:0": 1, "/job:gone/task:1": 1}
        t.model = "first"
        t.put("", {}).expect(201)
        t.post("variables", [{"name": f"v{i}", "dtype": "int32", "shape": [], "device": f"/job:lost/task:{i}"}
                             for i in range(16)]).expect(201)
        remembered = tasks_of(t)["none", 0]
        assert len(remembered["missing"]) == 16 and remembered["variables"] == 17 and remembered["unnamed"] == 1
        assert tasks_of(t)["none", 0]["unnamed"] == 1
        t.restart()
        assert tasks_of(t)["none", 0]["unnamed"] == 1


def test_commits_count_once_for_each_task_that_they_change(s):
    for i in range(4):
        make(s, f"w{i}", f"/job:ps/task:{i}")
    before = tasks_of(s)
    s.initialize()
    s.post(":run", {"ops": [{"op": "assign_add", "variable": "w1", "value": [1.0] * 10},
                            {"op": "assign_add", "variable": "w1", "value": [1.0] * 10},
                            {"op": "assign_add", "variable": "w2", "value": [1.0] * 10}]}).expect(200)
    s.assign("w2", [2.0] * 10)
    after = tasks_of(s)
    assert grown(before, after, "commits") == {("ps", 0): 1, ("ps", 1): 2, ("ps", 2): 3, ("ps", 3): 1}
    assert grown(before, after, "written_bytes") == {("ps", 0): 40, ("ps", 1): 80, ("ps", 2): 120, ("ps", 3): 40}
    # What fails, only looks, or changes no variable, counts nowhere.
    s.post(":run", {"ops": [{"op": "assign", "variable": "w1", "value": [1.0] * 10},
                            {"op": "assign", "variable": "w1", "value": [1.0]}]}).expect(400)
    s.post(":run", {"ops": [{"op": "assign", "variable": "w1", "value": [1.0] * 10}], "dry_run": True}).expect(200)
    s.save("c")
    assert tasks_of(s) == after


def test_bytes_are_those_that_are_written(s):
    make(s, "w", "/job:ps/task:2", 100000)
    s.initialize()
    before = tasks_of(s)
    s.put_raw("w", "float32", [100000], bytes(400000))
    s.post("variables/w:scatter_update", {"indices": [5], "updates": [1.0]}).expect(200)
    after = tasks_of(s)
    written = grown(before, after, "written_bytes")[("ps", 2)]
    assert 400000 < written < 400000 + 300000, written
    s.put("variables/w:value?slice=0:25", b"\0" * 100,
          {"Content-Type": "application/octet-stream", "Tensor-Dtype": "float32", "Tensor-Shape": "25"}).expect(200)
    assert grown(after, tasks_of(s), "written_bytes") == {("ps", 2): 100}
    s.save("c")
    after = tasks_of(s)
    s.restore("c")
    assert grown(after, tasks_of(s), "commits") == {("ps", 2): 1}
    assert grown(after, tasks_of(s), "written_bytes") == {}


def test_a_divided_variable_counts_where_its_parts_are(s):
    """8 parts on 4 tasks; then one more, of which no task is there."""
    s.patch("", {"placement": {"strategy": "round_robin", "ps_tasks": 4}}).expect(200)
    before = tasks_of(s)
    s.create("w", {"op": "zeros", "shape": [17, 2]}, partitioner={"type": "fixed_size", "num_shards": 8})
    made = tasks_of(s)
    assert grown(before, made, "variables") == {("ps", i): 1 for i in range(4)}
    assert grown(before, made, "commits") == {("ps", i): 1 for i in range(4)}
    s.initialize()
    after = tasks_of(s)
    for key in ("bytes", "written_bytes"):
        assert grown(before, after, key) == {("ps", 0): 40, ("ps", 1): 32, ("ps", 2): 32, ("ps", 3): 32}
    assert grown(made, after, "initialized") == grown(made, after, "commits") == {("ps", i): 1 for i in range(4)}
    s.delete("variables/w").expect(200)
    gone = tasks_of(s)
    assert grown(before, gone, "bytes") == {}
    assert {("ps", i): 1 for i in range(4)}.items() <= grown(after, gone, "commits").items()
    s.patch("", {"placement": {"strategy": "round_robin", "ps_tasks": 5}}).expect(200)
    s.create("v", {"op": "zeros", "shape": [10]}, partitioner={"type": "fixed_size", "num_shards": 5})
    assert grown(before, tasks_of(s), "variables") == {**{("ps", i): 1 for i in range(4)}, ("none", 0): 1}
    assert {"name": "/job:ps/task:4", "variables": 1} in tasks_of(s)["none", 0]["missing"]
    s.delete("variables/v").expect(200)


def test_metrics_tell_tasks(s):
    make(s, "w", "/job:worker/task:1")
    s.initialize()
    before = task_samples(s, "tensorkeep_task_commits"), task_samples(s, "tensorkeep_task_written_bytes")
    s.assign("w", [1.0] * 10)
    after = task_samples(s, "tensorkeep_task_commits"), task_samples(s, "tensorkeep_task_written_bytes")
    assert len(after[0]) == len(after[1]) == 7 and 'job="none",task="none"' in after[0]
    assert {k: v - before[0][k] for k, v in after[0].items() if v != before[0][k]} == {'job="worker",task="1"': 1}
    assert {k: v - before[1][k] for k, v in after[1].items() if v != before[1][k]} == {'job="worker",task="1"': 40}


def test_metrics_of_many_tasks_are_bounded(s):
    with s.other_server("--cluster", "ps=300") as t:
        make(t, "first", "/job:ps/task:63")
        make(t, "later", "/job:ps/task:299")
        found = task_samples(t, "tensorkeep_task_commits")
        assert len(found) == 64 + 2
        assert found['job="ps",task="63"'] == 1 and found['job="others",task="others"'] == 1
        assert len(cluster_of(t)["jobs"][0]["tasks"]) == 300


def test_a_cluster_is_a_cluster_spec_as_json_too(s):
    with s.other_server("--cluster", json.dumps(SPEC), "--cpu-devices", "3") as t:
        found = cluster_of(t)
        assert [(job["name"], [(task["task"], task["address"]) for task in job["tasks"]]) for job in found["jobs"]] == [
            ("chief", [(0, None)]), ("ps", [(0, "h0:2222"), (1, "h1:2222")]),
            ("worker", [(3, "h3:2222"), (7, "h2:2222")])]
        assert found["jobs"][2]["tasks"][1]["devices"] == 3
        make(t, "w", "/job:worker/task:7/cpu:2")
        make(t, "v", "/job:worker")
        after = tasks_of(t)
        assert after["worker", 7]["variables"] == 1 and after["worker", 3]["variables"] == 1


def test_without_a_cluster_there_is_task_0_of_localhost(s):
    with s.other_server() as t:
        make(t, "w", "/cpu:0")
        make(t, "v", None)
        t.initialize()
        found = cluster_of(t)
        assert [(job["name"], len(job["tasks"])) for job in found["jobs"]] == [("localhost", 1)]
        task = found["jobs"][0]["tasks"][0]
        assert task["name"] == "/job:localhost/replica:0/task:0" and task["variables"] == 2 and task["commits"] == 3
        assert "cluster" not in t.server.complaints()


def test_a_server_says_which_tasks_it_has_and_which_it_lacks(s):
    with s.other_server("--cluster", "ps=4,worker=1") as t:
        assert "all tasks of jobs ps (4), worker (1); 5 devices" in t.server.complaints()
        assert "not there" not in t.server.complaints()
        for i in range(12):
            make(t, f"w{i}", f"/job:ps/task:{i % 4}")
        t.initialize()
        t.restart("--cluster", "ps=2")
        assert "6 variables are on tasks that are not there now: /job:ps/task:2 (3), /job:ps/task:3 (3)." in t.server.complaints()
        assert tasks_of(t)["none", 0]["variables"] == 6 and tasks_of(t)["ps", 1]["bytes"] == 120
        assert t.array("w3").tolist() == [0.0] * 10  # what is there can be read
        t.restart("--cluster", "")
        assert "12 variables are on tasks" in t.server.complaints()
        t.restart()
        assert tasks_of(t)["none", 0]["variables"] == 0
        with open(t.server.errors, "w", encoding="ascii"):
            pass
        t.restart("--cluster", "moon=1")
        assert "/job:ps/task:0 (3), /job:ps/task:1 (3), /job:ps/task:2 (3), /job:ps/task:3 (3)." in t.server.complaints()


def test_what_tells_of_devices_has_another_tag_where_they_are_others(s):
    """A tag is strong: what a client keeps from before a restart is not what it would get now."""
    paths = ("", "variables", "variables?page_size=1", "variables?device=/job:ps/task:3", "variables/w3", "graph", "/v1/models")
    with s.other_server("--cluster", "ps=4") as t:
        t.model = "tagged"
        t.put("", {"placement": {}}).expect(201)
        for i in range(4):
            t.create(f"w{i}", 1.0)
        seen = {path: [] for path in paths}
        for flags in ("ps=4", "ps=2", "", "ps=4"):
            t.restart("--cluster", flags)
            for path in paths:
                seen[path].append(t.get(path).expect(200))
                assert t.get(path, {"If-None-Match": seen[path][-1].headers["etag"]}).status == 304, path
        for path, (first, *others, last) in seen.items():
            for other in others:
                same = first.headers["etag"] == other.headers["etag"]
                assert not same or first.body == other.body, f"{path}: {first}\n{other}"
            assert (first.headers["etag"], first.body) == (last.headers["etag"], last.body), path
        t.patch("", {"labels": {"a": "b"}}, {"If-Match": seen[""][1].headers["etag"]}).expect(200)


def test_wrong_clusters_are_refused_before_anything_is_made(s):
    cases = [("ps", "'ps' is not job=tasks"), ("ps=0", "1 to 1024 tasks (cluster_tasks_max), not '0'"), ("ps=2000", "not '2000'"),
             ("ps=1,ps=2", "job 'ps' is named twice"), ("p/s=1", "a job's name is a letter"),
             ("{}", "there is no task"), ('{"ps": ["h"', "JSON"), ('{"ps": [7]}', "field 'ps[0]'"),
             ('{"ps": {"x": "h:1"}}', "not 'x'"), ('{"ps": ["h\x7f:1"]}', "host:port"), ("x" * 8192, "8191 bytes"),
             ("[" * 8000, "is not job=tasks"), ('{"ps":' + "[" * 8000, "JSON")]
    cases += [("ps=1000", "at most 4096 may be there")]
    for text, words in cases:
        data = os.path.join(s.server.root, "nothing")
        done = subprocess.run([s.server.binary, "--data", data, "--port", "0", "--cpu-devices", "5", "--cluster", text],
                              capture_output=True, timeout=60, check=False)
        said = done.stderr.decode()
        assert done.returncode == 1 and words in said and "cluster" in said, (text[:80], said)
        assert words == "at most 4096 may be there" or not os.path.exists(data), text[:80]


def test_how_large_a_cluster_may_be_is_set(s):
    """At each limit there is one, beyond it there is none; the limit of a request is the server's, too."""
    limits = ("--cluster-jobs-max", "2", "--cluster-tasks-max", "5", "--cluster-devices-max", "10", "--devices-per-request-max", "3")
    with s.other_server("--cluster", "ps=3,worker=2", "--cpu-devices", "2", *limits) as t:
        assert sum(task["devices"] for job in cluster_of(t)["jobs"] for task in job["tasks"]) == 10
        facts = t.get("/v1").expect(200).json["limits"]
        assert [facts[name] for name in ("cluster_jobs_max", "cluster_tasks_max", "cluster_devices_max", "devices_per_request_max")] == [
            2, 5, 10, 3]
        for field in ("available", "colocated_with"):
            names = [f"/job:ps/replica:0/task:0/cpu:{i % 2 if field == 'colocated_with' else i}" for i in range(4)]
            t.post("/v1/devices:place", {field: names[:1] * 3 if field == "colocated_with" else names[:3]}).expect(200)
            t.refuses(400, "INVALID_ARGUMENT", (field, "4", "at most 3 (devices_per_request_max)"), "POST", "/v1/devices:place",
                      {field: names})
        t.model = "placed"
        t.put("", {"placement": {"cluster": {"ps": 4, "worker": 1}}}).expect(201)
        for cluster, words in (({"a": 1, "b": 1, "c": 1}, "2 jobs (cluster_jobs_max)"), ({"ps": 5, "w": 1}, "5 tasks in all its jobs")):
            t.refuses(400, "INVALID_ARGUMENT", words, "PATCH", "", {"placement": {"cluster": cluster}})
    for text, cpus, words in (("ps=3,worker=3", "1", "at most 5 tasks in all its jobs (cluster_tasks_max)"),
                              ("a=1,b=1,c=1", "1", "at most 2 jobs (cluster_jobs_max)"),
                              ("ps=5", "3", "15 devices, at most 10 may be there"),
                              ('{"ps": 6}', "1", "up to 5 tasks (cluster_tasks_max), not 6")):
        done = subprocess.run([s.server.binary, "--data", os.path.join(s.server.root, "large"), "--port", "0", *limits, "--cluster", text,
                               "--cpu-devices", cpus], capture_output=True, timeout=60, check=False)
        assert done.returncode == 1 and words in done.stderr.decode(), (text, done.stderr)


def test_a_file_of_settings_may_have_the_cluster(s):
    path = os.path.join(s.server.root, "settings.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"# four of them\ncluster = {json.dumps({'ps': [f'host-{i}.example:2222' for i in range(200)]})}\ncpu_devices = 2\n")
    with s.other_server("--config", path) as t:
        assert [task["address"] for task in cluster_of(t)["jobs"][0]["tasks"]][199] == "host-199.example:2222"
        facts = t.get("/v1").expect(200).json["limits"]
        assert facts["cpu_devices"] == 2 and facts["cpu_device_threads"] == 0 and "cluster" not in facts
