"""A rebalance: which member of a consumer group reads which partition when, and which partitions nobody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.axes import Axes

from edasim.charts.kafka_runs import kafka_runs, protocol_words, service_of
from edasim.charts.marks import draw_bands, title
from edasim.charts.style import INK, QUIET, axes, styled
from edasim.charts.subject import comparison_of
from edasim.measure.ownership import GroupNumbers, Ownership, Tenure
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import counted, grouped, listed, seconds_short

MEMBER_COLOURS = ("#A6CEE3", "#FDD49E", "#B8E0C2", "#E3C8DC", "#F5EFA6", "#D5D5D5")
"""Light, so that a member's number can be read on its bar; after six members they come again."""
NOBODY = "#1A1A1A"
_HIGH = 0.84
_LABELLED = 0.07
_LETTER = 0.0105
_ROWS_WITH_NUMBERS = 24
_DAWDLE = 0.12
_SHOWN_S = 0.0005


@dataclass(frozen=True)
class _Block:
    """One group in the chart: what stands above it, its rows, and the row of the first."""

    words: str
    owned: Ownership
    row: int

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each partition."""
        return {name: row for row, name in enumerate(self.owned.by_partition, self.row)}

    @cached_property
    def numbers(self) -> GroupNumbers:
        """What it cost in the whole run."""
        return self.owned.numbers(0.0, self.owned.end_s)


def rebalance(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """A row for each partition, a bar for each stretch in which a member reads it, black where nobody does.

    Several runs, with other assignors or protocols, stand under each other; without a name, the service whose group has
    most partition-seconds unread.  Raises ValueError where there is no run on Kafka.

    rebalance(eager, cooperative, service="payment")
    """
    runs = kafka_runs(subjects)
    chosen = service or _most_unread(runs)
    with styled():
        ax = axes(ax)
        blocks = _blocks(runs, chosen)
        last_row = blocks[-1].row + len(blocks[-1].rows)
        start_s, end_s = _window(blocks, runs)
        ax.set_xlim(start_s, end_s)
        ax.set_ylim(last_row - 0.4, -1.2)
        for block in blocks:
            _draw(ax, block, (start_s, end_s))
        draw_bands(ax, comparison_of((next(iter(runs.values())),)))
        ax.set_xlim(start_s, end_s)
        ax.set_ylabel("partition")
        ax.set_xlabel("time since the start (s); black: nobody reads it")
        ax.grid(False, axis="y")
        title(ax, _seen(blocks, chosen))
    return ax


def rebalanced(run: Run) -> bool:
    """Whether a group of this run ever shared its partitions anew."""
    return any(group.rebalances for group in run.summary().groups.values())


def _most_unread(runs: Mapping[str, Run]) -> str:
    return service_of(runs, lambda run, name: run.summary().groups[name].unread_partition_s)


def _blocks(runs: Mapping[str, Run], service: str) -> list[_Block]:
    words, blocks, row = protocol_words(runs), [], 0
    for name, run in runs.items():
        blocks.append(_Block(words[name], Ownership(run.summary().reading, service), row))
        row += len(blocks[-1].rows) + 1
    return blocks


def _window(blocks: list[_Block], runs: Mapping[str, Run]) -> tuple[float, float]:
    """From a little before the first change of hands to a little after the last; everything where there is none."""
    moments = [moment for block in blocks for one in block.owned.tenures for moment in (one.start_s, one.end_s)
               if 0 < moment < block.owned.end_s]
    moments += [moment for run in runs.values() for _, *span in run.summary().fault_bands for moment in span]
    last_s = max(block.owned.end_s for block in blocks)
    if not moments:
        return 0.0, last_s
    room = max(0.5, _DAWDLE * (max(moments) - min(moments)))
    return max(0.0, min(moments) - room), min(last_s, max(moments) + room)


def _draw(ax: Axes, block: _Block, window: tuple[float, float]) -> None:
    start_s, end_s = window
    colours = _colours(block.owned.tenures)
    for one in block.owned.tenures:
        left, right = max(one.start_s, start_s), min(one.end_s, end_s)
        if right <= left:
            continue
        row = block.rows[one.partition]
        ax.barh(row, right - left, left=left, height=_HIGH, color=colours[one.member], edgecolor="white", linewidth=0.8)
        if right - left > max(_LABELLED, _LETTER * len(one.member)) * (end_s - start_s):
            ax.text((left + right) / 2, row, one.member, ha="center", va="center", fontsize=7.5, color=INK)
    for partition, *gap in block.owned.unread():
        _draw_gap(ax, block.rows[partition], gap, window)
    _numbers(ax, block)
    ax.text(0.0, block.row - 0.55, _told(block), transform=ax.get_yaxis_transform(), va="bottom", fontsize="small",
            fontweight="bold", color=INK)


def _colours(tenures: list[Tenure]) -> dict[str, str]:
    """A colour for each member, in the order in which they came; they repeat where there are many."""
    members = dict.fromkeys(one.member for one in sorted(tenures, key=lambda one: one.start_s))
    return {member: MEMBER_COLOURS[number % len(MEMBER_COLOURS)] for number, member in enumerate(members)}


def _draw_gap(ax: Axes, row: int, gap: Sequence[float], window: tuple[float, float]) -> None:
    left, right = max(gap[0], window[0]), min(gap[1], window[1])
    if right - left < _SHOWN_S:
        return
    ax.barh(row, right - left, left=left, height=_HIGH, color=NOBODY, linewidth=0)
    if right - left > _LABELLED * (window[1] - window[0]):
        ax.text((left + right) / 2, row, seconds_short(gap[1] - gap[0]), ha="center", va="center", fontsize=7.5,
                color="white")


def _numbers(ax: Axes, block: _Block) -> None:
    """The numbers of the partitions, every few of them where there are many."""
    names = tuple(block.rows)
    topics = {name.rpartition("-")[0] for name in names}
    step = 1 + len(names) // _ROWS_WITH_NUMBERS
    ticks = [*ax.get_yticks(), *range(block.row, block.row + len(names), step)] if block.row else list(
        range(0, len(names), step))
    texts = [text.get_text() for text in ax.get_yticklabels()] if block.row else []
    texts += [(name if len(topics) > 1 else name.rpartition("-")[2]) for name in names[::step]]
    ax.set_yticks(ticks, texts)
    ax.tick_params(axis="y", length=0, colors=QUIET)


def _told(block: _Block) -> str:
    unread_s = block.numbers.unread_partition_s
    moved = counted(block.numbers.moves, "change")
    return f"{block.words}: {grouped(unread_s, _decimals(unread_s))} partition-seconds unread, {moved} of hands"


def _seen(blocks: list[_Block], service: str) -> str:
    """How long partitions of the group went unread, with each protocol."""
    unread = [block.numbers.unread_partition_s for block in blocks]
    shown = [grouped(one, _decimals(one)) for one in unread]
    if len(blocks) == 1:
        longest_s = blocks[0].numbers.unread_max_s
        if not longest_s:
            return f"every partition of {service} has a reader all the time"
        return (f"nobody reads {service}'s partitions for {shown[0]} partition-seconds, "
                f"one of them for {seconds_short(longest_s)} on end")
    told = [f"{number} ({block.words})" for number, block in zip(shown, blocks, strict=True)]
    return f"partition-seconds in which nobody reads for {service}: {listed(told)}"


def _decimals(number: float) -> int:
    return 0 if number >= 10 or number == 0 else 1 if number >= 1 else 2
