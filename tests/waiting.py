"""Waiting for other processes, on machines of any speed."""

from __future__ import annotations

import os
import time
from pathlib import Path


def until_it_has_computed(process: int, seconds: float) -> None:
    """Wait until a process has had so much processor time (a minute at the longest)."""
    ticks = os.sysconf("SC_CLK_TCK")
    for _ in range(600):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) + int(fields[12]) > seconds * ticks:
            return
        time.sleep(0.1)
