"""Known answers of TensorFlow: every case of tests/vectors/known whose kind is listed here, each in a fresh model.

A case that asks for something of Python's is left out and told, with the reason; there is no list of ids. TENSORKEEP_VECTORS
names another folder with files of the same form."""

import vectors_accumulators  # noqa: F401  (enters its steps)
import vectors_averages  # noqa: F401
import vectors_case
import vectors_devices  # noqa: F401
import vectors_initializers  # noqa: F401
import vectors_optimizers  # noqa: F401
import vectors_partitions  # noqa: F401
import vectors_random
import vectors_savers  # noqa: F401
import vectors_setters  # noqa: F401
import vectors_updates  # noqa: F401
import vectors_variables  # noqa: F401
import vectors_versions

CASES = vectors_case.load("tf-vectors.json")["cases"]
RANDOM = vectors_case.load("tf-random-vectors.json")


def run_case(s, case, number):
    vectors_versions.check(case)
    return vectors_case.Case(s, case, number).run()


def run_kind(s, kind):
    tally = vectors_case.Tally(kind)
    for number, case in enumerate(CASES):
        if case["kind"] == kind:
            tally.take(case["id"], lambda case=case, number=number: run_case(s, case, number))
    tally.tell()


def run_random(s, part, check):
    tally = vectors_case.Tally(f"random/{part}")
    for number, entry in enumerate(RANDOM[part]):
        tally.take(entry["id"], lambda entry=entry, number=f"{part}-{number}":
                   vectors_random.run_entry(s, number, entry, check))
    tally.tell()


def test_variable(s):
    run_kind(s, "variable")


def test_initial_value(s):
    run_kind(s, "initial_value")


def test_initializer(s):
    run_kind(s, "initializer")


def test_rng(s):
    run_kind(s, "rng")


def test_partition(s):
    run_kind(s, "partition")


def test_device_setter(s):
    run_kind(s, "device_setter")


def test_device_setter_of_both_versions(s):
    """What both do, 1.15's does as 1.0's, which the test above has asked."""
    tally = vectors_case.Tally("device_setter of 1.15")
    for number, case in enumerate(CASES):
        if case["kind"] == "device_setter" and case["versions"] == "1.0-1.15":
            tally.take(case["id"], lambda case=case, number=number: run_case(s, {**case, "versions": "1.15"}, f"{number}-later"))
    tally.tell()


def test_assign(s):
    run_kind(s, "assign")


def test_scatter(s):
    run_kind(s, "scatter")


def test_optimizer(s):
    run_kind(s, "optimizer")


def test_optimizers_beyond_r1(s):
    run_kind(s, "optimizer_beyond")


def test_what_optimizers_refuse(s):
    run_kind(s, "optimizer_error")


def test_slots(s):
    run_kind(s, "slots")


def test_saver(s):
    run_kind(s, "saver")


def test_moving_averages(s):
    run_kind(s, "ema")


def test_accumulator(s):
    run_kind(s, "accumulator")


def test_device(s):
    run_kind(s, "device")


def test_placement(s):
    run_kind(s, "placement")


def test_random_numbers_that_others_printed(s):
    run_random(s, "published", vectors_random.check_published)


def test_random_numbers_of_an_independent_model(s):
    run_random(s, "generated", vectors_random.check_generated)


def test_pairs_of_seeds(s):
    tally = vectors_case.Tally("random/get_seed")
    for number, entry in enumerate(RANDOM["get_seed"]["cases"]):
        tally.take(f"{entry['graph_seed']},{entry['op_seed']}", lambda entry=entry, number=number:
                   vectors_random.run_seed_case(s, number, entry))
    tally.tell()


def test_what_no_request_reaches_is_drawn_by_unit_tests(_):
    """Words of the generator cannot be asked for over HTTP: unit tests have them as rows."""
    rows = vectors_random.unit_rows()
    pairs = RANDOM["box_muller_float"]["cases"]
    for profile in vectors_random.PROFILES:
        row = "{RANDOM_PROFILE_%s, " % profile.upper().replace("-", "_").replace(".", "_")
        for pair in pairs:
            assert row + "0x%s, 0x%s, {0x%s, 0x%s}}" % (pair["x0"], pair["x1"], *pair[profile]) in rows, (profile, pair)
        digests = RANDOM["exhaustive"][profile]
        assert row + ", ".join(f'"{digests[name]}"' for name in ("radius", "sin", "cos")) in rows, (profile, digests)
    print(f"kind random/box_muller_float: {len(pairs)} skipped: words of the generator; in unit tests")
    print(f"kind random/exhaustive: {len(vectors_random.PROFILES)} skipped: all 2^23 words; in unit tests")
