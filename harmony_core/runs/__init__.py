"""Runs: which stages they consist of, their results, and how they compare."""
