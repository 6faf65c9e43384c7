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
        runs/<run>/      params.json, progress.json, the cancel mark

The design's canonical AnnData zarr gave way to the source file beside plain arrays: a user's file
is not written a second time, arrays load as memory maps, and a page reads a gene without anndata.
Nothing is pickled. What can't be read is computed again.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
import numpy.typing as npt
import pandas as pd
import platformdirs

from harmony_core.errors import DataError, FileError, ParameterError, full_disk

if TYPE_CHECKING:
    from harmony_core.matrices.by_gene import ByGene

Arrays = Mapping[str, npt.NDArray[Any]]

HOME_VARIABLE = "HARMONY_EXPLORER_HOME"
SIZE_VARIABLE = "HARMONY_EXPLORER_CACHE_GB"
DEFAULT_SIZE_GB = 5.0
UPLOADS_KEPT_SECONDS = 24 * 3600
IN_USE_SECONDS = 600
"""What was used as lately as this is on somebody's screen, or about to be."""


@dataclass(frozen=True)
class StageKey:
    """Name of a stage and the digest of everything that decides its result."""

    stage: str
    digest: str

    @property
    def folder(self) -> str:
        return f"{self.stage}-{self.digest}"


@dataclass(frozen=True)
class StageResult:
    """A finished stage: arrays as memory maps, and a few plain values."""

    arrays: Arrays
    info: Mapping[str, Any]


