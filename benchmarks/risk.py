"""Does the risk say what happens when a type is missing? On real cells with labels.

    python benchmarks/risk.py FOLDER

FOLDER has labelled h5ad files, as for real_cells.py; only the choosing sets of real_cells.toml are
used. Up to three labels of each set are taken out of a random half of their batches, the rest is
prepared and corrected, and the label's true loss is measured by labels and scikit-learn. The risk
is estimated beforehand, on the data that have the label everywhere. Found and false are counted at
a tenth of the neighbours. Rows:

    with labels   risk of the label itself
    states        largest risk of the states of which at least 80 % carry the label; labels unseen
    peer          what one reads today: the label's purity loss where no batch lacks it
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real_cells import column_of_set
from real_designs import RealDesign, RealSet, designs, is_type, real_sets, words
from real_truth import PURE, LabelledCells
from scipy.stats import spearmanr

from harmony_core import Study
from harmony_core.detector.results import StateRow
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import estimate, stored_risks
from harmony_core.thresholds import RISK_HIGH
from harmony_core.verdict.assessment import Assessment

THETAS = (1.0, 2.0, 8.0)
ESTIMATES = ("with labels", "states", "peer")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labelled h5ad files")
    for option in ("--batch", "--label"):
        parser.add_argument(
            option,
            action="append",
            default=[],
            type=column_of_set,
            metavar="NAME=COLUMN",
            help=f"column of obs with the {option[2:]} in one set; may be repeated",
        )
    parser.add_argument("--json", type=Path, help="write every case to this file")
    options = parser.parse_args()
    cases: list[dict[str, Any]] = []
    sets = real_sets(
        options.folder,
        side="choosing",
        batch_columns=dict(options.batch),
        label_columns=dict(options.label),
    )
    for source in sets:
        cases += compared(source)
        print(f"{len(cases)} cases after {source.name}", file=sys.stderr)
    print(report(cases))
    if options.json:
        options.json.write_text(json.dumps(cases, indent=1) + "\n")


def compared(source: RealSet) -> Iterator[dict[str, Any]]:
    """Compare, for every label taken out of a set and every theta, the estimates with the truth."""
    with tempfile.TemporaryDirectory() as home:
        whole = Study.read(source.read(), batch=source.batch, home=home)
        labels = words(whole.dataset.obs[source.label])
        for design in designs(source, remove=True)[1:]:
            lacking = Study.read(design.read(), batch=source.batch, home=home)
            for theta in THETAS:
                params = RunParams(harmony=HarmonyParams(batch=(source.batch,), theta=(theta,)))
                yield {
                    "set": source.name,
                    "label": design.removed,
                    "theta": theta,
                    "truth": true_loss(lacking, params, design),
                    **estimates(whole, params, design, labels),
                }


def true_loss(lacking: Study, params: RunParams, design: RealDesign) -> float | None:
    """Return what the label truly loses where half of its batches lack it; None if it is rare."""
    Pipeline(lacking.dataset, params).run("correct")
    results = RunResults(lacking.dataset, params)
    obs = results.obs
    assert obs is not None
    labels, batches = words(obs[design.source.label]), words(obs[design.source.batch])
    known = is_type(labels) & is_type(batches)
    before, after = (np.asarray(results.embedding(side))[known] for side in ("before", "after"))
    measured = LabelledCells.of(labels[known], batches[known], before, after)
    return measured.truth().loss.get(design.removed)


def estimates(
    whole: Study, params: RunParams, design: RealDesign, labels: np.ndarray
) -> dict[str, float | None]:
    """Return what the whole data say beforehand of a label that batches will lack."""
    labelled = dataclasses.replace(params, label=design.source.label)
    assessment = assessed(whole, labelled)
    of_label = [r for r in assessment.states if (r.kind, r.name) == ("label", design.removed)]
    peer = [row.loss for row in assessment.labels if row.name == design.removed]
    of_states = states_of(whole, params, design.removed, labels)
    return {
        "with labels": largest_risk(whole, labelled, of_label),
        "states": largest_risk(whole, params, of_states),
        "peer": peer[0] if peer else None,
    }


def assessed(study: Study, params: RunParams) -> Assessment:
    """Return the assessment of a run, computed if need be."""
    Pipeline(study.dataset, params).run("assess")
    assessment = RunResults(study.dataset, params).assessment
    assert assessment is not None
    return assessment


def states_of(study: Study, params: RunParams, label: str, labels: np.ndarray) -> list[StateRow]:
    """Return the states of a run without labels that are one label's to at least 80 %."""
    assessment = assessed(study, params)
    is_label = labels[Pipeline(study.dataset, params).cells] == label
    state = np.asarray(assessment.per_cell["states"][-1])
    return [row for row in assessment.states if is_label[state == row.state].mean() >= PURE]


def largest_risk(study: Study, params: RunParams, rows: Sequence[StateRow]) -> float | None:
    """Return the largest risk of some rows; None where none could be estimated."""
    estimate(study.dataset, [params], rows=rows)
    found = stored_risks(study.dataset, params, rows).values()
    return max((one.fraction for one in found if one.fraction is not None), default=None)


def report(cases: Sequence[dict[str, Any]]) -> str:
    """Return how well each estimate agrees with the truth, as a table."""
    lines = [f"{'':14}{'cases':>6}{'Spearman':>10}{'found':>10}{'false':>10}"]
    for name in ESTIMATES:
        known = [c for c in cases if c["truth"] is not None and c[name] is not None]
        truth, said = (np.array([c[key] for c in known], float) for key in ("truth", name))
        rank = spearmanr(truth, said).statistic if len(known) > 2 else float("nan")
        lost, flagged = truth > RISK_HIGH, said > RISK_HIGH
        found = f"{(lost & flagged).sum()}/{lost.sum()}"
        false = f"{(~lost & flagged).sum()}/{(~lost).sum()}"
        lines.append(f"{name:14}{len(known):6}{rank:10.2f}{found:>10}{false:>10}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
