"""Which key an order carries: the customer, the product, whatever its messages are kept in order by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edasim.core.quantiles import Floats
from edasim.core.quantity import QuantityError, count, share, show_number, show_share, shown

MOST_KEYS = 1_000_000
FORMS = "uniform over 500, zipf 1.1 over 500, hot 30% over 500, each order, or none"
_OVER = re.compile(r"(uniform|zipf ([0-9]{1,3}(?:\.[0-9]{1,20})?)|hot (\S+)) over ([0-9]{1,9})")


@dataclass(frozen=True)
class Keys:
    """How keys are spread over orders.

    `kind` is uniform, zipf (weight 1/rank^bias), hot (the first key gets the share `bias`), each (every order
    has its own), or none. `count` is how many there are, 0 for each and none.
    """

    kind: str = "each"
    count: int = 0
    bias: float = 0.0

    @property
    def text(self) -> str:
        """How a file writes it."""
        if self.kind in ("each", "none"):
            return "each order" if self.kind == "each" else "none"
        bias = {"uniform": "", "zipf": f" {show_number(self.bias)}", "hot": f" {show_share(self.bias)}"}[self.kind]
        return f"{self.kind}{bias} over {self.count}"

    def index(self, uniform: Floats) -> NDArray[np.int64]:
        """The keys, 0 the first and heaviest, for uniforms inside (0, 1); not for each and none."""
        assert self.count, f"keys of {self.text} are not drawn"
        if self.kind == "uniform":
            place = (uniform * self.count).astype(np.int64)
        elif self.kind == "zipf":
            place = np.searchsorted(self._cumulative, uniform * self._cumulative[-1], side="right")
        else:
            place = self._beside_the_hot_one(uniform)
        return np.minimum(place, self.count - 1).astype(np.int64)

    def chances(self) -> Floats:
        """How likely each key is, the heaviest first; not for each and none."""
        assert self.count, f"keys of {self.text} are not drawn"
        weights = np.ones(self.count)
        if self.kind == "zipf":
            weights = np.arange(1, self.count + 1, dtype=np.float64) ** -self.bias
        elif self.kind == "hot":
            weights[0], weights[1:] = self.bias, (1.0 - self.bias) / (self.count - 1)
        chances: Floats = weights / weights.sum()
        return chances

    def _beside_the_hot_one(self, uniform: Floats) -> NDArray[np.int64]:
        others = np.maximum(uniform - self.bias, 0.0) / max(1.0 - self.bias, 1e-300) * (self.count - 1)
        return np.where(uniform < self.bias, 0, 1 + others.astype(np.int64))

    @cached_property
    def _cumulative(self) -> Floats:
        return np.cumsum(np.arange(1, self.count + 1, dtype=np.float64) ** -self.bias)

    def __str__(self) -> str:
        return self.text


def parse_keys(value: object) -> Keys:
    """The keys of a text; raises `QuantityError`."""
    if value in ("each order", "none"):
        return Keys("each" if value == "each order" else "none")
    match = _OVER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise QuantityError(f"{shown(value)} does not say how keys are spread: write it as {FORMS}")
    number = count(int(match[4]), low=1, high=MOST_KEYS)
    if match[2] is not None:
        bias = float(match[2])
        if bias > 20:
            raise QuantityError(f"{shown(value)} is too steep: the number after zipf is at most 20")
        return Keys("zipf", number, bias)
    if match[3] is not None:
        if number < 2:
            raise QuantityError(f"{shown(value)} leaves no key for the others: hot needs at least 2 keys")
        return Keys("hot", number, share(match[3]))
    return Keys("uniform", number)
