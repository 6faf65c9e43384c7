"""Kernels in exported scripts: their types are dropped, all else stays."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from harmony_core.export.scripts.untyped import untyped_source
from harmony_core.methods import index_search, neighbors_kernel, umap_kernel


def nearest_of_all(
    points: npt.NDArray[np.float32],
    of: dict[str, npt.NDArray[np.int32]],
    progress: Callable[[float], None] | None = None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Say ``: Any`` here and keep it."""
    count: int = 2  # a comment of the assignment's
    later: int

    # -> None and : int in a comment
    def inner(part: int) -> None:
        wanted: dict[str, int] = {"a: int": part}
        print(wanted, later, count)

    later = 3
    inner(later)
    return of["a"], points


def several_lines(
    first_argument: int, second_argument: int, third_argument: int, fourth_argument: int = 0
) -> None:
    print(first_argument, second_argument, third_argument, fourth_argument)


def with_keyword(*, a: int) -> None:
    print(a)


def test_types_are_dropped_and_nothing_else() -> None:
    assert untyped_source(nearest_of_all) == textwrap.dedent(
        '''\
        def nearest_of_all(points, of, progress = None):
            """Say ``: Any`` here and keep it."""
            count = 2  # a comment of the assignment's

            # -> None and : int in a comment
            def inner(part):
                wanted = {"a: int": part}
                print(wanted, later, count)

            later = 3
            inner(later)
            return of["a"], points'''
    )


def test_a_long_signature_has_an_argument_a_line() -> None:
    assert untyped_source(several_lines).startswith(
        "def several_lines(\n"
        "    first_argument,\n    second_argument,\n    third_argument,\n    fourth_argument = 0,\n"
        "):\n"
    )


def test_functions_stand_two_lines_apart() -> None:
    source = untyped_source(umap_kernel.one_epoch, umap_kernel.forces)
    assert "\n\n\ndef forces(a, b):\n" in source
    assert source.startswith("@numba.njit(parallel=True)\ndef one_epoch(\n    indptr,\n")


def test_keyword_only_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="with_keyword"):
        untyped_source(with_keyword)


@pytest.mark.parametrize("module", [index_search, neighbors_kernel, umap_kernel])
def test_a_kernel_computes_what_ours_computes(module: Any) -> None:
    own = [f for f in ast.parse(inspect.getsource(module)).body if isinstance(f, ast.FunctionDef)]
    for node in own:
        function = getattr(module, node.name)
        (carried,) = ast.parse(untyped_source(getattr(function, "py_func", function))).body
        for part in (*ast.walk(node), *ast.walk(carried)):
            if isinstance(part, ast.arg):
                part.annotation = None
            elif isinstance(part, ast.FunctionDef):
                part.returns, part.decorator_list = None, []
        assert ast.dump(carried) == ast.dump(node)
