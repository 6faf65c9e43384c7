"""Expression matrices, some cells or some genes at a time."""
