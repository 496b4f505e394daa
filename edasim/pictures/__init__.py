"""Pictures of who talks to whom, with NetworkX and Matplotlib."""
