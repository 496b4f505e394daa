"""Messages: a business fact on its way, and the tree of causes that it stands in."""
from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

ROOT_PATH = 0
"""The place of an order's first message in the order's tree of causes."""


class Message:
    """One event about one order.  Its id is the event's identity and survives every repetition.

    `path` says where the message stands in its order's tree of causes, alike in every architecture, so
    that draws can be keyed by it.  `cause` is the id of the message whose handling published this one (-1
    for the first).  `time_ns` is when it came into being; `size` counts bytes.  `priority` is that of its producer,
    None without one.
    """

    __slots__ = ("cause", "event", "id", "key", "order", "path", "size", "time_ns", "version")
    priority: int | None = None
    tombstone = False

    def __init__(  # noqa: PLR0913 - the fields of a fact
        self, id: int, event: str, order: int, key: str | None, size: int, time_ns: int,
        cause: int = -1, path: int = ROOT_PATH, version: int = 1,
    ) -> None:
        self.id = id
        self.event = event
        self.order = order
        self.key = key
        self.size = size
        self.time_ns = time_ns
        self.cause = cause
        self.path = path
        self.version = version

    @property
    def correlation_id(self) -> str:
        """The order's name, which every message that it causes carries."""
        return f"order-{self.order}"

    def __repr__(self) -> str:
        return f"<{self.event} {self.correlation_id} message {self.id}>"


class UrgentMessage(Message):
    """A message with a priority: only where there are any does a message have room for one."""

    __slots__ = ("priority",)


class Tombstone(Message):
    """A message whose value is null: in a compacted topic, its key is to be forgotten."""

    __slots__ = ()
    tombstone = True


class Messages(list[Message]):
    """All messages of a run, by id; the only place where ids are given."""

    def __init__(self) -> None:
        super().__init__()
        self._caused: dict[tuple[int, str, str], Message] = {}

    def place(self, event: str, order: int, key: str | None, size: int, time_ns: int) -> Message:
        """The first message of an order."""
        message = Message(len(self), event, order, key, size, time_ns)
        self.append(message)
        return message

    def tombstone(self, event: str, order: int, key: str, time_ns: int) -> Message:
        """A message without a value."""
        message = Tombstone(len(self), event, order, key, 0, time_ns)
        self.append(message)
        return message

    def placing(self, priority: int | None) -> Callable[[str, int, str | None, int, int], Message]:
        """What `place` is for a producer with this priority."""
        if priority is None:
            return self.place

        def place(event: str, order: int, key: str | None, size: int, time_ns: int) -> Message:
            message = UrgentMessage(len(self), event, order, key, size, time_ns)
            message.priority = priority
            self.append(message)
            return message

        return place

    def cause(self, parent: Message, service: str, event: str, time_ns: int) -> Message:
        """The message that a service publishes because of another; the same again when it is published again.

        The id is the event's identity, so that whoever handles it can recognise a repetition.
        """
        step = (parent.id, service, event)
        message = self._caused.get(step)
        if message is None:
            message = self._caused[step] = type(parent)(
                len(self), event, parent.order, parent.key, parent.size, time_ns, parent.id,
                child_path(parent.path, service, event),
            )
            if isinstance(message, UrgentMessage):
                message.priority = parent.priority
            self.append(message)
        return message


_paths: dict[tuple[int, str, str], int] = {}


def child_path(parent: int, service: str, event: str) -> int:
    """A stable number for the place in the tree of causes below `parent`, independent of ids and of time."""
    step = (parent, service, event)
    if step not in _paths:
        digest = blake2b(f"{parent}\0{service}\0{event}".encode(), digest_size=7).digest()
        _paths[step] = int.from_bytes(digest, "big") or 1
    return _paths[step]
