"""What is not judged, and what quality control left, is said alike by every way of asking."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from harmony_core.cli import main
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.results import RunResults
from harmony_core.store import Store
from harmony_core.store.ingest import ingest_file
from pages.ui.text import plain

SAID = (
    "Cells kept by quality control in “batch”: ",
    "Not judged (fewer than 30 cells): label “rare”.",
    "Labels of too few cells to be judged: “rarest”",
)


def _words(text: str) -> str:
    return " ".join(text.split())


def test_page_terminal_json_and_report_say_the_same(
    app: AppTest,
    simulated: ad.AnnData,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = simulated.copy()
    types = cells.obs["true_type"].astype(str).to_numpy()
    types[np.flatnonzero(types == "T2")[:24]] = "rare"
    types[np.flatnonzero(types == "T3")[:9]] = "rarest"
    cells.obs["true_type"] = types
    limit = int(np.quantile((cells.X > 0).sum(axis=1).A1, 0.05))
    path, out, report = home / "cells.h5ad", home / "run.h5ad", home / "report.json"
    cells.write_h5ad(path)
    prepare = PrepareParams(min_genes=limit, n_top_genes=150, n_pcs=10)
    params = RunParams(
        harmony=HarmonyParams(batch=("batch",), max_iter=1), prepare=prepare, label="true_type"
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    arguments = ["--batch", "batch", "--label", "true_type", "--max-iter", "1", "--n-pcs", "10"]
    arguments += ["--min-genes", str(limit), "--n-top-genes", "150", "--out", str(out)]
    arguments += ["--home", str(home), "--report", str(report)]
    assert main(["correct", str(path), *arguments]) == 0
    terminal = capsys.readouterr().out
    assert main(["report", str(out), "--out", str(home / "run.html"), "--home", str(home)]) == 0
    written = (home / "run.html").read_text("utf-8")
    page = _words(html.unescape(re.sub(r"<[^>]+>", " ", written)))

    dataset = ingest_file(Store(home), path, name="cells.h5ad")
    results = RunResults(dataset, params)
    assert results.assessment is not None, "the page's settings are another run"
    app.session_state["dataset"] = dataset.fingerprint
    app.session_state["settings"] = {dataset.fingerprint: params.to_dict()}
    app.run()
    assert not app.exception
    on_page = [caption.value for caption in app.caption]

    notes = json.loads(report.read_text("utf-8"))["data"]["notes"]
    for said in SAID:
        (note,) = [n for n in notes if n.startswith(said)]
        assert f"note: {note}" in terminal
        assert _words(note) in page
        assert plain(note, longest=2000) in on_page
    assert all(_words(note) in page for note in results.assessment.notes)
