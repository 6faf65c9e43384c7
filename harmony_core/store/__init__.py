"""Datasets and results of stages on disk."""

from harmony_core.store.store import Arrays, Dataset, StageKey, StageResult, Store

__all__ = ["Arrays", "Dataset", "StageKey", "StageResult", "Store"]
