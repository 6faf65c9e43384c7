"""The sample data in an installation that is not the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harmony_core.store.examples import EXAMPLES

ROOT = Path(__file__).parents[2]

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
INSTALL = """
import sys
from pathlib import Path

sys.path = [path for path in sys.path if Path(path or ".").resolve() != Path(sys.argv[1])]
from harmony_core.store import Store, examples

store = Store(sys.argv[2])
for key, example in examples.EXAMPLES.items():
    print(example.path)
    print(store.dataset(examples.fingerprint(store, key)).n_cells)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a wheel is unpacked that was built from a copy of the project."""
    project, built = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    for name in ("harmony_core", "sample_data"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", BUILD, str(built)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    return built / "site"


def test_a_wheel_holds_all_that_the_core_reads(site: Path) -> None:
    packaged = {
        path.relative_to(ROOT)
        for path in (ROOT / "harmony_core").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in packaged if not (site / path).is_file()} == set()
    assert not (site / "sample_data").exists()


def test_an_installation_finds_the_examples(site: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", INSTALL, str(ROOT), str(tmp_path / "store")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    )
    lines = found.stdout.splitlines()
    assert all(Path(path).is_relative_to(site) for path in lines[::2])
    assert [int(n) for n in lines[1::2]] == [4000, 2400]
    assert len(lines) == 2 * len(EXAMPLES)
