"""What became of every state: kept, merged with another, apart from its match, or not to be judged.

The rows of the state table. A state is called merged only if enough of its neighbours changed,
counted over all cells that borrow it and over its own alone, and if that is more than chance gives
the state, with control of false discoveries among all states of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from harmony_core import thresholds
from harmony_core._typing import Flags, Floats, Ints
from harmony_core.detector.lending import LentStates
from harmony_core.detector.pooling import contacts
from harmony_core.detector.results import Outcome, StateRow
from harmony_core.detector.wrong_neighbors import wrong_by_state


@dataclass(frozen=True, kw_only=True)
class StateNumbers:
    """What a run did to each state.

    Attributes
    ----------
    loss
        Fraction of neighbours that changed to another borrowed label, each by how far the two
        states were apart before; the smaller of that over all borrowing cells and over its own.
        NaN where it can't be told.
    q
        False discovery rate at which the loss counts as more than chance.
    partner
        State that it merged with, or its match in another pool; -1 where there is none.
    swapped
        Part of its neighbours that a type of another pool holds which replaces it there.
    mixing
        Of the state with its matches, seen from it: 0 apart, 1 as sizes allow; NaN without match.
    """

    loss: Floats
    q: Floats
    partner: Ints
    swapped: Floats
    mixing: Floats

    @property
    def is_merged(self) -> Flags:
        """Whether a state was merged with another."""
        lost = np.nan_to_num(self.loss) > thresholds.STATE_LOSS
        sure = np.nan_to_num(self.q, nan=1.0) < thresholds.FALSE_DISCOVERIES
        return np.asarray((lost & sure) | (self.swapped > thresholds.REPLACED_MERGED))

    @property
    def score(self) -> float:
        """The worst state's loss over its limit: above 1 is flagged."""
        sure = np.nan_to_num(self.q, nan=1.0) < thresholds.FALSE_DISCOVERIES
        lost = np.nan_to_num(self.loss) * sure / thresholds.STATE_LOSS
        swapped = self.swapped / thresholds.REPLACED_MERGED
        return float(max(lost.max(initial=0.0), swapped.max(initial=0.0)))


def measure_states(lent: LentStates, after: Ints, before: Ints) -> StateNumbers:
    """Measure what a run did to each state.

    Parameters
    ----------
    lent
        States of the uncorrected data.
    after, before
        Nearest neighbours in the corrected and the uncorrected embedding (cells × at least 30).

    Returns
    -------
    The numbers of every state.
    """
    after, before = after[:, : thresholds.N_NEIGHBORS], before[:, : thresholds.N_NEIGHBORS]
    sizes = lent.sizes
    wrong, error = wrong_by_state(lent.lent, lent.state, lent.apart, after)
    loss = np.min(wrong - lent.wrong_before, axis=1)
    loss[sizes < thresholds.MIN_CELLS_STATE] = np.nan
    own_loss = wrong[:, 1] - lent.wrong_before[:, 1]
    p = norm.sf((own_loss - lent.chance) / np.maximum(error, 1e-6))
    p[np.isnan(loss)] = np.nan
    now, then = (contacts(near, lent.state, len(sizes)) for near in (after, before))
    swapped, rival = _swapped(lent, now, then)
    mixing, match = _mixing(lent, now, sizes)
    partner = np.where(swapped > thresholds.REPLACED_MERGED, rival, match)
    lost = np.nan_to_num(loss) > thresholds.STATE_LOSS
    for state in np.flatnonzero(lost & (swapped <= thresholds.REPLACED_MERGED)):
        partner[state] = _largest_other(lent, after, int(state))
    return StateNumbers(
        loss=loss, q=_false_discovery_rates(p), partner=partner, swapped=swapped, mixing=mixing
    )


