"""What ``dataset.json`` says of a dataset: the one place that writes and reads it."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from harmony_core.counting import counted
from harmony_core.errors import ParameterError
from harmony_core.inspect.candidates import BatchCandidate, all_conditions
from harmony_core.inspect.columns import quoted
from harmony_core.inspect.embeddings import EmbeddingInfo
from harmony_core.inspect.left_out import Kept
from harmony_core.params import PrepareParams, RunParams
from harmony_core.store.files import touch

INFO_FILE = "dataset.json"

ExpressionKind = Literal["counts", "normalised", "log", "scaled", "mixed", "none"]

_OF_EXPRESSION = frozenset({"basis", "n_top_genes", "scale"})
"""Settings that, once named without an embedding, mean the expression."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a dataset's files were read.

    Attributes
    ----------
    format
        Name of the format; empty where the data came as an object.
    inputs
        The files, where they are still to be found; empty for uploads and sketches.
    sketch_of
        Fingerprint of the dataset that the cells were drawn from.
    modalities
        Modalities of the file, of which one was read.
    choices
        Ways to read it among which there was a choice, and which was taken.
    """

    format: str = ""
    inputs: tuple[str, ...] = ()
    sketch_of: str | None = None
    modalities: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StartSettings:
    """Settings to begin with.

    Attributes
    ----------
    batch, label, condition
        As in `harmony_core.params.RunParams`; ``batch`` is empty where no column suits.
    prepare
        Preparation, where the defaults do not suit the data.
    """

    batch: tuple[str, ...] = ()
    label: str | None = None
    condition: bool = False
    prepare: PrepareParams = field(default_factory=PrepareParams)


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is known of a dataset without reading its arrays.

    Attributes
    ----------
    name
        What pages call it.
    n_cells, n_genes
        Sizes; no genes where there is no expression.
    kind
        What the expression matrix holds.
    where
        Where in the file that matrix is: ``X``, ``raw`` or ``layers/<name>``.
    matrices
        Every matrix of the file with what it holds.
    mixed_kinds
        By column, why its levels can't be corrected together: they hold different kinds of values.
    organism, n_mito, symbol_column
        Of the genes: the organism, how many are mitochondrial, the column that has their symbols.
    embeddings, layouts
        Embeddings of the file, and those in two or three dimensions to look at.
    embedding_facts
        What was seen in each of ``embeddings``.
    uncorrected
        Embeddings that a run may start from, the best first.
    warnings
        Sentences on what should be known before a run.
    suggested
        Settings to begin with.
    candidates, labels
        Columns that can be the batch variable, and the label, the likeliest first.
    reading
        How the files were read.
    run
        Settings of the run in a file that we wrote, to be taken up from its embedding.
    own_columns
        Columns of obs that an export of ours wrote: results, not facts about the cells.
    left_out
        What quality control had kept of each batch and label before such an export.
    """

    name: str
    n_cells: int
    n_genes: int = 0
    kind: ExpressionKind = "none"
    where: str = ""
    matrices: Mapping[str, str] = field(default_factory=dict)
    mixed_kinds: Mapping[str, str] = field(default_factory=dict)
    organism: str | None = None
    n_mito: int = 0
    symbol_column: str | None = None
    embeddings: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    embedding_facts: Mapping[str, EmbeddingInfo] = field(default_factory=dict)
    uncorrected: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    suggested: StartSettings = field(default_factory=StartSettings)
    candidates: tuple[BatchCandidate, ...] = ()
    labels: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)
    run: RunParams | None = None
    own_columns: tuple[str, ...] = ()
    left_out: tuple[Kept, ...] = ()

    @property
    def stored_embeddings(self) -> tuple[str, ...]:
        """Embeddings and layouts that came with the data, in the order in which they are stored."""
        return (*self.embeddings, *self.layouts)

    def facts(self, embedding: str) -> EmbeddingInfo:
        """Return what was seen in an embedding; nothing of a layout."""
        return self.embedding_facts.get(embedding, EmbeddingInfo(name=embedding))

    def is_condition(self, batch: Sequence[str], named: bool | None = None) -> bool:
        """Return whether the batch variables are judged as a condition.

        Pages, the command line and Python all ask here. Without a choice they are if the name of
        each suggests one.

        Parameters
        ----------
        batch
            Batch variables.
        named
            What the user chose, if anything.
        """
        if named is not None:
            return named
        if tuple(batch) == self.suggested.batch:
            return self.suggested.condition
        return all_conditions(batch, self.candidates)

    def start_basis(
        self, settings: Mapping[str, Any] | None = None, *, other_than: str | None = None
    ) -> str | None:
        """Return the embedding that a run starts from; None where it is the expression.

        Pages, the command line and Python all ask here. Without a choice it is an embedding where
        there is no expression, and where that is scaled and the data bring an uncorrected
        embedding: it was made from what stood there before.

        Parameters
        ----------
        settings
            Settings of preparation that the user named. ``basis`` as None asks for the expression,
            and so does a choice of variable genes, as far as there is any.
        other_than
            An embedding that is not to be taken, as another tool corrected it.
        """
        named = settings or {}
        if named.get("basis") is not None:
            return str(named["basis"])
        found: tuple[str, ...] = ()
        if self.kind == "none":
            found = (*self.uncorrected, *self.embeddings)
        elif self.kind == "scaled" and not _OF_EXPRESSION & named.keys():
            found = self.uncorrected
        return next((name for name in found if name != other_than), None)

    def start_of_preparation(self, settings: Mapping[str, Any] | None = None) -> PrepareParams:
        """Return settings of preparation, with those that suit the data where none are named.

        Parameters
        ----------
        settings
            Those that the user named; see `start_basis`. An embedding is taken with every cell, so
            no threshold is suggested beside it.

        Raises
        ------
        ParameterError
            If a setting is unknown or out of its range.
        """
        named = settings or {}
        basis = self.start_basis(named)
        start = {} if basis is not None else self.suggested.prepare.to_dict()
        return PrepareParams.from_dict({**start, **named, "basis": basis})

    def notes_on(self, prepare: PrepareParams) -> tuple[str, ...]:
        """Return what is to be said of a start that suits the data, or of one that doesn't."""
        if prepare.basis in self.layouts:
            return (
                f"{quoted(prepare.basis)} is a layout, a picture or coordinates: distances in it "
                "are not differences between cells, so its correction means little. Correct "
                "components, such as X_pca, and lay those out.",
            )
        if prepare.basis is not None:
            return ()
        usual, fitting = PrepareParams(), self.suggested.prepare
        said = {
            "min_genes": f"Cells need {counted(prepare.min_genes, 'gene')} here rather than "
            f"{usual.min_genes:,}, as the data have few genes a cell.",
            "max_genes": f"Cells may have {prepare.max_genes:,} genes here rather than "
            f"{usual.max_genes:,}, as the data have many genes a cell.",
            "max_mito": f"Cells may have {prepare.max_mito:g} % mitochondrial counts here rather "
            f"than {usual.max_mito:g} %, as many cells of these data have more than that.",
        }
        return tuple(
            sentence
            for name, sentence in said.items()
            if getattr(usual, name) != getattr(prepare, name) == getattr(fitting, name)
        )

    def write(self, folder: Path) -> None:
        """Write it into a dataset's folder."""
        text = json.dumps(self.to_dict())
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=folder, prefix=".new-", delete=False
        ) as new:
            new.write(text)
        Path(new.name).replace(folder / INFO_FILE)  # at once: others may be reading it

    @classmethod
    def read(cls, folder: Path, *, use: bool = True) -> DatasetInfo:
        """Read it from a dataset's folder, which counts as using the dataset, unless told not."""
        if use:
            touch(folder / INFO_FILE)
        return cls.from_dict(json.loads((folder / INFO_FILE).read_text("utf-8")))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        prepare = _changed(self.suggested.prepare)
        values = dataclasses.asdict(self)
        for name in ("own_columns", "left_out"):
            if not values[name]:  # as stores from before had it
                del values[name]
        return values | {
            "embedding_facts": {
                name: {**dataclasses.asdict(facts), "follows_depth": facts.follows_depth}
                for name, facts in self.embedding_facts.items()
            },
            "suggested": {
                "batch": self.suggested.batch,
                "label": self.suggested.label,
                "condition": self.suggested.condition,
                **({"prepare": prepare} if prepare else {}),
            },
            "reading": {} if self.reading == Reading() else dataclasses.asdict(self.reading),
            "run": None if self.run is None else self.run.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetInfo:
        """Build it from JSON values; what an older store lacks has its default."""
        facts = values.get("embedding_facts") or {}
        suggested = values.get("suggested") or {}
        prepare = PrepareParams.from_dict(suggested.get("prepare", {}))
        nested = {
            "embedding_facts": {name: _built(EmbeddingInfo, f) for name, f in facts.items()},
            "suggested": _built(StartSettings, {**suggested, "prepare": prepare}),
            "candidates": [_built(BatchCandidate, c) for c in values.get("candidates", [])],
            "reading": _built(Reading, values.get("reading") or {}),
            "run": _run(values.get("run")),
            "left_out": [Kept.from_dict(**each) for each in values.get("left_out", [])],
        }
        return _built(cls, {**values, **nested})


def _built(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """Build a dataclass from those of the values that it knows."""
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    )


def _changed(prepare: PrepareParams) -> dict[str, Any]:
    """Return the settings of preparation that differ from the defaults."""
    default = PrepareParams().to_dict()
    return {name: value for name, value in prepare.to_dict().items() if value != default.get(name)}


def _run(values: Mapping[str, Any] | None) -> RunParams | None:
    try:
        return RunParams.from_dict(values) if values else None
    except ParameterError:  # settings of another version
        return None
