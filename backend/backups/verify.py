"""Proving a whole record: every check by name, each to its end, the first broken rows named. Nothing is
changed."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.backups import books, membership, pictures, record
from backend.backups.published import published
from backend.backups.tally import Finding, Tally, told
from backend.database import snapshot
from backend.photos.store import PhotoStore

Check = Callable[[Session, Tally], Iterator[Finding]]
# What a copy of the database must hold by itself, in this order: the file first, then what was written, then
# what it says.
OF_A_COPY: Mapping[str, Check] = {
    "database": record.database, "bodies": books.bodies, "replicas": books.replicas, "journal": books.journal,
    "references": record.references,
}  # fmt: skip


def checks_of(today: date, store: PhotoStore | None) -> dict[str, Check]:
    """Every check by name. Without a `store` photos, problems and the feed are left out: what a backup's
    database must hold by itself. `today` is the day on which deadlines are counted."""
    checks: dict[str, Check] = {**OF_A_COPY, "ledger": partial(record.ledger, today=today), "published": published}
    if store is not None:
        photos = partial(pictures.files, store=store)
        checks |= {"problems": record.problems, "feed": membership.members, "photos": photos}
    return checks


def record_of(today: date, store: PhotoStore | None) -> dict[str, Any]:
    """Prove the record of the current app: {ok, broken, checks: {name: {ok, rows, broken, first}},
    state_hash, seconds}.

    Each check reads one snapshot; a server may work meanwhile.
    """
    started = time.monotonic()
    made = {name: run(check) for name, check in checks_of(today, store).items()}
    state = made["database"].pop("state_hash", None)
    broken = [name for name, check in made.items() if not check["ok"]]
    seconds = round(time.monotonic() - started, 1)
    return {"ok": not broken, "broken": broken, "checks": made, "state_hash": state, "seconds": seconds}


def run(check: Check) -> dict[str, Any]:
    """One check in a snapshot of its own. What the database cannot even read out is a finding too, and the
    last one."""
    with snapshot() as session, _whatever_is_stored(session):
        return told(lambda tally: _readable(check(session, tally)))


def _readable(found: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from found
    except (DBAPIError, ValueError) as fault:
        yield "database", f"cannot be read: {getattr(fault, 'orig', None) or fault}"


@contextmanager
def _whatever_is_stored(session: Session) -> Iterator[None]:
    """Text whose bytes were altered may be no text any more: SQLite shall hand it out all the same, to be
    named."""
    raw: Any = session.connection().connection.driver_connection
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    raw.text_factory = lambda stored: stored.decode("utf-8", "replace")
    try:
        yield
    finally:
        raw.text_factory = str
