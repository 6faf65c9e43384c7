"""How far do labels from marker genes agree with those of the data's authors?

    python benchmarks/marker_labels.py FOLDER                   sets of blood to choose rules on
    python benchmarks/marker_labels.py FOLDER --sets held_out   once, when no rule changes any more

FOLDER and the options for columns are those of real_cells.py. For each set of human blood the
table has the cells whose author label has a counterpart in the panel, the fraction of them that our
labels are sure of, and the fraction of these with the author's type. Beside it stands scanpy's
``score_genes`` over the same panel in the same log-normalised values, where the best score decides:
its agreement on the very cells that ours are sure of, and on all.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from real_cells import column_of_set
from real_designs import RealSet, is_blood, log_expression, real_sets, words

from harmony_core import Study
from harmony_core.inspect.gene_sets import BLOOD, BLOOD_PANEL, readable_symbols
from harmony_core.params import MARKER_LABEL

if TYPE_CHECKING:
    import anndata as ad

Labels = NDArray[np.str_]

TYPE_OF = {
    "plasmacytoid|pdc": "Plasmacytoid dendritic cells",
    "cd16|non-classical": "CD16 monocytes",
    "cd14$|cd14 mono|classical": "CD14 monocytes",
    r"\bdc\b|dendritic|cd1c|cd141": "Dendritic cells",
    r"\bmk\b|platelet|megakaryocyte": "Platelets",
    r"\bhsc|progenitor": "Stem and progenitor cells",
    r"\bnk\b": "NK cells",
    r"\bb\b": "B cells",
    r"\bt\b|\bcd4|\bcd8": "T cells",
}
"""Types of the panel by what an author's label for them holds; the first that fits counts."""


def main() -> None:
    options = _options()
    sets = real_sets(
        options.folder,
        side=options.sets,
        batch_columns=dict(options.batch),
        label_columns=dict(options.label),
    )
    print(f"{'set':28} {'cells':>7} {'sure':>6} {'right':>6} {'peer, same':>11} {'peer, all':>10}")
    for one in sets:
        if is_blood(one.name):
            cells, *fractions = agreement(one)
            sure, right, same, every = fractions
            print(f"{one.name:28} {cells:7,} {sure:6.3f} {right:6.3f} {same:11.3f} {every:10.3f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with labelled h5ad files")
    parser.add_argument("--sets", choices=("choosing", "held_out"), default="choosing")
    for option in ("--batch", "--label"):
        parser.add_argument(
            option, action="append", default=[], type=column_of_set, metavar="NAME=COLUMN"
        )
    return parser.parse_args()


def agreement(source: RealSet) -> tuple[int, float, float, float, float]:
    """Compare labels of a data set with its author's.

    Returns
    -------
    Cells with a counterpart in the panel; of these the fraction that is sure, the fraction of
    sure ones that agrees, and that of the peer on the sure ones and on all.
    """
    data = source.read()
    with tempfile.TemporaryDirectory() as home:
        study = Study.read(data, batch=source.batch, panel=BLOOD_PANEL, home=home)
        results = study.correct(max_iter=1).results
        made, cells = words(results.obs[MARKER_LABEL]), np.asarray(results.cells)
    truth = np.array([counterpart(name) for name in words(data.obs[source.label])])[cells]
    peer, known = scored_best(data)[cells], truth != ""
    sure = known & (made != "unsure")
    return (
        int(known.sum()),
        float(sure.sum() / known.sum()),
        float((made == truth)[sure].mean()),
        float((peer == truth)[sure].mean()),
        float((peer == truth)[known].mean()),
    )


def counterpart(label: str) -> str:
    """Return the panel's type that an author's label stands for; empty if there is none."""
    name = label.lower().replace("_", " ")
    return next((kind for pattern, kind in TYPE_OF.items() if re.search(pattern, name)), "")


def scored_best(data: ad.AnnData) -> Labels:
    """Return the type whose genes scanpy scores best in each cell."""
    import anndata as ad
    import scanpy as sc

    scored = ad.AnnData(log_expression(data))
    scored.var_names = readable_symbols([str(name) for name in data.var_names])
    scored.var_names_make_unique()
    types = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # genes of the panel that the data lack
        for name, genes in BLOOD.items():
            here = [gene for gene in genes if gene in scored.var_names]
            if len(here) >= 2:
                sc.tl.score_genes(scored, here, score_name=name, random_state=0)
                types.append(name)
    return np.array(types)[scored.obs[types].to_numpy().argmax(axis=1)]


if __name__ == "__main__":
    main()
