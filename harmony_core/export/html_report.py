"""The report: one page from design to methods, which prints well (templates/report.html.j2)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harmony_core.categories import MOST_GROUPS
from harmony_core.errors import ExportError, UnfinishedRun
from harmony_core.export.json_report import report_values, with_original_data
from harmony_core.export.methods import methods_paragraph
from harmony_core.export.rendering import render
from harmony_core.figures.paper.genes import dots_figure, expression_of
from harmony_core.figures.paper.harmony import convergence_figure
from harmony_core.figures.paper.layouts import evaluation_figure, pair_figure
from harmony_core.io.writing import write_text_whole
from harmony_core.metric_catalog import metric_title
from harmony_core.of_batch import in_words
from harmony_core.runs.design import design_of_run
from harmony_core.runs.history import differing, summary
from harmony_core.runs.results import RunResults
from harmony_core.runs.tried_advice import advice_outcomes

REPORT_NAME = "harmony_report.html"
Row = tuple[Any, ...]

_MOST_EVIDENCE = 30
_TOP_MARKERS = 8
_OFF = ("label", "basis", "max_doublet")
"""Settings that are off, not automatic, where they are None."""


def write_report(
    results: RunResults,
    path: Path,
    *,
    runs: Sequence[RunResults] = (),
    input_path: str = "",
    original: Mapping[str, Any] | None = None,
) -> None:
    """Write a run's report as one self-contained HTML file.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted.
    runs
        Other assessed runs of the same dataset, to compare with.
    input_path
        Where the data came from, if that is known.
    original
        Record of the run, where its results were computed again from a file that holds it: the
        report then tells of the data and the preparation as they were.

    Raises
    ------
    ExportError
        If the run is not finished, or the file can't be written.
    """
    page = report_page(results, runs=runs, input_path=input_path, original=original)
    write_text_whole(Path(path), page)


def report_page(
    results: RunResults,
    *,
    runs: Sequence[RunResults] = (),
    input_path: str = "",
    original: Mapping[str, Any] | None = None,
) -> str:
    """Return a run's report as HTML; see `write_report`."""
    if not results.is_finished:
        raise UnfinishedRun("report")
    values = report_values(results)
    if original is not None:
        assessment = results.assessment
        judged = () if assessment is None else assessment.notes
        values = with_original_data(values, original, judged)
        input_path = original.get("input") or input_path
    data, verdict, p = values["data"], values["verdict"], results.params
    markers = _markers(results)
    methods, references = methods_paragraph(results, original)
    about = [("Name", data["name"]), ("Fingerprint", data["fingerprint"])]
    return render(
        "report.html",
        title=f"Harmony report: {data['name']}",
        verdict=verdict,
        advice=[f"{a.advice.sentence} {a.sentence}".strip() for a in advice_outcomes(results)],
        data=data,
        most_levels=MOST_GROUPS,
        kept_rows=_kept_rows,
        condition=p.condition,
        design=_design(results),
        n_pcs=values["params"]["prepare"]["n_pcs"],
        precomputed=p.precomputed,
        method=None if p.method is None else p.method.method.title,
        settings=_settings(values["params"]),
        lowered_theta=_lowered_theta(p.harmony.batch, values["harmony"]),
        figures=_figures(results),
        markers=markers,
        dots=_dots(results) if markers else None,
        metrics=_metrics(values["metrics"]),
        evidence=_evidence(verdict["evidence"]),
        labels=_labels(results),
        runs=_runs([results, *runs]) if runs else None,
        methods=methods,
        references=references,
        about=about + ([("Input", input_path)] if input_path else []),
        versions=values["versions"],
    )


def _design(results: RunResults) -> dict[str, list[str]]:
    """Return by batch variable what ties other columns of the data to it, in sentences."""
    tied = design_of_run(results).tied
    return {name: [finding.sentence for finding in found] for name, found in tied.items()}


def _kept_rows(kept: Mapping[str, Sequence[int]]) -> list[Row]:
    return [(level, *cells) for level, cells in kept.items()][:MOST_GROUPS]


