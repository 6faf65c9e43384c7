"""All settings of a run: frozen groups with defaults, ranges and checks.

The ranges here are the only ones: sliders, the command line and saved settings all read them.
"""

from __future__ import annotations

import dataclasses
import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeVar

from harmony_core.errors import ParameterError
from harmony_core.method_params import MethodParams as MethodParams
from harmony_core.of_batch import OfBatch, checked_rows, of_levels
from harmony_core.ranges import Range

_P = TypeVar("_P", bound="_Group")


RANGES: Mapping[str, Range] = {
    "min_genes": Range(low=0, high=20_000, step=50),
    "max_genes": Range(low=100, high=100_000, step=100),
    "min_cells": Range(low=0, high=1_000, step=1),
    "max_mito": Range(low=0, high=100, step=1),
    "n_top_genes": Range(low=50, high=20_000, step=100),
    "n_pcs": Range(low=2, high=200, step=1),
    "max_doublet": Range(low=0, high=1, step=0.05),
    "skip_dims": Range(low=0, high=10, step=1),
    "use_dims": Range(low=2, high=1_000, step=1),
    "theta": Range(low=0, high=100, step=0.25, slider_high=10),
    "sigma": Range(low=0.01, high=0.5, step=0.01),
    "nclust": Range(low=2, high=200, step=1),
    "max_iter": Range(low=0, high=50, step=1),
    "tau": Range(low=0, high=100, step=1),
    "alpha": Range(low=0.01, high=5, step=0.05),
    "lamb": Range(low=0, high=100, step=0.1),
    "block_size": Range(low=0.01, high=0.5, step=0.01),
    "max_iter_kmeans": Range(low=1, high=50, step=1),
    "epsilon_cluster": Range(low=0, high=0.1, step=0.0005),
    "epsilon_harmony": Range(low=0, high=0.1, step=0.001),
    "batch_prop_cutoff": Range(low=0, high=0.1, step=1e-5),
    "n_neighbors": Range(low=5, high=50, step=1),
    "min_dist": Range(low=0, high=1, step=0.05),
    "spread": Range(low=0.5, high=3, step=0.1),
    "resolution": Range(low=0.05, high=5, step=0.05),
    "seed": Range(low=0, high=2**31 - 1, step=1),
}
"""Allowed values per setting."""


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as Python's, and lists as tuples, which can be keys."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(value) if isinstance(value, list) else value


def _json(value: Any) -> Any:
    """Return a setting as it comes out of a JSON file."""
    if value is None or type(value) in (bool, int, float, str):  # most: a page writes hundreds
        return value
    return json.loads(json.dumps(value))


