"""A run as tables: CSV for people and spreadsheets, Parquet for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.detector.results import StateRow
from harmony_core.errors import ParameterError, UnfinishedRun
from harmony_core.io.writing import made_folder, written_whole
from harmony_core.params import RunParams
from harmony_core.runs.history import differing, summary
from harmony_core.runs.plan import SIDES
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import run_risks
from harmony_core.runs.tried_advice import AdviceOutcome
from harmony_core.verdict.assessment import Assessment, Numbers
from harmony_core.verdict.evidence import Evidence
from harmony_core.verdict.risk import Risk, theta_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes text that starts with one of these for a formula, or drops it."""


def run_tables(results: RunResults) -> dict[str, pd.DataFrame]:
    """Return a finished run as tables.

    Returns
    -------
    ``embedding`` (where there is one), ``layouts``, ``clusters`` and ``cells`` (measures) have a
    row a cell, with the cell's name as index; ``metrics`` a row a batch variable and number;
    ``markers`` a row a gene of a cluster; ``evidence`` a row a finding of the verdict; ``states`` a
    row a label or state and what became of it; ``objective`` a row an iteration, where Harmony was
    run.

    Raises
    ------
    ExportError
        If the run is not finished.
    """
    assessment, obs = results.assessment, results.obs
    if not results.is_finished or assessment is None or obs is None:
        raise UnfinishedRun("write")
    cells = pd.Index(obs.index.astype(str), name="cell")
    tables = {
        **_embedding(results, cells),
        "layouts": _layouts(results, cells),
        "clusters": _clusters(results, cells),
        "cells": _measures(results, cells),
        "metrics": metrics_table(assessment.metrics),
        "markers": _markers(results),
        "evidence": evidence_table(assessment.verdict.evidence),
        "states": states_table(assessment, run_risks(results)),
    }
    if results.harmony is not None:
        objective = results.harmony["objective"]
        tables["objective"] = pd.DataFrame(
            {"iteration": range(len(objective)), "objective": objective}
        )
    return tables


def states_table(
    assessment: Assessment, risks: Mapping[StateRow, Risk] | None = None
) -> pd.DataFrame:
    """Return what became of labels and states as a table.

    Parameters
    ----------
    assessment
        Of the run.
    risks
        Of the rows whose risk was estimated; without any the table has no column ``risk``.

    Returns
    -------
    The fields of `StateRow`, and ``risk``.
    """
    states = assessment.states
    names = [field.name for field in fields(StateRow) if field.name != "genes"]
    rows = [
        {**{name: getattr(row, name) for name in names}, "genes": ", ".join(row.genes)}
        for row in states
    ]
    table = pd.DataFrame(rows, columns=[*names, "genes"])
    table["mixing"] = table["mixing"].astype(np.float64)
    if risks:
        fractions = [risks[row].fraction if row in risks else None for row in states]
        table["risk"] = np.asarray(fractions, dtype=np.float64)
    return table


def risk_table(results: RunResults, runs: Sequence[RunParams]) -> pd.DataFrame:
    """Return the risks that the store has as a table.

    Parameters
    ----------
    results
        The run whose labels or states they are.
    runs
        Settings, which differ from the run's by theta.

    Returns
    -------
    A row for each setting and each label or state that was estimated at it.
    """
    rows = [
        {"theta": theta_text(params), **asdict(one)}
        for params in runs
        for one in run_risks(results, params).values()
    ]
    table = pd.DataFrame(rows, columns=["theta", *(field.name for field in fields(Risk))])
    return table.astype({"fraction": "float64"})


def advice_table(outcomes: Sequence[AdviceOutcome]) -> pd.DataFrame:
    """Return advice and what it did to the data as a table.

    Parameters
    ----------
    outcomes
        From `harmony_core.runs.tried_advice.advice_outcomes`.

    Returns
    -------
    A row a piece: ``advice``, ``outcome`` (a sentence), ``verdict``, the kind of verdict that it
    led to, missing where it was not tried, and ``is_worse``, whether that is worse than the run's.
    """
    rows = [
        {
            "advice": one.advice.sentence,
            "outcome": one.sentence,
            "verdict": None if one.verdict is None else one.verdict.kind,
            "is_worse": one.is_worse,
        }
        for one in outcomes
    ]
    return pd.DataFrame(rows, columns=["advice", "outcome", "verdict", "is_worse"])


def metrics_table(metrics: Mapping[str, Numbers]) -> pd.DataFrame:
    """Return metrics as a table.

    Parameters
    ----------
    metrics
        Values by side, batch variable and name of the metric.

    Returns
    -------
    Columns ``batch_variable``, ``metric``, ``before`` and ``after``.
    """
    rows = []
    for variable, after in metrics["after"].items():
        before = metrics["before"].get(variable, {})
        for name in dict.fromkeys([*before, *after]):
            row = {"batch_variable": variable, "metric": name}
            rows.append({**row, "before": before.get(name), "after": after.get(name)})
    table = pd.DataFrame(rows, columns=["batch_variable", "metric", "before", "after"])
    return table.astype({"before": "float64", "after": "float64"})


