"""A partition with replicas on several nodes: who leads, how far each follower has come, and what shows of it.

Sources in apache/kafka: Partition.scala (makeLeader, maybeExpandIsr, maybeShrinkIsr, maybeIncrementLeaderHW,
isFollowerInSync), ReplicaFetcherThread, KIP-101, KIP-497.  The log that the partition holds is that of its leader, or
of its last one while it has none.  What a follower has not appended when its leader dies, it never gets.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.controller import Registration, Rules
from edasim.brokers.kafka.leader_state import LeaderState
from edasim.brokers.kafka.nodes import NOWHERE, Node
from edasim.brokers.kafka.producer import Request
from edasim.brokers.kafka.replica import Copy, Replica
from edasim.brokers.kafka.segments import SegmentedPartition
from edasim.brokers.kafka.stability import Marker
from edasim.brokers.kafka.truncation import Ending, cut, restore
from edasim.core.clock import Stage
from edasim.core.conservation import Counts
from edasim.core.draws import SequentialDraw
from edasim.core.journal import Place, Verb
from edasim.core.world import World

if TYPE_CHECKING:
    from edasim.brokers.kafka.group_offsets import GroupOffsets
    from edasim.brokers.kafka.log import ProducerState
    from edasim.brokers.kafka.replication import ReplicatedCluster

NOT_LEADER = "NOT_LEADER_OR_FOLLOWER"
NOT_ENOUGH_REPLICAS = "NOT_ENOUGH_REPLICAS"


class ReplicatedPartition(SegmentedPartition):
    """`registered` is what the controller has decided, `known` what the brokers have heard of it by now.

    `serving` is the index of the live node that leads it, or NOWHERE.  `joining` are replicas that the leader has asked
    the controller to let into the ISR.
    """

    def __init__(self, world: World, topic: str, number: int, node: int, replication: SequentialDraw | None,  # noqa: PLR0913
                 place: Place, options: Mapping[str, Any], cluster: ReplicatedCluster) -> None:
        self.cluster = cluster
        self.replicas = cluster.place_replicas(f"{topic}-{number}", number, options["replication.factor"])
        super().__init__(world, topic, number, node, None, place, options)
        order = self.rules.replicas
        active = {one for one in order if cluster.brokers[one].alive}
        in_sync = tuple(one for one in order if one in active) or order[:1]
        self.registered = self.known = Registration(in_sync[0], in_sync)
        self.leader = self._replica(in_sync[0])
        self.serving = in_sync[0] if self.leader.node.alive else NOWHERE
        self.joining: set[int] = set()
        self.groups: list[GroupOffsets] = []
        self.lost_records = 0
        """How many records were cut off because a leader did not have them."""
        self._cut_offsets = 0
        self._lost_markers: list[Marker] = []
        self._epoch_start = 0
        self._appends: deque[tuple[int, int]] = deque()
        self._sequences = LeaderState(self._producers)
        self._copied: Stage = self._on_copied
        self._confirmed: Stage = self._on_confirmed
        self._led, self._shrunk, self._expanded, self._dropped = (
            world.writer(verb, place) for verb in (Verb.led, Verb.shrunk, Verb.expanded, Verb.dropped))

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take over the topic's options, at the beginning and whenever they are altered."""
        super().configure(options)
        order = tuple(replica.node.index for replica in self.replicas)
        self.rules = Rules(order, min(options["min.insync.replicas"], len(order)),
                           options["unclean.leader.election.enable"], self.cluster.controller.eligible_leaders)

    def _replica(self, index: int) -> Replica:
        return next(replica for replica in self.replicas if replica.node.index == index)

    @property
    def has_leader(self) -> bool:
        """Whether something can be appended."""
        return self.serving != NOWHERE

    @property
    def isr(self) -> tuple[int, ...]:
        """The nodes in sync, as the leader knows them, by index."""
        return self.known.isr

    def imbalance(self, counts: Counts) -> str:
        """Whether the offsets are those of what was appended and not cut off again."""
        appended, markers = counts.of(Verb.appended, self.place), self.stability.count
        dropped = counts.of(Verb.dropped, self.place)
        if appended + markers - self._cut_offsets != self.end:
            return (f"{self.place}: {appended} were appended, {markers} markers written and {self._cut_offsets} "
                    f"offsets cut off, but the log ends at {self.end}")
        if dropped != self.lost_records:
            return f"{self.place}: {self.lost_records} records were cut off, but the journal has {dropped}"
        return ""

    # --- a produce request ------------------------------------------------------------------------------------

    def refuses(self, request: Request) -> str:
        """Kafka's name of the error with which a batch is not taken, or an empty text."""
        if self.serving != request.node:
            return NOT_LEADER
        if request.producer.awaits_followers and len(self.isr) < self.rules.min_isr:
            return NOT_ENOUGH_REPLICAS
        return ""

    def producer_state(self, producer: int, epoch: int) -> ProducerState:
        """What the leader knows of an idempotent producer; whom it does not know may begin with any sequence."""
        return self._sequences.of(producer, epoch)

    def beyond(self, offset: int) -> int:
        """What a commit of an offset beyond the end stands for: the log was cut since its records were read."""
        return self.end

    def note_batch(self, producer: int, epoch: int, sequence: int) -> None:
        """A batch of an idempotent producer was appended: every replica that has it knows its sequence."""
        self._sequences.note(self.end, producer, epoch, sequence)

    def _grow_to(self, end: int) -> None:
        self._end = self.leader.end = end
        self._appends.append((end, self.clock.now_ns))
        for replica in self.replicas:
            if replica.streaming and replica is not self.leader:
                self._transmit(Copy(replica, end))
        self._move_watermark()

    # --- followers --------------------------------------------------------------------------------------------

    def _transmit(self, copy: Copy) -> None:
        self.clock.arm(copy, self._copied, copy.replica.there.draw())

    def _on_copied(self, copy: Copy) -> None:
        replica = copy.replica
        if copy.stamp == replica.stamp:
            replica.end = max(replica.end, copy.end)
            self.clock.arm(copy, self._confirmed, replica.back.draw())

    def _on_confirmed(self, copy: Copy) -> None:
        """The leader learns from the follower's next fetch what it has."""
        replica = copy.replica
        if copy.stamp != replica.stamp:
            return
        replica.known = max(replica.known, copy.end)
        self._may_join(replica)
        if not replica.streaming:
            self._fetch_on(replica)
        self._move_watermark()

    def follow(self, replica: Replica) -> None:
        """A follower begins to fetch from the leader; what it has that the leader has not, it gives up."""
        replica.stop()
        replica.stray = None
        if self.serving != NOWHERE and replica is not self.leader and replica.node.answers:
            self._transmit(Copy(replica, self._round_end(replica)))

    def _fetch_on(self, replica: Replica) -> None:
        if replica.known < self.end:
            self._transmit(Copy(replica, self._round_end(replica)))
        else:
            replica.streaming = True

    def _round_end(self, replica: Replica) -> int:
        """Up to where one fetch gets: replica.fetch.max.bytes, but at least one record."""
        room = self.cluster.fetch_bytes
        for record in self.read(replica.end, self.end):
            room -= record.message.size
            if room <= 0:
                return record.offset + 1
        return self.end

    def _may_join(self, replica: Replica) -> None:
        index, node = replica.node.index, replica.node
        if index in self.isr or index in self.joining or node.fenced or node.leaving:
            return
        if replica.known >= max(self.high_watermark, self._epoch_start):
            self.joining.add(index)
            self.cluster.controller.alter(self, lambda isr: {*isr, index})

    def alteration_refused(self) -> None:
        """The controller did not take what the leader asked for."""
        self.joining -= set(self.isr)
        self.joining = {index for index in self.joining if self.cluster.brokers[index].answers}

    def check_lag(self, most_ns: int) -> None:
        """Who lacks what has been there for longer than replica.lag.time.max.ms leaves the ISR."""
        before_ns = self.clock.now_ns - most_ns
        late_end = max((end for end, since_ns in self._appends if since_ns < before_ns), default=0)
        late = {replica.node.index for replica in self.replicas
                if replica is not self.leader and replica.node.index in self.isr and replica.known < late_end}
        if late:
            self.cluster.controller.alter(self, lambda isr: set(isr) - late)

    def _move_watermark(self) -> None:
        """The lowest end offset in the ISR; it stands still while they are too few (since 3.7, KAFKA-15583)."""
        if self.serving == NOWHERE or len(self.isr) < self.rules.min_isr:
            return
        end = self.end
        for replica in self.replicas:
            if replica is not self.leader and replica.known < end and (
                    replica.node.index in self.isr or replica.node.index in self.joining):
                end = replica.known
        self._advance(end)
        while self._appends and self._appends[0][0] <= end:
            self._appends.popleft()

    # --- leaders ----------------------------------------------------------------------------------------------

    def apply(self, news: Registration) -> None:
        """The brokers hear of a decision of the controller."""
        before = self.known
        if news.version <= before.version:
            return
        self.known = news
        for index in before.isr:
            if index not in news.isr:
                self._shrunk(index + 1)
        for index in news.isr:
            if index not in before.isr:
                self._expanded(index + 1)
        self.joining -= set(news.isr)
        if news.epoch != before.epoch:
            self._change_leader(news.leader, before.leader)
        self._move_watermark()

    def _change_leader(self, index: int | None, before: int | None) -> None:
        self.fail_waiting()
        self.joining.clear()
        for replica in self.replicas:
            replica.stop()
        if index is not None:
            self._take_over(self._replica(index))
        self._serve(NOWHERE if index is None or not self.leader.node.answers else index)
        lost_markers, self._lost_markers = self._lost_markers, []
        for marker in lost_markers:
            self.cluster.transactions.mark_again(self, marker.producer, marker.committed)
        self._follow_all()
        self.cluster.leader_changed(self, before)

    def _follow_all(self) -> None:
        for replica in self.replicas:
            if replica is not self.leader and replica.node.answers and self.serving != NOWHERE:
                self.follow(replica)

    def _serve(self, index: int) -> None:
        if index != self.serving:
            self.serving = index
            self._led(index + 1)
        if index != NOWHERE:
            self.node = index

    def fail_waiting(self) -> None:
        """Who waits for acknowledgements at a leader that is none any more is told so."""
        waiting = [one for one in self._waiting_producers if isinstance(one[2], Request)]
        self._waiting_producers = deque(one for one in self._waiting_producers if not isinstance(one[2], Request))
        for _, tell, request in waiting:
            node = self.cluster.brokers[request.node]
            if node.answers:
                self._fail(request, tell)
            elif node.alive:
                node.held.append(partial(self._fail, request, tell))

    def _fail(self, request: Request, tell: Callable[[Any], None]) -> None:
        self.cluster.refuse_all(request, self, NOT_LEADER)
        tell(request)

    def node_pauses(self, node: Node) -> None:
        """A node with a replica is stuck: it fetches and serves nothing, and who waits there goes on waiting."""
        self._replica(node.index).stop()
        self.joining.discard(node.index)
        if self.serving == node.index:
            self._serve_nothing()

    def node_resumes(self, node: Node) -> None:
        """It goes on before anybody else led."""
        if self.known.leader != node.index:
            self.node_back(node)
            return
        self._serve(node.index)
        self._follow_all()
        for progress in self.readers:
            fetch = progress.member.fetch
            if fetch.waiting:
                fetch.see(progress)
            else:
                fetch.news = True

    def _serve_nothing(self) -> None:
        for replica in self.replicas:
            replica.stop()
        self._serve(NOWHERE)

    def node_died(self, node: Node) -> None:
        """A node with a replica is gone."""
        replica = self._replica(node.index)
        replica.stop()
        self.joining.discard(node.index)
        if self.serving == node.index:
            self._serve_nothing()
        self._waiting_producers = deque(one for one in self._waiting_producers
                                        if not isinstance(one[2], Request) or one[2].node != node.index)

    def node_back(self, node: Node) -> None:
        """A node with a replica is there again."""
        if self.serving not in (NOWHERE, node.index):
            self.follow(self._replica(node.index))

    def _take_over(self, new: Replica) -> None:
        """The log becomes the new leader's; what it lacks is lost, unless its holder leads again some day."""
        begin, self.leader = new.end, new
        if begin < self.end:
            self._cut(begin)
        stray, new.stray = new.stray, None
        if stray is not None and stray.end > begin:
            self._put_on(stray, begin)
        new.end = self._epoch_start = self.end
        self._sequences.rebuild()
        self.high_watermark = min(self.high_watermark, self.end)
        self._appends.clear()

    def _cut(self, begin: int) -> None:
        old_end = self.end
        ending = cut(self, begin)._replace(batches=self._sequences.cut(begin))
        self._cut_offsets += old_end - begin
        self.lost_records += len(ending.records)
        self._lost_markers += ending.markers
        for record in ending.records:
            self._dropped(record.message.id)
        for replica in self.replicas:
            if replica.end > begin:
                had = ending.below(replica.end)
                replica.stray = had if replica.stray is None else had.followed_by(replica.stray)
                replica.end = begin
        self.cluster.truncated(self, begin)

    def _put_on(self, stray: Ending, begin: int) -> None:
        for replica in self.replicas:
            if replica.stray is not None and replica.end == begin:
                replica.end = replica.stray.common_end(stray, begin)
                replica.stray = replica.stray.above(replica.end)
        restore(self, stray)
        self._sequences.put_on(stray.batches)
        self._cut_offsets += len(stray.records) + len(stray.markers) - (stray.end - begin)
