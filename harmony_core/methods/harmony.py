"""Harmony: the only file that imports harmonypy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harmony_core.counting import counted
from harmony_core.errors import BatchError, DataError, ParameterError
from harmony_core.of_batch import check_levels, of_levels
from harmony_core.params import HarmonyParams
from harmony_core.thresholds import MIN_CELLS

StopReason = Literal["converged", "limit", "rose", "none"]


@dataclass(frozen=True)
class Correction:
    """Result of one Harmony run.

    Attributes
    ----------
    embedding
        Corrected embedding, float32 (cells × dimensions).
    objective
        Harmony's objective at the start and after each iteration (iterations + 1 values).
    stop_reason
        ``converged``: the objective fell by less than ``epsilon_harmony``. ``limit``: the limit of
        iterations was reached first. ``rose``: it was reached, and the objective went up in the
        last iteration, which by itself never stops harmonypy 2.1.
        ``none``: no iteration was asked for.
    nclust
        Number of soft clusters used.
    theta_b
        Theta in effect per batch (after tau and ``penalties_as_r``), one tuple a batch variable.
    levels
        Names of the batches in the order of ``theta_b``, one tuple a batch variable.
    codes
        Each cell's batch as a position in ``levels``, one array (length cells) a batch variable.
    """

    embedding: npt.NDArray[np.float32]
    objective: tuple[float, ...]
    stop_reason: StopReason
    nclust: int
    theta_b: tuple[tuple[float, ...], ...]
    levels: tuple[tuple[str, ...], ...]
    codes: tuple[npt.NDArray[np.intp], ...]
    _harmony: Any = field(repr=False)

    @cached_property
    def soft_clusters(self) -> npt.NDArray[np.float32]:
        """Fraction of each cell in each soft cluster (cells × soft clusters).

        Copied out of harmonypy when it is first asked for: it is the largest of its results.
        """
        return np.asarray(self._harmony.R, dtype=np.float32)

    @property
    def iterations(self) -> int:
        return len(self.objective) - 1


def correct(
    embedding: npt.NDArray[np.floating],
    batches: Sequence[npt.NDArray[Any]],
    params: HarmonyParams,
) -> Correction:
    """Correct an embedding for its batch variables with Harmony.

    The numbers are harmonypy's own, to the last bit (but with no iteration the embedding comes
    back as it was, not scaled to unit length). What is added is that everything is checked
    first (harmonypy trusts its caller), and that the result says why it stopped.

    Parameters
    ----------
    embedding
        Uncorrected embedding (cells × dimensions), for example principal components.
    batches
        For each of ``params.batch``, the batch of every cell (length cells).
    params
        Settings; see :class:`~harmony_core.params.HarmonyParams`.

    Raises
    ------
    DataError, BatchError, ParameterError
        If the embedding, a batch variable or a setting can't be used.

    References
    ----------
    Korsunsky et al. 2019, 10.1038/s41592-019-0619-0
    """
    X = _checked_embedding(embedding)
    coded = [
        _coded(values, name, len(X)) for values, name in zip(batches, params.batch, strict=True)
    ]
    nclust = params.nclust_for(len(X))
    if nclust > len(X):
        raise ParameterError(
            f"nclust is {nclust}, but there are only {len(X)} cells; choose fewer soft clusters "
            "or leave it automatic."
        )
    names = dict(zip(params.batch, (levels for _, levels in coded), strict=True))
    check_levels("theta_of", params.theta_of, names)
    check_levels("lamb_of", params.lamb_of, names)
    return _run(X, [c for c, _ in coded], [n for _, n in coded], nclust, params)


def _run(
    X: npt.NDArray[np.floating],
    codes: list[npt.NDArray[np.intp]],
    levels: list[tuple[str, ...]],
    nclust: int,
    params: HarmonyParams,
) -> Correction:
    import harmonypy

    # It installs its own log handler, which would write to the terminal of whoever runs us.
    logging.getLogger("harmonypy").handlers.clear()
    columns = {str(i): c for i, c in enumerate(codes)}
    named = list(zip(params.batch, levels, strict=True))
    theta_b = [
        tuple(theta / params.theta_divisor for theta in params.theta_of_levels(name, found))
        for name, found in named
    ]
    try:
        result = harmonypy.run_harmony(
            X,
            columns,
            list(columns),
            theta=[value for values in theta_b for value in values],
            lamb=_ridge_penalty(params, named),
            sigma=params.sigma_of or params.sigma,
            nclust=nclust,
            tau=params.tau,
            block_size=params.block_size,
            max_iter_harmony=params.max_iter,
            max_iter_kmeans=params.max_iter_kmeans,
            epsilon_cluster=params.epsilon_cluster,
            epsilon_harmony=params.epsilon_harmony,
            alpha=params.alpha,
            batch_prop_cutoff=params.batch_prop_cutoff,
            verbose=False,
            random_state=params.seed,
        )
    except RuntimeError as error:  # its word for numbers that cannot be solved for
        raise ParameterError(_unsolvable(params)) from error
    corrected = np.asarray(result.Z_corr, dtype=np.float32)
    if params.max_iter == 0:
        # harmonypy then hands back its working copy, each cell scaled to unit length.
        corrected = np.asarray(X, dtype=np.float32)
    if corrected.shape != X.shape:
        raise AssertionError(f"harmonypy returned {corrected.shape} for {X.shape}")
    objective = tuple(float(v) for v in result.objective_harmony)
    return Correction(
        embedding=corrected,
        objective=objective,
        stop_reason=_stop_reason(objective, params),
        nclust=nclust,
        theta_b=tuple(
            tuple(effective_theta(t, np.bincount(c), nclust, params.tau).tolist())
            for t, c in zip(theta_b, codes, strict=True)
        ),
        levels=tuple(levels),
        codes=tuple(codes),
        _harmony=result,
    )


def _ridge_penalty(
    params: HarmonyParams, levels: Sequence[tuple[str, Sequence[str]]]
) -> float | list[float] | None:
    """Return what harmonypy takes: none where it estimates, one for all, or one a batch."""
    if params.lamb is None or not params.lamb_of:
        return params.lamb
    return [
        value
        for name, found in levels
        for value in of_levels(params.lamb_of, name, found, params.lamb)
    ]


def effective_theta(
    theta: float | Sequence[float],
    batch_sizes: npt.NDArray[np.integer],
    nclust: int,
    tau: float,
) -> npt.NDArray[np.float64]:
    """Return theta per batch after tau's protection of small batches.

    harmonypy 2.1: theta × (1 − exp(−(cells of the batch ÷ (nclust × tau))²)).

    Parameters
    ----------
    theta
        Of the batch variable, or of each of its batches.
    batch_sizes
        Cells of each batch.
    nclust
        Number of soft clusters.
    tau
        0 protects none.

    Returns
    -------
    One value a batch.
    """
    sizes = np.asarray(batch_sizes, dtype=np.float64)
    asked = np.broadcast_to(np.asarray(theta, dtype=np.float64), sizes.shape)
    if tau <= 0:
        return asked.copy()
    return np.asarray(asked * (1 - np.exp(-((sizes / (nclust * tau)) ** 2))))


def _unsolvable(params: HarmonyParams) -> str:
    if params.lamb == 0:
        return (
            "With a ridge penalty lambda of 0 Harmony cannot solve for the shifts of the batches; "
            "raise lambda or leave it automatic (0.1 already corrects nearly fully)."
        )
    if params.lamb is not None:
        return (
            f"With a ridge penalty lambda of {params.lamb:g} Harmony cannot solve for these "
            "batches, because some soft clusters hold next to nothing of one; raise lambda or "
            "leave it automatic."
        )
    return (
        "Harmony cannot solve for these batches with these settings, because some soft clusters "
        f"hold next to nothing of one; raise alpha (now {params.alpha:g}) or use fewer soft "
        "clusters."
    )


def _stop_reason(objective: tuple[float, ...], params: HarmonyParams) -> StopReason:
    if len(objective) < 2:
        return "none"
    before, after = objective[-2], objective[-1]
    if after > before:
        return "rose"
    if (before - after) / abs(before) < params.epsilon_harmony:
        return "converged"
    return "limit"


def _checked_embedding(embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    X = np.asarray(embedding)
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise DataError(
            f"The embedding must be a table of numbers, cells × dimensions; got shape {X.shape}."
        )
    if X.shape[1] < 2:
        raise DataError("The embedding has a single dimension; Harmony needs at least two.")
    if len(X) < MIN_CELLS:
        raise DataError(
            f"There are {len(X)} cells; at least {MIN_CELLS} are needed to correct anything."
        )
    if not np.isfinite(X).all():
        bad = int((~np.isfinite(X)).any(1).sum())
        raise DataError(
            f"The embedding has missing or infinite values in {bad:,} of {len(X):,} cells; "
            "remove those cells or compute the embedding again."
        )
    if not np.linalg.norm(X, axis=1).all():
        raise DataError(
            "Some cells are zero in every dimension of the embedding, so they have no direction "
            "for Harmony to compare; remove those cells."
        )
    return X


def _coded(
    values: npt.NDArray[Any], name: str, n_cells: int
) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    import pandas as pd

    if len(values) != n_cells:
        raise BatchError(f"{name!r} has {len(values)} values for {n_cells} cells.")
    column = pd.Series(np.asarray(values))
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "integer", "floating"):
        column = column.astype("string")  # files mix numbers and text, which do not sort
    codes, levels = pd.factorize(column, sort=True)
    if (codes < 0).any():
        raise BatchError(
            f"{name!r} has no value for {counted(int((codes < 0).sum()), 'cell')}; "
            "fill in what is missing, remove those cells, or choose another column."
        )
    if len(levels) < 2:
        raise BatchError(
            f"{name!r} has a single batch ({levels[0]!r}), so there is nothing to correct between; "
            "choose another column."
        )
    return codes, tuple(str(level) for level in levels)
