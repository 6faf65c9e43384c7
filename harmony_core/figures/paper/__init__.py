"""Figures on paper (matplotlib)."""
