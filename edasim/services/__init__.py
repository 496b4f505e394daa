"""Business capabilities, their workers, and how work fails and is tried again."""
