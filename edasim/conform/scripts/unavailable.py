"""Too few replicas: refusals, partitions without a leader, unclean elections, eligible leader replicas."""

from __future__ import annotations

from edasim.conform.script import Kafka, script
from edasim.conform.steps import Sender, create, read_all, reader, send, values, wait

ONE_TRY = {"enable.idempotence": False, "retries": 0, "message.timeout.ms": 5000}


def _shrunk(kafka: Kafka, topic: str, brokers: list[int]) -> None:
    wait(kafka, lambda: kafka.in_sync(topic, 0) == brokers, f"the ISR is {brokers}")


@script(needs="brokers")
def too_few_in_sync_replicas(kafka: Kafka) -> None:
    """min.insync.replicas=2 with one replica left: acks all is refused, acks 1 is not."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    send(kafka, topic, ["before"])
    kafka.kill_broker(2)
    _shrunk(kafka, topic, [1])
    strict, loose = Sender(kafka, {"acks": "all", **ONE_TRY}), Sender(kafka, {"acks": "1", **ONE_TRY})
    strict.send(topic, ["strict"])
    kafka.note("acks all", strict.reports[-1][0])
    loose.send(topic, ["loose"])
    kafka.note("acks 1", loose.reports[-1])
    kafka.start_broker(2)
    _shrunk(kafka, topic, [1, 2])
    strict.send(topic, ["again"])
    kafka.note("acks all when 2 is back", strict.reports[-1])
    kafka.note("records", values(read_all(kafka, topic)))


@script(needs="brokers")
def retries_outlast_too_few_replicas(kafka: Kafka) -> None:
    """With retries a record waits until the replica is back, and is there once."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    kafka.kill_broker(2)
    _shrunk(kafka, topic, [1])
    sender = Sender(kafka, {"acks": "all", "enable.idempotence": True, "retry.backoff.ms": 100})
    sender.produce(topic, "patient")
    sender.producer.flush(1)
    kafka.note("reports while 2 is dead", sender.reports)
    kafka.start_broker(2)
    sender.producer.flush(30)
    kafka.note("reports when 2 is back", sender.reports)
    kafka.note("records", values(read_all(kafka, topic)))


@script(needs="brokers")
def the_high_watermark_waits_for_min_insync(kafka: Kafka) -> None:
    """With eligible leader replicas the high watermark stands still while the ISR is below min.insync.replicas."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    send(kafka, topic, ["before"])
    kafka.kill_broker(2)
    _shrunk(kafka, topic, [1])
    Sender(kafka, {"acks": "1", **ONE_TRY}).send(topic, ["loose"])
    kafka.sleep(1)
    consumer, place = reader(kafka), kafka.TopicPartition(topic, 0)
    kafka.note("high watermark while 2 is dead", consumer.get_watermark_offsets(place, timeout=10)[1])
    kafka.note("records while 2 is dead", values(read_all(kafka, topic)))
    kafka.start_broker(2)
    _shrunk(kafka, topic, [1, 2])
    wait(kafka, lambda: consumer.get_watermark_offsets(place, timeout=10)[1] == 2, "the high watermark moves on")
    kafka.note("records when 2 is back", values(read_all(kafka, topic)))


def _only_one_has_it(kafka: Kafka, topic: str) -> None:
    """Broker 2 misses the last record, then broker 1, the only one in sync, dies and 2 comes back."""
    send(kafka, topic, ["both have it"])
    kafka.kill_broker(2)
    _shrunk(kafka, topic, [1])
    Sender(kafka, {"acks": "1", **ONE_TRY}).send(topic, ["only 1 has it"])
    kafka.kill_broker(1)
    kafka.start_broker(2)


@script(needs="brokers")
def unclean_election_off(kafka: Kafka) -> None:
    """The only in-sync replica is dead: the partition has no leader until it comes back, and nothing is lost."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]])
    _only_one_has_it(kafka, topic)
    wait(kafka, lambda: kafka.leader(topic, 0) == -1, "the partition has no leader")
    kafka.sleep(2)
    kafka.note("leader while 1 is dead", kafka.leader(topic, 0))
    sender = Sender(kafka, {"acks": "1", "message.timeout.ms": 2000})
    sender.send(topic, ["refused"])
    kafka.note("produce while 1 is dead", sender.reports[-1][0])
    kafka.start_broker(1)
    wait(kafka, lambda: kafka.leader(topic, 0) == 1, "1 leads again")
    kafka.note("records when 1 is back", values(read_all(kafka, topic)))
    _shrunk(kafka, topic, [1, 2])


@script(needs="brokers")
def unclean_election_on(kafka: Kafka) -> None:
    """unclean.leader.election.enable=true: the replica that lagged leads, and what it missed is lost."""
    config = {"unclean.leader.election.enable": "true"}
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config=config)
    _only_one_has_it(kafka, topic)
    wait(kafka, lambda: kafka.leader(topic, 0) == 2, "2 leads")
    kafka.note("leader while 1 is dead", kafka.leader(topic, 0))
    sender = Sender(kafka, {"acks": "1", "enable.idempotence": False})
    sender.send(topic, ["new"])
    kafka.note("its offset", sender.reports[-1])
    kafka.start_broker(1)
    _shrunk(kafka, topic, [1, 2])
    kafka.note("records when 1 is back", values(read_all(kafka, topic)))


@script(needs="brokers")
def eligible_leader_replicas(kafka: Kafka) -> None:
    """A replica that left the ISR by a clean stop below min.insync.replicas is eligible: it may lead without loss."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    send(kafka, topic, ["before"])
    kafka.stop_broker(2)
    _shrunk(kafka, topic, [1])
    kafka.note("eligible when 2 has stopped", kafka.eligible_leaders(topic, 0))
    kafka.kill_broker(1)
    kafka.start_broker(2)
    wait(kafka, lambda: kafka.leader(topic, 0) == 2, "2 leads")
    kafka.note("leader while 1 is dead", kafka.leader(topic, 0))
    kafka.note("in sync", kafka.in_sync(topic, 0))
    kafka.note("eligible when 1 is dead", kafka.eligible_leaders(topic, 0))
    kafka.start_broker(1)
    _shrunk(kafka, topic, [1, 2])
    kafka.note("eligible in the end", kafka.eligible_leaders(topic, 0))
    kafka.note("records", values(read_all(kafka, topic)))


@script(needs="brokers")
def a_killed_replica_is_not_eligible_when_it_returns(kafka: Kafka) -> None:
    """A killed replica is eligible while it is away, and no more once it is back without a clean shutdown."""
    topic = create(kafka, "orders", replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
    send(kafka, topic, ["before"])
    kafka.kill_broker(2)
    _shrunk(kafka, topic, [1])
    kafka.note("eligible while 2 is dead", kafka.eligible_leaders(topic, 0))
    kafka.kill_broker(1)
    kafka.start_broker(2)
    kafka.sleep(4)
    kafka.note("leader when 2 is back and 1 is dead", kafka.leader(topic, 0))
    kafka.note("eligible then", kafka.eligible_leaders(topic, 0))
    kafka.start_broker(1)
    wait(kafka, lambda: kafka.leader(topic, 0) > 0, "the partition has a leader")
    kafka.note("leader when 1 is back", kafka.leader(topic, 0))
    kafka.note("records", values(read_all(kafka, topic)))
    _shrunk(kafka, topic, [1, 2])
