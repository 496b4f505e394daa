"""Random ids: how likely two of them are alike, so that a message is taken for a repetition of another one.

The birthday law, P = 1 - exp(-n (n - 1) / 2 / 2^bits), is exact to the last digits where ids are few beside 2^bits.
Source: Knuth, "The Art of Computer Programming", vol. 3, section 6.4.
"""
from __future__ import annotations

import math


def collision_probability(ids: int, bits: int) -> float:
    """The chance that among so many random ids of so many bits two are alike."""
    if ids < 0 or bits < 1:
        raise ValueError(f"{ids} ids of {bits} bits are not possible: give 0 ids or more, of at least 1 bit")
    return -math.expm1(-math.ldexp(ids * (ids - 1) / 2, -bits))


def ids_until_collision(probability: float, bits: int) -> int:
    """The fewest random ids of so many bits among which two are alike with at least this chance, below 1."""
    if not 0 <= probability < 1 or bits < 1:
        raise ValueError(f"a chance of {probability} with {bits} bits is not possible: give one below 1, and a bit")
    pairs = math.ldexp(-math.log1p(-probability), bits)
    return max(0, math.ceil(0.5 + math.sqrt(0.25 + 2 * pairs))) if pairs else 0
