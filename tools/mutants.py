"""Plant defects in a copy of the project and see that a law or a test catches each of them.

A defect is a replacement of text, which must be found exactly once or the run fails. The checks that are to catch it
run on the untouched copy first and must pass there. `make mutants` writes docs/mutants.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("edasim", "tests", "scenarios", "pyproject.toml")
LONGEST_S = 1200


@dataclass(frozen=True)
class Change:
    """In a file of the package, one text instead of another."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """A planted defect, and the laws (at quick size) or tests that must catch it, each alone."""

    name: str
    changes: tuple[Change, ...]
    laws: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def changed(file: str, before: str, after: str) -> tuple[Change, ...]:
    """One change."""
    return (Change(file, before, after),)


MUTANTS = (
    Mutant("retries off by one", changed("services/retry.py", "attempts_made < self.spec.attempts",
                                         "attempts_made <= self.spec.attempts"), laws=("D01", "D13")),
    Mutant("LIFO for FIFO", changed(
        "brokers/rabbitmq/queue.py", "self.fresh.popleft() if remove else self.fresh[0]",
        "self.fresh.pop() if remove else self.fresh[-1]"), laws=("A02",)),
    Mutant("mean queue by samples instead of time", changed(
        "measure/steps.py", "return self.integral(start_s, end_s) / (end_s - start_s) if end_s > start_s else 0.0",
        "return float(self.values_within(start_s, end_s).mean()) if end_s > start_s else 0.0"), laws=("A01",)),
    Mutant("warm-up not removed", (
        Change("measure/summary.py", "self.start_s = run.scenario.warm_up * NANO", "self.start_s = 0.0"),
        Change("measure/orders.py", "self.placed_s >= self.scenario.warm_up * NANO", "self.placed_s >= 0.0")),
        laws=("F12", "F15")),
    Mutant("one stream shared by all", changed(
        "core/draws.py", 'f"{seed}\\0{purpose}\\0{name}".encode()', 'f"{seed}".encode()'), laws=("B03",)),
    Mutant("a window cut that drops unfinished orders", changed(
        "measure/summary.py",
        "return self._since_placed(self.orders.done_s, self.orders.counted & self.orders.accepted)",
        "return self._since_placed(self.orders.done_s, self.orders.counted & (self.orders.done_s <= self.end_s))"),
        laws=("J05",)),
    Mutant("jitter drawn from the wrong range", changed(
        "services/retry.py", "return round(luck * wait_ns)", "return round(wait_ns * (0.5 + luck / 2))"),
        laws=("D08",)),
    Mutant("jitter never draws the smallest waits", changed(
        "services/retry.py", "return round(luck * wait_ns)", "return round(wait_ns * (0.05 + 0.95 * luck))"),
        laws=("D08",)),
    Mutant("backoff cap ignored", changed(
        "scenario/retry_policy.py", "most_ns = LONGEST_NS if self.most_ns is None else self.most_ns",
        "most_ns = LONGEST_NS"), laws=("D07",)),
    Mutant("half-open breaker lets all through", changed(
        "services/breaker.py", "self._begin_stretch(room=self.spec.probes)", "self._begin_stretch(room=10**9)"),
        laws=("D16",)),
    Mutant("salted hash() for partitions", changed(
        "brokers/kafka/partitioner.py", "return (murmur2(data) & 0x7FFFFFFF) % partitions",
        "return (hash(data) & 0x7FFFFFFF) % partitions"), laws=("A22",),
        tests=("tests/test_kafka_partitioner.py",)),
    Mutant("standard error from correlated samples", changed(
        "study/replicate.py", "    if replication == 0:", "    replication //= 5\n    if replication == 0:"),
        laws=("J01",)),
    Mutant("standard error without the root of n - 1 degrees", changed(
        "study/precision.py", "math.sqrt(_variance(values) / n)", "math.sqrt(_variance(values)) / n"), laws=("J01",)),
)


class Misfit(Exception):
    """A defect cannot be planted, or a check fails without one."""


def copy_of_project(place: Path) -> Path:
    """A copy of what the checks need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)
    return place


