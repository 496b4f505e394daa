"""`edasim validate`: its rules, its exit codes, its page, and that it notices a broken engine."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edasim.cli import main
from edasim.measure.steps import Steps
from edasim.services.retry import RetryPolicy
from edasim.study.executors import Serial
from edasim.study.precision import student_t
from edasim.study.validate import case as case_module
from edasim.study.validate import page, running, scores
from edasim.study.validate.case import Case, Experiment, Percentile, Quantity, Trial, histogram, pseudo_values, quotient
from edasim.study.validate.cases import cases
from edasim.study.validate.laws import laws
from edasim.study.validate.rules import (
    BROKEN,
    HOLDS,
    IMPRECISE,
    Absolute,
    Between,
    Estimate,
    Exact,
    Meets,
    Relative,
    Statistical,
    as_normal,
    limit,
)
from edasim.study.validate.running import Row

# --- the laws and their cases ----------------------------------------------------------------------------------------


def test_every_law_has_a_case_but_the_one_about_all_the_others() -> None:
    assert len(laws()) == 67
    assert [law.id for law in running.laws_without_case()] == ["J03"]


@pytest.mark.parametrize("law", [law for law in laws() if law != "J03"])
def test_every_published_figure_is_asked_for_and_agrees_with_its_formula(law: str) -> None:
    published = laws()[law].figures()
    asked = {quantity.published: quantity.exact for trial in cases()[law].trials for quantity in trial.quantities}
    missing = set(published) - set(asked) - {f"k.{place}" for place in range(5)}
    assert missing == set()
    for name, exact in asked.items():
        if name:
            # Printed to six digits; F07's own formula is an approximation, which may be off by a hundred-thousandth.
            allowed = 3e-5 if law == "F07" else 6e-6
            assert exact == pytest.approx(published[name], rel=allowed, abs=1e-12), name


def test_the_minutes_that_a_law_writes_in_words_are_those_of_the_formula() -> None:
    for name, words in laws()["C05"].expected.items():
        (exact, *_) = {q.exact for trial in cases()["C05"].trials for q in trial.quantities if q.name == name}
        assert words == f"{exact:.1f} min", name


def test_a_full_run_forgives_no_simulated_figure_its_own_error() -> None:
    trial, *_ = cases()["H02"].trials
    for name in ("P(consistent,t=0)", "t99.9_ms_reproduced"):
        quantity = next(one for one in trial.quantities if one.name == name)
        off = Estimate(quantity.exact * 1.06, quantity.exact * 0.05, 29)
        assert quantity.rule.judge(off, quantity.exact, by_z_alone=False) == BROKEN
        assert quantity.rule.judge(off, quantity.exact, by_z_alone=True) == HOLDS


def test_a_monolith_is_judged_on_the_breakdowns_of_the_broker_beside_it() -> None:
    for trial in cases()["C04"].trials:
        assert {"accepted", "monolith"} <= set(trial.replication(5, 20))


def test_the_standard_error_that_a_law_allows_is_the_one_that_is_asked_for() -> None:
    for law, one in cases().items():
        for trial in one.trials:
            for quantity in trial.quantities:
                if isinstance(quantity.rule, Statistical) and quantity.rule.largest_error is not None:
                    assert quantity.rule.largest_error == laws()[law].largest_error, (law, quantity.name)
                if laws()[law].statistical and quantity.published and not trial.also and law != "F04":
                    assert isinstance(quantity.rule, Statistical | Exact), (law, quantity.name)


def test_a_full_statistical_figure_has_thirty_replications() -> None:
    for law, one in cases().items():
        for trial in one.trials:
            judged = [quantity.rule for quantity in trial.quantities if isinstance(quantity.rule, Statistical)]
            if any(rule.largest_error is not None for rule in judged):
                assert trial.replications == 30, law


# --- rules -----------------------------------------------------------------------------------------------------------

SURE = Estimate(10.0, 0.01, 29)


@pytest.mark.parametrize("rule, estimate, exact, by_z_alone, verdict", [
    (Statistical(0.01), SURE, 10.04, False, HOLDS), (Statistical(0.01), SURE, 10.05, False, BROKEN),
    (Statistical(0.01), Estimate(10.0, 0.2, 29), 10.5, False, IMPRECISE),
    (Statistical(0.01), Estimate(10.0, 0.2, 29), 10.5, True, HOLDS),
    (Statistical(0.01), Estimate(10.0, 0.2, 29), 11.5, True, BROKEN),
    (Statistical(), Estimate(math.nan, math.nan, 29), 1.0, True, BROKEN),
    (Statistical(0.01), Estimate(5.0, 0.0, 29), 5.0, False, HOLDS),
    (Statistical(0.01), Estimate(5.1, 0.0, 29), 5.0, True, BROKEN),
    (Absolute(0.5), Estimate(10.5), 10.0, False, HOLDS), (Absolute(0.5), Estimate(10.51), 10.0, False, BROKEN),
    (Absolute(0.5), Estimate(10.9, 0.2, 29), 10.0, True, HOLDS),
    (Absolute(0.5), Estimate(10.9, 0.2, 29), 10.0, False, BROKEN),
    (Relative(0.01), Estimate(101.0), 100.0, False, HOLDS), (Relative(0.01), Estimate(101.1), 100.0, False, BROKEN),
    (Relative(0.01), Estimate(101.1, 0.1, 29), 100.0, True, HOLDS),
    (Relative(0.01), Estimate(math.nan), 1.0, True, BROKEN),
    (Exact(), Estimate(0.1 + 0.2), 0.3, False, HOLDS), (Exact(), Estimate(0.3000001), 0.3, True, BROKEN),
    (Exact(), Estimate(1.0, 0.1, 9), 1.0, True, BROKEN),
    (Between(1, 2), Estimate(1.5), 1.0, False, HOLDS), (Between(1, 2), Estimate(2.0), 2.0, False, BROKEN),
    (Meets(lambda one: one.value > 3, "above 3"), Estimate(4.0), 3.0, False, HOLDS),
    (Meets(lambda one: one.value > 3, "above 3"), Estimate(3.0), 3.0, False, BROKEN),
])
def test_a_rule_judges_as_its_law_has_it(
        rule: Statistical, estimate: Estimate, exact: float, by_z_alone: bool, verdict: str) -> None:
    assert rule.judge(estimate, exact, by_z_alone) == verdict
    assert rule.words()


def test_the_limit_of_thirty_replications_is_that_of_the_laws() -> None:
    assert limit(29) == pytest.approx(4.67, abs=0.005)
    assert as_normal(limit(29), 29) == pytest.approx(4.0, abs=1e-6)
    assert as_normal(-student_t(0.975, 5), 5) == pytest.approx(-1.959964, abs=1e-5)


def test_what_is_rare_is_compared_by_its_logarithm() -> None:
    rare = Estimate(0.02, 0.004, 29)
    assert rare.score(0.01, by_ratio=True) == pytest.approx(math.log(2) * 5)
    assert rare.score(0.01) == pytest.approx(2.5)


# --- estimates -------------------------------------------------------------------------------------------------------


def test_a_mean_has_the_usual_standard_error() -> None:
    values = [1.0, 2.0, 4.0, 7.0]
    found = Quantity("x", 3.0, Exact()).estimate([{"x": value} for value in values])
    assert found.value == pytest.approx(3.5)
    assert found.error == pytest.approx(np.std(values, ddof=1) / 2)
    assert found.freedom == 3


def test_the_jackknife_takes_most_of_the_bias_out_of_a_quotient() -> None:
    generator = np.random.default_rng(1)
    plain, better = [], []
    for _ in range(1000):
        below = generator.exponential(size=8) + 0.5
        found = [{"above": 1.0, "below": one} for one in below]
        plain.append(1 / below.mean())
        better.append(pseudo_values(quotient("above", "below"), found).mean())
    exact = 1 / 1.5
    assert np.mean(plain) - exact > 0.02
    assert abs(np.mean(better) - exact) < 0.01


def test_a_percentile_and_its_error_are_those_of_the_pooled_sample() -> None:
    generator = np.random.default_rng(2)
    found = []
    for _ in range(200):
        replications = [{"x": histogram(generator.exponential(0.01, 800))} for _ in range(30)]
        found.append(Percentile("x", 0.99, 1000.0).estimate(replications))
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(46.0517, abs=4 * values.std() / math.sqrt(200))
    assert np.mean([one.error for one in found]) == pytest.approx(values.std(ddof=1), rel=0.15)


def test_a_control_takes_out_the_luck_whose_mean_is_known() -> None:
    generator = np.random.default_rng(3)
    luck = generator.normal(size=30)
    found = [{"x": 5 + 2 * one + 0.01 * other, "luck": one}
             for one, other in zip(luck, generator.normal(size=30), strict=True)]
    plain, controlled = (Quantity("x", 5.0, Exact(), None, "", control).estimate(found)
                         for control in (None, (lambda means: float(means["luck"]), 0.0)))
    assert controlled.error < plain.error / 20
    assert controlled.value == pytest.approx(5.0, abs=0.02)


def test_a_large_replication_is_several_runs_and_their_mean() -> None:
    seen: list[tuple[int, int]] = []

    def sample(seed: int, size: int) -> dict[str, float]:
        seen.append((seed, size))
        return {"x": float(size + len(seen))}

    trial = Trial("here", sample, (), 10, 10, most_at_once=4)
    assert trial.replication(7, 10) == {"x": (5 + 6 + 7) / 3}
    assert [size for _, size in seen] == [4, 4, 4]
    assert len({seed for seed, _ in seen}) == 3


# --- running ---------------------------------------------------------------------------------------------------------


def few(*laws_wanted: str, seed: int = 1, quick: bool = True) -> list[running.Row]:
    return running.run(running.chosen(list(laws_wanted)), seed, quick, Serial())


def small(law: str) -> dict[str, Case]:
    """The first trial of a case, at a size that is far too small for a full one."""
    return {law: Case(law, tuple(replace(trial, full=20, quick=20) for trial in cases()[law].trials[:1]))}


def test_cheap_laws_hold_at_quick_size() -> None:
    rows = few("C05", "C07", "D07", "D13", "F05", "F11", "F12", "H08", "H09", "H11", "H12", "J05")
    assert [row for row in rows if row.verdict != HOLDS] == []
    assert running.exit_code(rows) == 0
    assert len({row.law for row in rows}) == 12


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    once, again, other = (running.run(small("B06"), seed, True, Serial()) for seed in (1, 1, 2))
    assert once == again
    assert once[0].estimate != other[0].estimate


def test_a_broken_engine_breaks_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_too_many(policy: RetryPolicy, attempts_made: int) -> bool:
        return policy.spec.attempts is None or attempts_made <= policy.spec.attempts

    monkeypatch.setattr(RetryPolicy, "allows", one_too_many)
    rows = few("D13", "D07")
    assert running.exit_code(rows) == 1
    assert {row.law for row in rows if row.verdict == BROKEN} == {"D13", "D07"}


def test_a_mean_by_samples_instead_of_time_breaks_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Steps, "mean", lambda steps, start_s, end_s: float(steps.values_within(start_s, end_s).mean()))
    rows = few("F15")
    assert any(row.verdict == BROKEN and row.name.startswith("utilisation") for row in rows)


def test_too_few_orders_at_full_size_are_not_precise_enough() -> None:
    rows = running.run(small("B06"), 1, False, Serial())
    assert [row.verdict for row in rows] == [IMPRECISE]
    assert running.exit_code(rows) == 2
    assert "not precise enough: B06" in page.counted(rows)


@pytest.mark.parametrize("law", sorted(cases()))
def test_the_page_can_say_of_every_law_how_it_was_tried(law: str) -> None:
    row = Row(law, "somewhere", "something", 1.0, Estimate(1.0, 0.0, 29), 0.0, HOLDS, "exactly", 30, 1, False, "")
    written = page.as_page([row], cases(), 1, quick=True)
    for trial in cases()[law].trials:
        if not isinstance(trial.sample, Experiment):
            assert f"{trial.where}: script `edasim.study.validate." in written


# --- the command -----------------------------------------------------------------------------------------------------


def test_only_and_json_and_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["validate", "--quick", "--only", "H08,C05", "--only", "J05", "--json", "--out", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert list(told["laws"]) == ["C05", "H08", "J05"]
    assert told["laws"]["H08"]["rows"][0] == {
        "where": "event store", "quantity": "balance", "exact": 500.0, "estimate": 500.0, "standard_error": None,
        "z": None, "verdict": "holds", "rule": "exactly", "replications": 1, "size": 1, "also": False}
    assert json.loads((tmp_path / "validation.json").read_text()) == told
    written = (tmp_path / "validation.md").read_text()
    assert "3 of 3 laws hold" in written
    assert "batches of 100 at constant 1/s" in written
    assert "Source: Hyndman & Fan 1996" in written


def test_the_table_says_case_exact_estimate_error_z_and_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--quick", "--only", "C07"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["where", "quantity", "exact", "estimate", "std", "error", "z", "verdict"]
    assert lines[2] == "C07  Latency/throughput of a 3-step pipeline"
    assert lines[3].split() == ["all", "four", "monolith_max_per_s", "16.6667", "16.6667", "–", "–", "holds"]


def test_a_law_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--only", "Z99"]) == 2
    assert '"Z99" is no law: choose from A01, A02' in capsys.readouterr().err


def test_a_broken_law_is_exit_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(case_module, "simulate", lambda *_: pytest.fail("the script needs no run"))
    monkeypatch.setattr(RetryPolicy, "allows", lambda policy, made: made < 3)
    assert main(["validate", "--quick", "--only", "H12"]) == 0
    monkeypatch.undo()
    monkeypatch.setattr(RetryPolicy, "allows", lambda policy, made: made < 3)
    assert main(["validate", "--quick", "--only", "D13"]) == 1
    assert "broken: D13" in capsys.readouterr().out


# --- scores ----------------------------------------------------------------------------------------------------------


def scored(values: list[float]) -> dict[str, str]:
    found = scores.Scores(tuple(values), tuple(values))
    return {row.name: row.verdict for row in scores.judged(found, 20)}


def test_honest_scores_pass_and_others_do_not() -> None:
    generator = np.random.default_rng(4)
    honest = generator.normal(size=600)
    assert set(scored(honest.tolist()).values()) == {HOLDS}
    assert scored((honest + 0.3).tolist())["mean z"] == BROKEN
    assert scored((1.4 * honest).tolist())["standard deviation of z"] == BROKEN
    assert scored([*honest.tolist(), 4.6])["largest |z|"] == BROKEN
    assert scored(np.sign(honest).tolist())["Kolmogorov-Smirnov p"] == BROKEN
    assert scored(honest[:10].tolist()) == {}


def test_the_distribution_of_kolmogorov_and_smirnov_is_that_of_the_tables() -> None:
    """Among so many tests of normal samples a twentieth has a p below 5%, give or take four standard deviations."""
    generator = np.random.default_rng(5)
    chances = [scores.kolmogorov_smirnov(generator.normal(size=40).tolist()) for _ in range(1000)]
    assert abs(np.mean(np.array(chances) < 0.05) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 1000)


def test_only_statistical_laws_are_scored() -> None:
    rows = running.run(small("B06"), 1, True, Serial()) + few("J05", "C05")
    found = scores.Scores.of(rows)
    assert len(rows) > 5
    assert len(found.every) == len(found.one_each) == 1
