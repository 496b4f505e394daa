"""Event sourcing: a state is the fold of its events.  Laws H08, H09, H11, H12."""

from __future__ import annotations

from itertools import accumulate

import pytest

from edasim.sourcing import Event, EventStore, Repository, VersionConflict, account, fold

Bank = Repository["account.Account | None"]


def bank(snapshot_every: int | None = None) -> Bank:
    return Repository(EventStore(), account.handle, None, snapshot_every)


def ledger(moves: list[int], snapshot_every: int | None = None) -> Bank:
    """An account opened at 1 s, then a deposit or a withdrawal each second."""
    found = bank(snapshot_every)
    found.append("account-1", account.open_account(None, "Ada"), time_s=1.0, expected_version=0)
    for number, amount in enumerate(moves, start=1):
        event = Event(account.DEPOSITED if amount > 0 else account.WITHDRAWN, {"amount": abs(amount)})
        found.append("account-1", [event], time_s=1.0 + number, expected_version=number)
    return found


def balance(found: Bank, **when: float) -> int | None:
    state = found.load("account-1", **when).state
    return None if state is None else state.balance


@pytest.mark.parametrize("moves", [[200, -50, 350], [1000, -999, -1], [5, 5, 5, -10, 3]])
def test_the_balance_is_the_fold_of_the_events(moves: list[int]) -> None:
    found = ledger(moves)
    assert balance(found) == sum(moves)
    assert found.load("account-1").version == len(moves) + 1
    again = [fold(account.handle, None, found.store.read("account-1")) for _ in range(2)]
    assert again[0] == again[1] == account.Account("Ada", sum(moves))
    if moves == [200, -50, 350]:
        assert (balance(found), found.store.version("account-1")) == (500, 4)


@pytest.mark.parametrize("every", [None, 1, 2, 3, 100])
def test_the_balance_at_any_moment(every: int | None) -> None:
    found = ledger([200, -50, 350], every)
    assert [balance(found, at_s=time) for time in (0, 1, 2, 2.5, 3, 4, 9)] == [None, 0, 200, 200, 150, 500, 500]
    assert [balance(found, version=version) for version in range(6)] == [None, 0, 200, 150, 500, 500]
    assert balance(found, version=2, at_s=9.0) == balance(found, version=4, at_s=2.9) == 200


@pytest.mark.parametrize("events, every", [(10_050, 100), (1000, 7), (999, 1000), (300, 100), (64, 1)])
def test_snapshots_leave_the_rest_of_a_division_to_replay(events: int, every: int) -> None:
    moves = [number % 13 + 1 for number in range(events - 1)]
    found = ledger(moves, every)
    loaded = found.load("account-1")
    assert (loaded.version, loaded.replayed) == (events, events % every)
    assert found.snapshots("account-1") == events // every
    whole = Repository(found.store, account.handle, None).load("account-1")
    assert (whole.state, whole.replayed) == (loaded.state, events)
    balances = [None, *accumulate([0, *moves])]
    for version in {0, 1, every, every + 1, events // 2, events}:
        if version <= events:
            past = found.load("account-1", version=version)
            assert (None if past.state is None else past.state.balance) == balances[version]
            assert past.replayed == version % every


def test_of_two_writers_who_expect_the_same_version_one_has_to_decide_anew() -> None:
    found = ledger([200, -50, 350])
    seen = found.load("account-1")
    assert seen.version == 4
    results: list[object] = []
    for amount in (100, 450):
        try:
            results.append(found.append("account-1", account.withdraw(seen.state, amount), time_s=5.0,
                                        expected_version=seen.version))
        except VersionConflict as conflict:
            results.append(str(conflict))
    assert results == [5, "account-1 is at version 5, not 4: read it again and decide anew"]
    now = found.load("account-1")
    with pytest.raises(account.Refused, match="450 cannot be withdrawn: the balance is 400"):
        account.withdraw(now.state, 450)
