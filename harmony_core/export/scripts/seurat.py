"""A run as an R script: Seurat with RunHarmony, reading the corrected h5ad.

R can't repeat a run to the bit (its k-means starts from its own random numbers), so the script says
where it differs, and can also take our embeddings as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harmony_core.export.scripts import seurat_steps as text
from harmony_core.io.writing import write_text_whole
from harmony_core.params import HarmonyParams, RunParams

SCRIPT_NAME = "harmony_seurat.R"
_SMALLEST_LAMBDA = 1e-6


def write_r_script(record: Mapping[str, Any], path: Path, *, h5ad: str = "corrected.h5ad") -> None:
    """Write a run as an R script; see `r_script`.

    Raises
    ------
    ExportError
        If the file can't be written.
    """
    write_text_whole(Path(path), r_script(record, h5ad=h5ad))


def r_script(record: Mapping[str, Any], *, h5ad: str = "corrected.h5ad") -> str:
    """Return a run as the text of an R script.

    Parameters
    ----------
    record
        From `harmony_core.export.record.record`.
    h5ad
        Where the corrected data are, as `write_h5ad` wrote them.
    """
    params = RunParams.from_dict(record["params"])
    given = params.precomputed is not None
    has_counts = record["kind"] == "counts" and params.prepare.basis is None and not given
    start = "counts" if has_counts else "pca"
    parts = [
        text.HEADER.replace("{harmony}", "" if given else '"harmony", '),
        _settings(record, params, h5ad, start="corrected" if given else start),
        *([] if given else [text.LIBRARY]),
        text.READING,
        _object(record),
        text.COUNTS if has_counts else text.NO_COUNTS,
        *([text.GIVEN] if given else [_remarks(record, params), text.HARMONY]),
        text.AFTERWARDS,
    ]
    return "\n".join(parts)


def r_literal(value: Any) -> str:
    """Return a value as R source; whatever a name holds, it stays a literal.

    Examples
    --------
    >>> r_literal(["donor", 2, None, True, 'a"b'])
    'c("donor", 2, NULL, TRUE, "a\\\\"b")'
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, Sequence):
        return f"c({', '.join(map(r_literal, value))})"
    return repr(value)


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if " " <= c <= "~":
        return c
    # R has no text with a null character.
    if c == "\0":
        return ""
    return f"\\{'u' if ord(c) < 0x10000 else 'U'}{{{ord(c):x}}}"


def _settings(record: Mapping[str, Any], params: RunParams, h5ad: str, *, start: str) -> str:
    harmony, prepare = params.harmony, params.prepare
    where = record["where"]
    values = {
        "h5ad": h5ad,
        "start": start,
        "matrix": {"raw": "raw/X", "": None}.get(where, where),
        "genes": "raw/var" if where == "raw" else "var",
        "basis": record.get("basis") or prepare.basis or "X_pca",
        "corrected": record.get("given") or params.precomputed or "X_pca_harmony",
        "batch": list(harmony.batch),
        "n_top_genes": prepare.n_top_genes,
        "scale_genes": prepare.scale,
        "n_pcs": prepare.n_pcs,
        "skip_dims": prepare.skip_dims if prepare.basis else 0,
    }
    if params.precomputed is None:
        values |= _harmony_settings(record, harmony)
    values |= {
        "n_neighbors": params.graph.n_neighbors,
        "min_dist": params.layout.min_dist,
        "spread": params.layout.spread,
        "resolution": params.clusters.shown,
        "seed": harmony.seed,
    }
    notes = {
        "h5ad": "the corrected data, with the counts of the kept cells",
        "start": '"counts", "pca" (our uncorrected embedding) or "corrected" (our corrected one)',
        "lambda": "NULL: estimated from alpha",
    }
    if params.precomputed is not None:
        notes["start"] = "Harmony is not run; the embedding below is taken as corrected"
    lines = ["# Settings of the run", ""]
    for name, value in values.items():
        note = f"  # {notes[name]}" if name in notes else ""
        lines.append(f"{name} <- {r_literal(value)}{note}")
    return "\n".join(lines) + "\n"


def _harmony_settings(record: Mapping[str, Any], harmony: HarmonyParams) -> dict[str, Any]:
    return {
        "theta": list(harmony.theta),
        "sigma": harmony.sigma,
        "nclust": record["harmony"]["nclust"],
        "lambda": None if harmony.lamb is None else max(harmony.lamb, _SMALLEST_LAMBDA),
        "max_iter": harmony.max_iter,
        "alpha": harmony.alpha,
        "tau": harmony.tau,
        "block_size": harmony.block_size,
        "max_iter_cluster": harmony.max_iter_kmeans,
        "epsilon_cluster": harmony.epsilon_cluster,
        "epsilon_harmony": harmony.epsilon_harmony,
    }


def _object(record: Mapping[str, Any]) -> str:
    if not record["where"]:
        return text.OBJECT_OF_EMBEDDING
    if record["kind"] == "counts":
        return text.OBJECT + "object <- NormalizeData(object, scale.factor = 1e4)\n"
    return (
        text.OBJECT + "# The values came normalised, so they are used as they are.\n"
        'LayerData(object, layer = "data") <- expression\n'
    )


def _remarks(record: Mapping[str, Any], params: RunParams) -> str:
    harmony = params.harmony
    lines = [
        "# Harmony",
        "#",
        f"# The run was made with harmonypy {record['versions']['harmonypy']}. "
        "harmony 2.x in R differs in these points:",
        "# * k-means starts from R's own random numbers: results agree closely, not to the bit.",
        "# * Defaults: every setting is given below, because other versions have others (R before",
        "#   2.0: lambda 1 instead of an estimate, and 20 clustering rounds instead of 4).",
        "# * Early stop: R stops early only with early_stop = TRUE, and then by epsilon.harmony;",
        "#   harmonypy always compares with epsilon_harmony.",
    ]
    if harmony.tau > 0:
        effective = "; ".join(
            f"{r_literal(list(levels))}: {r_literal([round(t, 4) for t in theta])}"
            for levels, theta in zip(
                record["harmony"]["levels"], record["harmony"]["theta_b"], strict=True
            )
        )
        lines += [
            "# * tau: R's help calls it the expected cells of a cluster; both compute theta of a",
            "#   batch as theta * (1 - exp(-(cells / (nclust * tau))^2)). In effect it was",
            f"#   {effective}",
        ]
    if harmony.lamb == 0:
        lines.append(f"# * lambda was 0, which R refuses; {_SMALLEST_LAMBDA:g} stands for it.")
    if harmony.lamb is None and harmony.alpha >= 1:
        lines.append("# * alpha: R's help expects it below 1; the run had more.")
    return "\n".join(lines) + "\n"
