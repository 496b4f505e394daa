"""Event sourcing: keep what happened, work out the state from it, at any moment.

`EventStore` keeps events in streams; an aggregate is a fold `handle(state, event) -> state`; `Repository` works out
states from a store, at any version or time, with snapshots; `account` is the bank account of the textbooks;
`WindowedCount` counts records of a topic by key and window of time.

Source: Fowler, "Event Sourcing", 2005, martinfowler.com/eaaDev/EventSourcing.html.
"""
from __future__ import annotations

from edasim.sourcing import account
from edasim.sourcing.aggregate import Loaded, Repository, fold
from edasim.sourcing.event_store import Event, EventStore, Recorded, VersionConflict
from edasim.sourcing.windows import Seen, Update, WindowedCount, restored, topic_of

__all__ = [
    "Event", "EventStore", "Loaded", "Recorded", "Repository", "Seen", "Update", "VersionConflict", "WindowedCount",
    "account", "fold", "restored", "topic_of",
]
