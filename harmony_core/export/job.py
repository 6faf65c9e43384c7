"""What an export is made from, and what can be chosen about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmony_core.runs.results import RunResults

_LONGEST_STEM = 80


@dataclass(frozen=True)
class Choice:
    """What can be chosen about a form: its title, and its values with the usual one first."""

    title: str
    values: tuple[str | int, ...]


CHOICES: Mapping[str, Choice] = {
    "compression": Choice("Compression", ("gzip", "lzf")),
    "table": Choice("Format", ("csv", "parquet")),
    "figure": Choice("Format", ("png", "svg", "pdf")),
    "dpi": Choice("Dots per inch", (150, 300, 600)),
    "settings": Choice("Format", ("toml", "json")),
}
"""By the name under which a `Request` has the value."""


def _unheard(text: str) -> None:
    pass


@dataclass(frozen=True)
class Request:
    """What an export is made from.

    Attributes
    ----------
    results
        A finished run.
    runs
        Other judged runs of the same dataset, for comparisons in report and tables.
    other
        The second run of the figure of two runs, finished as well.
    input_path
        Where the data came from, if that is known.
    chosen
        Values of `CHOICES`; what is left out is the usual one.
    watch
        Hears how far a long export is; stops it by raising Cancelled.
    """

    results: RunResults
    runs: Sequence[RunResults] = ()
    other: RunResults | None = None
    input_path: str = ""
    chosen: Mapping[str, str | int] = field(default_factory=dict)
    watch: Callable[[str], None] = _unheard

    def __getitem__(self, name: str) -> Any:
        """Return the value of a choice."""
        return self.chosen.get(name, CHOICES[name].values[0])

    @property
    def stem(self) -> str:
        """The dataset's name as the start of a file's name."""
        return file_stem(self.results.dataset.name)


def file_stem(name: str) -> str:
    """Return a name from a user as the start of a file's name: no folders, nothing hidden.

    Examples
    --------
    >>> file_stem("../my data/PBMC 10k.h5ad")
    'PBMC_10k'
    """
    last = re.split(r"[\\/]", name)[-1].removesuffix(".gz")
    stem = last.rpartition(".")[0] or last
    kept = re.sub(r"[^\w.+-]+", "_", stem).strip("._")
    return kept[:_LONGEST_STEM] or "harmony"
