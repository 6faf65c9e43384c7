"""The study's design, from the table of cells alone: confounding, and which columns to correct."""
