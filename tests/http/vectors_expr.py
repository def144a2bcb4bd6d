"""Python expressions over variables, as the cases write them, in the service's JSON; and with numpy, to hold against."""

import ast

import formats

np = formats.np

BINARY = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.FloorDiv: "floordiv",
          ast.Mod: "mod", ast.Pow: "pow", ast.BitAnd: "logical_and", ast.BitOr: "logical_or",
          ast.BitXor: "logical_xor", ast.MatMult: "matmul"}
UNARY = {ast.USub: "negative", ast.Invert: "logical_not", ast.Not: "logical_not"}
COMPARE = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Eq: "equal",
           ast.NotEq: "not_equal"}


def to_json(text, initials=None):
    """'initialized_value(w) * 2.0' -> {"op": "multiply", "args": [{"initialized_value": "w"}, 2.0]}; `initials` are the
    initial values by name that initial_value(w) stands for."""
    return translate(ast.parse(text, mode="eval").body, initials or {})


def op(name, *args, **attributes):
    return {"op": name, "args": list(args), **attributes}


def literal(node):
    """A number, a boolean or nested lists of them; None when the node is none."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, (bool, int, float, list)) else None


def translate(node, initials):
    plain = literal(node)
    if plain is not None:
        return plain
    if isinstance(node, ast.Name):
        return {"variable": node.id}
    if isinstance(node, ast.BinOp):
        return op(BINARY[type(node.op)], translate(node.left, initials), translate(node.right, initials))
    if isinstance(node, ast.UnaryOp):
        return op(UNARY[type(node.op)], translate(node.operand, initials))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return op(COMPARE[type(node.ops[0])], translate(node.left, initials), translate(node.comparators[0], initials))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return call(node, initials)
    raise AssertionError(f"no reading of {ast.unparse(node)}")


def call(node, initials):
    if node.func.id in ("initialized_value", "variable"):
        return {node.func.id: node.args[0].id}
    if node.func.id == "initial_value":
        return initials[node.args[0].id]
    attributes = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
    return op(node.func.id, *[translate(arg, initials) for arg in node.args], **attributes)


def names_in(text):
    """Variables that an expression names."""
    tree = ast.parse(text, mode="eval")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called)


def relation(text):
    """'a == b + 2.0' -> (left, operator, right), each side a function of the variables' arrays."""
    tree = ast.parse(text, mode="eval").body
    assert isinstance(tree, ast.Compare) and len(tree.ops) == 1, f"no relation: {text}"

    def side(part):
        code = compile(ast.Expression(part), "relation", "eval")
        return lambda arrays: np.asarray(eval(code, {"__builtins__": {}}, arrays))  # pylint: disable=eval-used

    return side(tree.left), COMPARE[type(tree.ops[0])], side(tree.comparators[0])
