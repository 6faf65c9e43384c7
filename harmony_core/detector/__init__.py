"""Finds over-correction without labels.

`states` are found within each batch of the uncorrected data (its pre-clusters), `reference`
describes them, `scores` measures what a run did to them, `flagging` says which count against it.
"""
