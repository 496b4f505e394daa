"""Who reads which partition over time: rebalances as one sees them."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from edasim.charts.marks import title
from edasim.charts.style import INK, QUIET, axes, styled
from edasim.measure.ownership import Ownership, Tenure
from edasim.measure.reading import NANO
from edasim.simulate import Run

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#F0E442", "#D55E00", "#999999")
_MOST_NAMED = 10
_UNREAD = "#1A1A1A"


def ownership(run: Run, ax: Axes | None = None, service: str | None = None) -> Axes:
    """A line a partition, coloured by the member that reads it, black where nobody does; for one run on Kafka.

    Without a service, for that whose partitions were unread longest.
    """
    summary = run.summary()
    groups = {name: Ownership(summary.reading, name) for name in run.scenario.services}
    lengths = {name: one.numbers(0.0, one.end_s) for name, one in groups.items()}
    chosen = service or max(groups, key=lambda name: lengths[name].unread_partition_s)
    group, numbers = groups[chosen], lengths[chosen]
    with styled():
        ax = axes(ax)
        rows = {partition: row for row, partition in enumerate(group.by_partition)}
        colours = _colours(group.tenures)
        for one in group.tenures:
            ax.barh(rows[one.partition], one.end_s - one.start_s, left=one.start_s, height=0.7,
                    color=colours[one.member], edgecolor="white", linewidth=0.4)
        for partition, from_s, until_s in group.unread():
            ax.barh(rows[partition], until_s - from_s, left=from_s, height=0.7, color=_UNREAD, linewidth=0)
        for band in run.bands:
            ax.axvline(band.start_ns * NANO, color=QUIET, linewidth=0.8, linestyle=(0, (2, 2)))
        ax.set_yticks(list(rows.values()), list(rows), color=INK)
        ax.invert_yaxis()
        ax.set_xlim(0, max(group.end_s, 1e-9))
        ax.set_xlabel("time since the start (s)")
        ax.set_ylabel(f"partitions of {chosen}")
        _legend(ax, colours)
        title(ax, f"Partitions of {chosen}: {numbers.rebalances} rebalances, unread for "
                  f"{numbers.unread_partition_s:.3g} s in all, one for {numbers.unread_max_s:.3g} s")
    return ax


def _colours(tenures: list[Tenure]) -> dict[str, str]:
    """A colour for each member, in the order in which they came; they repeat when there are many."""
    members = dict.fromkeys(one.member for one in sorted(tenures, key=lambda one: one.start_s))
    return {member: _COLOURS[number % len(_COLOURS)] for number, member in enumerate(members)}


def _legend(ax: Axes, colours: dict[str, str]) -> None:
    handles = [Patch(color=colour, label=member) for member, colour in list(colours.items())[:_MOST_NAMED]]
    ax.legend(handles=[*handles, Patch(color=_UNREAD, label="nobody")], loc="upper left", bbox_to_anchor=(1.0, 1.0),
              fontsize="small", frameon=False)
