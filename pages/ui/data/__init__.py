"""Sections of the Data page, from the choice of files to quality control and components."""
