"""Three real Kafka brokers on this machine: fetch the jars, format, start, stop, kill and restart them.

    python -m tools.kafka_cluster run        start three brokers, print their address, stop them at Ctrl-C
    python -m tools.kafka_cluster compare    start them, run the conformance scripts on both sides, stop them
    python -m tools.kafka_cluster record     the same, and write the golden traces

Java 17, Maven and confluent-kafka are needed. Each node is a KRaft broker and controller in one, on loopback,
with free ports and a data folder of its own. Maven brings the jars once, into the user's cache directory.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from edasim.conform import golden, outcome, real, running
from edasim.conform.script import chosen
from edasim.conform.settings import BROKER_SETTINGS, NODE_SETTINGS

KAFKA_VERSION = "4.3.1"
NAME = f"Apache Kafka {KAFKA_VERSION}"
# What the brokers run on: the server, its tools (they hold the log cleaner's helpers), and what writes its log.
ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
)
# Started often and used for minutes: the quick compiler and the plain collector start a node in half the time.
JAVA_OPTIONS = ("-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
NODES = (1, 2, 3)
START_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0

LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c: %m%n
"""


class ClusterError(Exception):
    """The brokers cannot be fetched, formatted or started; the text says what to do about it."""


def default_cache() -> Path:
    """Where the jars are kept between runs: edasim/kafka-VERSION in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edasim" / f"kafka-{KAFKA_VERSION}"


def fetch_jars(cache: Path | None = None) -> Path:
    """The folder with the jars; Maven fills it the first time."""
    folder = cache or default_cache()
    jars = folder / "jars"
    if (folder / "complete").exists():
        return jars
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            raise ClusterError(f"A real Kafka needs {command}: install a Java 17 runtime and Maven, and try again.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(jars, ignore_errors=True)
    (folder / "pom.xml").write_text(_project(), encoding="utf-8")
    maven = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
    done = subprocess.run(maven, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        raise ClusterError(f"Maven could not fetch Kafka {KAFKA_VERSION}: {(done.stdout + done.stderr)[-1500:]}")
    (folder / "complete").touch()
    return jars


def _project() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        for group, artifact, version in ARTIFACTS
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>edasim</groupId><artifactId>kafka-jars</artifactId>"
        f"<version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    """Three brokers that can be stopped (SIGTERM), killed (SIGKILL) and started again by their number, 1 to 3.

    As a context manager it stops them all and removes their data at the end, whatever happened in between.
    """

    def __init__(
        self, folder: Path | None = None, cache: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.jars = fetch_jars(cache)
        self.folder = folder or Path(tempfile.mkdtemp(prefix="edasim-kafka-"))
        self._temporary = folder is None
        self.settings = {**BROKER_SETTINGS, **NODE_SETTINGS, **(settings or {})}
        ports = free_ports(2 * len(NODES))
        self.ports = dict(zip(NODES, ports, strict=False))
        self.controller_ports = dict(zip(NODES, ports[len(NODES) :], strict=False))
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        """HOST:PORT of all three, as bootstrap.servers takes it."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def start(self) -> float:
        """Format and start all nodes; how many seconds it took until all three served."""
        began = time.monotonic()
        atexit.register(self.close)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
        formats = [self._format(node) for node in NODES]
        for node, process in zip(NODES, formats, strict=True):
            said, _ = process.communicate(timeout=START_LIMIT_S)
            if process.returncode != 0:
                raise ClusterError(f"Node {node} could not be formatted: {said.decode(errors='replace')[-1500:]}")
        for node in NODES:
            self._launch(node)
        self.wait_for(NODES)
        return time.monotonic() - began

    def kill_broker(self, node: int) -> None:
        """The node dies without a goodbye (SIGKILL)."""
        self._end(node, signal.SIGKILL)

    def stop_broker(self, node: int) -> None:
        """The node hands over its leaderships and leaves (SIGTERM)."""
        self._end(node, signal.SIGTERM)

    def start_broker(self, node: int) -> None:
        """Start a node that was stopped or killed, with the data it had, and wait until it serves again."""
        if node not in self.processes:
            self._launch(node)
        self.wait_for(tuple(self.processes), asked=node)

    def freeze_broker(self, node: int) -> None:
        """The node stands still (SIGSTOP): it neither answers nor forgets."""
        self.processes[node].send_signal(signal.SIGSTOP)

    def thaw_broker(self, node: int) -> None:
        """A node that stood still goes on (SIGCONT)."""
        self.processes[node].send_signal(signal.SIGCONT)

    def restore(self) -> None:
        """All nodes are back, whatever was done to them."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        for node in NODES:
            if node not in self.processes:
                self._launch(node)
        self.wait_for(NODES)

    def eligible_leaders(self, topic: str, partition: int) -> list[int]:
        """The eligible leader replicas of a partition, as Kafka's own topic tool prints them (KIP-966)."""
        arguments = ("--bootstrap-server", self.bootstrap, "--describe", "--topic", topic)
        command = self._java("org.apache.kafka.tools.TopicCommand", *arguments)
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        line = next(each for each in said.splitlines() if f"Partition: {partition}\t" in each)
        found = re.search(r"\tElr: ([\d,]*)", line)
        return sorted(int(each) for each in found[1].split(",") if each) if found else []

    def close(self) -> None:
        """Stop every node and remove a temporary data folder."""
        atexit.unregister(self.close)
        processes, self.processes = self.processes, {}
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.wait()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def wait_for(self, nodes: Sequence[int], asked: int | None = None) -> None:
        """Wait until the metadata lists these nodes as alive; `asked`: until this very node says so."""
        from confluent_kafka.admin import AdminClient

        servers = f"127.0.0.1:{self.ports[asked]}" if asked else self.bootstrap
        admin = AdminClient({"bootstrap.servers": servers, "log_level": 0, "reconnect.backoff.max.ms": 500})
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            for node, process in self.processes.items():
                if process.poll() is not None:
                    raise ClusterError(f"Node {node} ended while it started: {self._said(node)}")
            try:
                if set(nodes) <= set(admin.list_topics(timeout=2).brokers):
                    return
            except Exception:
                time.sleep(0.1)
            time.sleep(0.1)
        raise ClusterError(f"Nodes {list(nodes)} did not serve within {START_LIMIT_S:.0f} s: {self._said(nodes[0])}")

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, node: int, how: signal.Signals) -> None:
        process = self.processes.pop(node)
        process.send_signal(how)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, node: int) -> subprocess.Popen[bytes]:
        path = self.folder / f"node-{node}.properties"
        path.write_text(self._properties(node), encoding="utf-8")
        arguments = ("format", "--cluster-id", "ZWRhc2ltLWNvbmZvcm0tMQ", "--config", str(path))
        command = self._java("kafka.tools.StorageTool", *arguments)
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def _launch(self, node: int) -> None:
        command = self._java("kafka.Kafka", str(self.folder / f"node-{node}.properties"))
        with (self.folder / f"node-{node}.log").open("ab") as log:
            # A session of its own: Ctrl-C reaches the tool alone, which then stops the nodes by their process ids.
            self.processes[node] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return ["java", *JAVA_OPTIONS, logging, "-cp", f"{self.jars}/*", main, *arguments]

    def _properties(self, node: int) -> str:
        voters = ",".join(f"{each}@127.0.0.1:{port}" for each, port in self.controller_ports.items())
        own = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.ports[node]},CONTROLLER://127.0.0.1:{self.controller_ports[node]}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / f"node-{node}"),
        }
        return "".join(f"{name}={value}\n" for name, value in {**own, **self.settings}.items())

    def _said(self, node: int) -> str:
        log = self.folder / f"node-{node}.log"
        return log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else "it said nothing"


