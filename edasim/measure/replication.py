"""What a replicated store did: how stale its replicas and its reads were, read from the journal.

A version is consistent for a read that sees it or a newer one of its key.  Sources: Bailis et al., "Probabilistically
Bounded Staleness for Practical Partial Quorums", VLDB 2012; Gilbert and Lynch, "Brewer's conjecture", 2002.
"""
from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Verb
from edasim.measure.consistency import OldestAge
from edasim.measure.orders import Bools, Orders
from edasim.measure.reading import NANO, Reading
from edasim.measure.steps import Floats, Steps
from edasim.scenario.store import replica_name

Integers = NDArray[np.int64]


class StoreReading:
    """The journal as one service's store sees it.

    Arrays over versions have version 1 at index 0; those over versions and replicas have shape (versions, replicas).
    Times are seconds, infinite for never.  What is said about versions and reads is about those of counted orders.
    """

    def __init__(self, reading: Reading, orders: Orders, service: str) -> None:
        spec = reading.run.scenario.services[service].store
        if spec is None:
            raise ValueError(f"{service} has no store: give it one with services.{service}.store: {{replicas: 3}}")
        self.reading = reading
        self.orders = orders
        self.service = service
        self.spec = spec
        self.replicas = [replica_name(service, number) for number in range(1, spec.replicas + 1)]
        written = self._of(Verb.written)
        self.written_s: Floats = written.times_ns * NANO
        self.confirmed_s: Floats = self._by_version(self._of(Verb.confirmed))
        self.counted: Bools = orders.counted[reading.order_index(written)]
        messages = reading.run.messages
        code: dict[str | None, int] = {}
        self.key_of: Integers = np.array(
            [code.setdefault(messages[number].key, len(code)) for number in written.numbers.tolist()], np.int64)
        self.keys: list[str | None] = list(code)

    def __len__(self) -> int:
        return len(self.written_s)

    def _of(self, verb: Verb, replica: str = "", detail: str = "") -> Facts:
        name = replica or self.service
        return self.reading.of(verb, lambda place: place.name == name and place.kind in ("store", "replica")
                               and place.detail == detail, self.service)

    def _by_version(self, facts: Facts) -> Floats:
        times = np.full(len(self), np.inf)
        times[facts.numbers - 1] = facts.times_ns * NANO
        return times

    # --- writes -----------------------------------------------------------------------------------------------

    @property
    def confirmed(self) -> Bools:
        """Which versions enough replicas had acknowledged."""
        return np.isfinite(self.confirmed_s)

    @cached_property
    def arrived_s(self) -> Floats:
        """When each version arrived at each replica, whether it was taken or a newer one was there."""
        columns = [np.minimum(self._by_version(self._of(Verb.stored, name)),
                              self._by_version(self._of(Verb.superseded, name))) for name in self.replicas]
        return np.stack(columns, axis=1)

    @cached_property
    def everywhere_s(self) -> Floats:
        """When each version had arrived at all replicas to which it was sent."""
        arrived: Floats = np.sort(self.arrived_s, axis=1)[:, self.spec.targets - 1]
        return arrived

    @property
    def write_latency_s(self) -> Floats:
        """Written to confirmed, of the confirmed versions."""
        which = self.confirmed & self.counted
        latency: Floats = self.confirmed_s[which] - self.written_s[which]
        return latency

    @property
    def convergence_s(self) -> Floats:
        """Written until all replicas have it, of each version; infinite when one of them never got it."""
        return (self.everywhere_s - self.written_s)[self.counted]

    def _until_s(self, replica: str | None) -> Floats:
        if replica is None:
            return self.everywhere_s
        column: Floats = self.arrived_s[:, self.replicas.index(replica)]
        return column

    def missing(self, replica: str | None = None) -> Steps:
        """How many confirmed versions a replica (or any of them) has not got yet, over time."""
        until_s, which = self._until_s(replica), self.confirmed
        late = which & (until_s > self.confirmed_s)
        return Steps.counting(self.confirmed_s[late], until_s[late])

    def stale_share(self, start_s: float, end_s: float, replica: str | None = None) -> float:
        """The chance that who looks at a random time finds a version missing at a replica (or at any of them)."""
        return self.missing(replica).share_at_least(1.0, start_s, end_s)

    def staleness(self, replica: str | None = None) -> OldestAge:
        """The age of the oldest confirmed version that a replica (or any of them) has not got yet."""
        which = self.confirmed
        return OldestAge(self.confirmed_s[which], self._until_s(replica)[which])

    # --- what the replicas hold -------------------------------------------------------------------------------

    @cached_property
    def newest(self) -> Integers:
        """The newest version of each key on each replica when the run stopped, shape (keys, replicas); 0 for none."""
        newest = np.zeros((len(self.keys), len(self.replicas)), np.int64)
        for column, name in enumerate(self.replicas):
            versions = self._of(Verb.stored, name).numbers
            np.maximum.at(newest[:, column], self.key_of[versions - 1], versions)
        return newest

    @property
    def converged(self) -> bool:
        """Whether all replicas held the same when the run stopped."""
        return bool(np.all(self.newest == self.newest[:, :1]))

    # --- reads ------------------------------------------------------------------------------------------------

    @cached_property
    def _replied(self) -> tuple[Floats, Integers]:
        times, rows = [], []
        for name in self.replicas:
            facts = self._of(Verb.replied, name)
            row = np.full(len(self), np.iinfo(np.int64).max)
            row[facts.numbers - 1] = facts.rows
            times.append(self._by_version(facts))
            rows.append(row)
        return np.stack(times, axis=1), np.stack(rows, axis=1)

    @cached_property
    def _first(self) -> Integers:
        """The replicas whose replies come first, as many as the read quorum, for each version: places in `replicas`."""
        # Replies of one instant come in the order of the journal.
        order: Integers = np.argsort(self._replied[1], axis=1, kind="stable")[:, : self.spec.read_quorum]
        return order

    @cached_property
    def _quorum_s(self) -> Floats:
        times: Floats = np.take_along_axis(self._replied[0], self._first, axis=1)[:, -1]
        return times

    @property
    def read(self) -> Bools:
        """After which versions a reader looked and got as many replies as it must."""
        return np.isfinite(self._quorum_s) & self.counted

    @property
    def failed_reads(self) -> int:
        """How many readers had too few replies, because replicas declined or the run stopped before."""
        return int(np.sum(self.confirmed & self.counted & ~self.read)) if self.spec.readers else 0

    @property
    def read_latency_s(self) -> Floats:
        """From looking to the last reply that the read needs."""
        latency: Floats = (self._quorum_s - self.confirmed_s)[self.read]
        return latency

    @cached_property
    def visible_after_s(self) -> Floats:
        """For each read: the shortest delay after the confirmation with which it would have been consistent.

        A read that begins so much later reaches the same replicas so much later, and the same replies come first.
        """
        waits = np.full((len(self), len(self.replicas)), np.inf)
        for column, name in enumerate(self.replicas):
            asked_s = self._by_version(self._of(Verb.asked, name))
            asked = np.isfinite(asked_s)
            waits[asked, column] = self._since_s(name)[asked] - asked_s[asked]
        needed: Floats = np.min(np.take_along_axis(waits, self._first, axis=1), axis=1)
        return np.maximum(needed, 0.0)[self.read]

    def _since_s(self, replica: str) -> Floats:
        """From when on a replica holds each version or a newer one of its key."""
        facts = self._of(Verb.stored, replica)
        # A replica takes newer versions only: within a key, versions and times rise together.
        span = len(self) + 1
        taken = self.key_of[facts.numbers - 1] * span + facts.numbers
        order = np.argsort(taken)
        taken, times_s = taken[order], (facts.times_ns * NANO)[order]
        place = np.searchsorted(taken, self.key_of * span + np.arange(1, span))
        found = np.minimum(place, max(len(taken) - 1, 0))
        if not len(taken):
            return np.full(len(self), np.inf)
        same_key = (place < len(taken)) & (taken[found] // span == self.key_of)
        return np.where(same_key, times_s[found], np.inf)

    def t_visibility(self, delays_s: Floats) -> Floats:
        """The share of reads, begun so long after the confirmation, that see the version or a newer one."""
        waits = np.sort(self.visible_after_s)
        return np.searchsorted(waits, delays_s, side="right") / len(waits) if len(waits) else np.ones(len(delays_s))

    @cached_property
    def versions_behind(self) -> Integers:
        """For each read: how many confirmed versions of the key were newer than the newest that it saw.

        Those that were confirmed after the one that it followed do not count.
        """
        seen = np.zeros((len(self), len(self.replicas)), np.int64)
        for column, name in enumerate(self.replicas):
            seen[:, column] = self._seen(name)
        newest = np.max(np.take_along_axis(seen, self._first, axis=1), axis=1)
        span = len(self) + 1
        known = np.sort((self.key_of * span + np.arange(1, span))[self.confirmed])
        upto = np.searchsorted(known, self.key_of * span + np.arange(1, span), side="right")
        behind = upto - np.searchsorted(known, self.key_of * span + newest, side="right")
        found: Integers = np.maximum(behind, 0)[self.read]
        return found

    def _seen(self, replica: str) -> Integers:
        """The newest version of the key that each read finds at a replica; 0 for none, or when it was not answered."""
        stored, asked = self._of(Verb.stored, replica), self._of(Verb.asked, replica)
        span = len(self.reading.facts) + 1
        taken = self.key_of[stored.numbers - 1] * span + stored.rows
        order = np.argsort(taken)
        keys = self.key_of[asked.numbers - 1]
        place = np.searchsorted(taken[order], keys * span + asked.rows) - 1
        seen = np.zeros(len(self), np.int64)
        if len(taken):
            here = (place >= 0) & (taken[order][place] // span == keys)
            seen[asked.numbers - 1] = np.where(here, stored.numbers[order][place], 0)
        return seen

    def within(self, versions: int) -> float:
        """k-staleness: the share of reads that see one of the last so many versions; 1 asks for the newest."""
        behind = self.versions_behind
        return float(np.mean(behind < versions)) if len(behind) else 1.0
