"""Does the simulated broker behave like the real one? The same scripts run on both, and their traces are compared."""
