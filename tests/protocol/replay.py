"""The first oracle: the op log of a history, played again op by op through the one door on a server that has nothing yet, gives
the same record. Written without the code of pushes, retries and jobs; asserts nothing.

The order is the journal's: that of the clock, and of the ops of one clock among themselves. An op that was settled later (parked,
then tried again) is played where it first came, and settled again by the op that settled it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.database import Base, snapshot
from backend.journal.models import JournalEntry
from backend.ops.apply import apply
from backend.ops.models import LoggedOp
from backend.ops.op import Op, framed_op
from backend.sweeps.queries import field_actor
from sync_protocol.clock import Estimate
from sync_protocol.envelope import frames
from sync_protocol.identity import GENESIS

# What is not the record: bookkeeping of the protocol and of jobs, the books themselves, what belongs to a phone.
ASIDE = frozenset({
    "op_log", "op_waits", "op_incidents", "jobs", "journal", "journal_head", "commit_clock", "replicas", "replica_steps",
    "device_contacts", "divergences", "rescues", "unreadable_pushes", "feed_horizons", "server_meta", "devices", "enrol_codes", "web_sessions", "uploads",
    "notice_facts", "notices", "outgoing",  # what is to be told and was: a queue, and lines that jobs hand out of it
    "ledger_lines", "ledger_moments", "ledger_marks",  # told by clocks, as the feed's places are; what they count is in ledger_cells
})  # fmt: skip
PLACE_IN_FEED = frozenset({"clock", "sub"})  # one transaction each here, several ops in one there
Record = dict[str, list[dict[str, Any]]]


def record(session: Session) -> Record:
    """Every row of every table of the record, in the order of its key; of the feed, the members with their versions."""
    tables = {name: table for name, table in Base.metadata.tables.items() if name not in ASIDE}
    return {name: _rows(session, name, table) for name, table in tables.items()}


def _rows(session: Session, name: str, table: Table) -> list[dict[str, Any]]:
    found = [dict(row) for row in session.execute(select(table)).mappings()]
    if name == "feed_rows":
        found = [{k: v for k, v in row.items() if k not in PLACE_IN_FEED} for row in found if row["is_member"]]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str, ensure_ascii=False))


def log_in_order(session: Session) -> list[tuple[LoggedOp, int]]:
    """Every op of the journal that the log still has, in its order, with its number there."""
    numbered = select(LoggedOp, JournalEntry.n).join(JournalEntry, JournalEntry.op_id == LoggedOp.op_id)
    found = [(row, n) for row, n in session.execute(numbered.order_by(JournalEntry.n))]
    session.expunge_all()
    return found


def play(app: Flask, log: list[tuple[LoggedOp, int]]) -> dict[str, str]:
    """Play what is not there yet, one op a transaction, each at the time of its coming → {op id: status that it has in the end}."""
    with app.app_context():
        with snapshot() as session:
            known = set(session.scalars(select(LoggedOp.op_id)))
        for row, _ in log:
            if row.op_id not in known:
                _play_one(row)
        with snapshot() as session:
            return {row.op_id: row.status for row in session.execute(select(LoggedOp.op_id, LoggedOp.status))}


def _play_one(row: LoggedOp) -> None:
    (framed,) = frames([{"seq": row.seq or 1, "prev": GENESIS, "body": row.body}])
    framed.recorded = Estimate(row.t_est_ms, row.t_lo_ms, row.t_hi_ms, row.t_quality)  # by the witness of its push, which is over

    def work(session: Session) -> None:
        actor = _actor(session, row)
        op: Op = framed_op(framed, actor.id, row.custodian, row.replica, row.received_at)
        op.seq = row.seq
        apply(session, [op], actor, row.received_at)

    rows.run(work)


def _actor(session: Session, row: LoggedOp) -> Actor:
    if row.actor_id == SYSTEM.id:
        return SYSTEM
    found = field_actor(session, row.custodian or row.actor_id)
    assert found is not None, f"nobody is {row.actor_id}"
    return found


@contextmanager
def at(app: Flask) -> Iterator[Session]:
    """One snapshot of an app."""
    with app.app_context(), snapshot() as session:
        yield session


def differences(ours: Record, theirs: Record) -> dict[str, Any]:
    """{table: rows that only one of them has}; empty where the records are the same."""
    found = {}
    for name in ours:
        here, there = ([json.dumps(r, sort_keys=True, default=_plain, ensure_ascii=False) for r in side[name]] for side in (ours, theirs))
        if here != there:
            found[name] = (sorted(set(here) - set(there)), sorted(set(there) - set(here)))
    return found


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
