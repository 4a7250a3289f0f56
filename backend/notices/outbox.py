"""What goes out of the server, mail or webhook: put in line once, leased, tried again with backoff, dead in the end.

At least once, never at most once: a sender that is killed between its receiver's yes and our note of it sends again, under
the same id. Nothing is sent here (mail.py, webhooks.py), and no lease is held inside a transaction.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.database import db, snapshot, transaction
from backend.faults import passing
from backend.notices.models import Outgoing

LEASE = timedelta(seconds=120)  # longer than any sending may take
MAX_ATTEMPTS = 14
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 6 * 3600.0  # times four each time: two and a half days in all
KEPT = timedelta(days=30)  # what was sent is forgotten then; what is dead stays until somebody has looked at it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sending came to. `is_final`: no use to try again; `is_withdrawn`: nobody may be told of it any more."""

    is_sent: bool = False
    status: int | None = None
    error: str = ""
    wait_s: float | None = None
    is_final: bool = False
    is_withdrawn: bool = False


def put(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Put in line: rows of id, channel, target, kind, data, body. The same id twice is one."""
    if rows:
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        usual = {"state": "waiting", "created_at": now, "run_at": now, "attempts": 0, "body": None, "data": {}}
        statement = dialect.insert(Outgoing).values([{**usual, **row} for row in rows])
        session.execute(statement.on_conflict_do_nothing(index_elements=["id"]))


def claim(channel: str, now: datetime) -> Outgoing | None:
    """Lease the next one that is due, or None."""
    due = visible(Outgoing, SYSTEM).where(
        Outgoing.channel == channel, Outgoing.state == "waiting", Outgoing.run_at <= now,
        (Outgoing.lease_until.is_(None)) | (Outgoing.lease_until < now),
    )  # fmt: skip
    with db.engine.connect() as connection:  # no turn at writing is taken while nothing is due
        if connection.execute(due.with_only_columns(Outgoing.id).limit(1)).first() is None:
            return None
    with transaction() as session:
        found = session.scalars(due.order_by(Outgoing.run_at, Outgoing.id).limit(1).with_for_update(skip_locked=True))
        row = found.first()
        if row is not None:
            row.lease_until, row.attempts = now + LEASE, row.attempts + 1
            session.flush()
            session.expunge(row)
    if row is not None:
        passing("out.leased")
    return row


def settle(session: Session, row: Outgoing, found: Outcome, now: datetime) -> str:
    """Note what became of a leased one; its new state."""
    passing("out.sent")
    state = "sent" if found.is_sent else "withdrawn" if found.is_withdrawn else "waiting"
    if state == "waiting" and (found.is_final or row.attempts >= MAX_ATTEMPTS):
        state = "dead"
    values: dict[str, Any] = {
        "state": state,
        "lease_until": None,
        "last_status": found.status,
        "last_error": found.error[:500] or None,
    }
    if state == "waiting":
        values["run_at"] = now + timedelta(seconds=wait_s(row.attempts, found.wait_s))
    else:
        values["ended_at"] = now
    session.execute(update(Outgoing).where(Outgoing.id == row.id).values(**values))
    return state


def wait_s(attempts: int, asked_s: float | None) -> float:
    """Seconds to the next try after so many: exponential with jitter; longer where the receiver asks for it."""
    usual: float = min(FIRST_WAIT_S * 4 ** (attempts - 1), LONGEST_WAIT_S) * random.uniform(0.75, 1.25)
    return max(usual, min(asked_s or 0.0, LONGEST_WAIT_S))


def redeliver(session: Session, name: str, now: datetime) -> bool:
    """One that is dead is tried again, from the beginning; False where there is no such dead one."""
    anew = update(Outgoing).where(Outgoing.id == name, Outgoing.state == "dead")
    done = session.execute(anew.values(state="waiting", attempts=0, run_at=now, ended_at=None, lease_until=None))
    return bool(done.rowcount)  # type: ignore[attr-defined]


def forget(now: datetime) -> None:
    """What was sent or withdrawn long ago is of no use to anybody."""
    with transaction() as session:
        over = (Outgoing.state.in_(("sent", "withdrawn")), Outgoing.ended_at < now - KEPT)
        session.execute(Outgoing.__table__.delete().where(*over))  # type: ignore[attr-defined]


def dead(session: Session, targets: Sequence[str] | None, limit: int = 500) -> Sequence[Outgoing]:
    """Dead ones, the newest first: of these targets, or all."""
    statement = visible(Outgoing, SYSTEM).where(Outgoing.state == "dead")
    if targets is not None:
        statement = statement.where(Outgoing.target.in_(targets))
    return session.scalars(statement.order_by(Outgoing.ended_at.desc(), Outgoing.id).limit(limit)).all()


def standing(now: datetime) -> dict[str, Any]:
    """By channel: how many wait, how old the oldest is in seconds, how many are dead."""
    columns = (Outgoing.channel, Outgoing.state, func.count(), func.min(Outgoing.created_at))
    statement = visible(Outgoing, SYSTEM).with_only_columns(*columns).where(Outgoing.state.in_(("waiting", "dead")))
    found: dict[str, Any] = {name: {"waiting": 0, "oldest_s": 0, "dead": 0} for name in ("mail", "webhook")}
    with snapshot() as session:
        for channel, state, count, oldest in session.execute(statement.group_by(Outgoing.channel, Outgoing.state)):
            found[channel][state] = count
            if state == "waiting":
                found[channel]["oldest_s"] = max(round((now - oldest).total_seconds()), 0)
    return found
