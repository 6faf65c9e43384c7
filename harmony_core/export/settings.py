"""A run's settings as a file that people edit: TOML, or JSON.

Light on purpose: pages read and write it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as _short
from typing import TYPE_CHECKING, Any

from harmony_core.errors import DataError, FileError, ParameterError
from harmony_core.inspect.gene_sets import panel_sets
from harmony_core.io.writing import write_text_whole
from harmony_core.params import GROUPS, MethodParams, RunParams

if TYPE_CHECKING:
    from harmony_core.store import Dataset

_LISTS = {
    *(("harmony", "batch"), ("harmony", "theta"), ("harmony", "sigma_of")),
    ("clusters", "resolutions"),
}
_ROWS = {("harmony", "theta_of"), ("harmony", "lamb_of")}
"""Lists of rows, which `RunParams` checks."""
_TEXTS = {
    ("", "label"),
    ("", "given"),
    ("", "panel"),
    ("", "method"),
    ("harmony", "batch"),
    ("prepare", "basis"),
    ("clusters", "flavor"),
}
LARGEST_FILE = 100_000
"""Bytes beyond which a file can't be settings."""
_NO_KEY = re.compile(
    r'"""(?:\\.|[^\\])*?"""|' r"'''.*?'''" r'|"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'|#[^\n]*", re.DOTALL
)
"""Texts and comments of TOML, in which points part nothing."""
_DEEP_KEY = re.compile(r"(?:\.[ \t]*[\w-]+[ \t]*){7}\.")
"""Settings have two parts; the reader of TOML takes memory by the square of their number."""


def write_settings(params: RunParams, path: Path) -> None:
    """Write settings as TOML or JSON, by the ending of the path.

    Raises
    ------
    ParameterError
        If the ending is another.
    ExportError
        If the file can't be written.
    """
    text = settings_text(params, _format(Path(path)))
    write_text_whole(Path(path), text)


def settings_text(params: RunParams, format: str = "toml") -> str:
    """Return settings as the text of a TOML or JSON file.

    Examples
    --------
    >>> from harmony_core.params import HarmonyParams
    >>> text = settings_text(RunParams(harmony=HarmonyParams(batch=("donor",))))
    >>> print(text.splitlines()[4])
    batch = ["donor"]
    """
    values = params.to_dict()
    if not params.by_harmony:
        values["harmony"] = {"batch": values["harmony"]["batch"]}  # nothing else had an effect
    if format == "json":
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    # Settings that are None are automatic, which TOML says by leaving them out.
    lines = ["# Settings of a Harmony Explorer run. What is left out takes its default."]
    method = values.pop("method", None)
    lines += [_line(k, v) for k, v in values.items() if k not in GROUPS and v is not None]
    if method is not None:
        lines += ["", "[method]", *(_line(k, v) for k, v in method.items())]
    for group in GROUPS:
        lines += ["", f"[{group}]"]
        lines += [_line(k, v) for k, v in values[group].items() if v is not None]
    return "\n".join(lines) + "\n"


def read_settings(path: Path) -> dict[str, Any]:
    """Read a settings file as nested values for `RunParams.from_dict`, checked by name and type.

    Raises
    ------
    FileError
        If the file can't be read, or is neither TOML nor JSON.
    ParameterError
        If an entry is unknown or of the wrong type.
    """
    path = Path(path)
    format = _format(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise FileError(f"{path.name!r} is too large for a settings file.")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path.name!r} is not a text file.") from error
    except OSError as error:
        reason = error.strerror or "disk error"
        raise FileError(f"The settings file {path.name!r} could not be read: {reason}.") from error
    return parse_settings(text, format, name=path.name)


def loaded_settings(content: bytes, name: str, dataset: Dataset) -> RunParams:
    """Return the settings in a file's content, if a dataset can be run with them.

    Parameters
    ----------
    content
        What the file holds.
    name
        Name of the file; its ending says whether it is TOML or JSON.
    dataset
        Has to have the columns and the embedding that they name.

    Raises
    ------
    FileError
        If the file is neither TOML nor JSON.
    ParameterError, DataError
        If an entry is unknown, out of its range, or the data don't have what it names.
    """
    from harmony_core.inspect.columns import batch_column, check_label, check_named_batches

    if len(content) > LARGEST_FILE:
        raise FileError(f"{name!r} is too large for a settings file.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{name!r} is not a text file.") from error
    values = parse_settings(text, _format(Path(name)), name=name)
    if "batch" not in values.get("harmony", {}):
        raise ParameterError(f"{name!r} names no batch variable (batch under [harmony]).")
    batch = values["harmony"]["batch"]
    values["condition"] = dataset.info.is_condition(batch, values.get("condition"))
    params = RunParams.from_dict(values)
    obs, basis = dataset.obs, params.prepare.basis
    for column in params.harmony.batch:
        batch_column(obs, column)
    check_named_batches(obs, params.harmony)
    if params.panel is not None:
        panel_sets(params.panel)
    elif params.label is not None:
        check_label(obs, params.label)
    if params.precomputed is not None:
        dataset.embedding(params.precomputed)
    if basis is not None:
        dataset.embedding(basis)
    elif dataset.info.kind == "none":
        available = ", ".join(dataset.info.embeddings)
        raise DataError(
            f"These data have no expression values to prepare; name one of their embeddings as "
            f"basis under [prepare] ({available})."
        )
    return params


