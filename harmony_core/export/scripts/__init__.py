"""Scripts that repeat a run without us."""
