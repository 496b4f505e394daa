"""The golden traces are still what a real Kafka does: all scripts, on three brokers that the test starts itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from importlib.util import find_spec

import pytest

from edasim.conform import golden, real, running
from edasim.conform.script import Script, Trace, chosen
from edasim.conform.trace import differences
from tools.kafka_cluster import NAME, Cluster

MISSING = [name for name in ("java", "mvn") if shutil.which(name) is None]
MISSING += [] if find_spec("confluent_kafka") else ["confluent-kafka"]
if MISSING and os.environ.get("EDASIM_KAFKA_TESTS") == "required":
    raise RuntimeError(f"live tests with a real Kafka are required here, but {', '.join(MISSING)} is missing")

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no real Kafka to test with: {', '.join(MISSING)} missing"),
    pytest.mark.live_kafka,
]


def changed(scripts: Iterable[Script], traces: dict[str, Trace]) -> dict[str, list[str]]:
    """What differs from what was recorded, by script; `differences` calls the recorded side simulated."""
    found = {}
    for one in scripts:
        kept = golden.read(one.name)
        assert kept is not None and kept.kafka == NAME
        found[one.name] = [str(each) for each in differences(one.name, kept.trace, traces[one.name])]
    return {name: different for name, different in found.items() if different}


def test_a_real_kafka_does_what_was_recorded() -> None:
    """A script that differs is played once more: on a machine that stands still for seconds, sessions end."""
    scripts = chosen()
    with Cluster() as cluster:
        reached = real.connect(cluster.bootstrap)
        assert (reached.brokers, reached.other_settings) == (3, {})
        first = changed(scripts, running.real_traces(scripts, reached, cluster))
        again = chosen(first) if first else []
        second = changed(again, running.real_traces(again, reached, cluster))
    if first and not second:
        print(f"differed once and not again: {first}")
    assert second == {}
