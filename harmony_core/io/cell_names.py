"""Which sample a cell is of, as its name tells where nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import anndata as ad

SAMPLE_COLUMN = "sample"
_BARCODE = r"^(?P<before>.*?)[ACGTN]{8,}(?P<after>(?:[^ACGTNacgtn].*)?)$"
_SEPARATORS = " _:.-#|"
_FEWEST_CELLS = 20
_LONGEST = 200


def add_sample(adata: ad.AnnData) -> tuple[str, ...]:
    """Add a column of the samples that the cells' names tell, to data that have no column.

    Parameters
    ----------
    adata
        The data; changed in place.

    Returns
    -------
    What was added, in a sentence; empty if nothing was.
    """
    names = adata.obs_names.to_series().astype(str)
    if len(adata.obs.columns) or names.str.len().max() > _LONGEST:
        return ()
    parts = names.str.extract(_BARCODE)
    if parts["before"].isna().any():
        return ()
    for part in ("before", "after"):
        samples = parts[part].str.strip(_SEPARATORS)
        sizes = samples.value_counts()
        if len(sizes) >= 2 and sizes.min() >= _FEWEST_CELLS:
            adata.obs[SAMPLE_COLUMN] = pd.Categorical(samples)
            return (
                f"The names of the cells have {len(sizes)} different texts {part} the barcode; "
                f"the column '{SAMPLE_COLUMN}' tells which.",
            )
    return ()
