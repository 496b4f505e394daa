"""Reading the journal: facts by verb, place, service and order, as arrays."""
from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Place, Verb
from edasim.simulate import Run

NANO = 1e-9


class Reading:
    """The facts of one run with what belongs to them: the order of each message, the service of each place."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.facts: Facts = run.facts
        messages = run.messages
        self.order_of: NDArray[np.int64] = np.fromiter((message.order for message in messages), np.int64, len(messages))
        self.path_of: NDArray[np.uint64] = np.fromiter((message.path for message in messages), np.uint64, len(messages))
        self.events: list[str] = sorted({message.event for message in messages})
        code = {event: number for number, event in enumerate(self.events)}
        self.event_of: NDArray[np.int64] = np.fromiter((code[message.event] for message in messages), np.int64,
                                                       len(messages))
        self.orders = int(self.order_of.max()) if len(messages) else 0

    @cached_property
    def _by_verb(self) -> dict[int, NDArray[np.intp]]:
        if not len(self.facts):
            return {}
        order = np.argsort(self.facts.verbs, kind="stable")
        verbs = self.facts.verbs[order]
        found, starts = np.unique(verbs, return_index=True)
        return {int(verb): part for verb, part in zip(found, np.split(order, starts[1:]), strict=True)}

    @cached_property
    def _by_service(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for number, place in enumerate(self.run.places):
            places.setdefault(place.service, []).append(number)
        return places

    def of(self, verb: Verb, where: Callable[[Place], bool] | None = None, service: str | None = None) -> Facts:
        """The facts of a verb in the order of time, at all places, those of a service, or those that `where` says."""
        index = self._by_verb.get(int(verb), np.zeros(0, np.intp))
        if where is not None or service is not None:
            places = self.run.places
            mine = range(len(places)) if service is None else self._by_service.get(service, [])
            wanted = np.zeros(len(places), np.bool_)
            wanted[[number for number in mine if where is None or where(places[number])]] = True
            index = index[wanted[self.facts.places[index]]]
        return self.facts.only(index)

    def order_index(self, facts: Facts) -> NDArray[np.int64]:
        """For facts about messages: the number of the order, less one."""
        index: NDArray[np.int64] = self.order_of[facts.numbers] - 1
        return index

    def first_time_s(self, facts: Facts) -> NDArray[np.float64]:
        """For each order, when such a fact first happened to it; infinite for never."""
        times = np.full(self.orders, np.inf)
        if len(facts):
            index = self.order_index(facts)
            # Facts are in the order of time, so the first of each order is its earliest.
            orders, first = np.unique(index, return_index=True)
            times[orders] = facts.times_ns[first] * NANO
        return times
