"""The journey of one order as a value: every step at every service, what the customer saw, which faults held."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLIENT, FRONT, BROKER = "client", "", "broker"
"""Who is no service: the customer, the one who goes through an order's steps (gateway or process), the broker."""
ATTEMPTS = ("handled", "failed", "crashed", "unfinished")
"""The kinds of steps that are attempts, by how they ended."""
NAMES = {"monolith": "the monolith", "rpc": "RPC", "kafka": "Kafka", "rabbitmq": "RabbitMQ"}
ANSWERS = {
    "received": 'told yes: "received"',
    "done": 'told yes: "done"',
    "no": "told no",
    "left": "left",
    "": "waiting",
}
"""What a customer was told last, in words; the empty answer is none."""


@dataclass(frozen=True)
class Step:
    """One thing that happened to an order, or one time in which something went on.

    `kind` is one of placed, asking, accepted, refused (the customer); waiting, open (a thread or the gateway has the
    order); handled, failed, crashed, unfinished (an attempt, by its end); retry-wait; redelivered, applied,
    deduplicated, published, dead-lettered, expired, dropped, rolled-back, compensated, repeated, lost, unroutable.
    Times are seconds since the start of the run; both are the same for what takes no time.  `attempt` counts the
    starts of this message at this service from 1 and is 0 for what is no attempt.  `message` is the message's id.
    """

    service: str
    kind: str
    start_s: float
    end_s: float
    attempt: int
    text: str
    message: int
    event: str

    @property
    def length_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Line:
    """What happened to one message at one place, in time; `depth` counts the messages that had to come before it."""

    service: str
    event: str
    message: int
    depth: int
    steps: tuple[Step, ...]

    @property
    def attempts(self) -> tuple[Step, ...]:
        """The attempts among its steps."""
        return tuple(step for step in self.steps if step.kind in ATTEMPTS)

    def times(self, kind: str) -> tuple[float, ...]:
        """When steps of a kind were over."""
        return tuple(step.end_s for step in self.steps if step.kind == kind)


