"""Each method equals its own library called bare; skipped where the library is not installed.

The bare call runs in the methods' environment too, as it need not be ours.
"""

from __future__ import annotations

import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from harmony_core.method_catalog import METHODS, Method
from harmony_core.methods.integration.environment import install_line, installed, interpreter
from harmony_core.params import MethodParams
from harmony_core.runs.pipeline import Pipeline
from harmony_core.store import Dataset
from tests.conftest import SMALL

BARE = {
    "mnn": """
        import scranpy
        found = scranpy.correct_mnn(x.T.astype(float), list(batch), num_neighbors=10)
        np.save("after.npy", found["corrected"].T)
    """,
    "scanorama": """
        import scanorama
        parts = [log1p[batch == level] for level in ("A", "B")]
        found, _ = scanorama.integrate(parts, [genes, genes], knn=10, dimred=20)
        after = np.empty((len(batch), 20))
        for level, part in zip(("A", "B"), found):
            after[batch == level] = part
        np.save("after.npy", after)
    """,
    "bbknn": """
        import bbknn.matrix
        _, graph, _ = bbknn.matrix.bbknn(x, batch, neighbors_within_batch=4)
        np.save("after.npy", graph.toarray())
    """,
    "brisc": """
        import polars as pl
        from brisc import SingleCell
        obs = pl.DataFrame({"cell": [f"c{i}" for i in range(len(batch))], "batch": list(batch)})
        cells = SingleCell(X=sp.csr_array(log1p), obs=obs, var=pl.DataFrame({"gene": list(genes)}),
                           obsm={"pca": np.ascontiguousarray(x, dtype=np.float32)})
        done = cells.harmonize(QC_column=None, batch_column="batch", theta=1)
        np.save("after.npy", done.obsm["harmony"])
    """,
    "scvi": """
        import anndata, pandas as pd, scvi
        scvi.settings.seed = 0
        data = anndata.AnnData(counts, obs=pd.DataFrame({"batch": batch}))
        scvi.model.SCVI.setup_anndata(data, batch_key="batch")
        model = scvi.model.SCVI(data, n_latent=5)
        model.train(max_epochs=3, accelerator="cpu", early_stopping=True,
                    enable_progress_bar=False)
        np.save("after.npy", model.get_latent_representation())
    """,
}
SETTINGS = {
    "mnn": ("num_neighbors=10",),
    "scanorama": ("knn=10", "dimred=20"),
    "bbknn": ("neighbors_within_batch=4",),
    "brisc": ("theta=1",),
    "scvi": ("max_epochs=3", "n_latent=5"),
}
TOLERANCE = {"mnn": 0.0, "scanorama": 1e-5, "bbknn": 0.0, "brisc": 0.0, "scvi": 1e-4}
"""Relative to the largest value; sums within a library depend on how its arrays lie in memory."""


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_it_equals_its_library_called_bare(
    method: Method, dataset: Dataset, tmp_path: Path
) -> None:
    if installed(method) is None:
        pytest.skip(f"{method.library} is not installed; {install_line(method)}")
    words = [method.name, *SETTINGS[method.name]]
    params = replace(SMALL, method=MethodParams.from_words(words))
    pipeline = Pipeline(dataset, params)
    pipeline.run("correct")
    context = pipeline.context
    np.save(tmp_path / "x.npy", context.embedding("before"))
    np.save(tmp_path / "batch.npy", context.column("batch").astype(str))
    expression, genes = context.variable_genes
    sp.save_npz(tmp_path / "log1p.npz", sp.csr_matrix(expression))
    np.save(tmp_path / "genes.npy", np.array(genes, dtype=str))
    kept, places = context.cells, [dataset.symbols.tolist().index(gene) for gene in genes]
    whole = dataset.matrix
    assert whole is not None
    counts = sp.csc_matrix(
        (whole["data"], whole["indices"], whole["indptr"]),
        shape=(dataset.n_cells, len(dataset.symbols)),
    )
    sp.save_npz(tmp_path / "counts.npz", sp.csr_matrix(counts[:, places][kept], dtype=np.float32))
    (tmp_path / "bare.py").write_text(
        "import numpy as np, scipy.sparse as sp\n"
        "x, batch, genes = (np.load(f'{n}.npy') for n in ('x', 'batch', 'genes'))\n"
        "log1p, counts = sp.load_npz('log1p.npz').tocsr(), sp.load_npz('counts.npz').tocsr()\n"
        + textwrap.dedent(BARE[method.name])
    )
    command = [interpreter(), "-I", "bare.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bare = np.load(tmp_path / "after.npy").astype(np.float32)
    if method.gives == "graph":
        ours = context.graph("after").toarray()
    else:
        ours = context.embedding("after")
    most = TOLERANCE[method.name] * np.abs(bare).max()
    print(method.name, installed(method), "differs by", np.abs(ours - bare).max(), "of", most)
    np.testing.assert_allclose(ours, bare, rtol=0, atol=most)
