"""One worker in front of which orders queue up.  Laws A01, A02, A07, A08, A09, A11."""

from __future__ import annotations

from edasim.scenario.value import Scenario
from edasim.simulate import Run
from edasim.study.validate import formulas
from edasim.study.validate.case import (
    Case,
    Figure,
    Numbers,
    Percentile,
    Trial,
    by_shop,
    histogram,
    mean_of,
    statistical,
)
from edasim.study.validate.reading import SOJOURN, WAIT, station
from edasim.study.validate.shops import ALL, lasting, relaxation_s, single_station

WARM_UPS = 12
"""Relaxation times of warm-up: what is left of an empty start is below 1/100,000."""


def basic(arrivals: float, rate: float, level: int, full: int, quick: int) -> tuple[Trial, ...]:
    """M/M/1: latencies, lengths, and how often at least `level` orders are inside."""

    def build(size: int) -> Scenario:
        return single_station(f"poisson {arrivals}/s", f"exponential {1 / rate}s",
                              **lasting(size, arrivals, WARM_UPS * relaxation_s(arrivals, rate)))

    tail = f"P(N>={level})"

    def read(run: Run) -> Numbers:
        summary = run.summary()
        return {**station(run), tail: summary.open_orders().share_at_least(level, summary.start_s, summary.end_s)}

    exact = formulas.single(arrivals, rate) | {tail: (arrivals / rate) ** level}
    return by_shop(build, ALL, read, statistical(0.01, exact, {"W": SOJOURN, "Wq": WAIT}, rare=[tail]), full, quick)


def percentiles(arrivals: float, rate: float, full: int, quick: int) -> tuple[Trial, ...]:
    """The sojourn at M/M/1 is exponential: its percentiles, in milliseconds, from a histogram of all replications."""

    def build(size: int) -> Scenario:
        return single_station(f"poisson {arrivals}/s", f"exponential {1000 / rate}ms",
                              **lasting(size, arrivals, WARM_UPS * relaxation_s(arrivals, rate)))

    def read(run: Run) -> Numbers:
        latency = run.summary().completion_latency_s
        return {"latency": histogram(latency), "sojourns": float(latency.sum()), "done": float(len(latency))}

    mean_ms = 1000 / (rate - arrivals)
    exact = {"mean_ms": mean_ms}
    figures: dict[str, Figure | Percentile] = {"mean_ms": _in_ms(SOJOURN)}
    for share in (0.5, 0.95, 0.99, 0.999):
        name = f"p{100 * share:g}_ms"
        exact[name] = formulas.exponential_percentile(share, mean_ms)
        figures[name] = Percentile("latency", share, 1000.0)
    return by_shop(build, ALL, read, statistical(0.015, exact, figures), full, quick)


def _in_ms(figure: Figure) -> Figure:
    return lambda means: 1000 * figure(means)


class Work:
    """A distribution of work as a file writes it, with the mean of it and of its square, in seconds."""

    def __init__(self, text: str, mean: float, square: float) -> None:
        self.text, self.mean, self.square = text, mean, square


def constant(seconds: float) -> Work:
    """Always the same."""
    return Work(f"{seconds}s", seconds, seconds**2)


def two_points(share: float, often: float, seldom: float) -> Work:
    """This share of the orders takes `seldom` seconds, the others `often`."""
    text = f"hyper {100 - 100 * share:g}% {1000 * often:g}ms, {100 * share:g}% {1000 * seldom:g}ms"
    return Work(text, (1 - share) * often + share * seldom, (1 - share) * often**2 + share * seldom**2)


def lognormal(mean: float, variation: float) -> Work:
    """By its mean and its coefficient of variation."""
    return Work(f"lognormal mean {1000 * mean:g}ms cv {variation:g}", mean, mean**2 * (1 + variation**2))


def erlang(stages: int, mean: float) -> Work:
    """The sum of so many exponentials."""
    return Work(f"erlang {stages} mean {mean}s", mean, mean**2 * (1 + 1 / stages))


def general(arrivals: float, work: Work, names: dict[str, str], share: float, sizes: tuple[int, int],
            ) -> tuple[Trial, ...]:
    """M/G/1 by Pollaczek and Khinchine; `names` are the law's words for W, Wq, Lq and utilisation.

    What is published in milliseconds has `_ms` in its name.
    """
    warm_up_s = 10 * 2.3 * arrivals * work.square / (1 - arrivals * work.mean) ** 2

    def build(size: int) -> Scenario:
        return single_station(f"poisson {arrivals}/s", work.text, **lasting(size, arrivals, warm_up_s))

    known = formulas.general(arrivals, work.mean, work.square)
    pooled: dict[str, Figure] = {"W": SOJOURN, "Wq": WAIT, "Lq": mean_of("Lq"),
                                 "utilisation": mean_of("utilisation")}
    exact, figures = {}, {}
    for name, word in names.items():
        scale = 1000 if word.endswith("_ms") else 1
        exact[word], figures[word] = scale * known[name], _in_ms(pooled[name]) if scale > 1 else pooled[name]
    return by_shop(build, ALL, station, statistical(share, exact, figures), *sizes)


PLAIN = {"Wq": "Wq", "W": "W"}
CASES = (
    Case("A01", basic(arrivals=0.8, rate=1.0, level=10, full=230_000, quick=6_000)),
    Case("A02", percentiles(arrivals=100, rate=125, full=450_000, quick=12_000)),
    Case("A07", general(0.8, constant(1.0), PLAIN | {"Lq": "Lq"}, 0.01, (65_000, 3_000))),
    Case("A08", general(30, two_points(0.01, 0.010, 1.0), {"utilisation": "rho", "Wq": "Wq_s", "W": "W_s"}, 0.015,
                        (140_000, 8_000))),
    Case("A09", general(35, lognormal(0.020, 1.5), {"Wq": "Wq_ms", "W": "W_ms"}, 0.015, (55_000, 4_000))),
    Case("A11", general(0.8, erlang(2, 1.0), PLAIN, 0.01, (60_000, 3_000))),
)
