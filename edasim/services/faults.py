"""Faults: ordinary SimPy processes that break what the scenario names, and mend it when their time is over."""
from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from edasim.core.distribution import Distribution
from edasim.core.journal import Place, Verb
from edasim.scenario.fault import Fault
from edasim.services.network import Between, Impairment
from edasim.services.replica import Replica
from edasim.services.shop import Shop
from edasim.services.worker import Worker

Mend = Callable[[], None]


class Breakable(Protocol):
    """What a fault asks of an architecture."""

    parts: frozenset[str]
    """The parts beside the services that a fault can hit here: broker, database."""

    def connects(self, one: str, other: str) -> bool:
        """Whether a link lies between two parts."""

    def crash(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service die without a goodbye (all of them for None); returns what `restart` needs."""

    def stop(self, service: str, count: int | None) -> list[Worker]:
        """Workers of a service leave properly."""

    def instances(self, service: str) -> int:
        """How many units of a service a rolling deploy replaces, one after another."""

    def restart(self, service: str, workers: list[Worker]) -> None:
        """Those workers come back, as new ones."""

    def refuse(self, part: str, share: float) -> Mend:
        """A share of what a part is asked is answered with an error."""

    def hold(self, part: str) -> None:
        """A part makes no progress until `release`."""

    def release(self, part: str) -> None:
        """Undo one `hold`."""

    def end_part(self, part: str, *, properly: bool) -> Mend:
        """A part's process ends, properly or else with what it only had in memory; returns what starts it again."""

    def slow_part(self, part: str, factor: float) -> Mend:
        """A part takes `factor` times as long; returns what undoes it."""

    def lose_producer(self, name: str) -> None:
        """The producer's process dies with what it had not handed over."""


@dataclass
class Band:
    """When a fault held, for charts and tables; `end_ns` is None while it lasts."""

    name: str
    text: str
    start_ns: int
    end_ns: int | None = None


class Faults:
    """All faults of one run.  `bands` says what happened when; `not_applicable` names what this architecture lacks."""

    def __init__(self, shop: Shop, architecture: Breakable) -> None:
        self.shop = shop
        self.architecture = architecture
        self.bands: list[Band] = []
        self.not_applicable: list[str] = []
        self.edges: list[Callable[[], None]] = []
        """Called at each edge of a fault, after it."""

    def begin(self) -> None:
        """Start a process for each fault."""
        for name, fault in self.shop.scenario.faults.items():
            if self._applies(fault):
                self.shop.world.clock.process(self._life(name, fault))
            else:
                self.not_applicable.append(name)

    def _applies(self, fault: Fault) -> bool:
        target = fault.target
        if fault.link is not None:
            return self.architecture.connects(fault.link[0], fault.link[1])
        if fault.kind in ("cut", "lossy", "duplicating"):
            others = [*self.shop.services, *self.shop.sources, "broker", "gateway"]
            return any(self.architecture.connects(target, other) for other in others)
        mine = (self.shop.services, self.shop.sources, self.shop.replicas, self.architecture.parts)
        return any(target in parts for parts in mine)

    def _life(self, name: str, fault: Fault) -> Generator[Any, Any, None]:
        clock = self.shop.world.clock
        times = _Times(self.shop, name, fault)
        recovered = self.shop.world.writer(Verb.recovered, Place("fault", name, "", fault.target))
        while True:
            yield clock.timeout(times.until_start_ns())
            length_ns = times.length_ns()
            if length_ns != 0:
                band = Band(name, fault.words, clock.now_ns)
                self.bands.append(band)
                if fault.kind == "deploy":
                    yield from self._deploy(fault)
                else:
                    mend = self._break(fault)
                    self._edge()
                    if length_ns is None:
                        return
                    yield clock.timeout(length_ns)
                    mend()
                band.end_ns = clock.now_ns
                recovered(len(self.bands))
                self._edge()
            if fault.every is None:
                return

    def _edge(self) -> None:
        for watcher in self.edges:
            watcher()

    def _deploy(self, fault: Fault) -> Generator[Any, Any, None]:
        """One worker after another leaves, and is back when the next one goes."""
        for _ in range(self.architecture.instances(fault.target)):
            gone = self.architecture.stop(fault.target, 1)
            yield self.shop.world.clock.timeout(fault.rolling or 0)
            self.architecture.restart(fault.target, gone)

    # --- breaking, with the way back --------------------------------------------------------------------------

    def _break(self, fault: Fault) -> Mend:
        target = fault.target
        if fault.kind in ("cut", "lossy", "duplicating") or fault.link is not None:
            return self._impair(Between.named(target), fault)
        if target in self.shop.services or target in self.shop.replicas:
            return self._break_service(target, fault)
        if target in self.shop.sources:
            return self._break_producer(target, fault)
        return self._break_part(target, fault)

    def _impair(self, between: Between, fault: Fault) -> Mend:
        share = fault.share or 0.0
        impairment = Impairment(
            between,
            cut=fault.kind == "cut",
            slowness=fault.by or 1.0,
            loss=share if fault.kind == "lossy" else 0.0,
            duplicates=share if fault.kind == "duplicating" else 0.0,
            repeats_after_ns=fault.after,
        )
        self.shop.network.impair(impairment)
        return lambda: self.shop.network.repair(impairment)

    def _break_service(self, target: str, fault: Fault) -> Mend:
        service = self.shop.replicas.get(target) or self.shop.services[target]
        if isinstance(service, Replica) and fault.for_ is None:
            service.fails_for_good = fault.kind == "failing"
        if fault.kind == "unavailable":
            service.stop()
            return service.resume
        if fault.kind == "failing":
            share = 1.0 if fault.share is None else fault.share
            service.fail(share)
            return lambda: service.heal(share)
        if fault.kind == "slow":
            factor = fault.by or 1.0
            service.slow_down(factor)
            return lambda: service.speed_up(factor)
        leave = self.architecture.crash if fault.kind == "crash" else self.architecture.stop
        gone = leave(target, fault.workers)
        return lambda: self.architecture.restart(target, gone)

    def _break_producer(self, target: str, fault: Fault) -> Mend:
        """A producer that is down turns its customers away; a crash also leaves those who waited without an answer."""
        source = self.shop.sources[target]
        source.down += 1
        if fault.kind == "crash":
            self.architecture.lose_producer(target)
            for request in [request for request in self.shop.client.open if request.source is source]:
                self.shop.client.answer(request, False, "shop down")

        def mend() -> None:
            source.down -= 1

        return mend

    def _break_part(self, target: str, fault: Fault) -> Mend:
        architecture = self.architecture
        if fault.kind == "failing":
            share = 1.0 if fault.share is None else fault.share
            return architecture.refuse(target, share)
        if fault.kind == "slow":
            return architecture.slow_part(target, fault.by or 1.0)
        if fault.kind in ("crash", "stop"):
            return architecture.end_part(target, properly=fault.kind == "stop")
        architecture.hold(target)
        return lambda: architecture.release(target)


class _Times:
    """The start and the length of a fault, drawn in sequence from streams of its own."""

    def __init__(self, shop: Shop, name: str, fault: Fault) -> None:
        self._fault = fault
        self._clock = shop.world.clock
        self._every = _draw(shop, "fault every", name, fault.every)
        self._for = _draw(shop, "fault for", name, fault.for_)

    def until_start_ns(self) -> int:
        if self._every is not None:
            return self._every()
        return max(0, (self._fault.at or 0) - self._clock.now_ns)

    def length_ns(self) -> int | None:
        return None if self._for is None else self._for()


def _draw(shop: Shop, purpose: str, name: str, law: Distribution | None) -> Callable[[], int] | None:
    return None if law is None else shop.world.draws.sequential(purpose, name, law.quantile_ns).draw
