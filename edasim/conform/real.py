"""The real side: confluent-kafka on a running cluster."""

from __future__ import annotations

import importlib
import time
import uuid
from typing import Any, Protocol

from edasim.conform.script import NotReached, Script, Trace
from edasim.conform.trace import plain

CONNECT_LIMIT_S = 10.0
# Said to every client: no chatter on stderr, no hidden topic creation, short waits after a lost connection.
CLIENT_SETTINGS = {
    "log_level": 0,
    "allow.auto.create.topics": False,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 200,
}


class CannotConnect(ValueError):
    """No cluster answers, or the client library is missing; the text says which and what to do."""


class Brokers(Protocol):
    """A cluster whose brokers may be killed: tools/kafka_cluster.py."""

    def kill_broker(self, node: int) -> None: ...
    def stop_broker(self, node: int) -> None: ...
    def start_broker(self, node: int) -> None: ...
    def freeze_broker(self, node: int) -> None: ...
    def thaw_broker(self, node: int) -> None: ...
    def eligible_leaders(self, topic: str, partition: int) -> list[int]: ...


def client_library(name: str = "confluent_kafka") -> Any:
    """The module confluent_kafka, or one of its parts."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise CannotConnect("A real cluster needs the package confluent-kafka: pip install 'edasim[kafka]'.") from None


def connect(bootstrap: str) -> int:
    """How many brokers the cluster at HOST:PORT has; CannotConnect if it does not answer within 10 s."""
    admin = client_library("confluent_kafka.admin").AdminClient({"bootstrap.servers": bootstrap, **CLIENT_SETTINGS})
    try:
        return len(admin.list_topics(timeout=CONNECT_LIMIT_S).brokers)
    except client_library().KafkaException:
        raise CannotConnect(f"No Kafka answers at {bootstrap}: start one, or correct --bootstrap.") from None


class Client:
    """A producer or consumer of confluent-kafka that can be made to vanish."""

    def __init__(self, inner: Any) -> None:
        self._inner: Any = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def vanish(self) -> None:
        """Destroy the client without its goodbye: confluent-kafka neither leaves nor commits when one is collected."""
        self._inner = None


class RealKafka:
    """The namespace that a script sees on the real side: one object for one run of one script."""

    def __init__(self, bootstrap: str, script: Script, brokers_alive: int, brokers: Brokers | None = None) -> None:
        self._bootstrap = bootstrap
        self._prefix = f"edasim-{uuid.uuid4().hex[:8]}."
        self._brokers = brokers
        self._clients: list[Client] = []
        self._topics: set[str] = set()
        self._admin = client_library("confluent_kafka.admin").AdminClient(self._configured({}))
        self.replicas = min(3, brokers_alive)
        self.trace: Trace = []
        self.script = script

    def __getattr__(self, name: str) -> Any:
        for module in ("confluent_kafka", "confluent_kafka.admin"):
            found = getattr(client_library(module), name, None)
            if found is not None:
                return found
        raise AttributeError(f"confluent-kafka has no {name}")

    def Producer(self, conf: dict[str, Any]) -> Client:
        """A producer of confluent-kafka, connected to the cluster."""
        return self._kept(client_library().Producer(self._configured(conf)))

    def Consumer(self, conf: dict[str, Any]) -> Client:
        """A consumer of confluent-kafka, connected to the cluster."""
        return self._kept(client_library().Consumer(self._configured({"fetch.wait.max.ms": 100, **conf})))

    def AdminClient(self, conf: dict[str, Any]) -> Any:
        """An admin client of confluent-kafka, connected to the cluster."""
        return client_library("confluent_kafka.admin").AdminClient(self._configured(conf))

    def name(self, plain_name: str) -> str:
        full = self._prefix + plain_name
        self._topics.add(full)
        return full

    def note(self, label: str, value: Any) -> None:
        self.trace.append((label, plain(value, self._prefix)))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def crash(self, client: Client) -> None:
        self._clients.remove(client)
        client.vanish()

    def leader(self, topic: str, partition: int) -> int:
        return int(self._partition(topic, partition).leader)

    def in_sync(self, topic: str, partition: int) -> list[int]:
        return sorted(self._partition(topic, partition).isrs)

    def eligible_leaders(self, topic: str, partition: int) -> list[int]:
        return self._own().eligible_leaders(topic, partition)

    def kill_broker(self, broker: int) -> None:
        self._own().kill_broker(broker)

    def stop_broker(self, broker: int) -> None:
        self._own().stop_broker(broker)

    def start_broker(self, broker: int) -> None:
        self._own().start_broker(broker)

    def freeze_broker(self, broker: int) -> None:
        self._own().freeze_broker(broker)

    def thaw_broker(self, broker: int) -> None:
        self._own().thaw_broker(broker)

    def tidy(self) -> None:
        """Let go of the clients and delete the topics of this run."""
        for client in self._clients:
            client.vanish()
        self._clients.clear()
        present = [topic for topic in self._topics if topic in self._admin.list_topics(timeout=10).topics]
        if present:
            for future in self._admin.delete_topics(present, operation_timeout=10).values():
                future.result()

    def _own(self) -> Brokers:
        if self._brokers is None:
            raise NotReached("this cluster's brokers are not ours to stop")
        return self._brokers

    def _partition(self, topic: str, partition: int) -> Any:
        return self._admin.list_topics(topic, timeout=10).topics[topic].partitions[partition]

    def _kept(self, inner: Any) -> Client:
        client = Client(inner)
        self._clients.append(client)
        return client

    def _configured(self, conf: dict[str, Any]) -> dict[str, Any]:
        return {"bootstrap.servers": self._bootstrap, **CLIENT_SETTINGS, **conf}


def play(script: Script, bootstrap: str, brokers_alive: int, brokers: Brokers | None = None) -> Trace:
    """The trace of a script on a real cluster; what it could not reach is its last note."""
    kafka = RealKafka(bootstrap, script, brokers_alive, brokers)
    try:
        script.play(kafka)
    except NotReached as error:
        kafka.note("not reached", str(error))
    except Exception as error:
        kafka.note("failed", f"{type(error).__name__}: {error}")
    finally:
        kafka.tidy()
    return kafka.trace
