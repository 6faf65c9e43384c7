"""The folders of the tools that count reads, with the same small dataset in each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite

from tests.io.formats import matrix_folder


def mtx(matrix: object) -> bytes:
    buffer = io.BytesIO()
    mmwrite(buffer, sp.coo_matrix(matrix).astype(np.int32))
    return buffer.getvalue()


def listed(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def star_solo(adata: ad.AnnData) -> dict[str, bytes]:
    return matrix_folder(adata, version=2) | {"UniqueAndMult-EM.mtx": mtx(2 * adata.X.T)}


def velocyto(adata: ad.AnnData) -> dict[str, bytes]:
    files = matrix_folder(adata, version=2)
    others = {f"{kind}.mtx": mtx(2 * adata.X.T) for kind in ("unspliced", "ambiguous")}
    return {"spliced.mtx": files.pop("matrix.mtx"), **others, **files}


def kb_python(adata: ad.AnnData, kind: str = "") -> dict[str, bytes]:
    return {
        f"cells_x_genes{kind}.mtx": mtx(adata.X),
        "cells_x_genes.barcodes.txt": listed(adata.obs_names),
        "cells_x_genes.genes.txt": listed(adata.var["gene_ids"]),
        "cells_x_genes.genes.names.txt": listed(adata.var_names),
        "10x_version3_whitelist.txt": listed(adata.obs_names),
    }


def kb_python_nac(adata: ad.AnnData) -> dict[str, bytes]:
    nascent = {"cells_x_genes.nascent.mtx": mtx(2 * adata.X)}
    return kb_python(adata, ".mature") | nascent


def kb_python_lamanno(adata: ad.AnnData) -> dict[str, bytes]:
    """As before version 0.28: spliced and unspliced reads with lists of their own."""
    files = {}
    for kind, counts in (("spliced", adata), ("unspliced", adata[:40])):
        files[f"{kind}.mtx"] = mtx(counts.X * (1 if kind == "spliced" else 3))
        files[f"{kind}.barcodes.txt"] = listed(counts.obs_names)
        files[f"{kind}.genes.txt"] = listed(adata.var_names)
    return files


def kb_python_plain(adata: ad.AnnData) -> dict[str, bytes]:
    """Of the oldest versions, whose lists have no prefix."""
    return {
        "cells_x_genes.mtx": mtx(adata.X),
        "barcodes.txt": listed(adata.obs_names),
        "genes.txt": listed(adata.var_names),
    }


def velocyto_in_columns(adata: ad.AnnData) -> dict[str, bytes]:
    """Of STARsolo before 2.7.9: spliced, unspliced and ambiguous counts in three columns."""
    counts = sp.coo_matrix(adata.X.T)
    entries = zip(counts.row + 1, counts.col + 1, counts.data.astype(int), strict=True)
    lines = [f"{gene} {cell} {n} {2 * n} 1\n" for gene, cell, n in entries]
    head = "%%MatrixMarket matrix coordinate integer general\n%\n"
    size = f"{adata.n_vars} {adata.n_obs} {counts.nnz}\n"
    return matrix_folder(adata, version=2) | {"matrix.mtx": "".join([head, size, *lines]).encode()}


def alevin_fry_by_id(adata: ad.AnnData) -> dict[str, bytes]:
    """With a table of all ids and symbols beside."""
    named = [f"{i}\t{n}" for i, n in zip(adata.var["gene_ids"], adata.var_names, strict=True)]
    table = listed([*named[::-1], "ENSG9\tOTHER"])
    ids = listed(adata.var["gene_ids"])
    return alevin_fry(adata) | {"quants_mat_cols.txt": ids, "gene_id_to_name.tsv": table}


def alevin_fry(adata: ad.AnnData) -> dict[str, bytes]:
    return {
        "quants_mat.mtx": mtx(adata.X),
        "quants_mat_rows.txt": listed(adata.obs_names),
        "quants_mat_cols.txt": listed(adata.var_names),
    }


def alevin_fry_in_three(adata: ad.AnnData) -> dict[str, bytes]:
    """Spliced, unspliced and ambiguous counts, of which the first and the last are wanted."""
    spliced = sp.csr_matrix(adata.X.toarray() // 2)
    parts = sp.hstack([spliced, 5 * adata.X, adata.X - spliced])
    genes = [f"{gene}{end}" for end in ("", "-U", "-A") for gene in adata.var_names]
    return alevin_fry(adata) | {"quants_mat.mtx": mtx(parts), "quants_mat_cols.txt": listed(genes)}


def parse(adata: ad.AnnData) -> dict[str, bytes]:
    genes = pd.DataFrame(
        {"gene_id": adata.var["gene_ids"], "gene_name": adata.var_names, "genome": "hg38"}
    )
    cells = pd.DataFrame({"bc_wells": adata.obs_names, "sample": list(adata.obs["batch"])})
    return {
        "DGE.mtx": mtx(adata.X),
        "all_genes.csv": genes.to_csv(index=False).encode(),
        "cell_metadata.csv": cells.to_csv(index=False).encode(),
    }
