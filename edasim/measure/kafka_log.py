"""What a Kafka log holds beside what a group reads: markers of transactions, aborted records, and overtaken ones."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edasim.core.journal import Facts, Verb
from edasim.measure.reading import Reading
from edasim.scenario.value import Scenario

OVERTAKEN_FROM, OVERTAKEN = "overtaken from", "overtaken"
"""The details of the two facts of a group that skips records which are gone: where it stood, and where it goes on."""


def reads_committed(scenario: Scenario) -> bool:
    """Whether the services' consumers leave out what was aborted."""
    kafka = scenario.architectures.kafka
    if kafka is None:
        return False
    usual = "read_committed" if kafka.commit == "transaction" else "read_uncommitted"
    return bool(kafka.consumer.get("isolation.level", usual) == "read_committed")


def offsets(reading: Reading, partition: int, records: int) -> NDArray[np.int64]:
    """The offsets of a partition's records in the order of their appending: all that no marker has taken."""
    marked = reading.of(Verb.marked)
    markers = marked.numbers[marked.places == partition]
    taken = np.isin(np.arange(records + len(markers)), markers)
    free: NDArray[np.int64] = np.flatnonzero(~taken)
    return free[:records]


def passed_over(reading: Reading, service: str) -> list[Facts]:
    """When records ceased to wait for a service that never read them: aborted, or gone before it came to them."""
    found = list(_overtaken(reading, service))
    if reads_committed(reading.run.scenario):
        handles = reading.run.scenario.services[service].handles
        found.append(reading.of(Verb.aborted, lambda place: place.kind == "partition" and (
            place.service == service or (place.service == "" and place.name.rpartition("-")[0] in handles))))
    return found


def _overtaken(reading: Reading, service: str) -> Iterator[Facts]:
    places = reading.run.places
    partitions = {place.name: number for number, place in enumerate(places) if place.kind == "partition"}
    appended = reading.of(Verb.appended)
    stood = reading.of(Verb.skipped, lambda place: place.detail == OVERTAKEN_FROM, service)
    gone_on = reading.of(Verb.skipped, lambda place: place.detail == OVERTAKEN, service)
    for index in range(len(gone_on)):
        partition = partitions[places[int(gone_on.places[index])].name.split(" ", 1)[1]]
        records = appended.only(appended.places == partition)
        where = offsets(reading, partition, len(records))
        lost = records.only((where >= stood.numbers[index]) & (where < gone_on.numbers[index]))
        count = len(lost)
        yield Facts(np.full(count, gone_on.times_ns[index]), lost.packed,
                    np.full(count, gone_on.rows[index], np.intp))
