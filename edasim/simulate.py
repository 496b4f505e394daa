"""(scenario, architecture, seed) -> Run: build the shop, let time pass, keep the facts."""
from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edasim.architectures.architecture import Architecture
from edasim.architectures.kafka import Kafka
from edasim.architectures.monolith import Monolith
from edasim.architectures.rabbitmq import RabbitMq
from edasim.architectures.rpc import Rpc
from edasim.core.clock import SECOND, Clock
from edasim.core.guard import Guard
from edasim.core.journal import Facts, Journal, Place
from edasim.core.message import Messages
from edasim.scenario.estimating import estimate
from edasim.scenario.sharing import cores, unused
from edasim.scenario.value import Scenario
from edasim.services.faults import Band, Faults
from edasim.services.shop import Shop

if TYPE_CHECKING:
    import pandas

    from edasim.measure.journey import Journey
    from edasim.measure.summary import Summary
    from edasim.study.batch_means import BatchMeans

BUILDERS: dict[str, Callable[[Shop, Any], Architecture]] = {
    "monolith": Monolith,
    "rpc": Rpc,
    "kafka": Kafka,
    "rabbitmq": RabbitMq,
}
SAMPLES = 40
"""How often conservation is checked while orders are placed and while the rest drains, beside the faults' edges."""


FEW_EVENTS = 2_000_000
"""So many events are never too many."""
TIMES_THE_ESTIMATE = 20
MOST_EVENTS = 2e8


class UnknownArchitecture(ValueError):
    """A name that no architecture has, or one that the scenario does not list."""


@dataclass
class Run:
    """One scenario, one architecture, one seed, and everything that happened.

    Times are nanoseconds since the start.  `capacities` says from when on each service (or the one process) had how
    many workers, `cores` how many cores they shared; unlimited ones are infinite.  `placed_by` is the number of each
    order's producer, in the order of the file, and empty where there is but one.
    `closed_ns` is when the last order could be placed, `end_ns` when the run stopped; `quiet` says whether nothing
    was owed any more then, `owed` which messages were.  `bands` are the faults as they held.
    """

    scenario: Scenario
    architecture: str
    seed: int
    journal: Journal
    messages: Messages
    capacities: list[tuple[int, dict[str, float]]]
    cores: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    placed_by: array[int] = field(default_factory=lambda: array("B"))
    closed_ns: int = 0
    end_ns: int = 0
    quiet: bool = False
    owed: frozenset[int] = frozenset()
    checks: int = 0
    bands: list[Band] = field(default_factory=list)
    not_applicable: list[str] = field(default_factory=list)
    _facts: Facts | None = None
    _summary: Summary | None = None

    @property
    def capacity(self) -> dict[str, float]:
        """How many workers each service (or the one process) was given at the start; infinite for unlimited ones."""
        return self.capacities[0][1]

    @property
    def facts(self) -> Facts:
        """All facts as arrays."""
        if self._facts is None:
            self._facts = self.journal.facts()
        return self._facts

    @property
    def places(self) -> list[Place]:
        """The places by their number in the facts."""
        return self.journal.places

    def summary(self) -> Summary:
        """All that is measured, computed once."""
        if self._summary is None:
            from edasim.measure.summary import Summary

            self._summary = Summary(self)
        return self._summary

    def frame(self) -> pandas.DataFrame:
        """The facts as a pandas DataFrame: time_s, verb, message, order, event, place, service."""
        from edasim.measure.frame import frame

        facts: pandas.DataFrame = frame(self)
        return facts

    def journey(self, order: str | int) -> Journey:
        """One order (`order-17` or 17) through services, attempts and time; ValueError when not placed."""
        from edasim.measure.trace import trace

        return trace(self, order)

    def batch_means(self, latency: str = "completion_latency_s", batches: int = 20) -> BatchMeans:
        """The interval of a mean latency from this one run, for a long one; replications are the usual way."""
        from edasim.study.batch_means import batch_means_of

        return batch_means_of(self, latency, batches)

    def __str__(self) -> str:
        from edasim.measure.summary import as_text

        return as_text(self)


@dataclass(frozen=True)
class Limits:
    """What a run may take before it is stopped.  `events`: no more than 20 times the estimate, and no more than
    2 x 10^8 where the estimate did not have to be allowed by name.  `memory` is for the whole process, in bytes
    (None: as much as there is).
    """

    events: bool = True
    memory: int | None = None

    def watch(self, clock: Clock, scenario: Scenario, architecture: str) -> None:
        """Put a guard over a run that begins; from now on its events are counted."""
        most_events = (lambda: _most_events(scenario)) if self.events else None
        guard = Guard(clock, f"The run of {architecture}", most_events, FEW_EVENTS, self.memory)
        guard.look(0)  # A short run is over before the clock lets anybody look.


