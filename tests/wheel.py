"""An installation of the project that knows nothing of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
_PROJECT = (
    *("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "requirements.lock"),
    *("app.py", ".streamlit", "lessons", "pages", "harmony_core", "sample_data"),
)


def build_wheel(folder: Path) -> Path:
    """Build a source distribution from a copy of the project, and from that the wheel."""
    project, built = folder / "project", folder / "built"
    built.mkdir()
    project.mkdir()
    for name in _PROJECT:
        if (ROOT / name).is_dir():
            no_code = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, project / name, ignore=no_code)
        else:
            shutil.copy(ROOT / name, project)
    _run([sys.executable, "-c", _BUILD.format("sdist"), str(built)], project)
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source.name.removesuffix(".tar.gz")
    _run([sys.executable, "-c", _BUILD.format("wheel"), str(built)], unpacked)
    (wheel,) = built.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into an environment of its own and return the folder of its commands.

    What the project depends on is taken from the environment of the tests.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python3*/site-packages")
    # Folders that are added so are not searched for further .pth files: the checkout stays unknown.
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    quiet = ["--quiet", "--no-index", "--no-deps", "--ignore-installed"]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *quiet]
    _run([*pip, str(wheel)], folder)
    return python.parent


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