def conform(cluster: Cluster, names: Sequence[str], recording: bool) -> int:
    """Play the scripts on both sides and print the table; the exit code of `edasim conform`."""
    scripts, reached = chosen(names), real.connect(cluster.bootstrap)
    outcomes = running.beside_cluster(scripts, reached, cluster)
    print(outcome.as_text(outcomes, f"{NAME} with {real.client_version()}"))
    if not recording:
        return outcome.exit_code(outcomes)
    left_out = running.record(outcomes, running.real_traces(scripts, reached, cluster), golden.FOLDER, NAME)
    print(f"The golden traces are in {golden.FOLDER}. Not recorded: {', '.join(left_out) or 'none'}")
    return 1 if left_out else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.kafka_cluster", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("fetch", "run", "compare", "record"))
    parser.add_argument("--cache", type=Path, help="where the jars are kept")
    parser.add_argument("--only", action="append", default=[], help="the name of one script; may be repeated")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if given.what == "fetch":
            print(fetch_jars(given.cache))
            return 0
        cluster = Cluster(cache=given.cache)
        began = time.monotonic()
        with cluster:
            print(f"Three brokers serve at {cluster.bootstrap} after {time.monotonic() - began:.1f} s", flush=True)
            if given.what == "run":
                signal.pause()
            return conform(cluster, given.only, given.what == "record")
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
