"""The journal: what was recorded is what is read, in its order, and the books are held against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.core.clock import Clock
from edasim.core.conservation import Conservation, ConservationError, Counts
from edasim.core.journal import Journal, Place, Verb
from edasim.simulate import simulate
from tests.worlds import ARCHITECTURES, shop

PLACES = [Place("queue", "payment", "payment"), Place("worker", "payment-1", "payment"), Place("client", "customers")]
FACTS = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(list(Verb)), st.integers(0, 2**38 - 1),
                           st.sampled_from(PLACES)), max_size=30)


@given(facts=FACTS)
def test_what_was_recorded_is_read_in_its_order(facts: list[tuple[int, Verb, int, Place]]) -> None:
    clock = Clock()
    journal = Journal(clock)
    now, written = 0, []
    for wait, verb, number, place in facts:
        clock.advance(now := now + wait)
        journal.record(verb, number, place)
        written.append((now / 1e9, verb.name.replace("_", "-"), number, place))
    assert [(fact.time_s, fact.verb, fact.number, fact.place) for fact in journal] == written
    assert len(journal) == len(journal.facts()) == len(written)


def test_a_journal_may_grow_while_its_facts_are_looked_at() -> None:
    journal = Journal(Clock())
    record = journal.writer(Verb.placed, PLACES[2])
    record(1)
    seen = journal.facts()
    record(2)
    assert (seen.numbers.tolist(), journal.facts(start=1).numbers.tolist()) == ([1], [2])


def test_a_place_is_one_place_however_often_it_is_named() -> None:
    journal = Journal(Clock())
    journal.record(Verb.placed, 1, Place("client", "customers"))
    journal.record(Verb.accepted, 1, Place("client", "customers"))
    assert journal.places == [Place("client", "customers")]


def test_an_empty_journal_has_no_facts() -> None:
    journal = Journal(Clock())
    assert (len(journal.facts()), list(journal)) == (0, [])


@given(facts=FACTS)
def test_counts_kept_up_step_by_step_are_those_of_the_whole(facts: list[tuple[int, Verb, int, Place]]) -> None:
    journal = Journal(Clock())
    counts = Counts(journal)
    for _, verb, number, place in facts:
        journal.record(verb, number, place)
        if number % 3 == 0:
            counts.update()
    counts.update()
    for verb in Verb:
        assert counts.total(verb) == sum(fact[1] == verb for fact in facts)
        for place in PLACES:
            assert counts.of(verb, place) == sum((fact[1], fact[3]) == (verb, place) for fact in facts)


def test_conservation_says_when_and_what() -> None:
    class Till:
        def imbalance(self, counts: Counts) -> str:
            return "" if counts.total(Verb.placed) == 0 else "till: 1 coin too many"

    clock = Clock()
    journal = Journal(clock)
    conservation = Conservation(journal, lambda: clock.now_ns / 1e9)
    conservation.accounts.append(Till())
    conservation.check()
    clock.advance(2_500_000_000)
    journal.record(Verb.placed, 1, PLACES[2])
    with pytest.raises(ConservationError, match=r"at 2\.500000 s: till: 1 coin too many"):
        conservation.check()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_time_never_goes_back_in_a_run(architecture: str) -> None:
    run = simulate(shop(wire="default", services={"payment": {
        "handles": "OrderPlaced", "work": "exponential 30ms", "fails": "20%"}}), architecture)
    times = run.facts.times_ns
    assert len(times) > 100 and (times[1:] >= times[:-1]).all()
    assert run.checks >= 20


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_message_is_handled_more_often_than_it_was_started(architecture: str) -> None:
    run = simulate(shop(faults={"crash": {"crash": "payment", "at": "1s", "for": "200ms"}}), architecture)
    numbers = {verb: run.facts.only(run.facts.verbs == verb).numbers.tolist() for verb in Verb}
    for message in run.messages:
        ended = sum(numbers[verb].count(message.id) for verb in (Verb.handled, Verb.failed, Verb.crashed))
        assert ended == numbers[Verb.started].count(message.id)
        assert numbers[Verb.applied].count(message.id) <= numbers[Verb.handled].count(message.id)
