"""A slice of a variable as an operation of a run, beside others and in its own request."""

import formats
import g01_slices

np = formats.np


def op(verb, name, text, value):
    return {"op": verb, "variable": name, "slice": text, "value": value}


def test_slices_equal_numpys(s):
    verbs = ("assign", "assign_add", "assign_sub")
    for shape in g01_slices.SHAPES + [(300, 70), (90000,)]:
        array = s.make("v" + "x".join(map(str, shape)), np.zeros(shape), "int16")
        name, count = "v" + "x".join(map(str, shape)), 0
        for _, text, random in g01_slices.cases(5, [shape], 12):
            index = g01_slices.as_numpy(text)
            value = random.integers(-99, 99, array[index].shape).astype("<i2")
            verb = verbs[count % 3]
            count += 1
            array[index] = value if verb == "assign" else array[index] + value if verb == "assign_add" else array[index] - value
            literal = {"dtype": "int16", "shape": list(value.shape), "data": value.reshape(-1).tolist()}
            if count % 2:
                s.post(":run", {"ops": [op(verb, name, text, literal)]}).expect(200)
            else:
                s.post(f"variables/{name}:{verb}", {"slice": text, "value": literal}).expect(200)
            assert np.array_equal(s.array(name), array), (shape, text, verb)


def test_operations_see_each_other(s):
    s.make("w", np.zeros((400, 100)))
    done = s.post(":run", {"ops": [op("assign", "w", "3", {"op": "ones", "shape": [100]}),
                                   {"op": "scatter_mul", "variable": "w", "indices": [3], "updates": 5},
                                   op("assign_add", "w", "2:4,99", [1, 1]),
                                   op("assign", "w", "0", {"op": "gather", "args": [{"variable": "w"}, 3]})],
                           "fetches": {"first": {"op": "gather", "args": [{"variable": "w"}, 0]}}}).expect(200).json
    assert done["fetches"]["first"]["data"] == [5.0] * 99 + [6.0]
    assert [result["version"] for result in done["results"]] == [2, 3, 4, 5]
    assert s.value("w", slice="2,97:") == [0, 0, 1]


def test_what_does_not_fit(s):
    s.make("w", np.zeros((4, 3)))
    s.make("flags", [True, False], "bool")
    s.put_raw("text", "string", [1], b"\x01\x00\x00\x00a")
    s.create("unset", dtype="float32", shape=[3])
    for name, verb, text, value, words in (
            ("w", "assign", "0", [1, 2], ("assign to 'w' [0]", "the slice has shape [3], the value has [2]")),
            ("w", "assign", "0:2", 1, ("the slice has shape [2,3], the value has []",)),
            ("w", "assign_add", "0,0", {"dtype": "int32", "shape": [], "data": [1]}, ("dtype float32 expected, the value is int32",)),
            ("w", "assign", "0,0,0", 1, ("slice",)),
            ("w", "assign", "x", 1, ("slice",)),
            ("text", "assign", "0", "b", ("string tensors are written whole",)),
            ("flags", "assign_sub", "0", True, ("no arithmetic",))):
        s.refuses(400, "INVALID_ARGUMENT", words, "POST", f"variables/{name}:{verb}", {"slice": text, "value": value})
    s.refuses(400, "OUT_OF_RANGE", "4", "POST", "variables/w:assign", {"slice": "4", "value": [1, 2, 3]})
    s.refuses(400, "INVALID_ARGUMENT", "validate_shape", "POST", "variables/w:assign",
              {"slice": "0", "value": [1, 2, 3], "validate_shape": False})
    s.refuses(400, "INVALID_ARGUMENT", "slice", "POST", "variables/w:assign", {"slice": 0, "value": [1, 2, 3]})
    s.refuses(409, "FAILED_PRECONDITION", "unset", "POST", "variables/unset:assign", {"slice": "0", "value": 1})
