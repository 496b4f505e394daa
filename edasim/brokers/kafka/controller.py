"""The controller of a Kafka cluster: who leads a partition, which replicas are in sync, and who may lead next.

Sources in apache/kafka: PartitionChangeBuilder (electLeader, maybePopulateTargetElr, maybeUpdateLastKnownLeader),
ReplicationControlManager (handleBrokerFenced, handleBrokerUnfenced, handleBrokerInControlledShutdown,
maybeBalancePartitionLeaders), ClusterControlManager.registerBroker, BrokerHeartbeatManager; KIP-966.  The controller
itself never fails: it runs on nodes of its own, which a scenario cannot break.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from edasim.brokers.kafka.nodes import Node

if TYPE_CHECKING:
    from edasim.brokers.kafka.node_lives import FailingCluster
    from edasim.brokers.kafka.replicas import ReplicatedPartition

MILLISECOND = 1_000_000
SECOND = 1_000_000_000


class Registration(NamedTuple):
    """What the controller has written down about a partition.  Nodes go by their index, from 0.

    `eligible` are the eligible leader replicas: outside of the ISR, but they have all below the high watermark.
    `last_leader` is who led last before ISR and eligible replicas got empty.  `epoch` counts leaders, `version` all
    changes.
    """

    leader: int | None
    isr: tuple[int, ...]
    eligible: tuple[int, ...] = ()
    last_leader: int | None = None
    epoch: int = 0
    version: int = 0


@dataclass(frozen=True)
class Rules:
    """By what a partition's leader is chosen: its replicas in their order, and the options in force."""

    replicas: tuple[int, ...]
    min_isr: int
    unclean: bool
    eligible_leaders: bool

    def change(self, before: Registration, isr: Collection[int], active: Collection[int], *,
               preferred: bool = False, unclean_shutdown: int | None = None) -> Registration:
        """The registration when the ISR is to be `isr` and the `active` nodes may lead."""
        in_sync = tuple(one for one in self.replicas if one in isr)
        eligible = self._eligible(before, in_sync, unclean_shutdown)
        leader, unclean = self._elect(before, in_sync, eligible, active, preferred)
        if leader != before.leader and leader is not None:
            if leader in eligible:
                in_sync, eligible = (leader,), tuple(one for one in eligible if one != leader)
            elif unclean:
                in_sync, eligible = (leader,), ()
        if not in_sync and not self.eligible_leaders:
            in_sync = before.isr  # The last one in sync stays in the ISR, however long it is away.
        last_leader = before.last_leader
        if leader is not None:
            last_leader = None
        elif not in_sync and before.isr:
            last_leader = before.leader
        after = before._replace(leader=leader, isr=in_sync, eligible=eligible, last_leader=last_leader,
                                epoch=before.epoch + (leader != before.leader))
        return before if after == before else after._replace(version=before.version + 1)

    def _eligible(self, before: Registration, isr: tuple[int, ...], unclean_shutdown: int | None) -> tuple[int, ...]:
        if not self.eligible_leaders or len(isr) >= self.min_isr:
            return ()
        candidates = {*before.eligible, *before.isr} - {*isr, unclean_shutdown}
        return tuple(one for one in self.replicas if one in candidates)

    def _elect(self, before: Registration, isr: tuple[int, ...], eligible: tuple[int, ...],
               active: Collection[int], preferred: bool) -> tuple[int | None, bool]:
        """The leader, and whether it may lack what was acknowledged."""
        able = [one for one in self.replicas if one in active and (one in isr or (not isr and one in eligible))]
        if preferred and self.replicas[0] in able:
            return self.replicas[0], False
        if before.leader in able:
            return before.leader, False
        if able:
            return able[0], False
        if self.eligible_leaders and not isr and not eligible and before.last_leader in active:
            return before.last_leader, True
        if self.unclean and not preferred:
            alive = [one for one in self.replicas if one in active]
            if alive:
                return alive[0], True
        return None, False