def mean_mixing(lent: LentStates, numbers: StateNumbers) -> float | None:
    """Mixing of the states that have a match, seen from the worse side, weighted by cells."""
    sizes, worst = lent.sizes, np.full(len(lent.sizes), np.nan)
    for x, y in lent.pairs[~lent.replaced]:
        side = np.nanmin([numbers.mixing[x], numbers.mixing[y], 1.0])
        worst[[x, y]] = np.fmin(worst[[x, y]], side)
    known = np.isfinite(worst)
    return float(np.average(worst[known], weights=sizes[known])) if known.any() else None


def name_states(
    lent: LentStates, pool_names: Sequence[str], gene_names: Sequence[str]
) -> list[str]:
    """Name every state by its pool, its rank by size there and its best markers.

    Parameters
    ----------
    lent
        The states.
    pool_names, gene_names
        Names of the pools and of the compared genes; without the latter no markers are named.
    """
    sizes, names = lent.sizes, []
    for state, pool in enumerate(lent.pool):
        own = np.flatnonzero(lent.pool == pool)
        rank = int(
            (sizes[own] > sizes[state]).sum() + (sizes[own[own < state]] == sizes[state]).sum()
        )
        name = f"{pool_names[pool]} · state {rank + 1}"
        genes = _markers(lent, state, own, gene_names)
        names.append(f"{name} ({', '.join(genes)})" if genes else name)
    return names


def state_rows(
    lent: LentStates,
    numbers: StateNumbers,
    names: Sequence[str],
    pool_names: Sequence[str],
    gene_names: Sequence[str],
) -> tuple[StateRow, ...]:
    """Describe every state, what a run harmed first.

    Parameters
    ----------
    lent, numbers
        States and what a run did to them.
    names, pool_names, gene_names
        From `name_states`, of the pools, and of the compared genes.

    Returns
    -------
    One row a state.
    """
    rows = []
    merged = numbers.is_merged
    for state in range(len(lent.pool)):
        outcome, why = _outcome(lent, numbers, state, is_merged=bool(merged[state]))
        partner = int(numbers.partner[state])
        named = outcome in ("merged", "apart", "partly") and partner >= 0
        swapped = float(numbers.swapped[state])
        loss = np.nan_to_num(numbers.loss[state])
        mixing = numbers.mixing[state]
        rows.append(
            StateRow(
                name=names[state],
                kind="state",
                state=state,
                batch=pool_names[lent.pool[state]],
                cells=int(lent.sizes[state]),
                outcome=outcome,
                other=names[partner] if named else "",
                amount=float(max(loss, swapped)) if outcome != "unjudged" else None,
                mixing=None if np.isnan(mixing) else float(mixing),
                q=None if np.isnan(numbers.q[state]) else float(numbers.q[state]),
                genes=distinguishing_genes(lent, state, partner, gene_names) if named else (),
                why=why,
            )
        )
    return most_harmed_first(rows)


def mixing_outcome(mixing: float | None) -> Outcome:
    """Return what became of a state or label by its mixing with its matches alone."""
    if mixing is None or not mixing < thresholds.MCM_LOW:
        return "kept"
    return "apart" if mixing < thresholds.STATE_APART else "partly"


def most_harmed_first(rows: Iterable[StateRow]) -> tuple[StateRow, ...]:
    """Sort rows by what happened to their cells, and by how much."""

    def harm(row: StateRow) -> tuple[int, float]:
        order = ("merged", "apart", "partly", "kept", "unjudged").index(row.outcome)
        is_apart = row.outcome in ("apart", "partly")
        return order, (row.mixing or 0.0) if is_apart else -(row.amount or 0.0)

    return tuple(sorted(rows, key=harm))


def distinguishing_genes(
    lent: LentStates, one: int, other: int, gene_names: Sequence[str]
) -> tuple[str, ...]:
    """Name the genes that tell two states apart best before correction, by Welch's t.

    The common difference of their pools is taken off where they are of two.
    """
    if not len(gene_names) or other < 0:
        return ()
    difference = lent.mean[one] - lent.mean[other]
    if lent.pool[one] != lent.pool[other]:
        mine, theirs = lent.pool == lent.pool[one], lent.pool == lent.pool[other]
        difference = difference - (lent.mean[mine].mean(0) - lent.mean[theirs].mean(0))
    spread = np.sqrt(lent.error[one] + lent.error[other] + thresholds.DE_VARIANCE_FLOOR)
    best = np.argsort(-np.abs(difference) / spread, kind="stable")
    return tuple(gene_names[i] for i in best[: thresholds.EVIDENCE_GENES])


