"""Writes the steps of one order: a pen for each place, which hears the facts in their order.

A pen is told of each fact by a word of the field (`comes`, `starts`, `ends`) and writes a step when one is over.
"""
from __future__ import annotations

from edasim.core.journal import Verb
from edasim.core.message import Message
from edasim.measure.journey import Step
from edasim.measure.reading import NANO

SAID = {
    Verb.deduplicated: "recognised as a repetition, nothing done",
    Verb.expired: "its time to live was over",
    Verb.compensated: "the effect is undone",
    Verb.repeated: "the wire delivers it twice",
    Verb.lost: "lost with its connection",
    Verb.short_circuited: "not called, the breaker is open",
    Verb.unroutable: "no queue wants it",
}
AT_THE_LOG = {
    Verb.deduplicated: "the broker recognises a repetition",
    Verb.dropped: "cut off: the replica that leads now has no copy of it",
}


class Pen:
    """Writes the steps of one message at one place."""

    def __init__(self, service: str, message: Message) -> None:
        self.service = service
        self.message = message
        self.steps: list[Step] = []

    def write(self, kind: str, start_ns: int, end_ns: int, text: str, attempt: int = 0) -> None:
        """A step; waiting that takes no time is none."""
        if start_ns < end_ns or kind not in ("waiting", "retry-wait", "asking", "open"):
            self.steps.append(Step(self.service, kind, start_ns * NANO, end_ns * NANO, attempt, text,
                                   self.message.id, self.message.event))

    def note(self, kind: str, now_ns: int, text: str) -> None:
        """A step that takes no time."""
        self.write(kind, now_ns, now_ns, text)

    def close(self, end_ns: int, owed: bool) -> None:
        """The run is over."""


class Customer(Pen):
    """The customer's line: placed, asking, answered, perhaps tried again."""

    asking_ns: int | None = None
    tries = 1

    def hear(self, verb: Verb, now_ns: int, reason: str) -> None:
        """Something happened between the customer and the shop."""
        if verb == Verb.placed:
            self.asking_ns = now_ns
            self.note("placed", now_ns, f"places the order ({self.message.event})")
            return
        asked_ns = now_ns if self.asking_ns is None else self.asking_ns
        self.write("asking", asked_ns, now_ns,
                   "waits for the answer" + (f", try {self.tries}" if self.tries > 1 else ""))
        self.asking_ns = now_ns if verb == Verb.retried else None
        if verb == Verb.retried:
            self.tries += 1
            self.note("retried", now_ns, "gets no yes, and will try again")
        elif verb == Verb.accepted:
            self.note("accepted", now_ns, "is told yes")
        else:
            self.note("refused", now_ns, "leaves" if reason == "timeout" else f"is told no: {reason}")

    def close(self, end_ns: int, owed: bool) -> None:
        """Whoever asks still has no answer."""
        if self.asking_ns is not None:
            self.write("asking", self.asking_ns, end_ns, "still waits for an answer when the run ends")


class Front(Pen):
    """The line of who goes through the steps of an order: it waits to be let in, and then is open until it is over."""

    def __init__(self, service: str, message: Message, architecture: str) -> None:
        super().__init__(service, message)
        self.waiting: list[int] = []
        self.open: list[int] = []
        self.ended_ns = 0
        self._waits, self._has, self._undone = {
            "monolith": ("waits for a thread", "has a thread, until commit or rollback", "rolled back"),
            "rpc": ("waits for the gateway to open it", "open at the gateway", "dropped by the gateway"),
        }.get(architecture, ("waits", "open", "dropped"))

    def hear(self, verb: Verb, now_ns: int) -> None:
        """It comes, gets in, or is over."""
        if verb == Verb.routed:
            self.waiting.append(now_ns)
        elif verb == Verb.delivered:
            self.write("waiting", self.waiting.pop(0), now_ns, self._waits)
            self.open.append(now_ns)
        else:
            self.ended_ns = now_ns
            if self.open:
                self.write("open", self.open.pop(0), now_ns, self._has)
            elif self.waiting:
                self.write("waiting", self.waiting.pop(0), now_ns, self._waits)
            if verb == Verb.dropped:
                self.note("rolled-back", now_ns, self._undone)

    def close(self, end_ns: int, owed: bool) -> None:
        """What is not over."""
        for since_ns in self.waiting:
            self.write("waiting", since_ns, end_ns, f"{self._waits}, still when the run ends")
        for since_ns in self.open:
            self.write("open", since_ns, end_ns, f"{self._has}, still when the run ends")


