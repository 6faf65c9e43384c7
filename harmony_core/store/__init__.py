"""Datasets and results of stages on disk."""

from harmony_core._typing import Arrays
from harmony_core.store.dataset import Dataset
from harmony_core.store.files import write_json
from harmony_core.store.info import DatasetInfo
from harmony_core.store.keys import StageKey, StageResult, digest
from harmony_core.store.store import HOME_VARIABLE, Store

__all__ = [
    "HOME_VARIABLE",
    "Arrays",
    "Dataset",
    "DatasetInfo",
    "StageKey",
    "StageResult",
    "Store",
    "digest",
    "write_json",
]
