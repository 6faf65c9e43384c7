"""The table of inputs that page, command line and Python are asked about, small and generated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc

from harmony_core.simulate.cells import Scenario, simulate, to_anndata
from tests.io import formats

N_CELLS, N_GENES = 300, 120


@dataclass(frozen=True)
class Question:
    """Files with what is asked of them, and what is known of the answer from elsewhere.

    Attributes
    ----------
    files
        What is opened, together.
    batch, label
        The columns that are named.
    condition
        What is said of the batch variable, if anything: that it is a condition, or none.
    basis, corrected
        Embedding to start from, and the one in Harmony's place, where they are named.
    cells, genes, start
        What is to be kept, and the very numbers that correction is to start from; None where
        nothing outside tells it.
    says, not_said
        Parts of notes, design and verdict that must be there, or must not.
    refused
        Part of the one sentence by which it must be refused; empty where it is taken.
    """

    files: tuple[Path, ...]
    batch: str = "batch"
    label: str | None = "type"
    condition: bool | None = None
    basis: str | None = None
    corrected: str | None = None
    cells: int = N_CELLS
    genes: int | None = None
    start: Any = None
    says: tuple[str, ...] = ()
    not_said: tuple[str, ...] = ()
    refused: str = ""


def cells(seed: int = 1) -> ad.AnnData:
    """Counts of two batches with types."""
    drawn = to_anndata(simulate(Scenario(name="ways", n_cells=N_CELLS, n_genes=N_GENES), seed=seed))
    obs = pd.DataFrame({"batch": drawn.obs["batch"].astype(str), "type": drawn.obs["true_type"]})
    return ad.AnnData(drawn.X, obs=obs, var=drawn.var[[]])


def components(adata: ad.AnnData, n: int = 8) -> np.ndarray[Any, Any]:
    """Principal components of the logarithms, by numpy alone."""
    logs = logarithms(adata).X
    u, s, _ = np.linalg.svd(logs - logs.mean(axis=0), full_matrices=False)
    return np.asarray(u[:, :n] * s[:n], dtype=np.float32)


def logarithms(adata: ad.AnnData) -> ad.AnnData:
    """The same cells with logarithms of normalised counts."""
    logged = adata.copy()
    logged.X = np.asarray(logged.X.toarray(), dtype=np.float32)
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    return logged


def _h5ad(adata: ad.AnnData, folder: Path) -> tuple[Path, ...]:
    path = folder / "cells.h5ad"
    adata.write_h5ad(path)
    return (path,)


def counts(folder: Path) -> Question:
    return Question(_h5ad(cells(), folder), genes=N_GENES, says=("No mitochondrial genes",))


def log_values(folder: Path) -> Question:
    return Question(
        _h5ad(logarithms(cells()), folder),
        genes=N_GENES,
        says=("normalised and log-transformed already",),
    )


def log_values_with_equal_sums(folder: Path) -> Question:
    adata = logarithms(cells())
    adata.X = adata.X * (100 / adata.X.sum(axis=1, keepdims=True))
    return Question(
        _h5ad(adata, folder), genes=N_GENES, says=("normalised and log-transformed already",)
    )


def scaled_values_with_an_embedding(folder: Path) -> Question:
    adata = logarithms(cells())
    adata.obsm["X_pca"] = components(cells())
    sc.pp.scale(adata, max_value=10)
    return Question(_h5ad(adata, folder), start=adata.obsm["X_pca"], says=("scaled or corrected",))


def an_embedding_alone(folder: Path) -> Question:
    whole = cells()
    obsm = {"X_harmony": components(whole) + 1, "X_pca": components(whole)}
    adata = ad.AnnData(obs=whole.obs, obsm=obsm)
    return Question(
        _h5ad(adata, folder), genes=0, start=obsm["X_pca"], says=("There are no expression values",)
    )


def an_embedding_of_cells_without_a_likely_batch(folder: Path) -> Question:
    whole = cells()
    obs = whole.obs.rename(columns={"batch": "cluster_a"})
    obsm = {"X_harmony": components(whole) + 1, "X_pca": components(whole)}
    adata = ad.AnnData(obs=obs, obsm=obsm)
    return Question(_h5ad(adata, folder), batch="cluster_a", genes=0, start=obsm["X_pca"])


def counts_and_metadata_as_tables(folder: Path) -> Question:
    adata = cells()
    counted = pd.DataFrame(adata.X.toarray().astype(int), adata.obs_names, adata.var_names)
    counted.to_csv(folder / "counts.csv")
    adata.obs[::-1].to_csv(folder / "metadata.csv")
    return Question((folder / "counts.csv", folder / "metadata.csv"), genes=N_GENES)


def components_on_their_side_and_metadata(folder: Path) -> Question:
    adata = cells()
    rows = [f"PC_{i + 1}" for i in range(8)]
    pd.DataFrame(components(adata).T, rows, adata.obs_names).to_csv(folder / "pca.csv")
    adata.obs[::-1].to_csv(folder / "metadata.csv")
    return Question((folder / "pca.csv", folder / "metadata.csv"), genes=0, start=components(adata))


def numbered_cells_of_a_vendor(folder: Path) -> Question:
    adata = cells()
    numbers = np.random.default_rng(0).permutation(np.arange(100_000, 900_000, 1_000))[:N_CELLS]
    index = pd.Index(numbers, name="Cell_Index")
    counted = pd.DataFrame(adata.X.toarray().astype(int), index, adata.var_names)
    table = counted.to_csv()
    (folder / "counts.csv").write_text(f"##\n##\n{table}", "utf-8")
    adata.obs.set_axis(index).sample(frac=1, random_state=1).to_csv(folder / "tags.csv")
    return Question((folder / "counts.csv", folder / "tags.csv"), genes=N_GENES)


def a_10x_folder(folder: Path) -> Question:
    adata = cells()
    adata.var["gene_ids"] = [f"ENSG{i:011d}" for i in range(N_GENES)]
    (folder / "lane").mkdir()
    for name, content in formats.matrix_folder(adata).items():
        (folder / "lane" / name).write_bytes(content)
    adata.obs.to_csv(folder / "metadata.csv")
    return Question((folder / "lane", folder / "metadata.csv"), genes=N_GENES)


def a_nullable_boolean_batch(folder: Path) -> Question:
    adata = cells()
    adata.obs["batch"] = pd.array(adata.obs["batch"] == "A", dtype="boolean")
    return Question(_h5ad(adata, folder), genes=N_GENES)


def batches_1_and_1_as_text(folder: Path) -> Question:
    adata = cells()
    numbers = adata.obs["batch"].map({"A": 1, "B": 2}).astype(int)
    first, second = adata[:150].copy(), adata[150:].copy()
    first.obs["batch"], second.obs["batch"] = numbers[:150], numbers[150:].astype(str)
    first.write_h5ad(folder / "first.h5ad")
    second.write_h5ad(folder / "second.h5ad")
    return Question((folder / "first.h5ad", folder / "second.h5ad"), genes=N_GENES)


def one_batch_only(folder: Path) -> Question:
    adata = cells()
    adata.obs["batch"] = "A"
    return Question(_h5ad(adata, folder), refused="it has one level only, 'A'")


def values_without_columns(folder: Path) -> Question:
    adata = cells()
    counted = pd.DataFrame(adata.X.toarray().astype(int), adata.obs_names, adata.var_names)
    counted.to_csv(folder / "counts.csv")
    refused = "no columns besides the values, so nothing says which"
    return Question((folder / "counts.csv",), refused=refused)


def missing_values_in_the_batch(folder: Path) -> Question:
    adata = cells()
    adata.obs.loc[adata.obs_names[:7], "batch"] = np.nan
    return Question(_h5ad(adata, folder), refused="7 of 300 cells have no value in it")


def batches_of_counts_and_of_logarithms(folder: Path) -> Question:
    adata, logged = cells(), logarithms(cells())
    is_a = (adata.obs["batch"] == "A").to_numpy()[:, None]
    adata.X = np.where(is_a, logged.X, adata.X.toarray()).astype(np.float32)
    return Question(_h5ad(adata, folder), refused="hold different kinds of values")


def no_numbers_at_all(folder: Path) -> Question:
    (folder / "letter.csv").write_text("Dear colleague,\nsee below.\n")
    return Question((folder / "letter.csv",), refused="letter.csv")


def _corrected_elsewhere(question: Question) -> Question:
    adata = ad.read_h5ad(question.files[0])
    adata.obsm["X_scVI"] = components(cells())
    adata.write_h5ad(question.files[0])
    return replace(question, corrected="X_scVI")


def another_tools_correction(folder: Path) -> Question:
    """Counts, and in Harmony's place an embedding that another tool corrected."""
    question = _corrected_elsewhere(counts(folder))
    adata = ad.read_h5ad(question.files[0])
    adata.obs["type"] = np.where(np.arange(N_CELLS) % 30 == 29, "doublet", adata.obs["type"])
    adata.write_h5ad(question.files[0])
    return replace(question, says=("labelled as doublets",))


