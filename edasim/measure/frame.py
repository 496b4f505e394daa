"""The facts of a run as a pandas DataFrame, for people who want to ask their own questions."""
from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from edasim.core.journal import ABOUT_MARKERS, ABOUT_MEMBERS, ABOUT_NODES, ABOUT_VERSIONS, Verb
from edasim.measure.reading import NANO, Reading
from edasim.simulate import Run

_NOT_MESSAGES = (Verb.committed, Verb.rewound, Verb.recovered, Verb.skipped, Verb.opened,
                 Verb.half_opened, Verb.closed, *ABOUT_MARKERS, *ABOUT_MEMBERS, *ABOUT_NODES, *ABOUT_VERSIONS)


def frame(run: Run) -> Any:
    """One row a fact: time_s, verb, message, order, event, place, service; no message where a fact has none."""
    pandas = import_module("pandas")
    reading = Reading(run)
    facts = reading.facts
    about_message = ~np.isin(facts.verbs, [int(verb) for verb in _NOT_MESSAGES])
    number = np.where(about_message, facts.numbers, 0)
    names = np.full(max(Verb) + 1, "", dtype=object)
    names[list(Verb)] = [verb.name.replace("_", "-") for verb in Verb]
    events = np.array(reading.events, dtype=object)
    return pandas.DataFrame({
        "time_s": facts.times_ns * NANO,
        "verb": names[facts.verbs],
        "message": pandas.array(np.where(about_message, facts.numbers, -1), dtype="Int64"),
        "order": pandas.array(np.where(about_message, reading.order_of[number], -1), dtype="Int64"),
        "event": [event if about else None
                  for event, about in zip(events[reading.event_of[number]], about_message, strict=True)],
        "place": np.array([str(place) for place in run.places], dtype=object)[facts.places],
        "service": np.array([place.service for place in run.places], dtype=object)[facts.places],
    })
