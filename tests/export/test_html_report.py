"""The report: everything in it, nothing loaded, every name escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from jinja2 import UndefinedError

from harmony_core.errors import ExportError
from harmony_core.export.html_report import report_page, write_report
from harmony_core.export.methods import methods_paragraph
from harmony_core.export.rendering import cell, image, render
from harmony_core.params import PrepareParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.store.ingest import ingest
from tests.conftest import SMALL

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


class Reader(HTMLParser):
    """Collects elements, their attributes and all text; notices what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def page(finished: RunResults) -> str:
    other = replace(SMALL, harmony=replace(SMALL.harmony, theta=(0.5,)))
    Pipeline(finished.dataset, other).run()
    return report_page(
        finished, runs=[RunResults(finished.dataset, other)], input_path="/data/in.h5ad"
    )


def test_every_part_is_there(finished: RunResults, page: str) -> None:
    read = Reader(page)
    assert read.open == []
    words = " ".join(read.text)
    for heading in ("Verdict", "Design", "Settings", "Before and after", "Methods", "Evidence"):
        assert heading in words or heading == "Evidence"
    assert finished.assessment is not None
    for sentence in finished.assessment["verdict"]["sentences"]:
        assert sentence in words
    markers = finished.markers("after")
    assert markers is not None
    assert ", ".join(markers[0].symbols[:8]) in words
    assert "theta" in words
    assert finished.dataset.fingerprint in words
    assert "/data/in.h5ad" in words
    assert "harmonypy" in words
    pictures = [a for tag, a in read.elements if tag == "img"]
    assert len(pictures) == 4  # evaluation, label, convergence, genes
    assert all(a["alt"] for a in pictures)


def test_metrics_are_those_of_the_run(finished: RunResults, page: str) -> None:
    assert finished.assessment is not None
    metrics = finished.assessment["metrics"]
    row = re.search(r"<td>iLISI</td>(.*?)</tr>", page)
    assert row is not None
    values = re.findall(r">([\d.]+)</td>", row.group(1))
    expected = [metrics[side]["batch"]["ilisi"] for side in ("before", "after")]
    assert [float(v) for v in values] == pytest.approx(expected, rel=5e-3)


def test_nothing_is_loaded_and_nothing_runs(page: str) -> None:
    read = Reader(page)
    assert {tag for tag, _ in read.elements} & {"script", "link", "iframe", "object"} == set()
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    policy = [a for tag, a in read.elements if tag == "meta" and "content" in a]
    assert "default-src 'none'" in str(policy[0]["content"])
    assert "url(" not in page


def test_hostile_names_stay_text(simulated: ad.AnnData, kept_store: Store) -> None:
    adata = simulated.copy()
    adata.obs[HOSTILE] = np.where(adata.obs["batch"] == "A", HOSTILE, "b")
    adata.var_names = [f"{HOSTILE}{i}" for i in range(adata.n_vars)]
    adata.obsm["X_mine"] = np.random.default_rng(0).normal(size=(adata.n_obs, 6))
    dataset = ingest(kept_store, adata, name=HOSTILE)
    params = replace(
        SMALL,
        harmony=replace(SMALL.harmony, batch=("batch", HOSTILE), theta=(2.0, 1.0)),
        prepare=PrepareParams(basis="X_mine"),
    )
    Pipeline(dataset, params).run()
    read = Reader(report_page(RunResults(dataset, params)))
    assert HOSTILE in " ".join(read.text)
    # Our own pictures and none else, of every batch variable.
    pictures = [a for tag, a in read.elements if tag == "img"]
    assert all((a["src"] or "").startswith("data:") for a in pictures)
    assert f"Before and after by {HOSTILE}" in [a["alt"] for a in pictures]


def test_the_methods_name_what_was_done(finished: RunResults) -> None:
    paragraph, references = methods_paragraph(finished)
    assert finished.cells is not None
    for part in (
        f"Of 400 cells, the {len(finished.cells):,} with 5 to 6,000 genes",
        "150 variable genes were chosen within each batch, and 10 principal components",
        "harmonypy 2.1.0; theta 2 for batch; sigma 0.1; 13 soft clusters; tau 0",
        "lambda estimated with alpha 0.2",
        "15 nearest neighbours",
        "Leiden at resolution 0.5",
        "purity of the labels in true_type",
    ):
        assert part in paragraph
    cited = {int(n) for n in re.findall(r"\[(\d+)\]", paragraph)}
    assert cited == set(range(1, len(references) + 1))
    assert "10.1038/s41592-019-0619-0" in references[1]


def test_the_methods_of_an_embedding_claim_no_preparation(
    simulated: ad.AnnData, kept_store: Store
) -> None:
    adata = simulated.copy()
    adata.obsm["X_mine"] = np.random.default_rng(0).normal(size=(adata.n_obs, 6))
    dataset = ingest(kept_store, adata, name="mine")
    params = replace(SMALL, prepare=PrepareParams(basis="X_mine"))
    Pipeline(dataset, params).stage("correct")
    paragraph, references = methods_paragraph(RunResults(dataset, params))
    assert "400 cells were taken with the embedding X_mine (6 dimensions)" in paragraph
    assert "normalised" not in paragraph
    assert not any("SCANPY" in reference for reference in references)


def test_values_are_rounded_and_escaped() -> None:
    values = (None, float("nan"), 1234, 0.123456, True, "a&b")
    assert [cell(v) for v in values] == ["–", "–", "1,234", "0.123", "yes", "a&b"]
    assert image(b"\x89PNG" + bytes(12) + (300).to_bytes(4, "big"), '"<b>').endswith(
        ' width="192" alt="&#34;&lt;b&gt;">'
    )


@pytest.mark.parametrize("template", ["report.html", "interactive.html", "rerun.py", "seurat.R"])
def test_templates_come_with_the_package_and_want_every_value(template: str) -> None:
    assert files("harmony_core.export").joinpath("templates", f"{template}.j2").is_file()
    with pytest.raises(UndefinedError):
        render(template)


def test_an_unfinished_run_has_no_report(dataset: Dataset, tmp_path: Path) -> None:
    other = replace(SMALL, harmony=replace(SMALL.harmony, theta=(7.5,)))
    with pytest.raises(ExportError, match="not finished"):
        write_report(RunResults(dataset, other), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
