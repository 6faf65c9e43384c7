"""A kernel of Jupyter's, in which all scripts and notebooks of the reruns run one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


class Kernel:
    """Runs code as a user would, but imports libraries, and compiles them, once for all."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client

    def run(self, code: str) -> str:
        """Run a cell and return what it prints.

        Raises
        ------
        CellExecutionError
            If it raises.
        """
        cells = self._client.nb.cells
        cells.append(nbformat.v4.new_code_cell(code))
        done = self._client.execute_cell(cells[-1], len(cells) - 1)
        return "".join(output.get("text", "") for output in done.outputs)

    def run_script(self, script: Path) -> str:
        """Run a script of ours in its folder, without our code."""
        return self.run(
            "import os, runpy, sys\n"
            f"os.chdir({str(script.parent)!r})\n"
            f"sys.argv = [{script.name!r}]\n"
            f"_ = runpy.run_path({script.name!r}, run_name='__main__')\n"
            "assert not any(name.startswith('harmony_core') for name in sys.modules)\n"
        )


@contextmanager
def started_kernel(folder: Path) -> Iterator[Kernel]:
    """Give a kernel that starts in a folder, and end it."""
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("PYTHONWARNINGS", "ignore")
        with client.setup_kernel():
            yield Kernel(client)
