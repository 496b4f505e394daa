"""The golden traces are still what a real Kafka does: all scripts, on three brokers that the test starts itself."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest

from edasim.conform import golden, real, running
from edasim.conform.script import chosen
from edasim.conform.trace import differences

MISSING = [name for name in ("java", "mvn") if shutil.which(name) is None]
MISSING += [] if find_spec("confluent_kafka") else ["confluent-kafka"]
if MISSING and os.environ.get("EDASIM_KAFKA_TESTS") == "required":
    raise RuntimeError(f"live tests with a real Kafka are required here, but {', '.join(MISSING)} is missing")

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no real Kafka to test with: {', '.join(MISSING)} missing"),
    pytest.mark.live_kafka,
]


def test_a_real_kafka_does_what_was_recorded() -> None:
    """What `differences` calls simulated is what was recorded."""
    from tools.kafka_cluster import NAME, Cluster

    scripts = chosen()
    with Cluster() as cluster:
        reached = real.connect(cluster.bootstrap)
        assert (reached.brokers, reached.other_settings) == (3, {})
        traces = running.real_traces(scripts, reached, cluster)
    changed = []
    for one in scripts:
        kept = golden.read(one.name)
        assert kept is not None and kept.kafka == NAME
        changed += [str(each) for each in differences(one.name, kept.trace, traces[one.name])]
    assert changed == []
