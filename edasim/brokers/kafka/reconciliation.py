"""How a broker brings the members of a group from what they read to what they are to read, one by one (KIP-848).

There is no barrier: each member is told with its own heartbeats what to let go; when it has said that it did, it goes
to the next epoch, and what it let go is free for whoever is to have it.  Sources in apache/kafka:
CurrentAssignmentBuilder, TargetAssignmentBuilder, ConsumerGroup and GroupMetadataManager.consumerGroupHeartbeat.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from edasim.brokers.kafka.assignors import Assignment, TopicPartition

Divide = Callable[[Mapping[str, "str | None"], Mapping[str, Collection[str]], Assignment], Assignment]
"""From members with their instances, their subscriptions and the target until now to the new target."""


class State(Enum):
    """How far a member has come on the way to the target."""

    STABLE = "it has what it is to have"
    UNREVOKED = "it has still to let go of something"
    UNRELEASED = "it waits for something that another member has still to let go"


@dataclass
class Seat:
    """What the coordinator knows of one member."""

    name: str
    instance: str | None
    subscribed: tuple[str, ...]
    epoch: int = 0
    previous_epoch: int = -1
    state: State = State.STABLE
    assigned: set[TopicPartition] = field(default_factory=set)
    letting_go: set[TopicPartition] = field(default_factory=set)


@dataclass(frozen=True)
class Answer:
    """The answer to a heartbeat; `assignment` is None where it is as the member was told last."""

    epoch: int
    assignment: frozenset[TopicPartition] | None


class Reconciliation:
    """The members of one group, the `target` for its `epoch`, and how far each member is from it.

    Two members never have a partition at the same time: it is given only when nobody has it any more.
    """

    def __init__(self, divide: Divide) -> None:
        self._divide = divide
        self.seats: dict[str, Seat] = {}
        self.epoch = 0
        self.target: Assignment = {}

    # --- members that come and go -----------------------------------------------------------------------------

    def begin(self, instances: Mapping[str, str | None], subscribed: tuple[str, ...]) -> None:
        """These members have what they are to have: how a group stands that is there from the beginning."""
        self.seats = {name: Seat(name, instance, subscribed) for name, instance in instances.items()}
        self.divide()
        for name, seat in self.seats.items():
            seat.assigned, seat.epoch = set(self.target[name]), self.epoch

    def join(self, name: str, instance: str | None, subscribed: tuple[str, ...]) -> None:
        """A member with epoch 0; one that is known begins anew without anything."""
        self.seats[name] = Seat(name, instance, subscribed)
        self.divide()

    def of_instance(self, instance: str | None) -> Seat | None:
        """The seat of a group.instance.id."""
        return next((seat for seat in self.seats.values() if instance is not None and seat.instance == instance), None)

    def take_place(self, before: Seat, name: str) -> None:
        """A static member is back as another process: it takes over the seat, and the target stays as it is."""
        del self.seats[before.name]
        self.seats[name] = Seat(name, before.instance, before.subscribed)
        self.target[name] = self.target.pop(before.name, [])

    def subscribe(self, name: str, subscribed: tuple[str, ...]) -> None:
        """A member reads other topics from now on."""
        if self.seats[name].subscribed != subscribed:
            self.seats[name].subscribed = subscribed
            self.divide()

    def leave(self, name: str) -> None:
        """A member is gone; what it had is free at once."""
        if self.seats.pop(name, None) is not None:
            self.divide()

    def divide(self) -> None:
        """The next epoch of the group, with a new target."""
        self.epoch += 1
        before = {name: self.target.get(name, []) for name in self.seats}
        self.target = self._divide({name: seat.instance for name, seat in self.seats.items()},
                                   {name: seat.subscribed for name, seat in self.seats.items()},
                                   before) if self.seats else {}

    # --- heartbeats -------------------------------------------------------------------------------------------

    def refusal(self, name: str, epoch: int, owned: Collection[TopicPartition] | None) -> str:
        """Kafka's name of the error with which a heartbeat is refused; "" for one that is taken."""
        seat = self.seats.get(name)
        if seat is None:
            return "UNKNOWN_MEMBER_ID"
        # A member one epoch behind is let in, for the answer that told it may have been lost.
        behind = epoch == seat.previous_epoch and owned is not None and set(owned) <= seat.assigned
        return "" if epoch in (0, seat.epoch) or behind else "FENCED_MEMBER_EPOCH"

    def heartbeat(self, name: str, owned: Collection[TopicPartition] | None) -> Answer:
        """A member is there; `owned` is what it reads, None if that is as in its last heartbeat."""
        seat = self.seats[name]
        before = set(seat.assigned)
        new = seat.epoch == 0
        if seat.state is State.UNREVOKED:
            if owned is not None and not seat.letting_go & set(owned):
                self._advance(seat, seat.epoch + 1, owned)
        elif seat.epoch != self.epoch or seat.state is State.UNRELEASED:
            self._advance(seat, seat.epoch, owned)
        changed = new or seat.assigned != before
        return Answer(seat.epoch, frozenset(seat.assigned) if changed else None)

    def _advance(self, seat: Seat, epoch: int, owned: Collection[TopicPartition] | None) -> None:
        target = set(self.target[seat.name])
        taken = {one for other in self.seats.values() if other is not seat for one in other.assigned | other.letting_go}
        keeps = seat.assigned & target
        letting_go = seat.assigned - target
        missing = target - keeps
        if letting_go and (owned is None or letting_go & set(owned)):
            seat.state, seat.assigned, seat.letting_go = State.UNREVOKED, keeps, letting_go
            self._set_epoch(seat, epoch)
            return
        seat.state = State.UNRELEASED if missing & taken else State.STABLE
        seat.assigned, seat.letting_go = keeps | (missing - taken), set()
        self._set_epoch(seat, self.epoch)

    @staticmethod
    def _set_epoch(seat: Seat, epoch: int) -> None:
        if epoch != seat.epoch:
            seat.previous_epoch, seat.epoch = seat.epoch, epoch

    def has_news_for(self, name: str) -> bool:
        """Whether a heartbeat of this member, without anything new from it, would be answered with something new."""
        seat = self.seats[name]
        if seat.state is State.UNREVOKED:
            return False
        if seat.epoch != self.epoch:
            return True
        missing = set(self.target[name]) - seat.assigned
        taken = {one for other in self.seats.values() if other is not seat for one in other.assigned | other.letting_go}
        return bool(missing - taken)
