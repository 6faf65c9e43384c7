"""Sections of the Tune page: controls, the run under way, pictures, replay, search, comparison."""
