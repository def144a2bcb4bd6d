"""Steps about variables: creating, initializing, reading, assigning, counting, evaluating."""

import re

import vectors_expr
from vectors_case import Skip, brief, np, said, step, typed

# Tensors of TensorFlow's that are attributes here.
PLAIN_INTEGERS = ("num", "depth", "num_rows", "num_columns")
FLOATS = ("float16", "bfloat16", "float32", "float64")


def initial_value(case, tell):
    """The initial value a step names, as JSON; None where it has none."""
    initial = tell.get("initial")
    if initial is None:
        return said(tell.get("value"))
    if initial.get("as_function"):
        return {"op": initial["fn"] + "_initializer", "value": said(initial["value"])}
    if "expr" in initial:
        return vectors_expr.to_json(initial["expr"], case.initials)
    args = {key: part for key, part in initial.items() if key not in ("fn", "as_function")}
    if case.case["kind"] == "device_setter":
        args.setdefault("dtype", tell.get("dtype"))  # which it says of the variable alone
    return function(initial["fn"], args)


def function(name, args):
    """An op by TensorFlow's name with its arguments by theirs, None meaning not given."""
    args = {key: said(part) for key, part in args.items() if part is not None}
    if name == "fill" and "shape" in args:
        args["dims"] = args.pop("shape")
    return {"op": name, **args}


def scoped(case, name, default):
    """The full name; inside a scope even a default one has to be said."""
    if name is None and not case.scope:
        return None
    return case.scope + (name or default)


def create(case, tell, fields, default="Variable"):
    """The reply to creating what a step describes; tf.Variable makes names unique."""
    fields = {"uniquify": True, **fields}
    name = scoped(case, tell.get("name"), default)
    if name is not None:
        fields["name"] = name
    for key in ("dtype", "shape", "trainable", "collections", "validate_shape", "device", "caching_device"):
        if tell.get(key) is not None:
            fields[key] = tell[key]
    if "inner_device" in tell:
        fields["device"] = tell["inner_device"]
    reply = case.s.post("variables", {key: part for key, part in fields.items() if part is not None})
    if reply.status == 201:
        initial = fields.get("initial_value")
        case.initials[reply.json["name"]] = initial if isinstance(initial, dict) else typed(initial, reply.json["dtype"])
    return reply


def node(case, name):
    """A node of the graph."""
    nodes = case.s.get("graph?page_size=1000").expect(200).json["nodes"]
    return next(each for each in nodes if each["name"] == name)


def colocation(case, name):
    """TensorFlow's colocation_groups(): what an op is kept with, by default itself."""
    return ["loc:@" + node(case, name).get("colocated_with", name)]


def initializer_inputs(case, info):
    """What is assigned first, and what that is made of."""
    assign = node(case, info["ops"]["initializer"])
    return [colocation(case, name) for name in assign["inputs"] if name != info["ops"]["variable"]]


CHECKS = {
    "name": lambda case, info: info["name"] + ":0",
    "shape": lambda case, info: info["shape"],
    "dtype": lambda case, info: info["dtype"],
    "trainable": lambda case, info: info["trainable"],
    "collections": lambda case, info: info["collections"],
    "device": lambda case, info: info["device"],
    "read_device": lambda case, info: node(case, info["ops"]["read"]).get("device", ""),
    "initializer_device": lambda case, info: node(case, info["ops"]["initializer"]).get("device", ""),
    "colocation": lambda case, info: colocation(case, info["ops"]["variable"]),
}


def as_expected(case, info, expected):
    for key, want in expected.items():
        if key == "initializer_inputs_colocation":
            assert all(got == want for got in initializer_inputs(case, info)), f"{key}: {initializer_inputs(case, info)}"
            continue
        assert key in CHECKS, f"no check of '{key}'"
        got = CHECKS[key](case, info)
        assert got == want, f"{key}: expected {want}, got {got}"


