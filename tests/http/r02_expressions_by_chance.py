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


def part(begin, expression):
    return {"op": "slice", "args": [expression], "begin": begin, "size": [2, 3]}


STEPS = {
    "elementwise": lambda a, b: {"op": "maximum", "args": [a, b]},
    "broadcast": lambda a, b: {"op": "minimum", "args": [{"op": "reduce_min", "args": [a], "axis": 0}, b]},
    "in runs": lambda a, b: {"op": "concat", "args": [a] + [part([0, 0], b)] * 7, "axis": 0},
    "in parts": lambda a, b: part([1, 0], {"op": "concat", "args": [a, b, b, b], "axis": 0}),
    "whole": lambda a, b: {"op": "matmul", "args": [{"op": "matmul", "args": [a, b], "transpose_b": True}, b]},
    "rows": lambda a, b: {"op": "add", "args": [{"op": "gather", "args": [a, [1, 0]]}, b]},
}


def test_refs_within_refs_are_not_walked_way_by_way(s):
    """The ways from the root to the leaf double with every level, or worse: no walk may take them one by one."""
    for name, step in STEPS.items():
        levels = 8 if name == "in runs" else 14
        expression = {"op": "random_uniform", "shape": [2, 3], "seed": 1, "id": "r0"}
        for level in range(levels):
            expression = {**step(expression, {"ref": f"r{level}"}), "id": f"r{level + 1}"}
        s.create(name.replace(" ", "_"), expression)
    s.create("many_ways", many_ways(30))
    s.initialize()
    assert s.value("many_ways") == [5] and len(s.info("many_ways")["initialized_with"]) == 1
    s.get("graph?page_size=1000").expect(200)


def many_ways(levels):
    nothing = {"op": "multiply", "args": [{"op": "random_uniform", "shape": [1]}, 0.0]}
    expression = {"op": "add", "args": [nothing, 5.0], "id": "r0"}
    for level in range(levels - 3):
        expression = {"op": "clip_by_value", "args": [expression] + [{"ref": f"r{level}"}] * 2, "id": f"r{level + 1}"}
    return expression
