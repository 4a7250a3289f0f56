"""Forgetting old removals (PROTOCOL.md P17): they are all that grows in a feed of latest states. Nothing else is deleted.

A device that was away for longer is told of the horizon and begins its buckets again; what it recorded is untouched.
"""

from datetime import datetime, timedelta
from typing import Any

from backend.access.scope import SYSTEM
from backend.database import clock, snapshot, transaction
from backend.feed import log as feed
from backend.feed import pages
from backend.journal import book
from backend.sync import queries

DAYS = 180  # how long a device may be away and still be told of removals one by one
PERIODIC = ((86_400.0, lambda now: compact(now - timedelta(days=DAYS))),)
"""For the worker: once a day."""


def compact(cutoff: datetime) -> dict[str, Any]:
    """Forget the removals that are older than `cutoff`, bucket by bucket; may be stopped and run again at any time."""
    with snapshot() as session:
        first_kept = book.first_since(session, cutoff)
        kept_from = queries.clock_of(session, first_kept) if first_kept else clock(session) + 1
        upto = (kept_from or 0) - 1
        found = pages.forgettable(session, upto)
    forgotten = {bucket: _forget(bucket, upto) for bucket in found}
    with snapshot() as session:
        horizons = pages.horizons(session, found)
        epoch = feed.meta(session, SYSTEM).epoch
    return {"epoch": epoch, "upto": upto, "forgotten": sum(forgotten.values()), "horizons": horizons}


def _forget(bucket: str, upto: int) -> int:
    total = 0
    while True:
        with transaction() as session:
            count = feed.forget(session, bucket, upto)
        if not count:
            return total
        total += count
