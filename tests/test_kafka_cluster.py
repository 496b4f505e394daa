"""The tool that starts real brokers: what can be seen without any."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from edasim.conform.settings import BROKER_SETTINGS, NODE_SETTINGS
from tools import kafka_cluster
from tools.kafka_cluster import Cluster, ClusterError, fetch_jars, free_ports, main


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A cache that Maven has filled."""
    (tmp_path / "jars").mkdir()
    (tmp_path / "complete").touch()
    return tmp_path


@pytest.mark.parametrize("command", ["java", "mvn"])
def test_who_lacks_java_or_maven_is_told_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == command else f"/bin/{name}")
    with pytest.raises(ClusterError, match=f"A real Kafka needs {command}: install"):
        fetch_jars(tmp_path)
    assert main(["fetch", "--cache", str(tmp_path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_jars_that_are_there_are_not_fetched_again(fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert fetch_jars(fetched) == fetched / "jars"


def test_maven_is_asked_for_this_version_of_kafka() -> None:
    assert "<artifactId>kafka_2.13</artifactId><version>4.3.1</version>" in kafka_cluster._project()


def test_ports_are_free_and_all_different() -> None:
    ports = free_ports(6)
    assert len(set(ports)) == 6
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_each_node_is_broker_and_controller_on_loopback_with_the_settings_of_the_scripts(
    fetched: Path, tmp_path: Path
) -> None:
    cluster = Cluster(tmp_path / "data", fetched, {"num.io.threads": "9"})
    for node in (1, 2, 3):
        lines = dict(line.split("=", 1) for line in cluster._properties(node).splitlines())
        assert lines["process.roles"] == "broker,controller" and lines["node.id"] == str(node)
        assert lines["listeners"].startswith(f"PLAINTEXT://127.0.0.1:{cluster.ports[node]},CONTROLLER://127.0.0.1:")
        assert lines["log.dirs"].endswith(f"data/node-{node}")
        assert {**BROKER_SETTINGS, **NODE_SETTINGS, "num.io.threads": "9"}.items() <= lines.items()
    assert cluster.bootstrap.count("127.0.0.1:") == 3
    voters = [one.partition("@")[0] for one in lines["controller.quorum.voters"].split(",")]
    assert voters == ["1", "2", "3"]
