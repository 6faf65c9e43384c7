"""What dataset.json says, written and read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harmony_core.inspect.candidates import BatchCandidate
from harmony_core.inspect.embeddings import EmbeddingInfo
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.store.info import DatasetInfo, Reading, StartSettings

FULL = DatasetInfo(
    name="cells",
    n_cells=400,
    n_genes=300,
    kind="counts",
    where="layers/counts",
    matrices={"X": "log", "layers/counts": "counts"},
    embeddings=("X_pca",),
    layouts=("X_umap",),
    embedding_facts={"X_pca": EmbeddingInfo(name="X_pca", n_dims=20, depth_correlation=0.95)},
    uncorrected=("X_pca",),
    suggested=StartSettings(batch=("batch",), label="type", prepare=PrepareParams(min_genes=6)),
    candidates=(BatchCandidate(name="batch", sizes={"a": 300, "b": 100}, reasons=("why",)),),
    labels=("type",),
    reading=Reading(format="h5ad", inputs=("/x.h5ad",), choices={"modality": "rna"}),
    run=RunParams(harmony=HarmonyParams(batch=("batch",)), precomputed="X_scvi"),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    FULL.write(tmp_path)
    assert DatasetInfo.read(tmp_path) == FULL
    written = json.loads((tmp_path / "dataset.json").read_text("utf-8"))
    assert written["embedding_facts"]["X_pca"]["follows_depth"] is True
    assert written["suggested"]["prepare"] == {"min_genes": 6}
    assert written["run"]["given"] == "X_scvi"


def test_nothing_is_written_of_what_is_not_known() -> None:
    written = DatasetInfo(name="cells", n_cells=400).to_dict()
    assert written["reading"] == {}
    assert "prepare" not in written["suggested"]
    assert written["run"] is None


def test_an_older_store_lacks_names_and_a_newer_one_has_others() -> None:
    info = DatasetInfo.from_dict(
        {
            "name": "cells",
            "n_cells": 400,
            "candidates": [{"name": "batch", "reasons": []}],
            "reading": None,
            "embeddings": ["X_pca"],
            "of_tomorrow": 1,
            "run": {"harmony": {"batch": ["batch"]}, "of_tomorrow": 1},
        }
    )
    assert info.candidates == (BatchCandidate(name="batch"),)
    assert info.reading == Reading()
    assert info.facts("X_pca").n_dims == 0
    assert info.stored_embeddings == ("X_pca",)
    assert info.run is None


def test_batch_variables_are_a_condition_if_each_is_named_like_one() -> None:
    of_condition = [BatchCandidate(name=name, is_condition=True) for name in ("stim", "sex")]
    info = replace(FULL, candidates=(*FULL.candidates, *of_condition))
    asked = {("stim",): True, ("stim", "sex"): True, ("batch", "stim"): False, (): False}
    assert {batch: info.is_condition(batch) for batch in asked} == asked
    assert not info.is_condition(("stim",), False)
    assert info.is_condition(("batch",), True)
    # What a sample says of its own variable goes before the name.
    said = StartSettings(batch=("stim",), condition=False)
    assert not replace(info, suggested=said).is_condition(("stim",))
