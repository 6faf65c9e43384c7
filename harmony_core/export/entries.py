"""Entries of a run added to a user's data without losing any of theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from harmony_core.export.record import earlier_record

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

Part = Literal["obs", "var", "raw.var", "obsm", "obsp", "uns"]
DOUBLET_SCORE = "doublet_score"
"""Column of obs with Scrublet's score of each cell, as in scanpy."""


class Entries:
    """Adds entries to data, renames one of the two where a name is taken, and records the names.

    Entries that an earlier export of ours added are removed first: the new ones replace them.

    Parameters
    ----------
    adata
        The data; changed in place.
    raw_var
        The table of genes of the data's ``raw``, if they have one; changed in place.
    keep
        Names of the embeddings that the run starts from, which stay whoever made them.

    Attributes
    ----------
    notes
        Sentences about anything that was renamed.
    moved
        New name of each entry of the data that was renamed, by part and old name.
    """

    def __init__(
        self,
        adata: AnnData,
        raw_var: pd.DataFrame | None = None,
        *,
        keep: Collection[str | None] = (),
    ) -> None:
        self.adata, self.raw_var = adata, raw_var
        self.notes: list[str] = []
        self._names: dict[tuple[Part, str], str] = {}
        self._written: list[tuple[Part, str]] = []
        self.moved: dict[tuple[Part, str], str] = {}
        self._remove_earlier(keep)

    def add(self, part: Part, name: str, value: Any) -> str:
        """Add an entry, and return the name that it got.

        A column of obs that is there already keeps its name. Any other entry is renamed: scanpy's
        tools look for the current variable genes, embedding, graph and ranking under fixed names.
        """
        holder = self._holder(part)
        name_used = name
        if name in holder and part == "obs":
            name_used = _free(f"{name}_explorer", holder)
            self.notes.append(
                f"The data have a column {name!r} already, which is kept; ours is {name_used!r}."
            )
        elif name in holder:
            aside = _free(f"{name}_original", holder)
            holder[aside] = self._repointed(holder[name])
            del holder[name]
            self.moved[part, name] = aside
            self.notes.append(
                f"The data came with {part}[{name!r}]; it is kept as {part}[{aside!r}]."
            )
        holder[name_used] = value
        self._names[part, name] = name_used
        self._written.append((part, name_used))
        return name_used

    def name(self, part: Part, name: str) -> str:
        """Return the name under which an entry of ours ended up."""
        return self._names.get((part, name), name)

    def embedding(self, name: str) -> str:
        """Return where an embedding stands now: its name, or where it moved to."""
        return self.moved.get(("obsm", name), name)

    @property
    def written(self) -> dict[str, list[str]]:
        """Names of our entries by part."""
        parts = sorted({part for part, _ in self._written})
        return {part: [n for p, n in self._written if p == part] for part in parts}

    def _holder(self, part: Part) -> Any:
        return self.raw_var if part == "raw.var" else getattr(self.adata, part)

    def _repointed(self, value: Any) -> Any:
        """Return an entry that moves aside, with its keys following the graphs that moved."""
        if not isinstance(value, Mapping):
            return value
        return {
            k: self.moved.get(("obsp", v), v) if k.endswith("_key") and isinstance(v, str) else v
            for k, v in value.items()
        }

    def _remove_earlier(self, keep: Collection[str | None]) -> None:
        earlier = earlier_record(self.adata.uns) or {}
        written: Mapping[str, list[str]] = earlier.get("written", {})
        goes_on = any(name in keep for name in written.get("obsm", ()))
        for part in get_args(Part):
            holder = self._holder(part)
            for name in written.get(part, ()):
                if holder is None or name not in holder or (part == "obsm" and name in keep):
                    continue
                if goes_on and _is_of_preparation(part, name):  # as the embedding that stays
                    self._written.append((part, name))
                    continue
                del holder[name]


def _is_of_preparation(part: Part, name: str) -> bool:
    return part in ("var", "raw.var") or (part == "obs" and name.startswith(DOUBLET_SCORE))


def _free(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}_{i}" for i in range(2, len(taken) + 3))
    return next(n for n in (name, *numbered) if n not in taken)
