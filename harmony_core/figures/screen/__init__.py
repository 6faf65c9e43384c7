"""Charts on screen, drawn by plotly; the cells on Tune are drawn by ``pages/ui/linked_view``."""
