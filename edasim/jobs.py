"""The two jobs of the README for whoever has no make: the demo as a command to run, and the tests."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edasim.shipped import scenario_file

TEST_PROCESSES = 2


def demo_command() -> list[str]:
    """The words after `edasim` that make the demo: the payment outage, all architectures, saved to out/demo.

    Any user may type them. The scenario is named as it is seen from here. Raises FileNotFoundError if this
    copy of edasim has none.
    """
    scenario = scenario_file("payment-outage")
    if scenario.is_relative_to(Path.cwd()):
        scenario = scenario.relative_to(Path.cwd())
    return ["compare", str(scenario), "--replications", "10", "--out", str(Path("out", "demo"))]


def test(arguments: Sequence[str] = ()) -> int:
    """Run the tests of the clone that this package lives in, and return pytest's exit code.

    `arguments` go to pytest. Without the tests or without pytest, it says what to do and returns 2.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "tests").is_dir():
        return _refuse("An installed edasim comes without its tests: run them in a clone of its repository.")
    if find_spec("pytest") is None or find_spec("xdist") is None:
        return _refuse('The tests need the extra `dev`: pip install -e ".[dev,lab]" -c constraints.txt')
    spread = ["-n", str(TEST_PROCESSES), "--dist", "loadgroup", "-m", "not notebooks and not live_kafka"]
    command = [sys.executable, "-m", "pytest", *spread, *arguments]
    return subprocess.run(command, cwd=root, check=False).returncode


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2
