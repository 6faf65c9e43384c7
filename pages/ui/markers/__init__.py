"""Sections of the Marker genes page: which genes, and which groups of cells."""
