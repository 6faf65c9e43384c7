"""Runs: the `stages` they consist of, the `plan` of their keys, the `pipeline`, the `results`."""
