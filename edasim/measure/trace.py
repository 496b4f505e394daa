"""Reads one order's way through a run from the journal: what waited where, each attempt, and what came of it."""
from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from edasim.core.journal import ABOUT_MARKERS, ABOUT_MEMBERS, ABOUT_NODES, ABOUT_VERSIONS, Facts, Place, Verb
from edasim.core.message import Message
from edasim.measure.journey import BROKER, CLIENT, FRONT, Journey, Line
from edasim.measure.orders import OUTCOMES
from edasim.measure.pens import AT_THE_LOG, SAID, Customer, Front, Handling, Pen
from edasim.measure.reading import NANO
from edasim.scenario.value import Scenario
from edasim.simulate import Run

_ABOUT_OFFSETS = (Verb.committed, Verb.rewound, Verb.recovered, Verb.skipped, Verb.opened,
                  Verb.half_opened, Verb.closed, *ABOUT_MARKERS, *ABOUT_MEMBERS, *ABOUT_NODES, *ABOUT_VERSIONS)
_ENDS = (Verb.handled, Verb.failed, Verb.crashed)
_LEAVES = (Verb.dead_lettered, Verb.expired, Verb.dropped)
_MOVES: dict[Verb, Callable[[Handling, int], None]] = {
    Verb.routed: Handling.comes,
    Verb.retried: Handling.retries,
    Verb.redelivered: Handling.comes_again,
    Verb.applied: Handling.takes_effect,
}

def order_number(run: Run, which: str | int) -> int:
    """The number of an order named as `order-17`, `17` or 17; raises ValueError when the run has no such order."""
    placed = max((message.order for message in run.messages), default=0)
    match = re.fullmatch(r"(?:order-)?(\d{1,18})", str(which).strip())
    number = int(match[1]) if match and not isinstance(which, bool) else 0
    if 1 <= number <= placed:
        return number
    many = "no orders" if not placed else "one order, order-1" if placed == 1 else (
        f"{placed:,} orders, order-1 to order-{placed}")
    raise ValueError(f"there is no {which if match is None else f'order-{number}'}: this run placed {many}")


def trace(run: Run, which: str | int) -> Journey:
    """The journey of one order through a run; orders of the warm-up have one, too."""
    order = order_number(run, which)
    messages = {message.id: message for message in run.messages if message.order == order}
    lines = _Reader(run, messages).read()
    orders = run.summary().orders
    placed_s, done_s = float(orders.placed_s[order - 1]), float(orders.done_s[order - 1])
    answered_s, answer, reason = _answer(run, lines[0])
    end_s = max(step.end_s for line in lines for step in line.steps)
    return Journey(
        order=order,
        architecture=run.architecture,
        key=next(iter(messages.values())).key or "",
        placed_s=placed_s,
        answered_s=answered_s,
        answer=answer,
        reason=reason,
        done_s=done_s if math.isfinite(done_s) else None,
        outcome=OUTCOMES[int(orders.outcome[order - 1])],
        counted=bool(orders.counted[order - 1]),
        lines=lines,
        bands=_bands(run, placed_s, end_s),
    )


def _answer(run: Run, customer: Line) -> tuple[float | None, str, str]:
    """(when, what, why) of the last word to the customer."""
    last = customer.steps[-1]
    if last.kind == "accepted":
        return last.end_s, run.summary().answer, ""
    if last.kind != "refused":
        return None, "", ""
    left = last.text.startswith("leaves")
    return last.end_s, "left" if left else "no", "" if left else last.text.partition(": ")[2]


def _bands(run: Run, start_s: float, end_s: float) -> tuple[tuple[str, float, float], ...]:
    bands = [(band.text, band.start_ns * NANO, (run.end_ns if band.end_ns is None else band.end_ns) * NANO)
             for band in run.bands]
    return tuple(band for band in dict.fromkeys(bands) if band[1] <= end_s and band[2] >= start_s)


