"""A simulated Kafka for scripts: the names and verbs of confluent-kafka, in simulated time."""

from edasim.brokers.kafka.client.simulated import SimulatedKafka

__all__ = ["SimulatedKafka"]
