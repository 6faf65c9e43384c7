"""One page that tells a run from design to methods, without network or script; prints well."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harmony_core.categories import Coded
from harmony_core.design.confounding import check_design
from harmony_core.errors import ExportError
from harmony_core.export.html import Safe, element, image, joined, table
from harmony_core.export.methods import methods_paragraph
from harmony_core.export.run_numbers import as_it_was, run_report
from harmony_core.figures.paper.genes import dots_figure, expression_of
from harmony_core.figures.paper.harmony import convergence_figure
from harmony_core.figures.paper.layouts import evaluation_figure, pair_figure
from harmony_core.io.writing import write_text_whole
from harmony_core.metric_catalog import metric_title
from harmony_core.runs.history import differing, summary
from harmony_core.runs.results import RunResults

REPORT_NAME = "harmony_report.html"

_MOST_LEVELS = 200
_MOST_EVIDENCE = 30
_TOP_MARKERS = 8
_OFF = ("label", "basis", "max_doublet")
"""Settings that are off, not automatic, where they are None."""

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .9rem; }
th, td { border-bottom: 1px solid #d5dae2; padding: .25rem .7rem .25rem 0; text-align: left;
         vertical-align: top; }
th { border-bottom: 2px solid #8a94a3; } td { overflow-wrap: anywhere; min-width: 5.5rem; }
td.number { text-align: right; white-space: nowrap; min-width: 0; }
img { max-width: 100%; } .small { font-size: .85rem; color: #4a5563; }
.verdict { border-left: .5rem solid; padding: .4rem 1rem; margin: 1rem 0; }
.green { border-color: #1b7f4d; } .amber { border-color: #c07800; } .red { border-color: #90000c; }
@media print { body { font-size: 10pt; max-width: none; margin: 0; }
  h1, h2, h3, th { break-after: avoid; } img, tr, .verdict > * { break-inside: avoid; } }
@page { margin: 15mm; }
"""


