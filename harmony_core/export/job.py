"""An export job: the run that is exported, and the options of its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harmony_core.runs.results import RunResults

_LONGEST_STEM = 80


@dataclass(frozen=True)
class Option:
    """An option of an export format: its title, and its values with the default first."""

    title: str
    values: tuple[str | int, ...]


OPTIONS: Mapping[str, Option] = {
    "compression": Option("Compression", ("gzip", "lzf")),
    "table": Option("Format", ("csv", "parquet")),
    "figure": Option("Format", ("png", "svg", "pdf")),
    "dpi": Option("Dots per inch", (150, 300, 600)),
    "settings": Option("Format", ("toml", "json")),
}
"""By the name under which an `ExportJob` has the value."""


def _ignore_progress(text: str) -> None:
    pass


@dataclass(frozen=True)
class ExportJob:
    """What an export is made from.

    Attributes
    ----------
    results
        A finished run.
    runs
        Other assessed runs of the same dataset, for comparisons in report and tables.
    other
        The second run of the figure of two runs, finished as well.
    input_path
        Where the data came from, if that is known.
    options
        Values of `OPTIONS` by name; one that is left out has its default.
    on_progress
        Called with how far a long export is; stops it by raising Cancelled.
    """

    results: RunResults
    runs: Sequence[RunResults] = ()
    other: RunResults | None = None
    input_path: str = ""
    options: Mapping[str, str | int] = field(default_factory=dict)
    on_progress: Callable[[str], None] = _ignore_progress

    def __getitem__(self, name: str) -> Any:
        """Return the value of an option."""
        return self.options.get(name, OPTIONS[name].values[0])

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
    safe = re.sub(r"[^\w.+-]+", "_", stem).strip("._")
    return safe[:_LONGEST_STEM] or "harmony"
