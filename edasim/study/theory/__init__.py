"""What queueing theory says of a scenario before it runs: formulas, the model that is closest, what breaks it."""
