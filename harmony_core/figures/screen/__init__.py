"""Figures on screen (plotly)."""
