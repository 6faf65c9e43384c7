"""Figures of a run: on `screen` with plotly, on `paper` with matplotlib, from one `summary`."""
