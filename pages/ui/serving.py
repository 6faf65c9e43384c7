"""What the server does before its first page and after its last."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

import pages.ui
from harmony_core.figures.screen.convergence import convergence_curve

_IMPORTED_LATE = ("h5py", "pyarrow.dataset", "pyarrow.parquet", "streamlit.emojis")
"""What every first page imports through Streamlit, pandas and the core only when it is used."""


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Import what pages need, and close what they have started when the server ends."""
    from pages.ui import garbage, services, sockets

    garbage.share_one_heap()
    _import_parts()
    garbage.freeze()
    sockets.send_at_once()
    services.start()
    try:
        yield
    finally:
        services.close()


def _import_parts() -> None:
    """Import everything that pages use, while nobody waits for a page yet."""
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(pages.ui.__path__, f"{pages.ui.__name__}."):
        importlib.import_module(module.name)
    convergence_curve([1.0, 0.5], "").to_json()  # plotly imports the rest with a figure
