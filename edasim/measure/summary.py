"""All numbers of one run, each read from the journal when it is first asked for."""
from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edasim.measure.age import age
from edasim.measure.consistency import convergence_s, read_your_writes_violations, staleness, t_visibility
from edasim.measure.operations import operations
from edasim.measure.orders import Orders
from edasim.measure.ownership import GroupNumbers, Ownership
from edasim.measure.reading import NANO, Reading
from edasim.measure.replication import StoreReading
from edasim.measure.services import ServiceNumbers, ServiceReading
from edasim.measure.steps import Floats, Steps
from edasim.simulate import Run

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
LOOKS_AFTER_S = 1.0
"""How long after their answer customers look for their own order in the tables for people."""


class Summary:
    """The numbers of one run.  Orders placed in the warm-up are left out; times are seconds."""

    conservation = "ok"
    """A run whose books did not balance was never finished."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.reading = Reading(run)
        self.orders = Orders(self.reading)
        self.start_s = run.scenario.warm_up * NANO
        self.end_s = run.closed_ns * NANO

    def __str__(self) -> str:
        return as_text(self.run)

    @property
    def answer(self) -> str:
        """What a yes means here: the work is `done`, or the order is `received`."""
        return "done" if self.run.architecture in ("monolith", "rpc") else "received"

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """How the counted orders ended; refused + done + parked + lost + pending = placed."""
        orders = self.orders
        counts = {"placed": int(orders.counted.sum()), "accepted": int((orders.accepted & orders.counted).sum())}
        counts |= {outcome: orders.count(outcome) for outcome in ("refused", "done", "parked", "lost", "pending")}
        return counts | {"regretted": orders.regretted}

    @cached_property
    def refusals(self) -> dict[str, int]:
        """Why counted orders were refused."""
        return self.orders.refusals

    @cached_property
    def torn_peak(self) -> int:
        """The most orders that were half done at one time."""
        return int(self.torn().max(self.start_s, self.run.end_ns * NANO))

    @property
    def orphan_effects(self) -> int:
        """Effects of refused orders."""
        return self.orders.orphan_effects

    # --- latencies --------------------------------------------------------------------------------------------

    @cached_property
    def accept_latency_s(self) -> Floats:
        """Placed to answer, of counted orders that were accepted."""
        return self._since_placed(self.orders.accepted_s, self.orders.counted & self.orders.accepted)

    @cached_property
    def completion_latency_s(self) -> Floats:
        """Placed to the last required effect, of counted orders that were accepted; infinite when not done."""
        return self._since_placed(self.orders.done_s, self.orders.counted & self.orders.accepted)

    @cached_property
    def waiting_s(self) -> Floats:
        """What each counted customer waited until a yes, a no, or until leaving; infinite without any."""
        return self._since_placed(self.orders.answered_s, self.orders.counted)

    def accept_latency_of(self, producer: str) -> Floats:
        """The same as `accept_latency_s` for the orders of one producer."""
        return self._since_placed(self.orders.accepted_s, self._accepted_of(producer))

    def completion_latency_of(self, producer: str) -> Floats:
        """The same as `completion_latency_s` for the orders of one producer."""
        return self._since_placed(self.orders.done_s, self._accepted_of(producer))

    def _accepted_of(self, producer: str) -> NDArray[np.bool_]:
        return self.orders.counted & self.orders.accepted & self.orders.placed_by(producer)

    def _since_placed(self, until_s: Floats, which: NDArray[np.bool_]) -> Floats:
        latency: Floats = until_s[which] - self.orders.placed_s[which]
        return latency

    # --- services ---------------------------------------------------------------------------------------------

    @cached_property
    def services(self) -> dict[str, ServiceNumbers]:
        """The numbers of each service."""
        return {name: self.service(name).numbers(self.start_s, self.end_s) for name in self.run.scenario.services}

    def service(self, name: str) -> ServiceReading:
        """The journal as one service sees it."""
        return ServiceReading(self.reading, self.orders, name)

    @cached_property
    def groups(self) -> dict[str, GroupNumbers]:
        """What rebalances did to each service's consumer group, from the end of the warm-up on; zeros without one."""
        end_s = self.run.end_ns * NANO
        return {name: Ownership(self.reading, name).numbers(self.start_s, end_s) for name in self.run.scenario.services}

    @cached_property
    def age_s(self) -> dict[str, dict[str, float]]:
        """The age of what each service knows: its time average, and the mean of its peaks."""
        ages = {name: age(self.orders, name) for name in self.run.scenario.services}
        return {name: {"mean": one.mean(self.start_s, self.end_s), "peak": one.peak(self.start_s, self.end_s)}
                for name, one in ages.items()}

    @cached_property
    def stores(self) -> dict[str, StoreReading]:
        """The journal as each replicated store sees it, by the name of its service."""
        services = self.run.scenario.services.items()
        return {name: StoreReading(self.reading, self.orders, name) for name, spec in services if spec.store}

    # --- over time --------------------------------------------------------------------------------------------

    def backlog(self, service: str) -> Steps:
        """Messages waiting for a service."""
        return self.service(service).backlog()

    def torn(self) -> Steps:
        """Orders that are half done."""
        return self.orders.torn()

    def completed(self) -> Steps:
        """Orders that are accepted and done."""
        return self.orders.completed()

    def open_orders(self) -> Steps:
        """Orders that are neither done nor refused."""
        return self.orders.open_orders()

    def staleness(self, service: str, grid_s: Floats) -> Floats:
        """The age of the oldest accepted order that a service has not applied, at these times."""
        return staleness(self.orders, service).at(grid_s)

    def t_visibility(self, service: str, delays_s: Floats) -> Floats:
        """The share of accepted orders that a service shows so long after acceptance."""
        return t_visibility(self.orders, service, delays_s)

    def convergence_s(self, service: str) -> list[float]:
        """For each fault that ended: how long until the service's staleness was back below its level before."""
        age, horizon_s = staleness(self.orders, service), self.run.end_ns * NANO
        return [convergence_s(age, (band.start_ns * NANO, band.end_ns * NANO), horizon_s)
                for band in self.run.bands if band.end_ns is not None]

    # --- the rest ---------------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> dict[str, float]:
        """What it takes to run it."""
        return operations(self.reading, self.orders)

    @property
    def fault_bands(self) -> list[tuple[str, float, float]]:
        """(text, start, end) of each fault as it held; one that never ended lasts to the end of the run."""
        return [(band.text, band.start_ns * NANO, (self.run.end_ns if band.end_ns is None else band.end_ns) * NANO)
                for band in self.run.bands]

    @property
    def not_applicable(self) -> list[str]:
        """The faults that hit nothing here."""
        return self.run.not_applicable

    def as_dict(self) -> dict[str, Any]:
        """The numbers in the shape in which `--json` prints them for one architecture."""
        return {
            "orders": self.outcomes,
            "torn_peak": self.torn_peak,
            "orphan_effects": self.orphan_effects,
            "accept_latency_s": spread(self.accept_latency_s),
            "completion_latency_s": spread(self.completion_latency_s),
            "services": {name: _service_dict(numbers) for name, numbers in self.services.items()},
            "conservation": self.conservation,
        }


