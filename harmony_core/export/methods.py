"""A paragraph of methods with its references, ready to paste."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harmony_core.counting import counted, named
from harmony_core.errors import UnfinishedRun
from harmony_core.export.record import prepared_facts, versions
from harmony_core.method_catalog import METHODS
from harmony_core.methods.harmony_releases import RELEASES, release_of
from harmony_core.methods.hvg import SMALLEST_BATCH
from harmony_core.methods.neighbors import search_for
from harmony_core.of_batch import in_words
from harmony_core.params import HarmonyParams, PrepareParams, RunParams
from harmony_core.runs.results import RunResults

_WORDS_OF_R = frozenset(
    {
        *("if", "else", "repeat", "while", "function", "for", "next", "break", "in"),
        *("TRUE", "FALSE", "NULL", "Inf", "NaN", "NA"),
        *("NA_integer_", "NA_real_", "NA_complex_", "NA_character_"),
    }
)
_NAME_IN_R = re.compile(r"(?!\.\d)[A-Za-z.][A-Za-z0-9._]*")

REFERENCES = {
    "scanpy": "Wolf FA, Angerer P, Theis FJ. SCANPY: large-scale single-cell gene expression data "
    "analysis. Genome Biol 19:15 (2018). doi:10.1186/s13059-017-1382-0",
    "harmony": "Korsunsky I, et al. Fast, sensitive and accurate integration of single-cell data "
    "with Harmony. Nat Methods 16:1289-1296 (2019). doi:10.1038/s41592-019-0619-0",
    "faiss": "Douze M, et al. The Faiss library. arXiv:2401.08281 (2024). "
    "doi:10.48550/arXiv.2401.08281",
    "umap": "McInnes L, Healy J, Melville J. UMAP: uniform manifold approximation and projection "
    "for dimension reduction. arXiv:1802.03426 (2018). doi:10.48550/arXiv.1802.03426",
    "leiden": "Traag VA, Waltman L, van Eck NJ. From Louvain to Leiden: guaranteeing "
    "well-connected communities. Sci Rep 9:5233 (2019). doi:10.1038/s41598-019-41695-z",
}


def methods_paragraph(
    results: RunResults, original: Mapping[str, Any] | None = None
) -> tuple[str, tuple[str, ...]]:
    """Return what was done, in the past tense of a paper, and the works it cites by number.

    Parameters
    ----------
    original
        Record of the run, where its results were computed again from a file that holds it: how
        that file's embedding came about.

    Raises
    ------
    ExportError
        If the run is not finished.
    """
    obs = results.obs
    if results.stage("correct") is None or obs is None:
        raise UnfinishedRun("say")
    cited: list[str] = []

    def cite(name: str) -> str:
        if name not in cited:
            cited.append(name)
        return f"[{cited.index(name) + 1}]"

    p, used = results.params, versions()
    prepare, facts = p.prepare, prepared_facts(results)
    if original is not None and "prepared" in original:
        prepare, facts = (
            PrepareParams.from_dict(original["params"]["prepare"]),
            original["prepared"],
        )
    sentences = _preparation(prepare, facts, cite("scanpy") if prepare.basis is None else "", used)
    if p.by_harmony:
        sentences.append(_correction(results, cite("harmony"), used))
    elif p.method is not None:
        sentences.append(_by_method(results, cite(p.method.name)))
    else:
        sentences.append(
            f"Differences between the levels of {', '.join(p.harmony.batch)} had been corrected by "
            "another tool (its name, version, settings and citation belong here), which gave the "
            f"embedding {p.precomputed}."
        )
    sentences.append(_graph(p, len(obs), cite, used))
    if results.markers("after"):
        sentences.append(
            "Marker genes of clusters were ranked by Wilcoxon's rank-sum test on uncorrected, "
            "log-normalised expression."
        )
    sentences.append(
        "Mixing of batches was measured by LISI at perplexity 30 against its expectation under "
        "permuted batches, and by matched-cluster mixing; over-correction was looked for by the "
        "detector of Harmony Explorer "
        f"{used['harmony-explorer']}{_with_labels(results)}. All seeds are in the settings."
    )
    sentences.append(design_sentence(p.harmony.batch, condition=p.condition))
    return " ".join(sentences), tuple(_reference(name) for name in cited)


def _preparation(
    p: PrepareParams, facts: Mapping[str, Any], scanpy: str, used: dict[str, str]
) -> list[str]:
    n_pcs = facts["dimensions"]
    if p.basis is not None:
        return [
            f"{facts['cells_kept']:,} cells were taken with {_first_of(p, n_pcs)}the embedding "
            f"{p.basis} ({n_pcs} dimensions{_skipped(p.skip_dims)}) that came with the data."
        ]
    kind = facts["expression_kind"]
    sentences = []
    if kind == "counts":
        doublets = (
            ""
            if p.max_doublet is None
            else f" and a doublet score of at most {p.max_doublet:g} (Scrublet, within each batch)"
        )
        sentences.append(
            f"Of {facts['cells']:,} cells, the {facts['cells_kept']:,} with {p.min_genes:,} to "
            f"{p.max_genes:,} genes, at most {p.max_mito:g} % mitochondrial counts{doublets} "
            "were kept, "
            f"and the {facts['genes_kept']:,} genes seen in at least {p.min_cells} of "
            "them."
        )
        normalised = "Counts were normalised to 10,000 a cell and log-transformed"
    elif kind == "normalised":
        normalised = "Expression, which came normalised, was log-transformed"
    elif kind == "scaled":
        normalised = "Expression came scaled or corrected and was used as it is"
    else:
        normalised = "Expression came log-normalised"
    sentences.append(
        f"{normalised} (scanpy {used['scanpy']} {scanpy}); "
        f"{_genes(facts)}, "
        f"{'scaled to unit variance, ' if p.scale else ''}"
        f"and {n_pcs} principal components computed from them."
    )
    return sentences


def _genes(facts: Mapping[str, Any]) -> str:
    n = f"{facts['variable_genes']:,}"
    how, few = facts.get("genes_chosen"), f"fewer than {SMALLEST_BATCH} cells"
    if how == "all":
        return f"all {n} genes were taken as variable"
    if how == "over all cells":
        # Records from before one small batch was left out know only that there was one.
        known = "small_batches" in facts
        why = f"most cells were in batches of {few}" if known else "a batch had fewer than 20 cells"
        return f"{n} variable genes were chosen over all cells together, as {why}"
    if how == "within larger batches":
        small = named(facts["small_batches"])
        return (
            f"{n} variable genes were chosen within the larger batches only, as {small} had {few}"
        )
    return f"{n} variable genes were chosen within each batch"


def design_sentence(batch: Sequence[str], *, condition: bool = False) -> str:
    """Return how expression is to be compared after a correction, which leaves counts as they are.

    Parameters
    ----------
    batch
        Batch variables.
    condition
        Whether these are, or hold, the condition that is compared.
    """
    terms = [_term(name) for name in batch]
    tested = "condition" if "condition" not in batch else "compared_condition"
    formula = " + ".join(terms if condition else [*terms, tested])
    return (
        "The corrected embedding is for neighbours, layouts and clusters. For differential "
        "expression, uncorrected counts (for example summed by sample and cell type) are to be "
        f"modelled with the batch in the design: ~ {formula}"
        + (
            ", from which the coefficient of the condition is tested."
            if condition
            else f", where {tested} stands for the column that is compared."
        )
    )


def _term(name: str) -> str:
    """Return a column's name as a term of a formula in R."""
    if _NAME_IN_R.fullmatch(name) and name not in _WORDS_OF_R:
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{''.join(c if c.isprintable() else ' ' for c in escaped)}`"


def _first_of(p: PrepareParams, n_dims: int) -> str:
    """Return words where only the leading dimensions of an embedding were taken, if it had more."""
    is_first = p.use_dims is not None and n_dims == p.use_dims - p.skip_dims
    return f"the first {p.use_dims} dimensions of " if is_first else ""


def _skipped(n: int) -> str:
    return "" if n == 0 else f", without the first {n}" if n > 1 else ", without the first"


def _correction(results: RunResults, cited: str, used: dict[str, str]) -> str:
    p, harmony = results.params.harmony, results.harmony
    assert harmony is not None
    theta = ", ".join(f"{value:g} for {name}" for name, value in zip(p.batch, p.theta, strict=True))
    if p.theta_of:
        theta += f" ({in_words(p.theta_of)})"
    if p.penalties_as_r:
        theta += f", each divided by {p.theta_divisor} to come near to the added penalties of R"
    sigma = f"sigma {p.sigma:g}"
    if p.sigma_of:
        sigma = f"a sigma for each soft cluster ({min(p.sigma_of):g} to {max(p.sigma_of):g})"
    ridge = f"lambda estimated with alpha {p.alpha:g}" if p.lamb is None else f"lambda {p.lamb:g}"
    if p.lamb_of:
        ridge += f" ({in_words(p.lamb_of)})"
    pruned = f"; batch_prop_cutoff {p.batch_prop_cutoff:g}" * ("batch_prop_cutoff" in p.to_dict())
    iterations = counted(harmony["iterations"], "iteration")
    ended = {
        "converged": f"converged after {iterations}",
        "limit": f"was stopped at the limit of {iterations}",
        "rose": f"was stopped at the limit of {iterations}, its objective rising in the last",
        "none": "was allowed no iteration",
    }[harmony["stop_reason"]]
    return (
        f"Differences between the levels of {', '.join(p.batch)} were corrected with Harmony "
        f"{cited} (harmonypy {used['harmonypy']}; theta {theta}; {sigma}; "
        f"{harmony['nclust']} soft clusters; tau {p.tau:g}; {ridge}{pruned}), which {ended}."
        f"{_earlier_release(p)}"
    )


def _by_method(results: RunResults, cited: str) -> str:
    p, stage = results.params, results.stage("correct")
    assert p.method is not None
    assert stage is not None
    method, ran = p.method.method, stage.info["versions"]
    settings = "; ".join(f"{name} {value:g}" for name, value in p.method.values.items())
    given = {
        "embedding": "the uncorrected embedding",
        "expression": "the log-normalised expression of the variable genes",
        "counts": "the counts of the variable genes",
    }[method.needs]
    return (
        f"Differences between the levels of {' × '.join(p.harmony.batch)} were corrected with "
        f"{method.title} {cited} ({method.library} {ran.get(method.library, '')}, Python "
        f"{ran['python']}; {settings}), which was given {given}."
    )


def _reference(name: str) -> str:
    return METHODS[name].citation if name in METHODS else REFERENCES[name]


def _earlier_release(p: HarmonyParams) -> str:
    name = release_of(p)
    if name in (None, "2"):
        return ""
    return f" These settings approximate {RELEASES[name].title}."


def _graph(p: RunParams, n_cells: int, cite: Callable[[str], str], used: dict[str, str]) -> str:
    search = {
        "exhaustive": "exhaustively",
        "lists": "by lists of cells near each other",
        "inverted file": "by an inverted file",
    }[search_for(n_cells)]
    flavor = p.clusters.flavor
    return (
        f"A graph of the {p.graph.n_neighbors} nearest neighbours of each cell, found {search} "
        f"with faiss {used['faiss-cpu']} {cite('faiss')}, was laid out by UMAP (umap-learn "
        f"{used['umap-learn']}, min_dist {p.layout.min_dist:g}, spread {p.layout.spread:g}) "
        f"{cite('umap')} and clustered by Leiden at resolution {p.clusters.shown:g} "
        f"({flavor} {used['igraph' if flavor == 'igraph' else 'leidenalg']}) {cite('leiden')}."
    )


def _with_labels(results: RunResults) -> str:
    p = results.params
    if p.panel is not None:
        return (
            " and by purity of cell types that Harmony Explorer made from marker genes within each "
            "batch, before correction"
        )
    return f" and by purity of the labels in {p.label}" if p.label else ""
