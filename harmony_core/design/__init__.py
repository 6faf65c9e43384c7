"""What the table of cells says before any run."""
