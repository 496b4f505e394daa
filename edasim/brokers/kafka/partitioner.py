"""Which partition a key belongs to: Kafka's default partitioner.

Equal keys always meet in one partition, which is what keeps their records in order. Adding partitions changes
the divisor and so moves keys. Source: apache/kafka, Utils.murmur2 and BuiltInPartitioner.partitionForKey; the
hash is Austin Appleby's MurmurHash2 (public domain) with Kafka's seed.
"""

from __future__ import annotations

from struct import unpack

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
WORD = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The hash of some bytes as a signed number of 32 bits, as Java shows it."""
    length = len(data)
    words, rest = divmod(length, 4)
    mixed = SEED ^ length
    for word in unpack(f"<{words}I", data[: words * 4]):
        word = (word * MULTIPLIER) & WORD
        word = ((word ^ (word >> 24)) * MULTIPLIER) & WORD
        mixed = ((mixed * MULTIPLIER) & WORD) ^ word
    if rest:
        mixed ^= int.from_bytes(data[-rest:], "little")
        mixed = (mixed * MULTIPLIER) & WORD
    mixed ^= mixed >> 13
    mixed = (mixed * MULTIPLIER) & WORD
    mixed ^= mixed >> 15
    return mixed - (1 << 32) if mixed >> 31 else mixed


def partition_for(key: str | bytes, partitions: int) -> int:
    """The partition of a key among `partitions` of a topic; a text is hashed as its UTF-8 bytes."""
    assert partitions >= 1, "a topic has at least one partition"
    data = key.encode() if isinstance(key, str) else key
    return (murmur2(data) & 0x7FFFFFFF) % partitions
