"""The kinds of values that a scenario's parts are made of, and the base of all parts.

Each kind reads what a file may hold, refuses with one sentence, and is written back as a text that reads the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    model_validator,
)

from edasim.core.arrivals import Arrivals, parse_arrivals
from edasim.core.distribution import Distribution, parse_distribution
from edasim.core.keys import Keys, parse_keys
from edasim.core.quantity import (
    QuantityError,
    count,
    duration_ns,
    factor,
    positive_duration_ns,
    positive_rate_per_s,
    share,
    show_duration,
    show_factor,
    show_rate,
    show_share,
    show_size,
    shown,
    size_bytes,
)

Value = TypeVar("Value")
MOST_OPTIONS = 200
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def yaml_name(field: str) -> str:
    """How a file names a field: `warm_up` is `warm-up`, `for_` is `for`."""
    return field.rstrip("_").replace("_", "-")


class Part(BaseModel):
    """A part of a scenario: frozen, and without keys that nobody knows. Left empty in a file, it has its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=yaml_name, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        return {} if data is None else data


class FrozenMapping(dict[str, Value]):
    """Named parts, in the order of the file, that cannot be changed."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a scenario does not change: scenario.change(...) makes a changed copy")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenMapping[Value]], tuple[dict[str, Value]]]:
        return FrozenMapping, (dict(self),)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known word as a question, or the known ones where none is near."""
    words = list(known)
    near = get_close_matches(word[:64], words, n=1)
    if near:
        return f"did you mean {near[0]}?"
    more = f" and {len(words) - 20} more" if len(words) > 20 else ""
    return f"choose from {', '.join(words[:20])}{more}" if words else "none is known here"


# ---- readers: any value to a number, a word or a sentence ----


def name(value: object) -> str:
    """The name of a part or of an event: letters, digits, - and _."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise QuantityError(f"{shown(value)} is not a name: names are 1 to 64 letters, digits, - and _")
    return value


def one_or_many(value: object) -> tuple[str, ...]:
    """A name, or a list of different names."""
    names = [name(each) for each in value] if isinstance(value, (list, tuple)) else [name(value)]
    if not names:
        raise QuantityError("the list is empty: write at least one name")
    if len(set(names)) < len(names):
        raise QuantityError("a name is listed twice: list each once")
    return tuple(names)


def yes_or_no(value: object) -> bool:
    """A boolean, which YAML 1.2 writes true or false."""
    if not isinstance(value, bool):
        raise QuantityError(f"{shown(value)} is neither true nor false: write one of these two")
    return value


def settings(value: object) -> FrozenMapping[Any]:
    """Options by their real names as the file gives them; the tables of the brokers judge them."""
    if value is None:
        return FrozenMapping()
    if not isinstance(value, dict):
        raise QuantityError(f"{shown(value)} is not a mapping: write options as name: value")
    if len(value) > MOST_OPTIONS:
        raise QuantityError(f"{len(value)} options are too many: at most {MOST_OPTIONS} are allowed")
    return FrozenMapping(value)


def optional(read: Callable[[object], Value]) -> Callable[[object], Value | None]:
    """A value that may be left out, also as an explicit null."""
    return lambda value: None if value is None else read(value)


def or_word(word: str, read: Callable[[object], Value]) -> Callable[[object], Value | None]:
    """A quantity, or the word that stands for its absence."""

    def read_or_none(value: object) -> Value | None:
        if value == word:
            return None
        try:
            return read(value)
        except QuantityError as error:
            raise QuantityError(f"{error}, or {word}") from None

    return read_or_none


# ---- validators made for a field ----


def choice(*allowed: str) -> PlainValidator:
    """One of a few words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            quoted = ", ".join(f'"{word}"' for word in allowed)
            raise QuantityError(f"{shown(value)} is a number here: write one of {quoted}, with the quotes")
        raise QuantityError(f"{shown(value)} is not possible: allowed are {', '.join(allowed)}")

    return PlainValidator(read)


