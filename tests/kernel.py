"""A kernel of Jupyter's, in which all scripts and notebooks of the reruns run one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

COMPILED = Path(__file__).resolve().parents[1] / "harmony_core" / "_numba.py"
END = "The script ends:"


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
        """Run a script of ours in its folder, without our code, and return what it prints.

        Raises
        ------
        CellExecutionError
            If it raises.
        """
        said = self._run_script(script)
        assert END not in said
        return said

    def end_of_script(self, script: Path, *arguments: str) -> str:
        """Run a script that refuses something, and return the words it ends with.

        Raises
        ------
        CellExecutionError
            If it ends in a traceback.
        """
        return self._run_script(script, *arguments).partition(END)[2].strip()

    def _run_script(self, script: Path, *arguments: str) -> str:
        return self.run(
            "import os, runpy, sys\n"
            f"os.chdir({str(script.parent)!r})\n"
            f"sys.argv = {[script.name, *arguments]!r}\n"
            "try:\n"
            f"    _ = runpy.run_path({script.name!r}, run_name='__main__')\n"
            "except SystemExit as end:\n"
            f"    print({END!r}, end.code)\n"
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
            kernel = Kernel(client)
            # What umap-learn compiles is what the tests before have compiled.
            kernel.run(f"import runpy\nrunpy.run_path({str(COMPILED)!r})['import_umap']()")
            yield kernel
