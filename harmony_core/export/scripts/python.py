"""A run as one plain Python file, or as a notebook, that needs nothing of ours.

Settings and names from the user's data enter as literals only. A test runs the result in a fresh
process and compares it with the run, so the text can't drift from the chain.
"""

from __future__ import annotations

import inspect
import json
import pprint
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmony_core.export.content import content_digest
from harmony_core.export.scripts import python_steps as text
from harmony_core.io.writing import write_text_whole
from harmony_core.methods.neighbors import PROBES
from harmony_core.methods.umap import (
    EPOCHS_FROM_LAYOUT,
    EPOCHS_FROM_SCRATCH,
    RATE_FROM_LAYOUT,
    RATE_FROM_SCRATCH,
)
from harmony_core.params import HarmonyParams, RunParams
from harmony_core.runs.stages.neighbors import WIDTH

SCRIPT_NAME = "harmony_rerun.py"
NOTEBOOK_NAME = "harmony_rerun.ipynb"


@dataclass(frozen=True)
class Step:
    """A piece of the script, and a cell of the notebook."""

    title: str
    code: str


def write_python_script(record: Mapping[str, Any], path: Path) -> None:
    """Write a run as a Python script.

    Parameters
    ----------
    record
        From `harmony_core.export.record.record`.
    path
        The file wanted.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    write_text_whole(Path(path), python_script(record))


def python_script(record: Mapping[str, Any]) -> str:
    """Return a run as the text of a Python script."""
    parts = [_header(record)]
    for step in _steps(record, text.ARGUMENTS):
        parts.append(f"# {step.title}\n\n{step.code}")
    return "\n\n".join(parts)


def write_notebook(record: Mapping[str, Any], path: Path) -> None:
    """Write a run as a Jupyter notebook; see `write_python_script`."""
    write_text_whole(Path(path), json.dumps(notebook(record), indent=1) + "\n")


def notebook(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as the content of a Jupyter notebook (nbformat 4.5)."""
    about = f"# {_title(record)}\n\n{_PURPOSE}\n\n{_install(record)}"
    cells = [_markdown(about)]
    for step in _steps(record, text.NO_ARGUMENTS):
        cells += [_markdown(f"## {step.title}"), _code(step.code)]
    cells += [_markdown("## Before and after"), _code(text.PLOT)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _markdown(content: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": content}


def _code(content: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": content.rstrip("\n"),
    }


def _steps(record: Mapping[str, Any], arguments: str) -> list[Step]:
    params = RunParams.from_dict(record["params"])
    where, kind = record["where"], record["kind"]
    digest = inspect.getsource(content_digest) + "\n\n"
    has_expression = bool(where) and kind != "scaled"
    harmonypy = "import harmonypy\n"
    imports = text.IMPORTS if params.precomputed is None else text.IMPORTS.replace(harmonypy, "")
    steps = [
        Step("Libraries", imports),
        Step("Settings of the run", _settings(record, params)),
        Step(
            "The data, checked to be the same",
            digest + arguments + text.read(where),
        ),
    ]
    if params.prepare.basis is None:
        if kind == "counts":
            doublets = "" if params.prepare.max_doublet is None else text.DOUBLETS
            steps.append(Step("Quality control", text.QUALITY + doublets + text.KEPT_GENES))
        steps.append(Step("Normalisation", text.normalisation(kind, filtered=True)))
        steps.append(Step("Variable genes and principal components", text.PCA))
    else:
        steps.append(Step("The embedding to correct", text.BASIS))
        if has_expression:
            steps.append(Step("Normalisation", text.normalisation(kind, filtered=False)))
    if params.precomputed is None:
        steps.append(Step("Harmony", text.HARMONY))
    else:
        steps.append(Step("The corrected embedding, by another tool", text.GIVEN))
    steps.append(Step("Neighbours", text.neighbours_step(record["prepared"]["cells_kept"])))
    steps.append(
        Step("Clusters", text.IGRAPH if params.clusters.flavor == "igraph" else text.LEIDENALG)
    )
    steps.append(Step("Pictures", text.layout_step()))
    if has_expression:
        steps.append(Step("Marker genes of the clusters", text.MARKERS))
    steps.append(Step("The result", text.WRITE))
    return steps


def _title(record: Mapping[str, Any]) -> str:
    return "One Harmony run" if record["harmony"] else "Another tool's correction, laid out again"


_PURPOSE = (
    "It repeats one run of Harmony Explorer from the user's own file with public libraries only. "
    "With the versions below, the corrected embedding is the same to the last bit, and so are the "
    "clusters."
)


def _header(record: Mapping[str, Any]) -> str:
    pins = ",\n".join(f'#   "{name}=={version}"' for name, version in _pinned(record).items())
    return f'''# /// script
# requires-python = ">=3.11"
# dependencies = [
{pins},
# ]
# ///
"""{_title(record)}.

{textwrap.fill(_PURPOSE, 96)}

    python {SCRIPT_NAME} [INPUT.h5ad] [--any-data]

It writes rerun.h5ad where it is run. Data that differ from those of the run are refused, unless
--any-data is given.
"""'''


def _install(record: Mapping[str, Any]) -> str:
    pins = " ".join(f"{name}=={version}" for name, version in _pinned(record).items())
    return f"```\npip install {pins}\n```"


def _pinned(record: Mapping[str, Any]) -> dict[str, str]:
    unused = {"harmony-explorer"}
    if record["harmony"] is None:
        unused.add("harmonypy")
    return {k: v for k, v in sorted(record["versions"].items()) if k not in unused}


def _settings(record: Mapping[str, Any], params: RunParams) -> str:
    harmony, prepare = params.harmony, params.prepare
    columns = [*harmony.batch, *([params.label] if params.label else [])]
    values: dict[str, Any] = {
        "INPUT": record["input"],
        "NAME": record["name"],
        "DIGEST": record["digest"],
        "VERSIONS": _pinned(record),
        "EXPRESSION": record["where"],
        "COLUMNS": columns,
        "BATCH": harmony.batch[0],
        "EMBEDDINGS": [name for name in (prepare.basis, params.precomputed) if name is not None],
        "BASIS": prepare.basis,
    }
    if prepare.basis is None:
        values["SYMBOLS"] = record["symbol_column"]
        names = ("min_genes", "max_genes", "max_mito", "min_cells", "n_top_genes", "scale", "n_pcs")
        values |= {name.upper(): getattr(prepare, name) for name in names}
        if prepare.max_doublet is not None:
            values["MAX_DOUBLET"] = prepare.max_doublet
        values["PREPARE_SEED"] = prepare.seed
    else:
        values["SKIP_DIMS"] = prepare.skip_dims
    values["CORRECTED"] = params.precomputed or "X_pca_harmony"
    if params.precomputed is None:
        values |= _harmony_settings(record, harmony)
    values |= {
        "N_NEIGHBORS": params.graph.n_neighbors,
        "WIDTH": WIDTH,
        "NEIGHBORS_SEED": prepare.seed,
        "PROBES": PROBES,
        "MIN_DIST": params.layout.min_dist,
        "SPREAD": params.layout.spread,
        "EPOCHS_FROM_SCRATCH": EPOCHS_FROM_SCRATCH,
        "EPOCHS_FROM_LAYOUT": EPOCHS_FROM_LAYOUT,
        "RATE_FROM_SCRATCH": RATE_FROM_SCRATCH,
        "RATE_FROM_LAYOUT": RATE_FROM_LAYOUT,
        "LAYOUT_SEED": params.layout.seed,
        "RESOLUTIONS": list(params.clusters.resolutions),
        "SHOWN": params.clusters.shown,
        "LEIDEN_SEED": params.clusters.seed,
    }
    return "".join(f"{k} = {_literal(v)}\n" for k, v in values.items())


def _harmony_settings(record: Mapping[str, Any], harmony: HarmonyParams) -> dict[str, Any]:
    settings = {
        "theta": list(harmony.theta),
        "sigma": harmony.sigma,
        "nclust": record["harmony"]["nclust"],
        "max_iter_harmony": harmony.max_iter,
        "tau": harmony.tau,
        "alpha": harmony.alpha,
        "lamb": harmony.lamb,
        "block_size": harmony.block_size,
        "max_iter_kmeans": harmony.max_iter_kmeans,
        "epsilon_cluster": harmony.epsilon_cluster,
        "epsilon_harmony": harmony.epsilon_harmony,
        "random_state": harmony.seed,
    }
    levels = dict(zip(harmony.batch, record["harmony"]["levels"], strict=True))
    return {"BATCHES": levels, "HARMONY": settings}


def _literal(value: Any) -> str:
    """Return a value as Python source; whatever a name holds, it stays a literal."""
    return pprint.pformat(value, width=96, sort_dicts=False, compact=True)