def seurats_tables_beside_the_data(folder: Path) -> Question:
    """Counts, and in Harmony's place a table as the R script for CCA and RPCA writes it."""
    question = counts(folder)
    table = pd.DataFrame(components(cells()), index=cells().obs_names)
    table.columns = [f"integrated.cca_{i + 1}" for i in range(table.shape[1])]
    table[::-1].to_csv(folder / "cells_cca.csv", index_label="cell")
    files = (*question.files, folder / "cells_cca.csv")
    return replace(question, files=files, corrected="X_integrated.cca")


def _with_empty_cells(column: str, level: str, folder: Path) -> Question:
    adata = cells()
    poor = np.arange(N_CELLS) < 30
    values = adata.obs[column].astype(str).to_numpy()
    adata.obs[column] = np.where(poor, level, values)
    counted = adata.X.toarray()
    counted[poor] = 0
    counted[poor, 0] = 1
    adata.X = counted
    return Question(
        _h5ad(adata, folder),
        cells=N_CELLS - 30,
        says=(f"Quality control left out every cell of “{level}”",),
    )


def a_batch_lost_in_quality_control(folder: Path) -> Question:
    return _with_empty_cells("batch", "C", folder)


def another_tools_correction_of_a_batch_that_is_lost(folder: Path) -> Question:
    return _corrected_elsewhere(a_batch_lost_in_quality_control(folder))


