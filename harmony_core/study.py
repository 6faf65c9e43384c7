"""A dataset and its runs from Python: in a few lines what the pages show.

In a notebook::

    from harmony_core import Study

    study = Study.read("pbmc.h5ad", batch="donor", label="cell_type")
    run = study.correct(theta=1)
    run

shows the run's verdict with its evidence, the layouts before and after, marker genes and numbers.
Results are kept in the same store as the dashboard's, so nothing is computed twice.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.categories import Factor
from harmony_core.errors import DataError, ParameterError
from harmony_core.export.formats import export_format
from harmony_core.export.h5ad import write_zarr
from harmony_core.export.job import ExportJob
from harmony_core.export.tables import advice_table, metrics_table, risk_table, run_tables
from harmony_core.inspect.check import check_embedding
from harmony_core.inspect.columns import check_label, check_present
from harmony_core.inspect.embeddings import embedding_values
from harmony_core.inspect.gene_sets import GeneSets, panel_text
from harmony_core.io.request import READING, LoadRequest
from harmony_core.methods.harmony_releases import of_release
from harmony_core.params import (
    ClusterParams,
    GraphParams,
    HarmonyParams,
    LayoutParams,
    MethodParams,
    PrepareParams,
    RunParams,
    named_preparation,
)
from harmony_core.runs.concordance import Concordance, computed_concordance
from harmony_core.runs.design import design_of_run
from harmony_core.runs.history import side_names, suggestion_of
from harmony_core.runs.method_comparison import run_names
from harmony_core.runs.notes import notes_on_preparation, notes_on_run, notes_on_start
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import SIDES
from harmony_core.runs.release_pair import ReleasePair, computed_pair
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import estimate
from harmony_core.runs.tried_advice import advice_outcomes, untried
from harmony_core.store import Dataset, Store
from harmony_core.verdict.grid import grid
from harmony_core.verdict.risk import with_thetas
from harmony_core.verdict.suggest import Suggestion
from harmony_core.verdict.verdict import Verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from anndata import AnnData

    from harmony_core.design.confounding import Finding
    from harmony_core.runs.method_comparison import MethodComparison
    from harmony_core.verdict.assessment import Assessment

_FORMAT_OF = {
    **{".zarr": "zarr", ".h5ad": "h5ad", ".html": "report"},
    **{".py": "python", ".ipynb": "notebook", ".r": "r"},
    **{".toml": "settings", ".json": "settings"},
    **{".png": "evaluation", ".svg": "evaluation", ".pdf": "evaluation"},
}


@dataclass(frozen=True)
class Study:
    """A dataset with the columns that say what to correct, and how it is prepared.

    Make one by `Study.read`. The examples use simulated cells:

    >>> from harmony_core.simulate.cells import Scenario, simulate, to_anndata
    >>> cells = to_anndata(simulate(Scenario(name="demo", n_cells=400, n_genes=300), seed=1))
    >>> study = Study.read(cells, batch="batch", label="true_type")
    >>> study.dataset.n_cells
    400

    Attributes
    ----------
    dataset
        The data in the store.
    batch
        Batch variables, columns of obs.
    label
        Column of known cell types, for the assessment.
    condition
        The batch variable is a treatment, a disease or another biological condition.
    prepared
        Settings of quality control, normalisation, variable genes and PCA.
    input_path
        Where the data came from, for the files that say it.
    panel
        Marker genes to make labels from where there is no label column: ``"blood"``, or a line a
        cell type as in ``RunParams.panel``.
    """

    dataset: Dataset
    batch: tuple[str, ...]
    label: str | None = None
    condition: bool = False
    prepared: PrepareParams = field(default_factory=PrepareParams)
    input_path: str = ""
    panel: str | None = None

    @classmethod
    def read(
        cls,
        data: AnnData | Path | str | Sequence[Path | str],
        *,
        batch: str | Sequence[str],
        label: str | None = None,
        condition: bool | None = None,
        panel: str | GeneSets | None = None,
        home: Path | str | None = None,
        **reading: Any,
    ) -> Study:
        """Take a file, or data in memory, into the store.

        Parameters
        ----------
        data
            Path of a file in any format that the dashboard opens, several that become one dataset,
            or AnnData.
        batch, label
            See `Study`.
        condition
            See `Study`; None goes by the names of the batch variables.
        panel
            See `Study`; also marker genes by cell type, as ``{"T cells": ("CD3D", "CD3E"), …}``.
        home
            Folder of the store; by default the dashboard's.
        reading
            How files are read, as in `harmony_core.io.request.LoadRequest`: ``genes``,
            ``modality``, ``cells_in``, ``max_cells``, ``sample_by``.

        Raises
        ------
        FileError, DataError
            If the data can't be read or used, with a sentence that says why.
        ParameterError
            If there is no such way to read files.
        """
        from harmony_core.store.ingest import ingest, ingest_request

        store, path = Store(home), ""
        if hasattr(data, "obsm"):
            dataset = ingest(store, data, name="data from Python")
        else:
            if unknown := set(reading) - set(READING):
                raise ParameterError(
                    f"Unknown way to read files: {', '.join(sorted(unknown))}; there are "
                    f"{', '.join(READING)}."
                )
            request = replace(LoadRequest.of_paths(_paths(data)), **reading)
            dataset = ingest_request(store, request)
            path = request.paths[0] if len(request.paths) == 1 else ""
        several = (batch,) if isinstance(batch, str) or not np.iterable(batch) else batch
        names = tuple(_column(dataset, each, check_present) for each in several)
        label = None if label is None else _column(dataset, label, check_label)
        if panel is not None and not isinstance(panel, str):
            panel = panel_text(panel)
        start = dataset.info.start_of_preparation()
        is_condition = dataset.info.is_condition(names, condition)
        return cls(dataset, names, label, is_condition, start, path, panel)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the data before a run, as the Data page says it.

        Examples
        --------
        >>> getfixture("study").notes[0]
        'No mitochondrial genes were found, so cells cannot be judged by them.'
        """
        return notes_on_start(self.dataset.info, self.prepared)

    @property
    def design(self) -> tuple[Finding, ...]:
        """What the batch variables mean for these data, and what cannot be told from them.

        Raises
        ------
        BatchError, DataError
            If there is no such column.

        Examples
        --------
        >>> getfixture("study").design[0].sentence[:60]
        'Differences between the levels of “batch” are removed; those'
        """
        params = self._params(HarmonyParams(batch=self.batch))
        for name in self.batch:
            check_present(self.dataset.obs, name)
        if params.label is not None and params.panel is None:
            check_label(self.dataset.obs, params.label)
        return design_of_run(RunResults(self.dataset, params)).findings

    def prepare(self, **settings: Any) -> Study:
        """Return the study with its cells and genes prepared in another way.

        Parameters
        ----------
        settings
            Of `harmony_core.PrepareParams`: ``n_top_genes``, ``n_pcs``, ``max_mito``, … or
            ``basis``, the name of an embedding to take instead, of which ``n_pcs`` then takes the
            first components. What is left out takes what suits the data: thresholds on genes and
            mitochondrial counts are looser where many cells lie beyond the usual ones, and data
            without expression, or with scaled expression beside an uncorrected embedding, start
            from their embedding. ``basis=None`` takes the expression in any case.

        Examples
        --------
        >>> study = getfixture("study").prepare(min_genes=5, n_top_genes=150, n_pcs=10)
        >>> study.correct(max_iter=2).embedding.shape
        (400, 10)
        """

        info = self.dataset.info
        named = named_preparation({**settings, "basis": info.start_basis(settings)})
        study = replace(self, prepared=info.start_of_preparation(named))
        Pipeline(self.dataset, study._params(HarmonyParams(batch=self.batch))).run("prepare")
        return study

    def correct(
        self,
        *,
        method: str | None = None,
        graph: GraphParams | None = None,
        layout: LayoutParams | None = None,
        clusters: ClusterParams | None = None,
        as_harmony: str | None = None,
        **settings: Any,
    ) -> Run:
        """Run Harmony or another method, lay out and cluster before and after, and assess it.

        Parameters
        ----------
        method
            Another method in Harmony's place, one of `harmony_core.method_catalog.METHODS`.
        graph, layout, clusters
            Settings of neighbours, UMAP and Leiden.
        as_harmony
            Start from the settings that come near to an earlier Harmony: ``"1"`` is 1.2 in R; see
            `harmony_core.methods.harmony_releases`.
        settings
            Of `harmony_core.HarmonyParams`: ``theta``, ``sigma``, ``nclust``, …; of another method
            its own, such as ``knn`` of ``scanorama``.

        Raises
        ------
        ParameterError
            If a setting is unknown or out of its range.
        DataError
            If the data can't be corrected so.

        Examples
        --------
        >>> run = getfixture("study").correct(theta=1, max_iter=3)
        >>> run.verdict.level
        'green'
        """

        if as_harmony is not None:
            if method is not None:
                raise ParameterError(f"as_harmony is for Harmony; leave it out for {method}.")
            settings = {**of_release(as_harmony), **settings}
        of_harmony = settings if method is None else {}
        params = self._params(HarmonyParams.from_dict({"batch": self.batch, **of_harmony}))
        if method is not None:
            params = replace(params, method=MethodParams.from_dict({"name": method, **settings}))
        groups = {"graph": graph, "layout": layout, "clusters": clusters}
        params = replace(params, **{k: v for k, v in groups.items() if v is not None})  # type: ignore[arg-type]
        Pipeline(self.dataset, params).run()
        return Run(RunResults(self.dataset, params), self.input_path)

    def suggest(self, **settings: Any) -> Suggestion:
        """Try a grid of theta and sigma, and say which to use and what more mixing would cost.

        Parameters
        ----------
        settings
            Of `harmony_core.HarmonyParams`, other than ``theta`` and ``sigma``.

        Raises
        ------
        ParameterError
            If a setting is unknown or out of its range.
        DataError
            If the data can't be corrected so.

        Examples
        --------
        >>> suggestion = getfixture("study").suggest(max_iter=1)
        >>> len(suggestion.sentences) > 0
        True
        """
        harmony = HarmonyParams.from_dict({"batch": self.batch, **settings})
        tried = []
        for params in map(self._params, grid(harmony)):
            Pipeline(self.dataset, params).run("assess")
            tried.append(RunResults(self.dataset, params))
        return suggestion_of(tried)

    def compare(
        self,
        methods: Sequence[str] | None = None,
        *,
        thetas: Sequence[float] = (),
        embeddings: Sequence[str] = (),
        settings: Mapping[str, Mapping[str, float]] | None = None,
    ) -> MethodComparison:
        """Correct by several methods, judge each as Harmony is judged, and say which to use.

        Parameters
        ----------
        methods
            ``"harmony"`` and names of `harmony_core.method_catalog.METHODS`; by default those that
            can run here. One that fails has a row that says why, and the others go on.
        thetas
            Harmony runs at each of them; by default at its usual theta.
        embeddings
            Of the data, which other tools corrected.
        settings
            By method and name, as ``{"scanorama": {"knn": 10}}``.

        Returns
        -------
        An object with ``sentence`` and ``sentences``, ``table`` (a row a run) and ``states`` (a row
        for each state and run).

        Raises
        ------
        ParameterError
            If there is no such method or setting.
        DataError
            If the data can't be prepared or judged at all.

        Examples
        --------
        >>> found = getfixture("study").compare(["harmony"], thetas=(0, 2))
        >>> found.table.run.tolist()
        ['Harmony, theta 0', 'Harmony, theta 2']
        """
        from harmony_core.runs.comparing import computed_comparison, method_runs

        runs = method_runs(
            self._params(HarmonyParams(batch=self.batch)),
            methods,
            thetas=thetas,
            embeddings=embeddings,
            settings=settings,
        )
        return computed_comparison(self.dataset, runs)

    def diagnose(self, corrected: npt.ArrayLike | pd.DataFrame | str) -> Assessment:
        """Assess an embedding that another tool corrected, with the evidence Harmony's runs get.

        Parameters
        ----------
        corrected
            Name of an embedding in the data, or an array, dense or sparse, (cells × dimensions, any
            number). The rows of a table are matched to the cells by their names, if it has these.

        Raises
        ------
        DataError
            If there is no such embedding, or it has other cells or something else than numbers.

        Examples
        --------
        >>> study = getfixture("study")
        >>> squeezed = np.random.default_rng(0).normal(size=(400, 5)).astype("float32")
        >>> assessment = study.diagnose(squeezed)
        >>> assessment.verdict.level, assessment.verdict.kind
        ('red', 'over')
        """
        from harmony_core.runs.other_tools import assess_embedding

        name = corrected if isinstance(corrected, str) else ""
        values = self.dataset.embedding(name) if name else self._numbers(corrected)
        if len(values) != self.dataset.n_cells:
            raise DataError(
                f"The embedding has {len(values):,} cells, the data {self.dataset.n_cells:,}."
            )
        check_embedding(values, name or "the embedding")
        pipeline = Pipeline(self.dataset, self._params(HarmonyParams(batch=self.batch)))
        pipeline.run("reference", "lisi_before")
        found = assess_embedding(pipeline, values[pipeline.cells])
        prepared = notes_on_preparation(RunResults(self.dataset, pipeline.params), elsewhere=True)
        return replace(found, notes=(*prepared, *found.notes))

    def _numbers(self, embedding: Any) -> npt.NDArray[np.floating]:
        """Return an embedding from elsewhere as an array, in the order of the cells."""
        if isinstance(embedding, pd.DataFrame):
            embedding = _by_cell(embedding, self.dataset.obs.index)
        try:
            return np.atleast_1d(embedding_values(embedding))
        except (TypeError, ValueError) as error:
            raise DataError("The embedding holds something else than numbers.") from error

    def _params(self, harmony: HarmonyParams) -> RunParams:
        return RunParams(
            harmony=harmony,
            prepare=self.prepared,
            label=self.label,
            condition=self.condition,
            panel=self.panel,
        )


