"""validate_shape: false, at creation and in assign."""


def test_a_variable_without_validated_shape_takes_any(s):
    s.create("v", {"op": "zeros", "shape": [2]}, validate_shape=False)
    s.initialize()
    s.assign("v", [[1, 2, 3]], validate_shape=False)
    assert s.info("v")["shape"] == [1, 3] and s.value("v") == [[1, 2, 3]]
    s.assign("v", 5.0, validate_shape=False)
    assert s.info("v")["shape"] == [] and s.value("v") == 5


def test_assign_checks_the_shape_unless_told(s):
    s.make("w", [1, 2])
    s.refuses(400, "INVALID_ARGUMENT", ("w", "[2]", "[3]"), "POST", "variables/w:assign", {"value": [1, 2, 3]})
    s.assign("w", [1, 2, 3], validate_shape=False)
    assert s.info("w")["shape"] == [3]
    # As TensorFlow: later assigns are checked against the new shape.
    s.refuses(400, "INVALID_ARGUMENT", "w", "POST", "variables/w:assign", {"value": [1, 2]})


def test_the_dtype_never_changes(s):
    s.make("w", [1, 2])
    wrong = {"dtype": "float64", "shape": [2], "data": [1, 2]}
    s.refuses(400, "INVALID_ARGUMENT", ("w", "float32", "float64"), "POST", "variables/w:assign", {"value": wrong})
    s.refuses(400, "INVALID_ARGUMENT", ("w", "float64"), "POST", "variables/w:assign",
              {"value": wrong, "validate_shape": False})


def test_an_old_shape_comes_back_from_a_checkpoint(s):
    s.create("v", {"op": "zeros", "shape": [2]}, validate_shape=False)
    s.initialize()
    s.save("before")
    s.assign("v", [[7.0]], validate_shape=False)
    s.restore("before")
    assert s.info("v")["shape"] == [2] and s.value("v") == [0, 0]
