"""Steps about savers, their checkpoints, and the file `checkpoint` where something here answers to it."""

from vectors_case import np, step

# Names here are tight: no scratch directory of a test, and no spaces.
PATHS = (("${ABS}", "ABS"), (" ", "_"))

# Arguments of save that only mean something for files in a directory.
LATEST_FILENAME = "there is no file `checkpoint` beside checkpoints, whose name one could give"
# What is looked for in the text of an error.
FILES_ONLY = (
    ("'latest_filename' collides with 'save_path'", "no file `checkpoint` lies beside checkpoints that one could be called like"),
    ("Parent directory of", "a name with slashes is a name: there are no directories to make"),
)
STATE_FILE = "the text of a file `checkpoint` comes and goes with archives: tests/unit/api/test_state_file.c"


def checkpoint_name(path):
    """Paths of a test's scratch directory, as names."""
    for text, name in PATHS:
        path = path.replace(text, name)
    return path.lstrip("/")


def model_of(case, name):
    return case.checkpoints.get(name, case.s.model)


def checkpoint(case, path, rest=""):
    """The address of one, in whichever model it was saved."""
    name = checkpoint_name(path)
    return f"/v1/models/{model_of(case, name)}/checkpoints/{name}{rest}"


# --- making --------------------------------------------------------------------------------------

SETTINGS = ("restore_sequentially", "max_to_keep", "keep_checkpoint_every_n_hours", "reshape", "sharded", "allow_empty", "defer_build",
            "pad_step_number")


@step("create_saver")
def create_saver(case, tell):
    fields = {name: tell[name] for name in SETTINGS if name in tell}
    if "var_list" in tell:
        fields["variables"] = tell["var_list"]
    case.outcome(case.s.put(f"savers/{tell['saver']}", fields), tell)


@step("create_saver_from_def")
def create_saver_from_def(case, tell):
    """The same settings, and a list of its own."""
    said = case.s.get(f"savers/{tell['from']}").expect(200).json
    fields = {name: said[name] for name in (*SETTINGS, "variables") if name in said}
    case.s.put(f"savers/{tell['saver']}", fields).expect(201)


@step("set_last_checkpoints")
def set_last_checkpoints(case, tell):
    paths = [checkpoint_name(path) for path in tell["paths"]]
    case.s.patch(f"savers/{tell['saver']}", {"last_checkpoints": paths}).expect(200)


# --- saving and restoring ------------------------------------------------------------------------

@step("save")
def save(case, tell):
    if "latest_filename" in tell:
        return case.leave_out(LATEST_FILENAME)
    for text, reason in FILES_ONLY:
        if text in tell.get("expect_error", {}).get("message_contains", ""):
            return case.leave_out(reason)
    fields = {"name": checkpoint_name(tell["path"])}
    if tell.get("global_step") is not None:
        fields["global_step"] = tell["global_step"]
    reply = case.s.post(f"savers/{tell['saver']}:save", fields)
    if not case.outcome(reply, tell):
        return None
    case.last_saver = tell["saver"]
    case.checkpoints[reply.json["name"]] = case.s.model
    want = checkpoint_name(tell.get("expect_output", reply.json["name"]))
    assert reply.json["name"] == want, f"expected {want}, got {reply.json['name']}"
    return None


@step("restore")
def restore(case, tell):
    source = None
    if tell["path"] is not None:
        name = checkpoint_name(tell["path"])
        source = {"model": model_of(case, name), "name": name}
    case.outcome(case.s.post(f"savers/{tell['saver']}:restore", {"checkpoint": source}), tell)


@step("delete_files")
def delete_files(case, tell):
    assert tell["pattern"].endswith(".*")
    case.s.delete(checkpoint(case, tell["pattern"][:-2])).expect(200)


# --- looking -------------------------------------------------------------------------------------

def names_in(case, path):
    return [tensor["name"] for tensor in case.s.get(checkpoint(case, path)).expect(200).json["tensors"]]


@step("expect_checkpoint_names")
def expect_checkpoint_names(case, tell):
    got = sorted(names_in(case, tell["path"]))
    assert got == sorted(tell["names"]), f"expected {tell['names']}, got {got}"


@step("expect_checkpoint")
def expect_checkpoint(case, tell):
    expect_checkpoint_names(case, {"path": tell["path"], "names": list(tell["tensors"])})
    for name, want in tell["tensors"].items():
        got = case.s.get(checkpoint(case, tell["path"], f":value?tensor={name}")).expect(200).json
        assert (got["dtype"], got["shape"]) == (want["dtype"], want["shape"]), f"{name}: expected {want}, got {got}"
        case.same(np.array(got["data"], got["dtype"]), want["value"], tell, name)


@step("expect_checkpoint_exists")
def expect_checkpoint_exists(case, tell):
    status = case.s.get(checkpoint(case, tell["path"])).status
    assert status == (200 if tell["value"] else 404), f"expected {tell['value']}, got {status}"


@step("expect_last_checkpoints")
def expect_last_checkpoints(case, tell):
    got = case.s.get(f"savers/{tell['saver']}").expect(200).json["last_checkpoints"]
    want = [checkpoint_name(path) for path in tell["paths"]]
    assert got == want, f"expected {want}, got {got}"


@step("expect_latest_checkpoint")
def expect_latest_checkpoint(case, tell):
    """Of a directory: of the model here."""
    reply = case.s.get("checkpoints:latest")
    got = reply.json["name"] if reply.status == 200 else None
    want = None if tell["path"] is None else checkpoint_name(tell["path"])
    assert got == want, f"expected {want}, got {got}"


@step("expect_checkpoint_state")
def expect_checkpoint_state(case, tell):
    """Who saved last has written the file."""
    got = case.s.get(f"savers/{case.last_saver}").expect(200).json["checkpoint_state"]
    want = {"model_checkpoint_path": checkpoint_name(tell["model_checkpoint_path"]),
            "all_model_checkpoint_paths": [checkpoint_name(path) for path in tell["all_model_checkpoint_paths"]]}
    assert got == want, f"expected {want}, got {got}"


@step("generate_checkpoint_state", "update_checkpoint_state", "get_checkpoint_state", "write_file")
def checkpoint_state_file(case, _):
    case.leave_out(STATE_FILE)


# --- inspect_checkpoint and CheckpointReader -----------------------------------------------------

@step("inspect_checkpoint")
def inspect_checkpoint(case, tell):
    reply = case.s.get(checkpoint(case, tell["path"], "?format=text"))
    if case.outcome(reply, tell):
        got = reply.body.decode()
        assert got.rstrip("\n") == tell["expect_output"].rstrip("\n"), f"expected {tell['expect_output']!r}, got {got!r}"


@step("reader_has_tensor")
def reader_has_tensor(case, tell):
    got = tell["name"] in names_in(case, tell["path"])
    assert got == tell["expect_output"], f"expected {tell['expect_output']}, got {got}"


@step("reader_get_tensor")
def reader_get_tensor(case, tell):
    reply = case.s.get(checkpoint(case, tell["path"], f":value?tensor={tell['name']}"))
    if case.outcome(reply, tell):
        case.same(np.array(reply.json["data"], reply.json["dtype"]), tell["expect_output"], tell, tell["name"])
