"""Metrics as functions on arrays: mixing, conservation, movement, composition, kBET, scIB."""
