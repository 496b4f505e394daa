"""What an availability allows: the downtime budget of a service-level objective.

Source: Beyer et al. (eds.), "Site Reliability Engineering", 2016, chapter 3 and appendix A.
"""
from __future__ import annotations

from decimal import Decimal


def downtime_ns(availability: float, period_ns: int) -> int:
    """How long something may be down within a period (nanoseconds) to be available for this share of it, 0 to 1."""
    if not 0 <= availability <= 1:
        raise ValueError(f"an availability of {availability} is not possible: it is a share from 0 to 1")
    # In decimals, so that 99.9% leaves a thousandth and not a little more.
    return round((1 - Decimal(repr(float(availability)))) * period_ns)
