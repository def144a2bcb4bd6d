"""Reads what `buildah inspect` says of a container: checks it, and prints its environment, a line each."""

import json
import sys

config = json.load(sys.stdin)["Docker"]["config"]
wanted = {"User": "7840:7840", "StopSignal": "SIGTERM", "Entrypoint": ["/usr/bin/tensorkeep"],
          "Volumes": {"/var/lib/tensorkeep": {}}, "ExposedPorts": {"7840/tcp": {}}}
wrong = [f"{name} is {config.get(name)}, not {value}" for name, value in wanted.items() if config.get(name) != value]
if config.get("Healthcheck", {}).get("Test") != ["CMD", "/usr/bin/tensorkeep", "health"]:
    wrong.append(f"Healthcheck is {config.get('Healthcheck')}")
if wrong:
    sys.exit("\n".join(wrong))
print("\n".join(config["Env"]))