def _markers(
    lent: LentStates, state: int, own: npt.NDArray[np.intp], gene_names: Sequence[str]
) -> list[str]:
    others = own[own != state]
    if not len(others) or not len(gene_names):
        return []
    # Above every other state of the pool, not above their mean: a marker is its own.
    t = (lent.mean[state] - lent.mean[others]) / np.sqrt(
        lent.error[state] + lent.error[others] + thresholds.DE_VARIANCE_FLOOR
    )
    least = t.min(0)
    best = np.argsort(-least, kind="stable")[: thresholds.NAME_GENES]
    return [gene_names[i] for i in best if least[i] > 0]


def _outcome(
    lent: LentStates, numbers: StateNumbers, state: int, *, is_merged: bool
) -> tuple[Outcome, str]:
    """Return what became of a state, and why it can't be judged."""
    if is_merged:
        return "merged", ""
    if (mixed := mixing_outcome(float(numbers.mixing[state]))) != "kept":
        return mixed, ""
    if lent.sizes[state] < thresholds.MIN_CELLS_STATE:
        return "unjudged", f"fewer than {thresholds.MIN_CELLS_STATE} cells"
    if np.isnan(numbers.loss[state]) and np.isnan(numbers.mixing[state]):
        return "unjudged", "the only state of its batch"
    return "kept", ""


def _swapped(lent: LentStates, after: Floats, before: Floats) -> tuple[Floats, Ints]:
    """Return how much types that replace each other mixed, and with which."""
    n = len(lent.pool)
    swapped, rival = np.zeros(n), np.full(n, -1, dtype=np.int32)
    total = [np.maximum(c.sum(1), 1) for c in (after, before)]
    big = lent.sizes >= thresholds.MIN_CELLS_STATE
    for pair in lent.pairs[lent.replaced]:
        for x, y in (pair, pair[::-1]):
            rise = after[x, y] / total[0][x] - before[x, y] / total[1][x]
            if big[x] and rise > swapped[x]:
                swapped[x], rival[x] = rise, y
    return swapped, rival


def _mixing(lent: LentStates, between: Floats, sizes: Ints) -> tuple[Floats, Ints]:
    """Return how far each state mixed with its matches, and the match it is farthest from."""
    n = len(sizes)
    total, weight = np.zeros(n), np.zeros(n)
    farthest, match = np.full(n, np.inf), np.full(n, -1, dtype=np.int32)
    enough = sizes >= thresholds.MIN_CELLS_REFERENCE
    for pair in lent.pairs[~lent.replaced]:
        if not enough[pair].all():
            continue
        for x, y in (pair, pair[::-1]):
            both = max(between[x, y] + between[x, x], 1.0)
            mixing = min(between[x, y] / both / (sizes[y] / (sizes[x] + sizes[y])), 1.0)
            total[x] += mixing * sizes[y]
            weight[x] += sizes[y]
            if mixing < farthest[x]:
                farthest[x], match[x] = mixing, y
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(weight > 0, weight, np.nan)), match


def _largest_other(lent: LentStates, near: Ints, state: int) -> int:
    """Return the state that most of its own cells' new neighbours borrow instead."""
    labels = lent.lent[lent.pool[state]]
    borrowed = labels[near[lent.state == state]].ravel()
    others = borrowed[borrowed != state]
    return int(np.bincount(others).argmax()) if len(others) else -1


def _false_discovery_rates(p: Floats) -> Floats:
    """Adjust p-values for their number (Benjamini and Hochberg 1995); NaN stays."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