@dataclass(frozen=True)
class _Group:
    """Shared by the dataclasses below: to and from plain JSON values."""

    written_as: ClassVar[Mapping[str, str]] = {}
    """Fields whose name in files is another."""
    came_later: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out at their default: names of runs from before them stay."""

    def __post_init__(self) -> None:
        for field_ in dataclasses.fields(self):
            object.__setattr__(self, field_.name, _plain(getattr(self, field_.name)))

    def to_dict(self, *, whole: bool = False) -> dict[str, Any]:
        """Return plain JSON values; whole, also those of `came_later` at their default."""
        values: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if not whole and one.name in self.came_later and value == one.default:
                continue
            if isinstance(value, _Group):
                plain = value.to_dict(whole=whole)
            elif isinstance(value, MethodParams):
                plain = value.to_dict()
            else:
                plain = _json(value)
            values[self.written_as.get(one.name, one.name)] = plain
        return values

    @classmethod
    def from_dict(cls: type[_P], values: Mapping[str, Any]) -> _P:
        """Build the group from JSON values; unknown names are refused by name."""
        known = {cls.written_as.get(f.name, f.name): f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ParameterError(
                f"Unknown setting {unknown[0]!r}; known here: {', '.join(sorted(known))}."
            )
        return cls(**{known[k]: value for k, value in values.items()})

    def _check(self, *names: str) -> None:
        for name in names:
            RANGES[name].check(name, getattr(self, name))

    def _check_whole(self, *names: str) -> None:
        for name in names:
            if not isinstance(getattr(self, name), int):
                raise ParameterError(f"{name} must be a whole number, not {getattr(self, name)!r}.")

    def _as_floats(self, *names: str) -> None:
        """Make 2 and 2.0 one value: the same settings must have the same key."""
        for name in names:
            value = getattr(self, name)
            if isinstance(value, tuple):
                object.__setattr__(self, name, tuple(float(v) for v in value))
            elif value is not None:
                object.__setattr__(self, name, float(value))


@dataclass(frozen=True, kw_only=True)
class PrepareParams(_Group):
    """Quality control, normalisation, variable genes and PCA.

    Parameters
    ----------
    basis
        Name of an embedding that the data bring along (for example ``X_pca``). Preparation is
        then skipped and that embedding is corrected; every cell is kept.
    min_genes, max_genes
        A cell is kept if it has this many genes with at least one count.
    min_cells
        A gene is kept if at least this many cells have a count of it.
    max_mito
        Largest mitochondrial fraction of a cell's counts, in percent.
    max_doublet
        Largest doublet score (Scrublet's, computed within each batch), 0 to 1; ``None`` computes
        none and keeps all.
    n_top_genes
        Variable genes, chosen within each batch and then merged.
    scale
        Whether each variable gene is brought to variance 1 (and cut off at 10) before the
        components are computed. Rare and noisy genes then weigh as much as all others.
    n_pcs
        Principal components; fewer where the data have fewer. Ignored with ``basis``.
    skip_dims
        Leading dimensions of ``basis`` that are left out, for example the first of an LSI where it
        follows depth. Ignored without ``basis``.
    use_dims
        Dimensions of ``basis`` up to which it is taken, as ``dims.use = 1:10`` in R takes the first
        ten: those of ``skip_dims`` count among them. ``None`` takes all. Ignored without ``basis``.
    """

    came_later = frozenset({"use_dims"})

    basis: str | None = None
    min_genes: int = 200
    max_genes: int = 6000
    min_cells: int = 3
    max_mito: float = 20.0
    max_doublet: float | None = None
    n_top_genes: int = 3000
    scale: bool = False
    n_pcs: int = 50
    skip_dims: int = 0
    use_dims: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("min_genes", "max_genes", "min_cells", "n_top_genes", "n_pcs", "skip_dims", "seed")
        self._check(*names, "max_mito")
        self._check_whole(*names)
        if self.use_dims is not None:
            self._check("use_dims")
            self._check_whole("use_dims")
        if not isinstance(self.scale, bool):
            raise ParameterError(f"scale must be true or false, not {self.scale!r}.")
        if self.max_doublet is not None:
            self._check("max_doublet")
            object.__setattr__(self, "max_doublet", float(self.max_doublet))
        self._as_floats("max_mito")
        if self.min_genes > self.max_genes:
            raise ParameterError(
                f"min_genes ({self.min_genes}) is above max_genes ({self.max_genes}), "
                "so no cell would be kept."
            )


def named_preparation(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of preparation that a user named: components of a basis are its first ones.

    Settings that were written to a file have a number of principal components in any case, which
    was without effect beside a basis and stays so.
    """
    if not settings.get("basis") or settings.get("n_pcs") is None:
        return dict(settings)
    rest = {name: value for name, value in settings.items() if name != "n_pcs"}
    return {"use_dims": settings["n_pcs"], **rest}


@dataclass(frozen=True, kw_only=True)
class HarmonyParams(_Group):
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


@dataclass(frozen=True, kw_only=True)
class GraphParams(_Group):
    """The neighbour graph under layout and clusters.

    Parameters
    ----------
    n_neighbors
        Neighbours of a cell, itself included, as scanpy counts them.
    """

    n_neighbors: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("n_neighbors")
        self._check_whole("n_neighbors")


@dataclass(frozen=True, kw_only=True)
class LayoutParams(_Group):
    """UMAP's two shape settings.

    Parameters
    ----------
    min_dist
        Least distance of two points in the layout; less packs groups tighter.
    spread
        Scale of the layout; more leaves more room between groups.
    """

    min_dist: float = 0.3
    spread: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("min_dist", "spread", "seed")
        self._check_whole("seed")
        self._as_floats("min_dist", "spread")
        if self.min_dist > self.spread:
            raise ParameterError(
                f"min_dist ({self.min_dist:g}) is above spread ({self.spread:g}); "
                "lower min_dist or raise spread."
            )


MOST_RESOLUTIONS = 10
"""At which one run is clustered."""


@dataclass(frozen=True, kw_only=True)
class ClusterParams(_Group):
    """Leiden clustering.

    Parameters
    ----------
    resolutions
        More gives more, smaller clusters. Each is computed; ``shown`` is the one on screen.
    flavor
        ``"igraph"`` (fast) or ``"leidenalg"`` (the original implementation).
    """

    resolutions: tuple[float, ...] = (0.3, 0.5, 0.8)
    shown: float = 0.5
    flavor: Literal["igraph", "leidenalg"] = "igraph"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.resolutions) > MOST_RESOLUTIONS:
            raise ParameterError(
                f"{len(self.resolutions):,} resolutions are named; at most {MOST_RESOLUTIONS} are "
                "computed, so leave some out."
            )
        for value in (*self.resolutions, self.shown):
            RANGES["resolution"].check("resolution", value)
        self._as_floats("resolutions", "shown")
        self._check("seed")
        self._check_whole("seed")
        # Their results go by the number as it is written here.
        if len({f"{value:g}" for value in self.resolutions}) < len(self.resolutions):
            raise ParameterError(
                f"Two of the resolutions ({', '.join(f'{r:g}' for r in self.resolutions)}) are the "
                "same; name each one once."
            )
        if self.shown not in self.resolutions:
            raise ParameterError(
                f"The resolution shown ({self.shown:g}) is not among those computed "
                f"({', '.join(f'{r:g}' for r in self.resolutions)})."
            )
        if self.flavor not in ("igraph", "leidenalg"):
            raise ParameterError(f"flavor is {self.flavor!r}; available: igraph, leidenalg.")

    @property
    def others(self) -> tuple[float, ...]:
        """The resolutions that are not shown."""
        return tuple(r for r in self.resolutions if r != self.shown)


