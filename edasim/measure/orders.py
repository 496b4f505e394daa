"""What became of each order: its answer, its effects, its outcome."""
from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.core.deadlines import NEVER_NS
from edasim.core.journal import Verb
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps
from edasim.scenario.value import Scenario

OUTCOMES = ("pending", "refused", "done", "parked", "lost")
Bools = NDArray[np.bool_]
Pair = tuple[str, str]
"""(event type, service): one effect that an order is to have."""


def certain_events(scenario: Scenario, first: str) -> dict[str, int]:
    """The event types that surely follow from the first one, over handles and unconditional publishes, and for orders
    from when on (nanoseconds): a service that joins later publishes nothing before.
    """
    since, ahead = {first: 0}, [first]
    while ahead:
        event = ahead.pop()
        for service in scenario.services.values():
            if event not in service.handles or service.publishes_one_of:
                continue
            published_ns = max(since[event], service.joins)
            for publication in service.publishes:
                if published_ns < since.get(publication.event, NEVER_NS):
                    since[publication.event] = published_ns
                    ahead.append(publication.event)
    return since


class Orders:
    """Arrays over all placed orders, the first one at index 0.  Times are seconds, infinite for never.

    `counted` leaves out those that were placed in the warm-up.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.scenario = reading.run.scenario
        self.placed_s: Floats = reading.first_time_s(reading.of(Verb.placed))
        self.accepted_s: Floats = reading.first_time_s(reading.of(Verb.accepted))
        self.refused_s: Floats = reading.first_time_s(reading.of(Verb.refused))
        self.counted: Bools = self.placed_s >= self.scenario.warm_up * NANO
        self.accepted: Bools = np.isfinite(self.accepted_s)
        self.refused: Bools = np.isfinite(self.refused_s)
        self.answered_s: Floats = np.minimum(self.accepted_s, self.refused_s)

    def __len__(self) -> int:
        return len(self.placed_s)

    def placed_by(self, producer: str) -> Bools:
        """The orders of one producer; KeyError where there is none of that name."""
        producers = self.scenario.producers
        if producer not in producers:
            raise KeyError(f"there is no producer {producer!r}: {', '.join(producers)}")
        if len(producers) == 1:
            return np.ones(len(self), np.bool_)
        numbers = np.array(self.reading.run.placed_by, np.uint8)[: len(self)]
        mine: Bools = numbers == list(producers).index(producer)
        return mine

    @cached_property
    def refusals(self) -> dict[str, int]:
        """Why counted orders were refused: {reason: how many}."""
        facts = self.reading.of(Verb.refused)
        counted = self.counted[self.reading.order_index(facts)]
        details = [self.reading.run.places[place].detail for place in facts.places[counted].tolist()]
        return {reason: details.count(reason) for reason in sorted(set(details))}

    # --- effects ----------------------------------------------------------------------------------------------

    @cached_property
    def _has_event(self) -> dict[str, Bools]:
        reading = self.reading
        has = {}
        for number, event in enumerate(reading.events):
            mask = np.zeros(reading.orders, np.bool_)
            mask[reading.order_of[reading.event_of == number] - 1] = True
            has[event] = mask
        return has

    @cached_property
    def wanted(self) -> dict[Pair, Bools]:
        """For each (event, service): which orders are to have that effect, required or not."""
        wanted: dict[Pair, Bools] = {}
        nobody = np.zeros(len(self), np.bool_)
        firsts = {producer.publishes for producer in self.scenario.producers.values()}
        for name, service in self.scenario.services.items():
            for event in service.handles:
                mask = self._has_event.get(event, nobody).copy()
                for first in firsts:
                    since = certain_events(self.scenario, first)
                    if event in since:
                        mask |= self._has_event.get(first, nobody) & (self.placed_s >= since[event] * NANO)
                # Of a service that joins later, nobody can ask what was before.
                wanted[event, name] = mask & (self.placed_s >= service.joins * NANO)
        return wanted

    @cached_property
    def required(self) -> dict[Pair, Bools]:
        """The same for services that are required."""
        return {pair: mask for pair, mask in self.wanted.items() if self.scenario.services[pair[1]].required}

    @cached_property
    def effect_s(self) -> dict[Pair, Floats]:
        """For each (event, service): when each order's effect came into being first."""
        reading = self.reading
        times: dict[Pair, Floats] = {}
        for event, service in self.wanted:
            facts = reading.of(Verb.applied, service=service)
            if event in reading.events:
                facts = facts.only(reading.event_of[facts.numbers] == reading.events.index(event))
            times[event, service] = reading.first_time_s(facts)
        return times

    def service_effect_s(self, service: str) -> tuple[Floats, Bools]:
        """When a service had applied all that it is to apply of each order, and which orders those are."""
        times, wanted = np.zeros(len(self)), np.zeros(len(self), np.bool_)
        for (event, name), mask in self.wanted.items():
            if name == service:
                times = np.where(mask, np.maximum(times, self.effect_s[event, name]), times)
                wanted |= mask
        return times, wanted

    @cached_property
    def done_s(self) -> Floats:
        """When the last required effect came into being."""
        done = np.zeros(len(self))
        for pair, mask in self.required.items():
            done = np.where(mask, np.maximum(done, self.effect_s[pair]), done)
        return np.where(done == 0.0, np.where(self.accepted, self.accepted_s, np.inf), done)

    @cached_property
    def first_effect_s(self) -> Floats:
        """When the first required effect came into being."""
        first = np.full(len(self), np.inf)
        for pair, mask in self.required.items():
            first = np.where(mask, np.minimum(first, self.effect_s[pair]), first)
        return first

    def duplicated_effects(self, service: str, counted: bool = True) -> int:
        """How often a service did again what it had done: effects beyond the first of each order and cause."""
        reading = self.reading
        facts = reading.of(Verb.applied, service=service)
        if counted:
            facts = facts.only(self.counted[reading.order_index(facts)])
        if not len(facts):
            return 0
        keys = np.stack([reading.order_of[facts.numbers].astype(np.uint64), reading.path_of[facts.numbers]])
        return len(facts) - int(np.unique(keys, axis=1).shape[1])

    # --- outcomes ---------------------------------------------------------------------------------------------

    @cached_property
    def parked(self) -> Bools:
        """Orders of which a delivery lies in a dead-letter queue or topic."""
        parked = np.zeros(len(self), np.bool_)
        for verb in (Verb.routed, Verb.appended):
            facts = self.reading.of(verb, lambda place: place.detail == "parking")
            parked[self.reading.order_index(facts)] = True
        aborted = self.reading.of(Verb.aborted, lambda place: place.detail == "parking")
        if len(aborted):
            put, taken = (np.bincount(self.reading.order_index(facts), minlength=len(self)) for facts in (
                self.reading.of(Verb.appended, lambda place: place.detail == "parking"), aborted))
            parked &= put > taken
        return parked

    def parked_s(self, service: str) -> Floats:
        """When a delivery of each order was put aside by a service."""
        times = np.full(len(self), np.inf)
        for verb in (Verb.routed, Verb.appended):
            facts = self.reading.of(verb, lambda place: place.detail == "parking", service)
            times = np.minimum(times, self.reading.first_time_s(facts))
        return times

    @cached_property
    def owed(self) -> Bools:
        """Orders of which something was still owed when the run stopped."""
        owed = np.zeros(len(self), np.bool_)
        owed[self.reading.order_of[list(self.reading.run.owed)] - 1] = True
        return owed

    @cached_property
    def outcome(self) -> NDArray[np.int8]:
        """The number of each order's outcome in OUTCOMES; the first that matches."""
        pending, refused, done, parked, lost = range(5)
        outcome = np.full(len(self), lost, np.int8)
        outcome[self.owed] = pending
        outcome[self.parked] = parked
        outcome[np.isfinite(self.done_s)] = done
        outcome[self.refused] = refused
        outcome[~self.accepted & ~self.refused] = pending
        return outcome

    def count(self, outcome: str) -> int:
        """How many counted orders ended so."""
        return int(np.sum(self.outcome[self.counted] == OUTCOMES.index(outcome)))

    @cached_property
    def regretted(self) -> int:
        """Counted orders that were accepted and later compensated."""
        mask = np.isfinite(self.reading.first_time_s(self.reading.of(Verb.compensated)))
        return int(np.sum(mask & self.accepted & self.counted))

    @cached_property
    def orphan_effects(self) -> int:
        """Effects of counted orders that were refused."""
        facts = self.reading.of(Verb.applied)
        index = self.reading.order_index(facts)
        return int(np.sum(self.refused[index] & self.counted[index]))

    # --- over time --------------------------------------------------------------------------------------------

    def torn(self) -> Steps:
        """How many orders have some but not all of their required effects."""
        begun = np.isfinite(self.first_effect_s) & (self.done_s > self.first_effect_s)
        return Steps.counting(self.first_effect_s[begun], self.done_s[begun])

    def completed(self) -> Steps:
        """How many orders were accepted and are done."""
        times = np.maximum(self.done_s, self.accepted_s)
        return Steps.counting(times, np.zeros(0))

    def open_orders(self) -> Steps:
        """How many orders are placed and neither done nor refused."""
        ended = np.where(self.refused, self.refused_s, self.done_s)
        return Steps.counting(self.placed_s, np.maximum(ended, self.placed_s))
