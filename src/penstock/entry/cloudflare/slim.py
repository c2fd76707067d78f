"""Python sources with less to parse: a Worker that starts without a snapshot parses all of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import accumulate

Cut = tuple[int, int, bytes]
"""From where to where, and what stands there instead."""


def slim(source: bytes) -> bytes:
    """The same module without what it never looks at: annotations of functions, and docstrings but those of classes,
    which are the errors' texts. Lines stay where they are, so that a traceback still names them.
    """
    starts = [0, *accumulate(len(line) for line in source.splitlines(keepends=True))]
    made = bytearray(source)
    for start, end, instead in sorted(_cuts(ast.parse(source), source, starts), reverse=True):
        made[start:end] = instead + b"\\\n" * source.count(b"\n", start, end)
    return bytes(made)


def _cuts(tree: ast.AST, source: bytes, starts: list[int]) -> Iterator[Cut]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_arguments(node.args, source, starts)
            if node.returns:
                start, end = _place(node.returns, starts)
                yield _whole(source, source.rindex(b"->", 0, start), start, end)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            for text in filter(_is_text, node.body):
                yield *_place(text, starts), b'""'


def _of_arguments(given: ast.arguments, source: bytes, starts: list[int]) -> Iterator[Cut]:
    for one in (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg):
        if one is not None and one.annotation is not None:
            start, end = _place(one.annotation, starts)
            yield _whole(source, _place(one, starts)[0] + len(one.arg.encode()), start, end)


def _whole(source: bytes, mark: int, start: int, end: int) -> Cut:
    """An annotation from its mark on, with the brackets around it."""
    for _ in range(source.count(b"(", mark, start)):
        end = source.index(b")", end) + 1
    return mark, end, b""


def _place(node: ast.expr | ast.stmt | ast.arg, starts: list[int]) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (
        starts[node.lineno - 1] + node.col_offset,
        starts[node.end_lineno - 1] + node.end_col_offset,
    )


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
