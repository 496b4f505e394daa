"""What pydantic finds, as sentences in the words of a scenario's file."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from edasim.core.quantity import shown
from edasim.scenario.errors import Path
from edasim.scenario.fields import suggestion, yaml_name
from edasim.scenario.value import Scenario

_ELSEWHERE = {
    "queue-limit": "write it at architectures.monolith or architectures.rpc, as in rpc: {queue-limit: 50}",
    "discipline": "write it at architectures.monolith or architectures.rpc, as in rpc: {discipline: priority}",
    "priority": "messages have it, so write it at a producer, as in producers: {checkout: {priority: 5}}",
    "threads": "only the monolith has threads, so write it at architectures.monolith, or workers here",
    "prefetch": "only RabbitMQ has it, so write it at architectures.rabbitmq",
}
"""Keys that are looked for at a service, and where they are."""
_FEW_KEYS = 8


def explain(details: ErrorDetails) -> tuple[Path, str]:
    """The path of a finding and one sentence about it."""
    path: Path = tuple(step for step in details["loc"] if step not in ("[key]", "[flag]", "[window]"))
    return path, _sentence(details, path)


def _sentence(details: ErrorDetails, path: Path) -> str:
    kind = details["type"]
    if kind == "value_error" and details["loc"][-1] == "[flag]" and path[-1:] == ("idempotent",):
        cure = "write true, false, {remembers: 1000} or {for: 10s}"
        return f"{shown(details['input'])} is neither true nor false nor a window: {cure}"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind in ("extra_forbidden", "invalid_key"):
        part = part_at(path[:-1])
        if len(path) > 2 and path[0] == "services" and (elsewhere := _ELSEWHERE.get(str(path[-1]))):
            return f"this key does not belong to a service: {elsewhere}"
        return f"this key is not known: {suggestion(str(path[-1]), keys_of(part) if part else ())}"
    if kind == "missing":
        return f"this is missing: write {_description(path)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        part = part_at(path)
        keys = keys_of(part) if part is not None else []
        such = f", such as {keys[0]}" if 1 <= len(keys) <= _FEW_KEYS else ""
        return f"{shown(details['input'])} is not a mapping: write keys with values{such}"
    if kind in ("list_type", "tuple_type"):
        return f"{shown(details['input'])} is not a list: write it in brackets"
    return f"{shown(details['input'])} is not possible: {details['msg'][:1].lower()}{details['msg'][1:]}"


def keys_of(part: type[BaseModel]) -> list[str]:
    """The keys that a file may write in a part."""
    return [field.alias or yaml_name(name) for name, field in part.model_fields.items()]


def part_at(path: Path) -> type[BaseModel] | None:
    """The class of the part at a path, or None where there is none."""
    kind: Any = Scenario
    for step in path:
        part = _part_in(kind)
        if part is not kind and part is not None:
            kind = part  # the step is a name or a number in a mapping or a list of parts
            continue
        fields = {field.alias: field.annotation for field in part.model_fields.values()} if part else {}
        kind = fields.get(str(step))
        kind = _without_none(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _without_none(kind: Any) -> Any:
    """A part that may be None, or a plain value, is that part."""
    arguments = get_args(kind)
    parts = [part for part in map(_part_in, arguments) if part is not None]
    return parts[0] if len(parts) == 1 and get_origin(kind) in (Union, UnionType) else kind


def _part_in(kind: Any) -> Any:
    """The class of parts that a kind is, or that a mapping or a list of it holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    found = (_part_in(argument) for argument in get_args(kind))
    return next((part for part in found if part is not None), None)


def _description(path: Path) -> str:
    part = part_at(path[:-1])
    fields = {field.alias: field.description for field in part.model_fields.values()} if part else {}
    return fields.get(str(path[-1])) or "a value for it"
