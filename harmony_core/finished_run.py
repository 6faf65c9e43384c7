"""A finished run from Python: what the pages show of it, and its exports."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core.categories import Factor
from harmony_core.errors import DataError, ParameterError
from harmony_core.export.formats import export_format
from harmony_core.export.h5ad import write_zarr
from harmony_core.export.job import ExportJob
from harmony_core.export.tables import advice_table, metrics_table, risk_table, run_tables
from harmony_core.runs.concordance import Concordance, computed_concordance
from harmony_core.runs.design import design_of_run
from harmony_core.runs.history import side_names
from harmony_core.runs.method_comparison import run_names
from harmony_core.runs.notes import notes_on_run
from harmony_core.runs.pipeline import Pipeline
from harmony_core.runs.plan import SIDES
from harmony_core.runs.release_pair import ReleasePair, computed_pair
from harmony_core.runs.results import RunResults
from harmony_core.runs.risk import estimate
from harmony_core.runs.tried_advice import advice_outcomes, untried
from harmony_core.store import Store
from harmony_core.verdict.risk import with_thetas
from harmony_core.verdict.verdict import Verdict

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from harmony_core.design.confounding import Finding
    from harmony_core.verdict.assessment import Assessment

_FORMAT_OF = {
    **{".zarr": "zarr", ".h5ad": "h5ad", ".html": "report"},
    **{".py": "python", ".ipynb": "notebook", ".r": "r"},
    **{".toml": "settings", ".json": "settings"},
    **{".png": "evaluation", ".svg": "evaluation", ".pdf": "evaluation"},
}


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
