"""Stream processing in its simplest form: how many records of each key there were in each window of time.

Windows are tumbling: they have one length, one begins where the other ends, and a record belongs to the one in which
its own timestamp lies (event time), however late it comes.  Time goes on with the records alone: stream time is the
largest timestamp that a partition has shown.  A window takes late records until stream time has reached its end and
the grace beyond it; what comes then is dropped and counted.  Each change of a count goes to a changelog, so that the
table can be built again: from its changelog, of which the last value of each key is enough, or by replay of the topic.

Sources in apache/kafka: TimeWindows.ofSizeAndGrace, KStreamWindowAggregate (observedStreamTime, windowCloseTime); each
partition is a task of its own.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edasim.core.quantity import duration_ns
from edasim.simulate import Run


class Seen(NamedTuple):
    """A record as a stream processor sees it; `time_ns` is its timestamp, when what it tells of happened."""

    partition: str
    key: str | None
    time_ns: int


class Update(NamedTuple):
    """A new count of a key in the window that begins at `start_ns`: one record of the changelog."""

    key: str
    start_ns: int
    number: int


Table = dict[tuple[str, int], int]
"""{(key, start of the window in nanoseconds): how many}."""


class WindowedCount:
    """Counts by key and window.  `size` and `grace` are durations, such as "10s" and "2s".

    `late` is how many records came after their window had closed, `changelog` what became known, in order.
    """

    def __init__(self, size: str, grace: str = "0s") -> None:
        self.size_ns, self.grace_ns = duration_ns(size), duration_ns(grace)
        if self.size_ns <= 0:
            raise ValueError(f"a window has a length, and not {size}")
        self.table: Table = {}
        self.changelog: list[Update] = []
        self.late = 0
        self.stream_time_ns: dict[str, int] = {}
        """By partition, the largest timestamp so far."""

    def handle(self, record: Seen) -> Update | None:
        """Count a record; None for one that is late, or without a key."""
        if record.key is None:
            return None
        stream_ns = max(record.time_ns, self.stream_time_ns.get(record.partition, 0))
        self.stream_time_ns[record.partition] = stream_ns
        start_ns = record.time_ns // self.size_ns * self.size_ns
        if start_ns + self.size_ns <= stream_ns - self.grace_ns:
            self.late += 1
            return None
        place = (record.key, start_ns)
        self.table[place] = self.table.get(place, 0) + 1
        update = Update(record.key, start_ns, self.table[place])
        self.changelog.append(update)
        return update

    def replay(self, records: Iterable[Seen]) -> WindowedCount:
        """Count many, in the order of their offsets; returns itself."""
        for record in records:
            self.handle(record)
        return self


def restored(changelog: Iterable[Update]) -> Table:
    """The table that a changelog stands for: the last count of each key and window, which compaction keeps."""
    return {(update.key, update.start_ns): update.number for update in changelog}


def topic_of(run: Run, event: str) -> Iterator[Seen]:
    """What a run on Kafka appended to the topic of an event type and no transaction aborted, in order."""
    if run.architecture != "kafka":
        raise ValueError(f"a run on {run.architecture} has no topics: simulate it on kafka")
    records: dict[int, Seen] = {}
    copies: dict[tuple[str, int], list[int]] = {}
    for row, fact in enumerate(run.journal):
        if fact.place.kind != "partition" or fact.place.name.rpartition("-")[0] != event:
            continue
        # A message that is published again after an abort is the same message, at another offset.
        appended = copies.setdefault((fact.place.name, fact.number), [])
        if fact.verb == "appended":
            message = run.messages[fact.number]
            records[row] = Seen(fact.place.name, message.key, message.time_ns)
            appended.append(row)
        elif fact.verb == "aborted":
            del records[appended.pop()]
    return iter(records.values())
