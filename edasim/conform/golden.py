"""Golden traces: what a real Kafka did, kept as JSON beside the code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from edasim.conform.script import Script, Trace
from edasim.core.files import write_whole

FOLDER = Path(str(files("edasim.conform") / "golden" / "kafka"))


@dataclass(frozen=True)
class Golden:
    """The trace of one script, and the versions of the broker and the client that it was recorded with."""

    trace: Trace
    kafka: str
    client: str


def path_of(script: str, folder: Path = FOLDER) -> Path:
    """The file that holds a script's golden trace."""
    return folder / f"{script}.json"


def read(script: str, folder: Path = FOLDER) -> Golden | None:
    """The golden trace of a script, None if none was recorded."""
    path = path_of(script, folder)
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    return Golden([(label, value) for label, value in data["trace"]], data["kafka"], data["client"])


def described(scripts: Iterable[Script], folder: Path = FOLDER) -> str:
    """What the golden traces of these scripts were recorded with, as a title says it."""
    kept = [read(one.name, folder) for one in scripts]
    versions = sorted({(one.kafka, one.client) for one in kept if one is not None})
    return " and ".join(f"{kafka} ({client}), as recorded" for kafka, client in versions) or "no recorded Kafka"


def write(script: Script, trace: Trace, kafka: str, client: str, folder: Path = FOLDER) -> Path:
    """Write a script's trace, one note a line."""
    folder.mkdir(parents=True, exist_ok=True)
    head: dict[str, Any] = {"script": script.name, "observes": script.sentence, "kafka": kafka, "client": client}
    lines = [f'  "{name}": {json.dumps(value, ensure_ascii=False)},' for name, value in head.items()]
    notes = [f"    {json.dumps([label, value], ensure_ascii=False)}" for label, value in trace]
    text = "\n".join(["{", *lines, '  "trace": [', ",\n".join(notes), "  ]", "}"]) + "\n"
    return write_whole(path_of(script.name, folder), text)
