"""Figures on paper, drawn by matplotlib."""
