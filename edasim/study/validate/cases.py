"""All cases by their law."""

from __future__ import annotations

from functools import cache

from edasim.study.validate import (
    accounts,
    availability,
    contention,
    delivery,
    identities,
    many_servers,
    measuring,
    networks,
    replicas,
    retries,
    sharing,
    single_server,
    storms,
)
from edasim.study.validate.case import Case
from edasim.study.validate.laws import laws

_TOPICS = (single_server, many_servers, sharing, networks, identities, availability, retries, contention, storms,
           delivery, replicas, accounts, measuring)


@cache
def cases() -> dict[str, Case]:
    """The cases in the order of the laws."""
    found = {case.law: case for topic in _TOPICS for case in topic.CASES}
    return {law: found[law] for law in laws() if law in found}
