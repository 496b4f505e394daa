"""edasim, the flight simulator for event-driven architecture."""
