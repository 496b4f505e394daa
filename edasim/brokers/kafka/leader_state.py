"""What a partition's replicas know of idempotent producers: it is in the log, so that each new leader knows it, too.

Source in apache/kafka: ProducerStateManager, ProducerAppendInfo.checkSequence.
"""
from __future__ import annotations

from edasim.brokers.kafka.log import ProducerState
from edasim.brokers.kafka.truncation import Batched


class StrangersState(ProducerState):
    """A producer of whom the log holds nothing: it may begin with any sequence."""

    __slots__ = ()

    def accepts(self, sequence: int) -> bool:
        """Whether this batch is the next one; if so it counts as appended."""
        if not self._known:
            self._next = sequence
        return super().accepts(sequence)


class LeaderState:
    """The sequences of all batches in a log, and what follows from them; `states` is the partition's own table."""

    def __init__(self, states: dict[tuple[int, int], ProducerState]) -> None:
        self._states = states
        self._notes: list[Batched] = []
        self._strangers = False

    def of(self, producer: int, epoch: int) -> ProducerState:
        """The state of a producer in one of its epochs."""
        state = self._states.get((producer, epoch))
        if state is None:
            known = not self._strangers or any(other == producer for other, _ in self._states)
            state = self._states[producer, epoch] = ProducerState() if known else StrangersState()
        return state

    def note(self, end: int, producer: int, epoch: int, sequence: int) -> None:
        """A batch was appended."""
        self._notes.append(Batched(end, producer, epoch, sequence))

    def cut(self, offset: int) -> list[Batched]:
        """The log ends at an offset now; returns the batches that stood beyond it."""
        gone = [note for note in self._notes if note[0] > offset]
        del self._notes[len(self._notes) - len(gone) :]
        self._strangers = True
        return gone

    def put_on(self, batches: list[Batched]) -> None:
        """Batches stand in the log again."""
        self._notes += batches

    def rebuild(self) -> None:
        """A new leader reads its log; until there was truncation that is what the old one knew."""
        if self._strangers:
            self._states.clear()
            for _, producer, epoch, sequence in self._notes:
                state = self.of(producer, epoch)
                state.accepts(sequence)
