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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.errors import DataError, ParameterError
from harmony_core.finished_run import Run
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
from harmony_core.runs.design import design_of_run
from harmony_core.runs.history import suggestion_of
from harmony_core.runs.notes import notes_on_preparation, notes_on_start
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.results import RunResults
from harmony_core.store import Dataset, Store
from harmony_core.verdict.grid import grid
from harmony_core.verdict.suggest import Suggestion

if TYPE_CHECKING:
    from anndata import AnnData

    from harmony_core.design.confounding import Finding
    from harmony_core.runs.method_comparison import MethodComparison
    from harmony_core.verdict.assessment import Assessment


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
