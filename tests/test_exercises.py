"""The checks of the exercises, the counts side by side and the curve of t-visibility."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ipywidgets", reason="the lab needs the extra edasim[lab]")

from edasim import lab
from edasim.charts.timeline import lag, lag_age
from edasim.charts.visibility import visibility
from edasim.lab.counting import WORDS, Mails, counts, history, mails
from edasim.lab.exercises import (
    Verdict,
    changed,
    fresh_again,
    one_worker_where_it_helps,
    only_who_paid_gets_a_mail,
    read_again,
    shortest_patience,
    storm_calmed,
)
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.compare import compare


def shop(**values: object) -> Scenario:
    """A short run of the shop, quiet."""
    return load("payment-outage").change({"faults": None, "duration": "12s", "warm-up": "2s", **values})


def mailing(handles: object) -> tuple[Scenario, Scenario]:
    """The shop whose payment says what became of it, and the same with notification listening to other events."""
    before = shop(**{"services.payment.publishes": {"PaymentCaptured": "90%", "PaymentFailed": "10%"},
                     "services.payment.poison": "0%", "services.payment.fails": "0%"})
    return before, before.change({"services.notification.handles": handles})


# --- exercises --------------------------------------------------------------------------------------------------


def test_a_verdict_says_the_same_as_text_and_as_a_page() -> None:
    verdict = Verdict(False, "a < b")
    assert str(verdict) == repr(verdict) == "Not yet: a < b"
    assert "<b>Not yet.</b> A &lt; b" in verdict._repr_html_()
    assert str(Verdict(True, "x")) == "Made it: x"


def test_what_was_changed_is_named_by_path_and_sliders_do_not_count() -> None:
    before = shop()
    after = before.change({"services.payment.workers": 5, "architectures.kafka.topic.partitions": 3,
                           "title": "Mine", "knobs": {"client.timeout": "1s .. 2s"}})
    assert set(changed(before, after)) == {"services.payment.workers", "architectures.kafka.topic.partitions"}
    assert changed(before, before) == ()


@pytest.mark.parametrize(
    ("handles", "words"),
    [("OrderPlaced", "did not pay"), ("PaymentFailed", "paid and got no mail"),
     (["OrderPlaced", "PaymentCaptured"], "more than one mail"), ("PaymentCaptured", "")],
)
def test_only_the_event_of_the_payment_brings_the_right_mails(handles: object, words: str) -> None:
    verdict = only_who_paid_gets_a_mail(*mailing(handles))
    assert verdict.made_it == (not words)
    assert words in verdict.text


def test_mails_are_counted_per_customer() -> None:
    before, both = mailing(["OrderPlaced", "PaymentCaptured"])
    plain, twice = (mails(simulate(scenario, "kafka", 7)) for scenario in (before, both))
    placed = simulate(before, "kafka", 7).summary().outcomes["placed"]
    assert plain.unpaid > 0 == plain.missing == plain.repeated
    assert twice == Mails(plain.unpaid, 0, placed - plain.unpaid)


@pytest.mark.parametrize(
    ("check", "change", "kept"),
    [(only_who_paid_gets_a_mail, {"services.payment.workers": 4}, "services.notification.handles"),
     (one_worker_where_it_helps, {"producers.checkout.arrivals": "10/s"}, "services.payment.workers"),
     (storm_calmed, {"services.payment.workers": 20}, "architectures.rpc"),
     (fresh_again, {"client.timeout": "1s"}, "services.payment.workers"),
     (read_again, {"services.payment.workers": 6}, "architectures.kafka.consumer")],
)
def test_a_shortcut_past_the_exercise_is_not_made_it(check: object, change: dict, kept: str) -> None:
    before = shop()
    verdict = check(before, before.change(change))  # type: ignore[operator]
    assert not verdict.made_it
    assert next(iter(change)) in verdict.text and kept in verdict.text


def test_one_worker_is_one_worker() -> None:
    busy = load("payment-outage").change({"faults": None, "producers.checkout.arrivals": "75/s"})
    many = one_worker_where_it_helps(busy, busy.change({"services.notification.workers": 6}))
    assert not many.made_it and "4 workers" in many.text
    wrong = one_worker_where_it_helps(busy, busy.change({"services.payment.workers": 4}))
    assert not wrong.made_it and "notification 94%" in wrong.text
    assert one_worker_where_it_helps(busy, busy.change({"services.notification.workers": 3})).made_it


def storming() -> Scenario:
    """The storm of notebook 04."""
    return load("payment-outage").change({"faults.outage.for": "2s", "architectures.rpc.timeout": "500ms"})


@pytest.mark.parametrize(
    ("change", "made"),
    [({}, False), ({"retry.attempts": 1}, False), ({"retry.backoff": "none"}, False), ({"retry.jitter": "none"}, False),
     ({"architectures.rpc.cancels": True}, True), ({"architectures.rpc.timeout": "2s"}, True)],
)
def test_only_less_work_in_vain_calms_the_storm(change: dict, made: bool) -> None:
    assert storm_calmed(storming(), storming().change(change)).made_it is made


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "how many orders wait"), ({"services.payment.workers": 5}, "some of them read 2"),
     ({"services.payment.workers": 7, "architectures.kafka.topic.partitions": 3}, "have no partition"),
     ({"services.payment.workers": 6}, "")],
)
def test_fresh_again_says_where_to_look(change: dict, words: str) -> None:
    busy = load("payment-outage").change({"producers.checkout.arrivals": "75/s"})
    verdict = fresh_again(busy, busy.change(change))
    assert verdict.made_it == (not words)
    assert words in verdict.text


def crashing(**consumer: object) -> Scenario:
    """One of payment's workers dies, and another comes after two seconds."""
    dies = {"crash": "payment", "workers": 1, "at": "3.1s", "for": "2s"}
    dotted = {name.replace("_", "."): value for name, value in consumer.items()}
    return shop(**{"duration": "8s", "faults.crash": dies, "architectures.kafka.consumer": dotted})


