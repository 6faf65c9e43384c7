"""Methods side by side as a page and as JSON (templates/comparison.html.j2)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from harmony_core.export.record import versions
from harmony_core.export.rendering import render
from harmony_core.figures.method_points import method_points
from harmony_core.figures.paper.method_map import method_map_figure
from harmony_core.io.writing import write_text_whole
from harmony_core.runs.method_comparison import SCIB, MethodComparison
from harmony_core.store import Dataset

_HEADINGS = {
    **{"run": "Run", "verdict": "Verdict", "least_mixing": "Least mixing"},
    **{"mean_mixing": "Mean mixing", "ilisi": "iLISI", "worst_state": "Lost most"},
    **{"worst_loss": "Neighbours lost", "merged": "Merged", "seconds": "Seconds"},
    **{"memory_mb": "Memory (MB)", "scib_total": "scIB total", "scib_mixing": "scIB mixing"},
    **{"scib_conservation": "scIB conservation", "problem": "Problem"},
}


def comparison_values(found: MethodComparison, dataset: Dataset) -> dict[str, Any]:
    """Return a comparison as plain JSON values."""
    best = found.answer.best
    return {
        "versions": versions(),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "answer": found.answer.answer,
        "sentences": list(found.sentences),
        "best": None if best is None else best.name,
        "runs": [
            {**row, "settings": each.params.to_dict()}
            for row, each in zip(found.table.to_dict("records"), found.rows, strict=True)
        ],
        "states": found.states.to_dict("records"),
        "notes": list(found.notes),
    }


def write_comparison(found: MethodComparison, dataset: Dataset, path: Path) -> None:
    """Write a comparison as one self-contained HTML file.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    write_text_whole(Path(path), comparison_page(found, dataset))


def comparison_page(found: MethodComparison, dataset: Dataset) -> str:
    """Return a comparison as HTML; see `write_comparison`."""
    return render(
        "comparison.html",
        title=f"Methods compared: {dataset.name}",
        sentences=found.sentences,
        map=_map(found),
        runs=_runs(found),
        scib=any(row.scib for row in found.rows),
        states=_states(found),
        notes=found.notes,
        about=[("Name", dataset.name), ("Fingerprint", dataset.fingerprint)],
        versions=versions(),
    )


def _map(found: MethodComparison) -> bytes | None:
    points = method_points(found)
    if not points:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "map.png")
        method_map_figure(points, path)
        return path.read_bytes()


def _runs(found: MethodComparison) -> tuple[list[str], list[list[Any]]]:
    """Return the table of runs, without columns in which nothing stands."""
    table = found.table.rename(columns=_HEADINGS)[list(_HEADINGS.values())]
    optional = [_HEADINGS[name] for name in (*SCIB, "problem", "merged", "memory_mb")]
    empty = [name for name in optional if (table[name].isna() | (table[name] == "")).all()]
    table = table.drop(columns=empty)
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    return list(table.columns), rows


def _states(found: MethodComparison) -> tuple[list[str], list[list[Any]]]:
    shown = found.answer.shown
    header = ["State", "Cells", *(one.name for one in shown), "Merged by"]
    rows = []
    for state in shown[0].states if shown else ():
        each = [one.by_state.get(state.name) for one in shown]
        merged = [
            one.method
            for one, row in zip(shown, each, strict=True)
            if row is not None and row.outcome == "merged"
        ]
        lost = [None if row is None else row.amount for row in each]
        rows.append([state.name, state.cells, *lost, ", ".join(merged)])
    return header, rows
