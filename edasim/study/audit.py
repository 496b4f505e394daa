"""`make audit`: are the error bars true?  Laws J01 and J03 at their full size, in steps that can be resumed.

What was found is kept in a file of plain data after every step, so that an audit that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edasim.core.files import write_whole
from edasim.study.executors import Executor, executor_for
from edasim.study.replicate import replication_seed
from edasim.study.validate import running
from edasim.study.validate.laws import laws
from edasim.study.validate.measuring import covered
from edasim.study.validate.page import number
from edasim.study.validate.rules import HOLDS
from edasim.study.validate.running import Row
from edasim.study.validate.scores import Scores, judged
from edasim.version import __version__

MESSAGES = (2_000, 22_000)
"""The warm-up, and all messages of a replication."""
EXPERIMENTS, SEEDS = 400, 20
LEVEL, MOST_OFF = 0.95, 0.03
AT_ONCE = 8


def experiment(seed: int) -> bool:
    """One experiment of J01: whether its interval holds the exact mean sojourn."""
    return covered(0.8, 1.0, MESSAGES, seed)


class Audit:
    """What has been found so far, by the seed of the audit."""

    def __init__(self, seed: int, file: Path) -> None:
        self.seed = seed
        self.file = file
        kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        mine = kept.get("seed") == seed and kept.get("version") == __version__
        self.hits: list[bool] = list(kept["hits"]) if mine else []
        self.scores: list[Scores] = [Scores(tuple(one["every"]), tuple(one["one_each"])) for one in kept["scores"]
                                     ] if mine else []

    def keep(self) -> None:
        """Write it down."""
        data: dict[str, Any] = {"seed": self.seed, "version": __version__, "hits": self.hits,
                                "scores": [{"every": one.every, "one_each": one.one_each} for one in self.scores]}
        write_whole(self.file, json.dumps(data))

    def cover(self, experiments: int, executor: Executor) -> None:
        """J01: do what is missing of so many experiments."""
        while len(self.hits) < experiments:
            upto = min(experiments, len(self.hits) + AT_ONCE)
            seeds = [replication_seed(self.seed + 1, number + 1) for number in range(len(self.hits), upto)]
            self.hits += executor.map(experiment, seeds)
            self.keep()
            say(f"J01: {sum(self.hits)} of {len(self.hits)} intervals hold the exact value")

    def score(self, seeds: int, executor: Executor, only: Sequence[str] | None = None) -> None:
        """J03: do what is missing of so many fresh seeds."""
        wanted = {law: case for law, case in running.chosen(only).items() if laws()[law].statistical}
        while len(self.scores) < seeds:
            fresh = replication_seed(self.seed + 2, len(self.scores) + 1)
            self.scores.append(Scores.of(running.run(wanted, fresh, True, executor)))
            self.keep()
            say(f"J03: {len(self.scores)} of {seeds} seeds")

    def rows(self) -> list[Row]:
        """The figures of both laws."""
        found = sum(self.scores, Scores((), ()))
        return judged(found, len(self.scores))

    @property
    def coverage(self) -> float:
        """The share of the intervals that hold the exact value."""
        return sum(self.hits) / max(len(self.hits), 1)

    def holds(self) -> bool:
        """Whether both laws hold."""
        fine = all(row.verdict == HOLDS for row in self.rows())
        return fine and abs(self.coverage - LEVEL) <= MOST_OFF

    def page(self) -> str:
        """docs/audit.md."""
        lines = [
            "# Audit of the error bars", "",
            f"Written by `make audit`, seed {self.seed}, version {__version__}; not by hand.", "",
            "## J01: intervals hold as often as they say", "",
            f"M/M/1 with lambda = 0.8 and mu = 1: {len(self.hits)} experiments of 30 replications with {MESSAGES[1]:,} "
            f"messages each, of which {MESSAGES[0]:,} are warm-up. A 95% interval by Student's t held the exact mean "
            f"sojourn of 5 s in {sum(self.hits)} of them: {100 * self.coverage:.2f}%, and 92 to 98% are asked for.", "",
            "## J03: z-scores look like a standard normal variate", "",
            f"All statistical laws at quick size with {len(self.scores)} fresh seeds. z is the normal variate that is "
            "as rare as Student's t of the estimate. Mean, deviation and the largest are over all figures. Figures of "
            "one trial come from the same runs and hang together, so the test of Kolmogorov and Smirnov, which "
            "supposes independent ones, has one figure of each trial; trials have seeds of their own.", "",
            "| scores | figure | found | asked for | verdict |", "|---|---|---:|---|---|",
        ]
        lines += [f"| {row.where} | {row.name} | {number(row.estimate.value)} | {row.rule} | {row.verdict} |"
                  for row in self.rows()]
        return "\n".join([*lines, "", f"**{'Both laws hold' if self.holds() else 'Not both laws hold'}.**", ""])


def say(sentence: str) -> None:
    """Say on stderr how far it is."""
    print(sentence, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and write the page; 0 both laws hold, 1 one does not, 2 there is more to do."""
    parser = argparse.ArgumentParser(prog="python -m edasim.study.audit", description=__doc__)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS, help="of J01, at most in all")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of J03, at most in all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("out/audit.json"), help="what was found so far")
    parser.add_argument("--page", type=Path, default=Path("docs/audit.md"), help="the page to write")
    chosen = parser.parse_args(arguments)
    chosen.kept.parent.mkdir(parents=True, exist_ok=True)
    audit, executor = Audit(chosen.seed, chosen.kept), executor_for(chosen.workers)
    audit.cover(chosen.experiments, executor)
    audit.score(chosen.seeds, executor)
    write_whole(chosen.page, audit.page())
    print(audit.page())
    if len(audit.hits) < EXPERIMENTS or len(audit.scores) < SEEDS:
        say(f"Not the whole audit: {EXPERIMENTS} experiments and {SEEDS} seeds are asked for.")
        return 2
    return 0 if audit.holds() else 1


if __name__ == "__main__":
    sys.exit(main())