def write_report(
    results: RunResults,
    path: Path,
    *,
    runs: Sequence[RunResults] = (),
    input_path: str = "",
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write a run's report as one self-contained HTML file.

    Parameters
    ----------
    results
        A finished run.
    path
        The file wanted.
    runs
        Other judged runs of the same dataset, to compare with.
    input_path
        Where the data came from, if that is known.
    origin
        Record of the run, where its results were computed again from a file that holds it: the
        report then tells of the data and the preparation as they were.

    Raises
    ------
    ExportError
        If the run is not finished, or the file can't be written.
    """
    page = report(results, runs=runs, input_path=input_path, origin=origin)
    write_text_whole(Path(path), page)


def report(
    results: RunResults,
    *,
    runs: Sequence[RunResults] = (),
    input_path: str = "",
    origin: Mapping[str, Any] | None = None,
) -> str:
    """Return a run's report as HTML; see `write_report`."""
    if not results.is_finished:
        raise ExportError("This run is not finished, so there is nothing complete to report yet.")
    found, ours = run_report(results), set[str]()
    if origin is not None:
        found, ours = as_it_was(found, origin), set(origin.get("written", {}).get("obs", ()))
        input_path = origin.get("input") or input_path
    title = f"Harmony report: {found['data']['name']}"
    sections = [
        ("Verdict", _verdict(found)),
        ("Design", _design(results, found, ours)),
        ("Preparation", _preparation(found)),
        ("Settings", _settings(found)),
        ("Before and after", _pictures(results)),
        ("Marker genes", _markers(results)),
        ("Diagnostics", _diagnostics(results, found)),
        ("Runs compared", _runs([results, *runs]) if runs else None),
        ("Methods", _methods(results, origin)),
        ("Versions and data", _versions(found, input_path)),
    ]
    body = [element("h1", title)]
    for heading, content in sections:
        if content is not None:
            body += [element("h2", heading), content]
    head = (
        '<meta charset="utf-8">'
        # Nothing may be loaded and nothing run, whatever a name holds.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"{element('title', title)}<style>{_STYLE}</style>"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{joined(body)}</body></html>\n'
    )


def _verdict(found: dict[str, Any]) -> Safe:
    verdict = found["verdict"]
    sentences = [element("p", sentence) for sentence in verdict["sentences"]]
    word = {"green": "Green", "amber": "Amber", "red": "Red"}[verdict["level"]]
    advice = [element("li", advice["sentence"]) for advice in verdict["advice"]]
    parts = [element("strong", word), *sentences]
    if advice:
        parts += [element("p", "What to try:"), element("ol", *advice)]
    return element("div", *parts, class_=f"verdict {verdict['level']}")


def _design(results: RunResults, found: dict[str, Any], ours: set[str]) -> Safe:
    obs, p = results.obs, results.params
    assert obs is not None
    parts: list[Safe] = []
    for name, sizes in found["data"]["batches"].items():
        shown = dict(list(sizes.items())[:_MOST_LEVELS])
        parts.append(table([name, "Cells"], shown.items()))
        if len(sizes) > len(shown):
            parts.append(
                element("p", f"and {len(sizes) - len(shown):,} more levels", class_="small")
            )
    if p.condition:
        parts.append(
            element("p", "The batch variable is a condition, so aligning its levels is a choice.")
        )
    columns = [
        Coded.of(str(name), values.to_numpy())
        for name, values in obs.items()
        if name not in ours
        and not pd.api.types.is_float_dtype(values)
        and 1 < values.nunique() <= _MOST_LEVELS
    ]
    label = None if p.label is None else Coded.of(p.label, obs[p.label].to_numpy())
    for name in p.harmony.batch:
        batch = Coded.of(name, obs[name].to_numpy())
        embedding = results.embedding("before")
        findings = check_design(batch, columns, label=label, embedding=embedding)
        if findings:
            parts.append(element("ul", *(element("li", f.sentence) for f in findings)))
        else:
            parts.append(element("p", f"No other column is tied to {name}."))
    return joined(parts)


def _preparation(found: dict[str, Any]) -> Safe:
    data = found["data"]
    rows = [
        ("Cells kept", f"{data['cells_kept']:,} of {data['cells']:,}"),
        ("Genes kept", f"{data['genes_kept']:,} of {data['genes']:,}"),
        ("Variable genes", data["variable_genes"]),
        ("Dimensions corrected", found["params"]["prepare"]["n_pcs"]),
    ]
    notes = [element("li", note) for note in data["notes"]]
    return joined([table(["What", "How many"], rows), element("ul", *notes)])


def _settings(found: dict[str, Any]) -> Safe:
    rows = []
    for group, values in found["params"].items():
        settings = values if isinstance(values, dict) else {group: values}
        if group == "prepare" and settings["basis"] is not None:
            settings = {k: settings[k] for k in ("basis", "skip_dims")}  # others had no effect
        for name, value in settings.items():
            if name == "given" and value is None:
                continue  # the usual case: Harmony was run
            automatic = "none" if name in _OFF else "automatic"
            shown = automatic if value is None else _plain(value)
            rows.append((group if isinstance(values, dict) else "", name, shown))
    parts = [table(["Group", "Setting", "Value in effect"], rows)]
    harmony = found["harmony"]
    if harmony is None:
        return joined([_made_elsewhere(found["params"]["given"]), *parts])
    for name, levels, theta in zip(
        found["params"]["harmony"]["batch"], harmony["levels"], harmony["theta_b"], strict=True
    ):
        if len(set(theta)) > 1:  # tau lowered it for small batches
            effective = list(zip(levels, theta, strict=True))[:_MOST_LEVELS]
            parts.append(table([name, "Theta in effect"], effective))
    return joined(parts)


def _made_elsewhere(given: str) -> Safe:
    return element(
        "p",
        f"The corrected embedding {given} came with the data from another tool; Harmony was not "
        "run. How it was made is not known here.",
    )


def _plain(setting: Any) -> Any:
    if isinstance(setting, list):
        return ", ".join(f"{s:g}" if isinstance(s, float) else str(s) for s in setting)
    return setting


def _pictures(results: RunResults) -> Safe:
    made = [
        _drawn(
            evaluation_figure, results, "Corrected by batch and by cluster, uncorrected by batch"
        )
    ]
    p = results.params
    for column in [*p.harmony.batch[1:], *([p.label] if p.label else [])]:
        made.append(_drawn(pair_figure, results, f"Before and after by {column}", column=column))
    if results.params.precomputed is None:
        made.append(_drawn(convergence_figure, results, "Objective per iteration"))
    return joined(element("p", picture) for picture in made)


def _drawn(draw: Any, results: RunResults, text: str, **options: Any) -> Safe:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        draw(results, path, **options)
        return image(path.read_bytes(), text)


def _markers(results: RunResults) -> Safe:
    markers, clusters = results.markers("after"), results.clusters("after")
    if not markers or clusters is None:
        return element("p", "These data have no expression values.")
    sizes = np.bincount(np.asarray(clusters))
    rows = [
        (str(i), int(sizes[i]), ", ".join(m.symbols[:_TOP_MARKERS])) for i, m in enumerate(markers)
    ]
    parts = [table(["Cluster", "Cells", "Marker genes, best first"], rows)]
    try:
        expression_of(results)
    except ExportError:  # no expression of them is kept
        return joined(parts)
    parts.append(element("p", _drawn(dots_figure, results, "Marker genes by cluster")))
    return joined(parts)


def _diagnostics(results: RunResults, found: dict[str, Any]) -> Safe:
    parts: list[Safe] = []
    for variable, after in found["metrics"]["after"].items():
        before = found["metrics"]["before"].get(variable, {})
        rows = [
            (metric_title(name), before.get(name), after.get(name)) for name in {**before, **after}
        ]
        parts += [element("h3", variable), table(["Number", "Before", "After"], rows)]
    parts += _evidence(found["verdict"]["evidence"])
    labels = (results.assessment or {}).get("labels", [])
    if labels:
        header = ["Label", "Cells", "Purity lost", "Now among"]
        names = ("name", "cells", "loss", "merged_with")
        lost = [[row[name] for name in names] for row in labels[:_MOST_LEVELS]]
        parts += [element("h3", "Labels"), table(header, lost)]
    return joined(parts)


def _evidence(evidence: Sequence[dict[str, Any]]) -> list[Safe]:
    if not evidence:
        return []
    header = ["Cells of", "Batch", "Now among", "Cells", "Mixed", "Over its limit", "Genes"]
    names = ("name", "batch", "merged_with", "cells", "share", "score")
    rows = [
        [*(row[name] for name in names), ", ".join(row["genes"])]
        for row in evidence[:_MOST_EVIDENCE]
    ]
    parts = [element("h3", "Evidence"), table(header, rows)]
    if len(evidence) > _MOST_EVIDENCE:
        parts.append(element("p", f"and {len(evidence) - _MOST_EVIDENCE} more", class_="small"))
    return parts


def _runs(runs: Sequence[RunResults]) -> Safe:
    names = differing([run.params for run in runs])
    judged = [found for found in (summary(run, names) for run in runs) if found is not None]
    several = len(runs[0].params.harmony.batch) > 1
    numbers = [(variable, name) for variable, of in judged[0]["metrics"].items() for name in of]
    header = [name.rpartition(".")[2] for name in names]
    header += [f"{v}: {metric_title(n)}" if several else metric_title(n) for v, n in numbers]
    rows = [
        [
            *(_plain(value) for value in of["settings"].values()),
            *(of["metrics"].get(variable, {}).get(name) for variable, name in numbers),
            of["level"],
        ]
        for of in judged
    ]
    return table([*header, "Verdict"], rows)


def _methods(results: RunResults, origin: Mapping[str, Any] | None) -> Safe:
    paragraph, references = methods_paragraph(results, origin)
    items = [element("li", reference) for reference in references]
    return joined([element("p", paragraph), element("ol", *items, class_="small")])


def _versions(found: dict[str, Any], input_path: str) -> Safe:
    data = found["data"]
    about = [("Name", data["name"]), ("Fingerprint", data["fingerprint"])]
    about += [("Input", input_path)] if input_path else []
    return joined(
        [
            table(["Data", ""], about),
            table(["Library", "Version"], found["versions"].items()),
        ]
    )
