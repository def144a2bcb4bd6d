"""The training pipeline of docker/pipeline, its services as processes: workers that train in step, one of them killed and started
again, an evaluator that follows the steps and saves, a reader that serves what was saved last."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import session

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STEPS = 60


def copied(folder):
    """What the image has, where it has it: all in one folder."""
    with open(os.path.join(ROOT, "docker", "pipeline", "Dockerfile"), encoding="utf-8") as file:
        lines = re.sub(r"\\\n", " ", file.read()).splitlines()
    *files, place = [line for line in lines if line.startswith("COPY ")][0].split()[1:]
    assert place == "/pipeline/" and "WORKDIR /pipeline" in lines
    for name in files:
        shutil.copy(os.path.join(ROOT, name), folder)


class Services:
    """All of them end with the test."""

    def __init__(self, s, folder):
        self.running, self.s, self.folder = [], s, folder
        self.environment = {**os.environ, "TENSORKEEP_URL": f"http://127.0.0.1:{s.server.port}", "MODEL": "spiral", "STEPS": str(STEPS),
                            "WORKERS": "2", "EVERY": "20", "BIND": "127.0.0.1", "PORT": "0", "PYTHONUNBUFFERED": "1",
                            "OPENBLAS_NUM_THREADS": "1"}

    def start(self, program, **more):
        child = subprocess.Popen([sys.executable, "-B", f"{program}.py"], cwd=self.folder, env={**self.environment, **more}, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=session.die_with_parent)
        self.running.append(child)
        return child

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.running:
            child.kill()
            child.wait()
            child.stdout.close()

    def finish(self, child):
        told, _ = child.communicate(timeout=50 * self.s.patience)
        assert child.returncode == 0, f"exit status {child.returncode}\n{told}"
        return told


def predict(port, x, y):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/?x={x}&y={y}", timeout=10) as reply:
        return json.load(reply)


def test_workers_train_an_evaluator_saves_a_reader_serves(s):
    at = "/v1/models/spiral"
    with tempfile.TemporaryDirectory() as folder, Services(s, folder) as services:
        copied(folder)
        evaluator, reader = services.start("evaluator"), services.start("reader")
        port = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", reader.stdout.readline())[1]
        first, second = services.start("worker", WORKER="first"), services.start("worker", WORKER="second")
        while "global_step" not in s.request("GET", f"{at}/values?prefix=global_step").json.get("values", {}):
            time.sleep(0.05)
        second.send_signal(signal.SIGKILL)
        second.communicate()
        again = services.start("worker", WORKER="second")
        services.finish(first)
        services.finish(again)
        judged = re.findall(r"(spiral-\d+): accuracy ([0-9.]+)", services.finish(evaluator))
        assert s.request("GET", f"{at}/variables/global_step:value").json["data"] == STEPS
        assert judged[-1][0] == f"spiral-{STEPS}" and float(judged[-1][1]) > 0.9, judged
        kept = {c["name"]: c for c in s.request("GET", f"{at}/checkpoints").json["checkpoints"]}
        pinned = [name for name, checkpoint in kept.items() if checkpoint["pinned"]]
        best = max(float(accuracy) for _, accuracy in judged)
        assert len(pinned) == 1 and abs(float(kept[pinned[0]]["labels"]["accuracy"]) - best) < 0.001, kept
        until = time.monotonic() + 20 * s.patience
        while predict(port, 0.5, 0.1)["checkpoint"] != f"spiral-{STEPS}":
            assert time.monotonic() < until, "the reader does not serve the last checkpoint"
            time.sleep(0.1)
        assert predict(port, 0.5, 0.1)["arm"] in (0, 1, 2)
