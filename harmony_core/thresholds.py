"""Every threshold of the diagnostics, in one table: name, value, meaning, source.

Code compares with these constants only, so a number is read, changed and explained in one place.
``TABLE`` lists them for pages and reports. Nothing heavy is imported: pages read this too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["green", "amber", "red"]
"""Colour of what a comparison with thresholds says: fine, look at it, wrong."""

_OWN = (
    "chosen on part of our own simulations and Kang designs (benchmarks/diagnostics.py re-checks)"
)
_REAL = "chosen on the choosing sets of benchmarks/real_cells.toml and simulated choosing designs"
_RULE = "convention of this project, to keep numbers from a handful of cells out of a verdict"
_LISI = "doi:10.1038/s41592-019-0619-0"
_SCIB = "doi:10.1038/s41592-021-01336-8"
_CILISI = "doi:10.1038/s41467-024-45240-z"
_CRAMER = "doi:10.1016/j.jkss.2012.10.002 for the bias correction; the cut-offs are conventions"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """One row of the table."""

    name: str
    value: float
    meaning: str
    source: str


TABLE: dict[str, Threshold] = {}
"""All thresholds by name, in the order of this file."""


def _add(name: str, value: float, meaning: str, source: str) -> float:
    TABLE[name] = Threshold(name=name, value=value, meaning=meaning, source=source)
    return value


def _add_count(name: str, value: int, meaning: str, source: str) -> int:
    _add(name, value, meaning, source)
    return value


# --- The verdict -----------------------------------------------------------------------------

PURITY_LOSS_AMBER = _add(
    "purity_loss_amber", 0.06, "A label that lost more purity than this is suspected.", _REAL
)
PURITY_LOSS_RED = _add(
    "purity_loss_red", 0.07, "A label that lost more purity than this was over-corrected.", _OWN
)
CONFLICT_MAX = _add(
    "conflict_max",
    0.09,
    "Transfer conflict (part of the neighbours, rise over the uncorrected data) that is flagged.",
    "chosen on the choosing sets of benchmarks/real_cells.toml",
)
CONFLICT_MAX_CONDITION = _add(
    "conflict_max_condition",
    0.2,
    "The same where the batch variable is a condition, which changes cells by itself.",
    _OWN,
)
CONFLICT_MAX_PC = _add(
    "conflict_max_pc", 0.055, "Transfer conflict flagged without expression.", _OWN
)
CONFLICT_MAX_PC_CONDITION = _add(
    "conflict_max_pc_condition", 0.12, "The same under a condition.", _OWN
)
LOST_MARKERS = _add(
    "lost_markers", 0.10, "Lost markers above this support a flag and name genes.", _OWN
)
MCM_LOW = _add("mcm_low", 0.5, "Matched-cluster mixing below this is under-correction.", _OWN)
MCM_GOOD = _add("mcm_good", 0.8, "Matched-cluster mixing above this is good.", _OWN)
NULL_MIXING = _add(
    "null_mixing",
    0.95,
    "iLISI before correction, against its permuted expectation, from which on there is "
    "nothing to correct.",
    _OWN,
)
NULL_MCM = _add(
    "null_mcm",
    0.9,
    "Matched-cluster mixing before correction from which on there is nothing to correct; unlike "
    "iLISI it allows for batches that differ in composition.",
    _OWN,
)
NULL_WORST_BATCH = _add(
    "null_worst_batch",
    0.5,
    "Mixing before correction that every batch must have where there is nothing to correct.",
    "convention: a batch that stands apart is something to correct",
)
MIXING_FALLEN = _add(
    "mixing_fallen", 0.3, "Mixing lost through a correction that is said.", "convention"
)
LEAST_ASSESSED = _add(
    "least_assessed",
    0.2,
    "Part of the cells that must be assessed for a verdict without labels.",
    _RULE,
)
STRONG_LOSS = _add(
    "strong_loss",
    0.15,
    "Loss of a state finer than the labels that, confirmed by conflict, changes a verdict.",
    _OWN,
)
MOVED_MIN = _add(
    "moved_min",
    1e-3,
    "A run whose farthest-moved cell moved less than this part of the embedding's spread "
    "did nothing.",
    "convention: below this no neighbour changes",
)
NEIGHBORS_KEPT_MAX = _add(
    "neighbors_kept_max",
    0.95,
    "Part of a cell's neighbours kept by a run, above which clusters stay as they were.",
    "convention: clusters follow neighbours",
)
MISS_RATE_REAL = _add(
    "miss_rate_real",
    0.25,
    "Part of over-corrected runs on real cells that the label-free check misses; not a cut-off.",
    "benchmarks/real_cells.py, held-out sets (docs/trust.md)",
)

# --- The reference ---------------------------------------------------------------------------

N_NEIGHBORS = _add_count(
    "n_neighbors", 30, "Neighbours of a cell looked at by the verdict's numbers.", _OWN
)
N_NEIGHBORS_REFERENCE = _add_count(
    "n_neighbors_reference", 15, "Neighbours within a batch that pre-clusters are made of.", _OWN
)
RESOLUTION_LOW = _add("resolution_low", 1.0, "Leiden resolution of the first reference.", _OWN)
RESOLUTION_MID = _add(
    "resolution_mid", 1.5, "Leiden resolution of the reference that evidence is taken from.", _OWN
)
RESOLUTION_HIGH = _add("resolution_high", 2.0, "Leiden resolution of the third reference.", _OWN)
LEIDEN_ITERATIONS = _add_count("leiden_iterations", 3, "Leiden passes for pre-clusters.", _OWN)
MAX_GENES = _add_count("max_genes", 2000, "Most variable genes that are judged.", _OWN)
GENE_MEAN_FLOOR = _add(
    "gene_mean_floor", 0.05, "Least mean that a gene's variance is divided by, to rank genes.", _OWN
)
MIN_CELLS_REFERENCE = _add_count(
    "min_cells_reference", 20, "Cells from which a pre-cluster is compared with others.", _RULE
)
MIN_CELLS_CONFLICT = _add_count(
    "min_cells_conflict", 25, "Cells from which a pre-cluster is judged for conflict.", _RULE
)
MIN_CELLS_MATCHED = _add_count(
    "min_cells_matched", 15, "Cells from which a pre-cluster counts for matched mixing.", _RULE
)
MIN_EDGES = _add_count(
    "min_edges",
    20,
    "Cross-batch neighbour pairs from which a pre-cluster is judged.",
    _RULE,
)

# --- Distinctness, markers and partners of pre-clusters --------------------------------------

DE_T = _add("de_t", 5.0, "Welch |t| from which a gene tells two pre-clusters apart.", _OWN)
DE_FOLD = _add("de_fold", 1.5, "Fold change from which a gene tells two pre-clusters apart.", _OWN)
DE_VARIANCE_FLOOR = _add(
    "de_variance_floor", 1e-4, "Added to the squared standard error in Welch's t.", _OWN
)
DE_TOP = _add_count("de_top", 20, "Genes of each ordered pair that conflict is measured on.", _OWN)
DE_MIN_GENES = _add_count(
    "de_min_genes", 8, "Genes below which two pre-clusters are the same state.", _OWN
)
DISTINCT_LOW = _add(
    "distinct_low", 0.15, "Relative number of genes at which distinctness begins to count.", _OWN
)
DISTINCT_HIGH = _add(
    "distinct_high", 0.45, "Relative number of genes at which distinctness counts in full.", _OWN
)
MIN_GENES_CONFLICT = _add_count(
    "min_genes_conflict", 3, "Marker genes of a batch below which conflict is not measured.", _RULE
)
SHIFT_PARTNER_R = _add(
    "shift_partner_r", 0.3, "Correlation of two pre-clusters used to estimate a batch shift.", _OWN
)
SHIFT_MIN_PARTNERS = _add_count(
    "shift_min_partners", 3, "Partner pairs from which the batch shift is their median.", _OWN
)
PARTNER_R = _add(
    "partner_r", 0.5, "Correlation above which mutually best pre-clusters are partners.", _OWN
)
SD_FLOOR = _add("sd_floor", 0.05, "Added to a gene's pooled standard deviation.", _OWN)
GAP_FOLD = _add("gap_fold", 2.0, "Fold change of a residual that a gap tolerates.", _OWN)
GAP_MIN_CLUSTERS = _add_count(
    "gap_min_clusters",
    3,
    "Judged pre-clusters of a batch from which their median is its common shift.",
    _OWN,
)
MARKER_T = _add("marker_t", 5.0, "Welch t from which a gene marks a pre-cluster.", _OWN)
MARKER_Z = _add("marker_z", 0.4, "Mean z from which a gene marks a pre-cluster.", _OWN)
MARKER_TOP = _add_count("marker_top", 30, "Most markers of a pre-cluster.", _OWN)
MARKER_MIN = _add_count("marker_min", 5, "Markers below which a pre-cluster has none.", _OWN)
MARKER_KEPT = _add(
    "marker_kept", 0.5, "Part of its z that a marker must keep not to be lost.", _OWN
)
MARKER_Z_FLOOR = _add(
    "marker_z_floor", 0.15, "Least z of a marker, when asking whether it is lost.", _OWN
)
Z_SD_FLOOR = _add("z_sd_floor", 0.02, "Added to a batch's standard deviation in z.", _OWN)
EVIDENCE_GENES = _add_count(
    "evidence_genes", 10, "Genes named in a row of evidence.", "reading comfort"
)
NAME_GENES = _add_count("name_genes", 3, "Markers in the name of a pre-cluster.", "reading comfort")

# --- States without labels -------------------------------------------------------------------

_REAL = "chosen on the choosing sets of benchmarks/real_cells.toml and simulated choosing designs"
POOL_MIXING = _add(
    "pool_mixing",
    0.7,
    "Mixing before correction from which two batches are described together.",
    _REAL,
)
POOL_MIXING_SMALL = _add(
    "pool_mixing_small", 0.4, "The same where one of them is too small by itself.", _REAL
)
POOL_CELLS = _add_count("pool_cells", 100, "Cells below which a batch is too small for it.", _RULE)
MAX_POOLS = _add_count(
    "max_pools", 24, "Pools above which small mixing suffices: memory and time grow by pool.", _RULE
)
RESOLUTION_FINE = _add(
    "resolution_fine", 3.0, "Leiden resolution of what is merged to states.", _REAL
)
STATE_CONTACT = _add(
    "state_contact",
    0.2,
    "Shared neighbours of two clusters, over those of an even mixture, above which they are one "
    "state; between this and half of it a neighbour of the other counts in part.",
    _REAL,
)
SHARED_BATCHES = _add(
    "shared_batches",
    0.1,
    "Part of two states' cells in the same batches of a pool, below which batch alone may tell "
    "them apart.",
    _RULE,
)
MIN_CELLS_STATE = _add_count(
    "min_cells_state", 25, "Cells from which a state's neighbours are judged.", _RULE
)
STATE_LOSS = _add(
    "state_loss",
    0.05,
    "Part of a state's neighbours that changed to other states, from which it was merged.",
    _REAL,
)
FALSE_DISCOVERIES = _add(
    "false_discoveries",
    0.05,
    "Expected part of the states named as merged that were not (Benjamini and Hochberg).",
    "convention",
)
REPLACED_RATIO = _add(
    "replaced_ratio",
    3.5,
    "How many times the other pairs' difference two matching states differ by to be two types.",
    _REAL,
)
REPLACED_DIFFERENCE = _add(
    "replaced_difference",
    0.1,
    "Least difference of such a pair, over that of the nearest two states of a batch.",
    _REAL,
)
REPLACED_R = _add(
    "replaced_r", 0.06, "How far its correlation lies below that of the other pairs.", _REAL
)
REPLACED_ALONE = _add(
    "replaced_alone",
    0.06,
    "The same where no other pair is as far apart in difference, correlation and markers.",
    _REAL,
)
REPLACED_LOST = _add(
    "replaced_lost",
    2.0,
    "How many times the markers that any other pair lost such a pair lost.",
    _REAL,
)
REPLACED_LOST_MIN = _add(
    "replaced_lost_min",
    0.03,
    "Part of the markers that any pair may lose by noise: of thirty, one.",
    "the number of markers",
)
REPLACED_MERGED = _add(
    "replaced_merged", 0.2, "Part of its neighbours that two types hold of each other.", _REAL
)
APART = _add(
    "apart",
    0.05,
    "Mixing of a batch with all others, over that expected, below which it is wholly apart.",
    "convention",
)
STATE_APART = _add(
    "state_apart",
    0.25,
    "Mixing of two matching states, seen from the worse side, below which they stay apart.",
    _REAL,
)

# --- Risk ------------------------------------------------------------------------------------

RISK_CELLS = _add_count(
    "risk_cells",
    20_000,
    "Cells above which the risk is estimated on a sample.",
    "each state is a correction of its own",
)
RISK_BATCHES = _add_count(
    "risk_batches",
    3,
    "Batches, those with most of its cells, in which a label's risk is estimated.",
    "each is a correction of its own",
)
RISK_HIGH = _add(
    "risk_high",
    0.10,
    "Part of a state's neighbours that would become other cells, from which a setting goes too "
    "far for it.",
    "convention: the loss from which benchmarks/real_cells.py calls a run over-corrected",
)

# --- Advice ----------------------------------------------------------------------------------

FEW_PCS = _add("few_pcs", 40, "Below this many components, more of them preserve more.", _OWN)
UNEVEN_BATCHES = _add(
    "uneven_batches",
    0.25,
    "Smallest over largest batch below which tau, which protects small batches, is advised.",
    "convention",
)
GENTLE_ITERATIONS = _add_count(
    "gentle_iterations", 3, "Iterations advised first against over-correction.", _OWN
)
GENTLE_THETA = _add("gentle_theta", 1.0, "Theta advised against over-correction.", _OWN)
GENTLE_SIGMA = _add("gentle_sigma", 0.05, "Sigma advised against over-correction.", _OWN)
GENTLE_ALPHA = _add("gentle_alpha", 1.0, "Alpha advised against over-correction.", _OWN)
STRONG_THETA = _add("strong_theta", 4.0, "Theta advised first against under-correction.", _OWN)
STRONGER_THETA = _add("stronger_theta", 8.0, "Theta advised next.", _OWN)
MIXING_SIGMA = _add("mixing_sigma", 0.1, "Sigma that these need to mix.", _OWN)
MORE_ITERATIONS = _add_count(
    "more_iterations", 2, "Factor on the iterations of a run that had not settled.", "convention"
)
FLAT_OBJECTIVE = _add(
    "flat_objective",
    1e-3,
    "Relative change of Harmony's objective up to which it has levelled off: such a fall is not "
    "worth more iterations, such a rise is not a worse fit. Also the epsilon advised to a run that "
    "stopped early.",
    "convention",
)
TAU_DIVISOR = _add(
    "tau_divisor",
    0.75,
    "tau = cells of the smallest batch / (this x soft clusters) is the value to try.",
    _OWN,
)
TAU_HOLDS = _add(
    "tau_holds",
    0.5,
    "Part of theta that tau leaves to the smallest batch, below which tau keeps it from mixing.",
    "convention",
)

# --- Labels ----------------------------------------------------------------------------------

MIN_CELLS_PURITY = _add_count(
    "min_cells_purity", 15, "Cells from which a label is judged for purity.", _RULE
)
MIN_CELLS_CILISI = _add_count(
    "min_cells_cilisi", 10, "Cells of a label per batch from which CiLISI counts it.", _CILISI
)
MIN_BATCHES_CILISI = _add_count(
    "min_batches_cilisi", 2, "Batches of a label from which CiLISI counts it.", _CILISI
)
LISI_PERPLEXITY = _add_count("lisi_perplexity", 30, "Effective neighbours in LISI.", _LISI)
SILHOUETTE_SAMPLE = _add_count(
    "silhouette_sample", 5000, "Cells above which silhouettes use a sample.", "cost is quadratic"
)
SCIB_WEIGHT_BIO = _add("scib_weight_bio", 0.6, "Weight of conservation in the scIB total.", _SCIB)
SCIB_WEIGHT_BATCH = _add("scib_weight_batch", 0.4, "Weight of mixing in the scIB total.", _SCIB)

# --- The design, before any run --------------------------------------------------------------

MIN_CELLS = _add_count("min_cells", 40, "Cells that can be corrected and judged.", _RULE)
CRAMERS_V_WARN = _add(
    "cramers_v_warn", 0.3, "Association of batch and another column that is warned of.", _CRAMER
)
CRAMERS_V_CONFOUNDED = _add(
    "cramers_v_confounded",
    0.7,
    "Association above which nothing can separate batch from the other column.",
    _CRAMER,
)
EXCLUSIVE_SHARE = _add(
    "exclusive_share", 0.99, "Part of a label's cells in one batch that makes it exclusive.", _RULE
)
EXCLUSIVE_MIN_CELLS = _add_count(
    "exclusive_min_cells", 20, "Cells from which a label may be called exclusive.", _RULE
)
LITTLE_VARIANCE = _add(
    "little_variance",
    0.01,
    "Fraction of the first components' variance that a batch variable explains, below which there "
    "is little to correct.",
    "convention",
)
CLOSE_LABEL = _add(
    "close_label",
    0.7,
    "Distance of an exclusive label to its nearest relative in another batch, relative to the "
    "median distance between labels, up to which the two may be merged.",
    "own simulations: siblings lay at 0.27-0.69, other types at 0.73-0.96",
)

# --- Methods side by side --------------------------------------------------------------------

METHODS_MIXING = _add(
    "methods_mixing",
    0.1,
    "Difference in mixing up to which two methods are said to do the same.",
    "the margin within which benchmarks/real_cells.py takes a run for too close to call",
)
METHODS_LOSS = _add(
    "methods_loss",
    0.05,
    "Difference in a state's lost neighbours up to which two methods are said to do the same.",
    "the margin within which benchmarks/real_cells.py takes a run for too close to call",
)

# --- Other tools -----------------------------------------------------------------------------

_TOOLS = "convention, after the sizes at which scIB (doi:10.1038/s41592-021-01336-8) compares tools"
SCVI_CELLS = _add_count(
    "scvi_cells", 50_000, "Cells from which a neural network is worth naming.", _TOOLS
)
SCVI_BATCHES = _add_count(
    "scvi_batches", 8, "Batches from which a neural network is worth naming.", _TOOLS
)
MANY_EXCLUSIVE = _add(
    "many_exclusive", 0.3, "Part of labels in one batch only, above which few are shared.", _TOOLS
)
STABILITY_SEEDS = _add_count(
    "stability_seeds", 5, "Seeds that a run is repeated with to see what holds.", "convention"
)