@step("create_variable")
def create_variable(case, tell):
    fields = {"initial_value": initial_value(case, tell)}
    if tell.get("initial", {}).get("as_function"):
        fields["shape"] = []
    reply = create(case, tell, fields)
    if case.outcome(reply, tell):
        as_expected(case, case.s.info(reply.json["name"]), tell.get("expect", {}))


@step("build_assign")
def build_assign(case, tell):
    """Assigning is an op of the variable's: whatever is around it, it is where the variable is."""
    found = node(case, case.s.info(tell["name"])["ops"]["initializer"])
    assert found["device"] == tell["expect"]["device"], found
    assert ["loc:@" + found["colocated_with"]] == tell["expect"]["colocation"], found


@step("get_variable")
def get_variable(case, tell):
    if tell.get("reuse"):
        raise Skip("reuse=True is a look-up in Python's variable store: here a variable is found by its name, and its "
                   "dtype and shape are read")
    dtype = tell.get("dtype") or "float32"
    initializer = tell.get("initializer")
    if initializer is None:
        initializer = {"fn": "glorot_uniform_initializer" if dtype in FLOATS else "zeros_initializer"}
    fields = {"initial_value": said(initializer), "uniquify": False, "dtype": dtype}
    if isinstance(initializer, dict):
        args = {**initializer, **initializer.get("args", {})}
        fields["initial_value"] = function(args["fn"], {k: v for k, v in args.items() if k not in ("fn", "args")})
    reply = create(case, tell, fields)
    if case.outcome(reply, tell):
        as_expected(case, case.s.info(reply.json["name"]), tell.get("expect", {}))


@step("variable_scope")
def variable_scope(case, tell):
    outer, case.scope = case.scope, f"{case.scope}{tell['name']}/"
    try:
        case.run(tell["steps"])
    finally:
        case.scope = outer


@step("new_graph_and_session")
def new_graph_and_session(case, _):
    case.fresh()


# --- initialization ---

@step("init_all")
def init_all(case, tell):
    case.outcome(case.s.post(":initialize", {}), tell)


@step("init")
def init(case, tell):
    case.outcome(case.s.post(":initialize", {"variables": tell["names"]}), tell)


@step("init_local")
def init_local(case, tell):
    case.outcome(case.s.post(":initialize", {"collection": "local_variables"}), tell)


@step("expect_uninitialized")
def expect_uninitialized(case, tell):
    got = case.s.names("?initialized=false")
    assert got == tell["names"], f"expected {tell['names']}, got {got}"


@step("assert_variables_initialized")
def assert_variables_initialized(case, tell):
    """Reading all of them at once is what a client does."""
    names = tell.get("names")
    if names is None:
        names = case.s.names()
    if not names:
        assert "expect_error" not in tell, "there is nothing that could be uninitialized"
        return
    case.outcome(case.s.get("values?format=safetensors&names=" + ",".join(names)), tell)


@step("is_variable_initialized")
def is_variable_initialized(case, tell):
    got = case.s.info(tell["name"])["initialized"]
    assert got == tell["expect_output"], f"expected {tell['expect_output']}, got {got}"


# --- values ---

@step("expect_value", "expect_all_equal")
def expect_value(case, tell):
    got = case.read(tell["name"])
    want = case.kept.get(tell["name"], tell["value"])
    if tell["op"] == "expect_all_equal":
        want = np.broadcast_to(np.array(want), got.shape)
    case.same(got, want, tell, tell["name"])


@step("expect_values")
def expect_values(case, tell):
    for name, want in tell["values"].items():
        case.same(case.read(name), want, tell, name)


@step("expect_error_on_read")
def expect_error_on_read(case, tell):
    case.outcome(case.s.get(f"variables/{tell['name']}:value"), tell)


@step("expect_shape")
def expect_shape(case, tell):
    got = case.s.info(tell["name"])["shape"]
    assert got == tell["shape"], f"expected shape {tell['shape']}, got {got}"


@step("expect_trainable")
def expect_trainable(case, tell):
    got = case.s.names("?trainable=true")
    assert got == tell["names"], f"expected {tell['names']}, got {got}"


