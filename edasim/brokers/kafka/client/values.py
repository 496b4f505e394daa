"""The values that clients take and give: places in partitions, and messages."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edasim.brokers.kafka.client.errors import KafkaError

OFFSET_BEGINNING = -2
"""The first offset of a partition, whatever it is."""
OFFSET_END = -1
"""The end of a partition."""
OFFSET_STORED = -1000
"""The offset that the group has committed; without one, auto.offset.reset decides."""
OFFSET_INVALID = -1001
"""No offset."""
LOGICAL = {OFFSET_BEGINNING: "OFFSET_BEGINNING", OFFSET_END: "OFFSET_END", OFFSET_STORED: "OFFSET_STORED",
           OFFSET_INVALID: "OFFSET_INVALID"}

TIMESTAMP_NOT_AVAILABLE, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME = 0, 1, 2

Headers = list[tuple[str, bytes | None]]


class TopicPartition:
    """A partition of a topic, and mostly an offset in it.  Two are equal when topic and partition are."""

    __slots__ = ("error", "leader_epoch", "metadata", "offset", "partition", "topic")

    def __init__(self, topic: str, partition: int = -1, offset: int = OFFSET_INVALID, metadata: str | None = None,
                 leader_epoch: int | None = None) -> None:
        if not isinstance(topic, str):
            raise TypeError(f"a topic is a str, not {type(topic).__name__}")
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
        self.leader_epoch = leader_epoch
        self.error: KafkaError | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What tells partitions apart."""
        return self.topic, self.partition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicPartition) and self.place == other.place

    def __lt__(self, other: TopicPartition) -> bool:
        return self.place < other.place

    def __hash__(self) -> int:
        return hash(self.place)

    def __repr__(self) -> str:
        offset = LOGICAL.get(self.offset, self.offset)
        return (f"TopicPartition{{topic={self.topic},partition={self.partition},offset={offset},"
                f"leader_epoch={self.leader_epoch},error={self.error}}}")


class Message:
    """A record, or (`error()` is not None) an event of a consumer such as the end of a partition."""

    def __init__(self, topic: str | None = None, value: bytes | None = None, key: bytes | None = None,  # noqa: PLR0913
                 headers: Headers | None = None, error: KafkaError | None = None, *, partition: int | None = None,
                 offset: int | None = None, timestamp: tuple[int, int] = (TIMESTAMP_NOT_AVAILABLE, -1),
                 latency: float | None = None) -> None:
        self._topic = topic
        self._value = error.str().encode() if error is not None and value is None else value
        self._key = key
        self._headers = headers
        self._error = error
        self._partition = partition
        self._offset = offset
        self._timestamp = timestamp
        self._latency = latency

    def topic(self) -> str | None:
        """The name of the topic."""
        return self._topic

    def partition(self) -> int | None:
        """The number of the partition; None when none was chosen."""
        return None if self._partition is None or self._partition < 0 else self._partition

    def offset(self) -> int | None:
        """The offset; None when it is not known, as after acks=0."""
        return None if self._offset is None or self._offset < 0 else self._offset

    def key(self) -> bytes | None:
        """The key as bytes, None without one."""
        return self._key

    def value(self) -> bytes | None:
        """The value as bytes; None is a tombstone."""
        return self._value

    def headers(self) -> Headers | None:
        """(name, value) pairs in the order in which they were given; None without any."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds since 1970); kind is TIMESTAMP_CREATE_TIME or TIMESTAMP_LOG_APPEND_TIME."""
        return self._timestamp

    def latency(self) -> float | None:
        """In a delivery report: how many seconds lay between produce() and the answer."""
        return self._latency

    def leader_epoch(self) -> int | None:
        """Not modelled: None."""
        return None

    def error(self) -> KafkaError | None:
        """None for a record."""
        return self._error

    def set_key(self, key: bytes | None) -> None:
        """Put another key in its place."""
        self._key = key

    def set_value(self, value: bytes | None) -> None:
        """Put another value in its place."""
        self._value = value

    def set_headers(self, headers: Headers | None) -> None:
        """Put other headers in their place."""
        self._headers = headers

    def __len__(self) -> int:
        return len(self._value) if self._value else 0

    def __repr__(self) -> str:
        if self._error is not None:
            return f"<Message error {self._error.name()}: {self._error.str()}>"
        return f"<Message {self._topic} [{self._partition}] @ {self._offset} key={self._key!r} value={self._value!r}>"


def as_bytes(value: Any) -> bytes | None:
    """A key or value as bytes: text is encoded as UTF-8; TypeError for anything else."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'") from None


def as_headers(headers: Any) -> Headers | None:
    """Headers from a list of pairs or a dict; None without any."""
    if not headers:
        return None
    pairs: Iterable[Sequence[Any]] = headers.items() if isinstance(headers, dict) else headers
    found: Headers = []
    for name, value in pairs:
        if value is not None and not isinstance(value, (str, bytes)):
            raise TypeError(f"a header's value is None, bytes or str, not {type(value).__name__}")
        found.append((name, as_bytes(value)))
    return found


def checked_places(places: Any) -> list[TopicPartition]:
    """A list of TopicPartition; TypeError for anything else."""
    if not isinstance(places, (list, tuple)) or not all(isinstance(one, TopicPartition) for one in places):
        raise TypeError("expected a list of TopicPartition")
    return list(places)
