"""A hot partition: how many records wait in each partition of a topic, and how large a share each of them gets."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from edasim.charts.kafka_runs import kafka_runs, service_of
from edasim.charts.marks import Label, draw_bands, label_peaks, title
from edasim.charts.style import axes, look, styled
from edasim.charts.subject import comparison_of
from edasim.measure.ownership import Ownership
from edasim.measure.partitions import PartitionReading, partitions
from edasim.measure.steps import Floats
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import grouped

_POINTS = 600
_OTHERS = "#AAAAAA"
_ROOM = 1.18


def hot_partition(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """Records that wait for a service over time, a line for each partition; the one with the most is in colour.

    Without a name, the service with the most of them in one partition, of those that are there from the start.  One run:
    the first on Kafka of a comparison.  Raises ValueError where there is no run on Kafka, or several runs are given.
    """
    runs = kafka_runs(subjects)
    if len(runs) > 1:
        raise ValueError("a chart of a hot partition shows one run: draw each of them by itself")
    run = next(iter(runs.values()))
    chosen = service or service_of(runs, _most_in_one)
    found = partitions(run.summary().reading, chosen)
    hottest = max(found, key=_most)
    with styled():
        ax = axes(ax)
        grid_s = np.linspace(0.0, _last_s(found), _POINTS)
        for one in found:
            hot = one is hottest
            ax.plot(grid_s, one.waiting().at(grid_s), color=look("kafka").colour if hot else _OTHERS,
                    linewidth=look("kafka").width if hot else 1.3, zorder=4 if hot else 3)
        draw_bands(ax, comparison_of((run,)))
        ax.set_xlim(0, grid_s[-1])
        ax.set_ylim(0, _ROOM * _most(hottest) or 1)
        ax.set_xlabel("time since the start (s)")
        ax.set_ylabel(f"records of a partition that wait for {chosen}")
        label_peaks(ax, _labels(found, hottest, grid_s, _readers(run, chosen, hottest)))
        title(ax, _seen(found, hottest, chosen))
    return ax


def _most(one: PartitionReading) -> float:
    waiting = one.waiting()
    return float(waiting.values.max(initial=0.0))


def _most_in_one(run: Run, service: str) -> float:
    """The most that wait in one partition; for who joins late, all that was before would count, hot or not."""
    if run.scenario.services[service].joins:
        return -1.0
    return max(map(_most, partitions(run.summary().reading, service)))


def _last_s(found: list[PartitionReading]) -> float:
    """Until anything moves: the last record is written or begun."""
    return max((float(one.waiting().times_s[-1]) for one in found if one.records), default=1.0)


def _share(one: PartitionReading, found: list[PartitionReading]) -> float:
    return one.records / max(1, sum(other.records for other in found))


def _readers(run: Run, service: str, hottest: PartitionReading) -> list[str]:
    tenures = Ownership(run.summary().reading, service).by_partition.get(hottest.name, ())
    return list(dict.fromkeys(one.member for one in tenures))


def _labels(found: list[PartitionReading], hottest: PartitionReading, grid_s: Floats, readers: list[str]
            ) -> list[Label]:
    others = [one for one in found if one is not hottest]
    drawn = hottest.waiting().at(grid_s)
    peak = int(np.argmax(drawn))
    by = f"\nread by {readers[0]}" if len(readers) == 1 else ""
    text = f"partition {hottest.number}\n{_share(hottest, found):.0%} of records{by}"
    labels = [Label(float(grid_s[peak]), float(drawn[peak]), text, "kafka")]
    if others:
        next_one = max(others, key=_most)
        drawn = next_one.waiting().at(grid_s)
        peak = int(np.argmax(drawn))
        shares = [_share(one, found) for one in others]
        most = f"up to {max(shares):.0%} each" if len(others) > 1 else f"{shares[0]:.0%}"
        who = f"the {len(others)} others" if len(others) > 1 else f"partition {next_one.number}"
        labels.append(Label(float(grid_s[peak]), float(drawn[peak]), f"{who}\n{most}", ""))
    return labels


def _seen(found: list[PartitionReading], hottest: PartitionReading, service: str) -> str:
    """The share of the hottest one, how many wait there, and how many in any other."""
    most = grouped(round(_most(hottest)))
    seen = (f"partition {hottest.number} gets {_share(hottest, found):.0%} of the records, "
            f"and up to {most} of them wait there for {service}")
    others = [_most(one) for one in found if one is not hottest]
    return f"{seen}; at most {grouped(round(max(others)))} in any other" if others else seen
