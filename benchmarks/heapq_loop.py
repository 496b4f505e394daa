"""The shop on RabbitMQ and on Kafka as one loop over a heap: no SimPy, no objects, no journal, only counters.

An event is a tuple (time, number, kind, who, what). Nobody would want to add a fault or a retry to it; it says
what the bare work costs in Python. Kept as it is, to be compared with.
"""
from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

import numpy as np

from benchmarks.workload import Draw, Law, Workload


@dataclass
class Counters:
    """What came out. `handled` counts each order at each service; `wait_s` and `complete_s` are sums by service.

    `stored` counts entries in queues or records in partitions, `hops` what was sent from one part to another,
    replication included, `events` what was taken from the heap.
    """

    placed: int = 0
    accepted: int = 0
    stored: int = 0
    delivered: int = 0
    acknowledged: int = 0
    committed: int = 0
    hops: int = 0
    events: int = 0
    accept_s: float = 0.0
    wait_s: list[float] = field(default_factory=list)
    complete_s: list[float] = field(default_factory=list)
    handled: list[bytearray] = field(default_factory=list)


class Draws:
    """Laws to draws: one at a time as in the usual model, or many at a time with NumPy."""

    def __init__(self, seed: int, in_blocks: bool) -> None:
        self.source = random.Random(seed)
        self.generator = np.random.default_rng(seed)
        self.in_blocks = in_blocks

    def of(self, law: Law) -> Draw:
        """The next value of a law, again and again."""
        return law.in_blocks(self.generator) if self.in_blocks else law.one_by_one(self.source)


def rabbitmq(workload: Workload, seed: int, in_blocks: bool = False) -> Counters:  # noqa: C901 - one loop is the point
    """All orders by way of RabbitMQ: a classic queue for each service, persistent, with confirms."""
    draws = Draws(seed, in_blocks)
    hop, flush, interval = draws.of(workload.hop), draws.of(workload.flush), draws.of(workload.interval)
    orders, prefetch, route_s = workload.orders, workload.prefetch, workload.local_s
    services = range(len(workload.services))
    works = [draws.of(service.work) for service in workload.services]
    service_of = [index for index in services for _ in range(workload.services[index].workers)]
    consumers = range(len(service_of))
    ready: list[deque[int]] = [deque() for _ in services]
    with_room = [deque(who for who in consumers if service_of[who] == index) for index in services]
    waiting: list[deque[int]] = [deque() for _ in consumers]
    busy, unacknowledged = [False for _ in consumers], [0 for _ in consumers]
    last_there, last_back = [0.0 for _ in consumers], [0.0 for _ in consumers]
    last_publish = last_confirm = 0.0
    placed_s, routed_s = [0.0] * (orders + 1), [0.0] * (orders + 1)
    wait_s, complete_s = [0.0 for _ in services], [0.0 for _ in services]
    handled = [bytearray(orders + 1) for _ in services]
    placed = accepted = stored = delivered = acknowledged = events = 0
    accept_s = 0.0
    arrive, route, flushed, confirm, deliver, done, acknowledge = range(7)
    number = count().__next__
    agenda: list[tuple[float, int, int, int, int]] = [(interval(), number(), arrive, 0, 1)]

    def hand_over(service: int, now: float) -> None:
        nonlocal delivered
        room = with_room[service]
        who = room.popleft()
        unacknowledged[who] += 1
        if unacknowledged[who] < prefetch:
            room.append(who)
        delivered += 1
        due = last_there[who] = max(last_there[who], now + hop())
        heappush(agenda, (due, number(), deliver, who, ready[service].popleft()))

    def start(who: int, order: int, now: float) -> None:
        service = service_of[who]
        wait_s[service] += now - routed_s[order]
        heappush(agenda, (now + works[service](), number(), done, who, order))

    while agenda:
        now, _, kind, who, order = heappop(agenda)
        events += 1
        if kind == done:
            service = service_of[who]
            handled[service][order] += 1
            complete_s[service] += now - placed_s[order]
            due = last_back[who] = max(last_back[who], now + hop())
            heappush(agenda, (due, number(), acknowledge, who, order))
            if waiting[who]:
                start(who, waiting[who].popleft(), now)
            else:
                busy[who] = False
        elif kind == deliver:
            if busy[who]:
                waiting[who].append(order)
            else:
                busy[who] = True
                start(who, order, now)
        elif kind == acknowledge:
            acknowledged += 1
            service = service_of[who]
            if unacknowledged[who] == prefetch:
                with_room[service].append(who)
            unacknowledged[who] -= 1
            if ready[service]:
                hand_over(service, now)
        elif kind == route:
            routed_s[order] = now
            for service in services:
                stored += 1
                ready[service].append(order)
                if with_room[service]:
                    hand_over(service, now)
            heappush(agenda, (now + flush(), number(), flushed, 0, order))
        elif kind == arrive:
            placed += 1
            placed_s[order] = now
            last_publish = max(last_publish, now + hop() + route_s)
            heappush(agenda, (last_publish, number(), route, 0, order))
            if order < orders:
                heappush(agenda, (now + interval(), number(), arrive, 0, order + 1))
        elif kind == flushed:
            last_confirm = max(last_confirm, now + hop())
            heappush(agenda, (last_confirm, number(), confirm, 0, order))
        else:
            accepted += 1
            accept_s += now - placed_s[order]
    hops = placed + accepted + delivered + acknowledged
    return Counters(placed, accepted, stored, delivered, acknowledged, 0, hops, events, accept_s, wait_s, complete_s,
                    handled)


