"""The journals that must not change by accident: `python -m tools.golden` writes their fingerprints anew.

Ten runs (scenario, architecture, seed), each with the number of facts by verb, the same on every machine, and a SHA-256
of all facts for each platform: the last digit of a logarithm may differ from one processor's library to another's.
Write them anew where a change of results is the point, and say so in the change.
"""

from __future__ import annotations

import json
import platform
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from edasim.core.journal import Verb
from edasim.scenario.reading import load
from edasim.simulate import Run, simulate

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "golden" / "journals.json"
PLATFORM = f"{sys.platform}-{platform.machine()}"
CASES = (
    ("payment-outage", "monolith", 1),
    ("payment-outage", "rpc", 2),
    ("payment-outage", "kafka", 3),
    ("payment-outage", "rabbitmq", 4),
    ("black-friday", "kafka", 5),
    ("flaky-network", "kafka", 6),
    ("flaky-network", "rabbitmq", 7),
    ("hot-key", "kafka", 8),
    ("poison-messages", "rabbitmq", 9),
    ("slow-notification", "rpc", 10),
)
LENGTH = "30s"
"""For so long orders are placed: past the beginning of each scenario's fault."""


def name_of(case: tuple[str, str, int]) -> str:
    """`payment-outage kafka 3`."""
    return " ".join(map(str, case))


def run_of(case: tuple[str, str, int]) -> Run:
    """The run of a case."""
    scenario, architecture, seed = case
    shop = load(ROOT / "scenarios" / f"{scenario}.yml").change({"duration": LENGTH})
    return simulate(shop, architecture, seed)


def fingerprint(run: Run) -> str:
    """The SHA-256 of all facts: when, what, to which message, at which place, with the messages by their names."""
    places = "\n".join(map(repr, run.places))
    messages = "\n".join(f"{message!r} {message.key} {message.path} {message.cause}" for message in run.messages)
    facts = run.facts
    numbers = facts.times_ns.astype("<i8").tobytes() + facts.packed.astype("<i8").tobytes()
    return sha256(numbers + (places + messages).encode()).hexdigest()


def counts(run: Run) -> dict[str, int]:
    """How many facts there are of each verb."""
    verbs = run.facts.verbs.tolist()
    return {verb.name: verbs.count(verb) for verb in Verb if verb in verbs}


def observed(case: tuple[str, str, int]) -> tuple[str, dict[str, int], str]:
    """The name of a case, its counts and its fingerprint."""
    run = run_of(case)
    return name_of(case), counts(run), fingerprint(run)


def fingerprints() -> dict[str, str]:
    """Of all cases, by name."""
    return {name: found for name, _, found in map(observed, CASES)}


def write() -> None:
    """Write the file anew; the fingerprints of other platforms are kept only while the counts stay as they were."""
    before: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"counts": {}, "sha256": {}}
    found = [observed(case) for case in CASES]
    numbers = {name: number for name, number, _ in found}
    kept = before["sha256"] if before["counts"] == numbers else {}
    now = {"counts": numbers, "sha256": {**kept, PLATFORM: {name: digest for name, _, digest in found}}}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    changed = [name for name, _, digest in found if before["sha256"].get(PLATFORM, {}).get(name) != digest]
    print(f"{FILE.relative_to(ROOT)}: {len(changed)} of {len(CASES)} changed on {PLATFORM}", *changed, sep="\n  ")


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(json.dumps(fingerprints()))
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        write()
