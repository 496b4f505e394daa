"""Event sourcing: a state is the fold of its events.  Laws H08, H09, H11, H12."""

from __future__ import annotations

from edasim.sourcing import Event, EventStore, Repository, VersionConflict, account, fold
from edasim.study.validate.case import Case, Numbers, Quantity, Sample, Trial
from edasim.study.validate.rules import Exact

STREAM = "account-1"
Bank = Repository["account.Account | None"]


def ledger(moves: list[int], snapshot_every: int | None = None) -> Bank:
    """An account opened at 1 s, then a deposit or a withdrawal each second."""
    found: Bank = Repository(EventStore(), account.handle, None, snapshot_every)
    found.append(STREAM, account.open_account(None, "Ada"), time_s=1.0, expected_version=0)
    for number, amount in enumerate(moves, start=1):
        event = Event(account.DEPOSITED if amount > 0 else account.WITHDRAWN, {"amount": abs(amount)})
        found.append(STREAM, [event], time_s=1.0 + number, expected_version=number)
    return found


NOT_OPEN = -1.0
"""Stands for no account in the list of balances, where the law has null."""


def balance(state: account.Account | None) -> float:
    """What is in it."""
    return NOT_OPEN if state is None else float(state.balance)


def exactly(where: str, sample: Sample, exact: dict[str, float], published: dict[str, str], said: str) -> Trial:
    """A trial without chance."""
    quantities = tuple(Quantity(name, value, Exact(), published=published.get(name, ""))
                       for name, value in exact.items())
    return Trial(where, sample, quantities, 1, 1, 1, said=said)


def folded(moves: list[int]) -> tuple[Trial, ...]:
    """The balance, the version, and the balance after replaying twice."""

    def sample(_seed: int, _size: int) -> Numbers:
        found = ledger(moves)
        again = [fold(account.handle, None, found.store.read(STREAM)) for _ in range(2)]
        now = found.load(STREAM)
        return {"balance": balance(now.state), "version": float(now.version), "replay_twice": balance(again[1])}

    exact = {"balance": float(sum(moves)), "version": float(1 + len(moves)), "replay_twice": float(sum(moves))}
    return (exactly("event store", sample, exact, {name: name for name in exact}, f"Opened, then {moves}"),)


def temporal(moves: list[int], times_s: list[float]) -> tuple[Trial, ...]:
    """The balance at any time: that of the events up to it."""

    def sample(_seed: int, _size: int) -> Numbers:
        found = ledger(moves)
        return {f"at {time:g} s": balance(found.load(STREAM, at_s=time).state) for time in times_s}

    exact, published = {}, {}
    for place, time in enumerate(times_s):
        known = sum(moves[: max(0, int(time) - 1)])
        exact[f"at {time:g} s"] = float(known) if time >= 1 else NOT_OPEN
        if time >= 1:
            published[f"at {time:g} s"] = f"balances.{place}"
    return (exactly("event store", sample, exact, published, f"no account (null) is {NOT_OPEN:g} here"),)


def snapshots(events: int, every: int) -> tuple[Trial, ...]:
    """A snapshot leaves the rest of a division to replay, and changes nothing."""

    def sample(_seed: int, _size: int) -> Numbers:
        found = ledger([number % 13 + 1 for number in range(events - 1)], every)
        whole = Repository(found.store, account.handle, None).load(STREAM)
        loaded = found.load(STREAM)
        assert whole.replayed == events, "without snapshots all events are replayed"
        same = float(loaded.state == whole.state)
        return {"events_replayed": float(loaded.replayed), "state_equal_full_replay": same}

    exact = {"events_replayed": float(events % every), "state_equal_full_replay": 1.0}
    published = {"events_replayed": "events_replayed"}
    return (exactly("event store", sample, exact, published, f"{events} events, a snapshot after each {every}"),)


def concurrent(moves: list[int]) -> tuple[Trial, ...]:
    """Of two writers who expect the same version one succeeds and the other has to decide anew."""

    def sample(_seed: int, _size: int) -> Numbers:
        found = ledger(moves)
        seen = found.load(STREAM)
        results: list[float] = []
        for amount in (100, 50):
            try:
                results.append(float(found.append(STREAM, account.withdraw(seen.state, amount), time_s=5.0,
                                                  expected_version=seen.version)))
            except VersionConflict:
                results.append(0.0)
        return {"version after the first": results[0], "version after the second, 0 for a conflict": results[1],
                "balance": balance(found.load(STREAM).state)}

    exact = {"version after the first": float(len(moves) + 2), "version after the second, 0 for a conflict": 0.0,
             "balance": float(sum(moves) - 100)}
    return (exactly("event store", sample, exact, {}, f"both append with expected version {len(moves) + 1}"),)


MOVES = [200, -50, 350]
CASES = (
    Case("H08", folded(MOVES)),
    Case("H09", temporal(MOVES, [0, 1, 2, 2.5, 3, 4, 9])),
    Case("H11", snapshots(10_050, 100)),
    Case("H12", concurrent(MOVES)),
)
