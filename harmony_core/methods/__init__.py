"""Functions on arrays that make a run, from quality control to marker genes."""
