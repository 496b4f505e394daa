"""Order per key: whether a service saw a customer's orders in the order in which they were placed."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Verb
from edasim.measure.orders import Orders

Numbers = NDArray[np.int64]
Paths = NDArray[np.uint64]


def ordering_violations(orders: Orders, service: str) -> int:
    """How many effects on counted orders came after that of a later order with the same key.

    Effects of one event type are compared with each other, and of a repeated effect only the first counts.
    """
    reading = orders.reading
    facts = reading.of(Verb.applied, service=service)
    numbers = _first_effects(reading.order_of[facts.numbers], reading.path_of[facts.numbers], facts.numbers)
    messages, counted = reading.run.messages, orders.counted.tolist()
    latest: dict[tuple[str, str], int] = {}
    late = 0
    for message in (messages[number] for number in numbers.tolist()):
        if message.key is None:
            continue
        line, order = (message.event, message.key), message.order
        if order < latest.get(line, order):
            late += counted[order - 1]
        else:
            latest[line] = order
    return late


def _first_effects(orders: Numbers, paths: Paths, numbers: Numbers) -> Numbers:
    """The numbers of the messages whose effect was the first of its order and place, in the order of time."""
    if not len(numbers):
        return numbers
    _, first = np.unique(np.stack([orders.astype(np.uint64), paths]), axis=1, return_index=True)
    return numbers[np.sort(first)]
