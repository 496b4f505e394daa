"""The event store, folds with snapshots, and the account."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.sourcing import Event, EventStore, Recorded, Repository, VersionConflict, account

ONE, TWO = Event("Moved", {"by": 1}), Event("Moved", {"by": 2})


def filled() -> EventStore:
    """Two streams whose events alternate."""
    store = EventStore()
    store.append("a", [ONE], time_s=1.0)
    store.append("b", [ONE, TWO], time_s=1.0)
    store.append("a", [TWO], time_s=2.5)
    return store


def test_versions_count_within_a_stream_and_positions_over_all() -> None:
    store = filled()
    found = [(event.position, event.stream, event.version, event.data["by"]) for event in store.read_all()]
    assert found == [(1, "a", 1, 1), (2, "b", 1, 1), (3, "b", 2, 2), (4, "a", 2, 2)]
    assert (len(store), store.streams, store.version("a"), store.version("c")) == (4, ["a", "b"], 2, 0)
    assert [event.position for event in store.read("a")] == [1, 4]
    assert [event.position for event in store.read("b", after_version=1)] == [3]
    assert [event.position for event in store.read("b", up_to_version=1)] == [2]
    assert [event.position for event in store.read_all(after_position=2)] == [3, 4]
    assert list(store.read("c")) == []


def test_a_stream_was_at_a_version_at_a_time() -> None:
    store = filled()
    assert [store.version_at("a", time) for time in (0.9, 1.0, 2.4, 2.5, 99.0)] == [0, 1, 1, 2, 2]
    assert store.version_at("c", 1.0) == 0


def test_who_expects_another_version_appends_nothing() -> None:
    store = filled()
    for stream, expected, found in (("a", 1, 2), ("a", 3, 2), ("a", 0, 2), ("c", 1, 0)):
        with pytest.raises(VersionConflict) as conflict:
            store.append(stream, [ONE, TWO], time_s=3.0, expected_version=expected)
        assert (conflict.value.stream, conflict.value.expected, conflict.value.found) == (stream, expected, found)
    assert len(store) == 4
    assert store.streams == ["a", "b"]
    assert store.append("c", [ONE], time_s=3.0, expected_version=0) == 1
    assert store.append("a", [ONE, TWO], time_s=3.0, expected_version=2) == 4


def test_a_conflict_goes_to_another_process_and_back() -> None:
    conflict = pickle.loads(pickle.dumps(VersionConflict("a", 1, 2)))
    assert str(conflict) == "a is at version 2, not 1: read it again and decide anew"


def test_time_goes_forward_over_all_streams() -> None:
    store = filled()
    with pytest.raises(ValueError, match=r"2 s cannot follow the time of 2.5 s: time goes forward"):
        store.append("b", [ONE], time_s=2.0)
    for time_s in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cannot follow"):
            store.append("b", [ONE], time_s=time_s)
        with pytest.raises(ValueError, match="is needed"):
            EventStore().append("b", [ONE], time_s=time_s)
    assert len(store) == 4


def test_what_happened_cannot_be_changed() -> None:
    store = EventStore()
    data: dict[str, Any] = {"by": 1}
    store.append("a", [Event("Moved", data)], time_s=0.0)
    data["by"] = 5
    recorded = next(store.read("a"))
    assert recorded.data["by"] == 1
    with pytest.raises(TypeError):
        recorded.data["by"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        recorded.version = 2  # type: ignore[misc]


def test_an_append_of_nothing_makes_no_stream() -> None:
    store = EventStore()
    assert store.append("a", [], time_s=0.0) == 0
    assert store.streams == []


def test_events_that_fail_half_way_are_not_half_recorded() -> None:
    store = filled()

    def broken() -> Any:
        yield ONE
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        store.append("a", broken(), time_s=3.0)
    assert (store.version("a"), len(store)) == (2, 4)


def test_a_reader_of_all_sees_what_comes_meanwhile() -> None:
    store = filled()
    reader = store.read_all(after_position=3)
    assert next(reader).position == 4
    store.append("b", [ONE], time_s=3.0)
    assert next(reader).position == 5
    assert next(reader, None) is None


# --- folds and snapshots --------------------------------------------------------------------------------------------


def trail(state: tuple[int, ...], event: Recorded) -> tuple[int, ...]:
    """A state that shows which events made it, and in which order."""
    return (*state, event.data["by"])


@given(some.lists(some.tuples(some.sampled_from("ab"), some.lists(some.integers(0, 9), max_size=5)), max_size=30),
       some.integers(1, 7), some.integers(0, 40))
def test_snapshots_change_no_state(appends: list[tuple[str, list[int]]], every: int, version: int) -> None:
    store = EventStore()
    plain, quick = Repository(store, trail, ()), Repository(store, trail, (), snapshot_every=every)
    for time, (stream, numbers) in enumerate(appends):
        quick.append(stream, [Event("Moved", {"by": number}) for number in numbers], time_s=float(time))
    for stream in "ab":
        for when in ({}, {"version": version}, {"at_s": version / 2}):
            fast, slow = quick.load(stream, **when), plain.load(stream, **when)
            assert (fast.state, fast.version) == (slow.state, slow.version)
            assert (fast.replayed, slow.replayed) == (slow.version % every, slow.version)


def test_snapshots_are_taken_late_of_what_was_appended_past_the_repository() -> None:
    store = EventStore()
    found = Repository(store, trail, (), snapshot_every=3)
    store.append("a", [Event("Moved", {"by": number}) for number in range(10)], time_s=0.0)
    assert found.snapshots("a") == 0
    assert [found.load("a").replayed for _ in range(2)] == [10, 1]
    assert found.load("a", version=5).state == (0, 1, 2, 3, 4)


def test_another_way_to_handle_events_forgets_the_snapshots_of_the_first() -> None:
    found = Repository(filled(), trail, (), snapshot_every=1)
    assert found.load("a").state == (1, 2)
    found.handle = lambda state, event: (*state, -event.data["by"])
    assert found.load("a").state == (1, 2), "a snapshot stands for the events before it"
    found.forget()
    assert (found.load("a").state, found.load("a").replayed) == ((-1, -2), 0)


def test_a_snapshot_every_0_events_is_not_possible() -> None:
    with pytest.raises(ValueError, match="a snapshot every 0 events is not possible"):
        Repository(EventStore(), trail, (), snapshot_every=0)


# --- the account ----------------------------------------------------------------------------------------------------


def test_an_account_refuses_what_may_not_happen() -> None:
    ada = account.Account("Ada", 100)
    for attempt, why in (
        (lambda: account.open_account(ada, "Ada"), "open already"),
        (lambda: account.deposit(None, 5), "open it first"),
        (lambda: account.withdraw(None, 5), "open it first"),
        (lambda: account.correct(None, 5, "typo"), "open it first"),
        (lambda: account.withdraw(ada, 101), "the balance is 100"),
        (lambda: account.deposit(ada, 0), "0 is no amount"),
        (lambda: account.deposit(ada, -1), "-1 is no amount"),
        (lambda: account.deposit(ada, True), "True is no amount"),
        (lambda: account.withdraw(ada, 0.5), "0.5 is no amount"),  # type: ignore[arg-type]
    ):
        with pytest.raises(account.Refused, match=why):
            attempt()
    assert account.withdraw(ada, 100) == [Event(account.WITHDRAWN, {"amount": 100})]


def test_a_mistake_is_put_right_by_an_event_and_stays_to_be_seen() -> None:
    bank = Repository(EventStore(), account.handle, None)
    bank.append("ada", [*account.open_account(None, "Ada"), Event(account.DEPOSITED, {"amount": 1000})], time_s=1.0)
    bank.append("ada", account.correct(bank.load("ada").state, -900, "100 was meant"), time_s=2.0)
    assert bank.load("ada").state == account.Account("Ada", 100)
    assert bank.load("ada", at_s=1.5).state == account.Account("Ada", 1000)
    assert [event.type for event in bank.store.read("ada")] == [account.OPENED, account.DEPOSITED, account.CORRECTED]


def test_what_cannot_have_happened_is_no_part_of_a_fold() -> None:
    with pytest.raises(ValueError, match="MoneyDeposited cannot have happened to an account that is not open"):
        account.handle(None, Event(account.DEPOSITED, {"amount": 1}))
    for event in (Event(account.OPENED, {"owner": "Bob"}), Event("Moved")):
        with pytest.raises(ValueError, match=f"{event.type} cannot have happened to an account that is open"):
            account.handle(account.Account("Ada", 1), event)
