"""Suggest: the best setting of a small grid, from the numbers of finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harmony_core import thresholds
from harmony_core.params import HarmonyParams

THETAS = (1.0, 2.0, 4.0, 8.0)
SIGMAS = (0.05, 0.1, 0.2)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What decides whether a finished run may be suggested.

    Parameters
    ----------
    settings
        Of the run.
    mcm
        Matched-cluster mixing; ``None`` where it could not be computed.
    score
        Of the label-free detector, 1 being flagged; ``None`` where nothing could be assessed.
    purity_loss
        Of the worst label; ``None`` without labels.
    """

    settings: HarmonyParams
    mcm: float | None
    score: float | None
    purity_loss: float | None = None

    @property
    def allowed(self) -> bool:
        """Whether the run mixes, and nothing speaks against it."""
        gentle = self.score is not None and self.score <= thresholds.SUGGEST_SCORE_MAX
        pure = self.purity_loss is None or self.purity_loss <= thresholds.PURITY_LOSS_RED
        return self.mixes and gentle and pure

    @property
    def mixes(self) -> bool:
        """Whether the batches came together: what leaves them apart is no correction."""
        return self.mcm is not None and self.mcm >= thresholds.MCM_LOW


def grid(settings: HarmonyParams) -> tuple[HarmonyParams, ...]:
    """Return the settings to try: every theta with every sigma, the rest unchanged.

    Every batch variable gets the same theta.
    """
    values = settings.to_dict()
    return tuple(
        HarmonyParams.from_dict({**values, "theta": [theta] * len(settings.batch), "sigma": sigma})
        for theta in THETAS
        for sigma in SIGMAS
    )


def best_candidate(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the best mixed run among those that nothing speaks against.

    Returns
    -------
    The run, the first of equals; ``None`` where none is allowed, which is an answer to show too.
    """
    allowed = [candidate for candidate in candidates if candidate.allowed]
    return max(allowed, key=lambda candidate: candidate.mcm or 0.0, default=None)