@pytest.mark.parametrize(
    ("consumer", "made"),
    [({}, False), ({"heartbeat_interval_ms": 1000}, False), ({"session_timeout_ms": 30000}, False),
     ({"partition_assignment_strategy": ["cooperative-sticky"]}, False), ({"session_timeout_ms": 10000}, True),
     ({"session_timeout_ms": 6000, "partition_assignment_strategy": ["cooperative-sticky"]}, True)],
)
def test_only_a_shorter_session_brings_a_reader_back_in_time(consumer: dict, made: bool) -> None:
    verdict = read_again(crashing(), crashing(**consumer))
    assert verdict.made_it is made
    assert "partition-seconds" in verdict.text
    assert made or "heartbeat" in verdict.text


# --- counts -----------------------------------------------------------------------------------------------------


def test_every_word_has_a_number_in_every_architecture() -> None:
    study = compare(shop(), ["monolith", "kafka"], 2, 7)
    table = counts({"all": study}, *WORDS)
    assert table.heads[2:] == tuple(WORDS)
    assert [row[:2] for row in table.rows] == [("all", "monolith"), ("all", "Kafka")]
    assert not any("never" in cell or cell == "–" for row in table.rows for cell in row)
    assert "over 2 replications" in table.note


def test_counts_agree_with_the_comparison_and_with_the_service_asked_for() -> None:
    run = simulate(shop(), "kafka", 7)
    summary = run.summary()
    table = counts({"one": run}, "orders placed", "effects made twice", service="payment")
    assert table.rows == (("one", "Kafka", str(summary.outcomes["placed"]), "0"),)
    assert table.heads[-1] == "effects made twice, payment"
    assert "one run" in table.note
    study = compare(shop(), ["monolith", "kafka"], 1, 7)
    assert [row[1] for row in counts({"": study}, "done", only="kafka").rows] == ["Kafka"]


