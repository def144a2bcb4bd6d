"""Known-answer cases: steps written for a graph and a session of TensorFlow, said to the server instead.

A step is {"op": …, arguments, expect…}. The function for each `op` stands in a table, STEPS; modules vectors_*.py fill it
with @step("name"), one family of steps each. A handler gets the Case and the step, does what is said and checks what is
expected: it raises AssertionError where the server answers otherwise, Skip where there is nothing to ask it.
"""

import json
import math
import os
import re

import formats

np = formats.np

HERE = os.path.dirname(os.path.abspath(__file__))
KNOWN = os.environ.get("TENSORKEEP_VECTORS") or os.path.join(HERE, "..", "vectors", "known")
STEPS = {}

# Texts of TensorFlow, many of Python's side; what the reply must say instead, and why.
PYTHON_TEXTS = (
    (r"is not a valid scope name", (r"is not a legal variable name",), "a variable opens no name scope here"),
    (r"collections argument to Variable constructor must be a list, tuple, or set", (r"'collections' must be a list",),
     "JSON has one kind of list"),
    (r"Expected (\w+), got (\S+) of type '\w+' instead", (r"\1 expected, got \2",), "JSON has no Python types"),
    (r"Variable (\S+) already exists, disallowed", (r"variable '\1' exists already",), "there is no scope with a reuse flag"),
    (r"Shape of a new variable \((\S+)\) must be fully defined", (r"shape", r"\1|glorot|zeros"), "no get_variable here"),
    (r"Dimension \d+ in both shapes must be equal, but are (\d+) and (\d+)",
     (r"shape \[(.*,)?\1(,.*)?\] expected, the value has \[(.*,)?\2[],]",), "the variable and both shapes are named"),
    (r"Shapes must be equal rank", (r"shape \[.*\] expected, the value has \[",), "likewise"),
    (r"lhs shape= \[([\d,]*)\] rhs shape= \[([\d,]*)\]", (r"shape \[\1\] expected, the value has \[\2\]",), "likewise"),
    (r"Parameters and update must be the same size", (r"shape \[.*\] expected, the value has \[", "do not broadcast"),
     "likewise"),
    (r"Shape mismatch: expected \[([\d,]*)\], got \[([\d,]*)\]", (r"gradient of 'average': .*\[\1\] \[\2\]",),
     "an accumulation has the shape of its variable"),
    (r"sparse_delta is not IndexedSlices", (r"indices",), "JSON has no IndexedSlices: indices are a field"),
)
# Texts about something that is not here at all.
PYTHON_ONLY = (
    ("If initializer is a constant, do not specify shape", "here a shape may stand beside a value and is compared with it"),
    ("is not iterable", "JSON has no iterators"),
)
# What Python-side errors are, other than INVALID_ARGUMENT.
PYTHON_CODES = ((r"already exists, disallowed", "ALREADY_EXISTS"),)


class Skip(Exception):
    """The case asks for something of Python's that has no counterpart over HTTP; the text says what."""


def step(*names):
    """Enters a handler in the table."""
    def enter(function):
        for name in names:
            assert name not in STEPS, name
            STEPS[name] = function
        return function
    return enter


def load(name):
    with open(os.path.join(KNOWN, name), encoding="utf-8") as file:
        return json.load(file)


