"""Scripts that repeat a run with public libraries; their text is in ``export/templates``."""
