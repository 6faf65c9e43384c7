"""How far advice moves each setting, so that following it never leads in a circle.

From its default, a setting goes to a gentle or to a strong value. Back from there it goes half way
(in the geometric mean, on values at which no slider stops), and from half way never back again: by
its value alone a setting then tells how it was come by. Nothing heavy is imported.
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
    back = _HALFWAY_THETA[thresholds.GENTLE_THETA]
    if theta <= thresholds.GENTLE_THETA or theta == back:
        return None
    if theta in (thresholds.STRONG_THETA, thresholds.STRONGER_THETA):
        return _HALFWAY_THETA[theta]
    above_default = theta > _DEFAULTS.theta[0] and theta not in _HALFWAY_THETA.values()
    return _DEFAULTS.theta[0] if above_default else thresholds.GENTLE_THETA


def stronger_thetas(theta: float) -> list[float]:
    """Return the thetas to try where batches stay apart, the next one first."""
    if theta in _HALFWAY_THETA.values():
        return []
    if theta == thresholds.GENTLE_THETA:
        return [_HALFWAY_THETA[theta]]
    if theta < _DEFAULTS.theta[0]:
        return [_DEFAULTS.theta[0]]
    return [t for t in (thresholds.STRONG_THETA, thresholds.STRONGER_THETA) if t > theta]


def gentler_sigma(sigma: float) -> float | None:
    """Return the sigma to try where cell types merge."""
    return _unless(sigma <= thresholds.GENTLE_SIGMA, sigma, _HALFWAY_SIGMA, thresholds.GENTLE_SIGMA)


def stronger_sigma(sigma: float) -> float | None:
    """Return the sigma to try where batches stay apart."""
    if sigma == thresholds.GENTLE_SIGMA:
        return _HALFWAY_SIGMA
    return _unless(sigma >= thresholds.MIXING_SIGMA, sigma, _HALFWAY_SIGMA, thresholds.MIXING_SIGMA)


def gentler_alpha(alpha: float) -> float | None:
    """Return the alpha to try where cell types merge."""
    return _unless(alpha >= thresholds.GENTLE_ALPHA, alpha, _HALFWAY_ALPHA, thresholds.GENTLE_ALPHA)


def stronger_alpha(alpha: float) -> float | None:
    """Return the alpha to try where batches stay apart."""
    if alpha == thresholds.GENTLE_ALPHA:
        return _HALFWAY_ALPHA
    return _unless(alpha <= _DEFAULTS.alpha, alpha, _HALFWAY_ALPHA, _DEFAULTS.alpha)


def _unless(there: bool, value: float, halfway: float, wanted: float) -> float | None:
    return None if there or value == halfway else wanted


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
    return None if done <= few or _is_multiple_of_few(max_iter) else few


def more_iterations(max_iter: int) -> int | None:
    """Return the limit of iterations to try where a run had not settled at its limit."""
    if max_iter == 0:
        return _DEFAULTS.max_iter
    most, wanted = int(RANGES["max_iter"].high), max_iter * thresholds.MORE_ITERATIONS
    if _is_multiple_of_few(max_iter) and wanted > most:
        return None
    return None if max_iter == most else min(wanted, most)


def _is_multiple_of_few(max_iter: int) -> bool:
    """Whether a limit may be that of a run stopped early which then was allowed more again."""
    limit = thresholds.GENTLE_ITERATIONS
    while limit < max_iter:
        limit *= thresholds.MORE_ITERATIONS
        if limit == max_iter:
            return True
    return False


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
    return None if 2 * tau in protecting else 0.0