def spread(values: Floats) -> dict[str, float | int | None]:
    """Mean and percentiles (type 7).  Infinite values count in percentiles, where they give None; the mean is over
    the finite ones, whose number is `n`."""
    finite = values[np.isfinite(values)]
    numbers: dict[str, float | int | None] = {"mean": float(finite.mean()) if len(finite) else None}
    for name, percent in PERCENTILES.items():
        numbers[name] = _percentile(values, percent)
    return numbers | {"n": len(finite)}


def _percentile(values: Floats, percent: float) -> float | None:
    if not len(values):
        return None
    ordered = np.sort(values)
    place = percent / 100 * (len(ordered) - 1)
    low, high = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    if not np.isfinite(high):
        return float(low) if place == np.floor(place) and np.isfinite(low) else None
    return float(low + (high - low) * (place - np.floor(place)))


def _service_dict(numbers: ServiceNumbers) -> dict[str, Any]:
    return {
        "handled": numbers.handled,
        "failed": numbers.failed,
        "retried": numbers.retried,
        "dead_lettered": numbers.dead_lettered,
        "duplicated_effects": numbers.duplicated_effects,
        "utilisation": numbers.utilisation if np.isfinite(numbers.utilisation) else None,
        "backlog_mean": numbers.backlog_mean,
        "backlog_max": numbers.backlog_max,
        "wait_s": spread(numbers.wait_s),
        "staleness_s": {"mean": numbers.staleness_mean_s, "max": numbers.staleness_max_s},
    }


