"""Parts that are down now and then, and what a chain of steps can carry.  Laws C01 to C05, C07."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edasim.core.quantity import duration_ns
from edasim.measure.budget import downtime_ns
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Numbers, Quantity, Trial, by_shop, mean_of
from edasim.study.validate.rules import Absolute, Exact, Relative, Statistical
from edasim.study.validate.shops import BROKERS, SEPARATE, Parts, architectures, chain, shop

REPAIR_S = 10
INTERVAL_S = 10


def breakdowns(availability: float, repair_s: float = REPAIR_S) -> Parts:
    """Up and down by turns, both for exponential times."""
    up_s = repair_s * availability / (1 - availability)
    return {"every": f"exponential {up_s:.6f}s", "for": f"exponential {repair_s:g}s"}


def modules(count: int, availability: float, size: int) -> Scenario:
    """An order every ten seconds needs all modules, which take no time but are down now and then."""
    names = [f"module-{number}" for number in range(1, count + 1)]
    faults = {f"{name}-down": {"failing": name, **breakdowns(availability)} for name in names}
    return shop(f"constant {1 / INTERVAL_S:g}/s", {name: {"work": "0s"} for name in names}, warm_up="200s",
                duration=f"{200 + INTERVAL_S * size}s", retry={"attempts": 1}, faults=faults)


def accepted(run: Run) -> Numbers:
    """The share of counted orders that were answered with a yes, and of those the share that was processed."""
    outcomes = run.summary().outcomes
    return {"accepted": outcomes["accepted"] / outcomes["placed"],
            "processed": outcomes["done"] / max(outcomes["accepted"], 1)}


def success(exact: float, most: float) -> tuple[Quantity, ...]:
    """The share of orders that succeed."""
    return (Quantity("success", exact, Absolute(most), mean_of("accepted"), "success"),)


def series(count: int, availability: float, most: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """All modules must be up."""
    return by_shop(lambda size: modules(count, availability, size), ("monolith", "rpc"), accepted,
                   success(availability**count, most), *sizes)


def quorum(replicas: int, needed: int, availability: float, most: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """So many of the replicas of a store must be up for a write; each is down now and then."""
    store = {"replicas": replicas, "read-quorum": needed, "write-quorum": needed, "readers": False,
             **dict.fromkeys(("write", "write-ack", "read", "read-reply"), "0s")}
    faults = {f"down-{number}": {"failing": f"inventory.replica-{number}", **breakdowns(availability)}
              for number in range(1, replicas + 1)}

    def build(size: int) -> Scenario:
        return shop(f"constant {1 / INTERVAL_S:g}/s", {"inventory": {"work": "0s", "store": store}}, warm_up="200s",
                    duration=f"{200 + INTERVAL_S * size}s", retry={"attempts": 1}, faults=faults)

    return by_shop(build, ("monolith", "rpc"), accepted,
                   success(formulas.k_of_n(needed, replicas, availability), most), *sizes)


def often_down(replicas: int, needed: int, availability: float, size: int) -> Trial:
    """The same with parts that are down so often that luck alone would not agree."""
    exact = Quantity(f"success, each up {100 * availability:g}%", formulas.k_of_n(needed, replicas, availability),
                     Statistical(None), mean_of("accepted"))
    trial = quorum(replicas, needed, availability, 1.0, (size, size))[0]
    return replace(trial, quantities=(exact,), also=True)


# --- behind a broker ------------------------------------------------------------------------------------------------


def decoupled(broker: float, consumers: int, availability: float, size: int) -> Scenario:
    """Consumers that are down now and then behind a broker that is so more seldom; work is retried for ever."""
    behind = modules(consumers, availability, size)
    built = {"kafka": architectures()["kafka"] | {"producer": {"linger.ms": 0, "retries": 0}}, "rabbitmq": {}}
    faults = {name: {"failing": fault.target, **breakdowns(availability)} for name, fault in behind.faults.items()}
    faults["broker-down"] = {"failing": "broker", **breakdowns(broker)}
    return behind.change({"architectures": built, "faults": faults,
                          "retry": {"attempts": "unlimited", "backoff": "fixed 1s", "jitter": "none"}})


def acceptance(broker: float, consumers: int, availability: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Accepted as often as the broker is up, and all that is accepted is processed; the monolith needs all modules."""
    sigma = Statistical(None, by_ratio=False)
    quantities = (
        Quantity("accepted", broker, sigma, published="accepted"),
        Quantity("eventually_processed_of_accepted", 1.0, Exact(), mean_of("processed"),
                 "eventually_processed_of_accepted"),
    )
    same = Quantity("monolith on the same breakdowns", availability**consumers, Statistical(None), mean_of("monolith"))

    def beside_a_monolith(where: str) -> Callable[[int, int], Numbers]:
        def sample(seed: int, size: int) -> Numbers:
            behind = simulate(decoupled(broker, consumers, availability, size), where, seed)
            called = simulate(modules(consumers, availability, size), "monolith", seed)
            return {**accepted(behind), "monolith": accepted(called)["accepted"]}

        return sample

    return tuple(Trial(where, beside_a_monolith(where), (*quantities, same), *sizes, also=where != "rabbitmq")
                 for where in BROKERS[::-1])


