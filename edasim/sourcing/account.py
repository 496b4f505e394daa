"""The bank account of the textbooks: opened, paid into, drawn from, and put right without erasing anything.

Amounts are whole numbers of the smallest coin.  `handle` says what an event makes of an account; `open_account`,
`deposit`, `withdraw` and `correct` decide whether something may happen and give the events to append, or raise
`Refused`.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from edasim.sourcing.event_store import Event

OPENED, DEPOSITED, WITHDRAWN, CORRECTED = "AccountOpened", "MoneyDeposited", "MoneyWithdrawn", "BalanceCorrected"


class Refused(ValueError):
    """What was asked for may not happen; the message says why."""


class Account(NamedTuple):
    """An open account.  An account that was never opened is None."""

    owner: str
    balance: int


class Happened(Protocol):
    """An event, recorded or not."""

    @property
    def type(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...


def handle(account: Account | None, event: Happened) -> Account | None:
    """What an event makes of an account; raises ValueError for what cannot have happened to it."""
    if event.type == OPENED and account is None:
        return Account(event.data["owner"], 0)
    if account is None or event.type not in _SIGNS:
        state = "open" if account is not None else "not open"
        raise ValueError(f"{event.type} cannot have happened to an account that is {state}: the stream is not its own")
    return Account(account.owner, account.balance + _SIGNS[event.type] * event.data["amount"])


_SIGNS = {DEPOSITED: 1, WITHDRAWN: -1, CORRECTED: 1}


def open_account(account: Account | None, owner: str) -> list[Event]:
    """Open it, with a balance of 0."""
    if account is not None:
        raise Refused(f"the account of {account.owner} is open already: use another stream")
    return [Event(OPENED, {"owner": owner})]


def deposit(account: Account | None, amount: int) -> list[Event]:
    """Pay in."""
    _check(account, amount)
    return [Event(DEPOSITED, {"amount": amount})]


def withdraw(account: Account | None, amount: int) -> list[Event]:
    """Draw out what is there."""
    balance = _check(account, amount).balance
    if amount > balance:
        raise Refused(f"{amount} cannot be withdrawn: the balance is {balance}")
    return [Event(WITHDRAWN, {"amount": amount})]


def correct(account: Account | None, amount: int, why: str) -> list[Event]:
    """Put a mistake right by an event of its own; `amount` may be negative, and so may the balance after it."""
    if account is None:
        raise Refused("there is no account: open it first")
    return [Event(CORRECTED, {"amount": amount, "why": why})]


def _check(account: Account | None, amount: int) -> Account:
    if account is None:
        raise Refused("there is no account: open it first")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise Refused(f"{amount!r} is no amount: give a whole number above 0")
    return account
