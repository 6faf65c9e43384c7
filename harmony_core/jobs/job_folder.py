"""The folder through which worker and page speak: a job's progress, cancel mark, result, notes."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harmony_core.store import write_json
from harmony_core.store.store import PROGRESS_FILE

State = Literal["waiting", "running", "finished", "failed", "cancelled"]


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    step
        Title of the step under way, in plain words.
    fraction
        Fraction of the whole job that is done, 0 to 1.
    message
        Why it failed, for the user.
    result
        What a finished load or export returns: the dataset's fingerprint, or the file's name.
    sample
        Where a file was too large but some of its cells could be read; see
        `harmony_core.errors.TooLarge`.
    """

    state: State
    step: str = ""
    fraction: float = 0.0
    message: str = ""
    result: str = ""
    sample: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")


@dataclass(frozen=True)
class JobFolder:
    """Where a job writes its progress and what it leaves; a run's settings may lie beside.

    Parameters
    ----------
    path
        The folder; on a full disk it may not be there.
    """

    path: Path

    def create(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def delete(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def progress(self) -> Progress:
        """What was last written; a job not begun, or whose file can't be read, is waiting."""
        try:
            values = json.loads((self.path / PROGRESS_FILE).read_text("utf-8"))
            return Progress(fraction=values.pop("share", 0.0), **values)
        except (OSError, ValueError, TypeError, AttributeError):
            return Progress("waiting")

    def write(self, state: State, **values: Any) -> None:
        """Write the attributes of a `Progress`."""
        written = asdict(Progress(state, **values))
        written["share"] = written.pop("fraction")  # its name in the store
        write_json(self.path / PROGRESS_FILE, written)

    def forget_progress(self) -> None:
        """Take back a failure or a result, so that the job counts as not begun."""
        (self.path / PROGRESS_FILE).unlink(missing_ok=True)

    @property
    def _cancel_mark(self) -> Path:
        return self.path / "cancel"

    @property
    def is_cancelled(self) -> bool:
        return self._cancel_mark.exists()

    def cancel(self) -> None:
        """Leave the mark that the worker looks for; on a full disk there may be none."""
        with contextlib.suppress(OSError):
            self._cancel_mark.touch()

    def take_back_cancel(self) -> None:
        with contextlib.suppress(OSError):
            self._cancel_mark.unlink(missing_ok=True)

    def file(self, progress: Progress) -> Path:
        """Return the file that a finished export has written."""
        return self.path / Path(progress.result).name

    def write_notes(self, notes: Sequence[str]) -> None:
        """Keep sentences about the result, such as what was renamed."""
        (self.path / "notes.txt").write_text("\n".join(notes), "utf-8")

    @property
    def notes(self) -> list[str]:
        return (self.path / "notes.txt").read_text("utf-8").splitlines()
