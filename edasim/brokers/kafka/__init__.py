"""Apache Kafka: partitioned log, groups, producers and consumers."""
