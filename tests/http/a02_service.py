"""The process: flags, start line, health, catalogues, unknown paths and methods."""

import os
import signal
import socket
import subprocess
import tempfile

OPS = """zeros ones fill constant zeros_like ones_like random_uniform random_normal truncated_normal identity multiply
    add subtract divide negative cast reshape""".split()


def run(s, *flags, **environment):
    return subprocess.run([s.server.binary, *flags], capture_output=True, text=True, timeout=30 * s.patience,
                          env={**os.environ, **environment}, check=False)


def test_health_and_readiness(s):
    s.get("/healthz").expect(200)
    s.get("/readyz").expect(200)
    s.head("/healthz").expect(200)


def test_the_root_tells_version_and_limits(s):
    about = s.get("/v1").expect(200).json
    assert about["version"] and isinstance(about["limits"], dict), about
    assert "max_json_elements" in str(about), about


def test_the_catalogue_of_ops_lists_attributes_and_defaults(s):
    ops = {op["name"]: op for op in s.get("/v1/ops").expect(200).json["ops"]}
    for name in OPS:
        assert name in ops, name
    attributes = {a["name"]: a for a in ops["random_normal"]["attributes"]}
    assert {"shape", "mean", "stddev", "dtype", "seed"} <= set(attributes), attributes
    assert attributes["stddev"]["default"] == 1 and attributes["mean"]["default"] == 0


def bytes_made_by(s, expression):
    s.create("made", expression)
    s.initialize()
    made = s.bytes_of("made")
    s.delete("variables/made").expect(200)
    return made


def test_the_catalogue_tells_defaults_and_bounds_as_they_hold(s):
    """What a row tells as default may be written and means what it means when left out; what is beyond a bound is refused."""
    rows = {op["name"]: {a["name"]: a for a in op["attributes"]} for op in s.get("/v1/ops").expect(200).json["ops"]}
    fewest = {"eye": {"num_rows": 2}, "linspace": {"start": 0.0, "stop": 2.0, "num": 3}, "one_hot": {"args": [[1]], "depth": 2},
              "multinomial": {"args": [[[0.0, 0.0]]], "num_samples": 1, "seed": 1}, "range": {"start": 1, "limit": 4},
              "variance_scaling_initializer": {"shape": [2], "seed": 1}, "constant_initializer": {"shape": [2]},
              "random_uniform": {"shape": [2], "seed": 1}, "random_uniform_initializer": {"shape": [2], "seed": 1}}
    for op, fields in fewest.items():
        plain = {"op": op, **fields}
        wanted = bytes_made_by(s, plain)
        for name, row in rows[op].items():
            if not row["required"] and name not in fields:
                assert bytes_made_by(s, {**plain, name: row["default"]}) == wanted, (op, row)
            for bound, beyond in (("min", -1), ("max", 1)):
                if bound in row and abs(row[bound]) < 2 ** 32:
                    s.refuses(400, "INVALID_ARGUMENT", (), "POST", "variables",
                              {"name": "bad", "initial_value": {**plain, name: row[bound] + beyond}})
    for op, name, default in (("eye", "num_columns", None), ("random_uniform", "minval", 0), ("random_uniform", "maxval", None),
                              ("constant_initializer", "value", 0), ("range", "delta", 1), ("range", "limit", None)):
        assert rows[op][name]["default"] == default, rows[op][name]
    for op, name, least in (("eye", "num_rows", 0), ("eye", "num_columns", 0), ("multinomial", "num_samples", 0),
                            ("linspace", "num", 1), ("one_hot", "depth", 0), ("one_hot", "axis", -1)):
        assert rows[op][name]["min"] == least, rows[op][name]
    assert 0 < rows["variance_scaling_initializer"]["scale"]["min"] < 1e-300


def test_an_unknown_path_is_404(s):
    for path in ("/nothing", "/v2/nothing", "/v1/nothing", "/v1/models/x/y", f"/v1/models/{s.model}/variable/w", "/healthz/x"):
        reply = s.get(path)
        assert reply.status == 404, str(reply)
    s.refuses(404, "NOT_FOUND", "nosuch", "GET", "/v1/models/nosuch")
    s.refuses(404, "NOT_FOUND", "nosuch", "GET", "/v1/models/nosuch/variables/w")
    s.refuses(404, "NOT_FOUND", "nosuch", "POST", "/v1/models/nosuch/variables",
              {"name": "w", "initial_value": {"op": "ones", "shape": [1]}})
    s.refuses(404, "NOT_FOUND", "nosuch", "GET", "variables/nosuch:value")
    s.refuses(404, "NOT_FOUND", "nosuch", "GET", "checkpoints/nosuch")


def test_an_unknown_verb_is_404(s):
    s.make("w", [1])
    for path in ("variables/w:explode", "variables/w:", ":explode", "checkpoints/c:explode"):
        s.refuses(404, "NOT_FOUND", (), "POST", path, {})


