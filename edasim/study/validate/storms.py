"""Retries that make it worse, and what keeps them in bounds: layers, storms, breakers, budgets.  Laws D13 to D18."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edasim.core.journal import Verb
from edasim.core.world import World
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario
from edasim.services.retry import RetryPolicy
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Experiment, Numbers, Quantity, Trial, by_shop, mean_of, quotient
from edasim.study.validate.rules import Absolute, Estimate, Exact, Meets, Relative, Statistical
from edasim.study.validate.shops import Parts, shop, single_station

# --- D13: layers -----------------------------------------------------------------------------------------------------


def nested(layers: int, attempts: int) -> int:
    """How often the backend is called when each layer tries by the engine's policy and the backend is down."""
    policy = RetryPolicy(World(1), "layer", Retry.model_validate({"attempts": attempts, "backoff": "none"}))

    def call(above: int) -> int:
        if above == 0:
            return 1
        made = calls = 0
        while made == 0 or policy.allows(made):
            calls += call(above - 1)
            made += 1
        return calls

    return call(layers)


def layers(cases: dict[str, tuple[int, int]], both: tuple[int, int]) -> tuple[Trial, ...]:
    """attempts^layers: the policy within itself; and customers who try again above callers who do, in a shop."""

    def script(_seed: int, _size: int) -> Numbers:
        return {name: float(nested(*case)) for name, case in cases.items()}

    tries, attempts = both

    def build(_size: int) -> Scenario:
        client = {"timeout": "none", "retries": tries - 1}
        scenario = single_station("constant 10/s", "1ms", duration="2s", client=client,
                                  retry={"attempts": attempts, "backoff": "none"})
        return scenario.change({"services.payment.fails": "100%"})

    def read(run: Run) -> Numbers:
        return {"started": float(np.sum(run.facts.verbs == Verb.started)) / run.summary().outcomes["placed"]}

    exact = tuple(Quantity(name, float(attempts**count), Exact(), published=name)
                  for name, (count, attempts) in cases.items())
    lived = (Quantity(f"{tries} tries of customers x {attempts} of callers", float(tries * attempts), Exact(),
                      mean_of("started")),)
    said = "RetryPolicy.allows in so many loops, each within another"
    return (Trial("retry policy", script, exact, 1, 1, 1, said=said),
            *(Trial(name, Experiment(build, name, read), lived, 1, 1, 1) for name in ("rpc", "monolith")))


# --- D14: a storm ----------------------------------------------------------------------------------------------------

OUTAGE_S = (60, 70)


def storm(capacity: float, arrivals: float, client: Parts, duration_s: int) -> Scenario:
    """A database that takes one request after another; customers leave after 1 s and may come once more.

    It serves nothing during the outage while customers go on asking; all of that stands in its line at its end.
    """
    start_s, end_s = OUTAGE_S
    return single_station(
        f"constant {arrivals}/s", f"{round(1e9 / capacity)}ns", duration=f"{duration_s}s", drain="5s",
        client={"timeout": "1s", **client}, retry={"attempts": 1},
        faults={"outage": {"unavailable": "payment", "at": f"{start_s}s", "for": f"{end_s - start_s}s"}})


def recovery_s(run: Run) -> float:
    """How long after the outage the last order was placed whose customer left; infinite if some still did at the end.
    """
    facts, closed_s = run.facts, run.closed_ns / 1e9
    gone = (facts.verbs == Verb.refused) | (facts.verbs == Verb.retried)
    left = facts.times_ns[gone & (facts.times_ns <= run.closed_ns)]
    last_s = float(left.max()) / 1e9
    return math.inf if last_s > closed_s - 1 else last_s - 1 - OUTAGE_S[1]


def offered_per_s(run: Run) -> float:
    """Requests a second in the last 60 s, first tries and second ones."""
    facts = run.facts
    asked = (facts.verbs == Verb.placed) | ((facts.verbs == Verb.retried) & (facts.times_ns <= run.closed_ns))
    return float(np.sum(asked & (facts.times_ns > run.closed_ns - 60_000_000_000))) / 60