def said(value):
    """A value of a case as the wire has it: what is not finite is text."""
    if isinstance(value, list):
        return [said(part) for part in value]
    if isinstance(value, dict):
        return {key: said(part) for key, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def brief(reply):
    """A reply on two lines: what was asked and what came."""
    asked = " ".join(line for line in reply.asked.split("\n> ") if not line.startswith("Content-Type"))
    try:
        said_back = f"{reply.code}: {reply.detail}" if reply.status >= 400 else short(str(reply.body))
    except (AssertionError, AttributeError):
        said_back = short(str(reply.body))
    return f"  > {short(asked)}\n  < {reply.status} {said_back}"


def typed(value, dtype):
    """A value of this dtype and no other, as JSON."""
    array = np.array(value)
    return {"dtype": dtype, "shape": list(array.shape), "data": said(array.ravel().tolist())}


def short(value, limit=400):
    text = value if isinstance(value, str) else np.array2string(value, threshold=40) \
        if isinstance(value, np.ndarray) else json.dumps(value)
    return text if len(text) <= limit else text[:limit] + " …"


class Case:
    """One case: models of its own, and what its steps have to remember."""

    def __init__(self, s, case, number):
        self.s, self.case, self.number = s, case, number
        self.models = 0
        self.scope = ""       # prefix of what is created, inside a variable_scope
        self.scratch = 0      # variables that only served to evaluate something
        self.initials = {}    # initial values, as JSON
        self.kept = {}        # values of variables whose last update was refused
        self.tensors = {}     # expressions by name
        self.checkpoints = {}  # name -> the model that it was saved in
        self.last_saver = None
        self.left_out = []    # why, of each step that is
        self.fresh()

    # --- models ---

    def fresh(self, **fields):
        """A new model: TensorFlow's new graph and session."""
        self.models += 1
        self.s.model = f"case-{self.number}-{self.models}"
        self.s.put("", fields).expect(201)

    def leave_out(self, reason):
        """The step asks for something that is not here; the others of its case go on."""
        self.left_out.append(reason)

    # --- what is wanted ---

    def tolerance(self, dtype, step):
        usual = 1e-3 if dtype == "float16" else 1e-6
        tell = {**self.case, **step}
        key = "rtol_float64" if dtype == "float64" and "rtol_float64" in tell else "rtol"
        return tell.get(key, usual), tell.get("atol", usual)

    def same(self, got, want, step, what="value"):
        """`got`, an array or a list of texts, against a value written in a case."""
        if isinstance(got, list) or isinstance(got, str):
            assert got == want, f"{what}: expected {short(want)}, got {short(got)}"
            return
        want = np.array(want)
        assert got.shape == want.shape or got.size == 0 == want.size, \
            f"{what}: expected shape {list(want.shape)}, got {list(got.shape)}"
        if got.dtype.kind in "iub" or want.dtype.kind == "b":
            fine = np.array_equal(got.ravel(), want.ravel())
        else:
            rtol, atol = self.tolerance(str(got.dtype), step)
            fine = np.allclose(got.ravel(), want.ravel(), rtol=rtol, atol=atol, equal_nan=True)
        assert fine, f"{what}: expected {short(want)}, got {short(got)}"

    # --- requests ---

    def read(self, name):
        """The value of a variable: an array, or nested texts."""
        dtype = self.s.info(name)["dtype"]
        if dtype == "string":
            return self.s.value(name)
        if dtype == "bfloat16":
            bits = np.frombuffer(self.s.bytes_of(name), "<u2").astype("<u4") << np.uint32(16)
            return bits.view("<f4").reshape(self.s.info(name)["shape"])
        return self.s.array(name)

    def outcome(self, reply, step):
        """Whether it was accepted; what a step without expect_error must be, and one with it must not."""
        expected = step.get("expect_error")
        if expected is None:
            assert reply.status < 300, f"expected success, got\n{brief(reply)}"
            return True
        for text, reason in PYTHON_ONLY:
            if text in expected.get("message_contains", ""):
                raise Skip(reason)
        assert reply.status >= 400, f"expected an error ({short(expected)}), got\n{brief(reply)}"
        self.is_error(reply, expected)
        return False

    @staticmethod
    def is_error(reply, expected):
        texts = [expected[key] for key in ("message_contains", "message_contains_1_15") if key in expected]
        code = expected.get("code")
        if code is None:
            code = "INVALID_ARGUMENT"
            for pattern, other in PYTHON_CODES:
                if any(re.search(pattern, text) for text in texts):
                    code = other
        assert reply.code == code, f"expected {code}, got\n{brief(reply)}"
        for text in texts:
            if text.rstrip(".") in reply.detail or said_otherwise(text, reply.detail):
                return
        assert not texts, f"expected a detail with '{texts[0]}', got\n{brief(reply)}"

    def attempt(self, expression, dtype=None, shape=None, read=True):
        """The value of an expression, by a variable that has it as its initial value; or the reply that refused it."""
        self.scratch += 1
        name = f"scratch/v{self.scratch}"
        fields = {"name": name, "initial_value": expression, "trainable": False}
        if dtype is not None:
            fields["dtype"] = dtype
        if shape is not None:
            fields["shape"] = shape
        reply = self.s.post("variables", fields)
        if reply.status >= 300:
            return reply
        try:
            reply = self.s.post(":initialize", {"variables": [name]})
            return self.read(name) if reply.status < 300 and read else reply
        finally:
            self.s.delete(f"variables/{name}")

    def evaluate(self, expression, **fields):
        """Likewise, where it has to succeed."""
        got = self.attempt(expression, **fields)
        assert isinstance(got, (np.ndarray, list, str)), f"expected a value of {short(expression)}, got\n{brief(got)}"
        return got

    # --- running ---

    def run(self, steps=None):
        for number, each in enumerate(self.case["steps"] if steps is None else steps):
            handler = STEPS.get(each["op"])
            assert handler is not None, f"no handler for the step '{each['op']}'"
            try:
                handler(self, each)
            except AssertionError as wrong:
                raise AssertionError(f"step {number} {short(each)}\n{wrong}") from None
        if steps is None and len(self.left_out) == len(self.case["steps"]):
            raise Skip(self.left_out[0])
        return self.left_out


def said_otherwise(text, detail):
    """Whether the detail says in words of ours what TensorFlow says in words of Python's."""
    for pattern, words, _ in PYTHON_TEXTS:
        found = re.search(pattern, text)
        if found:
            return all(re.search(found.expand(word), detail) for word in words)
    return False


class Tally:
    """Results of one kind, told at the end."""

    def __init__(self, kind):
        self.kind, self.passed, self.skipped, self.failed = kind, 0, [], []
        self.left_out = []  # steps of cases that passed

    def take(self, name, run):
        try:
            self.left_out += [(name, reason) for reason in run() or []]
            self.passed += 1
        except Skip as skip:
            self.skipped.append((name, str(skip)))
        except (AssertionError, KeyError, IndexError, TypeError, ValueError) as wrong:
            self.failed.append((name, f"{type(wrong).__name__}: {wrong}"))

    def tell(self):
        failed = f", {len(self.failed)} FAILED" if self.failed else ""
        print(f"kind {self.kind}: {self.passed} passed, {len(self.skipped)} skipped{failed}")
        for name, reason in self.skipped:
            print(f"     skipped {name}: {reason}")
        for name, reason in self.left_out:
            print(f"     a step of {name} left out: {reason}")
        assert not self.failed, f"kind {self.kind}\n" + "\n".join(f"* {n}: {text}" for n, text in self.failed)
