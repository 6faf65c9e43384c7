"""The runs that are frozen, one of each kind, and how each is computed by the public ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harmony_core import Run, Study
from harmony_core.cli import main
from tests.frozen import places
from tests.frozen.observed import INPUT, ON_DEMAND

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "counts": {
        "harmony": {"batch": ["batch"], "theta": [2.0], "max_iter": 5},
        "prepare": {"min_genes": 5, "max_mito": 2.0, "n_top_genes": 120, "n_pcs": 10},
        "label": "true_type",
    },
    "basis": {
        "harmony": {"batch": ["batch"], "theta": [3.5], "sigma": 0.15, "nclust": 8, "lamb": 1.0},
        "prepare": {"basis": "X_pca", "skip_dims": 1, "seed": 3},
        "graph": {"n_neighbors": 12},
        "label": "true_type",
    },
    "given": {
        "harmony": {"batch": ["batch"]},
        "prepare": {"basis": "X_pca"},
        "label": "true_type",
        "given": "X_tool",
    },
    "two": {
        "harmony": {"batch": ["batch", "donor"], "theta": [1.0, 3.0], "tau": 5.0, "seed": 2},
        "prepare": {
            **{"min_genes": 120, "n_top_genes": 100, "n_pcs": 8},
            **{"max_doublet": 0.3, "scale": True, "max_mito": 60.0},
        },
        "layout": {"min_dist": 0.1, "spread": 1.2},
        "clusters": {"shown": 0.8, "flavor": "leidenalg"},
        "label": "true_type",
        "condition": True,
    },
}
"""By kind: from counts, from an embedding in the file, another tool's in Harmony's place, and two
batch variables that are a condition. What is left out takes its default."""

LABELS: Mapping[str, tuple[str, bool]] = {"counts": ("as it comes", False), "two": ("both", True)}
"""What a user has written on a run, and whether it is pinned."""


def read(home: Path, kind: str, path: Path = INPUT) -> Study:
    """Take the frozen cells into a store, for a run of this kind."""
    settings = SETTINGS[kind]
    return Study.read(
        path,
        batch=settings["harmony"]["batch"],
        label=settings["label"],
        condition=settings.get("condition", False),
        home=home,
    )


def run(home: Path, kind: str, folder: Path) -> Run:
    """Compute a run with what is made on demand, and return it as `Study.correct` does.

    Parameters
    ----------
    folder
        For files that are written on the way.
    """
    settings, study = SETTINGS[kind], read(home, kind)
    params = places.params_from(dict(settings))
    if "given" in settings:
        basis, given = settings["prepare"]["basis"], settings["given"]
        arguments = ["--batch", "batch", "--label", "true_type", "--home", str(home)]
        arguments += ["--basis-before", basis, "--basis-after", given]
        arguments += ["--out", str(folder / f"{kind}.h5ad")]
        arguments += ["--report", str(folder / f"{kind}.json")]
        assert main(["diagnose", str(INPUT), *arguments]) == 0
        found = Run(places.results_of(study.dataset, params), study.input_path)
    else:
        harmony = {k: v for k, v in settings["harmony"].items() if k != "batch"}
        groups = {name: getattr(params, name) for name in ("graph", "layout", "clusters")}
        found = study.prepare(**settings["prepare"]).correct(**groups, **harmony)
    places.computed(study.dataset, params, *ON_DEMAND)
    return found


def from_elsewhere(run: Run, path: str) -> Run:
    """Return a run whose files say that the data came from another path."""
    return replace(run, input_path=path)
