"""Cases of one version of TensorFlow where the service follows the other, and what it refuses beyond both."""

import json

from vectors_case import Skip


def says(case, text):
    return text in json.dumps(case["steps"])


def names_that_differ_in_case(case):
    names = [step.get("name", "") for step in case["steps"] if step["op"] == "create_variable"]
    return len(set(names)) > len({name.lower() for name in names})


def names_that_proxies_resolve(case):
    names = [step.get("name") or "" for step in case["steps"] if "expect_error" not in step]
    return any(part in ("", ".", "..") for name in names if "/" in name for part in name.split("/"))


# Version of the case (None: any), what it is about, and which way the service goes.
OTHER_WAYS = (
    ("1.0", lambda case: says(case, "initialized_value(") and says(case, '"evaluate"'),
     "reading initialized_value has no side effect here, as in 1.15"),
    ("1.0", lambda case: says(case, "assign() has not been implemented for PartitionedVariable"),
     "a partitioned variable is assigned as a whole here, as in 1.15"),
    (None, names_that_proxies_resolve, "names with segments that are empty, . or .. are refused: proxies resolve them"),
    ("1.15", names_that_differ_in_case, "names that differ in case are different names here, as in 1.0"),
)


def check(case):
    for version, matches, reason in OTHER_WAYS:
        if version in (None, case.get("versions")) and matches(case):
            raise Skip(reason)
