"""What a conformance script is: a function that uses a Kafka client's verbs and notes what it observes.

A script is written once and runs on either side: `kafka` is the real client (edasim.conform.real) or the simulated
one (edasim.conform.simulated). Both offer confluent-kafka's names (`kafka.Producer(conf)`, `kafka.Consumer(conf)`,
`kafka.AdminClient(conf)`, `kafka.NewTopic`, `kafka.TopicPartition`, `kafka.KafkaException`, ...) and the verbs of
`Kafka` below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

Note = tuple[str, Any]
Trace = list[Note]


class Kafka(Protocol):
    """What both sides offer beside the client's own names."""

    replicas: int
    """The replication factor that topics get: 3, or the number of brokers if that is smaller."""

    def __getattr__(self, name: str) -> Any:
        """A name of the client: Producer, Consumer, AdminClient, NewTopic, TopicPartition, KafkaException, ..."""

    def name(self, plain: str) -> str:
        """A topic, group or transactional id that no other run uses; notes show the plain name again."""

    def note(self, label: str, value: Any) -> None:
        """Record an observation: a plain JSON value, free of anything that differs between two runs."""

    def sleep(self, seconds: float) -> None:
        """Let time pass: real time, or simulated time."""

    @property
    def now_ms(self) -> int:
        """The time in milliseconds since 1970, as producers put it on their records."""

    def crash(self, client: Any) -> None:
        """The producer or consumer is gone without a goodbye: nothing is flushed, committed or left."""

    def leader(self, topic: str, partition: int) -> int:
        """The number of the broker that leads a partition; -1 if none does."""

    def in_sync(self, topic: str, partition: int) -> list[int]:
        """The numbers of the brokers in the ISR of a partition, ascending."""

    def kill_broker(self, broker: int) -> None:
        """A broker dies without a goodbye."""

    def stop_broker(self, broker: int) -> None:
        """A broker hands over its leaderships and leaves."""

    def start_broker(self, broker: int) -> None:
        """A broker comes back with the data it had, once it serves again."""

    def freeze_broker(self, broker: int) -> None:
        """A broker stands still: it neither answers nor forgets."""

    def thaw_broker(self, broker: int) -> None:
        """A broker that stood still goes on."""

    def eligible_leaders(self, topic: str, partition: int) -> list[int]:
        """The eligible leader replicas of a partition (KIP-966), ascending."""


NOTHING, SETTINGS, BROKERS = "nothing", "settings", "brokers"


@dataclass(frozen=True)
class Script:
    """A named script with the sentence that says what it observes, and what it needs of the cluster.

    `needs` is "nothing" (any cluster), "settings" (the short times of edasim.conform.settings) or "brokers" (those,
    and three brokers that the script may kill).
    """

    name: str
    sentence: str
    play: Callable[[Kafka], None]
    needs: str


SCRIPTS: dict[str, Script] = {}


def script(needs: str = NOTHING) -> Callable[[Callable[[Kafka], None]], Callable[[Kafka], None]]:
    """Register a function as a script; `read_committed` is called read-committed."""

    def registered(play: Callable[[Kafka], None]) -> Callable[[Kafka], None]:
        name = play.__name__.replace("_", "-")
        sentence = " ".join((inspect.getdoc(play) or "").split())
        assert name not in SCRIPTS and sentence, name
        SCRIPTS[name] = Script(name, sentence, play, needs)
        return play

    return registered


class UnknownScript(ValueError):
    """No script has that name; the text lists the nearest ones."""


def chosen(names: Iterable[str] | None = None) -> list[Script]:
    """The scripts with these names, or all; those that kill brokers come last."""
    import difflib

    from edasim.conform import scripts

    assert scripts.__all__
    wanted = list(names or SCRIPTS)
    for name in wanted:
        if name not in SCRIPTS:
            near = difflib.get_close_matches(name, SCRIPTS, 3) or sorted(SCRIPTS)[:3]
            raise UnknownScript(f"There is no script {name!r}; there are {', '.join(near)} and others (--list).")
    return sorted((SCRIPTS[name] for name in wanted), key=lambda one: one.needs == BROKERS)


class NotReached(Exception):
    """A script waited for something that did not come; the trace ends there."""


NOT_REACHED, FAILED = "not reached", "failed"


def play(script: Script, kafka: Kafka) -> None:
    """Play a script; where it broke off, its last note says why."""
    try:
        script.play(kafka)
    except NotReached as error:
        kafka.note(NOT_REACHED, str(error))
    except Exception as error:
        kafka.note(FAILED, f"{type(error).__name__}: {error}")


def broke_off(trace: Trace) -> bool:
    """Whether a script waited in vain, or raised an error."""
    return bool(trace) and trace[-1][0] in (NOT_REACHED, FAILED)
