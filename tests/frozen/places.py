"""Where the few internal names that the frozen tests need stand today.

Everything else goes through `harmony_core.Study` and `harmony_core.cli.main`. A name is looked for
in the text of the modules, so that one that moves to another module is found there.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from pathlib import Path
from typing import Any

import harmony_core

_ROOT = Path(harmony_core.__file__).parent


@functools.cache
def found(name: str) -> Any:
    """Return the one class or function of this name that a module of harmony_core defines.

    Raises
    ------
    LookupError
        If there is none, or there are several.
    """
    definition = re.compile(rf"^(?:class|def) {name}\b", re.MULTILINE)
    files = [p for p in _ROOT.rglob("*.py") if definition.search(p.read_text("utf-8"))]
    if len(files) != 1:
        raise LookupError(f"{name!r} is defined in {len(files)} modules, not in one.")
    parts = files[0].relative_to(_ROOT).with_suffix("").parts
    module = ".".join(("harmony_core", *(part for part in parts if part != "__init__")))
    return getattr(importlib.import_module(module), name)


def params_from(values: dict[str, Any]) -> Any:
    """Return a run's settings from their serialised form, whose names are frozen."""
    return found("RunParams").from_dict(values)


def dataset_in(home: Path, fingerprint: str) -> Any:
    """Open a dataset in a store."""
    return found("Store")(home).dataset(fingerprint)


def computed(dataset: Any, params: Any, *targets: str) -> None:
    """Compute what the store lacks of a run, or of some steps of it."""
    found("Pipeline")(dataset, params).run(*targets)


def run_name(dataset: Any, params: Any) -> str:
    """Return the name of a run in the store."""
    return str(found("Plan")(dataset, params).run)


def results_of(dataset: Any, params: Any) -> Any:
    """Return a run's results in the store."""
    return found("RunResults")(dataset, params)


def to_link(params: Any, start: Any) -> dict[str, list[str]]:
    """Return a run's settings as the parameters of an address."""
    written: dict[str, list[str]] = found("to_parameters")(params, start)
    return written


def from_link(link: dict[str, list[str]], dataset: Any, start: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the settings that an address asks for, and what of it could not be used."""
    read: tuple[Any, tuple[str, ...]] = found("from_parameters")(link, dataset, start)
    return read


def listed_runs(home: Path, fingerprint: str) -> list[Any]:
    """Return the settings of the runs that a dataset's folder ``runs`` lists."""
    noted = (home / "datasets" / fingerprint / "runs").glob("*/params.json")
    return [params_from(json.loads(path.read_text("utf-8"))) for path in noted]


def label_of(home: Path, fingerprint: str, run: str) -> tuple[str, bool]:
    """Return a run's name by its user, and whether it is pinned."""
    path = home / "datasets" / fingerprint / "runs" / run / "label.json"
    values = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return values.get("name", ""), values.get("pinned", False)
