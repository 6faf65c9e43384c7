"""One thing to try, and what it depends on. Lists of them are made in `what_to_try`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harmony_core.params import HarmonyParams
from harmony_core.verdict import steps

StopReason = Literal["converged", "limit", "rose", "none"]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing to try.

    Parameters
    ----------
    sentence
        What to do and what it may do; what it does to these data is only known once it was tried.
    changes
        Settings to replace, as ``HarmonyParams`` (or ``PrepareParams``) names and JSON values;
        empty where there is nothing to click.
    group
        Whose settings they are.
    """

    sentence: str
    changes: dict[str, Any] = field(default_factory=dict)
    group: Literal["harmony", "prepare"] = "harmony"


def last_fall(objective: Sequence[float]) -> float:
    """Return by how much an objective fell in the last iteration, relative; negative if it rose.

    Parameters
    ----------
    objective
        At the start and after each iteration.
    """
    if len(objective) < 2:
        return 0.0
    before, after = objective[-2:]
    return (before - after) / max(abs(before), 1e-12)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What advice and explanations need to know of a run, beside its diagnostics.

    Parameters
    ----------
    settings
        Of the run.
    n_cells, n_pcs
        Size of the embedding.
    most_pcs
        Dimensions that the embedding could have had if more were asked for; ``None`` if unknown.
    batch_sizes
        Cells of each level, for each batch variable.
    stop_reason
        Why Harmony stopped: its objective fell by less than epsilon, iterations ran out
        (``rose``: with the objective rising in the last one, which by itself stops nothing), or no
        iteration was asked for.
    iterations
        Done.
    objective
        Harmony's objective, one value more than iterations.
    moved
        Farthest displacement of a cell, over the embedding's root-mean-square distance to its
        mean.
    neighbors_kept
        Mean fraction of a cell's 30 nearest neighbours that the run kept; ``None`` if unknown.
    genes_per_batch
        Whether variable genes were chosen within each batch; ``None`` if unknown, as with an
        embedding that the file brought along.
    """

    settings: HarmonyParams
    n_cells: int
    n_pcs: int
    batch_sizes: Mapping[str, Mapping[str, int]]
    stop_reason: StopReason
    iterations: int
    objective: tuple[float, ...]
    moved: float
    neighbors_kept: float | None = None
    genes_per_batch: bool | None = None
    most_pcs: int | None = None

    @property
    def last_fall(self) -> float:
        """Fall of the objective in the last iteration, relative; negative if it rose."""
        return last_fall(self.objective)

    @property
    def best_iteration(self) -> int:
        """After how many iterations the objective was lowest."""
        return min(range(len(self.objective)), key=lambda at: self.objective[at])

    @property
    def rise(self) -> float:
        """How far the objective ended above its lowest value, relative to that."""
        lowest = min(self.objective)
        return (self.objective[-1] - lowest) / max(abs(lowest), 1e-12)

    @property
    def smallest_batch(self) -> int:
        """Cells of the smallest batch of any variable corrected for."""
        sizes = [self.batch_sizes.get(name, {}).values() for name in self.settings.batch]
        return min((size for of_variable in sizes for size in of_variable), default=self.n_cells)

    @property
    def theta_left_by_tau(self) -> float:
        """Fraction of theta in effect for the smallest batch."""
        tau = self.settings.tau * self.settings.nclust_for(self.n_cells)
        return 1.0 if tau <= 0 else 1 - math.exp(-((self.smallest_batch / tau) ** 2))

    def small_batch(self, batch_variable: str) -> tuple[str, int, float | None]:
        """Return a variable's smallest batch, its cells, and the tau that would protect it."""
        sizes = self.batch_sizes.get(batch_variable, {})
        if not sizes:
            return "", 0, None
        name = min(sizes, key=lambda level: sizes[level])
        nclust = self.settings.nclust_for(self.n_cells)
        return name, sizes[name], steps.protecting_tau(sizes[name], max(sizes.values()), nclust)

    def theta_of(self, batch_variable: str) -> float:
        """Return a variable's theta; of several variables together, the largest."""
        settings = self.settings
        if batch_variable in settings.batch:
            return settings.theta[settings.batch.index(batch_variable)]
        return max(settings.theta)

    def theta_words(self, batch_variable: str, value: float) -> str:
        """Return what to call the theta that `theta_with` moves: of which variables, if several."""
        settings, moved = self.settings, self.theta_with(batch_variable, value)
        if len(settings.batch) == 1:
            return "theta"
        changes = zip(settings.batch, settings.theta, moved, strict=True)
        return f"theta of {' and '.join(f'“{name}”' for name, old, new in changes if new != old)}"

    def theta_with(self, batch_variable: str, value: float) -> list[float]:
        """Return every variable's theta with this one's moved to a value.

        Where the variables are meant together, each moves that lies on the far side of the value
        as seen from the largest.
        """
        settings = self.settings
        if batch_variable not in settings.batch:
            nearer = min if value < max(settings.theta) else max
            return [nearer(value, theta) for theta in settings.theta]
        return [
            value if name == batch_variable else theta
            for name, theta in zip(settings.batch, settings.theta, strict=True)
        ]
