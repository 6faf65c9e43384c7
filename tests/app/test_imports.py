"""What the page process loads: nothing heavy, and no Streamlit in the core."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("scanpy", "anndata", "sklearn", "umap", "numba", "harmonypy", "faiss", "igraph")

SCRIPT = f"""
import sys
from streamlit.testing.v1 import AppTest
from harmony_core.jobs.runner import Runner
Runner.start = lambda self, delay: None  # the worker's own imports are its own affair
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception and not app.error, (app.exception, app.error)
for page in ("data", "export", "diagnostics", "markers", "tune"):
    app.switch_page("pages/" + page + ".py").run()
    assert not app.exception and not app.error, (page, app.exception, app.error)
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""


def test_the_page_process_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HARMONY_EXPLORER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_core_never_imports_streamlit() -> None:
    for path in sorted((ROOT / "harmony_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [n for n in names if n.split(".")[0] in ("streamlit", "pages")], path


def test_only_one_file_imports_harmonypy() -> None:
    users = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "harmony_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import) and node.names[0].name == "harmonypy"
    ]
    assert users == ["harmony_core/methods/harmony.py"]
