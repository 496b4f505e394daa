"""The real side: confluent-kafka on a running cluster."""

from __future__ import annotations

import importlib
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

from edasim.conform.script import BROKERS, NotReached, Script, Trace, play
from edasim.conform.settings import BROKER_SETTINGS
from edasim.conform.trace import plain

CONNECT_LIMIT_S = 10.0
# What librdkafka has to say about lost connections and fenced producers is part of the scripts, and goes nowhere.
_SILENT = logging.Logger("edasim.conform")
_SILENT.addHandler(logging.NullHandler())
# Said to every client: no chatter on stderr, no hidden topic creation, short waits after a lost connection.
CLIENT_SETTINGS = {
    "log_level": 0,
    "logger": _SILENT,
    "allow.auto.create.topics": False,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 200,
}

# A broker that does not know a new topic yet is asked again soon (default 300000), and waits less (default 500).
QUICK_CONSUMER = {"topic.metadata.refresh.interval.ms": 1000, "fetch.wait.max.ms": 100}


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
    def restore(self) -> None: ...


def client_library(name: str = "confluent_kafka") -> Any:
    """The module confluent_kafka, or one of its parts."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise CannotConnect("A real cluster needs the package confluent-kafka: pip install 'edasim[kafka]'.") from None


def client_version() -> str:
    """Which client the real side uses: confluent-kafka and the librdkafka in it."""
    library = client_library()
    return f"confluent-kafka {library.__version__}, librdkafka {library.libversion()[0]}"


@dataclass(frozen=True)
class Reached:
    """A cluster that answers: where, how many brokers it has, and where its settings are not those of the scripts."""

    bootstrap: str
    brokers: int
    other_settings: dict[str, str]


def connect(bootstrap: str) -> Reached:
    """The cluster at HOST:PORT; CannotConnect if none answers within 10 s."""
    library = client_library("confluent_kafka.admin")
    admin = library.AdminClient({"bootstrap.servers": bootstrap, **CLIENT_SETTINGS})
    try:
        brokers = sorted(admin.list_topics(timeout=CONNECT_LIMIT_S).brokers)
        resource = library.ConfigResource(library.ConfigResource.Type.BROKER, str(brokers[0]))
        answer = admin.describe_configs([resource], request_timeout=CONNECT_LIMIT_S)[resource].result()
    except client_library().KafkaException as error:
        raise CannotConnect(
            f"No Kafka answers at {bootstrap} within {CONNECT_LIMIT_S:.0f} s ({error.args[0].name()}): start one, "
            "or correct --bootstrap HOST:PORT."
        ) from None
    found = {name: entry.value for name, entry in answer.items()}
    other = {name: found.get(name) or "unknown" for name, value in BROKER_SETTINGS.items() if found.get(name) != value}
    return Reached(bootstrap, len(brokers), other)


def _unheard(error: Any) -> None:
    """Errors of the client as a whole: scripts note what its calls and reports say."""


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

    def __init__(self, script: Script, cluster: Reached, brokers: Brokers | None = None) -> None:
        self._bootstrap = cluster.bootstrap
        self._prefix = f"edasim-{uuid.uuid4().hex[:8]}."
        self._brokers = brokers
        self._clients: list[Client] = []
        self._topics: set[str] = set()
        self._admin, self._onlooker = self._new_admin(), self._new_admin()
        self.replicas = min(3, cluster.brokers)
        self.trace: Trace = []
        self.script = script

    def __getattr__(self, name: str) -> Any:
        for module in ("confluent_kafka", "confluent_kafka.admin"):
            found = getattr(client_library(module), name, None)
            if found is not None:
                return found
        raise AttributeError(f"confluent-kafka has no {name}")

    def Producer(self, conf: dict[str, Any]) -> Client:
        """A producer of confluent-kafka, connected to the cluster.

        Without an error_cb a fatal error would be raised out of whatever call serves the reports.
        """
        return self._kept(client_library().Producer({"error_cb": _unheard, **self._configured(conf)}))

    def Consumer(self, conf: dict[str, Any]) -> Client:
        """A consumer of confluent-kafka, connected to the cluster."""
        return self._kept(client_library().Consumer(self._configured({**QUICK_CONSUMER, **conf})))

    def AdminClient(self, conf: dict[str, Any]) -> Any:
        """The admin client of this run: it must be kept, as the futures of one that is collected never come."""
        assert not conf, "a script's admin client has no settings of its own"
        return self._admin

    def name(self, plain_name: str) -> str:
        full = self._prefix + plain_name
        self._topics.add(full)
        return full

    def note(self, label: str, value: Any) -> None:
        self.trace.append((label, plain(value, self._prefix)))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @property
    def now_ms(self) -> int:
        return int(time.time() * 1000)

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
        return self._onlooker.list_topics(topic, timeout=10).topics[topic].partitions[partition]

    def _new_admin(self) -> Any:
        # The client remembers for that long that a topic did not exist (default 30000): too long for new topics.
        conf = self._configured({"topic.metadata.propagation.max.ms": 0})
        return client_library("confluent_kafka.admin").AdminClient(conf)

    def _kept(self, inner: Any) -> Client:
        client = Client(inner)
        self._clients.append(client)
        return client

    def _configured(self, conf: dict[str, Any]) -> dict[str, Any]:
        return {"bootstrap.servers": self._bootstrap, **CLIENT_SETTINGS, **conf}


def trace_of(script: Script, cluster: Reached, brokers: Brokers | None = None) -> Trace:
    """The trace of a script on a real cluster."""
    kafka = RealKafka(script, cluster, brokers)
    try:
        play(script, kafka)
    finally:
        if brokers is not None and script.needs == BROKERS:
            brokers.restore()
        kafka.tidy()
    return kafka.trace
