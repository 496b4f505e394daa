"""How one workload is wired in each architecture."""
