"""What is to be read, and how: one request from a page or a command to the readers.

Light on purpose: a page makes it, a worker carries it out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

READING = ("genes", "modality", "cells_in", "max_cells", "sample_by")
"""What of a `LoadRequest` says how files are read."""

FOLDERS_OF = "CellRanger, STARsolo, kb-python, alevin-fry and Parse"
"""Tools whose folders are read, as sentences name them."""


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """Files that become one dataset.

    Attributes
    ----------
    paths
        The files or folders.
    names
        What the user calls each.
    is_upload
        The paths are copies that will be gone; where the data came from is then not recorded.
    genes
        Which genes to keep of several files: ``"intersection"`` or ``"union"``.
    modality
        Which modality of an h5mu; by default gene expression, else the first.
    cells_in
        Whether ``"rows"`` or ``"columns"`` of a text table are cells; by default as the names tell.
    max_cells
        Draw this many cells if there are more.
    sample_by
        Column of obs of whose levels equal numbers are drawn.
    sketch_of
        Fingerprint of the dataset in the store that the cells are drawn from.
    added_to
        Fingerprint of the dataset in the store that is the first of the paths; all others are
        tables of embeddings that are added to it.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    is_upload: bool = False
    genes: Literal["intersection", "union"] = "intersection"
    modality: str | None = None
    cells_in: Literal["rows", "columns"] | None = None
    max_cells: int | None = None
    sample_by: str | None = None
    sketch_of: str | None = None
    added_to: str | None = None

    @classmethod
    def of_path(cls, path: Path) -> LoadRequest:
        """Ask for one file where it lies."""
        return cls.of_paths([path])

    @classmethod
    def of_paths(cls, paths: Sequence[Path]) -> LoadRequest:
        """Ask for files where they lie, as one dataset."""
        return cls(
            paths=tuple(str(path.resolve()) for path in paths),
            names=tuple(path.name for path in paths),
        )

    @property
    def name(self) -> str:
        """What to call the dataset."""
        first, *rest = self.names
        return first if not rest or self.added_to else f"{first} and {len(rest)} more"

    @property
    def still_there(self) -> bool:
        """Whether the files can be read once more."""
        return all(Path(path).exists() for path in self.paths)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain values for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoadRequest:
        """Build the request from what `to_dict` gave."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)
