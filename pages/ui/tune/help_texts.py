"""What each slider does, in the words that its question mark shows."""

from __future__ import annotations

THETA = (
    "How hard Harmony pushes every soft cluster to hold all batches. **More** mixes batches more "
    "and can merge cell types that only one batch has; **less** leaves more of the batch effect. "
    "0 switches the push off. Default 2. Pushes of several batch variables are multiplied here and "
    "added by Harmony in R, where the same theta therefore mixes less: R comes close with each "
    "theta times the number of variables, and the switch below comes close to R."
)
SIGMA = (
    "How soft the clusters are. **More** spreads each cell over several clusters, which smooths "
    "the correction and can merge neighbouring cell types; **less** makes clusters crisp and the "
    "correction more local. Default 0.1. Harmony would take another sigma for each soft cluster, "
    "but which cells a soft cluster will hold is not known before the run, so there is one slider; "
    "a settings file, the command line and Python may give several."
)
NCLUST = (
    "Number of soft clusters. **More** lets small populations have a correction of their own; "
    "**less** corrects broadly. Automatic takes one per 30 cells, at most 100."
)
ITERATIONS = (
    "The most rounds of clustering and correcting. Harmony stops earlier once it has converged, "
    "so **more** often changes nothing; **fewer** stops on the way and corrects less. Default 10."
)
TAU = (
    "Protects small batches: theta shrinks for a batch with few cells per soft cluster. **More** "
    "protects larger batches too; 0 switches it off (default)."
)
ALPHA = (
    "Sets the ridge penalty of each cluster's correction from the cells expected there. **More** "
    "holds the correction back, most where a batch has few cells; **less** corrects fully. "
    "Default 0.2."
)
LAMBDA = (
    "One fixed ridge penalty instead of the automatic one. **More** holds the correction back; "
    "**less** corrects further: 0.1 nearly fully, but 0 itself can't be solved for and ends in an "
    "error. Default: automatic."
)
BLOCK = (
    "Share of cells whose soft clusters are updated together. **More** is faster and rougher; "
    "**less** is slower and steadier. Default 0.05."
)
ROUNDS = (
    "Clustering rounds within each iteration. **More** settles the clusters before cells move; "
    "**fewer** is faster and corrects from rougher clusters. Default 4."
)
EPS_CLUSTER = (
    "Clustering rounds end when the objective changes by less than this share, but never before "
    "five rounds: with five **k-means rounds** or fewer (the default is 4) it has no effect. With "
    "more of them, a larger share ends earlier. Default 0.001."
)
EPS_HARMONY = (
    "Harmony stops when an iteration lowers the objective by less than this share. **More** stops "
    "earlier; 0 always runs all iterations. Default 0.01."
)
CUTOFF = (
    "A batch is left out of a soft cluster's correction where at most this share of its cells is "
    "in it: too few to say how the batch differs there. **More** leaves more uncorrected; 0 "
    "corrects everywhere, as Harmony before 2.0 did. Default 0.00001."
)
AS_R = (
    "Divides each theta by the number of batch variables before it is taken. Multiplied penalties "
    "then come near to R's added ones: exactly where all variables divide the cells alike at the "
    "same theta, closely where soft clusters hold the batches nearly evenly; elsewhere a product "
    "still asks for more. Off, as harmonypy does, is the default."
)
RELEASE = (
    "Sets what differed between releases; theta and sigma stay. Harmony 1 (1.2 in R) had a fixed "
    "lambda of 1, 20 k-means rounds, and left no batch out of a soft cluster. Some users report "
    "that it mixes more on their data."
)
OF_BATCHES = (
    "**More** theta asks harder for this batch in every soft cluster, **more** lambda holds its "
    "correction back. Empty cells take the slider's."
)
SEED = "Starting point of the random choices. Another seed should tell the same story."
NEIGHBORS = (
    "Neighbours of each cell in the graph under picture and clusters. **More** shows the broad "
    "shape, **less** the fine detail. Default 15."
)
MIN_DIST = (
    "Least distance of two cells in the picture. **More** spreads groups out, **less** packs them "
    "tighter. Default 0.3."
)
SPREAD = (
    "Scale of the picture. **More** leaves more room between groups, **less** moves them closer. "
    "Default 1."
)
RESOLUTION = (
    "Fineness of the clusters on screen: **more** gives more, smaller clusters, **less** fewer, "
    "larger ones. Default 0.5."
)
FLAVOR = "igraph's Leiden is fast; leidenalg is the original implementation, slower."
