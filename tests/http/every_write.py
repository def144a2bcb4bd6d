"""Every write there is, one request for each: what tests of all writes go through."""

import atexit
import os
import re
import shutil
import tempfile

import formats

np = formats.np
ROOT = tempfile.mkdtemp(prefix="tensorkeep-root-")  # of servers that are to do all of them: --checkpoint-root
atexit.register(shutil.rmtree, ROOT)
SAFE = {"Content-Type": "application/vnd.safetensors"}
NPY = {"Content-Type": "application/x-npy"}
ARRAY = np.arange(3, dtype="<f4")
ONE = formats.safetensors_write({"v": ("float32", [3], ARRAY.tobytes())})
with open(os.path.join(ROOT, "one"), "wb") as one:
    one.write(ONE)

# Operation, and what to ask for. Each finds what furnish makes: the variable v, uninitialized u, checkpoint c, savers s and d, optimizer o and moving
# averages e, and changes something.
WRITES = {
    "createModel": ("PUT", "/v1/models/{model}-new", {"seed": 1}, {}),
    "patchModel": ("PATCH", "", {"labels": {"a": "b"}}, {}),
    "deleteModel": ("DELETE", "", None, {}),
    "initializeModel": ("POST", ":initialize", {"only_uninitialized": True}, {}),
    "placeModel": ("POST", ":place", {}, {}),
    "runModel": ("POST", ":run", {"ops": [{"op": "assign_add", "variable": "v", "value": [1, 1, 1]}, {"op": "save", "name": "r",
                                           "variables": ["v"]}], "fetches": {"v": {"variable": "v"}}}, {}),
    "restoreModel": ("POST", ":restore", {"checkpoint": {"name": "c"}}, {}),
    "createVariables": ("POST", "variables", [{"name": "a", "initial_value": 1}, {"name": "b", "initial_value": 2}], {}),
    "putVariable": ("PUT", "variables/new", formats.npy_write(ARRAY), NPY),
    "patchVariable": ("PATCH", "variables/v", {"device": "/cpu:0", "caching_device": "/cpu:0"}, {}),
    "deleteVariable": ("DELETE", "variables/v", None, {}),
    "putValue": ("PUT", "variables/v:value?slice=0:2", [7, 8], {}),
    "initializeVariable": ("POST", "variables/u:initialize", {}, {}),
    "assignVariable": ("POST", "variables/v:assign", {"value": [4, 5, 6]}, {}),
    "assignAddVariable": ("POST", "variables/v:assign_add", {"value": [1, 1, 1]}, {"Prefer": "durability=commit"}),
    "assignSubVariable": ("POST", "variables/v:assign_sub", {"value": [1, 1, 1]}, {}),
    "countUpToVariable": ("POST", "variables/n:count_up_to", {"limit": 9}, {}),
    "assignMovingAverageVariable": ("POST", "variables/v:assign_moving_average", {"value": [0, 0, 0], "decay": 0.5}, {}),
    "putOptimizer": ("PUT", "optimizers/p", {"type": "adam"}, {}),
    "patchOptimizer": ("PATCH", "optimizers/o", {"beta1": 0.5}, {}),
    "deleteOptimizer": ("DELETE", "optimizers/o", None, {}),
    "applyGradients": ("POST", "optimizers/o:apply_gradients", {"gradients": {"v": [1, 1, 1]}}, {}),
    "putAccumulator": ("PUT", "accumulators/b", {"dtype": "float32"}, {}),
    "deleteAccumulator": ("DELETE", "accumulators/a", None, {}),
    "applyGradToAccumulator": ("POST", "accumulators/a:apply_grad", {"gradient": [3, 4]}, {}),
    "takeGradFromAccumulator": ("POST", "accumulators/a:take_grad", {"num_required": 1}, {}),
    "setGlobalStepOfAccumulator": ("POST", "accumulators/a:set_global_step", {"step": 7}, {}),
    "deleteAccumulation": ("DELETE", "optimizers/o/accumulations/k", None, {}),
    "createSlots": ("POST", "optimizers/o:create_slots", {"variables": ["v"]}, {}),
    "putMovingAverages": ("PUT", "moving_averages/f", {"decay": 0.5}, {}),
    "deleteMovingAverages": ("DELETE", "moving_averages/e", None, {}),
    "applyMovingAverages": ("POST", "moving_averages/e:apply", {"variables": ["v"]}, {}),
    "createAverageSlots": ("POST", "moving_averages/e:create_slots", {"variables": ["v"], "tensors": {"x": 1.0}}, {}),
    **{f"scatter{verb.title()}Variable": ("POST", f"variables/v:scatter_{verb}", {"indices": [2, 0, 2], "updates": [2, 3, 4]}, {})
       for verb in ("update", "add", "sub", "mul", "div", "min", "max")},
    **{f"scatterNd{verb.title()}Variable": ("POST", f"variables/v:scatter_nd_{verb}", {"indices": [[2], [0]], "updates": [2, 3]}, {})
       for verb in ("update", "add", "sub")},
    "putValues": ("PUT", "values?create=true", ONE, SAFE),
    "saveCheckpoint": ("POST", "checkpoints", {"name": "d", "variables": ["v", "n"], "global_step": 5}, {}),
    "importCheckpoint": ("PUT", "checkpoints/e", ONE, SAFE),
    "importCheckpointFiles": ("POST", "checkpoints:import", {"name": "e", "path": "one"}, {}),
    "exportCheckpointFiles": ("POST", "checkpoints/c:export", {"path": "c", "format": "npz", "overwrite": True}, {}),
    "patchCheckpoint": ("PATCH", "checkpoints/c", {"pinned": True, "labels": {"a": "b"}}, {}),
    "deleteCheckpoint": ("DELETE", "checkpoints/c", None, {}),
    "putSaver": ("PUT", "savers/t", {"variables": {"x": "v"}}, {}),
    "patchSaver": ("PATCH", "savers/s", {"max_to_keep": 1, "last_checkpoints": ["c"]}, {}),
    "buildSaver": ("POST", "savers/d:build", {}, {}),
    "deleteSaver": ("DELETE", "savers/s", None, {}),
    "saveThroughSaver": ("POST", "savers/s:save", {"name": "d", "global_step": 5}, {}),
    "restoreThroughSaver": ("POST", "savers/s:restore", {"checkpoint": "c"}, {}),
    "restoreCheckpoint": ("POST", "checkpoints/c:restore", {"variables": ["v"]}, {}),
}
WITHOUT_EFFECT = {"createTicket", "placeDevice", "verifyStore", "gatherValue", "verifyCheckpoint"}


def operations():
    """Every operation of the server that is not a look."""
    table = os.path.join(os.path.dirname(__file__), "..", "..", "api", "routes.def")
    with open(table, encoding="utf-8") as file:
        rows = re.findall(r"^ROUTE\((\w+), \"[^\"]*\", (\w+),", file.read(), re.M)
    return {operation for method, operation in rows if method != "GET"}


def furnish(s):
    """What the writes find there."""
    s.put("", {})
    s.make("v", [1, 2, 3])
    s.make("n", 3, "int64")
    s.save("c")
    s.put("savers/s", {})
    s.put("savers/d", {"defer_build": True})
    s.create("u", {"op": "random_normal", "shape": [2]})
    s.put("optimizers/o", {"type": "adam"})
    s.put("moving_averages/e", {"decay": 0.5})
    s.post("optimizers/o:apply_gradients", {"gradients": {"v": [1, 1, 1]}, "accumulate": {"replicas": 2, "key": "k"}})
    s.put("accumulators/a", {"dtype": "float32"})
    s.post("accumulators/a:apply_grad", {"gradient": [1, 2]})
