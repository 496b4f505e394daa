"""Mutated files by the thousand: `python -m tools.mutate FIRST NUMBER`. Each is read as any file would be.

It must be a scenario, or be refused with sentences of one line each: without a traceback, in less than 200 MB more than
the process has anyway, and soon. One that takes 20 seconds ends the process with the place where it was.
"""

from __future__ import annotations

import faulthandler
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from edasim.core import clock
from edasim.core.clock import TimeStandsStill
from edasim.core.guard import memory_bytes
from edasim.core.quantity import printable
from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.reading import load
from edasim.simulate import simulate
from tests.mutations import mutated

HANGS_AFTER_S = 20
MOST_MORE_BYTES = 200_000_000
MOST_EVENTS = 5_000
_DATA_PAGES = 5
"""The place of data and stack in /proc/self/statm."""


def hold_down() -> None:
    """Let no file take more than 200 MB beside what there is already, where the system can be told so; and do not wait
    for a million events before time is said to stand still.

    What counts is memory that can be written to: a thread reserves addresses by the hundred megabytes and uses none.
    """
    clock.SAME_INSTANT_LIMIT = clock.STRIDE
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[_DATA_PAGES])
    except (ImportError, OSError):
        return
    most = pages * resource.getpagesize() + MOST_MORE_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


def read(file: Path) -> str:
    """`valid`, `refused`, or what is wrong with how it was refused."""
    try:
        load(file)
    except ScenarioError as error:
        sentences = str(error).split("\n")
        odd = [text for text in sentences if printable(text) != text or not text.strip()]
        few = 0 < len(sentences) == min(len(error.problems), 21)
        return "refused" if few and not odd and len(str(error)) < 30_000 else f"badly refused: {str(error)[:200]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "valid"


def run(file: Path) -> str:
    """Run what is valid, if it is small: `valid`, or what is wrong."""
    scenario = load(file)
    try:
        if estimate(scenario).events < MOST_EVENTS:
            simulate(scenario, scenario.architectures.listed[-1]).summary().as_dict()
    except TimeStandsStill:
        pass
    except Exception as error:
        return f"when it is run, {type(error).__name__}: {error}"
    return "valid"


def many(first: int, number: int) -> int:
    """Read files first, first + 1, ...; print the figures, and the seed of each that does harm."""
    found: Counter[str] = Counter()
    slowest, harm, began = (0.0, 0), 0, memory_bytes()
    hold_down()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mutated.yml"
        for seed in range(first, first + number):
            file.write_bytes(mutated(seed))
            faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True, file=sys.__stderr__)
            start = time.process_time()
            outcome = read(file)
            slowest = max(slowest, (time.process_time() - start, seed))
            outcome = run(file) if outcome == "valid" else outcome
            if outcome not in ("valid", "refused"):
                harm += 1
                print(f"file {seed}: {outcome}", flush=True)
            found[outcome if outcome in ("valid", "refused") else "harm"] += 1
    faulthandler.cancel_dump_traceback_later()
    grown = max(0, memory_bytes() - began) / 1e6
    print(f"{number:,} mutated files: {dict(found)}; the slowest was read in {slowest[0]:.2f} s of processor "
          f"time (file {slowest[1]}); the process grew by {grown:.0f} MB; {harm} did harm")
    return 1 if harm else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(many(int(sys.argv[1]), int(sys.argv[2])))