def kafka(workload: Workload, seed: int, in_blocks: bool = False) -> Counters:  # noqa: C901 - one loop is the point
    """All orders by way of Kafka: acks=all, a group for each service, commits by the clock."""
    draws = Draws(seed, in_blocks)
    hop, interval = draws.of(workload.hop), draws.of(workload.interval)
    key, keys, phase = draws.source.randrange, workload.keys, draws.source.random
    orders, linger_s, append_s = workload.orders, workload.linger_s, workload.local_s
    nodes, followers, commit_every_s = workload.nodes, range(workload.followers), workload.commit_every_s
    partition_of_key = [workload.partition_of(one) for one in range(keys)]
    services = range(len(workload.services))
    works = [draws.of(service.work) for service in workload.services]
    service_of = [index for index in services for _ in range(workload.services[index].workers)]
    owned = [partitions for service in workload.services for partitions in workload.owned_partitions(service)]
    members = range(len(owned))
    readers = [[who for who in members if one in owned[who]] for one in range(workload.partitions)]
    log: list[list[int]] = [[] for _ in readers]
    visible = [0 for _ in readers]
    batches: list[dict[int, list[int]]] = [{} for _ in range(nodes)]
    positions, consumed, committed = ([dict.fromkeys(owned[who], 0) for who in members] for _ in range(3))
    fetched: list[tuple[list[int], dict[int, int]] | None] = [None for _ in members]
    polled: list[deque[int]] = [deque() for _ in members]
    at_broker, watched = [False for _ in members], [False for _ in members]
    polls = [True for _ in members]
    next_commit = [phase() * commit_every_s for _ in members]
    last_there, last_back = [0.0 for _ in members], [0.0 for _ in members]
    last_produce = last_answer = 0.0
    placed_s, visible_s = [0.0] * (orders + 1), [0.0] * (orders + 1)
    wait_s, complete_s = [0.0 for _ in services], [0.0 for _ in services]
    handled = [bytearray(orders + 1) for _ in services]
    hops = placed = accepted = delivered = commits = events = 0
    accept_s = 0.0
    arrive, linger, append, replicated, answer, ask, fetch, done, watch, commit = range(10)
    number = count().__next__
    agenda: list[tuple[float, int, int, int, Any]] = [(interval(), number(), arrive, 0, 1)]

    def send(who: int, kind: int, what: object, now: float) -> None:
        due = last_there[who] = max(last_there[who], now + hop())
        heappush(agenda, (due, number(), kind, who, what))

    def reply(who: int, now: float) -> None:
        # A fetch waits at the broker until there is something to answer.
        place, records = positions[who], []
        for one, position in place.items():
            if position < visible[one]:
                records += log[one][position : visible[one]]
                place[one] = visible[one]
        if records:
            at_broker[who] = False
            due = last_back[who] = max(last_back[who], now + hop())
            heappush(agenda, (due, number(), fetch, who, (records, place.copy())))

    def send_commit(who: int, now: float) -> None:
        next_commit[who] = now + commit_every_s
        moved = [one for one, offset in consumed[who].items() if offset > committed[who][one]]
        if moved:
            committed[who].update(consumed[who])
            send(who, commit, len(moved), now)

    def start(who: int, now: float) -> None:
        nonlocal delivered
        order, service = polled[who].popleft(), service_of[who]
        delivered += 1
        wait_s[service] += now - visible_s[order]
        heappush(agenda, (now + works[service](), number(), done, who, order))

    def poll(who: int, now: float) -> None:
        # Take what has arrived, ask for more, begin with the first record.
        found = fetched[who]
        if found is None:
            return
        fetched[who] = None
        polls[who] = False
        polled[who].extend(found[0])
        consumed[who] = found[1]
        if not watched[who]:
            watched[who] = True
            heappush(agenda, (max(now, next_commit[who]), number(), watch, who, None))
        send(who, ask, None, now)
        start(who, now)

    for who in members:
        send(who, ask, None, 0.0)
    while agenda:
        now, _, kind, who, what = heappop(agenda)
        events += 1
        if kind == done:
            service = service_of[who]
            handled[service][what] += 1
            complete_s[service] += now - placed_s[what]
            if polled[who]:
                start(who, now)
            else:
                polls[who] = True
                if now >= next_commit[who]:
                    send_commit(who, now)
                poll(who, now)
        elif kind == fetch:
            hops += 2
            fetched[who] = what
            if polls[who]:
                poll(who, now)
        elif kind == ask:
            at_broker[who] = True
            reply(who, now)
        elif kind == replicated:
            end, request = what
            if end > visible[who]:
                for order in log[who][visible[who] : end]:
                    visible_s[order] = now
                visible[who] = end
                for reader in readers[who]:
                    if at_broker[reader]:
                        reply(reader, now)
            request[0] -= 1
            if not request[0]:
                last_answer = max(last_answer, now + hop())
                heappush(agenda, (last_answer, number(), answer, 0, request[1]))
        elif kind == arrive:
            placed += 1
            placed_s[what] = now
            partition = partition_of_key[key(keys)]
            node = partition % nodes
            if not batches[node]:
                heappush(agenda, (now + linger_s, number(), linger, node, None))
            batches[node].setdefault(partition, []).append(what)
            if what < orders:
                heappush(agenda, (now + interval(), number(), arrive, 0, what + 1))
        elif kind == linger:
            last_produce = max(last_produce, now + hop() + append_s)
            heappush(agenda, (last_produce, number(), append, 0, batches[who]))
            batches[who] = {}
        elif kind == append:
            hops += 2
            request = [len(what), what]
            for one, records in what.items():
                log[one] += records
                hops += 2 * len(followers)
                slowest = max([hop() + append_s + hop() for _ in followers])
                heappush(agenda, (now + slowest, number(), replicated, one, (len(log[one]), request)))
        elif kind == answer:
            for records in what.values():
                for order in records:
                    accepted += 1
                    accept_s += now - placed_s[order]
        elif kind == watch:
            watched[who] = False
            if polls[who]:
                send_commit(who, now)
        else:
            hops += 1
            commits += what
    return Counters(placed, accepted, sum(map(len, log)), delivered, 0, commits, hops, events, accept_s, wait_s,
                    complete_s, handled)
