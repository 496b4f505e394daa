"""What the assignors of Kafka's own Java client do with the histories of 96 groups, as golden data.

    python -m tools.kafka_assignors      play them with the real classes and write edasim/conform/golden/assignors.json

librdkafka has no `sticky` assignor, and a group on a cluster shows only a few cases: here the Java classes themselves
are asked, by tools/Assignors.java. Java 17 (with its compiler) and Maven are needed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from edasim.conform.assignors import FILE
from tools.kafka_cluster import NAME, fetch_jars

STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")
HISTORIES = 24
PROGRAM = Path(__file__).with_name("Assignors.java")
TOPICS = ("orders", "payments", "shipments")

Step = dict[str, Any]


def history(number: int) -> list[Step]:
    """One group's life: members join, leave and die, topics grow; in every second one they read different topics."""
    draw = random.Random(number)
    topics = {name: draw.randint(1, 7) for name in TOPICS[: draw.randint(1, 3)]}
    members: dict[str, list[str]] = {}
    steps: list[Step] = []
    for _ in range(draw.randint(4, 8)):
        turn = draw.random()
        if len(members) < 2 or (turn < 0.55 and len(members) < 7):
            wanted = [topic for topic in topics if number % 2 == 0 or draw.random() < 0.6]
            members[f"m{draw.randint(1, 999)}"] = wanted or [next(iter(topics))]
        elif turn < 0.9:
            del members[draw.choice(sorted(members))]
        else:
            topics = {name: count + draw.randint(0, 3) for name, count in topics.items()}
        steps.append({"topics": topics, "members": dict(sorted(members.items()))})
    return steps


def played(histories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The histories with what each member reads after each step, `reads`, as the Java classes say."""
    lines = []
    for name, one in enumerate(histories):
        lines.append(f"history {name} {one['strategy']}")
        for step in one["steps"]:
            topics = ",".join(f"{topic}={count}" for topic, count in step["topics"].items())
            members = " ".join(f"{member}:{','.join(topics)}" for member, topics in step["members"].items())
            lines.append(f"step {topics} {members}")
    command = ["java", "-cp", f"{fetch_jars()}/*", str(PROGRAM)]
    answer = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True, timeout=120)
    shown = iter(answer.stdout.splitlines())
    for one in histories:
        for step in one["steps"]:
            pairs = [pair.split("=") for pair in next(shown).split(" ")[1:]]
            step["reads"] = {member: partitions.split(",") if partitions else [] for member, partitions in pairs}
    return histories


def main() -> int:
    """Play all histories and write the golden file."""
    histories = [{"strategy": name, "steps": history(n)} for name in STRATEGIES for n in range(HISTORIES)]
    lines = ",\n".join("    " + json.dumps(one, separators=(",", ":")) for one in played(histories))
    FILE.write_text(f'{{\n  "kafka": "{NAME}",\n  "histories": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
    print(f"{len(histories)} histories are in {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
