"""What docker/ shows of a server is what the server tells: each metric and label that the dashboard and the alerts name."""

import json
import os
import re

import formats

np = formats.np
DOCKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docker")
NAME = re.compile(r"\b(?:tensorkeep|process)_\w+")


def told(s):
    """{metric: labels} of a server that has had every kind of work."""
    s.make("w", [1, 2])
    s.put("optimizers/sgd", {"type": "gradient_descent", "learning_rate": 0.5}).expect(201)
    s.post("optimizers/sgd:apply_gradients", {"gradients": {"w": [1, 1]}}).expect(200)
    s.put_npy("large", np.arange(100_000, dtype="<f4"))
    metrics = {}
    for line in s.get("/metrics").expect(200).body.decode().splitlines():
        found = re.match(r"(\w+)(?:\{(.*)\})? ", line)
        if found and not line.startswith("#"):
            metrics.setdefault(found[1], set()).update(re.findall(r"(\w+)=\"", found[2] or ""))
    return metrics


def expressions():
    """[(PromQL, labels its legend shows)]"""
    with open(os.path.join(DOCKER, "grafana", "dashboards", "tensorkeep.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    shown = [(target["expr"], re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
             for panel in dashboard["panels"] for target in panel["targets"]]
    with open(os.path.join(DOCKER, "prometheus", "alerts.yml"), encoding="utf-8") as file:
        alerts = [(line.split("expr:", 1)[1], []) for line in file if "expr:" in line]
    assert len(shown) > 20 and len(alerts) > 3
    return shown + alerts


def test_the_dashboard_and_the_alerts_name_what_there_is(s):
    metrics = told(s)
    for expression, labels in expressions():
        names = [name for name in NAME.findall(expression) if f'"{name}"' not in expression]
        for name in names:
            assert name in metrics, f"{expression}: there is no {name}"
        for label in labels:
            assert any(label in metrics[name] for name in names), f"{expression}: nothing has the label {label}"
            assert f"by ({label}" in expression or f", {label}" in expression or "by (" not in expression, expression


def test_panels_do_not_lie_over_one_another(s):
    with open(os.path.join(DOCKER, "grafana", "dashboards", "tensorkeep.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
    s.get("/healthz").expect(200)
