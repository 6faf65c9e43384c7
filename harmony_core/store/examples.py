"""The sample data, on screen at first sight.

A sample's folder holds its h5ad and, zipped, what the store keeps of it: the checked dataset and
the results of its default run, written by ``sample_data/make_store.py`` through the chain itself.
Unpacking them needs neither anndata nor a computation.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from harmony_core.store.store import Store

_CHECKOUT = Path(__file__).resolve().parents[2] / "sample_data"
_INSTALLED = Path(__file__).resolve().parent / "sample_data"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


@dataclass(frozen=True, kw_only=True)
class Example:
    """A dataset that comes with the program.

    Attributes
    ----------
    file
        The h5ad, relative to `FOLDER`.
    batch, label, condition
        The settings to start with.
    about
        One sentence for the Data page.
    """

    name: str
    file: str
    batch: str
    label: str
    condition: bool
    about: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    @property
    def archive(self) -> Path:
        return self.path.with_suffix(".store.zip")


EXAMPLES: Mapping[str, Example] = {
    "kang": Example(
        name="Kang PBMC: blood cells, control and interferon",
        file="kang/kang_pbmc.h5ad",
        batch="condition",
        label="marker_based_type",
        condition=True,
        about="Real: PBMC of eight donors, half of the cells treated with interferon beta (Kang et "
        "al. 2018); types named by us from marker genes. Look for: before correction monocytes "
        "lie apart by treatment; after it the types overlap, and ISG15 still tells treated cells.",
    ),
    "missing_nk": Example(
        name="Kang PBMC without NK cells in the control",
        file="missing_nk/pbmc_missing_nk.h5ad",
        batch="condition",
        label="marker_based_type",
        condition=True,
        about="Real: the same study, but NK cells were left out of the control. Look for: at its "
        "defaults Harmony puts the other NK cells among T cells, which is over-correction. GNLY "
        "tells NK cells, CD3D T cells.",
    ),
    "sibling": Example(
        name="Simulated: one batch lacks a cell type",
        file="sibling/two_batches_sibling.h5ad",
        batch="batch",
        label="true_type",
        condition=False,
        about="Two batches with known truth: type T1 is in batch A only, its close relative T2 in "
        "both. Look for: Harmony's defaults merge T1 into T2, while a sigma of 0.05 keeps them "
        "apart and mixes the rest.",
    ),
}

FIRST = "kang"


def install(store: Store, *keys: str) -> None:
    """Put these examples, or all, into the store where they are not there yet."""
    for example in (EXAMPLES[key] for key in keys or EXAMPLES):
        if not example.archive.is_file():
            continue
        with zipfile.ZipFile(example.archive) as archive:
            fingerprint = json.loads(archive.read("fingerprint.json"))
            with store.new_dataset(fingerprint) as folder:
                if folder is None:
                    continue
                archive.extractall(folder)
                (folder / "fingerprint.json").unlink()
                shutil.copyfile(example.path, folder / "source.h5ad")
                _write_matrix(example.path, folder)


def _write_matrix(source: Path, folder: Path) -> None:
    """Write an example's counts by gene, as `ingest` does, without importing anndata."""
    import h5py
    import scipy.sparse as sp

    with h5py.File(source, "r") as file:
        stored = file["X"]
        parts = (stored["data"][:], stored["indices"][:], stored["indptr"][:])
        matrix = sp.csr_matrix(parts, shape=tuple(stored.attrs["shape"])).tocsc()
    matrix.sort_indices()
    (folder / "matrix").mkdir()
    for name, dtype in (("data", np.float32), ("indices", np.int32), ("indptr", np.int32)):
        np.save(folder / "matrix" / f"{name}.npy", getattr(matrix, name).astype(dtype))


def fingerprint(store: Store, key: str) -> str:
    """Return an example's fingerprint, putting it into the store first if need be."""
    install(store, key)
    return shipped_fingerprint(key)


def key_of(fingerprint: str) -> str | None:
    """Return which example a dataset is, or None if it is none."""
    return next((key for key in EXAMPLES if shipped_fingerprint(key) == fingerprint), None)


@cache
def shipped_fingerprint(key: str) -> str:
    """Return an example's fingerprint, whether or not it lies in the store."""
    if not EXAMPLES[key].archive.is_file():
        return ""  # a new sample, whose results are about to be computed
    with zipfile.ZipFile(EXAMPLES[key].archive) as archive:
        return str(json.loads(archive.read("fingerprint.json")))