class Store:
    """All datasets of one user on this machine.

    Parameters
    ----------
    home
        Folder of the store. By default ``HARMONY_EXPLORER_HOME``, or the platform's cache folder.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        chosen = home or os.environ.get(HOME_VARIABLE)
        self.home = Path(chosen or platformdirs.user_cache_dir("harmony-explorer")).resolve()
        self.datasets_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)

    @property
    def datasets_folder(self) -> Path:
        return self.home / "datasets"

    @property
    def uploads_folder(self) -> Path:
        folder = self.home / "uploads"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def dataset(self, fingerprint: str) -> Dataset:
        """Open a dataset that is in the store.

        Raises
        ------
        FileError
            If it is not there, or was not written completely.
        """
        folder = self.datasets_folder / Path(fingerprint).name
        if not (folder / "dataset.json").is_file():
            raise _no_longer_there()
        return Dataset(folder)

    @contextlib.contextmanager
    def new_dataset(self, fingerprint: str) -> Iterator[Path | None]:
        """Yield a folder to fill, which becomes the dataset when the block ends without error.

        Yields None if the dataset is in the store already.
        """
        target = self.datasets_folder / fingerprint
        if (target / "dataset.json").is_file():
            yield None
            return
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.datasets_folder))
        try:
            yield temporary
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
            for left in self._found(pattern):
                if time.time() - _used(left) > UPLOADS_KEPT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        excess = _tree_size(self.home) - (size_limit() if limit_gb is None else limit_gb) * 1e9
        # Of datasets the one used last stays: a long run may not have touched it for a while.
        for pattern, spared in (
            ("datasets/*/runs/*/files/*/progress.json", 0),
            ("datasets/*/stages/*/info.json", 0),
            ("datasets/*/dataset.json", 1),
        ):
            marks = sorted(self._found(pattern), key=_used)
            for mark in marks[: len(marks) - spared]:
                if excess <= 0 or time.time() - _used(mark) < IN_USE_SECONDS:
                    break
                excess -= _tree_size(mark.parent)
                shutil.rmtree(mark.parent, ignore_errors=True)

    def _found(self, pattern: str) -> list[Path]:
        """Return what matches; unlike `Path.glob` this bears folders that vanish meanwhile."""
        return [self.home / name for name in glob.glob(pattern, root_dir=self.home)]


def size_limit() -> float:
    """Return how many gigabytes the store may grow to.

    Raises
    ------
    ParameterError
        If ``HARMONY_EXPLORER_CACHE_GB`` is no size.
    """
    wanted = os.environ.get(SIZE_VARIABLE, DEFAULT_SIZE_GB)
    with contextlib.suppress(ValueError):
        if (limit := float(wanted)) >= 0:
            return limit
    raise ParameterError(
        f"{SIZE_VARIABLE} is {wanted!r}; it must be a number of gigabytes, such as "
        f"{DEFAULT_SIZE_GB:g}."
    )


class Dataset:
    """One dataset in the store, read without loading its matrix."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def fingerprint(self) -> str:
        return self.folder.name

    @cached_property
    def meta(self) -> Mapping[str, Any]:
        """What ``dataset.json`` says: name, sizes, value kind, where counts were found."""
        _touch(self.folder / "dataset.json")
        meta: Mapping[str, Any] = json.loads((self.folder / "dataset.json").read_text("utf-8"))
        return meta

    @property
    def name(self) -> str:
        return str(self.meta["name"])

    @property
    def n_cells(self) -> int:
        return int(self.meta["n_cells"])

    @property
    def source(self) -> Path:
        return self.folder / "source.h5ad"

    @cached_property
    def obs(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "obs.parquet")

    @cached_property
    def symbols(self) -> pd.Index:
        """Gene symbols, one for each row of ``var``, in the matrix's order; empty without genes."""
        path = self.folder / "var.parquet"
        return pd.Index(pd.read_parquet(path)["symbol"]) if path.is_file() else pd.Index([])

    @property
    def matrix(self) -> Arrays | None:
        """The expression matrix by gene (CSC ``data``, ``indices``, ``indptr``), or None.

        Opened anew each time: what has been read through a memory map counts as memory in use
        until the map is closed.
        """
        folder = self.folder / "matrix"
        return _load_arrays(folder) if folder.is_dir() else None

    @property
    def by_gene(self) -> ByGene | None:
        """The expression matrix, to be read some genes at a time, or None."""
        from harmony_core.matrices.by_gene import ByGene

        if self.matrix is None:
            return None
        return ByGene(lambda: self.matrix or {}, (self.n_cells, len(self.symbols)))

    def gene(self, position: int) -> npt.NDArray[np.float32]:
        """Return one gene's stored values over all cells (not normalised if they are counts)."""
        matrix = self.matrix
        if matrix is None:
            raise DataError("These data have no expression values, only an embedding.")
        start, end = matrix["indptr"][position : position + 2]
        values = np.zeros(self.n_cells, dtype=np.float32)
        values[matrix["indices"][start:end]] = matrix["data"][start:end]
        return values

    def embedding(self, name: str) -> npt.NDArray[np.float32]:
        """Return an embedding, or a layout, that came with the data (cells × dimensions)."""
        stored_names = [*self.meta["embeddings"], *self.meta.get("layouts", [])]
        if name not in stored_names:
            available = ", ".join(stored_names) or "none"
            raise DataError(
                f"There is no embedding {name!r} in these data; available: {available}."
            )
        position = stored_names.index(name)
        stored: npt.NDArray[np.float32] = np.load(
            self.folder / "embeddings" / f"{position}.npy", mmap_mode="r", allow_pickle=False
        )
        return stored

    # Stages

    def finished(self, key: StageKey) -> StageResult | None:
        """Return a finished stage, or None if it has yet to be computed.

        One that can't be read is given up, so that it counts as not computed everywhere.
        """
        mark = self._mark(key)
        try:
            info = json.loads(mark.read_text("utf-8"))
            arrays, values = _load_arrays(mark.parent), info["values"]
            if sorted(arrays) != info["arrays"]:
                raise ValueError("arrays are missing")
        except OSError:
            return None
        except Exception:  # of a damaged file's header numpy says almost anything
            with contextlib.suppress(OSError):
                mark.unlink()
            return None
        _touch(mark)
        return StageResult(arrays, values)

    def is_finished(self, key: StageKey) -> bool:
        """Return whether the store has a stage, without reading it; it does not count as used."""
        return self._mark(key).is_file()

    def _mark(self, key: StageKey) -> Path:
        """Return what is written last of a stage; its time is that of its last use."""
        return self.folder / "stages" / key.folder / "info.json"

    def seconds_by_stage(self) -> dict[str, list[float]]:
        """Return how long each computation took whose result is still there, by stage."""
        found: dict[str, list[float]] = {}
        for mark in glob.glob("stages/*/info.json", root_dir=self.folder):
            # Another server may be evicting it, and what can't be read says nothing.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                values = json.loads((self.folder / mark).read_text("utf-8"))["values"]
                stage = Path(mark).parent.name.rpartition("-")[0]
                found.setdefault(stage, []).append(float(values["seconds"]))
        return found

    def computed(
        self, key: StageKey, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> StageResult:
        """Return a stage from the store, computing it if need be; two askers compute it once.

        Raises
        ------
        FileError
            If the dataset was evicted meanwhile.
        OSError
            If its disk is full: nothing that follows could be kept either.
        """
        if (found := self.finished(key)) is not None:
            return found
        try:
            return self._computed_now(key, compute)
        except FileNotFoundError as error:
            if (self.folder / "dataset.json").is_file():
                raise
            raise _no_longer_there() from error

    def _computed_now(
        self, key: StageKey, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> StageResult:
        stages = self.folder / "stages"
        stages.mkdir(exist_ok=True)
        with filelock.FileLock(stages / f".{key.folder}.lock"):
            if (found := self.finished(key)) is not None:
                return found
            start = time.perf_counter()
            arrays, values = compute()
            values = {**values, "seconds": round(time.perf_counter() - start, 4)}
            self._write_stage(key, arrays, values)
        result = self.finished(key)
        # A second server's eviction must not lose what was just computed.
        return result if result is not None else StageResult(arrays, values)

    def _write_stage(self, key: StageKey, arrays: Arrays, values: Mapping[str, Any]) -> None:
        stages = self.folder / "stages"
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=stages))
        target = stages / key.folder
        try:
            for name, array in arrays.items():
                np.save(temporary / f"{name}.npy", np.asarray(array), allow_pickle=False)
            info = {"arrays": sorted(arrays), "values": values}
            (temporary / "info.json").write_text(json.dumps(info), "utf-8")
            shutil.rmtree(target, ignore_errors=True)
            with contextlib.suppress(FileExistsError):  # put there by another server just now
                temporary.rename(target)
        except OSError as error:
            if full_disk(error):  # numpy does not say where
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def run_folder(self, run: str, *below: str) -> Path:
        """Return where a run's settings and progress are; on a full disk it may not be there.

        Parameters
        ----------
        below
            Names of folders within it, one inside the other.
        """
        folder = Path(self.folder, "runs", *(Path(name).name for name in (run, *below)))
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        return folder


def digest(*parts: Any) -> str:
    """Return a short digest of JSON-able values; equal values give equal digests."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def write_json(path: Path, values: Any) -> None:
    """Write JSON so that a reader sees either the old file or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _no_longer_there() -> FileError:
    return FileError("This dataset is no longer in the store; load its file again.")


def _load_arrays(folder: Path) -> Arrays:
    return {
        p.stem: np.load(p, mmap_mode="r", allow_pickle=False) for p in sorted(folder.glob("*.npy"))
    }


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _tree_size(folder: Path) -> int:
    total = 0
    for at, _, files in os.walk(folder):  # which passes over what vanishes meanwhile
        for name in files:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(at, name), follow_symlinks=False).st_size
    return total