def plant(place: Path, mutant: Mutant) -> dict[Path, str]:
    """Make the changes; returns what the files held before. Raises Misfit when a text is not there exactly once."""
    held: dict[Path, str] = {}
    for change in mutant.changes:
        file = place / "edasim" / change.file
        text = file.read_text(encoding="utf-8")
        if text.count(change.before) != 1:
            times = f"{text.count(change.before)} times, not once"
            raise Misfit(f'"{mutant.name}" cannot be planted: edasim/{change.file} has {change.before!r} {times}')
        held.setdefault(file, text)
        file.write_text(text.replace(change.before, change.after), encoding="utf-8")
    return held


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy, without the bytecode of what was there before."""
    # One salt, so that the outcome is the same each time: with a random one, one in eleven spreads A22's keys evenly.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(place), "PYTHONHASHSEED": "1"}
    return subprocess.run([sys.executable, *words], cwd=place, env=environment, capture_output=True, text=True,
                          check=False, timeout=LONGEST_S)


def verdict_of_law(place: Path, law: str, seed: int) -> str:
    """`holds`, or what was wrong in a few words."""
    done = run(place, "-m", "edasim", "validate", "--quick", "--only", law, "--seed", str(seed), "--json")
    try:
        rows = json.loads(done.stdout)["laws"][law]["rows"]
    except (ValueError, KeyError):
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        return f"stopped by an error: {last[:90]}"
    broken = [row for row in rows if row["verdict"] == "broken"]
    if not broken:
        return "holds"
    first = broken[0]
    estimate = "infinite" if first["estimate"] is None else f"{first['estimate']:.5g}"
    return f"{first['quantity']} is {estimate} instead of {first['exact']:.5g} in {first['where']}"


def verdict_of_tests(place: Path, tests: str) -> str:
    """`holds`, or how many tests failed."""
    done = run(place, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", tests)
    if done.returncode == 0:
        return "holds"
    return next((line for line in reversed(done.stdout.splitlines()) if "failed" in line or "error" in line), "failed")


def checks_of(mutant: Mutant) -> list[tuple[str, str]]:
    """The checks that must catch it: (law or tests, which)."""
    return [("law", law) for law in mutant.laws] + [("tests", tests) for tests in mutant.tests]


def check(place: Path, kind: str, which: str, seed: int) -> str:
    """One check in the copy as it is now."""
    return verdict_of_law(place, which, seed) if kind == "law" else verdict_of_tests(place, which)


def hunt(mutants: list[Mutant], seed: int) -> list[tuple[str, str, str]]:
    """(defect, check, what it found) for each; raises Misfit."""
    found = []
    with tempfile.TemporaryDirectory(prefix="edasim-mutants-") as folder:
        place = copy_of_project(Path(folder))
        for kind, which in dict.fromkeys(one for mutant in mutants for one in checks_of(mutant)):
            verdict = check(place, kind, which, seed)
            if verdict != "holds":
                raise Misfit(f"{which} fails without any defect: {verdict}")
        for mutant in mutants:
            held = plant(place, mutant)
            for kind, which in checks_of(mutant):
                found.append((mutant.name, which, check(place, kind, which, seed)))
                print(f"{mutant.name}: {which}: {found[-1][2]}", file=sys.stderr, flush=True)
            for file, text in held.items():
                file.write_text(text, encoding="utf-8")
    return found


def page(found: list[tuple[str, str, str]], seed: int) -> str:
    """docs/mutants.md."""
    survived = [name for name, _, verdict in found if verdict == "holds"]
    counted = f"{len(dict.fromkeys(name for name, _, _ in found))} defects"
    lines = ["# Planted defects", "",
             f"Written by `make mutants`, seed {seed}; not by hand. Each of {counted} was planted "
             "alone, and each check that is named must catch it: a law of `edasim validate --quick --only`, or tests.",
             "", "| defect | check | what it found |", "|---|---|---|"]
    lines += [f"| {name} | {which} | {'**SURVIVED**' if verdict == 'holds' else verdict.replace('|', '/')} |"
              for name, which, verdict in found]
    return "\n".join([*lines, "", f"Survived: {', '.join(survived) or 'none'}.", ""])


def main(arguments: list[str] | None = None) -> int:
    """0 when all were caught, 1 when one survived, 2 when one could not be planted."""
    parser = argparse.ArgumentParser(prog="tools/mutants.py", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="only defects with this in their name")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "mutants.md")
    chosen = parser.parse_args(arguments)
    mutants = [one for one in MUTANTS if not chosen.only or any(part in one.name for part in chosen.only)]
    try:
        found = hunt(mutants, chosen.seed)
    except Misfit as misfit:
        print(misfit, file=sys.stderr)
        return 2
    text = page(found, chosen.seed)
    if not chosen.only:
        chosen.page.write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(verdict == "holds" for _, _, verdict in found) else 0


if __name__ == "__main__":
    sys.exit(main())
