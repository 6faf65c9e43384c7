"""The settings of Harmony."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harmony_core.errors import ParameterError
from harmony_core.of_batch import OfBatch, checked_rows, of_levels
from harmony_core.setting_group import RANGES, SettingGroup


@dataclass(frozen=True, kw_only=True)
class HarmonyParams(SettingGroup):
    """Settings of one Harmony correction, named as in harmonypy 2.1.

    Parameters
    ----------
    batch
        Batch variables: names of columns of obs.
    theta
        Diversity penalty, one for each batch variable or a number for all. More mixes batches
        harder; 0 switches the penalty off. Penalties of several variables are multiplied, where
        Harmony in R adds them: a variable given again under another name at theta 2 acts as theta
        4 here, as 2 in R. R comes close with each theta times the number of variables.
    penalties_as_r
        Take theta as R means it: each is divided by the number of variables. That is exact where
        all variables divide the cells alike and have the same theta, and close where soft clusters
        hold the batches nearly as expected; far from it a product still asks for more. Without
        effect on a single variable.
    sigma
        Width of the soft clusters. More lets a cell belong to several clusters at once.
    nclust
        Number of soft clusters; ``None`` takes the smaller of 100 and a thirtieth of the cells.
    max_iter
        Most rounds of clustering and correction. Harmony stops earlier when it has converged.
    tau
        Protects small batches: lowers their theta when they have few cells per cluster. 0 is off.
    alpha
        Without ``lamb``: the fraction of a batch's expected cells in a cluster that is taken as
        ridge penalty. More corrects less.
    lamb
        Fixed ridge penalty for all batches; ``None`` estimates one per cluster from ``alpha``.
    block_size
        Fraction of cells whose soft clusters are updated together.
    max_iter_kmeans
        Clustering rounds within each of Harmony's.
    epsilon_cluster, epsilon_harmony
        Relative change of the objective below which clustering, and Harmony, stop.
    batch_prop_cutoff
        A batch with at most this share of its cells in a soft cluster is left out of that cluster's
        correction. 0 leaves out none.
    theta_of, lamb_of
        Theta, or the fixed ridge penalty, of single batches: rows of batch variable, batch, value.
        All others have that of their variable, so ``lamb_of`` needs ``lamb``.
    sigma_of
        Sigma of each soft cluster, in place of ``sigma``; needs ``nclust``. Which cells a soft
        cluster holds is known after the run only, and with another seed it is another one.
    """

    came_later = frozenset(
        {"penalties_as_r", "batch_prop_cutoff", "theta_of", "lamb_of", "sigma_of"}
    )

    batch: tuple[str, ...]
    theta: tuple[float, ...] = ()
    sigma: float = 0.1
    nclust: int | None = None
    max_iter: int = 10
    tau: float = 0.0
    alpha: float = 0.2
    lamb: float | None = None
    block_size: float = 0.05
    max_iter_kmeans: int = 4
    epsilon_cluster: float = 1e-3
    epsilon_harmony: float = 1e-2
    penalties_as_r: bool = False
    batch_prop_cutoff: float = 1e-5
    theta_of: OfBatch = ()
    lamb_of: OfBatch = ()
    sigma_of: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.batch or not all(isinstance(b, str) for b in self.batch):
            raise ParameterError("Choose at least one batch variable to correct for.")
        if len(set(self.batch)) < len(self.batch):
            raise ParameterError("A batch variable was given twice; name each one once.")
        if not isinstance(self.theta, tuple):
            object.__setattr__(self, "theta", (self.theta,))
        theta = self.theta or (2.0,)
        if len(theta) == 1:
            theta = theta * len(self.batch)
        if len(theta) != len(self.batch):
            raise ParameterError(
                f"{len(theta)} values of theta for {len(self.batch)} batch variables; "
                "give one for all, or one for each."
            )
        for value in theta:
            RANGES["theta"].check("theta", value)
        object.__setattr__(self, "theta", tuple(theta))
        self._check(
            *("sigma", "max_iter", "tau", "alpha", "block_size", "max_iter_kmeans", "seed"),
            *("epsilon_cluster", "epsilon_harmony", "batch_prop_cutoff"),
        )
        self._check_whole("max_iter", "max_iter_kmeans", "seed")
        if self.nclust is not None:
            self._check("nclust")
            self._check_whole("nclust")
        if self.lamb is not None:
            self._check("lamb")
        self._as_floats(
            *("theta", "sigma", "tau", "alpha", "lamb", "block_size"),
            *("epsilon_cluster", "epsilon_harmony", "batch_prop_cutoff"),
        )
        self._take_values_of_batches()
        if not isinstance(self.penalties_as_r, bool):
            raise ParameterError(
                f"penalties_as_r must be true or false, not {self.penalties_as_r!r}."
            )
        if len(self.batch) == 1:  # then it changes nothing, and must not make another run
            object.__setattr__(self, "penalties_as_r", False)
        if self.sigma_of and len(self.sigma_of) != self.nclust:
            raise ParameterError(
                f"{len(self.sigma_of)} values of sigma_of for {self.nclust or 'an automatic'} "
                "number of soft clusters; set nclust, and give one sigma for each."
            )

    def _take_values_of_batches(self) -> None:
        """Check what is set for single batches or soft clusters."""
        if self.lamb_of and self.lamb is None:
            raise ParameterError(
                "lamb_of gives single batches a fixed ridge penalty, so the others need one too: "
                "set lamb, or leave lamb_of out."
            )
        for name, usual in (("theta", self.theta), ("lamb", (self.lamb,) * len(self.batch))):
            variables = dict(zip(self.batch, (value or 0.0 for value in usual), strict=True))
            rows = checked_rows(f"{name}_of", getattr(self, f"{name}_of"), variables)
            for _, _, value in rows:
                RANGES[name].check(f"{name}_of", value)
            object.__setattr__(self, f"{name}_of", rows)
        if not isinstance(self.sigma_of, tuple):
            raise ParameterError(f"sigma_of must hold numbers, not {reprlib.repr(self.sigma_of)}.")
        for value in self.sigma_of:
            RANGES["sigma"].check("sigma_of", value)
        self._as_floats("sigma_of")

    def theta_of_levels(self, variable: str, levels: Sequence[str]) -> tuple[float, ...]:
        """Return theta of each batch of a batch variable, before tau."""
        return of_levels(self.theta_of, variable, levels, self.theta[self.batch.index(variable)])

    @property
    def theta_divisor(self) -> int:
        """By what harmonypy's theta is less than the one asked for; see ``penalties_as_r``."""
        return len(self.batch) if self.penalties_as_r else 1

    @property
    def largest_theta(self) -> float:
        """The largest theta of any batch variable or single batch."""
        return max(*self.theta, *(value for _, _, value in self.theta_of), 0.0)

    def for_batch(self, *names: str) -> HarmonyParams:
        """Return the settings for other batch variables: those kept keep their theta."""
        theta = dict(zip(self.batch, self.theta, strict=True))
        usual = HarmonyParams(batch=("",)).theta[0]
        return replace(
            self,
            batch=names,
            theta=tuple(theta.get(name, usual) for name in names),
            theta_of=tuple(row for row in self.theta_of if row[0] in names),
            lamb_of=tuple(row for row in self.lamb_of if row[0] in names),
        )

    def nclust_for(self, n_cells: int) -> int:
        """Return the number of soft clusters in effect for ``n_cells`` cells."""
        return self.nclust or int(min(round(n_cells / 30.0), 100))
