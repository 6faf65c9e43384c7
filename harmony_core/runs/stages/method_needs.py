"""What a method of others needs of the data, checked before anything is spent on it.

Light on purpose: pages ask before they offer a method.
"""

from __future__ import annotations

from collections.abc import Mapping

from harmony_core.errors import BatchError, DataError
from harmony_core.io.memory import free_memory
from harmony_core.method_params import MethodParams
from harmony_core.store.info import DatasetInfo


def check_needs(
    params: MethodParams, info: DatasetInfo, batch: str, sizes: Mapping[str, int]
) -> None:
    """Refuse data that a method can't correct.

    Parameters
    ----------
    params
        The method and its settings.
    info
        Of the dataset.
    batch
        Name of the batch variable, or of the combination of several.
    sizes
        Cells of each of its levels.

    Raises
    ------
    BatchError
        If a batch has too few cells for the method.
    DataError
        If there are no counts or expression values where it needs them, or too little memory.
    """
    title = params.method.title
    if params.method.needs == "counts" and info.kind != "counts":
        raise DataError(
            f"{title} needs counts, and these data have none; load the file that has the counts, "
            "or choose a method that takes an embedding."
        )
    if params.method.needs == "expression" and info.kind in ("none", "scaled"):
        raise DataError(
            f"{title} needs expression values, and these data have none that were not scaled; "
            "choose a method that takes an embedding, or load the counts."
        )
    _check_batches(params, batch, sizes)
    _check_memory(params, sum(sizes.values()))


def _check_batches(params: MethodParams, batch: str, sizes: Mapping[str, int]) -> None:
    method = params.method
    least = max(method.least_cells, int(params.values.get(method.neighbors, 0)))
    small = min(sizes, key=lambda level: sizes[level], default=None)
    if small is None or sizes[small] >= least:
        return
    lower = f"lower {method.neighbors} or " if method.neighbors in params.values else ""
    raise BatchError(
        f"{method.title} needs {least} cells of each batch, and “{small}” in “{batch}” has "
        f"{sizes[small]}; {lower}leave that batch out."
    )


def _check_memory(params: MethodParams, n_cells: int) -> None:
    needed, free = params.method.bytes_per_cell * n_cells, free_memory()
    if needed > free:
        raise DataError(
            f"{params.method.title} needs about {needed / 1e9:,.1f} GB of memory for {n_cells:,} "
            f"cells, and {free / 1e9:,.1f} GB are free; take a sample of the cells, or a machine "
            "with more memory."
        )
