"""Over time: what waits, how stale it is, what is done, what stands half done; faults as bands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from edasim.charts.marks import Label, draw_bands, draw_curves, label_ends, label_peaks, title
from edasim.charts.style import INK, axes, look, styled
from edasim.charts.subject import comparison_of
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.precision import Interval
from edasim.study.words import count_text, display, listed, seconds_short, seconds_text, subject

_NOTHING = 0.02
_FEW = 5
_AT_WORST = "at the worst moment of a run on"


@dataclass(frozen=True)
class _Quantity:
    """What a chart over time shows: the curve, the number that is its worst moment, and the words around them."""

    path: str
    curve: str
    show: Callable[[Interval], str]
    told: str
    label: str


def backlog(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """Messages that wait for a service over time; without a name, for the one with the most at any time."""
    comparison = comparison_of(subjects)
    chosen = service or hardest_hit(comparison, "services.{}.backlog_max")
    return _worst_over_time(ax, comparison, _Quantity(
        f"services.{chosen}.backlog_max", f"backlog {chosen}", count_text,
        f"{{}} messages wait for {chosen}", f"messages waiting for {chosen}"))


def staleness(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """The age of the oldest accepted order that a service has not applied, over time."""
    comparison = comparison_of(subjects)
    chosen = service or hardest_hit(comparison, "services.{}.staleness_s.max")
    return _worst_over_time(ax, comparison, _Quantity(
        f"services.{chosen}.staleness_s.max", f"staleness {chosen}", seconds_text,
        f"{chosen}'s view is {{}} old", f"age of the oldest order missing in {chosen} (s)"))


def lag(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """Messages that are not settled for a service, as an operator sees them; without a name, for the one with the most.

    On Kafka these are the records above the committed offsets: it rises until the next commit and falls with it.
    """
    comparison = comparison_of(subjects)
    chosen = service or hardest_hit(comparison, "groups.{}.lag_max")
    return _worst_over_time(ax, comparison, _Quantity(
        f"groups.{chosen}.lag_max", f"lag {chosen}", count_text,
        f"{chosen} lags {{}} messages behind", "messages not settled (lag)"))


def lag_age(*subjects: Run | Comparison, ax: Axes | None = None, service: str | None = None) -> Axes:
    """The same in seconds: the age of the oldest message that is not settled for a service."""
    comparison = comparison_of(subjects)
    chosen = service or hardest_hit(comparison, "groups.{}.lag_age_max_s")
    return _worst_over_time(ax, comparison, _Quantity(
        f"groups.{chosen}.lag_age_max_s", f"lag-age {chosen}", seconds_text,
        f"{chosen} lags {{}} behind", "oldest message not settled (s)"))


def torn(*subjects: Run | Comparison, ax: Axes | None = None) -> Axes:
    """Orders that stand half done, over time."""
    return _worst_over_time(ax, comparison_of(subjects), _Quantity(
        "torn_peak", "torn", count_text, "{} orders stand half done", "orders with some effects but not all"))


def _worst_over_time(ax: Axes | None, comparison: Comparison, of: _Quantity) -> Axes:
    with styled():
        ax = axes(ax)
        most, worst = _worst(comparison, of.path)
        _over_time(ax, comparison, of.curve, worst, of.show)
        title(ax, _titled(comparison, f"{of.told.format(of.show(worst))} {_AT_WORST} {most}"))
        ax.set_ylabel(of.label)
    return ax


def completed(*subjects: Run | Comparison, ax: Axes | None = None, zoom: bool = False) -> Axes:
    """Orders done so far, over time, with how long the catch-up took; `zoom` shows the time around the fault only."""
    comparison = comparison_of(subjects)
    with styled():
        ax = axes(ax)
        last_s = draw_curves(ax, comparison, "completed")
        draw_bands(ax, comparison)
        end_s = _zoom_end_s(comparison, last_s) if zoom else last_s
        start_s = max(0.0, comparison.focus.start_s - 0.35 * (end_s - comparison.focus.start_s)) if zoom else 0.0
        ax.set_xlim(start_s, end_s)
        _fit_height(ax, comparison, start_s, end_s)
        _label_catch_up(ax, comparison)
        label_ends(ax, _end_labels(comparison, end_s))
        title(ax, _titled(comparison, _gap_words(comparison)))
        ax.set_xlabel("time since the start (s)")
        ax.set_ylabel("orders done" + (", those of the warm-up too" if comparison.scenario.warm_up else ""))
    return ax


def hardest_hit(comparison: Comparison, path: str) -> str:
    """The service whose number at the path, `{}` standing for its name, is the largest in any architecture."""
    return max(
        comparison.scenario.services,
        key=lambda service: max(
            comparison.interval(name, path.format(service)).mean for name in comparison.architectures
        ),
    )


def _titled(comparison: Comparison, seen: str) -> str:
    what = comparison.focus.text
    return f"{what}: {seen}" if what and len(what) < 50 else seen


def _worst(comparison: Comparison, path: str) -> tuple[str, Interval]:
    """The architecture with the most of it, and the mean of its runs' worst moments.

    That is more than the top of its curve, since runs are worst at different times.
    """
    most = max(comparison.architectures, key=lambda name: comparison.interval(name, path).mean)
    return display(most), comparison.interval(most, path)


def _over_time(
    ax: Axes, comparison: Comparison, curve: str, worst: Interval, show: Callable[[Interval], str]
) -> None:
    """The curves, each with the number of its own highest point; the axis holds the worst moment of a run, too."""
    last_s = draw_curves(ax, comparison, curve)
    draw_bands(ax, comparison)
    ax.set_xlim(0, last_s * 1.02 or 1)
    highest = max(float(comparison.curve(name, curve)[1].max()) for name in comparison.architectures)
    ax.set_ylim(0, 1.18 * max(highest, worst.mean) or 1)
    lines = f"lines: mean of {comparison.replications} runs," if comparison.replications > 1 else "lines: drawn"
    step_s = comparison.first(comparison.architectures[0]).step_s
    ax.set_xlabel(f"time since the start (s); {lines} every {seconds_short(step_s)}")
    peaks = {name: show(_top(comparison, name, curve)) for name in comparison.architectures}
    label_peaks(ax, _peak_labels(comparison, curve, peaks, _NOTHING * highest, ax.get_xlim()[1]))


def _top(comparison: Comparison, name: str, curve: str) -> Interval:
    """The highest point of a drawn curve, with its interval there."""
    _, mean, half = comparison.curve(name, curve)
    peak = int(np.argmax(mean))
    top, side = float(mean[peak]), float(half[peak]) if comparison.replications > 1 else math.nan
    return Interval(top, top - side, top + side, comparison.replications).not_below(0.0)


def _peak_labels(
    comparison: Comparison, curve: str, peaks: dict[str, str], nothing: float, end_s: float
) -> list[Label]:
    """A label for each curve at its highest point; those that rise to `nothing` at most share one at the end."""
    labels, flat = [], []
    for name in comparison.architectures:
        times_s, mean, _ = comparison.curve(name, curve)
        peak = int(np.argmax(mean))
        if mean[peak] <= nothing:
            flat.append(name)
            continue
        architecture = comparison.first(name).architecture
        labels.append(Label(float(times_s[peak]), float(mean[peak]), f"{display(name)}\n{peaks[name]}", architecture))
    if flat:
        always = all(not comparison.curve(name, curve)[1].any() for name in flat)
        text = f"{', '.join(map(display, flat))}\n{'always 0' if always else 'next to nothing'}"
        labels.append(Label(end_s, 0.0, text, ""))
    return labels


def _zoom_end_s(comparison: Comparison, last_s: float) -> float:
    """A little after the last architecture has caught up."""
    view = comparison.focus
    waits = [comparison.interval(name, "catch_up_s").mean for name in comparison.architectures]
    longest_s = max((wait for wait in waits if math.isfinite(wait)), default=0.0)
    if view.whole:
        return last_s
    after_s = view.end_s + max(1.35 * longest_s, 0.8 * (view.end_s - view.start_s))
    return max(view.end_s, min(last_s, after_s))


def _fit_height(ax: Axes, comparison: Comparison, start_s: float, end_s: float) -> None:
    heights = [
        values
        for times_s, mean, half in (comparison.curve(name, "completed") for name in comparison.architectures)
        for here in [(times_s >= start_s) & (times_s <= end_s)]
        for values in (mean[here] - half[here], mean[here] + half[here])
        if here.any()
    ]
    low, high = min(values.min() for values in heights), max(values.max() for values in heights)
    ax.set_ylim(max(0.0, low - 0.03 * (high - low)), high + 0.06 * (high - low) or 1)


def _end_labels(comparison: Comparison, end_s: float) -> list[Label]:
    labels = []
    for name in comparison.architectures:
        times_s, mean, _ = comparison.curve(name, "completed")
        value = float(np.interp(end_s, times_s, mean))
        labels.append(Label(end_s, value, display(name), comparison.first(name).architecture))
    return labels


def _label_catch_up(ax: Axes, comparison: Comparison) -> None:
    """A bracket from the end of the fault to when what waited is worked off, where orders were kept."""
    view = comparison.focus
    kept = [name for name in comparison.architectures if comparison.first(name).answer == "received"]
    names = [name for name in kept if _backlog_grew(comparison, name)]
    if view.whole or not names:
        return
    name = max(names, key=lambda one: comparison.interval(one, "catch_up_s").mean)
    wait = comparison.interval(name, "catch_up_s")
    if not wait.known or wait.mean < 0.01 * view.end_s:
        return
    low, high = ax.get_ylim()
    height = low + 0.07 * (high - low)
    colour = look(comparison.first(name).architecture).colour
    ax.annotate(
        "",
        (view.end_s, height),
        (view.end_s + wait.mean, height),
        arrowprops={"arrowstyle": "|-|, widthA=0.25, widthB=0.25", "color": colour, "linewidth": 1.5},
    )
    ax.annotate(
        f"{display(name)} catches up in {seconds_text(wait)}",
        (view.end_s + wait.mean / 2, height),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize="small",
        color=INK,
        annotation_clip=False,
    )


def _backlog_grew(comparison: Comparison, name: str) -> bool:
    """Whether the fault makes messages wait that orders cannot be done without: others do not show in orders done."""
    required = [service for service, spec in comparison.scenario.services.items() if spec.required]
    return any(comparison.rises(name, f"backlog {service}", _FEW) for service in required)


def _gap_words(comparison: Comparison) -> str:
    """What the ends of the curves say."""
    done = {name: comparison.interval(name, "orders.done") for name in comparison.architectures}
    most = max(done, key=lambda name: done[name].mean)
    gaps = {name: comparison.difference(most, "orders.done", name) for name in done}
    behind = [
        name for name, gap in gaps.items()
        if gap.interval.mean >= 0.5 and (gap.sign or comparison.replications == 1)
    ]  # fmt: skip
    if not behind:
        some = f"{count_text(done[most])} orders"
        alike = max(gap.interval.mean for gap in gaps.values()) < 0.5
        if not alike:
            return f"{some} get done, and none is told apart"
        return f"{listed(map(subject, done))} {'get' if len(done) > 1 else 'gets'} {some} done"
    ahead = [name for name in done if name not in behind]
    first, *others = [f"{count_text(gaps[name].interval)} more orders done than {subject(name)}" for name in behind]
    told = listed([first, *(other.replace(" orders done", "") for other in others)])
    return f"{listed(map(subject, ahead))} get{'' if len(ahead) > 1 else 's'} {told}"
