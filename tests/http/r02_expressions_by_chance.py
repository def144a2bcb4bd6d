"""Expressions by chance: whatever they are, they are refused in words or give the same elements however they are read."""

import json
import math

import chance

FLAGS = ["--expression-max-bytes", "16m", "--expression-operations-max", "20000000", "--compute-threads", "3"]
VALUE_BYTES = 1 << 22


def read(s, name, part=""):
    return s.get(f"variables/{name}:value?format=raw{part}").expect(200).body


def answered(reply, asked):
    """Nothing that is asked is the server's fault."""
    assert reply.status < 500, f"{json.dumps(asked)}\n{reply}"
    return reply.status < 300


def check_value(s, random, info, asked):
    """Whole and in slices, and once more from the same seeds."""
    whole, shape = read(s, "x"), info["shape"]
    assert len(whole) == math.prod(shape) * chance.SIZES[info["dtype"]], asked
    if shape and whole:
        row = len(whole) // shape[0]
        first = random.randrange(shape[0])
        last = random.randint(first, shape[0])
        assert read(s, "x", f"&slice={first}:{last}") == whole[first * row:last * row], json.dumps(asked)
    if random.random() < 0.3 and answered(s.post("variables/x:initialize", {}), asked):
        assert read(s, "x") == whole, json.dumps(asked)


def attempt(s, chance_of, asked):
    """True when it has become a value."""
    reply = s.post("variables", asked)
    if not answered(reply, asked):
        return False
    info, random = reply.json, chance_of.random
    small = info["dtype"] in chance.SIZES and math.prod(info["shape"]) * chance.SIZES[info["dtype"]] <= VALUE_BYTES
    done = small and answered(s.post("variables/x:initialize", {}), asked)
    if done:
        check_value(s, random, info, asked)
        verb = chance_of.one_of("assign", "assign_add", "assign_sub")
        value = chance_of.expression(2, info["dtype"], info["shape"])
        answered(s.post(f"variables/x:{verb}", {"value": value}), value)
    if random.random() < 0.1:
        s.get("graph").expect(200)
    s.delete("variables/x").expect(200)
    return done


def variables(s):
    s.create("matrix", {"op": "random_normal", "shape": [3, 5]})
    s.create("empty", {"op": "zeros", "shape": [0, 5]})
    s.create("number", 2.5)
    s.create("whole", {"op": "range", "start": 0, "limit": 6})
    s.create("virtual", {"op": "random_uniform", "shape": [2000, 50]}, virtual=True)
    s.create("parts", {"op": "random_uniform", "shape": [9, 5]}, partitioner={"type": "fixed_size", "num_shards": 3})
    s.initialize()
    s.create("later", {"op": "ones", "shape": [3, 5]})
    return ["matrix", "empty", "number", "whole", "virtual", "parts", "parts/part_0", "later", "no such"]


def test_expressions_by_chance_are_refused_or_are_values(s):
    s.model += "_seeded"
    s.put("", {"seed": 5}).expect(201)
    ops = s.get("/v1/ops").expect(200).json["ops"]
    names, done, rounds = variables(s), 0, 150 if s.slow else 600
    for seed in range(rounds):
        made = chance.Chance(seed, ops, names)
        asked = {"name": "x", "initial_value": made.expression(1 + seed % 4), "virtual": seed % 7 == 0}
        done += attempt(s, made, asked)
    assert done > rounds / 8, f"only {done} of {rounds} became values"
