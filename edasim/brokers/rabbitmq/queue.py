"""A RabbitMQ queue, classic or quorum: ready entries in order, consumers with room in turn."""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, cast

from edasim.brokers.rabbitmq.entry import PLAIN, Entry, Publication
from edasim.brokers.rabbitmq.majority import Majority
from edasim.core.clock import Signal, Stage, Timer
from edasim.core.conservation import Counts, queue_imbalance
from edasim.core.journal import Place, Verb
from edasim.core.message import Message
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.rabbitmq.broker import Broker
    from edasim.brokers.rabbitmq.channel import Subscription
    from edasim.brokers.rabbitmq.priorities import Ready

MILLISECOND = 1_000_000


class Queue:
    """One queue on the broker.

    `arguments` are resolved x-arguments by their real names.  A `parking` queue is for people to look at: what
    lies in it is owed to nobody.  `service` names the service that it feeds, or "".  `ready` holds entries that never
    left, in the order of delivery.
    """

    # More than 30 attributes in a dict would be slow to look up.
    __slots__ = (
        "_arm_commit", "_committed", "_expiring", "_expiry", "_expiry_due", "_last_commit_ns", "_next_position",
        "_ready_bytes", "_refuses", "_ttl_ns", "acknowledged", "arguments", "broker", "clock", "dead_lettered",
        "delivered", "dropped", "expired", "fresh", "majority", "max_bytes", "max_length", "name", "parking",
        "place", "quorum", "redelivered", "returned", "routed", "service", "subscriptions", "uncommitted",
        "with_room",
    )

    def __init__(self, broker: Broker, name: str, arguments: Mapping[str, object], service: str = "",
                 parking: bool = False, ready: Ready | None = None) -> None:
        world: World = broker.world
        self.broker = broker
        self.clock = world.clock
        self.name = name
        self.arguments = arguments
        self.parking = parking
        self.service = service
        self.fresh: deque[Entry] | Ready = deque() if ready is None else ready
        self.returned: list[tuple[int, Entry]] = []
        self.uncommitted: dict[Entry, None] = {}
        self.subscriptions: list[Subscription] = []
        self.with_room: deque[Subscription] = deque()
        self.quorum = arguments["x-queue-type"] == "quorum"
        self.max_length = cast("int | None", arguments.get("x-max-length"))
        self.max_bytes = cast("int | None", arguments.get("x-max-length-bytes"))
        self._refuses = arguments["x-overflow"] != "drop-head"
        ttl = cast("int | None", arguments.get("x-message-ttl"))
        self._ttl_ns = None if ttl is None else ttl * MILLISECOND
        self._ready_bytes = 0
        self._next_position = 0
        self._last_commit_ns = 0
        self._arm_commit = self.clock.arm_in_order()
        self._expiring = False
        self._expiry = Timer(self)
        self._expiry_due: Stage = self._head_expires
        self._committed: Stage = self._commit
        place = Place("queue", name, service, "parking" if parking else "")
        self.place = place
        self.routed = world.writer(Verb.routed, place)
        self.delivered = world.writer(Verb.delivered, place)
        self.redelivered = world.writer(Verb.redelivered, place)
        self.acknowledged = world.writer(Verb.acknowledged, place)
        self.dropped = world.writer(Verb.dropped, place)
        self.expired = world.writer(Verb.expired, place)
        self.dead_lettered = world.writer(Verb.dead_lettered, place)
        members = cast(int, arguments["x-quorum-initial-group-size"]) if self.quorum else 1
        self.majority = Majority(world, name, members, broker.times)

    # --- what is in it ----------------------------------------------------------------------------------------

    def owed(self) -> Iterator[Message]:
        """What it still has to deliver, or awaits the acknowledgement of."""
        for entry in self.uncommitted:
            yield entry.message
        for subscription in self.subscriptions:
            for entry in (*subscription.unacked, *subscription.on_the_wire):
                yield entry.message
        if not self.parking:
            yield from (entry.message for entry in self.fresh)
            yield from (entry.message for _, entry in self.returned)

    def imbalance(self, counts: Counts) -> str:
        """Whether its books balance."""
        return queue_imbalance(self, counts)

    @property
    def waiting(self) -> int:
        """Entries that wait for a consumer; what a quorum queue has not committed yet has not come in."""
        return self.ready

    @property
    def ready(self) -> int:
        """Entries that wait for a consumer."""
        return len(self.fresh) + len(self.returned)

    @property
    def in_flight(self) -> int:
        """Entries that are with consumers, not yet acknowledged."""
        return sum(len(subscription.unacked) for subscription in self.subscriptions)

    def owes(self) -> bool:
        """Whether it will still deliver something, or waits for an acknowledgement."""
        if self.uncommitted or (not self.parking and self.ready):
            return True
        return any(subscription.unacked or subscription.on_the_wire for subscription in self.subscriptions)

    # --- coming in --------------------------------------------------------------------------------------------

    def put(self, publication: Publication) -> bool:
        """Take in a publication; False when the queue is full and refuses.

        Of a quorum queue the entry is there, and the publication confirmed, once a majority has it.
        """
        if self._refuses and self._full_for(publication.message.size):
            if self.arguments["x-overflow"] == "reject-publish-dlx":
                self.broker.dead_letter(self, Entry(publication), "maxlen", came_in=False)
            return False
        entry = Entry(publication)
        if self.quorum:
            publication.waiting += 1
            self.uncommitted[entry] = None
            # A Raft log commits in its order.
            now_ns = self.clock.now_ns
            self._last_commit_ns = max(self._last_commit_ns, now_ns + self.majority.draw())
            self._arm_commit(entry, self._committed, self._last_commit_ns - now_ns)
        elif self.with_room and not (
                self._ttl_ns is not None or publication.properties is not PLAIN or self.fresh or self.returned):
            # A consumer is free and nothing is ahead: the entry does not stop here.
            routed = self.routed
            routed(entry.message.id)
            entry.position = self._next_position
            self._next_position += 1
            self._hand_over(entry)
        else:
            self._enqueue(entry)
        return True

    def _commit(self, entry: Entry) -> None:
        del self.uncommitted[entry]
        self._enqueue(entry)
        self.broker.settled(entry.publication)

    def _enqueue(self, entry: Entry) -> None:
        self.routed(entry.message.id)
        entry.position = self._next_position
        self._next_position += 1
        if self._ttl_ns is not None or entry.publication.properties is not PLAIN:
            self._set_expiry(entry)
        if self.with_room and not self.fresh and not self.returned:
            self._hand_over(entry)
            return
        if entry.expires_ns and entry.expires_ns <= self.clock.now_ns and not self.fresh and not self.returned:
            self._expire(entry)
            return
        self.fresh.append(entry)
        self._ready_bytes += entry.message.size
        self._drop_head_when_over()
        if self._expiring:
            self._watch_head()

    def _set_expiry(self, entry: Entry) -> None:
        limits = [ttl for ttl in (entry.publication.properties.expiration_ns, self._ttl_ns) if ttl is not None]
        if limits:
            entry.expires_ns = self.clock.now_ns + min(limits) or 1
            self._expiring = True

    def _full_for(self, size: int) -> bool:
        if self.max_length is not None and not self._would_go_on() and (
                self.ready + len(self.uncommitted) >= self.max_length):
            return True
        return self.max_bytes is not None and self._ready_bytes + size > self.max_bytes and not self._would_go_on()

    def _would_go_on(self) -> bool:
        return bool(self.with_room) and self.ready == 0

    def _drop_head_when_over(self) -> None:
        if self._refuses or (self.max_length is None and self.max_bytes is None):
            return
        while (self.max_length is not None and self.ready > self.max_length) or (
            self.max_bytes is not None and self._ready_bytes > self.max_bytes and self.ready
        ):
            self.broker.dead_letter(self, self._pop(), "maxlen")

    # --- going out --------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Hand ready entries to consumers with room, one each in turn."""
        while self.with_room and (self.fresh or self.returned):
            if self._expiring and self._drop_expired_head():
                continue
            self._hand_over(self._pop())
        if self._expiring:
            self._watch_head()

    def _hand_over(self, entry: Entry) -> None:
        subscription = self.with_room.popleft()
        subscription.waits_for_turn = False
        subscription.deliver(entry)
        # With room left it queues up again, behind the others; its connection may have broken meanwhile.
        if len(subscription.unacked) < subscription.window and subscription.open and not subscription.waits_for_turn:
            subscription.waits_for_turn = True
            self.with_room.append(subscription)

    def offer_room(self, subscription: Subscription) -> None:
        """A consumer may have room: then it queues up for a turn."""
        if not subscription.waits_for_turn and subscription.has_room():
            subscription.waits_for_turn = True
            self.with_room.append(subscription)

    def _pop(self) -> Entry:
        entry = self._head(remove=True)
        self._ready_bytes -= entry.message.size
        return entry

    def _head(self, remove: bool = False) -> Entry:
        # What came back holds an older place than anything that never left.
        if self.returned and (not self.fresh or self.returned[0][0] < self.fresh[0].position):
            return heappop(self.returned)[1] if remove else self.returned[0][1]
        return self.fresh.popleft() if remove else self.fresh[0]

    def has_ready(self, entry: Entry) -> bool:
        """Whether an entry that no consumer ever had is still here."""
        return bool(self.fresh) and (self.fresh[0] is entry or any(one is entry for one in self.fresh))

    def settle(self, entry: Entry) -> None:
        """A ready entry was handled elsewhere: it leaves as acknowledged, unless it is gone by now."""
        if not self.has_ready(entry):
            return
        if self.fresh[0] is entry:
            self.fresh.popleft()
        else:
            others = [one for one in self.fresh if one is not entry]
            self.fresh.clear()
            for other in others:
                self.fresh.append(other)
        self._ready_bytes -= entry.message.size
        self.acknowledged(entry.message.id)

    def put_back(self, entries: list[Entry], counts: bool) -> None:
        """Return deliveries to their original places, marked as redelivered.

        `counts`: whether it counts toward x-delivery-limit of a quorum queue (a crash and a reject do).
        """
        limit = cast("int | None", self.arguments.get("x-delivery-limit")) if self.quorum else None
        for old in entries:
            entry = old.fresh_copy()
            entry.redelivered = True
            entry.delivery_count += counts
            if limit is not None and 0 <= limit < entry.delivery_count:
                self.broker.dead_letter(self, entry, "delivery_limit")
                continue
            self.take_back(entry)
            self._ready_bytes += entry.message.size
        self.dispatch()
        self._drop_head_when_over()

    def take_back(self, entry: Entry) -> None:
        """A delivery is ready again, at its old place."""
        heappush(self.returned, (entry.position, entry))

    def lose_all(self) -> None:
        """Everything in the queue is gone, deliveries under way included."""
        unacked = [entry for subscription in self.subscriptions for entry in subscription.unacked]
        for entry in (*self.fresh, *(entry for _, entry in self.returned), *unacked):
            self.dropped(entry.message.id)
        for subscription in self.subscriptions:
            subscription.unacked.clear()
        self.fresh.clear()
        self.returned.clear()
        self._ready_bytes = 0

    # --- expiry, at the head only -----------------------------------------------------------------------------

    def _drop_expired_head(self) -> bool:
        head = self._head()
        if not head.expires_ns or head.expires_ns > self.clock.now_ns:
            return False
        self._expire(self._pop())
        return True

    def _expire(self, entry: Entry) -> None:
        self.broker.dead_letter(self, entry, "expired")

    def _watch_head(self) -> None:
        if self.ready == 0:
            return
        expires_ns = self._head().expires_ns
        if expires_ns:
            self._expiry = self._expiry.cancelled()
            self.clock.arm_timer(self._expiry, self._expiry_due, max(0, expires_ns - self.clock.now_ns))

    def _head_expires(self, _: Signal) -> None:
        while self.ready and self._drop_expired_head():
            pass
        self._watch_head()
