"""The store: datasets and finished stages on disk, the one channel between page and worker.

One folder a dataset, named by its fingerprint::

    datasets/<fingerprint>/
        source.h5ad      the data as they came, for export
        dataset.json     name, sizes, what the matrix holds
        obs.parquet      the columns of obs, cell names as index
        var.parquet      gene symbols, gene ids as index
        matrix/          data, indices, indptr of the expression matrix, by gene (CSC)
        embeddings/      embeddings that came with the data
        stages/<stage>-<digest>/   arrays (*.npy) and info.json of one finished stage
        runs/<run>/      params.json and label.json (name and pin), progress.json, the cancel mark,
                         and files/, what was exported of it

The design's canonical AnnData zarr gave way to the source file beside plain arrays: a user's file
is not written a second time, arrays load as memory maps, and a page reads a gene without anndata.
Nothing is pickled. What can't be read is computed again.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from harmony_core.errors import ParameterError, StoreError, full_disk
from harmony_core.store.dataset import Dataset, evicted_error
from harmony_core.store.files import last_used, tree_size

HOME_VARIABLE = "HARMONY_EXPLORER_HOME"
SIZE_VARIABLE = "HARMONY_EXPLORER_CACHE_GB"
DEFAULT_SIZE_GB = 5.0
PROGRESS_FILE = "progress.json"
"""Of a job; that of an export is also the time of its last use."""

UPLOADS_KEPT_SECONDS = 24 * 3600
IN_USE_SECONDS = 600
"""What was used as lately as this is on somebody's screen, or about to be."""


class Store:
    """All datasets of one user on this machine.

    Parameters
    ----------
    home
        Folder of the store. By default ``HARMONY_EXPLORER_HOME``, or the platform's cache folder.
        Made for its user alone; one that is there keeps its rights, and what lies in it is private.

    Raises
    ------
    StoreError
        If it can't be made or written.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        home = home or os.environ.get(HOME_VARIABLE)
        self.home = Path(home or platformdirs.user_cache_dir("harmony-explorer")).resolve()
        try:
            for folder in (self.home, *self._private_folders):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        except OSError as error:
            raise StoreError(
                full_disk(error)
                or f"The folder of the store, {str(self.home)!r}, can't be written "
                f"({error.strerror or 'disk error'}). Set {HOME_VARIABLE} to a folder of your own, "
                "or have its owner let you write there."
            ) from error

    @property
    def datasets_folder(self) -> Path:
        return self.home / "datasets"

    @property
    def uploads_folder(self) -> Path:
        return self.home / "uploads"

    @property
    def compiled_folder(self) -> Path:
        """Where numba keeps compiled code, which it runs as it finds it."""
        return self.home / "numba"

    @property
    def _private_folders(self) -> tuple[Path, ...]:
        """What holds data, or code, also in a home whose owner lets others look in."""
        return self.datasets_folder, self.uploads_folder, self.compiled_folder

    def dataset(self, fingerprint: str) -> Dataset:
        """Open a dataset that is in the store.

        Raises
        ------
        FileError
            If it is not there, was not written completely, or can't be read any more.
        """
        dataset = Dataset(self.datasets_folder / Path(fingerprint).name)
        if not dataset.is_sound:
            raise evicted_error()
        return dataset

    @contextlib.contextmanager
    def new_dataset(self, fingerprint: str) -> Iterator[Path | None]:
        """Yield a folder to fill, which becomes the dataset when the block ends without error.

        Yields None if the dataset is in the store already.
        """
        target = self.datasets_folder / fingerprint
        if Dataset(target).is_sound:
            yield None
            return
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.datasets_folder))
        try:
            yield temporary
            if target.is_dir() and not Dataset(target).is_sound:
                _take_over(target, temporary)
            with contextlib.suppress(OSError):  # another server was first with the same content
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def evict(self, limit_gb: float | None = None) -> None:
        """Delete what was used longest ago until the store fits its limit.

        Files to take away go first, then stages, then datasets. What is on somebody's screen stays,
        even if the store is then larger than its limit. Uploads that a session left behind, and
        what a worker that died was writing, go after a day.

        Another server may use and evict the same store meanwhile.

        Parameters
        ----------
        limit_gb
            By default ``HARMONY_EXPLORER_CACHE_GB``, or `DEFAULT_SIZE_GB`.

        Raises
        ------
        ParameterError
            If ``HARMONY_EXPLORER_CACHE_GB`` is no size.
        """
        for pattern in ("uploads/*", "uploads/.*", "datasets/.new-*", "datasets/*/stages/.new-*"):
            for left in self._paths(pattern):
                if time.time() - last_used(left) > UPLOADS_KEPT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        excess = tree_size(self.home) - (size_limit() if limit_gb is None else limit_gb) * 1e9
        # Of datasets the one used last stays: a long run may not have touched it for a while.
        for pattern, spared in (
            (f"datasets/*/runs/*/files/*/{PROGRESS_FILE}", 0),
            ("datasets/*/stages/*/info.json", 0),
            ("datasets/*/dataset.json", 1),
        ):
            marks = sorted(self._paths(pattern), key=last_used)
            for mark in marks[: len(marks) - spared]:
                if excess <= 0 or time.time() - last_used(mark) < IN_USE_SECONDS:
                    break
                excess -= tree_size(mark.parent)
                shutil.rmtree(mark.parent, ignore_errors=True)

    def _paths(self, pattern: str) -> list[Path]:
        """Return what matches; unlike `Path.glob` this bears folders that vanish meanwhile."""
        return [self.home / name for name in glob.glob(pattern, root_dir=self.home)]


def _take_over(damaged: Path, new: Path) -> None:
    """Have a dataset that is written again keep the runs and results of the one it replaces."""
    for name in ("stages", "runs"):
        (new / name).mkdir(exist_ok=True)
        for part in (damaged / name).glob("[!.]*"):
            if not (new / name / part.name).exists():
                with contextlib.suppress(OSError):  # who else mends it has taken it
                    part.rename(new / name / part.name)
    shutil.rmtree(damaged, ignore_errors=True)


def size_limit() -> float:
    """Return how many gigabytes the store may grow to.

    Raises
    ------
    ParameterError
        If ``HARMONY_EXPLORER_CACHE_GB`` is no size.
    """
    size = os.environ.get(SIZE_VARIABLE, DEFAULT_SIZE_GB)
    with contextlib.suppress(ValueError):
        if (limit := float(size)) >= 0:
            return limit
    raise ParameterError(
        f"{SIZE_VARIABLE} is {size!r}; it must be a number of gigabytes, such as "
        f"{DEFAULT_SIZE_GB:g}."
    )
