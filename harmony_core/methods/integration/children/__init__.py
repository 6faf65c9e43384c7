"""Scripts that another interpreter runs: they import nothing of Harmony Explorer's."""
