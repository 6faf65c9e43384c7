"""Sections of the Export page: a card for each format."""
