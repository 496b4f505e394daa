"""Charts of runs and comparisons, with Matplotlib."""
