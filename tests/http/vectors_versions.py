"""Cases of one version of TensorFlow where the service follows the other; openapi and README say which."""

import json

from vectors_case import Skip


def says(case, text):
    return text in json.dumps(case["steps"])


def names_that_differ_in_case(case):
    names = [step.get("name", "") for step in case["steps"] if step["op"] == "create_variable"]
    return len(set(names)) > len({name.lower() for name in names})


# Version of the case, what it is about, and which way the service goes.
OTHER_WAYS = (
    ("1.0", lambda case: says(case, "initialized_value(") and says(case, '"evaluate"'),
     "reading initialized_value has no side effect here, as in 1.15"),
    ("1.15", names_that_differ_in_case, "names that differ in case are different names here, as in 1.0"),
)


def check(case):
    for version, matches, reason in OTHER_WAYS:
        if case.get("versions") == version and matches(case):
            raise Skip(reason)
