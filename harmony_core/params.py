"""All settings of a run, in frozen groups with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from harmony_core.errors import ParameterError
from harmony_core.harmony_params import HarmonyParams as HarmonyParams
from harmony_core.method_params import MethodParams as MethodParams
from harmony_core.setting_group import RANGES as RANGES
from harmony_core.setting_group import SettingGroup


@dataclass(frozen=True, kw_only=True)
class PrepareParams(SettingGroup):
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
class GraphParams(SettingGroup):
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
class LayoutParams(SettingGroup):
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
class ClusterParams(SettingGroup):
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

GROUPS: Mapping[str, type[SettingGroup]] = {
    "harmony": HarmonyParams,
    "prepare": PrepareParams,
    "graph": GraphParams,
    "layout": LayoutParams,
    "clusters": ClusterParams,
}
"""The groups of a run's settings, in the order in which files tell them."""


@dataclass(frozen=True, kw_only=True)
class RunParams(SettingGroup):
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
