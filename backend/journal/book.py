"""Writing the journal and checking its chain. Called by ops.apply alone; never reads a feature's tables."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.bulk import insert_many
from backend.database import to_ms
from backend.journal.models import JournalEntry, JournalHead
from backend.plain import plain


def chain(prev: str, body: str) -> str:
    """Hash of a row from the hash before it and its own bytes."""
    return hashlib.sha256(bytes.fromhex(prev) + body.encode()).hexdigest()


def _body(n: int, entry: Mapping[str, Any]) -> str:
    return orjson.dumps({"n": n, **entry}, option=orjson.OPT_SORT_KEYS, default=str).decode()


_JOURNAL: Table = JournalEntry.__table__  # type: ignore[assignment]
_HEAD: Table = JournalHead.__table__  # type: ignore[assignment]
_READ = plain(_HEAD.select())
_MOVE = plain(update(_HEAD).where(_HEAD.c.id == 1).values(n=bindparam("at"), hash=bindparam("last")))


def append(session: Session, entries: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Append `{actor_id, verb, op_id, area_path, summary}` entries. Call only while the commit clock is held."""
    head = session.execute(visible_head(session)).one_or_none()
    if head is None:
        session.execute(insert(JournalHead).values(id=1, n=0, hash="0" * 64))
    n, last = (head.n, head.hash) if head else (0, "0" * 64)
    rows = []
    for entry in entries:
        n += 1
        body = _body(n, {**entry, "at": to_ms(now)})
        row = {k: entry[k] for k in ("actor_id", "verb", "op_id", "area_path")}
        rows.append({**row, "n": n, "at": now, "body": body, "prev": last, "hash": (last := chain(last, body))})
    if rows:
        insert_many(session.connection(), _JOURNAL, rows)
        session.execute(_MOVE, {"at": n, "last": last})


def visible_head(session: Session) -> Any:
    """SELECT of the chain's head (number and hash)."""
    return _READ


def first_since(session: Session, moment: datetime) -> str | None:
    """Op id of the first entry that is not older than `moment`, or None. By halves: a clock that was set back may
    move the place, never by more than it was set back."""
    head = session.execute(visible_head(session)).one_or_none()
    low, high = 1, (head.n if head else 0) + 1
    while low < high:
        middle = (low + high) // 2
        entry = session.get(JournalEntry, middle)
        low, high = (middle + 1, high) if entry is None or entry.at < moment else (low, middle)
    found = session.get(JournalEntry, low)
    return found.op_id if found else None


def verify(session: Session, actor: Actor = SYSTEM) -> Iterator[tuple[int, str]]:
    """Walk the chain; yields (number, reason) of each broken row. Nothing yielded: nothing was altered."""
    last, n = "0" * 64, 0
    rows: Iterable[JournalEntry] = session.scalars(
        visible(JournalEntry, actor).order_by(JournalEntry.n).execution_options(yield_per=1000)
    )
    for row in rows:
        n += 1
        if row.n != n:
            yield row.n, f"row {n} is missing"
            n = row.n
        if row.prev != last or chain(row.prev, row.body) != row.hash:
            yield row.n, "hash does not match"
        last = row.hash
