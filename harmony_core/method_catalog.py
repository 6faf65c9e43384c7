"""Methods of others that correct here in Harmony's place: what each takes, gives and can be set to.

Light on purpose: settings are checked against it. What runs them, and in which environment, is
`harmony_core.methods.integration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harmony_core.errors import ParameterError
from harmony_core.ranges import Range

CHILDREN = Path(__file__).parent / "methods" / "integration" / "children"
"""Scripts that the interpreter of the methods' environment runs; they import nothing of ours."""


@dataclass(frozen=True)
class MethodSetting:
    """A setting of a method, under the name that its library gives it.

    Attributes
    ----------
    range
        What it may be.
    default
        The library's own, unless ``help`` says otherwise. Whole where only whole numbers are taken.
    help
        What more and less of it does.
    """

    name: str
    range: Range
    default: float
    help: str

    def check(self, value: float) -> float:
        """Return a value as the kind of number that the setting takes.

        Raises
        ------
        ParameterError
            If it is out of range.
        """
        self.range.check(self.name, value)
        if isinstance(self.default, float):
            return float(value)
        if value != int(value):
            raise ParameterError(f"{self.name} must be a whole number, not {value!r}.")
        return int(value)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method of others.

    Attributes
    ----------
    name
        In settings, files and links.
    title
        As its authors write it.
    about
        What it does, in a sentence.
    library
        Name of its package.
    requirement
        What ``pip install`` is asked for.
    extra
        Our extra that installs it.
    gives
        A corrected embedding, or a neighbour graph only.
    needs
        The uncorrected embedding, log-normalised expression of the variable genes, or their counts.
    settings
        Those that matter.
    citation
        The paper.
    child
        Script with a function ``correct``, see `harmony_core.methods.integration.process`.
    version
        Raised when that script changes what it computes.
    least_cells
        Cells that the smallest batch must have whatever the settings.
    bytes_per_cell
        Memory of its largest arrays, for each cell.
    notes
        What is to be known of every result of it, a sentence each.
    neighbors
        Name of the setting that the smallest batch must have cells for; empty where there is none.
    mixes_by_construction
        Whether batches are mixed in its result whatever the data, so that mixing judges nothing.
    """

    name: str
    title: str
    about: str
    library: str
    requirement: str
    extra: str
    gives: Literal["embedding", "graph"]
    needs: Literal["embedding", "expression", "counts"]
    settings: tuple[MethodSetting, ...]
    citation: str
    child: Path
    version: int
    bytes_per_cell: float = 2_000
    least_cells: int = 2
    neighbors: str = ""
    notes: tuple[str, ...] = ()
    mixes_by_construction: bool = False

    def values(self, changed: Mapping[str, float]) -> dict[str, float]:
        """Return every setting with its value.

        Parameters
        ----------
        changed
            Those that are not at their default.
        """
        return {one.name: changed.get(one.name, one.default) for one in self.settings}

    def checked(self, settings: Mapping[str, float]) -> dict[str, float]:
        """Return those settings that are not at their default.

        Raises
        ------
        ParameterError
            If one is unknown or out of its range.
        """
        known = {one.name: one for one in self.settings}
        for name in settings:
            if name not in known:
                raise ParameterError(
                    f"{self.title} has no setting {name!r}; it has {', '.join(known)}."
                )
        checked = {n: one.check(settings[n]) for n, one in known.items() if n in settings}
        return {name: value for name, value in checked.items() if value != known[name].default}


_SEED = MethodSetting(
    "seed",
    Range(low=0, high=2**31 - 1, step=1),
    0,
    "Starts the random numbers; the same seed gives the same result.",
)

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="scanorama",
            title="Scanorama",
            about="Finds cells of two batches that are nearest to each other both ways, and moves "
            "each batch along them; batches without a match stay where they are.",
            library="scanorama",
            requirement="scanorama>=1.7.4,<2",
            extra="methods",
            gives="embedding",
            needs="expression",
            settings=(
                MethodSetting(
                    "knn",
                    Range(low=2, high=200, step=1),
                    20,
                    "Neighbours among which matches are looked for. More finds more matches, also "
                    "wrong ones, and mixes more; fewer matches only what is very alike.",
                ),
                MethodSetting(
                    "sigma",
                    Range(low=0.1, high=1000, step=1, slider_high=100),
                    15.0,
                    "How sharply a cell follows the matches nearest to it. More moves each cell by "
                    "the matches around it alone; less moves a batch more as a whole.",
                ),
                MethodSetting(
                    "alpha",
                    Range(low=0, high=1, step=0.01),
                    0.10,
                    "Fraction of matched cells from which two batches are merged. More leaves more "
                    "batches as they are; less also merges batches that share little.",
                ),
                MethodSetting(
                    "dimred",
                    Range(low=2, high=200, step=1),
                    100,
                    "Dimensions of the embedding. More keeps finer differences, and noise.",
                ),
                _SEED,
            ),
            citation="Hie B, Bryson B, Berger B. Efficient integration of heterogeneous "
            "single-cell transcriptomes using Scanorama. Nat Biotechnol 37:685-691 (2019). "
            "doi:10.1038/s41587-019-0113-3",
            child=CHILDREN / "by_scanorama.py",
            version=1,
            bytes_per_cell=5_000 * 8 * 2,  # kernel of all cells and 5,000 matches, and a copy
            neighbors="knn",
        ),
        Method(
            name="mnn",
            title="MNN",
            about="Finds cells of two batches that are nearest to each other both ways, and moves "
            "one batch towards the other by the differences within these pairs.",
            library="scranpy",
            requirement="scranpy>=0.3.1,<0.4",
            extra="methods",
            gives="embedding",
            needs="embedding",
            settings=(
                MethodSetting(
                    "num_neighbors",
                    Range(low=2, high=200, step=1),
                    15,
                    "Neighbours among which pairs are looked for. More finds more pairs, also "
                    "wrong ones, and mixes more; fewer pairs only what is very alike.",
                ),
                MethodSetting(
                    "num_steps",
                    Range(low=1, high=10, step=1),
                    1,
                    "Steps in which the surroundings of a pair are widened. More moves cells to "
                    "the middle of the other batch's group rather than to its edge, and may take "
                    "in cells of another kind.",
                ),
            ),
            citation="Haghverdi L, Lun ATL, Morgan MD, Marioni JC. Batch effects in single-cell "
            "RNA-sequencing data are corrected by matching mutual nearest neighbors. "
            "Nat Biotechnol 36:421-427 (2018). doi:10.1038/nbt.4091",
            child=CHILDREN / "by_mnn.py",
            version=1,
            neighbors="num_neighbors",
        ),
        Method(
            name="bbknn",
            title="BBKNN",
            about="Gives each cell its nearest neighbours in every batch, as many in each; "
            "pictures and clusters come from that graph, and cells have no new coordinates.",
            library="bbknn",
            requirement="bbknn>=1.6,<2",
            extra="methods",
            gives="graph",
            needs="embedding",
            settings=(
                MethodSetting(
                    "neighbors_within_batch",
                    Range(low=2, high=50, step=1),
                    3,
                    "Neighbours of a cell in each batch. More gives a denser graph that mixes more "
                    "and joins rare cells to what is not like them; fewer keeps small groups.",
                ),
            ),
            citation="Polański K, et al. BBKNN: fast batch alignment of single cell "
            "transcriptomes. Bioinformatics 36:964-965 (2020). doi:10.1093/bioinformatics/btz625",
            child=CHILDREN / "by_bbknn.py",
            version=1,
            neighbors="neighbors_within_batch",
            notes=(
                "BBKNN gives every cell as many neighbours in each batch, so its mixing is "
                "complete by construction and says nothing for it; its neighbours were judged.",
                "Not judged: how far cells moved and the scores of an embedding, as BBKNN gives a "
                "neighbour graph and no embedding.",
            ),
            mixes_by_construction=True,
        ),
        Method(
            name="brisc",
            title="Harmony by brisc",
            about="Harmony 2 as the toolkit brisc has it, in another order of updates and with "
            "random centres: what differs from Harmony here is the program, not the method.",
            library="brisc",
            requirement="brisc>=0.2.3,<0.3",
            extra="brisc",
            gives="embedding",
            needs="embedding",
            settings=(
                MethodSetting(
                    "theta",
                    Range(low=0, high=100, step=0.25, slider_high=10),
                    2.0,
                    "Diversity penalty. More mixes batches harder; 0 switches it off.",
                ),
                MethodSetting(
                    "sigma",
                    Range(low=0.01, high=0.5, step=0.01),
                    0.1,
                    "Width of the soft clusters. More lets a cell belong to several at once.",
                ),
                MethodSetting(
                    "max_iterations",
                    Range(low=1, high=50, step=1),
                    10,
                    "Most rounds of clustering and correction.",
                ),
                MethodSetting(
                    "tau",
                    Range(low=0, high=100, step=1),
                    0.0,
                    "More protects small batches; 0 protects none.",
                ),
                MethodSetting(
                    "alpha",
                    Range(low=0.01, high=0.99, step=0.05),
                    0.2,
                    "Ridge penalty, as a fraction of the cells that a batch is expected to have in "
                    "a soft cluster. More corrects less.",
                ),
                _SEED,
            ),
            citation="Korsunsky I, et al. Fast, sensitive and accurate integration of single-cell "
            "data with Harmony. Nat Methods 16:1289-1296 (2019). doi:10.1038/s41592-019-0619-0",
            child=CHILDREN / "by_brisc.py",
            version=1,
        ),
        Method(
            name="scvi",
            title="scVI",
            about="Trains a neural network that describes each cell's counts by a few numbers, "
            "given its batch; those numbers are the embedding.",
            library="scvi-tools",
            requirement="scvi-tools>=1.3,<2",
            extra="scvi",
            gives="embedding",
            needs="counts",
            settings=(
                MethodSetting(
                    "n_latent",
                    Range(low=2, high=100, step=1),
                    10,
                    "Dimensions of the embedding. More keeps finer differences, those between "
                    "batches too.",
                ),
                MethodSetting(
                    "n_layers",
                    Range(low=1, high=5, step=1),
                    1,
                    "Layers of the network. More can undo differences of more kinds, and needs "
                    "more cells.",
                ),
                MethodSetting(
                    "max_epochs",
                    Range(low=0, high=2000, step=10),
                    0,
                    "Most rounds of training; 0 takes 400, and fewer above 20,000 cells. Fewer is "
                    "faster and leaves more of the batches.",
                ),
                MethodSetting(
                    "patience",
                    Range(low=1, high=500, step=1),
                    45,
                    "Rounds without progress on cells held out after which training stops. Fewer "
                    "stops earlier.",
                ),
                _SEED,
            ),
            citation="Lopez R, Regier J, Cole MB, Jordan MI, Yosef N. Deep generative modeling for "
            "single-cell transcriptomics. Nat Methods 15:1053-1058 (2018). "
            "doi:10.1038/s41592-018-0229-2",
            child=CHILDREN / "by_scvi.py",
            version=1,
            bytes_per_cell=100_000,
        ),
    )
}
"""By name."""


def method_named(name: str) -> Method:
    """Return a method by its name.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in METHODS:
        raise ParameterError(f"There is no method {name!r} here; there are {', '.join(METHODS)}.")
    return METHODS[name]
