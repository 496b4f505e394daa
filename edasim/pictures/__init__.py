"""Pictures of who talks to whom and of one order's journey, with NetworkX and Matplotlib."""

from edasim.pictures.journey import journey, journeys
from edasim.pictures.topology import topology

__all__ = ["journey", "journeys", "topology"]