def runs_table(runs: Sequence[RunResults]) -> pd.DataFrame:
    """Return runs of one dataset as a table.

    Parameters
    ----------
    runs
        Runs that were assessed.

    Returns
    -------
    A row for each run: the settings that differ between them, metrics, verdict.
    """
    names = differing([run.params for run in runs])
    rows = []
    for entry in (summary(run, names) for run in runs):
        if entry is None:
            continue
        row = {"run": entry["run"], **{k: _cell(v) for k, v in entry["settings"].items()}}
        for variable, metrics in entry["metrics"].items():
            row |= {f"{variable}: {metric}": value for metric, value in metrics.items()}
        rows.append({**row, "level": entry["level"], "verdict": entry["kind"]})
    return pd.DataFrame(rows)


def _cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def evidence_table(evidence: Sequence[Evidence]) -> pd.DataFrame:
    """Return a verdict's evidence as a table.

    Parameters
    ----------
    evidence
        Of a `harmony_core.verdict.verdict.Verdict`.

    Returns
    -------
    A row for each finding, its genes joined by spaces.
    """
    columns = ["kind", "name", "batch_variable", "batch", "merged_with", "share", "score"]
    table = pd.DataFrame(list(map(asdict, evidence)), columns=[*columns, "cells", "genes"])
    table["genes"] = [" ".join(genes) for genes in table["genes"]]
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of the path.

    In CSV a text that a spreadsheet would take for a formula gets an apostrophe before it, which
    spreadsheets hide.

    Raises
    ------
    ParameterError
        If the ending is another.
    ExportError
        If the file can't be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise ParameterError(f"{path.name!r} must end in .csv or .parquet.")
    named = table.index.name is not None
    with written_whole(path, needs=int(table.memory_usage(deep=True).sum())) as temporary:
        if ending == ".parquet":
            (table.reset_index() if named else table).to_parquet(temporary, index=False)
        else:
            harmless(table).to_csv(temporary, index=named, encoding="utf-8")


def write_tables(results: RunResults, folder: Path, *, format: str = "csv") -> tuple[Path, ...]:
    """Write every table of a run into a folder, which is made if need be.

    Returns
    -------
    Paths of the files, named after the tables.
    """
    tables = run_tables(results)
    folder = made_folder(Path(folder))
    paths = tuple(folder / f"{name}.{format}" for name in tables)
    for path, table in zip(paths, tables.values(), strict=True):
        write_table(table, path)
    return paths


def harmless(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before each text that would be taken for a formula.

    Parameters
    ----------
    table
        Any table; it stays as it is.
    """
    changed = table.copy()
    for position, dtype in enumerate(table.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            values = table.iloc[:, position].astype(object)
            changed.isetitem(position, values.map(_harmless_text).to_numpy())
    changed.columns = pd.Index([_harmless_text(name) for name in table.columns])
    if table.index.name is not None:
        changed.index = pd.Index([_harmless_text(i) for i in table.index], name=table.index.name)
    return changed


def _harmless_text(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _embedding(results: RunResults, cells: pd.Index[Any]) -> dict[str, pd.DataFrame]:
    """Return the corrected embedding; nothing of a method that gives a graph only."""
    embedding, p = results.embedding("after"), results.params
    if embedding is None:
        return {}
    made_by = p.precomputed or ("harmony" if p.method is None else p.method.name)
    dimensions = [f"{made_by}_{i + 1}" for i in range(embedding.shape[1])]
    return {"embedding": pd.DataFrame(np.array(embedding), index=cells, columns=dimensions)}


def _layouts(results: RunResults, cells: pd.Index) -> pd.DataFrame:
    columns: dict[str, npt.NDArray[np.float32]] = {}
    for side in SIDES:
        positions = np.asarray(results.layout(side))
        stem = "umap" if side == "after" else "umap_uncorrected"
        columns |= {f"{stem}_{i + 1}": positions[:, i] for i in range(2)}
    return pd.DataFrame(columns, index=cells)


def _clusters(results: RunResults, cells: pd.Index) -> pd.DataFrame:
    columns = {}
    for side in SIDES:
        stem = "leiden" if side == "after" else "leiden_uncorrected"
        for resolution in results.params.clusters.resolutions:
            columns[f"{stem}_{resolution:g}"] = np.asarray(results.clusters(side, resolution))
    return pd.DataFrame(columns, index=cells)


def _measures(results: RunResults, cells: pd.Index) -> pd.DataFrame:
    stage = results.stage("assess")
    arrays = {} if stage is None else stage.arrays
    columns = {k: np.asarray(v) for k, v in arrays.items() if v.shape == (len(cells),)}
    return pd.DataFrame(columns, index=cells)


def _markers(results: RunResults) -> pd.DataFrame:
    parts = []
    for side in SIDES:
        for cluster, markers in enumerate(results.markers(side) or ()):
            n = len(markers.symbols)
            parts.append(
                pd.DataFrame(
                    {
                        "side": side,
                        "cluster": cluster,
                        "rank": np.arange(1, n + 1),
                        "gene": markers.symbols,
                        "score": markers.scores[:n],
                        "log2_fold_change": markers.log2_fold_change[:n],
                        "p_value": markers.p_values[:n],
                        "p_adjusted": markers.p_adjusted[:n],
                    }
                )
            )
    columns = ["side", "cluster", "rank", "gene", "score", "log2_fold_change"]
    columns += ["p_value", "p_adjusted"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
