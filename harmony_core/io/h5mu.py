"""MuData (.h5mu): several modalities of the same cells, each of them AnnData."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmony_core.errors import FileError
from harmony_core.inspect.columns import listed, quoted
from harmony_core.io.file_data import FileData
from harmony_core.io.h5ad import check_consistent, read_in_parts
from harmony_core.io.open_file import OpenFile
from harmony_core.io.stored_cells import read_cells

if TYPE_CHECKING:
    import anndata as ad
    import h5py

_EXPRESSION = ("rna", "gex", "gene expression", "geneexpression", "expression", "mrna")


def is_h5mu(file: OpenFile) -> bool:
    """Whether a file is MuData."""
    return file.hdf5 is not None and hasattr(file.hdf5.get("mod"), "keys")


def read_h5mu(file: OpenFile) -> FileData:
    """Read one modality of a MuData file, with what the file says of its cells as a whole.

    Raises
    ------
    FileError
        Damaged, too large, or without the modality that is asked for.
    """
    file.check_whole_fits(file.n_bytes)
    name, subsample = file.name, file.options.subsample
    modalities = tuple(str(key) for key in file.content["mod"])
    modality = _choose(modalities, file.options.modality, name)
    notes: list[str] = []
    group = file.content["mod"][modality]
    if subsample is None:
        adata = read_in_parts(group, name, notes)
    else:
        adata, note = read_cells(file, group, subsample)
        notes.append(note)
    _add_shared(adata, file.content, modality, notes)
    check_consistent(adata, name)
    if len(modalities) > 1:
        notes.insert(0, f"Of the modalities {listed(modalities)}, {quoted(modality)} is shown.")
    kind = "h5mu" if subsample is None else "sample of h5mu"
    return FileData(adata, kind, tuple(notes), modalities, {"modality": modality})


def _choose(modalities: Sequence[str], wanted: str | None, name: str) -> str:
    if not modalities:
        raise FileError(f"{name} has no modality.")
    if wanted is not None:
        if wanted not in modalities:
            raise FileError(
                f"{name} has no modality {quoted(wanted)}; available: {listed(modalities)}."
            )
        return wanted
    return next((m for m in modalities if m.casefold() in _EXPRESSION), modalities[0])


def _add_shared(adata: ad.AnnData, file: h5py.File, modality: str, notes: list[str]) -> None:
    """Add columns and embeddings that describe the cells of all modalities."""
    from anndata.io import read_elem

    try:
        obs = read_elem(file["obs"]) if "obs" in file else pd.DataFrame()
        obsm: dict[str, Any] = read_elem(file["obsm"]) if "obsm" in file else {}
        rows = pd.Index(obs.index).get_indexer(adata.obs_names)
    except Exception:  # an unknown part is no reason to refuse the modality
        notes.append("What the file says of all modalities together was left out: unreadable.")
        return
    if len(obs) == 0 or (rows < 0).any():
        return
    for column in obs.columns:
        # "rna:donor" is the donor that the modality has itself.
        if str(column).removeprefix(f"{modality}:") not in adata.obs.columns:
            adata.obs[column] = obs[column].iloc[rows].array
    for key, values in obsm.items():
        # mudata also stores, under each modality's name, which cells it has.
        if key not in adata.obsm and getattr(values, "ndim", 0) == 2 and values.shape[1] > 1:
            adata.obsm[key] = np.asarray(values)[rows]
