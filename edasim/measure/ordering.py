"""Order per key: whether a service saw a customer's orders in the order in which they were placed."""
from __future__ import annotations

import numpy as np

from edasim.core.journal import Verb
from edasim.measure.orders import Orders


def ordering_violations(orders: Orders, service: str) -> int:
    """How many effects on counted orders came after that of a later order with the same key."""
    reading = orders.reading
    facts = reading.of(Verb.applied, lambda place: place.service == service)
    messages = reading.run.messages
    keyed = [(messages[number].key, messages[number].order) for number in facts.numbers.tolist()]
    names = {key: code for code, key in enumerate(sorted({key for key, _ in keyed if key is not None}))}
    mask = np.fromiter((key is not None for key, _ in keyed), np.bool_, len(keyed))
    key = np.fromiter((names[key] for key, _ in keyed if key is not None), np.int64, int(mask.sum()))
    order = np.fromiter((order for key, order in keyed if key is not None), np.int64, int(mask.sum()))
    by_key = np.argsort(key, kind="stable")  # within a key, time goes on
    key, order = key[by_key], order[by_key]
    # One running maximum serves all keys, since each key lifts its orders above those of the key before.
    lifted = key * (reading.orders + 1) + order
    behind = lifted < np.maximum.accumulate(lifted) if len(lifted) else np.zeros(0, np.bool_)
    return int(np.sum(behind & orders.counted[order - 1]))
