"""Attempts that fail and are made again: how often, after how long, with which jitter.  Laws D01 to D11."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edasim.core.journal import Verb
from edasim.core.world import World
from edasim.scenario.retry_policy import Retry
from edasim.scenario.value import Scenario
from edasim.services.retry import RetryPolicy
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import (
    Case,
    Experiment,
    Figure,
    Numbers,
    Quantity,
    Trial,
    by_shop,
    mean_of,
    quotient,
    statistical,
)
from edasim.study.validate.reading import orders_sums
from edasim.study.validate.rules import Absolute, Exact, Statistical
from edasim.study.validate.shops import ALL, Parts, lasting, relaxation_s, single_station

# --- D01: given up ---------------------------------------------------------------------------------------------------


def given_up(fails: float, retries: int, orders: int) -> tuple[Trial, ...]:
    """An order is given up as often as all its attempts fail; four standard deviations are allowed."""

    def build(size: int) -> Scenario:
        retry = {"attempts": retries + 1, "backoff": "none"}
        return single_station("constant 400/s", "1ms", duration=f"{size / 400:g}s", retry=retry).change(
            {"services.payment.fails": f"{100 * fails:g}%"})

    def read(run: Run) -> Numbers:
        outcomes = run.summary().outcomes
        lost = outcomes["parked"] + outcomes["refused"]
        return {"success": outcomes["done"] / outcomes["placed"], "dlq": float(lost),
                "attempts_mean": run.summary().services["payment"].attempts / outcomes["placed"]}

    share = fails ** (retries + 1)
    sigma = math.sqrt(orders * share * (1 - share))
    chances = [fails**made * (1 - fails) for made in range(retries)] + [fails**retries]
    mean = formulas.attempts_made(fails, retries + 1)
    spread = math.sqrt(sum((made + 1 - mean) ** 2 * chance for made, chance in enumerate(chances)) / orders)
    exact = {"success": (1 - share, 4 * sigma / orders), "dlq": (orders * share, 4 * sigma),
             "attempts_mean": (mean, 4 * spread)}
    quantities = tuple(Quantity(name, value, Absolute(most), published=name) for name, (value, most) in exact.items())
    said = "4 sigma of the binomial; of the attempts, 4 sigma of their mean"
    return tuple(Trial(name, Experiment(build, name, read), quantities, orders, orders, 1, said=said) for name in
                 ("rabbitmq", "kafka", "rpc", "monolith"))


# --- D04 to D06: back to the end of the line -------------------------------------------------------------------------


def feedback(arrivals: float, fails: float, attempts: int | str, span: Parts) -> Scenario:
    """One worker; a failed order goes to the end of the line at once."""
    service = {"fails": f"{100 * fails:g}%", "retry": {"attempts": attempts, "backoff": "none", "where": "back"}}
    return single_station(f"poisson {arrivals}/s", "exponential 1s", **span).change(
        {f"services.payment.{name}": value for name, value in service.items()})


def loop(run: Run) -> Numbers:
    """Attempts in the measured span, and what the orders saw."""
    summary = run.summary()
    service = summary.services["payment"]
    ended = np.isin(run.facts.verbs, [Verb.handled, Verb.failed])
    inside = (run.facts.times_ns > run.scenario.warm_up) & (run.facts.times_ns <= run.closed_ns)
    orders = summary.orders
    left_s = np.minimum(np.minimum(orders.done_s, orders.refused_s), orders.parked_s("payment"))
    stays_s = (left_s - orders.placed_s)[orders.counted & np.isfinite(left_s)]
    return {**orders_sums(summary), "stays": float(stays_s.sum()), "stayed": float(len(stays_s)),
            "L": service.backlog_mean + service.utilisation, "tried": float(service.attempts),
            "lambda_eff": float(np.sum(ended & inside)) / (summary.end_s - summary.start_s)}


def fed_back(arrivals: float, fails: float, cap: int | None, names: Sequence[str], sizes: tuple[int, int],
             ) -> tuple[Trial, ...]:
    """A retry at the end of the line is one more arrival: Jackson, and with a cap BCMP's product form."""
    visits = formulas.attempts_made(fails, cap)
    total = arrivals * visits

    def build(size: int) -> Scenario:
        return feedback(arrivals, fails, cap or "unlimited", lasting(size, arrivals, 20 * relaxation_s(total, 1.0)))

    inside = total / (1 - total)
    exact = {"lambda_eff": total, "L": inside, "W": inside / arrivals, "attempts": visits}
    # The law counts those too that are given up after their last attempt.
    figures: dict[str, Figure] = {"W": quotient("stays", "stayed"), "attempts": quotient("tried", "placed")}
    quantities = statistical(0.01, {name: exact[name] for name in names}, figures)
    # In a monolith the thread tries again at once: another queue, whose means agree only without a cap.
    where = ("rabbitmq", "rpc", "kafka", *(("monolith",) if cap is None else ()))
    return by_shop(build, where, loop, quantities, *sizes)


