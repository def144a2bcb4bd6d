"""Device specifications written a second time, as plainly as possible: what v02 holds the server against."""

FIELDS = ("job", "replica", "task", "device_type", "device_index")
NUMBERS = {"replica", "task", "device_index"}


class Refused(Exception):
    """Python's ValueError, with its words."""


def number(text):
    """int() of Python 2: blanks of ASCII around it, a sign, digits."""
    stripped = text.strip(" \t\n\r\v\f")
    digits = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    if not digits or set(digits) - set("0123456789"):
        raise Refused(f"invalid literal for int() with base 10: {text!r}")
    return int(stripped)


def read(text):
    """The parts that are given, by name."""
    out = {}
    for part in text.split("/"):
        name, *values = part.split(":")
        kind = None
        if name in ("job", "replica", "task") and len(values) == 1:
            out[name] = number(values[0]) if name in NUMBERS else values[0]
        elif name.lower() in ("cpu", "gpu") and len(values) < 2:
            kind = [name.upper(), *values]
        elif name == "device" and len(values) == 2:
            kind = values
        elif name:
            raise Refused(f"Unknown attribute: '{name}' in '{text}'")
        if kind:
            if "device_type" in out:
                raise Refused(f"Cannot specify multiple device types: {text}")
            out["device_type"] = kind[0]
            if kind[1:] and kind[1] != "*":
                out["device_index"] = number(kind[1])
    return out


def text_of(parts):
    words = [f"/{name}:{parts[name]}" for name in ("job", "replica", "task") if name in parts]
    if "device_type" in parts:
        words.append(f"/device:{parts['device_type']}:{parts.get('device_index', '*')}")
    return "".join(words)


def canonical(scopes):
    """Of texts, outer to inner; None hides what is around it."""
    out = {}
    for scope in scopes:
        out = {} if scope is None else {**out, **read(scope)}
    return text_of(out)


def any_text(chance):
    """A specification, or something near one."""
    if chance.random() < 0.1:
        return "".join(chance.choice("/:*cpugj-+ 019é\"'\\") for _ in range(chance.randrange(30)))
    names = ("job", "replica", "task", "cpu", "GPU", "device", "device:TPU", "device:CPU", "Job", "tpu", "", "cpu:1", "gPu")
    values = ("a", "ps", "0", "1", "12", "*", "", " 7 ", "+3", "-2", "x", "a_b", "é", "007", "1_0", "it's", '"\'', "\t4\n", "2147483647")
    parts = []
    for _ in range(chance.randrange(1, 5)):
        name, count = chance.choice(names[:8] if chance.random() < 0.9 else names), chance.choice((1, 1, 1, 1, 0, 2))
        parts.append(":".join([name, *(chance.choice(values[:7] if chance.random() < 0.7 else values) for _ in range(count))]))
    return chance.choice(("/", "/", "/", "", "//")) + "/".join(parts) + chance.choice(("", "", "/"))
