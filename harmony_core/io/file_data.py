"""What is read from files, before anything looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anndata as ad
    import h5py


@dataclass(frozen=True)
class FileData:
    """The data of a file, or of several that were put together.

    Attributes
    ----------
    adata
        The data, nothing changed.
    format
        Name of the format, as a page shows it.
    notes
        Whole sentences: what was recognised, and what was left out.
    modalities
        What else could be chosen, where the file holds several kinds of measurements.
    choices
        What was decided while reading and could be decided otherwise: ``modality``, ``cells_in``,
        ``genes``, by the names that `harmony_core.io.request.LoadRequest` gives them.
    names_cells
        Whether the file names its cells; where it does not, their names here are made up.
    matrices
        The open file that the matrices of large data lie in; None where they are in memory.
    """

    adata: ad.AnnData
    format: str
    notes: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    names_cells: bool = True
    matrices: h5py.File | None = None