@step("expect_collection")
def expect_collection(case, tell):
    got = case.s.names(f"?collection={tell['name']}")
    assert got == tell["names"], f"expected {tell['names']}, got {got}"


@step("expect_variable_names_include")
def expect_variable_names_include(case, tell):
    missing = sorted(set(tell["names"]) - set(case.s.names()))
    assert not missing, f"expected {missing} too, got {case.s.names()}"


@step("assign", "assign_add", "assign_sub", "load")
def assign(case, tell):
    verb = "assign" if tell["op"] == "load" else tell["op"]
    value = said(tell.get("value"))
    if "fill" in tell:
        value = {"op": "fill", "dims": tell["fill"]["shape"], "value": tell["fill"]["value"]}
    fields = {"value": value}
    if "validate_shape" in tell:
        fields["validate_shape"] = tell["validate_shape"]
    name = tell["name"]
    if case.outcome(case.s.post(f"variables/{name}:{verb}", fields), tell) and "expect_output" in tell:
        case.same(case.read(name), tell["expect_output"], tell, "output")


@step("count_up_to")
def count_up_to(case, tell):
    reply = case.s.post(f"variables/{tell['name']}:count_up_to", {"limit": tell["limit"]})
    if case.outcome(reply, tell) and "expect_output" in tell:
        got = reply.json["value"]
        assert got == tell["expect_output"], f"output: expected {tell['expect_output']}, got {got}"


# --- expressions ---

def check_output(case, got, tell):
    """What `attempt` came to, against expect_error or expect_output."""
    if not isinstance(got, (np.ndarray, list, str)):
        if case.outcome(got, tell):
            raise AssertionError(f"expected a value, got\n{brief(got)}")
        return
    assert "expect_error" not in tell, f"expected an error ({tell.get('expect_error')}), got {got}"
    if "expect_output" in tell:
        case.same(got, tell["expect_output"], tell, "output")
    if "expect_dtype" in tell:
        dtype = str(got.dtype) if isinstance(got, np.ndarray) else "string"
        assert dtype == tell["expect_dtype"], f"dtype: expected {tell['expect_dtype']}, got {dtype}"


@step("evaluate")
def evaluate(case, tell):
    sliced = re.fullmatch(r"([A-Za-z0-9_./]+)\[([-0-9:, .]+)\]", tell["expr"])
    if sliced:
        got = case.s.array(sliced[1], slice=sliced[2].replace(" ", ""))
    else:
        got = case.attempt(vectors_expr.to_json(tell["expr"], case.initials))
    check_output(case, got, tell)


@step("evaluate_fn")
def evaluate_fn(case, tell):
    args = dict(tell["args"])
    dtypes = args.pop("dtypes", None)
    if dtypes:
        for key, dtype in zip([key for key in args if key != "dtype"], dtypes):
            args[key] = args[key] if key in PLAIN_INTEGERS else typed(args[key], dtype)
    if args.get("value", 0) is None:
        got = case.attempt({"op": tell["fn"], **args})
    else:
        got = case.attempt(function(tell["fn"], args))
    check_output(case, got, tell)


@step("expect_relation")
def expect_relation(case, tell):
    for pattern, check in RELATIONS:
        found = re.match(pattern, tell["expr"])
        if found:
            check(case, tell, found)
            return
    left, compare, right = vectors_expr.relation(tell["expr"])
    arrays = {name: case.read(name) for name in vectors_expr.names_in(tell["expr"])}
    if compare == "equal":
        case.same(left(arrays), right(arrays), tell, tell["expr"])
    else:
        fine = {"not_equal": np.any, "less": np.all, "less_equal": np.all, "greater": np.all,
                "greater_equal": np.all}[compare](getattr(np, compare)(left(arrays), right(arrays)))
        assert fine, f"not so: {arrays}"


# Relations told in words: pattern, and a function of case, step and match. Other modules add theirs.
RELATIONS = []
