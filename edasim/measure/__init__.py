"""Numbers as pure functions of a run's journal."""