def boundary(arrivals: float, stable: float, unstable: float, span_s: int, seeds: int) -> tuple[Trial, ...]:
    """Stable while arrivals / (1 - p) stay below the rate of the worker; beyond it the backlog grows."""

    def of(fails: float) -> Experiment:
        def read(run: Run) -> Numbers:
            backlog = run.summary().backlog("payment")
            last = float(backlog.at(np.array([span_s]))[0])
            first = float(backlog.at(np.array([span_s / 10]))[0])
            return {**loop(run), "last": last, "slope": (last - first) / (0.9 * span_s),
                    "below 200": float(last < 200), "above 600": float(last > 600)}

        return Experiment(lambda _size: feedback(arrivals, fails, "unlimited", {
            "duration": f"{span_s}s", "warm_up": f"{span_s // 10}s", "drain": "0s"}), "rabbitmq", read)

    total = arrivals / (1 - stable)
    growth = arrivals - (1 - unstable)
    by_z = Statistical()
    calm = (Quantity(f"p={stable}: share of seeds with a backlog below 200", 1.0, Exact(),
                     mean_of("below 200")),
            Quantity(f"p={stable}: lambda_eff", total, by_z, mean_of("lambda_eff")),
            Quantity(f"p={stable}: L", total / (1 - total), by_z, mean_of("L")))
    grown = (Quantity(f"p={unstable}: share of seeds with a backlog above 600", 1.0, Exact(),
                      mean_of("above 600")),
             Quantity(f"p={unstable}: growth of the backlog per s", growth, by_z, mean_of("slope")))
    said = f"{span_s} s, {seeds} seeds; the growth from a tenth of the time on"
    trials = [Trial("rabbitmq", of(fails), quantities, 1, 1, seeds, said=said)
              for fails, quantities in ((stable, calm), (unstable, grown))]
    return tuple(trials)


# --- D07 to D09: waits -----------------------------------------------------------------------------------------------


def hopeless(retries: int, base_s: float, cap_s: float, jitter: str, size: int) -> Scenario:
    """All attempts fail and take no time: an order is given up after all its waits."""
    longest_s = 1 + sum(formulas.backoffs(base_s, 2, cap_s, retries))
    retry = {"attempts": retries + 1, "backoff": f"exponential {base_s:g}s x2 max {cap_s:g}s", "jitter": jitter}
    return single_station(f"constant {1 / longest_s:.9f}/s", "0s", duration=f"{longest_s * (size + 0.5):.6f}s",
                          retry=retry).change({"services.payment.fails": "100%"})


def waited_s(run: Run) -> np.ndarray:
    """From placed to given up, for each order."""
    orders = run.summary().orders
    ended = np.minimum(orders.refused_s, orders.parked_s("payment"))
    found: np.ndarray = ended - orders.placed_s
    return found


def fixed_waits(base_s: float, cap_s: float, counts: dict[str, int]) -> tuple[Trial, ...]:
    """Without jitter the waits add up exactly, in the policy itself and in every architecture."""

    def policy(seed: int, _size: int) -> Numbers:
        spec = Retry.model_validate({"backoff": f"exponential {base_s:g}s x2 max {cap_s:g}s", "jitter": "none"})
        waits = RetryPolicy(World(seed), "payment", spec)
        return {name: sum(waits.wait_ns(made) for made in range(1, retries + 1)) / 1e9
                for name, retries in counts.items()}

    quantities = tuple(Quantity(name, sum(formulas.backoffs(base_s, 2, cap_s, retries)), Exact(), published=name)
                       for name, retries in counts.items())
    trials = [Trial("retry policy", policy, quantities, 1, 1, 1, said="the sum of RetryPolicy.wait_ns(1), (2), ...")]
    for name, retries in counts.items():
        for architecture in ALL:
            trials += by_shop(
                lambda size, retries=retries: hopeless(retries, base_s, cap_s, "none", size),  # type: ignore[misc]
                (architecture,), lambda run, name=name: {name: round(float(waited_s(run).max()), 6)},  # type: ignore[misc]
                [one for one in quantities if one.name == name], 3, 3)
    return tuple(replace(trial, replications=1) for trial in trials)


def jittered(jitter: str, base_s: float, cap_s: float, retries: int, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """The moments of all waits of an order: full is U(0, d), equal d/2 + U(0, d/2)."""
    delays = formulas.backoffs(base_s, 2, cap_s, retries)
    mean = sum(delays) * (0.5 if jitter == "full" else 0.75)
    variance = sum(delay**2 for delay in delays) / (12 if jitter == "full" else 48)

    def read(run: Run) -> Numbers:
        waits = waited_s(run)
        return {"mean": float(waits.mean()), "squares": float(np.mean(waits**2))}

    spread: Figure = lambda means: float(means["squares"] - means["mean"] ** 2)  # noqa: E731 - a formula
    figures: dict[str, Figure] = {"variance": spread, "sd": lambda means: math.sqrt(spread(means))}
    quantities = statistical(0.01, {"mean": mean, "variance": variance, "sd": math.sqrt(variance)}, figures)
    return by_shop(lambda size: hopeless(retries, base_s, cap_s, jitter, size), ALL, read, quantities, *sizes)


CASES = (
    Case("D01", given_up(0.3, 3, 100_000)),
    Case("D04", fed_back(0.5, 0.2, None, ("lambda_eff", "L", "W", "attempts"), (25_000, 2_500))),
    Case("D05", fed_back(0.5, 0.2, 4, ("lambda_eff", "L", "W"), (18_000, 2_500))),
    Case("D06", boundary(0.5, 0.45, 0.55, 20_000, 20)),
    Case("D07", fixed_waits(1, 30, {"sum5": 5, "sum8": 8})),
    Case("D08", jittered("full", 1, 30, 5, (1_300, 500))),
    Case("D09", jittered("equal", 1, 30, 5, (1_300, 500))),
)
