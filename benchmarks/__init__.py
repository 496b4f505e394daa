"""How fast edasim is beside two plain models of the same work; nothing of it is part of the package."""