def _most_events(scenario: Scenario) -> float:
    cost = estimate(scenario)
    return TIMES_THE_ESTIMATE * cost.events if not cost.allowed else min(TIMES_THE_ESTIMATE * cost.events, MOST_EVENTS)


def simulate(scenario: Scenario, architecture: str, seed: int = 1, *, shuffle_ties: int | None = None,
             limits: Limits = Limits()) -> Run:
    """Run a scenario in one architecture; the same arguments give the same facts, bit by bit.

    Events at the same instant happen as they were scheduled; with `shuffle_ties`, in a random order, another one for
    each number.  Raises UnknownArchitecture, ConservationError when messages appear or vanish, TimeStandsStill when an
    instant never ends, RunStopped when the run takes more than the `limits`.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"{seed!r} is no seed: give a whole number from 0 on")
    if architecture not in BUILDERS:
        raise UnknownArchitecture(f'"{architecture}" is no architecture: choose {", ".join(BUILDERS)}')
    options = getattr(scenario.architectures, architecture)
    if options is None:
        listed = ", ".join(scenario.architectures.listed)
        raise UnknownArchitecture(f'the scenario does not list "{architecture}": it has {listed}')
    shop = Shop(scenario, seed, shuffle_ties)
    limits.watch(shop.world.clock, scenario, architecture)
    wired = BUILDERS[architecture](shop, options)
    shop.client.submit = wired.submit
    shop.client.on_leaving = wired.customer_leaves
    faults = Faults(shop, wired)
    conservation = shop.world.conservation
    faults.edges.append(conservation.check_edge)
    wired.begin()
    faults.begin()
    run = Run(scenario, architecture, seed, shop.world.journal, shop.world.messages, [(0, wired.capacity())],
              [(0, cores(scenario, architecture))], shop.placed_by, bands=faults.bands,
              not_applicable=faults.not_applicable)
    if not wired.dead_letters:
        run.not_applicable += [f"redrive of {name}" for name, spec in scenario.services.items() if spec.redrive]
    run.not_applicable += unused(scenario, architecture)
    _date_changes(shop, wired, run)
    shop.begin()
    with _no_cycle_collection():
        _let_time_pass(shop, run)
    conservation.check()
    run.checks = conservation.checks
    run.end_ns = shop.world.clock.now_ns
    return run


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    """A run keeps nearly all that it makes and makes no cycles on a message's path: looking for them only costs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _date_changes(shop: Shop, wired: Architecture, run: Run) -> None:
    """Changes of one instant are made together, in the order of the file."""
    for at_ns, dated in groupby(shop.scenario.changes, key=lambda change: change.at_ns):
        together = tuple(dated)

        def apply(together: tuple[Any, ...] = together) -> None:
            for change in together:
                scenario = shop.scenario.at(change)
                shop.configure(scenario)
                wired.configure(scenario)
                run.capacities.append((shop.world.clock.now_ns, wired.capacity()))
                run.cores.append((shop.world.clock.now_ns, cores(scenario, run.architecture)))

        shop.world.clock.at(at_ns, apply)


def _let_time_pass(shop: Shop, run: Run) -> None:
    clock, scenario = shop.world.clock, shop.scenario
    if scenario.duration is not None:
        _sample(shop, 0, scenario.duration)
        clock.advance(scenario.duration)
    else:
        rate = sum(producer.arrivals.mean_rate for producer in scenario.producers.values())
        stretch_ns = round(SECOND * (scenario.orders or 1) / max(rate, 1e-9)) + SECOND
        while not shop.closed and clock.peek() != float("inf"):
            _sample(shop, clock.now_ns, clock.now_ns + stretch_ns)
            clock.advance(clock.now_ns + stretch_ns)
    run.closed_ns = clock.now_ns
    if not shop.world.quiet():
        _sample(shop, clock.now_ns, clock.now_ns + scenario.drain)
        clock.advance(clock.now_ns + scenario.drain, finished=shop.world.quiet)
    run.quiet = shop.world.quiet()
    run.owed = frozenset(shop.world.owed())


def _sample(shop: Shop, start_ns: int, end_ns: int) -> None:
    """Check conservation at instants between two, each of which sets the next: the agenda is short and stays short."""
    clock, instants = shop.world.clock, iter(range(1, SAMPLES))

    def set_next() -> None:
        for number in instants:
            clock.at(start_ns + (end_ns - start_ns) * number // SAMPLES, check)
            return

    def check() -> None:
        set_next()
        shop.world.conservation.check()

    set_next()
