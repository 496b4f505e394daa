"""Theory under the pictures: what the present sliders mean for each service, before and beside the runs."""

from __future__ import annotations

import html
from collections.abc import Sequence

from matplotlib.colors import to_hex

from edasim.charts.style import look, text_colour
from edasim.lab.track import colour
from edasim.scenario.value import Scenario
from edasim.study.comparison import Comparison
from edasim.study.theory.beside import Beside, measured_words, wait_words
from edasim.study.theory.models import Prediction, predict
from edasim.study.theory.overload import warnings_of
from edasim.study.theory.stations import stations
from edasim.study.words import capitalised, display

_STYLE = (
    "<style>.edasim-theory table{border-collapse:collapse;font-size:12px;line-height:1.35}"
    ".edasim-theory td,.edasim-theory th{padding:1px 10px 1px 0;text-align:left;font-weight:normal;white-space:nowrap}"
    ".edasim-theory th{color:#666}.edasim-theory .over{color:#b00020;font-size:13px}</style>"
)
_LEGEND = "the long run of the closest textbook queue, ≈ an approximation"


def readout(scenario: Scenario, architectures: Sequence[str]) -> str:
    """Overload, and for each service in each architecture the closest queue, its wait and how busy it is, as HTML."""
    names = list(scenario.services)
    known = {name: stations(scenario, name) for name in architectures}
    rows = []
    for name, found in known.items():
        queues = list(found.values())[: 1 if name == "monolith" else None]
        rows.append(_row(name, [_words(predict(queue)) for queue in queues], len(names)))
    return _page(warnings_of(scenario, known), names, rows, f"Mean waits in theory: {_LEGEND}.")


def readout_beside(comparison: Comparison) -> str:
    """The same with what several replications measured, with error bars; `≠` where theory is outside of them."""
    theory, names = comparison.theory(), list(comparison.scenario.services)
    rows = []
    for name in comparison.architectures:
        found = [theory.row(name, service) for service in names]
        rows.append(_row(name, [_beside(row) for row in (found[:1] if name == "monolith" else found)], len(names)))
    notes = [f"Waits measured in {comparison.replications} runs, mean ± half of the 95% interval, and in theory: "
             f"{_LEGEND}, ≠ is outside the error bar.", *(f"≠ {one}" for one in theory.differences())]
    return _page(theory.overload(), names, rows, "\n".join(notes))


def _words(prediction: Prediction) -> str:
    return f"{html.escape(wait_words(prediction))}, {_busy(prediction)}"


def _beside(row: Beside) -> str:
    sign = "≠ " if row.differs else ""
    return f"{html.escape(measured_words(row.wait))}; {sign}{_words(row.prediction)}"


def _busy(prediction: Prediction) -> str:
    shade = colour(prediction.load)
    return f'<span style="border-bottom:3px solid {shade}">{min(prediction.load, 9.99):.0%} busy</span>'


def _row(architecture: str, cells: Sequence[str], wide: int) -> str:
    span = f' colspan="{wide}"' if len(cells) == 1 < wide else ""
    shade = to_hex(text_colour(look(architecture).colour))
    name = f'<td style="color:{shade}"><b>{html.escape(display(architecture))}</b></td>'
    return f"<tr>{name}{''.join(f'<td{span}>{cell}</td>' for cell in cells)}</tr>"


def _page(overload: Sequence[str], names: Sequence[str], rows: Sequence[str], note: str) -> str:
    over = "".join(f'<div class="over">{html.escape(capitalised(sentence))}.</div>' for sentence in overload)
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *names))
    lines = "<br>".join(html.escape(line) for line in note.split("\n"))
    return (f'{_STYLE}<div class="edasim-theory">{over}<table><tr>{heads}</tr>{"".join(rows)}</table>'
            f'<div style="color:#666;font-size:11px;line-height:1.35">{lines}</div></div>')