class Handling(Pen):
    """The line of one message at one service.

    `waiting` and `retrying` say since when copies wait for a worker or for their next attempt, `at_work` which worker
    began when with which attempt, `unsettled` how many attempts ended badly that nobody has decided about yet.
    """

    def __init__(self, service: str, message: Message, brokered: bool) -> None:
        super().__init__(service, message)
        self.brokered = brokered
        self.waiting: list[tuple[int, str]] = []
        self.retrying: list[int] = []
        self.at_work: dict[str, tuple[int, int]] = {}
        self.attempts = self.effects = self.unsettled = self.parked = 0
        self.front_ended_ns = 0

    def comes(self, now_ns: int) -> None:
        """A copy is there for the service."""
        if self.retrying:
            self._retry_wait_over(now_ns)
        self.waiting.append((now_ns, "waits for a worker"))

    def _retry_wait_over(self, now_ns: int) -> None:
        self.write("retry-wait", self.retrying.pop(0), now_ns, "waits before the next attempt")

    def starts(self, now_ns: int, worker: str, again: bool) -> None:
        """An attempt begins."""
        if self.retrying and (again or not self.waiting):
            self._retry_wait_over(now_ns)
        elif self.waiting:
            since_ns, text = self.waiting.pop(0)
            self.write("waiting", since_ns, now_ns, text)
        self.attempts += 1
        self.at_work[worker] = (now_ns, self.attempts)

    def ends(self, verb: Verb, now_ns: int, worker: str) -> None:
        """An attempt ends, well, badly or with its worker."""
        began_ns, number = self.at_work.pop(worker)
        said = {Verb.handled: "is handled", Verb.failed: "fails", Verb.crashed: "ends in a crash"}[verb]
        self.write(verb.name, began_ns, now_ns, f"attempt {number} {said}", number)
        if verb == Verb.crashed and self.brokered:
            self.waiting.append((now_ns, "waits to be delivered again"))
        elif verb == Verb.crashed or (verb == Verb.failed and self.brokered):
            self.unsettled += 1

    def retries(self, now_ns: int) -> None:
        """Another attempt is arranged."""
        if self.brokered:
            self.unsettled = max(0, self.unsettled - 1)
        elif self.retrying:
            self._retry_wait_over(now_ns)  # the call before found nobody there
        self.retrying.append(now_ns)

    def comes_again(self, now_ns: int) -> None:
        """The broker delivers it once more."""
        self.note("redelivered", now_ns, "delivered again")
        if not self.waiting:
            if self.retrying:
                self._retry_wait_over(now_ns)
            self.waiting.append((now_ns, "waits for a worker"))

    def given_up(self, verb: Verb, now_ns: int) -> None:
        """It leaves without being handled: dead-lettered, expired or dropped."""
        if self.unsettled:
            self.unsettled -= 1
            if not self.brokered:
                return  # the call whose worker crashed: its end is told already
        elif self.waiting:
            since_ns, text = self.waiting.pop(0)
            self.write("waiting", since_ns, now_ns, text)
        if verb == Verb.dead_lettered:
            self.parked += 1
            self.note("dead-lettered", now_ns, "given up and put aside as a dead letter")
        else:
            self.note(verb.name, now_ns, SAID.get(verb, "dropped"))

    def lies_aside(self, now_ns: int) -> None:
        """It came into the dead-letter queue or topic; told once, as it mostly was when the service gave it up."""
        self.parked -= 1
        if self.parked < 0:
            self.parked = 0
            self.note("dead-lettered", now_ns, "put aside as a dead letter")

    def takes_effect(self, now_ns: int) -> None:
        """An effect comes into being."""
        self.effects += 1
        again = "" if self.effects == 1 else f" again: effect number {self.effects}"
        self.note("applied", now_ns, f"takes effect{again}")

    def close(self, end_ns: int, owed: bool) -> None:
        """What is under way is unfinished; what nobody owes any more is lost."""
        for began_ns, number in self.at_work.values():
            self.write("unfinished", began_ns, end_ns, f"attempt {number} is under way when the run ends", number)
        open_ends = [("waiting", *wait) for wait in self.waiting]
        open_ends += [("retry-wait", since_ns, "waits before the next attempt") for since_ns in self.retrying]
        for kind, since_ns, text in open_ends:
            if owed and self.brokered:
                self.write(kind, since_ns, end_ns, f"{text}, still when the run ends")
            elif self.brokered:
                self.note("lost", since_ns, "lost: nobody has it any more")
            else:
                self.write(kind, since_ns, max(since_ns, self.front_ended_ns), text)
