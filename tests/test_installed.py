"""An installation that is not the checkout."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from harmony_core.store.examples import EXAMPLES
from tests.wheel import ROOT

_EXAMPLES = """
from harmony_core.store import Store, examples
import sys

store = Store(sys.argv[1])
for key, example in examples.EXAMPLES.items():
    print(example.path)
    print(store.dataset(examples.fingerprint(store, key)).n_cells)
"""


def _run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    # Without what makes the tests' own processes find the checkout.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True
    )


def test_a_wheel_holds_all_that_the_core_and_the_pages_read(wheel: Path) -> None:
    def files(folder: str) -> set[Path]:
        found = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        return {path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts}

    dashboard = {Path("app.py"), Path(".streamlit/config.toml"), *files("lessons"), *files("pages")}
    wanted = {*files("harmony_core"), *(Path("harmony_core/dashboard") / p for p in dashboard)}
    with zipfile.ZipFile(wheel) as archive:
        packed = {Path(name) for name in archive.namelist()}
    assert wanted - packed == set()
    assert {path.parts[0] for path in packed if not path.parts[0].endswith(".dist-info")} == {
        "harmony_core"
    }


def test_an_installation_finds_the_examples(commands: Path, tmp_path: Path) -> None:
    found = _run([commands / "python", "-c", _EXAMPLES, tmp_path / "store"], tmp_path)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert all(Path(path).is_relative_to(commands.parent) for path in lines[::2])
    assert [int(n) for n in lines[1::2]] == [4000, 3000, 2400]
    assert len(lines) == 2 * len(EXAMPLES)


def test_an_installation_has_no_packages_of_common_names(commands: Path, tmp_path: Path) -> None:
    for name in ("app", "pages"):
        found = _run([commands / "python", "-c", f"import {name}"], tmp_path)
        assert "ModuleNotFoundError" in found.stderr
