"""Lives drawn by chance: what nobody thought of when writing a script.

Each is drawn from its number alone, so that both sides live the same one; what is drawn is in the notes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from edasim.conform.script import Kafka, script
from edasim.conform.scripts.transactions import COMMITTED, UNCOMMITTED, end, transactional
from edasim.conform.steps import (
    Member,
    committed,
    create,
    error_of,
    offsets,
    position,
    read_all,
    send,
    settle,
    values,
    wait,
)

STRATEGIES = ("range", "roundrobin", "cooperative-sticky")
LIVES = 6


def _lives(play: Callable[[Kafka, random.Random], None]) -> None:
    """Register a script for each number; the life's own docstring says what it observes."""
    for number in range(1, LIVES + 1):

        def life(kafka: Kafka, number: int = number) -> None:
            play(kafka, random.Random(number))

        life.__name__ = f"{play.__name__}_{number}"
        life.__doc__ = play.__doc__
        script()(life)


@_lives
def random_reader(kafka: Kafka, draw: random.Random) -> None:
    """Twenty steps of one group and its members: send, read, commit, seek, close; position and committed after each."""
    topic = create(kafka, "orders")
    send(kafka, topic, ["r0"])
    sent, reading = 1, _Reading(kafka, topic, "first")
    for turn in range(20):
        step = draw.choice(["send", "read", "read", "read", "commit", "commit offset", "seek", "close"])
        said: Any = None
        if step == "send":
            more = draw.randint(1, 9)
            send(kafka, topic, [f"r{number}" for number in range(sent, sent + more)])
            sent += more
        elif step == "read":
            said = reading.read(draw.randint(0, max(0, sent - reading.at)))
        elif step == "commit":
            said = error_of(kafka, lambda: reading.consumer.commit(asynchronous=False))  # noqa: B023
        elif step == "commit offset":
            reading.consumer.commit(offsets=[kafka.TopicPartition(topic, 0, draw.randint(0, sent))], asynchronous=False)
        elif step == "seek":
            reading.seek(draw.randint(0, sent))
        else:
            reading.consumer.close()
            reading = _Reading(kafka, topic, f"member-{turn}", sent)
        place = [position(kafka, reading.consumer, topic), committed(kafka, reading.consumer, topic)]
        kafka.note(f"{turn} {step}", [said, *place])


class _Reading:
    """A member that holds the partition, and the offset `at` which it reads next."""

    def __init__(self, kafka: Kafka, topic: str, name: str, sent: int = 1) -> None:
        self._kafka, self._topic = kafka, topic
        self._member = Member(kafka, name, [topic])
        self.consumer = self._member.consumer
        self.at = committed(kafka, self.consumer, topic) or 0
        # It joins by polling, and polling reads: the first record, if there is one.
        if self.at < sent:
            self.read(1)
        else:
            settle(kafka, [self._member], 1)

    def read(self, count: int) -> list[int]:
        """Read so many records: their offsets."""
        found = offsets(self._member.take(count))
        self.at = found[-1] + 1 if found else self.at
        return found

    def seek(self, offset: int) -> None:
        """Go there."""
        self.consumer.seek(self._kafka.TopicPartition(self._topic, 0, offset))
        self.at = offset


@_lives
def random_group(kafka: Kafka, draw: random.Random) -> None:
    """Members of a group join and leave in any order, reading the same or different topics: who holds what."""
    strategy = draw.choice(STRATEGIES)
    counts = {name: draw.randint(1, 5) for name in ("orders", "payments", "shipments")[: draw.randint(1, 3)]}
    topics = {name: create(kafka, name, count) for name, count in counts.items()}
    kafka.note("strategy", [strategy, counts])
    alike = strategy == "cooperative-sticky" or draw.random() < 0.5
    members: list[Member] = []
    for turn in range(6):
        if len(members) < 2 or draw.random() < 0.6:
            wanted = [name for name in topics if alike or draw.random() < 0.6] or [next(iter(topics))]
            conf = {"partition.assignment.strategy": strategy}
            # Members are divided in the order of their ids, which begin with these names.
            name = f"{draw.choice('abcdefgh')}{turn}"
            members.append(Member(kafka, name, [topics[each] for each in wanted], conf=conf))
        else:
            members.pop(draw.randrange(len(members))).consumer.close()
        read = {topic for member in members for topic in member.topics}
        partitions = sum(counts[name] for name, full in topics.items() if full in read)
        kafka.note(f"{turn}", settle(kafka, members, partitions, calm_s=1.0))


@_lives
def random_transactions(kafka: Kafka, draw: random.Random) -> None:
    """Three transactional producers and a plain one in any order: what both kinds of readers see and where they end."""
    topic = create(kafka, "orders")
    producers = [transactional(kafka, name) for name in ("one", "two", "three")]
    begun: dict[int, int | None] = {}
    log_end = 0
    for turn in range(16):
        chosen = draw.randrange(4)
        if chosen == 3:
            send(kafka, topic, [f"plain-{turn}"])
            log_end += 1
        elif chosen not in begun:
            producers[chosen].begin_transaction()
            begun[chosen] = None
        elif draw.random() < 0.6:
            producers[chosen].produce(topic, value=f"{chosen}-{turn}")
            producers[chosen].flush(30)
            begun[chosen] = log_end if begun[chosen] is None else begun[chosen]
            log_end += 1
        else:
            one = producers[chosen]
            (one.commit_transaction if draw.random() < 0.6 else one.abort_transaction)(30)
            log_end += begun.pop(chosen) is not None
        _ends(kafka, topic, min([first for first in begun.values() if first is not None], default=log_end), log_end)
        kafka.note(f"{turn} ends", [end(kafka, topic, COMMITTED), end(kafka, topic, UNCOMMITTED)])
    for level in (COMMITTED, UNCOMMITTED):
        found = read_all(kafka, topic, conf=level)
        kafka.note(level["isolation.level"], [list(each) for each in zip(offsets(found), values(found), strict=True)])


def _ends(kafka: Kafka, topic: str, stable: int, log_end: int) -> None:
    """Wait until the markers are written and seen."""
    wait(
        kafka,
        lambda: (end(kafka, topic, COMMITTED), end(kafka, topic, UNCOMMITTED)) == (stable, log_end),
        f"last stable offset {stable} and high watermark {log_end}",
    )