def as_text(run: Run) -> str:
    """A run as a small table of plain text."""
    summary = run.summary()
    outcomes = summary.outcomes
    accept, completion = spread(summary.accept_latency_s), spread(summary.completion_latency_s)
    lines = [
        f"{run.scenario.title} · {run.architecture} · seed {run.seed} · n = 1 run",
        "orders      " + "  ".join(f"{name} {number}" for name, number in outcomes.items()),
        f"answer      p50 {_show(accept['p50'])}  p99 {_show(accept['p99'])}   (a yes means: {summary.answer})",
        f"completion  p50 {_show(completion['p50'])}  p99 {_show(completion['p99'])}",
        f"half done   {summary.torn_peak} at most   effects of refused orders {summary.orphan_effects}",
        f"not visible {LOOKS_AFTER_S:g} s after a yes: {_not_visible(summary)}",
    ]
    if any(band.end_ns is not None for band in run.bands):
        lines.append(f"back to normal after a fault: {_back_to_normal(summary)}")
    lines += [_store_line(name, store) for name, store in summary.stores.items()]
    lines += _service_lines(summary.services)
    lines += [_group_line(name, group) for name, group in summary.groups.items()
              if group.rebalances or group.unread_partition_s]
    lines += [
        f"breaker of {name}: opened {numbers.breaker_openings} times, {numbers.short_circuited} calls not made"
        for name, numbers in summary.services.items() if numbers.breaker_openings
    ]
    if run.not_applicable:
        lines.append("not applicable here: " + ", ".join(run.not_applicable))
    return "\n".join(lines)


def _not_visible(summary: Summary) -> str:
    """Read-your-writes: who looks a while after the yes and does not find the order, and t-visibility there."""
    missed = {name: read_your_writes_violations(summary.orders, name, LOOKS_AFTER_S) for name in summary.services}
    told = [
        f"{name} {number} ({1 - summary.t_visibility(name, np.array([LOOKS_AFTER_S]))[0]:.1%})"
        for name, number in missed.items() if number
    ]
    return ", ".join(told) or "none"


def _store_line(name: str, store: StoreReading) -> str:
    """How soon writes are seen on the replicas."""
    text = f"{name}'s replicas: a write is confirmed after p50 {_show(spread(store.write_latency_s)['p50'])}"
    if not len(store.visible_after_s):
        return text
    at_once, later = store.t_visibility(np.zeros(1))[0], spread(store.visible_after_s)["p99"]
    return f"{text}; {at_once:.1%} of reads at once see it, 99% after {_show(later)}"


def _group_line(name: str, group: GroupNumbers) -> str:
    """What rebalances cost."""
    return (f"group of {name}: {group.rebalances} rebalances, {group.moves} partitions moved, unread for "
            f"{group.unread_partition_s:.2f} partition-seconds, one for {_show(group.unread_max_s)}, "
            f"{group.commits_refused} commits refused")


def _back_to_normal(summary: Summary) -> str:
    """How long until each service's view is as fresh as before, after the fault that took longest; none for at once."""
    slowest = {name: max(summary.convergence_s(name)) for name in summary.services}
    told = [f"{name} {_show(took_s if np.isfinite(took_s) else None)}" for name, took_s in slowest.items() if took_s]
    return ", ".join(told) or "at once"


_COLUMNS = (
    "", "attempts", "handled", "failed", "retried", "dead", "twice", "per s", "at work", "wait", "backlog", "lag",
    "oldest", "stale",
)
_COLUMNS_EXPLAINED = (
    "(dead: dead letters; twice: effects made twice; per s: handled in each second; wait: the mean;",
    " backlog: most messages waiting; lag: most not yet settled, and the oldest of them; stale: the most)",
)


def _service_lines(services: dict[str, ServiceNumbers]) -> list[str]:
    rows = [_COLUMNS]
    for name, numbers in services.items():
        rows.append((
            name, str(numbers.attempts), str(numbers.handled), str(numbers.failed), str(numbers.retried),
            str(numbers.dead_lettered), str(numbers.duplicated_effects), f"{numbers.throughput_per_s:.1f}",
            _at_work(numbers), _show(spread(numbers.wait_s)["mean"]), f"{numbers.backlog_max:.0f}",
            f"{numbers.lag_max:.0f}", _show(numbers.lag_age_max_s), _show(numbers.staleness_max_s),
        ))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ] + list(_COLUMNS_EXPLAINED)


def _at_work(numbers: ServiceNumbers) -> str:
    """The share of the workers at work, or their mean number where they are unlimited."""
    return f"{numbers.utilisation:.0%}" if np.isfinite(numbers.utilisation) else f"{numbers.at_work:.1f}"


def _show(seconds: float | int | None) -> str:
    if seconds is None:
        return "never"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
