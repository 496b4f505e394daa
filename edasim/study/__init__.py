"""Many runs: comparisons and the statistics that make them hold."""
