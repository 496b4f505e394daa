"""What the rows of a report's table mean, in a line each, so that the file explains itself."""

from __future__ import annotations

from collections.abc import Iterable

MEANINGS = {
    "workers": "What each architecture was given.",
    "an answer means": "Done: the customer's yes comes when the work is done. Received: it comes when the broker "
                       "has it.",
    "fault": "Whether a fault of the scenario hits a part that this architecture has.",
    "orders placed": "Orders placed after the warm-up; all rows below count these, unless they say otherwise.",
    "accepted": "Orders that were answered with a yes.",
    "refused": "The first answer was no, or the customer had left before any.",
    "done": "Every effect exists that the order needs.",
    "parked": "Accepted and not done, and a message of the order lies among the dead letters, where a person finds it.",
    "lost": "Accepted, not done, and nothing in the system will ever go on with it.",
    "pending": "Not answered, or not done and still on its way, when the run ended.",
    "regretted": "Accepted, and compensated later.",
    "customer waits": "From placed to any answer, or until the customer left; all customers, the refused ones "
                      "included.",
    "accept latency": "From placed to a yes; only of those who got one.",
    "order done after": "From placed to the last effect that the order needs; of accepted orders; one that is "
                        "never done counts as endless.",
    "half done at most": "The most orders at one moment that had some of their effects and not all.",
    "effects of refused orders": "Effects that exist although the customer was told no, or had left.",
    "effects made twice": "Effects beyond the first for the same service, order and cause.",
    "effects out of order per key": "Effects that came after the effect of a later order with the same key.",
    "attempts": "Starts of handlers, all services together: first ones, retries and those of copies.",
    "dead letters": "Messages that were given up and set aside for a person.",
    "backlog at most": "The most messages that waited for one service with no attempt begun.",
    "lag at most": "The most messages of one service that were not settled; what is in hands counts. Also as the age "
    "of the oldest.",
    "stale at most": "How old the oldest accepted order was that a service had not applied.",
    "not visible after 1 s": "How many effects could not be seen 1 s after the yes, all services together.",
    "back to normal after": "From a fault's end until a service is as up to date as before it.",
    "parts to run": "What has to be deployed and watched.",
    "wait, ": "From when a message is there for the service until work on it begins: measured, and in theory; then how "
    "much of the time its workers are at work, measured and in theory.",
    "waiting on average": "Messages that wait, on average; under it what Little's law makes of rate and mean wait.",
}
"""By how a row's name begins."""


def meanings(rows: Iterable[str]) -> list[tuple[str, str]]:
    """(word, meaning) for the rows that a table has, each word once, in their order."""
    found: dict[str, str] = {}
    for row in rows:
        word = max((word for word in MEANINGS if row.startswith(word)), key=len, default="")
        if word:
            found[word.rstrip(", ")] = MEANINGS[word]
    return list(found.items())
