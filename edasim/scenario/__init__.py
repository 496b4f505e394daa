"""A scenario: the immutable value that says what exists and for how long."""