def _settings(params: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for group, values in params.items():
        settings = values if isinstance(values, dict) else {group: values}
        if group == "prepare" and settings["basis"] is not None:
            had_effect = ("basis", "skip_dims", "use_dims")
            settings = {k: v for k, v in settings.items() if k in had_effect}
        for name, value in settings.items():
            if name == "given" and value is None:
                continue  # the usual case: Harmony was run
            automatic = "none" if name in _OFF else "automatic"
            in_effect = automatic if value is None else _plain(value)
            rows.append((group if isinstance(values, dict) else "", name, in_effect))
    return rows


def _lowered_theta(
    variables: Sequence[str], harmony: Mapping[str, Any] | None
) -> dict[str, list[Row]]:
    """Return theta in effect by batch variable, where tau lowered it for small batches."""
    if harmony is None:
        return {}
    effective = zip(variables, harmony["levels"], harmony["theta_b"], strict=True)
    return {
        name: list(zip(levels, theta, strict=True))[:MOST_GROUPS]
        for name, levels, theta in effective
        if len(set(theta)) > 1
    }


def _plain(setting: Any) -> Any:
    if isinstance(setting, list):
        if setting and isinstance(setting[0], list):
            return in_words(setting)
        return ", ".join(f"{s:g}" if isinstance(s, float) else str(s) for s in setting)
    return setting


def _figures(results: RunResults) -> dict[str, bytes]:
    """Return figures as PNG by what they show."""
    evaluation = "Corrected by batch and by cluster, uncorrected by batch"
    figures = {evaluation: _png(evaluation_figure, results)}
    p = results.params
    for column in [*p.harmony.batch[1:], *([p.label] if p.label else [])]:
        figures[f"Before and after by {column}"] = _png(pair_figure, results, column=column)
    if p.by_harmony:
        figures["Objective per iteration"] = _png(convergence_figure, results)
    return figures


def _png(draw: Any, results: RunResults, **options: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        draw(results, path, **options)
        return path.read_bytes()


def _markers(results: RunResults) -> list[Row]:
    markers, clusters = results.markers("after"), results.clusters("after")
    if not markers or clusters is None:
        return []
    sizes = np.bincount(np.asarray(clusters)).tolist()
    return [(str(i), sizes[i], ", ".join(m.symbols[:_TOP_MARKERS])) for i, m in enumerate(markers)]


def _dots(results: RunResults) -> bytes | None:
    try:
        expression_of(results)
    except ExportError:  # no expression of them is kept
        return None
    return _png(dots_figure, results)


def _metrics(metrics: Mapping[str, Any]) -> dict[str, list[Row]]:
    rows = {}
    for variable, after in metrics["after"].items():
        before = metrics["before"].get(variable, {})
        names = {**before, **after}
        rows[variable] = [(metric_title(n), before.get(n), after.get(n)) for n in names]
    return rows


def _evidence(evidence: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = ("name", "batch", "merged_with", "cells", "share", "score")
    return [
        (*(row[name] for name in names), ", ".join(row["genes"]))
        for row in evidence[:_MOST_EVIDENCE]
    ]


def _labels(results: RunResults) -> list[Row]:
    labels = () if results.assessment is None else results.assessment.labels
    return [(row.name, row.cells, row.loss, row.merged_with) for row in labels[:MOST_GROUPS]]


def _runs(runs: Sequence[RunResults]) -> tuple[list[str], list[Row]]:
    """Return header and rows of the runs: what differs between them, metrics, verdict."""
    names = differing([run.params for run in runs])
    summaries = [of for of in (summary(run, names) for run in runs) if of is not None]
    several = len(runs[0].params.harmony.batch) > 1
    numbers = [(variable, name) for variable, of in summaries[0]["metrics"].items() for name in of]
    header = [name.rpartition(".")[2] for name in names]
    header += [f"{v}: {metric_title(n)}" if several else metric_title(n) for v, n in numbers]
    rows = [
        (
            *(_plain(value) for value in of["settings"].values()),
            *(of["metrics"].get(variable, {}).get(name) for variable, name in numbers),
            of["level"],
        )
        for of in summaries
    ]
    return [*header, "Verdict"], rows
