"""librdkafka's partitioners: by a hash of the key, or at random, staying with one partition for a moment.

Source: librdkafka, rdkafka_msg.c (rd_kafka_msg_partitioner and those beneath it).
"""
from __future__ import annotations

from zlib import crc32

from edasim.brokers.kafka.partitioner import murmur2
from edasim.core.draws import SequentialDraw

WORD = 0xFFFFFFFF


def fnv1a(data: bytes) -> int:
    """FNV-1a of 32 bits, without its sign.  Source: Fowler, Noll and Vo, RFC 9923."""
    mixed = 0x811C9DC5
    for byte in data:
        mixed = ((mixed ^ byte) * 0x01000193) & WORD
    return (1 << 32) - mixed if mixed >> 31 else mixed


def hash_of(kind: str, key: bytes) -> int:
    """What a partitioner makes of a key; the remainder by the number of partitions is its partition."""
    if kind.startswith("murmur2"):
        return murmur2(key) & 0x7FFFFFFF
    if kind.startswith("fnv1a"):
        return fnv1a(key)
    return crc32(key)


class Partitioner:
    """Chooses partitions for one producer.  `sticky_ns` is sticky.partitioning.linger.ms."""

    def __init__(self, kind: str, sticky_ns: int, luck: SequentialDraw) -> None:
        self.kind = kind
        self.sticky_ns = sticky_ns
        self._luck = luck
        self._sticky: dict[str, tuple[int, int]] = {}

    def choose(self, topic: str, key: bytes | None, partitions: int, now_ns: int) -> int:
        """The partition of a record among `partitions`."""
        if self.kind != "random" and (key is None or (not key and self.kind == "consistent_random")):
            return self._stay(topic, partitions, now_ns)
        if self.kind == "random" or (key is None and self.kind.endswith("_random")):
            return self._any(partitions)
        return hash_of(self.kind, key or b"") % partitions

    def _any(self, partitions: int) -> int:
        return int(self._luck.draw() * partitions)

    def _stay(self, topic: str, partitions: int, now_ns: int) -> int:
        chosen, since_ns = self._sticky.get(topic, (-1, 0))
        if chosen < 0 or chosen >= partitions or now_ns - since_ns >= max(1, self.sticky_ns):
            chosen = self._any(partitions)
            self._sticky[topic] = (chosen, now_ns)
        return chosen
