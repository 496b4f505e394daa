"""What a client knows of topics: it asks the cluster, remembers the answer for a while, and waits for what is new."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edasim.brokers.kafka.client.configuration import Configuration
from edasim.core.link import CALL, Call, Link

if TYPE_CHECKING:
    from edasim.brokers.kafka.client.simulated import SimulatedKafka

MS = 1_000_000
Told = Callable[[str, int], None]
"""Told a topic and its number of partitions, 0 when there is none."""


class Knowledge:
    """The topics that one client has asked for; `partitions[topic]` is their number, 0 for a topic that is not there.

    A topic that is not there is asked for again until topic.metadata.propagation.max.ms is over; what is known is
    asked anew every topic.metadata.refresh.interval.ms.  Source: librdkafka, rd_kafka_topic_set_notexists.
    """

    def __init__(self, kafka: SimulatedKafka, links: tuple[Link, Link], conf: Configuration, creates: bool,
                 told: Told) -> None:
        self.kafka = kafka
        self.clock = kafka.world.clock
        self.there, self.back = links
        self.creates = creates
        self.told = told
        self.partitions: dict[str, int] = {}
        self.alive = True
        self._patience_ns: int = conf["topic.metadata.propagation.max.ms"] * MS
        self._refresh_ns: int = conf["topic.metadata.refresh.interval.ms"] * MS
        self._backoff_ns: int = conf["retry.backoff.ms"] * MS
        self._since_ns: dict[str, int] = {}

    def want(self, topic: str) -> int | None:
        """The number of partitions, or None while nobody knows; then `told` will be."""
        if topic not in self._since_ns:
            self._since_ns[topic] = self.clock.now_ns
            self._ask(topic)
        return self.partitions.get(topic)

    def _ask(self, topic: str) -> None:
        if not self.alive:
            return

        def at_broker(_: None) -> None:
            count = self.kafka.partition_count(topic, create=self.creates)
            self.back.send(Call(self._answered, (topic, count)), CALL)

        self.there.send(Call(at_broker, None), CALL)

    def _answered(self, answer: tuple[str, int]) -> None:
        topic, count = answer
        waited_ns = self.clock.now_ns - self._since_ns[topic]
        if not count and waited_ns < self._patience_ns:
            self.clock.at(self.clock.now_ns + self._backoff_ns, lambda: self._ask(topic))
            return
        before = self.partitions.get(topic)
        self.partitions[topic] = count
        if count and self._refresh_ns > 0:
            self.clock.at(self.clock.now_ns + self._refresh_ns, lambda: self._ask(topic))
        elif not count:
            del self._since_ns[topic]
        if count != before:
            self.told(topic, count)
