"""Random draws that hang on nothing but their key: the same order, the same work, in every architecture.

A counter-based generator (Philox 4x64, whose bit stream NumPy promises to keep) turns (seed, purpose, name)
into a stream and (order, path, n) into a place in it.  Uniforms only are taken from NumPy; a variate is the
inverse CDF of one uniform, made here, so that moving a parameter moves the variate smoothly.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
_BLOCK_BITS = 10
_WITHIN = BLOCK - 1
_BLOCKS_KEPT = 64
_WORDS_PER_COUNT = 4
_AT_A_COUNT = {"bit_generator": "Philox", "buffer": np.zeros(_WORDS_PER_COUNT, np.uint64),
               "buffer_pos": _WORDS_PER_COUNT, "has_uint32": 0, "uinteger": 0}
"""The state of a generator that has used up the numbers of its last count; without which count and key it stands at."""

Law = Callable[[NDArray[np.float64]], NDArray[Any]]
"""The inverse CDF: uniforms in (0, 1) to values."""


class Stream:
    """The uniforms of one purpose and name, addressed by block and by a place (path, n).

    `generator` is set to the place before each use: to make a new one would cost more than its numbers.
    """

    def __init__(self, generator: np.random.Philox, seed: int, purpose: str, name: str) -> None:
        digest = blake2b(f"{seed}\0{purpose}\0{name}".encode(), digest_size=16).digest()
        self._generator = generator
        self._key = np.frombuffer(digest, dtype="<u8").copy()

    def uniforms(self, block: int, path: int = 0, n: int = 0) -> NDArray[np.float64]:
        """The 1,024 uniforms in (0, 1) with the numbers block x 1024 and on."""
        counter = np.array([block * (BLOCK // _WORDS_PER_COUNT), path, n, 0], dtype=np.uint64)
        state: Any = {**_AT_A_COUNT, "state": {"counter": counter, "key": self._key}}
        self._generator.state = state
        uniforms = (self._generator.random_raw(BLOCK) >> np.uint64(11)).astype(np.float64)
        uniforms += 0.5
        uniforms *= 2.0**-53
        return uniforms


class StreamBundle:
    """Several streams read side by side: one row of uniforms each."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def uniforms(self, block: int) -> NDArray[np.float64]:
        """Uniforms of shape (streams, 1024)."""
        return np.array([stream.uniforms(block) for stream in self._streams])


class KeyedDraw:
    """Values by (order, path, n) under a law that may be changed while the run goes on."""

    def __init__(self, stream: Stream, law: Law) -> None:
        self._stream = stream
        self._law = law
        self._blocks: dict[int | tuple[int, int, int], list[Any]] = {}

    def use(self, law: Law) -> None:
        """Values from here on follow another law, made from the same uniforms."""
        self._law = law
        self._blocks.clear()

    def at(self, order: int, path: int, n: int) -> Any:
        """The value for the nth start of a handler for the message at `path` of an order."""
        # The first start for an order's first message is nearly all there is: it has a plain number as its key.
        number = order >> _BLOCK_BITS
        key = number if n == 1 and path == 0 else (number, path, n)
        try:
            return self._blocks[key][order & _WITHIN]
        except KeyError:
            return self._fill(key, number, path, n)[order & _WITHIN]

    def _fill(self, key: int | tuple[int, int, int], block: int, path: int, n: int) -> list[Any]:
        # Orders are handled nearly in their order, so the oldest block is the least likely to be asked again.
        if len(self._blocks) >= _BLOCKS_KEPT:
            del self._blocks[next(iter(self._blocks))]
        values: list[Any] = self._law(self._stream.uniforms(block, path, n)).tolist()
        self._blocks[key] = values
        return values


class SequentialDraw:
    """Values one after another; `draw()` is the next one.  Over a bundle of streams, the law combines their rows."""

    def __init__(self, stream: Stream | StreamBundle, law: Law) -> None:
        self._stream = stream
        self._law = law
        self._values: list[Any] = []
        self._block = -1
        self.draw: Callable[[], Any] = chain.from_iterable(self._sequence()).__next__

    def use(self, law: Law) -> None:
        """The values not yet drawn follow another law, made from the same uniforms."""
        self._law = law
        if self._block >= 0:
            self._transform()

    def _transform(self) -> None:
        # In place: the iteration over it goes on at its index, over the new values.
        self._values[:] = self._law(self._stream.uniforms(self._block)).tolist()

    def _sequence(self) -> Iterator[list[Any]]:
        while True:
            self._block += 1
            self._transform()
            yield self._values


def identity(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The uniform law itself: for shares, where a draw below the share is a hit."""
    return uniforms


class Draws:
    """All streams of one run, by seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generator = np.random.Philox(0)

    def stream(self, purpose: str, name: str) -> Stream:
        """The bare uniforms of a purpose and name."""
        return Stream(self._generator, self.seed, purpose, name)

    def keyed(self, purpose: str, name: str, law: Law = identity) -> KeyedDraw:
        """Values by (order, path, n): work, failures, poison."""
        return KeyedDraw(self.stream(purpose, name), law)

    def sequential(self, purpose: str, name: str, law: Law = identity) -> SequentialDraw:
        """Values in sequence: wires, jitter, phases."""
        return SequentialDraw(self.stream(purpose, name), law)
