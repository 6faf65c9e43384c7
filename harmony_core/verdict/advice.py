"""What to try next, in the order measured to help; each is re-measured on the user's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harmony_core import thresholds
from harmony_core.params import RANGES, HarmonyParams

StopReason = Literal["converged", "limit", "rose", "none"]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing to try.

    Parameters
    ----------
    sentence
        What to do and what it did elsewhere.
    changes
        Settings to replace, as ``HarmonyParams`` (or ``PrepareParams``) names and JSON values;
        empty where there is nothing to click.
    group
        Whose settings they are.
    """

    sentence: str
    changes: dict[str, Any] = field(default_factory=dict)
    group: Literal["harmony", "prepare"] = "harmony"


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What advice and explanations need to know of a run, beside its diagnostics.

    Parameters
    ----------
    settings
        Of the run.
    n_cells, n_pcs
        Size of the embedding.
    batch_sizes
        Cells of each level, for each batch variable.
    stop_reason
        Why Harmony stopped: its objective settled, iterations ran out, the objective rose, or no
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


def too_much(facts: RunFacts, batch_variable: str) -> list[Advice]:
    """Return what to try against over-correction, gentlest first."""
    now = facts.settings
    found = []
    if facts.iterations > thresholds.GENTLE_ITERATIONS:
        found.append(
            Advice(
                sentence=f"Stop after {thresholds.GENTLE_ITERATIONS} iterations: merges less and "
                "keeps almost all mixing.",
                changes={"max_iter": thresholds.GENTLE_ITERATIONS},
            )
        )
    if _theta(facts, batch_variable) > thresholds.GENTLE_THETA:
        found.append(
            Advice(
                sentence=f"Lower theta to {thresholds.GENTLE_THETA:g}: merges less, at a small "
                "loss of mixing.",
                changes={"theta": _theta_with(facts, batch_variable, thresholds.GENTLE_THETA)},
            )
        )
    if now.sigma > thresholds.GENTLE_SIGMA:
        found.append(
            Advice(
                sentence=f"Lower sigma to {thresholds.GENTLE_SIGMA:g}: sharper soft clusters "
                "merged least in our tests, at some loss of mixing.",
                changes={"sigma": thresholds.GENTLE_SIGMA},
            )
        )
    if now.lamb is None and now.alpha < thresholds.GENTLE_ALPHA:
        found.append(
            Advice(
                sentence=f"Raise alpha to {thresholds.GENTLE_ALPHA:g}: corrects each soft "
                "cluster less; costs the most mixing.",
                changes={"alpha": thresholds.GENTLE_ALPHA},
            )
        )
    if facts.n_pcs < thresholds.FEW_PCS:
        found.append(
            Advice(
                sentence=f"Use more components ({thresholds.FEW_PCS:g} or more instead of "
                f"{facts.n_pcs}): close cell types differ in the later ones.",
                changes={"n_pcs": int(thresholds.FEW_PCS)},
                group="prepare",
            )
        )
    return found + _protect_small_batch(facts, batch_variable)


def too_little(facts: RunFacts, batch_variable: str) -> list[Advice]:
    """Return what to try against under-correction."""
    now = facts.settings
    theta = _theta(facts, batch_variable)
    found = []
    stronger = [t for t in (thresholds.STRONG_THETA, thresholds.STRONGER_THETA) if t > theta]
    for value in stronger:
        changes: dict[str, Any] = {"theta": _theta_with(facts, batch_variable, value)}
        with_sigma = ""
        if now.sigma != thresholds.MIXING_SIGMA:
            changes["sigma"] = thresholds.MIXING_SIGMA
            with_sigma = f" with sigma {thresholds.MIXING_SIGMA:g}"
        found.append(
            Advice(
                sentence=f"Raise theta to {value:g}{with_sigma}: pushes the batches together "
                "harder.",
                changes=changes,
            )
        )
    if not stronger and now.sigma < thresholds.MIXING_SIGMA:
        found.append(
            Advice(
                sentence=f"Set sigma to {thresholds.MIXING_SIGMA:g}: below it, batches often stay "
                "apart whatever theta is.",
                changes={"sigma": thresholds.MIXING_SIGMA},
            )
        )
    if facts.iterations >= now.max_iter:
        found.append(more_iterations(facts))
    if facts.genes_per_batch is not True:
        found.append(
            Advice(
                sentence="Check that variable genes were chosen within each batch and then "
                "merged: genes that only tell the batches apart keep them apart."
            )
        )
    return found


def leave_uncorrected(facts: RunFacts, batch_variable: str) -> Advice:
    """Return the advice not to correct for a variable."""
    settings = facts.settings
    others = [name for name in settings.batch if name != batch_variable]
    if not others or batch_variable not in settings.batch:
        return Advice(sentence="Work with the uncorrected embedding.", changes={"max_iter": 0})
    theta = [t for n, t in zip(settings.batch, settings.theta, strict=True) if n in others]
    return Advice(
        sentence=f"Leave “{batch_variable}” out of the correction.",
        changes={"batch": others, "theta": theta},
    )


def more_iterations(facts: RunFacts) -> Advice:
    """Return the advice to let Harmony run longer."""
    wanted = max(facts.settings.max_iter, 1) * thresholds.MORE_ITERATIONS
    most = min(wanted, int(RANGES["max_iter"].high))
    return Advice(
        sentence=f"Allow {most} iterations: this run was still changing when it stopped.",
        changes={"max_iter": most},
    )


def _protect_small_batch(facts: RunFacts, batch_variable: str) -> list[Advice]:
    sizes = facts.batch_sizes.get(batch_variable, {})
    if facts.settings.tau > 0 or not sizes:
        return []
    name = min(sizes, key=lambda level: sizes[level])
    if sizes[name] > thresholds.UNEVEN_BATCHES * max(sizes.values()):
        return []
    tau = round(sizes[name] / (thresholds.TAU_DIVISOR * facts.settings.nclust_for(facts.n_cells)))
    if not 1 <= tau <= RANGES["tau"].high:
        return []
    return [
        Advice(
            sentence=f"Set tau to {tau}: protects the small batch “{name}” "
            f"({sizes[name]} cells) from being spread over all clusters.",
            changes={"tau": float(tau)},
        )
    ]


def _theta(facts: RunFacts, batch_variable: str) -> float:
    settings = facts.settings
    if batch_variable in settings.batch:
        return settings.theta[settings.batch.index(batch_variable)]
    return max(settings.theta)


def _theta_with(facts: RunFacts, batch_variable: str, value: float) -> list[float]:
    """Return every variable's theta with this one's replaced (all of them, if it is joint)."""
    settings = facts.settings
    if batch_variable not in settings.batch:
        return [value] * len(settings.theta)
    return [
        value if name == batch_variable else theta
        for name, theta in zip(settings.batch, settings.theta, strict=True)
    ]
