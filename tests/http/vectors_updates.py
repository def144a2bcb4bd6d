"""Steps about updates of variables: assigning at the same time, scatter ops, relations told in words."""

import threading

import vectors_variables
from vectors_case import brief, np, said, step, typed

# --- at the same time ---


def at_once(case, count, body_of):
    """As many clients as requests, all at once; every one must succeed."""
    replies, clients = [None] * count, [case.s.another_client() for _ in range(count)]

    def send(number):
        name, verb, body = body_of(number)
        replies[number] = clients[number].request("POST", case.s.path(f"variables/{name}:{verb}"), body)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for reply in replies:
        assert reply is not None and reply.status < 300, f"expected success, got\n{brief(reply) if reply else 'nothing'}"


def update(tell, number):
    """Name, verb and body of the step to be done by client `number`: "$value" is what parallel_each gives it."""
    fill = tell["do"]["fill"]
    value = tell["values"][number] if fill["value"] == "$value" else fill["value"]
    value = {"op": "fill", "dims": fill["shape"], "value": float(value)}
    return tell["do"]["name"], tell["do"]["op"], {"value": value}


@step("parallel_each")
def parallel_each(case, tell):
    at_once(case, len(tell["values"]), lambda number: update(tell, number))


@step("parallel")
def parallel(case, tell):
    at_once(case, tell["count"], lambda number: update(tell, number))


def one_of_them(case, _, found):
    """An assignment is whole: the last one."""
    array = case.read("p")
    assert (array == array.flat[0]).all() and array.flat[0] in range(1, int(found[1]) + 1), array


def all_of_them(case, _, found):
    """TensorFlow may lose additions that are not locked; here none is lost, whatever is asked for."""
    array = case.read("p")
    assert (array == int(found[1])).all(), array


vectors_variables.RELATIONS.extend([
    (r"all elements equal, and equal to one of 1\.\.(\d+)", one_of_them),
    (r"every element >= 1 and <= (\d+)", all_of_them),
])


# --- scatter ---


@step("scatter_update", "scatter_add", "scatter_sub", "scatter_mul", "scatter_div", "scatter_min", "scatter_max",
      "scatter_nd_update", "scatter_nd_add", "scatter_nd_sub")
def scatter(case, tell):
    """Refused, it changes nothing at all: TensorFlow's kernels have done the rows before the bad index by then, and cases
    record that. What the variable is from there on is kept for expect_value."""
    name, info = tell["name"], case.s.info(tell["name"])
    indices = tell["indices"]
    if "indices_dtype" in tell:
        indices = typed(np.array(indices, tell["indices_dtype"]).tolist(), tell["indices_dtype"])
    elif np.array(indices).size == 0:
        indices = {"dtype": "int32", "shape": list(np.array(indices).shape), "data": []}
    before = case.read(name) if info["initialized"] else None
    reply = case.s.post(f"variables/{name}:{tell['op']}", {"indices": indices, "updates": said(tell["updates"])})
    if case.outcome(reply, tell):
        case.kept.pop(name, None)
        if "expect_output" in tell:
            case.same(case.read(name), tell["expect_output"], tell, "output")
    elif before is not None:
        assert np.array_equal(case.read(name), before), f"refused, and yet {name} is {case.read(name)}"
        case.kept[name] = before.tolist()
    else:
        assert not case.s.info(name)["initialized"], f"refused, and yet {name} is initialized"


@step("variable.scatter_sub")
def scatter_sub_of_a_tensor(case, tell):
    """A tensor where Python wants IndexedSlices: updates without indices."""
    case.outcome(case.s.post(f"variables/{tell['name']}:scatter_sub", {"updates": said(tell["value"])}), tell)