class Controller:
    """Hears heartbeats, fences who is silent for broker.session.timeout.ms, and elects leaders.

    A decision is known to the brokers one hop later.
    """

    def __init__(self, cluster: FailingCluster, options: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.clock = cluster.world.clock
        self.session_ns: int = options["broker.session.timeout.ms"] * MILLISECOND
        self.heartbeat_ns: int = options["broker.heartbeat.interval.ms"] * MILLISECOND
        self.eligible_leaders = bool(options.get("eligible.leader.replicas.version")
                                     or options.get("eligible.leader.replicas.enable"))
        if options["auto.leader.rebalance.enable"]:
            self._balance_ns: int = options["leader.imbalance.check.interval.seconds"] * SECOND
            phase = cluster.world.draws.sequential("phase", "leader imbalance")
            self.clock.at(round(phase.draw() * self._balance_ns), self._balance)

    def _active(self) -> set[int]:
        return {node.index for node in self.cluster.brokers if not node.fenced and not node.leaving}

    # --- nodes that come and go -------------------------------------------------------------------------------

    def lost(self, node: Node) -> None:
        """A node has fallen silent: it is fenced broker.session.timeout.ms after its last heartbeat."""
        due_ns = node.last_heartbeat_ns(self.clock.now_ns, self.heartbeat_ns) + self.session_ns
        node.session_until_ns = due_ns = max(due_ns, self.clock.now_ns)
        self.clock.at(due_ns, lambda: None if node.answers or node.session_until_ns > due_ns else self.fence(node))

    def fence(self, node: Node) -> None:
        """A node is out: it leads nothing, and is in no ISR."""
        if not node.fenced:
            node.fenced = True
            self._without(node)

    def leaving(self, node: Node) -> None:
        """A node asks for a controlled shutdown: others take over at once."""
        node.leaving = True
        self._without(node)

    def _without(self, node: Node) -> None:
        for partition in self.cluster.partitions_on(node):
            if node.index in partition.registered.isr:
                self._change(partition, set(partition.registered.isr) - {node.index})

    def registers(self, node: Node) -> None:
        """A new incarnation of a node; after a crash it may have lost what was not on disk, and is not trusted."""
        if node.crashed and self.eligible_leaders:
            for partition in self.cluster.partitions_on(node):
                if node.index in (*partition.registered.isr, *partition.registered.eligible):
                    self._change(partition, set(partition.registered.isr) - {node.index}, unclean_shutdown=node.index)

    def unfence(self, node: Node) -> None:
        """A node is back; what has no leader may get one."""
        node.fenced = node.leaving = node.crashed = False
        for partition in self.cluster.partitions():
            if partition.registered.leader is None:
                self._change(partition, partition.registered.isr)

    # --- partitions -------------------------------------------------------------------------------------------

    def alter(self, partition: ReplicatedPartition, isr: Callable[[tuple[int, ...]], set[int]]) -> None:
        """A leader asks for another ISR, over the wire; refused when there is a newer leader by then."""
        epoch = partition.registered.epoch

        def decide() -> None:
            before = partition.registered
            wanted = isr(before.isr) & ({*before.isr} | self._active())
            if before.epoch == epoch and before.leader is not None and wanted != set(before.isr):
                self._change(partition, wanted)
            else:
                self.cluster.after_hop(partition.alteration_refused)

        self.cluster.after_hop(decide)

    def _change(self, partition: ReplicatedPartition, isr: Collection[int], *, preferred: bool = False,
                unclean_shutdown: int | None = None) -> None:
        before = partition.registered
        after = partition.rules.change(before, isr, self._active(), preferred=preferred,
                                       unclean_shutdown=unclean_shutdown)
        if after is not before:
            partition.registered = after
            self.cluster.after_hop(lambda: partition.apply(after))

    def prefer(self, partition: ReplicatedPartition) -> None:
        """Leadership goes back to the first replica of a partition, if that is in sync again."""
        if partition.registered.leader not in (None, partition.rules.replicas[0]):
            self._change(partition, partition.registered.isr, preferred=True)

    def _balance(self) -> None:
        """From time to time every first replica that is in sync leads again."""
        for partition in self.cluster.partitions():
            self.prefer(partition)
        self.clock.at(self.clock.now_ns + self._balance_ns, self._balance)