def goodput_per_s(run: Run) -> float:
    """Orders a second that were answered in time in the last 60 s."""
    facts = run.facts
    late = (facts.times_ns > run.closed_ns - 60_000_000_000) & (facts.times_ns <= run.closed_ns)
    return float(np.sum(late & (facts.verbs == Verb.accepted))) / 60


ONE_RETRY: Parts = {"retries": 1}
BUDGETED: Parts = {"retries": 1, "budget": {"earns": "10%", "cap": 10}}


def recovers(  # noqa: PLR0913 - the numbers of a storm, and what must come of it
        capacity: float, arrivals: float, client: Parts, listed_s: float, most_s: float, span_s: int, name: str,
) -> Trial:
    """It recovers, after about as long as the line takes to be worked off and as the law lists.

    A budget that successes must fill pays for next to no retry in a storm.
    """
    retries = 0 if "budget" in client else client["retries"]
    exact_s = formulas.storm_drain_s(capacity, arrivals, retries, OUTAGE_S[1] - OUTAGE_S[0])

    def near(estimate: Estimate) -> bool:
        return max(abs(estimate.value - exact_s), abs(estimate.value - listed_s)) <= most_s

    rule = Meets(near, f"recovers within {most_s:g} s of that and of {listed_s:g} s")
    quantity = Quantity(f"{name}: seconds to recover", exact_s, rule, mean_of("seconds"))
    tried = Experiment(lambda _size: storm(capacity, arrivals, client, span_s), "rpc",
                 lambda run: {"seconds": recovery_s(run)})
    return Trial("rpc", tried, (quantity,), round(arrivals * span_s), round(arrivals * span_s), 1, most_at_once=10**9)


def never(capacity: float, arrivals: float, client: Parts, span_s: int, name: str) -> Trial:
    """It feeds itself: twice the requests, none of which is answered in time."""

    def read(run: Run) -> Numbers:
        return {"never": float(math.isinf(recovery_s(run))), "offered": offered_per_s(run), "good": goodput_per_s(run)}

    yes = Meets(lambda estimate: estimate.value == 1.0, "never recovers")
    none = Meets(lambda estimate: estimate.value == 0.0, "exactly")
    quantities = (Quantity(f"{name}: never recovers", 1.0, yes, mean_of("never")),
                  Quantity(f"{name}: offered per s", 2 * arrivals, Relative(0.01), mean_of("offered")),
                  Quantity(f"{name}: goodput per s", 0.0, none, mean_of("good")))
    tried = Experiment(lambda _size: storm(capacity, arrivals, client, span_s), "rpc", read)
    return Trial("rpc", tried, quantities, round(arrivals * span_s), round(arrivals * span_s), 1, most_at_once=10**9)


def storms(capacity: float) -> tuple[Trial, ...]:
    """Vulnerable from half the capacity on.  Source: Bronson et al., HotOS 2021, section 2.1."""
    trials = [
        recovers(capacity, 140, ONE_RETRY, 117, 3, 260, "lambda=140"),
        recovers(capacity, 149, ONE_RETRY, 1265, 0.05 * 1265, 1500, "lambda=149"),
        never(capacity, 151, ONE_RETRY, 400, "lambda=151"),
        never(capacity, 280, ONE_RETRY, 260, "lambda=280"),
        recovers(capacity, 280, {"retries": 0}, 125, 3, 260, "lambda=280, 0 retries"),
        recovers(capacity, 280, BUDGETED, 125, 3, 260, "lambda=280, token bucket 0.1/success (cap 10)"),
    ]
    shops = [trial.sample for trial in trials if trial.quantities[0].name != "lambda=149: seconds to recover"]
    also = [replace(trial, where="monolith", sample=replace(shop, architecture="monolith"))
            for trial, shop in zip([one for one in trials if one.sample in shops], shops, strict=True)
            if isinstance(shop, Experiment)]
    return (*trials, *also)


# --- D16: a breaker --------------------------------------------------------------------------------------------------


def calls_until_open(run: Run, most: int) -> Numbers:
    """Calls from the breaker's closing (or the start) to its next opening: the sum over the first `most` stretches.

    All that a fixed time holds would be short ones rather than long ones: the last, which it cuts off, is a long one.
    """
    calls, lengths, probing = 0, [], False
    interesting = np.isin(run.facts.verbs, [Verb.handled, Verb.failed, Verb.opened, Verb.closed])
    for verb in run.facts.verbs[interesting].tolist():
        if verb == Verb.opened:
            if not probing:
                lengths.append(calls)
            calls, probing = 0, True
        elif verb == Verb.closed:
            calls, probing = 0, False
        else:
            calls += 1
    return {"calls": float(sum(lengths[:most])), "stretches": float(len(lengths[:most]))}