def test_a_known_path_with_another_method_is_405_and_says_what_it_allows(s):
    s.make("w", [1])
    for method, path, allowed in (
            ("DELETE", "variables", ("GET", "POST")), ("POST", "variables/w", ("GET", "PUT", "DELETE")),
            ("GET", "variables/w:assign", ("POST",)), ("DELETE", "variables/w:value", ("GET", "PUT")),
            ("PUT", ":initialize", ("POST",)), ("POST", "/v1/models", ("GET",)), ("PUT", "/v1/ops", ("GET",))):
        reply = s.refuses(405, "METHOD_NOT_ALLOWED", (), method, path, {} if method in ("PUT", "POST") else None)
        for name in allowed:
            assert name in [part.strip() for part in reply.headers["allow"].split(",")], str(reply)


def test_head_is_get_without_the_body(s):
    s.make("w", [[1, 2], [3, 4]])
    s.save()
    for path in ("", "variables", "variables/w", "variables/w:value", "variables/w:value?format=npy",
                 "variables/w:value?format=raw", "checkpoints", "checkpoints/c",
                 "checkpoints/c:export?format=safetensors"):
        full, bare = s.get(path).expect(200), s.head(path).expect(200)
        for header in ("content-type", "content-length", "etag", "tensor-shape", "tensor-dtype"):
            assert full.headers.get(header) == bare.headers.get(header), (path, header, str(full), str(bare))
    s.head("variables/nosuch").expect(404)


def test_options_tells_the_methods(s):
    s.make("w", [1])
    reply = s.request("OPTIONS", "variables/w")
    assert reply.status in (200, 204), str(reply)
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert method in reply.headers["allow"], str(reply)


def test_a_connection_serves_many_requests(s):
    s.make("w", [1])
    s.get("variables/w")
    port = s.client.connection.sock.getsockname()[1]
    for _ in range(50):
        s.get("variables/w:value").expect(200)
    s.get("variables/nosuch").expect(404)
    s.put("variables/w:value", [2.0]).expect(200)
    assert s.client.connection.sock.getsockname()[1] == port


def test_help_and_version(s):
    shown = run(s, "--help")
    assert shown.returncode == 0
    for flag in ("--data", "--bind", "--port", "--durability", "--help", "--version"):
        assert flag in shown.stdout, flag
    shown = run(s, "--version")
    assert shown.returncode == 0 and s.get("/v1").json["version"] in shown.stdout


def test_a_bad_setting_is_named_and_nothing_starts(s):
    with tempfile.TemporaryDirectory() as folder:
        for flags, word in ((["--prot", "0"], "port"), (["--port", "65536"], "65536"), (["--port", "x"], "port"),
                            (["--durability", "sometimes"], "sometimes"), (["--port"], "port"),
                            (["--bind", "nonsense address"], "nonsense")):
            ended = run(s, "--data", folder + "/d", *flags)
            assert ended.returncode != 0 and word in ended.stderr and not ended.stdout, ended
        ended = run(s, "--data", folder + "/d", TENSORKEEP_PORT="many")
        assert ended.returncode != 0 and "many" in ended.stderr, ended


def test_settings_come_from_file_and_environment_and_flags_win(s):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("# a comment\nmax_json_elements = 3\n\nidle_timeout_ms = 5000\n")
        file.flush()
        with s.other_server("--config", file.name) as t:
            t.make("w", [1, 2, 3, 4])
            t.get("variables/w:value").expect(413)
        with s.other_server("--config", file.name, "--max-json-elements=4") as t:
            t.make("w", [1, 2, 3, 4])
            t.get("variables/w:value").expect(200)
    os.environ["TENSORKEEP_MAX_JSON_ELEMENTS"] = "2"
    try:
        with s.other_server() as t:
            t.make("w", [1, 2, 3])
            t.get("variables/w:value").expect(413)
    finally:
        del os.environ["TENSORKEEP_MAX_JSON_ELEMENTS"]


def test_a_second_server_on_the_same_data_is_refused(s):
    ended = run(s, "--data", s.server.data, "--port", "0")
    assert ended.returncode != 0 and s.server.data in ended.stderr and not ended.stdout, ended
    s.get("/readyz").expect(200)


def test_a_port_in_use_is_named(s):
    with socket.socket() as taken, tempfile.TemporaryDirectory() as folder:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run(s, "--data", folder + "/d", "--port", port)
        assert ended.returncode != 0 and port in ended.stderr and not ended.stdout, ended


def test_an_address_beyond_loopback_needs_a_word(s):
    with tempfile.TemporaryDirectory() as folder:
        ended = run(s, "--data", folder + "/d", "--port", "0", "--bind", "0.0.0.0")
        assert ended.returncode != 0 and "insecure" in ended.stderr, ended


def test_the_data_folder_is_for_its_owner_alone(s):
    assert os.stat(s.server.data).st_mode & 0o077 == 0


def test_sigterm_and_sigint_end_it_cleanly(s):
    for number in (signal.SIGTERM, signal.SIGINT):
        with s.other_server() as t:
            t.make("w", [1])
            t.disconnect()
            t.server.process.send_signal(number)
            assert t.server.process.wait(30 * t.patience) == 0, t.server.complaints()
            t.server.forget()
