"""Take data into the store: check them, choose the matrix, write what pages and stages read."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harmony_core.categories import as_levels, mixes_text
from harmony_core.errors import BatchError, HarmonyExplorerError
from harmony_core.inspect.check import DataSummary, ValueKind, check, check_batch, expression
from harmony_core.inspect.columns import quoted
from harmony_core.inspect.comparable import check_same_kind
from harmony_core.inspect.depth import depth_of, suggested_thresholds
from harmony_core.inspect.embeddings import embedding_values
from harmony_core.inspect.genes import mitochondrial
from harmony_core.inspect.own_results import read_record
from harmony_core.io.plain import make_plain, plain_copy
from harmony_core.io.read import open_dataset
from harmony_core.io.request import LoadRequest
from harmony_core.matrices.by_gene import write_by_gene
from harmony_core.params import PrepareParams, RunParams
from harmony_core.store.dataset import Dataset
from harmony_core.store.examples import key_of
from harmony_core.store.files import save_arrays
from harmony_core.store.fingerprint import fingerprint as digest_of
from harmony_core.store.info import DatasetInfo, ExpressionKind, Reading, StartSettings
from harmony_core.store.store import Store

if TYPE_CHECKING:
    from anndata import AnnData

_KINDS: Mapping[ValueKind, ExpressionKind] = {
    ValueKind.COUNTS: "counts",
    ValueKind.FRACTIONAL_COUNTS: "counts",
    ValueKind.NORMALISED: "normalised",
    ValueKind.LOG: "log",
    ValueKind.SCALED: "scaled",
    ValueKind.BELOW_ZERO: "scaled",
    ValueKind.MIXED: "mixed",
}


def ingest_file(store: Store, path: Path, *, name: str) -> Dataset:
    """Read a file into the store; see `ingest_request`."""
    request = replace(LoadRequest.of_path(Path(path)), names=(name,))
    return ingest_request(store, request)


def ingest_request(
    store: Store, request: LoadRequest, report: Callable[[str, float], None] | None = None
) -> Dataset:
    """Read files into the store; data that are there already are not written again.

    Parameters
    ----------
    request
        The files, and how to read them.
    report
        Hears of the steps of `harmony_core.runs.plan.LOADING`; cancels by raising.

    Raises
    ------
    FileError, DataError
        If they cannot be read or used; nothing is left in the store then.
    """
    report = report or (lambda step, share: None)
    report("read", 0.0)
    paths = [Path(path) for path in request.paths]
    with open_dataset(request, scratch=store.datasets_folder) as data:
        return ingest(
            store,
            data.adata,
            name=request.name,
            source=paths[0] if data.format == "h5ad" else None,
            notes=data.notes,
            reading=Reading(
                format=data.format,
                inputs=() if request.is_upload or request.sketch_of else tuple(map(str, paths)),
                sketch_of=request.sketch_of,
                modalities=tuple(data.modalities),
                choices=dict(data.choices),
            ),
            report=report,
        )


def ingest(
    store: Store,
    adata: AnnData,
    *,
    name: str,
    source: Path | None = None,
    suggested: StartSettings | None = None,
    notes: Iterable[str] = (),
    reading: Reading | None = None,
    report: Callable[[str, float], None] | None = None,
) -> Dataset:
    """Take data into the store.

    Parameters
    ----------
    adata
        The data.
    name
        What pages call them.
    source
        The h5ad they were read from, which is copied as it is; without one the data are written.
    suggested
        Settings to begin with, where they are known; otherwise the likeliest columns are taken.
    notes
        What was noticed while reading.
    reading
        How they were read.
    report
        As in `ingest_request`.

    Raises
    ------
    DataError
        If the data can't be used.
    """
    report, notes = report or (lambda step, share: None), tuple(notes)
    report("check", 0.0)
    if source is None:
        adata = _in_memory(adata)
        notes = (*notes, *make_plain(adata))
        _make_writable(adata)
    recognised = check(adata)
    obs = _readable(adata.obs)
    obs.index = pd.Index(_unique(adata.obs_names))
    embeddings = {
        e.name: embedding_values(adata.obsm[e.name]).astype(np.float32)
        for e in sorted(recognised.embeddings, key=lambda e: e.is_layout)
    }
    report("check", 0.5)
    suggested = suggested or _suggested(adata, recognised)
    fingerprint = digest_of(adata)
    with store.new_dataset(fingerprint) as folder:
        if folder is not None:
            report("keep", 0.0)
            if source is None:
                notes = (*notes, *_write(adata, folder / "source.h5ad"))
            else:
                shutil.copyfile(source, folder / "source.h5ad")
            report("keep", 0.5)
            obs.to_parquet(folder / "obs.parquet")
            if recognised.expression is not None:
                matrix, var = expression(adata, recognised.expression.where)
                symbols, gene_ids = _genes(var, recognised)
                table = pd.DataFrame({"symbol": symbols}, index=pd.Index(gene_ids, dtype=str))
                table.to_parquet(folder / "var.parquet")
                write_by_gene(folder / "matrix", matrix)
            arrays = {str(i): e for i, e in enumerate(embeddings.values())}
            save_arrays(folder / "embeddings", arrays)
            info = _info(
                recognised,
                name=name,
                notes=notes,
                suggested=suggested,
                reading=reading or Reading(),
                run=_run_inside(adata, list(embeddings)),
            )
            info.write(folder)  # last: a folder without it is not a dataset
    dataset = store.dataset(fingerprint)
    if key_of(fingerprint) is None:
        dataset.describe(
            name=name,
            warnings=(*notes, *recognised.warnings),
            suggested=suggested,
            reading=reading or Reading(),
        )
    return dataset


def _info(
    recognised: DataSummary,
    *,
    name: str,
    notes: Iterable[str],
    suggested: StartSettings,
    reading: Reading,
    run: RunParams | None,
) -> DatasetInfo:
    """Return what ``dataset.json`` is to say; embeddings to start from come first."""
    used = recognised.expression
    embeddings = [e for e in recognised.embeddings if not e.is_layout]
    usable = [e for e in embeddings if e.n_bad == 0 and not e.is_corrected]
    return DatasetInfo(
        name=name,
        n_cells=recognised.n_cells,
        n_genes=recognised.n_genes,
        kind="none" if used is None else _KINDS[used.kind],
        where="" if used is None else used.where,
        matrices={m.where: m.kind.value for m in recognised.matrices},
        mixed_kinds=_mixed_kinds(recognised),
        organism=recognised.organism,
        n_mito=recognised.n_mito,
        symbol_column=recognised.symbol_column,
        embeddings=tuple(e.name for e in embeddings),
        layouts=tuple(e.name for e in recognised.embeddings if e.is_layout),
        embedding_facts={e.name: e for e in embeddings},
        uncorrected=tuple(e.name for e in sorted(usable, key=lambda e: e.preference)),
        warnings=(*notes, *recognised.warnings),
        suggested=suggested,
        candidates=recognised.batch_candidates,
        labels=tuple(recognised.label_candidates),
        reading=reading,
        run=run,
        own_columns=recognised.own_columns,
        left_out=recognised.left_out,
    )


def _mixed_kinds(recognised: DataSummary) -> dict[str, str]:
    """Return by column why its levels can't be corrected together, where they hold two kinds."""
    mixed: dict[str, str] = {}
    by_column = {} if recognised.expression is None else recognised.expression.kinds_by_column
    telling = {c: k for c, k in by_column.items() if ValueKind.MIXED not in k.values()}
    for column in by_column:
        # Batches that hold a mixture are named by the column whose batches don't.
        blamed = column if column in telling else next(iter(telling), column)
        try:
            check_same_kind(dict(by_column[blamed]), blamed)
        except BatchError as error:
            mixed[column] = str(error)
    return mixed


