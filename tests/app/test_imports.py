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
import pyarrow
from streamlit.testing.v1 import AppTest
from harmony_core.jobs.runner import Runner
from pages.ui import garbage, serving
Runner.start = lambda self, delay: None  # the worker's own imports are its own affair
garbage.share_one_heap()
serving._import_parts()
before = set(sys.modules)
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception and not app.error, (app.exception, app.error)
new = sorted(set(sys.modules) - before)
for page in ("data", "export", "diagnostics", "markers", "tune"):
    app.switch_page("pages/" + page + ".py").run()
    assert not app.exception and not app.error, (page, app.exception, app.error)
print(new)
print(pyarrow.default_memory_pool().backend_name)
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
MOST_NEW_MODULES = 10
"""That the first page may still import, once the server is ready; there were 88."""


def test_the_page_process_loads_nothing_heavy_and_next_to_nothing_with_its_first_page(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HARMONY_EXPLORER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    new, pool, heavy = done.stdout.strip().splitlines()[-3:]
    assert heavy == "[]"
    assert pool == "system"  # whose memory goes back with all other
    assert len(ast.literal_eval(new)) <= MOST_NEW_MODULES, new


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