def a_label_lost_in_quality_control(folder: Path) -> Question:
    return _with_empty_cells("type", "platelets", folder)


def a_corrected_embedding_as_start(folder: Path) -> Question:
    adata = cells()
    adata.obsm["X_pca_harmony"] = components(adata)
    return Question(
        _h5ad(adata, folder),
        basis="X_pca_harmony",
        start=components(adata),
        genes=N_GENES,
        says=("seems to be corrected already",),
    )


def an_embedding_that_follows_depth_as_start(folder: Path) -> Question:
    adata = cells()
    depth = np.log1p(np.asarray(adata.X.sum(axis=1)))
    adata.obsm["X_lsi"] = np.hstack([depth, components(adata)])
    return Question(
        _h5ad(adata, folder),
        basis="X_lsi",
        start=adata.obsm["X_lsi"],
        genes=N_GENES,
        says=("The first dimension of 'X_lsi' follows the counts per cell",),
    )


def a_layout_as_start(folder: Path) -> Question:
    adata = cells()
    adata.obsm["X_umap"] = components(adata, 2)
    return Question(
        _h5ad(adata, folder),
        basis="X_umap",
        start=adata.obsm["X_umap"],
        genes=N_GENES,
        says=("'X_umap' is a layout, a picture or coordinates",),
    )


def a_treatment_tied_to_the_batch_and_cells_without_a_type(folder: Path) -> Question:
    adata = cells()
    adata.obs["treatment"] = adata.obs["batch"].map({"A": "none", "B": "drug"})
    adata.obs["lane"] = adata.obs["batch"] + np.resize(["1", "2"], N_CELLS)
    of_a = np.flatnonzero(adata.obs["batch"] == "A")[:40]
    types = adata.obs["type"].astype(str).to_numpy()
    types[of_a] = "unlabelled"
    adata.obs["type"] = types
    return Question(
        _h5ad(adata, folder),
        genes=N_GENES,
        says=("red: “treatment” divides the cells exactly as “batch” does: nothing in these data",),
        not_said=("“unlabelled”", "“lane” goes with “batch”"),
    )


def _stimulated(folder: Path, **asked: Any) -> Question:
    """Cells of which half were stimulated, where either half holds cells of all donors."""
    adata = cells()
    adata.obs["donor"] = np.resize(["d1", "d2", "d3"], N_CELLS)
    adata.obs["stim"] = adata.obs.pop("batch").map({"A": "none", "B": "drug"})
    return Question(_h5ad(adata, folder), genes=N_GENES, **asked)


def a_condition_by_its_name(folder: Path) -> Question:
    return _stimulated(
        folder,
        batch="stim",
        says=(
            "amber: “stim” looks like a condition",
            "The verdict takes it for a condition",
            "“stim” is a condition, so aligning it is a choice",
        ),
    )


def a_condition_that_is_called_technical(folder: Path) -> Question:
    return _stimulated(
        folder,
        batch="stim",
        condition=False,
        says=("The verdict does not take it for one. If it is, say so",),
        not_said=("“stim” is a condition, so aligning it is a choice",),
    )


def a_batch_that_is_called_a_condition(folder: Path) -> Question:
    said = ("“donor” is a condition, so aligning it is a choice",)
    return _stimulated(folder, batch="donor", condition=True, says=said)


INPUTS: tuple[Callable[[Path], Question], ...] = (
    counts,
    log_values,
    log_values_with_equal_sums,
    scaled_values_with_an_embedding,
    an_embedding_alone,
    an_embedding_of_cells_without_a_likely_batch,
    counts_and_metadata_as_tables,
    components_on_their_side_and_metadata,
    numbered_cells_of_a_vendor,
    a_10x_folder,
    a_nullable_boolean_batch,
    batches_1_and_1_as_text,
    one_batch_only,
    values_without_columns,
    missing_values_in_the_batch,
    batches_of_counts_and_of_logarithms,
    no_numbers_at_all,
    a_batch_lost_in_quality_control,
    a_label_lost_in_quality_control,
    a_corrected_embedding_as_start,
    an_embedding_that_follows_depth_as_start,
    a_treatment_tied_to_the_batch_and_cells_without_a_type,
    a_layout_as_start,
    a_condition_by_its_name,
    a_condition_that_is_called_technical,
    a_batch_that_is_called_a_condition,
)
