"""Source of our own functions as exported scripts carry it: without types, and with plain numba."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

_DECORATORS = {
    "parallel": "numba.njit(parallel=True)",
    "fast": "numba.njit(fastmath={'reassoc', 'nsz', 'contract'})",
    "fast_parallel": "numba.njit(fastmath={'reassoc', 'nsz', 'contract'}, parallel=True)",
}
"""What stands in a script for each decorator of the kernels."""

_WIDEST_SIGNATURE = 60
"""Columns beyond which a signature takes several lines."""


def untyped_source(*functions: Callable[..., Any]) -> str:
    """Return functions as source without annotations, their docstrings and comments as they are.

    Raises
    ------
    ValueError
        If a function has keyword-only or variable arguments, which no kernel has.
    """
    return "\n\n".join(_untyped(inspect.getsource(function)) for function in functions).rstrip()


def _untyped(source: str) -> str:
    lines = source.splitlines(keepends=True)
    nodes = [node for node in ast.walk(ast.parse(source)) if hasattr(node, "lineno")]
    # From the end, so that what is replaced leaves the places of the rest as they are.
    for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):
        if isinstance(node, ast.FunctionDef):
            lines[node.lineno - 1 : node.body[0].lineno - 1] = [_signature(node)]
            for decorator in reversed(node.decorator_list):
                lines[decorator.lineno - 1] = f"@{_DECORATORS[ast.unparse(decorator)]}\n"
        elif isinstance(node, ast.AnnAssign):
            after = (
                lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset :].decode()
            )
            lines[node.lineno - 1 : node.end_lineno] = _assignment(node, source, after)
    return "".join(lines)


def _signature(node: ast.FunctionDef) -> str:
    signature, indent = node.args, " " * node.col_offset
    if signature.vararg or signature.kwarg or signature.kwonlyargs or signature.posonlyargs:
        raise ValueError(f"{node.name} has arguments other than plain ones")
    names = [argument.arg for argument in signature.args]
    for place, default in enumerate(signature.defaults, start=len(names) - len(signature.defaults)):
        names[place] += f" = {ast.unparse(default)}"
    arguments = ", ".join(names)
    line = f"{indent}def {node.name}({arguments}):\n"
    if len(line) <= _WIDEST_SIGNATURE:
        return line
    inner = f"\n{indent}    "
    if len(inner + arguments) > _WIDEST_SIGNATURE:
        arguments = f",{inner}".join([*names, ""]).removesuffix(inner)
    return f"{indent}def {node.name}({inner}{arguments}\n{indent}):\n"


def _assignment(node: ast.AnnAssign, source: str, after: str) -> list[str]:
    if node.value is None:
        return []
    target, value = (ast.get_source_segment(source, part) for part in (node.target, node.value))
    return [f"{' ' * node.col_offset}{target} = {value}{after}"]
