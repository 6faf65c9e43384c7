"""Tables: complete, equal to the results, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harmony_core.errors import ExportError, ParameterError
from harmony_core.export.tables import (
    evidence_table,
    metrics_table,
    run_tables,
    runs_table,
    write_table,
    write_tables,
)
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset
from tests.conftest import SMALL


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_files_hold_what_the_run_holds(finished: RunResults, format: str, tmp_path: Path) -> None:
    paths = write_tables(finished, tmp_path / "new" / "folder", format=format)
    read = pd.read_csv if format == "csv" else pd.read_parquet
    tables = {path.stem: read(path) for path in paths}
    assert set(tables) == set(run_tables(finished))
    assert finished.obs is not None
    assert tables["embedding"]["cell"].tolist() == finished.obs.index.tolist()
    np.testing.assert_allclose(
        tables["embedding"].drop(columns="cell"), finished.embedding("after"), rtol=1e-6
    )
    np.testing.assert_allclose(
        tables["layouts"][["umap_uncorrected_1", "umap_uncorrected_2"]],
        finished.layout("before"),
        rtol=1e-6,
    )
    np.testing.assert_array_equal(tables["clusters"]["leiden_0.5"], finished.clusters("after"))
    assert {"mixing", "displacement", "wrong_label"} <= set(tables["cells"])
    markers = tables["markers"]
    first = markers[(markers["side"] == "after") & (markers["cluster"] == 0)]
    expected = finished.markers("after")
    assert expected is not None
    assert first["gene"].tolist() == list(expected[0].symbols)
    metrics = tables["metrics"].set_index(["batch_variable", "metric"])
    assert finished.assessment is not None
    after = finished.assessment["metrics"]["after"]["batch"]
    assert metrics.loc[("batch", "ilisi"), "after"] == pytest.approx(after["ilisi"])


def test_metrics_of_one_side_only_are_empty_on_the_other() -> None:
    table = metrics_table({"before": {"a": {"x": 1.0}}, "after": {"a": {"x": 2.0, "y": None}}})
    assert table["metric"].tolist() == ["x", "y"]
    assert table["before"].tolist()[0] == 1.0
    assert table.loc[1, ["before", "after"]].isna().all()


def test_no_evidence_is_an_empty_table_with_its_columns() -> None:
    table = evidence_table([])
    assert len(table) == 0
    assert {"name", "merged_with", "genes"} <= set(table.columns)


def test_runs_are_rows_of_what_differs(finished: RunResults, dataset: Dataset) -> None:
    other = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.5,)))
    Pipeline(dataset, other).stage("assess")
    table = runs_table([finished, RunResults(dataset, other)])
    assert table["harmony.theta"].tolist() == ["2.0", "0.5"]
    assert "harmony.sigma" not in table
    assert finished.assessment is not None
    after = finished.assessment["metrics"]["after"]["batch"]
    assert table["batch: ilisi"][0] == pytest.approx(after["ilisi"])
    assert table["level"].isin(["green", "amber", "red"]).all()


def test_formulas_are_neutralised_in_csv_and_nowhere_else(tmp_path: Path) -> None:
    hostile = ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "plain", "a=b", ""]
    index = pd.Index(hostile, name="cell")
    table = pd.DataFrame(
        {
            "=HYPERLINK(1)": hostile,
            "kind": pd.Categorical(hostile),
            "value": np.arange(-4.0, 4.0),
        },
        index=index,
    )
    write_table(table, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["cell", "'=HYPERLINK(1)", "kind", "value"]
    for given, row in zip(hostile, rows[1:], strict=True):
        safe = given if given in ("plain", "a=b", "") else f"'{given}"
        assert row[:3] == [safe, safe, safe]
    assert [float(row[3]) for row in rows[1:]] == list(np.arange(-4.0, 4.0))
    write_table(table, tmp_path / "a.parquet")
    assert pd.read_parquet(tmp_path / "a.parquet")["cell"].tolist() == hostile


def test_refusals(finished: RunResults, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"must end in \.csv or \.parquet"):
        write_table(pd.DataFrame(), tmp_path / "a.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="could not be made"):
        write_tables(finished, tmp_path / "file" / "folder")
    params = type(SMALL).from_dict({**SMALL.to_dict(), "label": None, "condition": True})
    with pytest.raises(ExportError, match="not finished"):
        run_tables(RunResults(dataset, params))