def parse_settings(text: str, format: str, *, name: str = "settings") -> dict[str, Any]:
    """Read the text of a settings file; see `read_settings`.

    Parameters
    ----------
    text
        What the file holds.
    format
        ``"toml"`` or ``"json"``.
    name
        Name of the file, for messages.
    """
    if format == "toml":
        return checked_settings(parse_toml(text, name=name))
    try:
        values = json.loads(text)
        _refuse_unwritable(values)
    except (ValueError, RecursionError) as error:
        raise _invalid(name, "JSON", error) from error
    if not isinstance(values, dict):
        raise FileError(f"{name!r} must hold named settings, not a {type(values).__name__}.")
    return checked_settings(values)


def parse_toml(text: str, *, name: str) -> dict[str, Any]:
    """Read the text of a TOML file that may have been made to exhaust whoever reads it.

    Parameters
    ----------
    text
        What the file holds; its size is the caller's to limit.
    name
        Name of the file, for messages.

    Raises
    ------
    FileError
        If it is not TOML, or nested deeper than what people write.
    """
    try:
        if _DEEP_KEY.search(_NO_KEY.sub("text", text)):
            raise FileError(f"{name!r} is refused: a name in it has more parts than settings have.")
        values = tomllib.loads(text)
        _refuse_unwritable(values)
    except (ValueError, RecursionError) as error:
        raise _invalid(name, "TOML", error) from error
    return values


def _refuse_unwritable(values: Any) -> None:
    json.dumps(values, ensure_ascii=False, default=str).encode()  # as a page has to


def _invalid(name: str, format: str, error: Exception) -> FileError:
    reason = " ".join(str(error).split())[:200]
    return FileError(f"{name!r} is not valid {format}: {reason}.")


def checked_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with lists as lists and numbers of the right kind.

    Raises
    ------
    ParameterError
        If an entry is unknown or of the wrong type; ranges are checked by `RunParams.from_dict`.
    """
    top = {RunParams.written_as.get(f.name, f.name) for f in dataclasses.fields(RunParams)}
    _refuse_unknown(values, top, "")
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name == "method" and value is not None:
            if not isinstance(value, Mapping):
                raise ParameterError(f"{name} must be a group of settings, not {_short(value)}.")
            checked[name] = MethodParams.from_dict(value).to_dict()
        elif name not in GROUPS:
            checked[name] = _checked("", name, value, False if name == "condition" else None)
        elif not isinstance(value, Mapping):
            raise ParameterError(f"{name} must be a group of settings, not {_short(value)}.")
        else:
            fields = {f.name: f for f in dataclasses.fields(GROUPS[name])}
            _refuse_unknown(value, set(fields), name)
            checked[name] = {k: _checked(name, k, v, fields[k].default) for k, v in value.items()}
    return checked


def _refuse_unknown(values: Mapping[str, Any], known: set[str], group: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        place = f"in [{group}]" if group else "at the top"
        raise ParameterError(
            f"Unknown setting {_short(unknown[0])} {place}; known there: "
            f"{', '.join(sorted(known))}."
        )


def _checked(group: str, name: str, value: Any, default: Any) -> Any:
    if (group, name) in _ROWS:
        return value
    if (group, name) not in _LISTS:
        return _single(group, name, value, default)
    items = value if isinstance(value, list) else [value]
    return [_single(group, name, item, 0.0) for item in items]


def _single(group: str, name: str, value: Any, default: Any) -> Any:
    if value is None and default is None:
        return None
    if (group, name) in _TEXTS:
        kind, fits = "text", isinstance(value, str)
    elif isinstance(default, bool):
        kind, fits = "true or false", isinstance(value, bool)
    else:
        kind, fits = "a number", isinstance(value, int | float) and not isinstance(value, bool)
    if not fits:
        raise ParameterError(f"{name} must be {kind}, not {_short(value)}.")
    # 2 and 2.0 are the same setting, and must have the same name as a run.
    as_float = (
        isinstance(default, float) and isinstance(value, int) and abs(value) <= sys.float_info.max
    )
    return float(value) if as_float else value


def _line(name: str, value: Any) -> str:
    # JSON's text, numbers, truth values and lists are TOML's too, but for one control character.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _format(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in (".toml", ".json"):
        raise ParameterError(f"The settings file {path.name!r} must end in .toml or .json.")
    return ending[1:]