def breaker(fails: float, failures: int, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """It opens at the first so many failures in a row."""

    def build(size: int) -> Scenario:
        spec = {"failures": failures, "open-for": "3ms"}
        return single_station("constant 400/s", "1ms", duration=f"{size / 400:g}s", retry={"attempts": 1}).change(
            {"services.payment.fails": f"{100 * fails:g}%", "services.payment.breaker": spec})

    quantities = (Quantity("mean_calls_to_open", formulas.run_length(failures, fails), Statistical(0.02),
                           quotient("calls", "stretches"), "mean_calls_to_open"),)
    exact = formulas.run_length(failures, fails)
    said = "of each run the first stretches, so many that nearly every run has them; a probe that fails begins none"
    return by_shop(build, ("monolith", "rpc", "kafka", "rabbitmq"),
                   lambda run: calls_until_open(run, int(len(run.messages) / (2.2 * exact))), quantities, *sizes, said)


def probing(failures: int, workers: int, probes: int) -> Trial:
    """Everything fails and many call at once: a half-open breaker lets so many probes through before it opens again."""
    spec = {"failures": failures, "open-for": "50ms", "probes": probes}
    payment = {"work": "20ms", "workers": workers, "fails": "100%", "breaker": spec}
    scenario = shop("constant 2000/s", {"payment": payment}, duration="5s", retry={"attempts": 1},
                    architectures={"rpc": {"open-requests": 1_000_000}})

    def read(run: Run) -> Numbers:
        verbs = run.facts.verbs
        probed, most, inside = 0, 0, False
        for verb in verbs[np.isin(verbs, [Verb.started, Verb.half_opened, Verb.opened])].tolist():
            inside = verb == Verb.half_opened or (inside and verb == Verb.started)
            probed = probed + 1 if verb == Verb.started else 0
            most = max(most, probed if inside else 0)
        return {"probes": float(most)}

    quantity = Quantity("most calls let through by a half-open breaker", float(probes), Exact(), mean_of("probes"))
    return Trial("rpc", Experiment(lambda _size: scenario, "rpc", read), (quantity,), 1, 1, 1)


# --- D18: a budget ---------------------------------------------------------------------------------------------------


def budget(fails: float, earns: float, cap: int, orders: int, most: float) -> tuple[Trial, ...]:
    """Retries are no more than what successes pay for: x = earns (1 - p)(1 + x) for each call."""

    def build(size: int) -> Scenario:
        retry = {"attempts": 2, "backoff": "none", "budget": {"earns": f"{100 * earns:g}%", "cap": cap}}
        return single_station("constant 400/s", "1ms", duration=f"{size / 400:g}s", retry=retry).change(
            {"services.payment.fails": f"{100 * fails:g}%"})

    def read(run: Run) -> Numbers:
        verbs = run.facts.verbs
        retried, handled = float(np.sum(verbs == Verb.retried)), float(np.sum(verbs == Verb.handled))
        return {"ratio": retried / handled, "load": run.summary().services["payment"].attempts / len(run.messages)}

    paid = earns * (1 - fails)
    quantities = (
        Quantity("retry_ratio_of_successes", earns, Absolute(most), mean_of("ratio"),
                 "retry_ratio_of_successes"),
        Quantity("load_factor", 1 + paid / (1 - paid), Absolute(most), mean_of("load")))
    return tuple(Trial(name, Experiment(build, name, read), quantities, orders, orders, 1)
                 for name in ("rpc", "monolith", "kafka", "rabbitmq"))


CASES = (
    Case("D13", layers({"3x4": (3, 4), "5x3": (5, 3)}, (4, 4))),
    Case("D14", storms(300.0)),
    Case("D16", (*breaker(0.5, 5, (28_000, 4_000)), probing(5, 20, 1))),
    Case("D18", budget(0.5, 0.1, 10, 100_000, 0.003)),
)
