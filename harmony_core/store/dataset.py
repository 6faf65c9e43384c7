"""One dataset in the store: its table of cells, its genes, and the stages finished on it."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
import numpy.typing as npt
import pandas as pd

from harmony_core._typing import Arrays
from harmony_core.errors import DataError, FileError, full_disk
from harmony_core.inspect.columns import quoted
from harmony_core.params import RunParams
from harmony_core.store.files import load_arrays, process_bytes, save_arrays, touch
from harmony_core.store.info import INFO_FILE, DatasetInfo, Reading, StartSettings
from harmony_core.store.keys import StageKey, StageResult
from harmony_core.store.soundness import checksums, is_sound_dataset, is_sound_stage, trust

if TYPE_CHECKING:
    from harmony_core.matrices.by_gene import ByGene


class Dataset:
    """One dataset in the store, read without loading its matrix."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_sound(self) -> bool:
        """Whether it was written completely and can still be read; looked at once a process.

        Raises
        ------
        OSError
            If the disk gives an error that says nothing about the files.
        """
        return is_sound_dataset(self.folder / INFO_FILE, Dataset(self.folder)._fits_together)

    def _fits_together(self) -> bool:
        """Read all but the values of the matrix, and return whether the sizes agree."""
        n_cells = self.info.n_cells
        stored = [self.embedding(name) for name in self.info.stored_embeddings]
        if len(self.obs) != n_cells or any(len(values) != n_cells for values in stored):
            return False
        matrix = self.matrix
        if matrix is None:
            return self.info.kind == "none"
        starts = np.asarray(matrix["indptr"])
        return bool(
            len(starts) == len(self.symbols) + 1
            and starts[0] == 0
            and len(matrix["data"]) == len(matrix["indices"]) == starts[-1]
            and (starts[1:] >= starts[:-1]).all()
            and self.source.is_file()
        )

    @property
    def fingerprint(self) -> str:
        return self.folder.name

    @cached_property
    def info(self) -> DatasetInfo:
        """Name, sizes, value kind, where counts are, and what else ``dataset.json`` says."""
        return DatasetInfo.read(self.folder)

    def describe(
        self, *, name: str, warnings: tuple[str, ...], suggested: StartSettings, reading: Reading
    ) -> None:
        """Give the data the name and notes of the file that was opened last.

        Two files of the same content are one dataset; what is said of it is said of one of them.
        An older version may have suggested other settings to begin with.
        """
        then = self.info
        now = replace(then, name=name, warnings=warnings, suggested=suggested)
        if now != then or reading.format != then.reading.format:
            replace(now, reading=reading).write(self.folder)
            del self.info  # is read anew

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def run_inside(self) -> RunParams:
        """Settings of the run that wrote the file.

        Raises
        ------
        FileError
            If none did, or the run is of another version.
        """
        if self.info.run is None:
            raise FileError(f"The run in {quoted(self.name)} cannot be opened again.")
        return self.info.run

    @property
    def n_cells(self) -> int:
        return self.info.n_cells

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
        return load_arrays(folder) if folder.is_dir() else None

    @property
    def by_gene(self) -> ByGene | None:
        """The expression matrix, to be read some genes at a time, or None."""
        from harmony_core.matrices.by_gene import ByGene  # scipy takes its time

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
        stored_names = self.info.stored_embeddings
        if name not in stored_names:
            available = ", ".join(stored_names) or "none"
            left_out = [w for w in self.info.warnings if w.startswith(quoted(f"obsm/{name}"))]
            missing = f"There is no embedding {name!r} in these data; available: {available}."
            raise DataError(" ".join([missing, *left_out]))
        position = stored_names.index(name)
        stored: npt.NDArray[np.float32] = np.load(
            self.folder / "embeddings" / f"{position}.npy", mmap_mode="r", allow_pickle=False
        )
        return stored

    # Stages

    def finished(self, key: StageKey) -> StageResult | None:
        """Return a finished stage, or None if it has yet to be computed.

        One that can't be read is deleted, so that it counts as not computed everywhere.
        """
        mark = Path(self._mark(key))
        try:
            info = json.loads(mark.read_text("utf-8"))
            arrays, values = load_arrays(mark.parent), info["values"]
            if sorted(arrays) != info["arrays"]:
                raise ValueError("arrays are missing")
            if not is_sound_stage(mark, info.get("sums")):
                raise ValueError("arrays have changed")
        except OSError:
            return None
        except MemoryError:
            raise
        except Exception:  # of a damaged file's header numpy says almost anything
            with contextlib.suppress(OSError):
                mark.unlink()
            return None
        touch(mark)
        return StageResult(arrays, values, info.get("memory"))

    def use(self, key: StageKey) -> bool:
        """Count a stage as used now, without reading it; return whether the store has it."""
        return touch(self._mark(key))

    def is_finished(self, key: StageKey) -> bool:
        """Return whether the store has a stage, without reading it; it does not count as used."""
        return os.path.isfile(self._mark(key))

    def _mark(self, key: StageKey) -> str:
        """Return what is written last of a stage; its time is that of its last use.

        As text: a page asks for hundreds, and joining paths would take longer than looking.
        """
        return f"{self.folder}/stages/{key.folder}/info.json"

    def seconds_by_stage(self) -> dict[str, list[float]]:
        """Return how long each computation took whose result is still there, by stage."""
        seconds: dict[str, list[float]] = {}
        for stage, values in self._values_of_stages("*"):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                seconds.setdefault(stage, []).append(float(values["seconds"]))
        return seconds

    def values_of_stage(self, name: str) -> list[Mapping[str, Any]]:
        """Return the values of every result of a stage that is still there, by its store name."""
        return [values for stage, values in self._values_of_stages(f"{name}-*") if stage == name]

    def _values_of_stages(self, folders: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for mark in sorted(glob.glob(f"stages/{folders}/info.json", root_dir=self.folder)):
            # Another server may be evicting it, and what can't be read says nothing.
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                values = json.loads((self.folder / mark).read_text("utf-8"))["values"]
                yield Path(mark).parent.name.rpartition("-")[0], values

    def computed(
        self, key: StageKey, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> StageResult:
        """Return a stage from the store, computing it if need be; two askers compute it once.

        Raises
        ------
        FileError
            If the dataset was evicted meanwhile.
        OSError
            If its disk is full: nothing that follows could be written either.
        """
        if (result := self.finished(key)) is not None:
            return result
        try:
            return self._computed_now(key, compute)
        except FileNotFoundError as error:
            if (self.folder / INFO_FILE).is_file():
                raise
            raise evicted_error() from error

    def _computed_now(
        self, key: StageKey, compute: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    ) -> StageResult:
        stages = self.folder / "stages"
        stages.mkdir(exist_ok=True)
        with filelock.FileLock(stages / f".{key.folder}.lock"):
            if (result := self.finished(key)) is not None:
                return result
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
            save_arrays(temporary, arrays)
            info = {
                "arrays": sorted(arrays),
                "values": values,
                "memory": process_bytes(),
                "sums": checksums({name: np.asarray(array) for name, array in arrays.items()}),
            }
            (temporary / "info.json").write_text(json.dumps(info), "utf-8")
            shutil.rmtree(target, ignore_errors=True)
            with contextlib.suppress(FileExistsError):  # put there by another server just now
                temporary.rename(target)
                trust(target / "info.json")
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


def evicted_error() -> FileError:
    """Return the error that says that a dataset is gone."""
    return FileError("This dataset is no longer in the store; load its file again.")
