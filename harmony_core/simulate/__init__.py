"""Simulated cells with known truth."""

from harmony_core.simulate.cells import Scenario, simulate, to_anndata

__all__ = ["Scenario", "simulate", "to_anndata"]