class _Reader:
    """Hands each fact of one order to the line that it belongs to."""

    def __init__(self, run: Run, messages: dict[int, Message]) -> None:
        self.run = run
        self.scenario: Scenario = run.scenario
        self.messages = messages
        self.lines: dict[tuple[str, int], Pen] = {}
        self.children: dict[Pen, list[Message]] = {}
        self.skipped = self._skipped()

    def read(self) -> tuple[Line, ...]:
        """The lines: customer, gateway or process, broker, then services, each under the message that it handles."""
        facts = self._facts()
        columns = (facts.times_ns.tolist(), facts.verbs.tolist(), facts.places.tolist(), facts.numbers.tolist(),
                   facts.rows.tolist())
        for now_ns, verb, place, number, row in zip(*columns, strict=True):
            self._hear(now_ns, Verb(verb), self.run.places[place], self.messages[number], (place, row))
        self._close()
        return tuple(self._ordered())

    def _facts(self) -> Facts:
        facts = self.run.facts
        mine = np.isin(facts.numbers, list(self.messages))
        return facts.only(mine & ~np.isin(facts.verbs, [int(verb) for verb in _ABOUT_OFFSETS]))

    def _skipped(self) -> dict[tuple[str, str], int]:
        """{(service, partition): offset} below which a group that joined late read nothing."""
        facts = self.run.facts
        jumps = facts.only(facts.verbs == int(Verb.skipped))
        places = [self.run.places[place] for place in jumps.places.tolist()]
        return {(place.service, place.name.partition(" ")[2]): offset
                for place, offset in zip(places, jumps.numbers.tolist(), strict=True) if not place.detail}

    def _line(self, service: str, message: Message) -> Pen:
        if (service, message.id) not in self.lines:
            architecture = self.run.architecture
            if service == CLIENT:
                pen: Pen = Customer(service, message)
            elif service == FRONT:
                pen = Front(service, message, architecture)
            elif service == BROKER:
                pen = Pen(service, message)
            else:
                pen = Handling(service, message, architecture in ("kafka", "rabbitmq"))
            self.lines[service, message.id] = pen
        return self.lines[service, message.id]

    def _hear(self, now_ns: int, verb: Verb, place: Place, message: Message, where: tuple[int, int]) -> None:
        if place.kind == "client":
            customer = self._line(CLIENT, message)
            assert isinstance(customer, Customer)
            customer.hear(verb, now_ns, place.detail)
        elif place.kind == "partition" and verb == Verb.appended:
            self._appended(now_ns, place, message, where)
        elif place.service == "" and place.kind == "queue":
            front = self._line(FRONT, message)
            assert isinstance(front, Front)
            front.hear(verb, now_ns)
        elif place.service == "" or place.kind == "partition":
            text = AT_THE_LOG.get(verb) or SAID.get(verb, verb.name)
            self._line(BROKER, message).note(verb.name.replace("_", "-"), now_ns, text)
        elif verb == Verb.published:
            line = self._line(place.service, self.messages[message.cause])
            line.note("published", now_ns, f"publishes {message.event}")
            self.children.setdefault(line, []).append(message)
        else:
            self._at_service(self._handling(place.service, message), now_ns, verb, place)

    def _appended(self, now_ns: int, place: Place, message: Message, where: tuple[int, int]) -> None:
        """A record is in a topic: there for each service that handles its event, or in a service's own topic."""
        if place.service:
            if place.detail == "parking":
                self._handling(place.service, message).lies_aside(now_ns)
            return  # in a retry topic it waits for its next attempt, as it did since the last one
        for name, service in self.scenario.services.items():
            if message.event in service.handles and not self._is_skipped(name, place, where):
                self._handling(name, message).comes(max(now_ns, service.joins))

    def _is_skipped(self, service: str, place: Place, where: tuple[int, int]) -> bool:
        upto = self.skipped.get((service, place.name))
        if upto is None:
            return False
        number, row = where
        before = self.run.facts.only(np.arange(row))
        offset = int(np.sum((before.places == number) & (before.verbs == int(Verb.appended))))
        return offset < upto

    def _handling(self, service: str, message: Message) -> Handling:
        line = self._line(service, message)
        assert isinstance(line, Handling)
        return line

    def _at_service(self, line: Handling, now_ns: int, verb: Verb, place: Place) -> None:
        aside = place.kind == "queue" and place.name != place.service  # the queue of retries, or of dead letters
        if verb == Verb.started:
            line.starts(now_ns, place.name, place.detail == "again")
        elif verb in _ENDS:
            line.ends(verb, now_ns, place.name)
        elif verb == Verb.routed and place.detail == "parking":
            line.lies_aside(now_ns)
        elif verb in _MOVES and not aside:
            _MOVES[verb](line, now_ns)
        elif verb in _LEAVES and not aside:
            line.given_up(verb, now_ns)
        elif verb in SAID and not aside:
            line.note(verb.name, now_ns, SAID[verb])

    def _close(self) -> None:
        ended_ns = max((pen.ended_ns for pen in self.lines.values() if isinstance(pen, Front)), default=0)
        for pen in self.lines.values():
            if isinstance(pen, Handling):
                pen.front_ended_ns = ended_ns
            pen.close(self.run.end_ns, pen.message.id in self.run.owed)

    def _ordered(self) -> list[Line]:
        """The lines in the order of a tree: services as the file has them, under each what it published."""
        rank = {CLIENT: -3, FRONT: -2, BROKER: -1}
        rank |= {name: number for number, name in enumerate(self.scenario.services)}
        pens = sorted(self.lines.values(), key=lambda pen: rank[pen.service])
        ordered: list[Line] = []
        told: set[int] = set()

        def tell(message: Message, depth: int) -> None:
            told.add(message.id)
            for pen in [pen for pen in pens if pen.message is message]:
                steps = tuple(sorted(pen.steps, key=lambda step: step.start_s))
                if steps:
                    ordered.append(Line(pen.service, message.event, message.id, depth, steps))
                for child in self.children.get(pen, ()):
                    if child.id not in told:
                        tell(child, depth + 1)

        tell(next(iter(self.messages.values())), 0)
        return ordered
