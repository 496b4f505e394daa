"""What is wrong with a scenario, in sentences that name the place and the cure."""

from __future__ import annotations

from dataclasses import dataclass

from edasim.core.quantity import shown

MOST_SHOWN = 20
Path = tuple[str | int, ...]
Finding = tuple[Path, str]
"""A place in a scenario and one sentence about it."""


def show_path(path: Path) -> str:
    """A place in a scenario as people write it: `services.payment.handles[0]`; odd characters are escaped."""
    text = ""
    for step in path:
        name = f"[{step}]" if isinstance(step, int) else shown(step)[1:-1]
        text += f".{name}" if text and isinstance(step, str) else name
    return text


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is (line 0 when it is in no file) and one sentence about it."""

    message: str
    path: str = ""
    line: int = 0
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ScenarioError(ValueError):
    """A scenario that cannot be used, with all that is wrong with it; its text is one sentence a line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = [str(problem) for problem in problems[:MOST_SHOWN]]
        if len(problems) > MOST_SHOWN:
            lines.append(f"and {len(problems) - MOST_SHOWN} more of the kind")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[list[Problem]]]:
        return ScenarioError, (self.problems,)