def _genes(var: pd.DataFrame, report: DataSummary) -> tuple[list[str], list[str]]:
    """Return symbols, made unique, and ids."""
    named = var[report.symbol_column] if report.symbol_column else var.index
    ids = [str(i) for i in var.index]
    symbols = [str(s) if pd.notna(s) and str(s) else i for s, i in zip(named, ids, strict=True)]
    return _unique(symbols), ids


def _in_memory(adata: AnnData) -> AnnData:
    """Return a copy of the data in memory; what their caller has stays as it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # `check` says so
        return adata.to_memory() if adata.isbacked else plain_copy(adata)


def _make_writable(adata: AnnData) -> None:
    """Give the data tables that an h5ad can hold: one kind of value a column, names of text."""
    for table in ("obs", "var"):
        frame = getattr(adata, table)
        clean = _readable(frame)
        clean.columns = _column_names(clean)
        own_name = isinstance(frame.index.name, str) and frame.index.name not in clean.columns
        clean.index = pd.Index(frame.index.astype(str)).rename(
            frame.index.name if own_name else None
        )
        setattr(adata, table, clean)
    for part in ("obsm", "varm", "layers", "obsp", "varp"):
        members = getattr(adata, part)
        for key in list(members):
            values = members[key]
            if isinstance(values, pd.DataFrame):
                members[key] = values.set_axis(_column_names(values), axis=1)
            if not isinstance(key, str):
                members[_unique([*members, str(key)])[-1]] = members.pop(key)


def _column_names(table: pd.DataFrame) -> pd.Index:
    """Return names of columns that an h5ad can hold: text without slashes, and none of its own."""
    names = (str(name).replace("/", "|").strip() or "unnamed" for name in table.columns)
    return pd.Index(_unique("index" if name == "_index" else name for name in names))


def _write(adata: AnnData, path: Path) -> list[str]:
    """Write data from memory, and return in sentences which parts of ``uns`` no file can hold."""
    import h5py
    from anndata.io import write_elem

    left_out = []
    for key in list(adata.uns):
        with h5py.File("trial", "w", driver="core", backing_store=False) as trial:
            try:
                write_elem(trial, f"uns/{key}", adata.uns[key])
            except Exception:  # anndata raises many kinds on what it has no form for
                del adata.uns[key]
                left_out.append(f"{quoted(f'uns/{key}')} is left out: no file can hold it.")
    adata.write_h5ad(path, compression="gzip")
    return left_out


def _unique(names: Iterable[Any]) -> list[str]:
    """Return names as text, repeated ones with a number added."""
    from anndata.utils import make_index_unique

    index = pd.Index([str(n) for n in names], dtype=object)
    return [str(n) for n in (index if index.is_unique else make_index_unique(index))]


def _readable(obs: pd.DataFrame) -> pd.DataFrame:
    """Return obs with every column in a form that parquet keeps."""
    columns: dict[str, Any] = {}
    for position, name in enumerate(obs.columns):
        values = obs.iloc[:, position]
        if isinstance(values.dtype, pd.CategoricalDtype) or mixes_text(values):
            columns[str(name)] = as_levels(values)
        elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            columns[str(name)] = values.to_numpy()
        else:
            columns[str(name)] = values.astype("string").astype("category").array
    return pd.DataFrame(columns, index=range(len(obs)))


def _suggested(adata: AnnData, report: DataSummary) -> StartSettings:
    first = next((c for c in report.batch_candidates if not c.is_label), None)
    labels = [c for c in report.label_candidates if first is None or c != first.name]
    prepare = PrepareParams()
    if report.counts is not None:
        counts, var = expression(adata, report.counts.where)
        is_mito = mitochondrial(pd.Series(_genes(var, report)[0], dtype=str))
        prepare = suggested_thresholds(depth_of(counts, is_mito), report.n_genes)
    return StartSettings(
        batch=() if first is None else (first.name,),
        label=labels[0] if labels else None,
        condition=first is not None and first.is_condition,
        prepare=prepare,
    )


def _run_inside(adata: AnnData, embeddings: list[str]) -> RunParams | None:
    """Return the settings of the run in a file that we wrote, to be taken up from its embedding."""
    try:
        written = read_record(adata.uns) or {}
        params = RunParams.from_dict(written["params"])
        for name in params.harmony.batch:
            check_batch(adata.obs[name], name, adata.n_obs)
        # Other names may have been taken, so the record says where the embedding is.
        if params.method is not None and not params.prepare.basis:
            # It may need the expression, and what passed quality control passes it again.
            return replace(params, prepare=replace(params.prepare, max_doublet=None))
        basis = written.get("basis") or params.prepare.basis or "X_pca"
        precomputed = written.get("given") or params.precomputed
        if not {basis, precomputed or basis} <= set(embeddings):
            return None
        prepare = replace(params.prepare, basis=basis)
        return replace(params, prepare=prepare, precomputed=precomputed)
    except (ValueError, KeyError, TypeError, AttributeError, HarmonyExplorerError):
        return None
