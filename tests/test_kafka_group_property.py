"""Whatever members do, a group reads every record, and a partition has one reader at most."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edasim.core.journal import Verb
from tests.worlds import KafkaBench, KafkaReader

PROTOCOLS = {
    "range": {"partition_assignment_strategy": ["range"]},
    "sticky": {"partition_assignment_strategy": ["sticky"]},
    "cooperative": {"partition_assignment_strategy": ["cooperative-sticky"]},
    "consumer": {"group_protocol": "consumer"},
}
CLASSIC = {"session_timeout_ms": 10_000, "heartbeat_interval_ms": 3000}


def owners_at_once(kafka: KafkaBench) -> int:
    """The most members that the group had given one partition to at one time."""
    journal = kafka.world.journal
    facts = journal.facts()
    now: dict[str, int] = {}
    most = 0
    for verb, place in zip(facts.verbs, facts.places, strict=True):
        if verb in (Verb.assigned, Verb.revoked):
            name = journal.places[place].name
            now[name] = now.get(name, 0) + (1 if verb == Verb.assigned else -1)
            most = max(most, now[name])
    return most


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_all_is_read_whoever_joins_leaves_dies_or_is_too_slow(protocol: str, data: st.DataObject) -> None:
    kafka = KafkaBench(partitions=data.draw(st.integers(1, 5)), hop_ms=data.draw(st.sampled_from((0, 3))))
    own = {} if protocol == "consumer" else CLASSIC
    group = kafka.group(members=data.draw(st.integers(1, 3)), max_poll_interval_ms=6000,
                        max_poll_records=data.draw(st.sampled_from((1, 4))),
                        enable_auto_commit=data.draw(st.booleans()), **PROTOCOLS[protocol], **own)
    alive: list[KafkaReader] = list(group.readers)
    sent = 0
    for step in range(data.draw(st.integers(3, 12))):
        what = data.draw(st.sampled_from(("send", "send", "join", "join static", "leave", "crash", "slow", "quick")))
        if what == "send":
            for _ in range(4):
                kafka.append(f"r{sent}", partition=sent % len(kafka.topic.partitions))
                sent += 1
        elif what.startswith("join"):
            alive.append(group.join(f"s{step}" if "static" in what else None))
        elif alive:
            one = alive[data.draw(st.integers(0, len(alive) - 1))]
            if what in ("leave", "crash"):
                # Who has something in hands cannot close before it is done; this one dies with it.
                (one.leave if what == "leave" and one.member.polling else one.crash)()
                alive.remove(one)
            else:
                one.work_ms = 2500.0 if what == "slow" else 0.0
        kafka.advance(data.draw(st.sampled_from((10, 900, 4000, 11_000))))
    for one in alive:
        one.work_ms = 0.0
    if not alive:
        alive.append(group.join())
    kafka.advance(180_000)
    assert {name for name in group.seen if name.startswith("r")} == {f"r{number}" for number in range(sent)}
    held = sorted(number for reader in alive for number in reader.partitions)
    assert held == list(range(len(kafka.topic.partitions)))
    assert owners_at_once(kafka) == 1
