"""The small changes of a module that tests/mutants.py tries: where each may be made, and the source with it."""

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "snn_synth"
COMPARISONS = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
UNSEEN = {"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"}  # of no effect, or no code


class Mutant(NamedTuple):
    """A change of one place of a module, and the module's source with it."""

    module: str
    line: int
    change: str
    source: str
    function: str  # empty outside of any: a constant, which compiled code may hold

    @property
    def name(self) -> str:
        """What it is known by in the list of equivalent ones, whatever its line."""
        return named(self.module, self.function, self.change)


def named(module: str, function: str, change: str) -> str:
    return f"{module}, {function}: {change}"


def changed(node: ast.AST, **fields: object) -> ast.AST:
    node = copy.copy(node)
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield changed(node, ops=[*ops[:i], other(), *ops[i + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS:
            yield changed(node, op=OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            yield changed(node, op=ast.And() if isinstance(op, ast.Or) else ast.Or())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield changed(node, value=not value)
        case ast.Constant(value=int() | float() as value):
            yield changed(node, value=value + 1)
            yield changed(node, value=value - 1)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield changed(node, test=ast.UnaryOp(ast.Not(), test))
    if isinstance(node, ast.AugAssign | ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


def places(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str, int | None, str]]:
    """Each place of a child: its parent, the field, the index in it, and the function in which it lies."""
    for field, value in ast.iter_fields(node):
        if field in UNSEEN and (not isinstance(node, ast.Call) or ast.unparse(node.func) == "zip"):
            continue  # `strict` of a zip is a check on ourselves
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, field, i, function
                if not isinstance(child, ast.Raise | ast.JoinedStr):  # the words of a message are free
                    yield from places(child, child.name if isinstance(child, ast.FunctionDef) else function)


def put(parent: ast.AST, field: str, i: int | None, child: ast.AST) -> ast.AST:
    """Put a child into its place; the one that was there."""
    value = getattr(parent, field)
    if i is None:
        setattr(parent, field, child)
        return value
    value[i], before = child, value[i]
    return before


def text(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]


def made(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Change a tree, one place at a time: line, change and function of what it has now."""
    for parent, field, i, function in list(places(tree)):
        value = getattr(parent, field)
        node = value if i is None else value[i]
        if not (others := list(variants(node))):
            continue
        seen = parent if isinstance(node, ast.Constant) and isinstance(parent, ast.expr) else node
        before = text(seen)
        for other in others:
            put(parent, field, i, other)
            yield node.lineno, f"{before} -> {text(seen if seen is parent else other)}", function
            put(parent, field, i, node)


def mutants(module: str) -> Iterator[Mutant]:
    """All of a module."""
    tree = ast.parse((PACKAGE / module).read_text())
    for line, change, function in made(tree):
        yield Mutant(module, line, change, ast.unparse(ast.fix_missing_locations(tree)), function)


def names(module: str) -> set[str]:
    """By which those of a module are known."""
    tree = ast.parse((PACKAGE / module).read_text())
    return {named(module, function, change) for _, change, function in made(tree)}
