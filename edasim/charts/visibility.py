"""How soon an order can be seen: the share of accepted orders that a service shows, over the time since the yes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from edasim.charts.marks import Label, label_ends, title
from edasim.charts.style import axes, look, styled
from edasim.charts.subject import comparison_of
from edasim.simulate import Run
from edasim.study.comparison import Comparison
from edasim.study.words import display, listed, seconds_short

_POINTS = 400
_SHORTEST_S = 0.001
LOOK_S = 1.0
"""When the customer of the title looks."""


def visibility(*subjects: Run | Comparison, ax: Axes | None = None, service: str) -> Axes:
    """t-visibility of one service in the first replication; what is never seen is missing at the right end."""
    comparison = comparison_of(subjects)
    with styled():
        ax = axes(ax)
        longest_s = max(2.0, *(run.end_ns / 1e9 for run in comparison.runs.values()))
        delays_s = np.geomspace(_SHORTEST_S, longest_s, _POINTS)
        labels, seen = [], {}
        for name, run in comparison.runs.items():
            looks, share = look(run.architecture), 100 * run.summary().t_visibility(service, delays_s)
            ax.plot(delays_s, share, color=looks.colour, linestyle=looks.dashes, linewidth=looks.width)
            labels.append(Label(longest_s, float(share[-1]), display(name), run.architecture))
            seen[name] = 100 * float(run.summary().t_visibility(service, np.array([LOOK_S]))[0])
        ax.axvline(LOOK_S, color="#999999", linewidth=1, linestyle="dotted", zorder=0)
        ax.set_xscale("log")
        ax.set_xlim(_SHORTEST_S, longest_s)
        ax.set_ylim(0, 104)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_short(value).replace(".0 ", " ")))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("time since the yes (logarithmic)")
        ax.set_ylabel(f"accepted orders that {service} shows (%)")
        first, *others = [f"({display(name)})" for name in seen]
        shares = [f"{share:.0f}%" for share in seen.values()]
        told = [f"{shares[0]} of the orders {first}", *map(" ".join, zip(shares[1:], others, strict=True))]
        title(ax, f"one second after the yes, {service} shows {listed(told)}")
        label_ends(ax, labels)
    return ax
