"""Errors as confluent-kafka has them: a KafkaError is a value, a KafkaException is raised and carries one."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edasim.brokers.kafka.client.error_codes import CODES, JAVA_NAMES, NAMES, SENTENCES

Text = str


class _Codes(type):
    """Each code is an attribute: `KafkaError._PARTITION_EOF`, `KafkaError.UNKNOWN_TOPIC_OR_PART`."""

    def __getattr__(cls, name: str) -> int:
        if name in CODES:
            return CODES[name]
        raise AttributeError(f"KafkaError has no code {name}")

    def __dir__(cls) -> list[str]:
        return sorted({*super().__dir__(), *CODES})


class KafkaError(metaclass=_Codes):
    """What went wrong: `code()` is a number (see the class attributes), `name()` its name, `str()` a sentence.

    It is true, and equal to its code, so that `if message.error():` and `error == KafkaError._PARTITION_EOF` read well.
    """

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> int: ...

    def __init__(self, error: int | Text, reason: Text | None = None, fatal: bool = False,
                 retriable: bool = False, txn_requires_abort: bool = False) -> None:
        name = JAVA_NAMES.get(error, error) if isinstance(error, Text) else NAMES.get(error, "UNKNOWN")
        self._name = name
        self._code = CODES[name] if isinstance(error, Text) else error
        self._reason = reason or SENTENCES.get(name, name.strip("_").replace("_", " ").capitalize())
        self._fatal = fatal
        self._retriable = retriable
        self._requires_abort = txn_requires_abort

    def code(self) -> int:
        """The number, one of the class attributes."""
        return self._code

    def name(self) -> Text:
        """The name of the number."""
        return self._name

    def str(self) -> Text:
        """What happened, as a sentence."""
        return self._reason

    def fatal(self) -> bool:
        """Whether the client is of no more use."""
        return self._fatal

    def retriable(self) -> bool:
        """Whether the same call may succeed later; only calls about transactions say so."""
        return self._retriable

    def txn_requires_abort(self) -> bool:
        """Whether the transaction has to be aborted, after which the producer goes on."""
        return self._requires_abort

    def __eq__(self, other: object) -> bool:
        if isinstance(other, KafkaError):
            return self._code == other._code
        return self._code == other

    def __hash__(self) -> int:
        return hash(self._code)

    def __repr__(self) -> Text:
        return f'KafkaError{{code={self._name},val={self._code},str="{self._reason}"}}'

    __str__ = __repr__


class KafkaException(Exception):
    """Raised by a call that failed; `args[0]` is the KafkaError."""


def failure(error: int | str, reason: str | None = None, **more: Any) -> KafkaException:
    """The exception for an error by its name or code."""
    return KafkaException(KafkaError(error, reason, **more))