def test_a_word_that_nobody_knows_is_a_sentence_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r'"happy customers" is not counted here: choose from orders placed'):
        counts({"one": simulate(shop(), "kafka", 7)}, "happy customers")


def test_what_is_counted_for_one_service_asks_for_it() -> None:
    run = simulate(shop(), "kafka", 7)
    payment = run.summary().services["payment"]
    table = counts({"": run}, "waiting at most", "workers at work", "lag at most", service="payment")
    assert table.rows[0][2:] == (f"{payment.backlog_max:.0f}", f"{payment.utilisation:.0%}", f"{payment.lag_max:.0f}")
    assert table.heads[2] == "waiting at most, payment"
    with pytest.raises(ValueError, match=r'"waiting at most" is counted for one service: add service='):
        counts({"": run}, "waiting at most")


def test_several_charts_stand_under_each_other_in_one_picture() -> None:
    run = simulate(shop(), "kafka", 7)
    one, two = lab.drawn(lag, run), lab.drawn([lag, lag_age], run, service="payment")
    assert (len(one.axes), len(two.axes)) == (1, 2)
    assert two.get_size_inches()[1] > one.get_size_inches()[1]
    assert [ax.get_ylabel() for ax in two.axes] == ["messages not settled (lag)", "oldest message not settled (s)"]
    assert all("ayment lags" in ax.get_title(loc="left") for ax in two.axes)


def test_labels_are_text_and_not_markup() -> None:
    page = counts({"<b>one</b>": simulate(shop(), "kafka", 7)}, "done")._repr_html_()
    assert "&lt;b&gt;one&lt;/b&gt;" in page and "<b>one" not in page


def test_history_tells_what_a_late_service_has_handled() -> None:
    late = {"handles": "OrderPlaced", "work": "1ms", "joins": "6s", "required": False}
    run = simulate(shop(**{"services.analytics": late}), "rabbitmq", 7)
    orders = run.summary().orders
    before = int((orders.counted & (orders.placed_s < 6)).sum())
    since = int((orders.placed_s >= 6).sum())
    assert history({"queue": run}, "analytics").rows == (
        ("queue", "RabbitMQ", str(before), "0", str(since), str(since)),)


def test_the_lab_finds_its_names() -> None:
    assert lab.counts is counts
    assert lab.exercises.fresh_again is fresh_again
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = lab.nothing_here


# --- the curve --------------------------------------------------------------------------------------------------


def test_the_curve_of_t_visibility_is_the_share_that_is_visible() -> None:
    study = compare(shop(), ["monolith", "kafka"], 1, 7)
    figure = lab.drawn(visibility, study, service="payment")
    ax, = figure.axes
    monolith, kafka = (line for line in ax.get_lines() if len(line.get_xdata()) > 2)
    assert set(monolith.get_ydata()) == {100.0}
    delays, shares = kafka.get_xdata(), kafka.get_ydata()
    assert np.all(np.diff(shares) >= 0)
    assert shares[200] == pytest.approx(100 * study.runs["kafka"].summary().t_visibility("payment", delays[200:201])[0])
    assert "one second after the yes" in ax.get_title(loc="left").lower() + ax.get_title().lower()


@pytest.mark.parametrize(
    ("change", "made", "words"),
    [
        ({"client.timeout": "6s"}, False, "how long does the first one wait"),
        ({"client.timeout": "14s"}, False, "with a second less"),
        ({"client.timeout": "9500ms"}, False, "whole seconds"),
        ({"client.timeout": "10s"}, True, "a second less would not do"),
        ({"client.timeout": "10s", "faults": None}, False, "leave that as it was"),
    ],
)
def test_the_shortest_patience_is_found_and_not_passed(change: dict, made: bool, words: str) -> None:
    shop = load("payment-outage")
    found = shortest_patience(shop, shop.change(change))
    assert found.made_it is made
    assert words in found.text
