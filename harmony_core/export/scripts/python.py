"""A run as one plain Python file, or as a notebook, that needs nothing of ours.

Settings and names from the user's data enter as literals only. A test runs the result in a fresh
process and compares it with the run, so the text can't drift from the chain.
"""

from __future__ import annotations

import inspect
import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmony_core.export.digest import content_digest
from harmony_core.export.rendering import render
from harmony_core.export.scripts.untyped import untyped_source
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.io.writing import write_text_whole
from harmony_core.methods import index_search, neighbors, neighbors_kernel, umap_kernel
from harmony_core.methods.hvg import SMALLEST_BATCH
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
        From `harmony_core.export.record.run_record`.
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
    return _rendered(record, notebook=False)[0]


def write_notebook(record: Mapping[str, Any], path: Path) -> None:
    """Write a run as a Jupyter notebook; see `write_python_script`."""
    write_text_whole(Path(path), json.dumps(notebook(record), indent=1) + "\n")


def notebook(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run as the content of a Jupyter notebook (nbformat 4.5)."""
    install = f"pip install {_pins(record)}"
    cells = [_markdown(f"# {_title(record)}\n\n{_PURPOSE}\n\n```\n{install}\n```")]
    for step in _rendered(record, notebook=True)[1]:
        cells += [_markdown(f"## {step.title}"), _code(step.code)]
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


def _rendered(record: Mapping[str, Any], *, notebook: bool) -> tuple[str, list[Step]]:
    """Return the script as text, and the steps that it is made of."""
    params, steps = RunParams.from_dict(record["params"]), list[Step]()

    def step(title: str, caller: Callable[[], str]) -> str:
        steps.append(Step(title, caller()))
        return f"\n# {title}\n\n{steps[-1].code}"

    script = render(
        "rerun.py",
        step=step,
        notebook=notebook,
        script_name=SCRIPT_NAME,
        title=_title(record),
        purpose=_PURPOSE,
        pinned=_pinned(record),
        pins=_pins(record),
        settings=_settings(record, params),
        panel={} if params.panel is None else panel_sets(params.panel),
        where=record["where"],
        kind=record["kind"],
        harmony=params.by_harmony,
        theta_of=params.harmony.theta_of,
        lamb_of=params.harmony.lamb_of,
        method=None if params.method is None else params.method.method,
        method_source=_method_source(params),
        basis=params.prepare.basis,
        use_dims=params.prepare.use_dims,
        max_doublet=params.prepare.max_doublet,
        flavor=params.clusters.flavor,
        has_expression=bool(record["where"]) and record["kind"] != "scaled",
        search=_search(record),
        cells_at_once=index_search.CELLS_AT_ONCE,
        smallest_batch=SMALLEST_BATCH,
        **_functions(),
    )
    return script, steps


def _functions() -> dict[str, str]:
    """Return the source of our own functions that no library has, by their names."""
    by_lists, umap = neighbors_kernel, umap_kernel
    return {
        "content_digest": inspect.getsource(content_digest),
        "search_in_parts": untyped_source(index_search.search_in_parts),
        "search_inverted_file": untyped_source(index_search.search_inverted_file),
        "search_by_lists": untyped_source(
            *(by_lists.squared_distance, by_lists.note_below, by_lists.smallest_first),
            *(by_lists.write_nearest, by_lists.points_of_lists, by_lists.search_blocks),
            *(by_lists.sorted_by_list, by_lists.lists_to_search, by_lists.search_by_lists),
        ),
        "optimise": untyped_source(umap.one_epoch, umap.forces, umap.optimise),
    }


def _search(record: Mapping[str, Any]) -> neighbors.SearchName:
    return neighbors.search_for(record["prepared"]["cells_kept"])


def _title(record: Mapping[str, Any]) -> str:
    method = RunParams.from_dict(record["params"]).method
    if method is not None:
        return f"One run of {method.method.title}"
    return "One Harmony run" if record["harmony"] else "Another tool's correction, laid out again"


_PURPOSE = (
    "It repeats one run of Harmony Explorer from the user's own file with public libraries only. "
    "With the versions below, the corrected embedding is the same to the last bit, and so are the "
    "clusters."
)


def _pinned(record: Mapping[str, Any]) -> dict[str, str]:
    unused = {"harmony-explorer"}
    if record["harmony"] is None:
        unused.add("harmonypy")
    method = record.get("method", {}).get("versions", {})
    # Where the method had other versions of what we use too, one environment can't have both.
    versions = {k: v for k, v in method.items() if k != "python"} | record["versions"]
    return {k: v for k, v in sorted(versions.items()) if k not in unused}


def _pins(record: Mapping[str, Any]) -> str:
    return " ".join(f"{name}=={version}" for name, version in _pinned(record).items())


def _settings(record: Mapping[str, Any], params: RunParams) -> dict[str, Any]:
    harmony, prepare = params.harmony, params.prepare
    by_file = _search(record) == "inverted file"
    probes = neighbors.PROBES_OF_FILE if by_file else neighbors.PROBES
    label = params.label if params.panel is None else None  # else it is none of the file's columns
    columns = [*harmony.batch, *([label] if label else [])]
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
        if prepare.use_dims is not None:
            values["USE_DIMS"] = prepare.use_dims
    values["CORRECTED"] = params.corrected_name
    if params.by_harmony:
        values |= _harmony_settings(record, harmony)
    if params.method is not None:
        values["BATCHES"] = list(harmony.batch)
        values["LEVELS"] = record["method"]["levels"]
        values["METHOD"] = params.method.values
        if params.method.method.needs != "embedding":
            values["SYMBOLS"] = record["symbol_column"]
    values |= {
        "N_NEIGHBORS": params.graph.n_neighbors,
        "WIDTH": WIDTH,
        "NEIGHBORS_SEED": prepare.seed,
        "PROBES": probes,
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
    return values


def _method_source(params: RunParams) -> str:
    """Return what calls a method's library: the very script that did in the run."""
    if params.method is None:
        return ""
    return untyped_source(runpy.run_path(str(params.method.method.child))["correct"])


def _harmony_settings(record: Mapping[str, Any], harmony: HarmonyParams) -> dict[str, Any]:
    settings = {
        "theta": [theta / harmony.theta_divisor for theta in harmony.theta],
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
    written = harmony.to_dict()  # which leaves out what came later, at its default
    if "batch_prop_cutoff" in written:
        settings["batch_prop_cutoff"] = harmony.batch_prop_cutoff
    if harmony.sigma_of:
        settings["sigma"] = list(harmony.sigma_of)
    levels = dict(zip(harmony.batch, record["harmony"]["levels"], strict=True))
    theta_of = tuple((v, b, theta / harmony.theta_divisor) for v, b, theta in harmony.theta_of)
    of_batches = {"THETA_OF": theta_of, "LAMBDA_OF": harmony.lamb_of}
    return {
        "BATCHES": levels,
        "HARMONY": settings,
        **{name: [list(row) for row in rows] for name, rows in of_batches.items() if rows},
    }
