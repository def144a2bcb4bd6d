"""Restores of anything into anything: a twin says what is reported, what is refused and what is left. TENSORKEEP_SEED repeats a
run that failed, another number makes another."""

import copy
import json

import formats
import restore_twin as twin
from update_chance import SEED, Chance, tensor

np = formats.np


def make(s, model):
    """The twin's variables, in the server's model."""
    body, assigned = [], []
    for name, variable in model.items():
        fields = {"name": name, "dtype": variable.dtype, "shape": list(variable.shape)}
        if variable.free:
            fields["validate_shape"] = False
        if not variable.collected:
            fields["collections"] = ["apart"]
        if variable.value is not None:
            assigned.append({"op": "assign", "variable": name, "value": tensor(variable.value, variable.dtype)})
        elif formats.count_of(variable.shape) == 0 and not variable.free:
            variable.value = np.zeros(variable.shape, formats.NUMPY[variable.dtype])
        body.append(fields)
    if body:
        s.post("variables", body).expect(201)
    if assigned:
        s.post(":run", {"ops": assigned}).expect(200)


def check_state(s, model, told):
    listed = {v["name"]: v for v in s.get("variables").expect(200).json["variables"]}
    assert sorted(listed) == sorted(model), told
    for name, variable in model.items():
        about = listed[name]
        assert about["dtype"] == variable.dtype, told
        if variable.value is None:
            assert about["initialized"] is False or formats.count_of(about["shape"]) == 0, f"{told}: {name} has a value"
            continue
        assert about["shape"] == list(variable.value.shape), f"{told}: {name} is {about['shape']}"
        assert s.bytes_of(name) == variable.value.tobytes(), f"{told}: {name}"


def lists(report):
    found = {key: report[key] for key in twin.LISTS}
    found["mismatched"] = [(m["name"], m["tensor"]) for m in found["mismatched"]]
    return found


def expected_lists(found):
    return {**found, "mismatched": [(name, tensor) for name, tensor, _ in found["mismatched"]]}


def check_sides(report, model, tensors):
    for entry in report["mismatched"]:
        variable, array = model[entry["name"]], tensors[entry["tensor"]]
        assert entry["expected"]["dtype"] == variable.dtype and entry["found"]["dtype"] == twin.dtype_of(array)
        assert entry["found"]["shape"] == list(array.shape)
        assert variable.free or entry["expected"]["shape"] == list(variable.shape)


def one(s, chance, number):
    model = twin.model_of(chance)
    tensors = twin.tensors_of(chance, model)
    asked = twin.request_of(chance, model, tensors)
    told = f"seed {SEED}, case {number}: {json.dumps(asked)} of {list(tensors)} into {list(model)}"
    s.model = f"m{number}"
    s.put("", {}).expect(201)
    make(s, model)
    s.put("checkpoints/c", formats.safetensors_of(tensors)).expect(201)
    before, refused, found, goes = copy.deepcopy(model), None, None, []
    try:
        found, goes = twin.plan(model, tensors, asked)
        twin.judge(found, asked)
        twin.apply(model, tensors, goes)
    except twin.Refused as refusal:
        refused = refusal.args
    with s.unchanged():
        rehearsed = s.post("checkpoints/c:restore", {**asked, "dry_run": True})
    real = s.post("checkpoints/c:restore", asked)
    if found is None:
        for reply in (rehearsed, real):
            assert (reply.status, refused[1] in reply.detail) == (refused[0], True), f"{told}: {refused}\n{reply}"
        return
    report = rehearsed.expect(200).json
    assert lists(report) == expected_lists(found), f"{told}: {found}\n{rehearsed}"
    check_sides(report, before, tensors)
    if refused is None:
        assert report["refused"] is None and lists(real.expect(200).json) == expected_lists(found), f"{told}\n{real}"
        check_state(s, model, told)
        return
    assert real.status == refused[0] and refused[1] in real.detail, f"{told}: {refused}\n{real}"
    assert (report["refused"]["status"], report["refused"]["detail"]) == (real.status, real.detail), told
    assert lists(real.json) == {**expected_lists(found), "restored": [], "created": []}, f"{told}\n{real}"
    check_state(s, before, told)


def test_restores_by_chance(s):
    chance = Chance(SEED)
    for number in range(40 if s.slow else 250):
        one(s, chance, number)
