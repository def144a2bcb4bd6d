"""Without a container engine: compose.yaml and what it mounts are there and are well formed. Wants python3-yaml."""

import json
import pathlib
import sys

import yaml

here = pathlib.Path(__file__).parent
wrong = []
for path in [*here.rglob("*.yaml"), *here.rglob("*.yml")]:
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        wrong.append(f"{path}: {error}")
for path in here.rglob("*.json"):
    json.loads(path.read_text(encoding="utf-8"))

compose = yaml.safe_load((here / "compose.yaml").read_text(encoding="utf-8"))
services, volumes = compose["services"], compose.get("volumes", {})
for name, service in services.items():
    build = service.get("build")
    if build is None and "image" not in service:
        wrong.append(f"{name} has neither an image nor a build")
    if isinstance(build, dict):
        context = (here / build.get("context", ".")).resolve()
        if not (context / build.get("dockerfile", "Dockerfile")).is_file():
            wrong.append(f"{name} is built from a file that is not there")
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith(".") and not (here / source).exists():
            wrong.append(f"{name} mounts {source}, which is not there")
        if not source.startswith((".", "/")) and source not in volumes:
            wrong.append(f"{name} mounts the volume {source}, which is not declared")
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            wrong.append(f"{name} publishes {port} beyond loopback")
    for other in service.get("depends_on", []):
        if other not in services:
            wrong.append(f"{name} depends on {other}, which is no service")
if wrong:
    sys.exit("\n".join(wrong))
print(f"compose: {len(services)} services; ok")