def text(longest: int, lines: bool = False) -> PlainValidator:
    """Text for people, without control characters that could move a terminal's cursor."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise QuantityError(f"{shown(value)} is not a text: write it in quotes")
        if len(value) > longest:
            raise QuantityError(f"{shown(value)} is too long: at most {longest} characters are allowed")
        if not all(letter.isprintable() or (lines and letter == "\n") for letter in value):
            raise QuantityError(f"{shown(value)} holds a control character: only printable ones are allowed")
        return value.strip()

    return PlainValidator(read)


def whole(low: int, high: int) -> PlainValidator:
    """A whole number within bounds."""
    return PlainValidator(lambda value: count(value, low, high))


def optional_whole(low: int, high: int) -> PlainValidator:
    """A whole number within bounds that may be left out."""
    return PlainValidator(optional(lambda value: count(value, low, high)))


def show_or_word(word: str, show: Callable[[Any], Any]) -> PlainSerializer:
    """The way back of `or_word`."""
    return PlainSerializer(lambda value: word if value is None else show(value))


def many(low: int, high: int) -> PlainValidator:
    """A whole number within bounds, or `unlimited`, which counts as infinite."""
    return PlainValidator(_read_many(low, high))


def optional_many(low: int, high: int) -> PlainValidator:
    """The same, which may be left out."""
    return PlainValidator(optional(_read_many(low, high)))


def _read_many(low: int, high: int) -> Callable[[object], float]:
    read = or_word("unlimited", lambda value: count(value, low, high))

    def read_many(value: object) -> float:
        number = read(value)
        return math.inf if number is None else number

    return read_many


def _show_many(number: float | None) -> int | str | None:
    return "unlimited" if number == math.inf else None if number is None else int(number)


show_many = PlainSerializer(_show_many)
"""The way back of `many`."""


def _show_optional(show: Callable[[Any], Any]) -> PlainSerializer:
    return PlainSerializer(lambda value: None if value is None else show(value))


def _show_names(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


Name = Annotated[str, PlainValidator(name)]
Names = Annotated[tuple[str, ...], PlainValidator(one_or_many), PlainSerializer(_show_names)]
Boolean = Annotated[bool, PlainValidator(yes_or_no)]
Duration = Annotated[int, PlainValidator(duration_ns), PlainSerializer(show_duration)]
OptionalDuration = Annotated[int | None, PlainValidator(optional(duration_ns)), _show_optional(show_duration)]
OptionalPositiveDuration = Annotated[
    int | None, PlainValidator(optional(positive_duration_ns)), _show_optional(show_duration)
]
PositiveDurationOrNone = Annotated[
    int | None, PlainValidator(or_word("none", positive_duration_ns)), show_or_word("none", show_duration)
]
Share = Annotated[float, PlainValidator(share), PlainSerializer(show_share)]
OptionalShare = Annotated[float | None, PlainValidator(optional(share)), _show_optional(show_share)]
OptionalFactor = Annotated[float | None, PlainValidator(optional(factor)), _show_optional(show_factor)]
Rate = Annotated[float, PlainValidator(positive_rate_per_s), PlainSerializer(show_rate)]
Size = Annotated[int, PlainValidator(size_bytes), PlainSerializer(show_size)]
Random = Annotated[Distribution, PlainValidator(parse_distribution), PlainSerializer(str)]
OptionalRandom = Annotated[Distribution | None, PlainValidator(optional(parse_distribution)), _show_optional(str)]
Placing = Annotated[Arrivals, PlainValidator(parse_arrivals), PlainSerializer(str)]
KeySpread = Annotated[Keys, PlainValidator(parse_keys), PlainSerializer(str)]
Settings = Annotated[FrozenMapping[Any], PlainValidator(settings), PlainSerializer(dict)]

_none_is_empty = BeforeValidator(lambda value: {} if value is None else value)
Named = Annotated[dict[Name, Value], _none_is_empty, AfterValidator(FrozenMapping)]
ByPath = Annotated[dict[str, Value], _none_is_empty, AfterValidator(FrozenMapping)]
