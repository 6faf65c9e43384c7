"""How far advice moves each setting: never past a value that a verdict spoke against.

From its default, a setting goes to a gentle or to a strong value. Back from there it goes half way
(in the geometric mean, on values at which no slider stops), and from half way never on: by its
value alone a setting then tells how it was come by. From any other value it goes only where the
steps that may follow stay on the same side of it. Nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Collection

from harmony_core import thresholds
from harmony_core.params import RANGES, HarmonyParams

_DEFAULTS = HarmonyParams(batch=("",))

_HALFWAY_THETA = {
    thresholds.GENTLE_THETA: 1.4,
    thresholds.STRONG_THETA: 2.8,
    thresholds.STRONGER_THETA: 5.7,
}
"""Between each value that advice goes to and the one that it came from."""

_HALFWAY_SIGMA = 0.07
_HALFWAY_ALPHA = 0.45


def gentler_theta(theta: float) -> float | None:
    """Return the theta to try where cell types merge; None where lowering it is no advice."""
    if theta in _HALFWAY_THETA.values():
        return None
    if theta in (thresholds.STRONG_THETA, thresholds.STRONGER_THETA):
        return _HALFWAY_THETA[theta]
    if theta > thresholds.STRONGER_THETA:
        return _DEFAULTS.theta[0]
    back = _HALFWAY_THETA[thresholds.GENTLE_THETA]
    return thresholds.GENTLE_THETA if theta > back else None


def stronger_thetas(theta: float) -> list[float]:
    """Return the thetas to try where batches stay apart, the next one first."""
    if theta in _HALFWAY_THETA.values():
        return []
    if theta == thresholds.GENTLE_THETA:
        return [_HALFWAY_THETA[theta]]
    if theta < thresholds.GENTLE_THETA:
        return [_DEFAULTS.theta[0]]
    strong = (thresholds.STRONG_THETA, thresholds.STRONGER_THETA)
    return [t for t in strong if _HALFWAY_THETA[t] > theta]


def gentler_sigma(sigma: float) -> float | None:
    """Return the sigma to try where cell types merge."""
    return thresholds.GENTLE_SIGMA if sigma > _HALFWAY_SIGMA else None


def stronger_sigma(sigma: float) -> float | None:
    """Return the sigma to try where batches stay apart."""
    if sigma < thresholds.GENTLE_SIGMA:
        return thresholds.MIXING_SIGMA
    return _HALFWAY_SIGMA if sigma < _HALFWAY_SIGMA else None


def gentler_alpha(alpha: float) -> float | None:
    """Return the alpha to try where cell types merge."""
    return thresholds.GENTLE_ALPHA if alpha < _HALFWAY_ALPHA else None


def stronger_alpha(alpha: float) -> float | None:
    """Return the alpha to try where batches stay apart."""
    if alpha > thresholds.GENTLE_ALPHA:
        return _DEFAULTS.alpha
    return _HALFWAY_ALPHA if alpha > _HALFWAY_ALPHA else None


def fewer_iterations(max_iter: int, done: int) -> int | None:
    """Return the limit of iterations to try where cell types merge.

    Parameters
    ----------
    max_iter
        The limit of the run.
    done
        Iterations that it made.
    """
    few = thresholds.GENTLE_ITERATIONS
    return None if done <= few or _may_be_raised(max_iter) else few


def more_iterations(max_iter: int) -> int | None:
    """Return the limit of iterations to try where a run had not settled at its limit."""
    most, default = int(RANGES["max_iter"].high), _DEFAULTS.max_iter
    if max_iter == 0:
        return default
    wanted = max_iter * thresholds.MORE_ITERATIONS
    wanted -= thresholds.MORE_ITERATIONS if wanted == default else 0  # which stands for no step
    return None if max_iter == most else min(wanted, most)


def _may_be_raised(max_iter: int) -> bool:
    """Whether a limit may be one that was raised from at least the gentle one."""
    is_multiple = max_iter % thresholds.MORE_ITERATIONS == 0
    least = (thresholds.GENTLE_ITERATIONS + 1) * thresholds.MORE_ITERATIONS
    is_raised = is_multiple and max_iter >= least and max_iter != _DEFAULTS.max_iter
    return is_raised or max_iter == RANGES["max_iter"].high


def protecting_tau(smallest: int, largest: int, nclust: int) -> float | None:
    """Return the tau that protects a small batch from being spread over all clusters.

    Parameters
    ----------
    smallest, largest
        Cells of the smallest and of the largest batch.
    nclust
        Number of soft clusters.
    """
    if smallest > thresholds.UNEVEN_BATCHES * largest:
        return None
    tau = round(smallest / (thresholds.TAU_DIVISOR * nclust))
    return float(tau) if 1 <= tau <= RANGES["tau"].high else None


def stronger_tau(tau: float, protecting: Collection[float]) -> float | None:
    """Return the tau to try where it keeps a small batch apart.

    Parameters
    ----------
    tau
        Of the run, above 0.
    protecting
        From `protecting_tau`, of each batch variable that has one.
    """
    if tau in protecting:
        return tau / 2
    return 0.0 if all(value < tau for value in protecting) else None
