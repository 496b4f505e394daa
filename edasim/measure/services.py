"""What each service did: counts, waiting, work, backlog, utilisation."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Place, Verb
from edasim.measure.consistency import OldestAge, staleness
from edasim.measure.kafka_log import passed_over
from edasim.measure.lag import at_gateway, stretches
from edasim.measure.ordering import ordering_violations
from edasim.measure.orders import Orders
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps


@dataclass(frozen=True)
class ServiceNumbers:
    """The numbers of one service over counted orders; time averages span the measured interval.

    `lag_max` and `lag_age_max_s` are the most unsettled messages and the age of the oldest; see `lag`.
    `wait_s` holds, for each message that the service began, from available to the first start of an attempt;
    `work_s` how long each attempt took that ended.  `at_work` is the mean number of its workers that were at work, and
    `utilisation` the share of them; not a number where workers are unlimited.  Where they share fewer cores it is the
    share of the cores that this service took; who waits for a store takes none.
    `breaker_openings` is how often its breaker opened, `short_circuited` how many calls that kept from being made.
    """

    handled: int
    failed: int
    retried: int
    dead_lettered: int
    duplicated_effects: int
    attempts: int
    utilisation: float
    at_work: float
    throughput_per_s: float
    backlog_mean: float
    backlog_max: float
    wait_s: Floats
    work_s: Floats
    staleness_mean_s: float
    staleness_max_s: float
    lag_max: float
    lag_age_max_s: float
    ordering_violations: int
    breaker_openings: int
    short_circuited: int


class ServiceReading:
    """The journal as one service sees it."""

    def __init__(self, reading: Reading, orders: Orders, service: str) -> None:
        self.reading = reading
        self.orders = orders
        self.service = service

    def _mine(self, verb: Verb, kinds: tuple[str, ...] = ("worker", "service", "queue", "group")) -> Facts:
        return self.reading.of(verb, lambda place: place.kind in kinds, self.service)

    def count(self, verb: Verb, kinds: tuple[str, ...] = ("worker", "service", "queue", "group")) -> int:
        """How often the verb happened here to counted orders."""
        facts = self._mine(verb, kinds)
        return int(np.sum(self.orders.counted[self.reading.order_index(facts)]))

    def capacity(self) -> Steps:
        """How many workers there were to be; in the monolith, how many threads."""
        return self._given(self.reading.run.capacities)

    def _given(self, changes: list[tuple[int, dict[str, float]]]) -> Steps:
        times = np.array([time for time, _ in changes]) * NANO
        mine = [number.get(self.service) or sum(number.values()) for _, number in changes]
        return Steps(times, np.array(mine, np.float64))

    def utilisation(self, busy: Steps, start_s: float, end_s: float) -> float:
        """The share of the workers, or of the cores that they share, that was in use; NaN of unlimited ones."""
        cores = self._given(self.reading.run.cores)
        if not np.any(np.isfinite(cores.values_within(start_s, end_s))):
            workers = self.capacity().mean(start_s, end_s)
            return busy.mean(start_s, end_s) / max(workers, 1e-9) if np.isfinite(workers) else np.nan
        others = self.reading.run.scenario.services if self.reading.run.architecture == "monolith" else [self.service]
        everybody = [ServiceReading(self.reading, self.orders, name) for name in others]
        computing = [one.busy().less(one.writing()) for one in everybody]
        mine = computing[list(others).index(self.service)]
        workers_and_cores = [self.capacity(), cores]
        times = np.unique(np.concatenate([steps.times_s for steps in (*computing, *workers_and_cores)]))
        there = np.minimum(*(steps.at(times) for steps in workers_and_cores))
        at_work = np.maximum(np.sum([steps.at(times) for steps in computing], axis=0), 1.0)
        used = Steps(times, mine.at(times) * np.minimum(1.0, there / at_work))
        mean = Steps(times, there).mean(start_s, end_s)
        return used.mean(start_s, end_s) / max(mean, 1e-9) if np.isfinite(mean) else np.nan

    def dead_letters(self) -> int:
        """How many messages of counted orders were put into its dead-letter queue or topic, whatever the reason."""
        facts = [
            self.reading.of(verb, lambda place: place.detail == "parking", self.service)
            for verb in (Verb.routed, Verb.appended)
        ]
        return sum(int(np.sum(self.orders.counted[self.reading.order_index(one)])) for one in facts)

    # --- at work ----------------------------------------------------------------------------------------------

    def busy(self) -> Steps:
        """How many workers are at work on an attempt."""
        ups = self._mine(Verb.started).times_ns * NANO
        downs = np.concatenate([self._mine(verb).times_ns for verb in (Verb.handled, Verb.failed, Verb.crashed)])
        return Steps.counting(ups, downs * NANO)

    def writing(self) -> Steps:
        """How many of them wait for their store: until it answers, or the attempt ends otherwise."""
        written = self._mine(Verb.written, ("store",))
        ends_ns = np.full(len(written), np.inf)
        for verb in (Verb.confirmed, Verb.abandoned):
            facts = self._mine(verb, ("store",))
            ends_ns[facts.numbers - 1] = facts.times_ns
        for verb in (Verb.failed, Verb.crashed) if len(written) else ():
            facts = self._mine(verb, ("worker",))
            for number, time_ns in zip(facts.numbers, facts.times_ns, strict=True):
                cut = (written.numbers == number) & (written.times_ns <= time_ns) & (time_ns < ends_ns)
                ends_ns[cut] = time_ns
        return Steps.counting(written.times_ns * NANO, ends_ns * NANO)

    def work_s(self) -> Floats:
        """How long each attempt took that ended, well, badly or with its worker, in the order in which they ended."""
        starts = self._mine(Verb.started)
        ends = [self._mine(verb) for verb in (Verb.handled, Verb.failed, Verb.crashed)]
        # A worker has one attempt in hands at a time, so those of one message at one worker end in their order; one
        # that is still under way when the run stops has no end.
        ended_ns = np.concatenate([facts.times_ns for facts in ends])
        begun_by = self._hands(starts.places, starts.numbers)
        ended_by = self._hands(*(np.concatenate(column) for column in zip(
            *((facts.places, facts.numbers) for facts in ends), strict=True)))
        begun, over = np.lexsort((starts.times_ns, begun_by)), np.lexsort((ended_ns, ended_by))
        begun = begun[_count_within(begun_by[begun]) < _count_of(begun_by[begun], ended_by[over])]
        work: Floats = (ended_ns[over] - starts.times_ns[begun]) * NANO
        return work[np.argsort(ended_ns[over], kind="stable")]

    def _hands(self, places: NDArray[np.int32], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for each worker with a message in hands."""
        hands: NDArray[np.int64] = self._desk_of(places).astype(np.int64) << 38 | numbers
        return hands

    def _desk_of(self, places: NDArray[np.int32]) -> NDArray[np.int32]:
        # A restart on the spot is recorded at its own place beside the worker's, which stands just before it.
        first: dict[str, int] = {}
        alias = np.arange(len(self.reading.run.places), dtype=np.int32)
        for number, place in enumerate(self.reading.run.places):
            if place.kind == "worker" and place.service == self.service:
                alias[number] = first.setdefault(place.name, number)
        desks: NDArray[np.int32] = alias[places]
        return desks

    # --- waiting ----------------------------------------------------------------------------------------------

    def _available(self) -> Facts:
        """When messages came into being for this service: into its queue, its topics, or the line of orders."""
        architecture = self.reading.run.architecture
        if architecture == "monolith":
            return self.reading.of(Verb.routed, lambda place: place.name == "orders")
        if architecture == "kafka":
            return self._available_records()
        return self.reading.of(Verb.routed, lambda place: place.detail != "parking", self.service)

    def _available_records(self) -> Facts:
        handles = self.orders.scenario.services[self.service].handles
        skipped = self._skipped()

        def mine(place: Place) -> bool:
            if place.kind != "partition" or place.detail == "parking":
                return False
            return place.service == self.service or (place.service == "" and place.name.rpartition("-")[0] in handles)

        facts = self.reading.of(Verb.appended, mine)
        if not skipped:
            return facts
        keep = np.ones(len(facts), np.bool_)
        for number, place in enumerate(self.reading.run.places):
            if place.name in skipped:
                here = np.flatnonzero(facts.places == number)
                keep[here[: skipped[place.name]]] = False
        return facts.only(keep)

    def _skipped(self) -> dict[str, int]:
        facts = self.reading.of(Verb.skipped, lambda place: not place.detail, self.service)
        names = [self.reading.run.places[place].name.split(" ", 1)[1] for place in facts.places.tolist()]
        return dict(zip(names, facts.numbers.tolist(), strict=True))

    def _begun(self) -> Facts:
        if self.reading.run.architecture == "monolith":
            return self.reading.of(Verb.delivered, lambda place: place.name == "orders")
        return self.reading.of(Verb.started, lambda place: place.detail != "again", self.service)

    def _left_waiting(self) -> list[Facts]:
        if self.reading.run.architecture == "kafka":
            return passed_over(self.reading, self.service)
        wanted = "orders" if self.reading.run.architecture == "monolith" else self.service
        return [
            self.reading.of(verb, lambda place: place.kind == "queue" and wanted in (place.name, place.service)
                            and place.detail != "parking")
            for verb in (Verb.dropped, Verb.expired, Verb.dead_lettered)
        ]

    def waiting(self) -> tuple[Floats, Floats]:
        """When a message began to wait for this service, and when it was begun (or left): one row a stretch.

        A message waits from when it is available until an attempt begins; after a crash, from the crash on.
        Infinite for what never began.  A copy of a message that already waits adds nothing.
        """
        # Without a broker nothing comes back from a worker that crashed: its caller gets an error.
        returned = (Verb.redelivered, Verb.crashed) if self.reading.run.architecture in ("kafka", "rabbitmq") else ()
        again = [self._mine(verb, ("queue", "group", "worker")) for verb in returned]
        ins = [self._available(), *again]
        outs = [self._begun(), *self._left_waiting()]
        times = np.concatenate([facts.times_ns for facts in ins + outs])
        rows = np.concatenate([facts.rows for facts in ins + outs])
        numbers = np.concatenate([facts.numbers for facts in ins + outs])
        comes = np.concatenate([np.ones(len(f), np.bool_) for f in ins] + [np.zeros(len(f), np.bool_) for f in outs])
        order = np.lexsort((rows, numbers))
        times, numbers, comes = times[order], numbers[order], comes[order]
        new = np.concatenate([[True], numbers[1:] != numbers[:-1]]) if len(numbers) else np.zeros(0, np.bool_)
        previous = np.concatenate([[False], comes[:-1]]) & ~new if len(numbers) else comes
        begins = comes & ~previous
        ends = ~comes & previous
        starts_at = times[begins] * NANO
        stops_at = np.full(len(starts_at), np.inf)
        stretch = np.cumsum(begins) - 1
        stops_at[stretch[ends]] = times[ends] * NANO
        self._stretch_numbers = numbers[begins]
        return starts_at, stops_at

    def backlog(self) -> Steps:
        """How many messages wait for this service: available, and no attempt begun."""
        starts, stops = self.waiting()
        before = at_gateway(self.reading, self.service)
        return Steps.counting(np.concatenate([starts, before[0]]), np.concatenate([stops, before[1]]))

    def waiting_number(self) -> Steps:
        """How many messages of counted orders wait in its own queue; before the gateway of RPC nobody waits for it."""
        starts, stops = self.waiting()
        counted = self.orders.counted[self.reading.order_of[self._stretch_numbers] - 1]
        return Steps.counting(starts[counted], stops[counted])

    def wait_s(self) -> Floats:
        """From available to begun, for each message of a counted order whose wait ended."""
        starts, stops = self.waiting()
        counted = self.orders.counted[self.reading.order_of[self._stretch_numbers] - 1]
        mask = counted & np.isfinite(stops)
        waits: Floats = stops[mask] - starts[mask]
        return waits

    # --- all of it --------------------------------------------------------------------------------------------

    def numbers(self, start_s: float, end_s: float) -> ServiceNumbers:
        """Everything, with time averages over [start_s, end_s]."""
        busy, backlog = self.busy(), self.backlog()
        stale = staleness(self.orders, self.service)
        settling = stretches(self.reading, self.service)
        ends = self._mine(Verb.handled).times_ns * NANO
        inside = np.sum((ends > start_s) & (ends <= end_s))
        return ServiceNumbers(
            handled=self.count(Verb.handled),
            failed=self.count(Verb.failed),
            retried=self.count(Verb.retried),
            dead_lettered=self.dead_letters(),
            duplicated_effects=self.orders.duplicated_effects(self.service),
            attempts=self.count(Verb.started),
            utilisation=self.utilisation(busy, start_s, end_s),
            at_work=busy.mean(start_s, end_s),
            throughput_per_s=float(inside) / (end_s - start_s) if end_s > start_s else 0.0,
            backlog_mean=backlog.mean(start_s, end_s),
            backlog_max=backlog.max(start_s, self.reading.run.end_ns * NANO),
            wait_s=self.wait_s(),
            work_s=self.work_s(),
            staleness_mean_s=stale.mean(start_s, end_s),
            staleness_max_s=stale.max(start_s, self.reading.run.end_ns * NANO),
            lag_max=Steps.counting(*settling).max(start_s, self.reading.run.end_ns * NANO),
            lag_age_max_s=OldestAge(*settling).max(start_s, self.reading.run.end_ns * NANO),
            ordering_violations=ordering_violations(self.orders, self.service),
            breaker_openings=len(self._mine(Verb.opened, ("breaker",))),
            short_circuited=self.count(Verb.short_circuited, ("breaker",)),
        )


def _count_within(ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of the ordered numbers how many equal ones stand before it."""
    counts: NDArray[np.int64] = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    return counts


def _count_of(wanted: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each wanted number how often it occurs among the ordered ones."""
    counts: NDArray[np.int64] = np.searchsorted(ordered, wanted, side="right") - np.searchsorted(ordered, wanted)
    return counts