def _paths(data: Any) -> list[Path]:
    """Return the files that were named."""
    several = [data] if isinstance(data, str | Path) else data
    if not isinstance(several, list | tuple) or not all(isinstance(p, str | Path) for p in several):
        raise DataError(
            f"The data are of type {type(data).__name__}; give the path of a file, or AnnData; "
            "a list of paths becomes one dataset."
        )
    return [Path(path) for path in several]


def _column(dataset: Dataset, name: Any, check: Callable[[pd.DataFrame, str], None]) -> str:
    """Return the name of a column as text, which it is in the store; of other types only if so."""
    if not isinstance(name, str):
        check(dataset.obs, str(name))
    return str(name)


def _by_cell(table: pd.DataFrame, cells: pd.Index) -> pd.DataFrame:
    """Return a table's rows in the order of the cells, by name; as it is where no name is known."""
    names = pd.Index(table.index.astype(str))
    n_known = int(names.isin(cells).sum())
    if n_known == 0:
        return table
    if not names.is_unique or len(names) != len(cells) or n_known < len(cells):
        raise DataError(
            f"The table has {len(names):,} rows, of which {n_known:,} are named like one of the "
            f"{len(cells):,} cells; give each cell one row."
        )
    return table.set_axis(names).loc[cells]


@dataclass(frozen=True)
class Run:
    """A finished run: everything that the dashboard shows of it.

    Attributes
    ----------
    results
        Every number of it; see `harmony_core.RunResults`.
    input_path
        Where the data came from, for the files that say it.
    """

    results: RunResults
    input_path: str = ""

    @classmethod
    def read(cls, path: Path | str, *, home: Path | str | None = None) -> Run:
        """Open the file that a run was exported to, with its settings, as the dashboard does.

        Parameters
        ----------
        path
            An h5ad or zarr that was exported here, on a page or in a terminal.
        home
            Folder of the store; by default the dashboard's.

        Raises
        ------
        FileError, DataError
            If the file can't be read, or holds no run.

        Examples
        --------
        >>> run = getfixture("study").correct(max_iter=3)
        >>> path = getfixture("tmp_path") / "corrected.h5ad"
        >>> _ = run.export(path)
        >>> Run.read(path).verdict.sentences == run.verdict.sentences
        True
        """
        from harmony_core.store.ingest import ingest_file

        dataset = ingest_file(Store(home), Path(path), name=Path(path).name)
        params = dataset.run_inside
        Pipeline(dataset, params).run()
        return cls(RunResults(dataset, params), str(Path(path).resolve()))

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """Corrected embedding.

        Returns
        -------
        Coordinates (prepared cells × dimensions).

        Raises
        ------
        DataError
            If the method gives a neighbour graph only.
        """
        embedding = self.results.embedding("after")
        if embedding is None:
            raise DataError("This method gives a neighbour graph and no embedding.")
        return np.asarray(embedding)

    @cached_property
    def verdict(self) -> Verdict:
        """What the numbers mean: level, sentences, evidence, advice."""
        return self._assessment.verdict

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known beside the verdict: of the data, their preparation, the judging.

        Examples
        --------
        >>> getfixture("study").correct(max_iter=3).notes[0]
        'No mitochondrial genes were found, so cells cannot be judged by them.'
        """
        return notes_on_run(self.results)

    @property
    def design(self) -> tuple[Finding, ...]:
        """What the batch variables mean for these data, and what cannot be told from them."""
        return design_of_run(self.results).findings

    @property
    def kept(self) -> pd.DataFrame:
        """What quality control kept of each batch and each label.

        Returns
        -------
        A row for each level of a column, with ``cells`` in the data and how many are ``kept``;
        none where every cell is.

        Examples
        --------
        >>> getfixture("study").prepare(min_genes=190).correct(max_iter=1).kept.head(2)
          column level  cells  kept
        0  batch     A    219   217
        1  batch     B    181   175
        """
        rows = [
            (each.name, level, of, kept)
            for each in self.results.kept
            for level, (kept, of) in each.cells.items()
        ]
        return pd.DataFrame(rows, columns=["column", "level", "cells", "kept"])

    @property
    def metrics(self) -> pd.DataFrame:
        """Metrics before and after correction.

        Returns
        -------
        A row for each batch variable and metric.

        Examples
        --------
        >>> list(getfixture("study").correct(max_iter=3).metrics.columns)
        ['batch_variable', 'metric', 'before', 'after']
        """

        return metrics_table(self._assessment.metrics)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The run as tables: embedding, layouts, clusters, markers, evidence, …

        Returns
        -------
        Tables by name; see `harmony_core.export.tables.run_tables`.
        """

        return run_tables(self.results)

    @property
    def advice(self) -> pd.DataFrame:
        """What to try next, with what it did to these data or that it was not tried on them.

        Returns
        -------
        A row a piece of advice; see `harmony_core.export.tables.advice_table`.
        """
        return advice_table(advice_outcomes(self.results))

    def try_advice(self) -> pd.DataFrame:
        """Try every piece of advice on these data, a run each, and say what it did.

        Returns
        -------
        ``advice``, in which what made the verdict worse comes last.

        Raises
        ------
        DataError
            If the data can't be corrected so.

        Examples
        --------
        >>> run = getfixture("study").correct(max_iter=1)
        >>> run.try_advice().outcome[0][:31]
        'Tried on your data: looks right'
        """
        for params in untried(advice_outcomes(self.results)):
            Pipeline(self.results.dataset, params).run("assess")
        return self.advice

    def concordance(self, *others: Run) -> Concordance:
        """Say how much of the difference between settings is more than that between two seeds.

        The same settings run with five seeds, as other releases of Harmony and, where it is
        installed, by brisc.

        Parameters
        ----------
        others
            Runs of the same cells to compare with the seeds too.

        Raises
        ------
        ParameterError
            If the run is not by Harmony.
        DataError
            If another run has other cells.

        Examples
        --------
        >>> found = getfixture("study").correct(max_iter=3).concordance()
        >>> found.table.what.tolist()[:2]
        ['Two seeds of these settings', 'As Harmony 1']
        """
        cells = self.results.plan.keys["prepare"]
        if any(other.results.plan.keys["prepare"] != cells for other in others):
            raise DataError("Runs are compared on the same cells, prepared in the same way.")
        names = run_names([other.results for other in others])
        named = {name: each.results.params for name, each in zip(names, others, strict=True)}
        return computed_concordance(self.results.dataset, self.results.params, named)

    def releases(self) -> ReleasePair:
        """Run the same settings as Harmony 1 and as Harmony 2, and say what changed.

        Returns
        -------
        An object with the results ``one`` and ``two`` and a ``sentence``.

        Raises
        ------
        ParameterError
            If the run is not by Harmony.

        Examples
        --------
        >>> pair = getfixture("study").correct(max_iter=3).releases()
        >>> pair.sentence[:20], pair.one.params.harmony.max_iter_kmeans
        ('As Harmony 1 it took', 20)
        """
        return computed_pair(self.results.dataset, self.results.params)

    def risk(self, *thetas: float) -> pd.DataFrame:
        """Estimate what would become of each state if the other batches lacked it.

        It tells how far one may go before anything is merged: the state's cells are taken out of
        the other batches, the rest is corrected again at the same settings, and the fraction of its
        neighbours that are other cells then is its risk.

        Parameters
        ----------
        thetas
            Also at these values of theta, beside the run's own.

        Returns
        -------
        A row for each label or, without labels, for each state, and theta: ``fraction`` (missing
        where ``why`` says that it can't be told), ``other``, what most of those neighbours would
        be, and how many ``cells`` of which ``batch`` were followed, ``absent`` from the others.

        Raises
        ------
        DataError
            If another tool made the correction.

        Examples
        --------
        >>> risk = getfixture("study").correct(max_iter=2).risk(8)
        >>> risk.groupby("theta").fraction.max().between(0, 1).to_dict()
        {'2': True, '8': True}
        """
        runs = with_thetas(self.results.params, thetas)
        estimate(self.results.dataset, runs)
        return risk_table(self.results, runs)

    def figure(self, column: str | None = None) -> go.Figure:
        """Return the layouts before and after, to zoom and to filter.

        Parameters
        ----------
        column
            Column of obs to colour by, by default the first batch variable.
        """
        from harmony_core.figures.screen.layouts import before_after

        name = column or self.results.params.harmony.batch[0]
        obs = self.results.obs
        if obs is None or name not in obs:
            available = "none" if obs is None else ", ".join(map(str, obs.columns))
            raise DataError(f"There is no column {name!r} to colour by; available: {available}.")
        groups = Factor.of(name, obs[name])
        before, after = (np.asarray(self.results.layout(side)) for side in SIDES)
        sides = side_names(self.results.params)
        return before_after(before, after, groups.codes, groups.levels, title=name, sides=sides)

    def export(
        self, path: Path | str, *, compared: Sequence[Run] = (), **options: str | int
    ) -> tuple[str, ...]:
        """Write the run into a file, whose ending says in which format.

        ``.h5ad`` and ``.zarr`` are the corrected data, ``.html`` the report, ``.py`` and ``.ipynb``
        the run to repeat without us, ``.R`` the same for Seurat, ``.toml`` and ``.json`` the
        settings, ``.png``, ``.svg`` and ``.pdf`` the evaluation figure.

        Parameters
        ----------
        path
            The file; one of that name is replaced.
        compared
            Other runs of the same study, for the table of runs in a report.
        options
            ``compression`` of an h5ad (``"gzip"`` or ``"lzf"``), ``dpi`` of a figure.

        Returns
        -------
        Sentences about anything that was renamed.

        Raises
        ------
        ParameterError
            If the ending is another, or there is no such option for it.
        ExportError
            If the file can't be written; nothing half-written is left.

        Examples
        --------
        >>> run = getfixture("study").correct(max_iter=3)
        >>> folder = getfixture("tmp_path")
        >>> run.export(folder / "corrected.h5ad", compression="lzf")
        ()
        >>> run.export(folder / "settings.toml")
        ()
        >>> sorted(path.name for path in folder.glob("*.*"))
        ['corrected.h5ad', 'settings.toml']
        """

        path = Path(path)
        ending = path.suffix.lower()
        if ending not in _FORMAT_OF:
            raise ParameterError(f"{path.name!r} must end in one of {', '.join(_FORMAT_OF)}.")
        format = export_format(_FORMAT_OF[ending])
        format.check_options(options)
        if ending == ".zarr":  # as a folder, which is packed for a browser only
            return write_zarr(self.results, path, input_path=self.input_path)
        others = [run.results for run in compared if run.results.params != self.results.params]
        job = ExportJob(self.results, others, input_path=self.input_path, options=options)
        return format.write(job, path) or ()

    def __repr__(self) -> str:
        said = f"Run of {self.results.dataset.name!r}: {' '.join(self.verdict.sentences)}"
        notes = [f"note: {note}" for note in self.notes]
        warnings = design_of_run(self.results).warnings
        return "\n".join(
            [said, *notes, *(f"{each.severity}: {each.sentence}" for each in warnings)]
        )

    def _repr_html_(self) -> str:
        from harmony_core.export.html_report import report_page

        page = html.escape(report_page(self.results), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox title="Harmony report" '
            'style="width: 100%; height: 700px; border: 1px solid #d5dae2"></iframe>'
        )

    @property
    def _assessment(self) -> Assessment:
        assessment = self.results.assessment
        if assessment is None:
            raise DataError("This run's results are no longer in the store; correct again.")
        return assessment
