"""What a Worker need not parse is gone, and nothing else."""

from __future__ import annotations

import ast

import pytest

from penstock.entry.cloudflare.slim import slim
from penstock.entry.cloudflare.sources import packaged

MODULES = {path: text for path, (name, text) in packaged().items() if name}


class Plain(ast.NodeTransformer):
    """The same by the tree: no annotations of functions, and of docstrings none but a class's says anything."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._quiet(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._quiet(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._quiet(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def _quiet(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module) -> ast.AST:
        for said in node.body:
            if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
                said.value.value = "" if isinstance(said.value.value, str) else said.value.value
        return self.generic_visit(node)


def plain(source: bytes) -> str:
    return ast.dump(Plain().visit(ast.parse(source)))


def lines(source: bytes) -> list[tuple[str, int]]:
    return [
        (type(node).__name__, node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt)
    ]


@pytest.mark.parametrize("path", MODULES)
def test_every_module_does_the_same_on_the_same_lines(path: str) -> None:
    made = slim(MODULES[path])
    assert ast.dump(ast.parse(made)) == plain(MODULES[path])
    assert lines(made) == lines(MODULES[path])


def test_what_a_class_says_of_itself_stays() -> None:
    source = b'class Gone(Exception):\n    """It is gone."""\n    at: int = 0\n    """When."""\n'
    assert slim(source) == source


def test_annotations_of_every_form_are_cut() -> None:
    source = b"""\
async def first(a: int, /, b: (str | None) = "(", *c: "Any", d: dict[str, (int)] = {}, **e: object) -> (
    Callable[[int], str]
    | None  # an answer
):
    def second(self, \xc3\xa9t\xc3\xa9: list[
        int
    ] = []) -> str: return "->"
    return lambda x: second
"""
    made = slim(source)
    assert ast.dump(ast.parse(made)) == plain(source)
    assert made.count(b":") == 3
    assert made.count(b"\n") == source.count(b"\n")


def test_a_function_of_words_alone_stays_one() -> None:
    made = slim(b'def f() -> None:\n    """What.\n\n    Why.\n    """\n\nx = 1\n')
    assert ast.dump(ast.parse(made)) == ast.dump(ast.parse('def f():\n    ""\nx = 1\n'))
    assert lines(made)[1] == ("Assign", 7)