@dataclass(frozen=True)
class Journey:
    """One order on its way through one run; `print` shows it as text, a notebook as a picture.

    `answer` is what the customer was told at `answered_s`: received, done, no, left, or nothing (both then say so);
    `reason` is why it was no.  `done_s` is when the last required effect existed (None: never), `outcome` what became
    of the order in the end, `counted` whether it was placed after the warm-up.  `bands` are the faults that held
    meanwhile, as (text, start in s, end in s).
    """

    order: int
    architecture: str
    key: str
    placed_s: float
    answered_s: float | None
    answer: str
    reason: str
    done_s: float | None
    outcome: str
    counted: bool
    lines: tuple[Line, ...]
    bands: tuple[tuple[str, float, float], ...]

    @property
    def name(self) -> str:
        """The order's name, such as `order-17`."""
        return f"order-{self.order}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in the order in which they began."""
        return tuple(sorted((step for line in self.lines for step in line.steps), key=lambda step: step.start_s))

    @property
    def end_s(self) -> float:
        """When the last step was over."""
        return max((step.end_s for line in self.lines for step in line.steps), default=self.placed_s)

    @property
    def customer_saw(self) -> tuple[tuple[str, float, float], ...]:
        """(state, from, until) in s: waiting, then the answer as in `ANSWERS`, which stays (infinite)."""
        if self.answered_s is None:
            return ((ANSWERS[""], self.placed_s, math.inf),)
        return (
            (ANSWERS[""], self.placed_s, self.answered_s),
            (ANSWERS[self.answer] + (f": {self.reason}" if self.reason else ""), self.answered_s, math.inf),
        )

    def seen_at(self, time_s: float) -> str:
        """What the customer saw at a time of the run; nothing before placing the order."""
        return next((state for state, start_s, end_s in self.customer_saw if start_s <= time_s < end_s), "")

    @property
    def title(self) -> str:
        """What became of it, in a line."""
        if self.answered_s is None:
            parts = ["the customer never got an answer"]
        else:
            why = f" ({self.reason})" if self.reason else ""
            told = ANSWERS[self.answer] if self.answer != "left" else "the customer left"
            parts = [f"{told} after {length_text(self.answered_s - self.placed_s)}{why}"]
        if self.done_s is None:
            parts.append(f"never done ({self.outcome})")
        elif self.answer != "done" or self.done_s > (self.answered_s or 0.0):
            parts.append(f"all done after {length_text(self.done_s - self.placed_s)}")
        return f"{self.name} on {NAMES[self.architecture]}: {', '.join(parts)}".replace("on the", "in the")

    def who(self, service: str) -> str:
        """How a reader calls a place: the service's name, or customer, gateway, process, broker."""
        front = "gateway" if self.architecture == "rpc" else "process"
        return {CLIENT: "customer", FRONT: front}.get(service, service)

    def __str__(self) -> str:
        key = f", key {self.key}" if self.key else ""
        head = [self.title, f"placed {self.placed_s:.3f} s after the start{key}"]
        if not self.counted:
            head.append("placed in the warm-up, so that the tables do not count it")
        head += [
            f"{text} from {self._since(start_s)} to {self._since(end_s)} after it was placed"
            for text, start_s, end_s in self.bands
        ]
        return "\n".join([*head, "", *self._table()])

    def _since(self, time_s: float) -> str:
        return length_text(time_s - self.placed_s)

    def _table(self) -> list[str]:
        names = {step.service: self.who(step.service) for step in self.steps}
        wide = max(map(len, names.values()), default=0)
        rows = [f"{'after':>10}  {'for':>8}  {'where':{wide}}  what"]
        for step in self.steps:
            length = length_text(step.length_s) if step.length_s else ""
            where = names[step.service]
            rows.append(f"{step.start_s - self.placed_s:>8.4f} s  {length:>8}  {where:{wide}}  {step.text}")
        return rows

    def chart(self, ax: Axes | None = None) -> Axes:
        """The picture of the journey, on these axes or on a new figure that is large enough."""
        from edasim.pictures.journey import journey

        drawn: Axes = journey(self, ax=ax)
        return drawn

    def _repr_png_(self) -> bytes:
        from edasim.pictures.journey import journey_figure

        page: bytes = journey_figure(self)._repr_png_()
        return page


@dataclass(frozen=True)
class Journeys:
    """The same order in several architectures, by the name that a comparison gives each."""

    journeys: Mapping[str, Journey]

    def __getitem__(self, architecture: str) -> Journey:
        return self.journeys[architecture]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.journeys.values()))

    def seen_at(self, time_s: float) -> dict[str, str]:
        """What the customer saw at a time of the run in each architecture."""
        return {name: one.seen_at(time_s) for name, one in self.journeys.items()}

    def chart(self, ax: Axes | None = None) -> Axes:
        """All journeys, one under the other on one axis of time."""
        from edasim.pictures.journey import journeys

        drawn: Axes = journeys(self, ax=ax)
        return drawn

    def _repr_png_(self) -> bytes:
        from edasim.pictures.journey import journeys_figure

        page: bytes = journeys_figure(self)._repr_png_()
        return page


def length_text(seconds: float) -> str:
    """A time as a label has room for it: `450 µs`, `8.1 ms`, `31 ms`, `8.3 s`, `124 s`."""
    size = abs(seconds)
    scale, unit = (1.0, "s") if size >= 0.9995 or size == 0 else (1e3, "ms") if size >= 0.9995e-3 else (1e6, "µs")
    number = size * scale
    decimals = 0 if number == 0 or number >= (99.95 if unit == "s" else 9.95) else 1
    text = f"{number:.{decimals}f}"
    return f"{'−' if seconds < 0 else ''}{text.removesuffix('.0') if unit != 's' else text} {unit}"
