"""What an admin client's requests about groups do at their coordinators."""
from __future__ import annotations