MARKER_LABEL = "marker genes (Harmony Explorer)"
"""Name of the labels that are made here from marker genes."""

GROUPS: Mapping[str, type[_Group]] = {
    "harmony": HarmonyParams,
    "prepare": PrepareParams,
    "graph": GraphParams,
    "layout": LayoutParams,
    "clusters": ClusterParams,
}
"""The groups of a run's settings, in the order in which files tell them."""


@dataclass(frozen=True, kw_only=True)
class RunParams(_Group):
    """Everything that, with a dataset, decides a run's results.

    Parameters
    ----------
    label
        Column of obs with known cell types, used by the labelled diagnostics only.
    condition
        The batch variable is a treatment, a disease or another biological condition.
    precomputed
        Name of an embedding of the data that another tool corrected. It is judged in place of
        Harmony's, which is then not run: of ``harmony`` only the batch variables count.
    panel
        Marker genes that labels are made from where the data have none: ``"blood"``, or a line a
        cell type, such as ``T cells: CD3D, CD3E``. The label is then `MARKER_LABEL`.
    method
        Another method that corrects here in Harmony's place: of ``harmony`` only the batch
        variables count, their combination where there are several.
    """

    written_as: ClassVar[Mapping[str, str]] = {"precomputed": "given"}
    came_later = frozenset({"panel", "method"})

    harmony: HarmonyParams
    prepare: PrepareParams = field(default_factory=PrepareParams)
    graph: GraphParams = field(default_factory=GraphParams)
    layout: LayoutParams = field(default_factory=LayoutParams)
    clusters: ClusterParams = field(default_factory=ClusterParams)
    label: str | None = None
    condition: bool = False
    precomputed: str | None = None
    panel: str | None = None
    method: MethodParams | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.panel is not None:
            self._name_labels_of_panel()
        if self.method is not None and self.precomputed is not None:
            raise ParameterError(
                f"Both the method {self.method.name} and the embedding {self.precomputed!r} are "
                "named in Harmony's place; name one of them."
            )
        if self.precomputed is not None and self.precomputed == self.prepare.basis:
            raise ParameterError(
                f"{self.precomputed!r} is named both as uncorrected and as corrected "
                "embedding; name two different ones."
            )
        if not self.by_harmony:
            # Settings without effect must not make two runs of one.
            object.__setattr__(self, "harmony", HarmonyParams(batch=self.harmony.batch))
        if self.label is not None and self.label in self.harmony.batch:
            raise ParameterError(
                f"{self.label!r} is chosen both as batch variable and as label; "
                "a label says what to keep, so choose another column for it or none."
            )

    @property
    def by_harmony(self) -> bool:
        """Whether Harmony corrects, and neither another method nor an embedding of the data."""
        return self.precomputed is None and self.method is None

    @property
    def gives_graph(self) -> bool:
        """Whether what corrects gives a neighbour graph, and no embedding."""
        return self.method is not None and self.method.method.gives == "graph"

    @property
    def corrected_name(self) -> str:
        """Name that files give the corrected embedding."""
        if self.method is not None:
            return f"X_{self.method.name}"
        return self.precomputed or "X_pca_harmony"

    def _name_labels_of_panel(self) -> None:
        if not isinstance(self.panel, str) or not self.panel.strip():
            raise ParameterError("A panel of marker genes is blood, or a line a cell type.")
        if self.label not in (None, MARKER_LABEL):
            raise ParameterError(
                f"Labels are asked for both from the column {self.label!r} and from marker genes; "
                "choose one of the two."
            )
        object.__setattr__(self, "label", MARKER_LABEL)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunParams:
        """Build a run's settings from nested JSON values."""
        built: dict[str, Any] = {
            k: GROUPS[k].from_dict(v) if k in GROUPS else v for k, v in values.items()
        }
        if built.get("method") is not None:
            built["method"] = MethodParams.from_dict(built["method"])
        return super().from_dict(built)
