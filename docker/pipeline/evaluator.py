"""The evaluator: watches the steps, saves every so often, and judges what was saved, not what has moved on meanwhile. The best
checkpoint is pinned, so that the saver, which keeps three, never removes it."""

import os

from common import MODEL, STEPS, arrays, connect, wait_for_model
import net

EVERY = int(os.environ.get("EVERY", "50"))


def judge(client, name, where, arms):
    """The accuracy of a checkpoint; it is told as a label, too."""
    at = f"/models/{MODEL}/checkpoints/{name}"
    found = net.accuracy(arrays(client, f"{at}:export?format=npz"), where, arms)
    client.call("PATCH", at, {"labels": {"accuracy": f"{found:.4f}"}})
    print(f"{name}: accuracy {found:.3f}", flush=True)
    return found


def main():
    client, watcher = connect(), connect()
    at = f"/models/{MODEL}"
    since = wait_for_model(client)
    where, arms = net.points(-1 % 2 ** 32)
    best, best_name, saved = -1.0, None, 0
    for change in watcher.changes(MODEL, since):
        if change["event"] not in ("variable.changed", "gap") or change.get("name", "global_step") != "global_step":
            continue
        step = int(client.value(MODEL, "global_step"))
        if step < saved + EVERY and step < STEPS:
            continue
        if saved == 0:  # all the variables there are by now, those of the optimizer too
            client.call("PUT", f"{at}/savers/best", {"max_to_keep": 3})
        saved = step
        name = client.call("POST", f"{at}/savers/best:save", {"name": "spiral", "global_step": {"variable": "global_step"}})["name"]
        found = judge(client, name, where, arms)
        if found > best:
            client.call("PATCH", f"{at}/checkpoints/{name}", {"pinned": True})
            if best_name is not None:
                client.call("PATCH", f"{at}/checkpoints/{best_name}", {"pinned": False})
            best, best_name = found, name
        if step >= STEPS:
            break


if __name__ == "__main__":
    main()
