"""What came of playing one script on both sides, and of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edasim.conform.on_purpose import reason_for
from edasim.conform.script import Script, Trace
from edasim.conform.trace import Difference, differences

SAME, AS_SAID, DIFFERS, NOT_PLAYED = "same", "as said", "differs", "not played"


@dataclass(frozen=True)
class Outcome:
    """One script: what it noted on the simulated side and on the other, and where these differ.

    `as_said` are the differences on purpose, each with its reason. A script that was not played has no traces but a
    reason in `why_not`.
    """

    script: Script
    simulated: Trace
    real: Trace
    differing: tuple[Difference, ...] = ()
    as_said: tuple[tuple[Difference, str], ...] = ()
    why_not: str = ""

    @property
    def verdict(self) -> str:
        """`same`, `as said`, `differs` or `not played`."""
        if self.why_not:
            return NOT_PLAYED
        return DIFFERS if self.differing else AS_SAID if self.as_said else SAME


def judged(script: Script, simulated: Trace, real: Trace) -> Outcome:
    """Compare two traces of one script."""
    differing, as_said = [], []
    for one in differences(script.name, simulated, real):
        reason = reason_for(script.name, one.label)
        if reason is None:
            differing.append(one)
        else:
            as_said.append((one, reason))
    return Outcome(script, simulated, real, tuple(differing), tuple(as_said))


def not_played(script: Script, why: str) -> Outcome:
    """A script that this cluster, or this copy of edasim, cannot play."""
    return Outcome(script, [], [], why_not=why)


def as_text(outcomes: Sequence[Outcome], other: str) -> str:
    """The table, the differences one by one, and the last line "N scripts, M differences".

    `other` says what the simulated side was compared with.
    """
    width = max(len(one.script.name) for one in outcomes)
    lines = [f"The simulated Kafka beside {other}", ""]
    lines += [f"{one.script.name:{width}}  {one.verdict:10}  {_detail(one)}".rstrip() for one in outcomes]
    for title, sentences in _sections(outcomes):
        if sentences:
            lines += ["", title, *sentences]
    return "\n".join([*lines, "", summary(outcomes)])


def as_dict(outcomes: Sequence[Outcome], other: str) -> dict[str, Any]:
    """What `--json` prints; `beside` says what the simulated side was compared with."""
    return {
        "beside": other,
        "played": sum(one.verdict != NOT_PLAYED for one in outcomes),
        "differences": sum(len(one.differing) for one in outcomes),
        "scripts": {
            one.script.name: {
                "verdict": one.verdict,
                "observes": one.script.sentence,
                "notes": len(one.real),
                "differences": [_fields(each) for each in one.differing],
                "as_said": [{**_fields(each), "reason": reason} for each, reason in one.as_said],
                "why_not": one.why_not or None,
            }
            for one in outcomes
        },
    }


def _fields(one: Difference) -> dict[str, Any]:
    return {"label": one.label, "simulated": one.simulated, "real": one.real}


def _detail(one: Outcome) -> str:
    if one.why_not:
        return ""
    count = f"{len(one.real)} note{'' if len(one.real) == 1 else 's'}"
    return count + (f", {len(one.differing)} differ" if one.differing else "")


def _sections(outcomes: Sequence[Outcome]) -> list[tuple[str, list[str]]]:
    reasons = dict.fromkeys(one.why_not for one in outcomes if one.why_not)
    as_said = [f"  {each}: {reason}" for one in outcomes for each, reason in one.as_said]
    return [
        ("Not played:", [f"  {_number(outcomes, why)}: {why}" for why in reasons]),
        (f"As said ({len(as_said)}, on purpose):", as_said),
        ("Differences:", [f"  {each}" for one in outcomes for each in one.differing]),
    ]


def _number(outcomes: Sequence[Outcome], why: str) -> str:
    count = sum(one.why_not == why for one in outcomes)
    return f"{count} script{'' if count == 1 else 's'}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """ "N scripts, M differences": the scripts that were played, and the notes that differ against expectation."""
    played = sum(one.verdict != NOT_PLAYED for one in outcomes)
    count = sum(len(one.differing) for one in outcomes)
    return f"{played} script{'' if played == 1 else 's'}, {count} difference{'' if count == 1 else 's'}"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0: no difference, 1: differences, 2: no script could be played."""
    if all(one.verdict == NOT_PLAYED for one in outcomes):
        return 2
    return 1 if any(one.differing for one in outcomes) else 0
