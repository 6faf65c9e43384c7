"""Which stages a run consists of, and the key of each: known before anything is computed.

Light on purpose: a page plans a run to see what the store already has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import metadata
from typing import Literal

from harmony_core.params import RunParams
from harmony_core.store import Dataset, StageKey, digest

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")

WIDTH = 90
"""Neighbours searched: three times LISI's perplexity of 30; everything else uses the first few."""

_RECIPES: Mapping[str, int] = {
    "quality": 1,
    "doublets": 1,
    "prepare": 2,
    "correct": 2,
    "soft_clusters": 1,
    "given": 1,
    "neighbors": 6,
    "layout": 3,
    "preview": 4,
    "clusters": 2,
    "other_clusters": 1,
    "markers": 2,
    "reference": 3,
    "lisi": 1,
    "assess": 5,
    "scib": 1,
}
"""Raise a stage's number when its code changes what it computes."""

_LIBRARIES = ("harmonypy", "scanpy", "umap-learn", "igraph", "leidenalg", "faiss-cpu")


@dataclass(frozen=True)
class Step:
    """One stage of a run, as a user reads it while waiting.

    ``needs`` names the steps that it takes results from. ``is_result`` is False for a stage that
    only serves others: where all results are there, it need not be.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    is_result: bool = True


STEPS: tuple[Step, ...] = (
    Step("prepare", "Preparing cells and genes"),
    Step("correct", "Running Harmony", ("prepare",)),
    Step("neighbors_before", "Finding neighbours before correction", ("prepare",), False),
    Step("layout_before", "Drawing the picture before correction", ("neighbors_before",)),
    Step("preview_after", "Sketching the picture", ("layout_before", "correct"), False),
    Step("neighbors_after", "Finding neighbours after correction", ("correct",), False),
    Step("reference", "Describing each batch on its own", ("prepare",), False),
    Step("lisi_before", "Measuring mixing before correction", ("neighbors_before",), False),
    Step("lisi_after", "Measuring mixing after correction", ("neighbors_after",), False),
    Step(
        "assess",
        "Judging the correction",
        ("reference", "lisi_before", "lisi_after"),
    ),
    Step("soft_clusters", "Describing Harmony's soft clusters", ("correct",)),
    Step(
        "layout_after", "Drawing the picture after correction", ("layout_before", "neighbors_after")
    ),
    Step("clusters_before", "Clustering before correction", ("neighbors_before",)),
    Step("clusters_after", "Clustering after correction", ("neighbors_after",)),
    Step("markers_before", "Ranking marker genes before correction", ("clusters_before",)),
    Step("markers_after", "Ranking marker genes after correction", ("clusters_after",)),
    Step(
        "other_clusters_before",
        "Clustering at other resolutions before correction",
        ("neighbors_before",),
    ),
    Step(
        "other_clusters_after",
        "Clustering at other resolutions after correction",
        ("neighbors_after",),
    ),
)
"""In the order in which they are computed; what a user waits for most comes first."""

GIVEN_TITLE = "Taking the corrected embedding"
"""Of the step ``correct`` where Harmony is not run."""

ON_DEMAND: tuple[Step, ...] = (
    Step("quality", "Counting genes and molecules of each cell"),
    Step("doublets", "Scoring doublets batch by batch", ("quality",)),
    Step(
        "scib_before",
        "Scoring the uncorrected data as scIB does",
        ("clusters_before", "other_clusters_before"),
    ),
    Step(
        "scib_after",
        "Scoring the corrected data as scIB does",
        ("clusters_after", "other_clusters_after"),
    ),
)
"""Computed only where somebody asks."""


LOADING: tuple[Step, ...] = (
    Step("read", "Reading the file"),
    Step("check", "Looking at what it holds"),
    Step("keep", "Putting it into the store"),
)
"""What happens to a file before any run."""


class Plan:
    """The stages of one run and their keys.

    Parameters
    ----------
    dataset
        The dataset in the store.
    params
        Everything else that decides the results.
    """

    def __init__(self, dataset: Dataset, params: RunParams) -> None:
        self.dataset = dataset
        self.params = params

    @cached_property
    def run(self) -> str:
        """Name of the run: the same dataset, settings and versions give the same name."""
        always = {step.name: self.keys[step.name].digest for step in STEPS}
        return digest(self.dataset.fingerprint, self.params.to_dict(), always)

    @cached_property
    def keys(self) -> Mapping[str, StageKey]:
        """Key of each step of `STEPS` and `ON_DEMAND`."""
        p = self.params
        prepare_by: list[object] = [p.prepare.to_dict(), self.dataset.info.kind]
        if p.prepare.basis is None:
            prepare_by.append(p.harmony.batch[0])
        keys: dict[str, StageKey] = {}

        def add(name: str, stage: str, *parts: object) -> StageKey:
            keys[name] = StageKey(stage, digest(_RECIPES[stage], library_versions(), *parts))
            return keys[name]

        add("quality", "quality", self.dataset.info.kind)
        thresholds = [p.prepare.min_genes, p.prepare.max_genes, p.prepare.max_mito]
        add("doublets", "doublets", *thresholds, p.prepare.seed, p.harmony.batch[0])
        prepare = add("prepare", "prepare", *prepare_by)
        if p.precomputed is None:
            correct = add("correct", "correct", prepare.digest, p.harmony.to_dict())
        else:
            correct = add("correct", "given", prepare.digest, p.precomputed)
        add("soft_clusters", "soft_clusters", correct.digest)
        variables = [list(p.harmony.batch), p.label]
        near: dict[str, StageKey] = {}
        for side, source in (("before", prepare), ("after", correct)):
            near[side] = add(f"neighbors_{side}", "neighbors", source.digest, WIDTH)
        graph = p.graph.to_dict()
        first = add("layout_before", "layout", near["before"].digest, graph, p.layout.to_dict())
        add("layout_after", "layout", near["after"].digest, first.digest)
        add("preview_after", "preview", correct.digest, first.digest)
        reference = add("reference", "reference", prepare.digest, list(p.harmony.batch))
        for side in SIDES:
            found = near[side].digest
            add(f"lisi_{side}", "lisi", found, variables)
            how = [found, graph, p.clusters.flavor, p.clusters.seed]
            clusters = add(f"clusters_{side}", "clusters", *how, p.clusters.shown)
            others = add(f"other_clusters_{side}", "other_clusters", *how, p.clusters.others)
            add(f"markers_{side}", "markers", clusters.digest, prepare.digest)
            add(f"scib_{side}", "scib", clusters.digest, others.digest, variables)
        add(
            *("assess", "assess", reference.digest, variables, p.condition),
            *(correct.digest, near["before"].digest),
        )
        return keys

    @property
    def _steps(self) -> tuple[Step, ...]:
        """`STEPS`, as the run's own are called."""
        if self.params.precomputed is None:
            return STEPS
        return tuple(replace(s, title=GIVEN_TITLE) if s.name == "correct" else s for s in STEPS)

    @property
    def is_finished(self) -> bool:
        """Whether the store has every result of the run."""
        return self.has(*(step.name for step in STEPS if step.is_result))

    def has(self, *steps: str) -> bool:
        """Return whether the store has the results of these steps."""
        return all(self.dataset.is_finished(self.keys[name]) for name in steps)

    def can_read(self, *steps: str) -> bool:
        """Return whether results are there and whole, without steps all; they then count as used.

        Dearer than `has`: every file is opened.
        """
        wanted = steps or [step.name for step in STEPS if step.is_result]
        return all(self.dataset.finished(self.keys[name]) is not None for name in wanted)

    def steps_for(self, *targets: str) -> tuple[Step, ...]:
        """Return the steps to some results, in order of computing; without targets `STEPS`."""
        if not targets:
            return self._steps
        every = {step.name: step for step in (*self._steps, *ON_DEMAND)}
        wanted: set[str] = set()
        open_ends = list(targets)
        while open_ends:
            name = open_ends.pop()
            wanted.add(name)
            open_ends += every[name].needs
        return tuple(step for step in every.values() if step.name in wanted)


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose results are stored."""
    return {name: metadata.version(name) for name in _LIBRARIES}
