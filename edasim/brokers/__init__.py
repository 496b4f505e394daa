"""The message brokers, by their own names, options and defaults."""