# --- downtime budget ------------------------------------------------------------------------------------------------


def downtime(availability: float, periods: dict[str, str]) -> tuple[Trial, ...]:
    """What an availability leaves, by the package's own arithmetic and as a service that is down so much."""
    cycle_s = 1000
    down_s = round((1 - availability) * cycle_s, 9)

    def budget(_seed: int, _size: int) -> Numbers:
        return {name: downtime_ns(availability, duration_ns(period)) / 60e9 for name, period in periods.items()}

    def lived(seed: int, size: int) -> Numbers:
        fault = {"failing": "payment", "every": f"{cycle_s - down_s:g}s", "for": f"{down_s:g}s"}
        found = {}
        for name, period in periods.items():
            scenario = shop("constant 0.001/s", {"payment": {"work": "0s"}}, duration=period, drain="0s",
                            retry={"attempts": 1}, faults={"down": fault})
            run = simulate(scenario, "monolith", seed)
            ended = [band for band in run.bands if band.end_ns is not None and band.end_ns <= run.closed_ns]
            found[name] = sum(band.end_ns - band.start_ns for band in ended if band.end_ns is not None) / 60e9
        return found

    quantities = tuple(Quantity(name, (1 - availability) * duration_ns(period) / 60e9, Exact())
                       for name, period in periods.items())
    fault_said = f"a service that fails for {down_s:g} s of every {cycle_s} s: minutes down in the period"
    return (Trial("arithmetic", budget, quantities, 1, 1, 1, said="edasim.measure.budget.downtime_ns, in minutes"),
            Trial("monolith", lived, quantities, 1, 1, 1, said=fault_said))


# --- pipelines ------------------------------------------------------------------------------------------------------


def pipeline(steps_ms: tuple[int, ...]) -> tuple[Trial, ...]:
    """Deterministic steps: as one piece of work, or each in a service of its own."""
    works = [f"{step}ms" for step in steps_ms]
    whole_s = 1.02 * 150 * sum(steps_ms) / 1000

    def sample(seed: int, _size: int) -> Numbers:
        flood = chain(f"batches of 150 at constant {1 / whole_s:.9f}/s", works, duration=f"{1.01 * whole_s:.6f}s")
        slow = chain(f"constant {500 / sum(steps_ms):.6f}/s", works, duration=f"{20 * sum(steps_ms) / 500:.6f}s")
        unloaded = [simulate(slow, name, seed).summary().completion_latency_s for name in ("monolith", *SEPARATE)]
        rates = {name: highest_rate(simulate(flood, name, seed)) for name in ("monolith", *SEPARATE)}
        furthest = max(SEPARATE, key=lambda name: abs(rates[name] - 1000 / max(steps_ms)))
        latencies_ms = 1000 * np.concatenate(unloaded)
        return {"monolith_max_per_s": rates["monolith"], "pipeline_max_per_s": rates[furthest],
                "both_unloaded_ms": float(latencies_ms[np.argmax(np.abs(latencies_ms - sum(steps_ms)))])}

    exact = {"monolith_max_per_s": 1000 / sum(steps_ms), "pipeline_max_per_s": 1000 / max(steps_ms),
             "both_unloaded_ms": float(sum(steps_ms))}
    quantities = tuple(Quantity(name, value, Relative(1e-6), published=name) for name, value in exact.items())
    said = ("monolith against rpc, kafka and rabbitmq, of which the figure furthest from the exact one is shown: the "
            "rate at which a flood is done, and the latency of orders that never meet")
    return (Trial("all four", sample, quantities, 1, 1, 1, said=said),)


def highest_rate(run: Run) -> float:
    """Orders a second between the 20th and the 140th to be done, when there is always one more to do."""
    done_s = np.sort(run.summary().orders.done_s)
    return 120 / float(done_s[140] - done_s[20])


CASES = (
    Case("C01", series(3, 0.99, 0.003, (6_000, 1_500))),
    Case("C02", (*quorum(3, 1, 0.99, 5e-6, (60_000, 1_500)), often_down(3, 1, 0.8, 1_500))),
    Case("C03", (*quorum(3, 2, 0.99, 0.0002, (20_000, 3_000)), often_down(3, 2, 0.8, 1_500))),
    Case("C04", acceptance(0.999, 3, 0.99, (15_000, 3_000))),
    Case("C05", downtime(0.999, {"30 days": "30d", "year (365 d)": "365d"})),
    Case("C07", pipeline((10, 20, 30))),
)
