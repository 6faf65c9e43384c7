"""Who computes what, when, and for whom."""
