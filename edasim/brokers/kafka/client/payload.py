"""What a record carries for applications.  The engine only knows its size and key; the rest is kept beside it."""
from __future__ import annotations

from edasim.brokers.kafka.client.errors import KafkaError
from edasim.brokers.kafka.client.values import TIMESTAMP_CREATE_TIME, Headers, Message

MS = 1_000_000


class Payload:
    """Key, value, headers and timestamp (milliseconds since 1970) of one record; `size` counts bytes."""

    __slots__ = ("headers", "key", "size", "time_ms", "value")

    def __init__(self, key: bytes | None, value: bytes | None, headers: Headers | None, time_ms: int) -> None:
        self.key = key
        self.value = value
        self.headers = headers
        self.time_ms = time_ms
        self.size = len(key or b"") + len(value or b"")

    @property
    def engine_key(self) -> str | None:
        """The key as the engine tells keys apart: one character a byte."""
        return None if self.key is None else self.key.decode("latin-1")

    def message(self, topic: str, partition: int, offset: int, error: KafkaError | None = None,
                latency_s: float | None = None, timestamp: tuple[int, int] | None = None) -> Message:
        """The record as applications see it."""
        return Message(topic, self.value, self.key, self.headers, error, partition=partition, offset=offset,
                       timestamp=timestamp or (TIMESTAMP_CREATE_TIME, self.time_ms), latency=latency_s)
