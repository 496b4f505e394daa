"""The same journal, fact by fact: as it was written down, in every process, in every release of Python."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.golden import CASES, FILE, PLATFORM, ROOT, counts, fingerprint, fingerprints, name_of, observed, run_of

GOLDEN = json.loads(FILE.read_text("utf-8"))
PACKAGES = ("numpy", "pydantic", "simpy", "yaml")
RELEASES = ("3.11", "3.12", "3.13")
ANEW = "if the results were meant to change, write them anew with: python -m tools.golden"


def in_a_process(python: str, hash_seed: str) -> subprocess.CompletedProcess[str]:
    """What `python -m tools.golden --print` says there."""
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", "")}
    command = [python, "-m", "tools.golden", "--print"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_there_are_ten_journals_of_all_architectures() -> None:
    assert len(set(CASES)) == 10
    assert {architecture for _, architecture, _ in CASES} == {"monolith", "rpc", "kafka", "rabbitmq"}
    assert sorted(GOLDEN["counts"]) == sorted(map(name_of, CASES))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_journal_is_as_it_was(case: tuple[str, str, int]) -> None:
    run = run_of(case)
    assert counts(run) == GOLDEN["counts"][name_of(case)], ANEW
    if PLATFORM not in GOLDEN["sha256"]:
        pytest.skip(f"no fingerprints are written down for {PLATFORM}: python -m tools.golden adds them")
    assert fingerprint(run) == GOLDEN["sha256"][PLATFORM][name_of(case)], ANEW


def test_the_journals_do_not_hang_on_the_hash_seed_of_the_process() -> None:
    here = fingerprints()
    for hash_seed in ("1", "4711"):
        ended = in_a_process(sys.executable, hash_seed)
        assert json.loads(ended.stdout) == here, ended.stderr


def test_one_worker_and_two_workers_make_the_same_journals() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(observed, CASES, chunksize=1)
    assert {name: digest for name, _, digest in found} == fingerprints()


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_of_python_makes_the_same_journals(release: str) -> None:
    """Pythons on the path, or beside it in EDASIM_PYTHONS; one that lacks the engine's four packages is left out."""
    if sys.version_info[:2] == tuple(map(int, release.split("."))):
        pytest.skip(f"this is Python {release}: all other tests say so")
    able = [python for python in pythons(release) if has_packages(python)]
    if not able:
        pytest.skip(f"there is no Python {release} here that has {' and '.join(PACKAGES)}")
    ended = in_a_process(able[0], "0")
    assert json.loads(ended.stdout or "{}") == fingerprints(), ended.stderr


def has_packages(python: str) -> bool:
    """Whether a Python starts and has what the engine needs."""
    command = [python, "-c", f"import {', '.join(PACKAGES)}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def pythons(release: str) -> list[str]:
    """The paths of the Pythons of a release."""
    given = [path for path in os.environ.get("EDASIM_PYTHONS", "").split(os.pathsep) if f"python{release}" in path]
    found = shutil.which(f"python{release}")
    return [*(path for path in given if Path(path).exists()), *([found] if found else [])]
