"""The network of one run: every link between parts, how the scenario has it, and what faults do to it."""
from __future__ import annotations

from dataclasses import dataclass

from edasim.core.link import Link, sum_of
from edasim.core.world import World
from edasim.scenario.wire import Wire


@dataclass(frozen=True)
class Between:
    """Which links a fault hits: all of a part, or those between two parts, one way or both."""

    source: str
    target: str = ""
    both_ways: bool = True

    @classmethod
    def named(cls, text: str) -> Between:
        """From `payment`, `payment <-> broker` or `payment -> broker`."""
        for arrow, both_ways in ((" <-> ", True), (" -> ", False)):
            if arrow in text:
                source, target = text.split(arrow)
                return cls(source.strip(), target.strip(), both_ways)
        return cls(text)

    def hits(self, link: Link) -> bool:
        """Whether a link is one of them."""
        if not self.target:
            return self.source in (link.source, link.target)
        there = (link.source, link.target) == (self.source, self.target)
        back = (link.target, link.source) == (self.source, self.target)
        return there or (self.both_ways and back)


@dataclass(frozen=True)
class Impairment:
    """What a fault does to the links that it hits.  One that is made later is hit as well."""

    between: Between
    cut: bool = False
    slowness: float = 1.0
    loss: float = 0.0
    duplicates: float = 0.0
    repeats_after_ns: int | None = None


BROKER = Between("broker")
BROKER_CUT = Impairment(BROKER, cut=True)


class Network:
    """Makes links by the names of the scenario's hops and keeps them as the wire and the faults have them."""

    def __init__(self, world: World, wire: Wire) -> None:
        self.world = world
        self.wire = wire
        self.impairments: list[Impairment] = []
        self._hops: dict[Link, tuple[str, ...]] = {}

    def link(self, source: str, target: str, hops: tuple[str, ...], instance: str = "") -> Link:
        """A link whose latency is the sum of the scenario's latencies of these hops."""
        laws = [self.wire.latency(hop).quantile_ns for hop in hops]
        link = self.world.link(source, target, laws, instance)
        if link not in self._hops:
            self._hops[link] = hops
            self._apply(link)
            for impairment in self.impairments:
                if impairment.cut and impairment.between.hits(link):
                    link.cut()
        return link

    def has(self, between: Between) -> bool:
        """Whether such a link exists here."""
        return any(between.hits(link) for link in self._hops)

    def impair(self, impairment: Impairment) -> None:
        """A fault begins."""
        self.impairments.append(impairment)
        self._update(impairment, Link.cut)

    def repair(self, impairment: Impairment) -> None:
        """A fault is over."""
        self.impairments.remove(impairment)
        self._update(impairment, Link.mend)

    def _update(self, impairment: Impairment, move: object) -> None:
        for link in self._hops:
            if impairment.between.hits(link):
                self._apply(link)
                if impairment.cut:
                    move(link)  # type: ignore[operator]

    def _apply(self, link: Link) -> None:
        slowness, passes, single = 1.0, 1.0 - self.wire.loss, 1.0 - self.wire.duplicates
        waits_ns: list[int] = []
        for impairment in self.impairments:
            if impairment.between.hits(link):
                slowness *= impairment.slowness
                passes *= 1.0 - impairment.loss
                single *= 1.0 - impairment.duplicates
                waits_ns += [] if impairment.repeats_after_ns is None else [impairment.repeats_after_ns]
        link.impair(slowness=slowness, loss=1.0 - passes, duplicates=1.0 - single)
        link.repeats_after_ns = max(waits_ns, default=None)

    def configure(self, wire: Wire) -> None:
        """Another wire from now on."""
        self.wire = wire
        for link, hops in self._hops.items():
            link.latency.use(sum_of([wire.latency(hop).quantile_ns for hop in hops]))
            self._apply(link)
