"""Proofs about the books: op log, replicas' chains, journal. Read whole and in a stream; nothing is changed
or repaired.

Each proof yields (where, reason) of every row that does not hold, the first broken one first.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.backups.tally import Finding, Tally
from backend.database import clock, to_ms
from backend.journal.book import chain
from backend.journal.models import JournalEntry, JournalHead
from backend.ops.models import LoggedOp, OpIncident
from backend.sync.models import Replica, ReplicaStep
from sync_protocol.identity import GENESIS, chain_head, fingerprint

STREAM = {"yield_per": 1000}
TOLD = ("actor_id", "verb", "op_id", "area_path")


def bodies(session: Session, tally: Tally) -> Iterator[Finding]:
    """I12: every stored op's body is the one whose fingerprint was acknowledged."""
    now = clock(session)
    ops = visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id, LoggedOp.fp, LoggedOp.body, LoggedOp.clock)
    for row in session.execute(ops.execution_options(**STREAM)):
        tally.rows += 1
        if fingerprint(row.body) != row.fp:
            yield f"op {row.op_id}", "the body does not match its fingerprint"
        if row.clock > now:
            yield f"op {row.op_id}", f"its clock {row.clock} is past the commit clock {now}"
    incidents = select(OpIncident.n, OpIncident.fp, OpIncident.body)
    for n, fp, body in session.execute(incidents.execution_options(**STREAM)):
        tally.rows += 1
        if fingerprint(body) != fp:
            yield f"incident {n}", "the body does not match its fingerprint"


def replicas(session: Session, tally: Tally) -> Iterator[Finding]:
    """I5: every replica's head, computed again from number 1 over what is in custody."""
    logs = {
        r.id: r
        for r in session.execute(visible(Replica, SYSTEM).with_only_columns(Replica.id, Replica.next_seq, Replica.head))
    }
    name, seq, head = None, 0, GENESIS
    for row in session.execute(_links().execution_options(**STREAM)):
        tally.rows += 1
        if row.replica != name:
            yield from _end(name, seq, head, logs)
            name, seq, head = row.replica, 0, GENESIS
        if row.seq == seq + 1 and row.fp == row.log_fp:
            head = chain_head(head, row.replica, row.seq, row.fp)
        elif row.seq != seq + 1:
            yield (
                f"replica {name}",
                f"number {row.seq} is there twice" if row.seq == seq else f"number {seq + 1} is missing",
            )
        else:
            yield f"replica {name} number {row.seq}", f"what was taken for op {row.op_id} is not in custody"
        seq = row.seq
    yield from _end(name, seq, head, logs)
    for left in sorted(left for left, r in logs.items() if r.next_seq > 1):
        yield f"replica {left}", "its log is empty, its head is not"


def _links() -> Select[Any]:
    """(replica, seq, op_id, fp, log_fp) of all that moved heads; log_fp is the fingerprint that custody
    holds."""
    own = select(LoggedOp.replica, LoggedOp.seq, LoggedOp.op_id, LoggedOp.fp, LoggedOp.fp.label("log_fp"))
    steps = select(ReplicaStep.replica, ReplicaStep.seq, ReplicaStep.op_id, ReplicaStep.fp)
    known = select(LoggedOp.fp).where(LoggedOp.op_id == ReplicaStep.op_id, LoggedOp.fp == ReplicaStep.fp)
    aside = select(OpIncident.fp).where(OpIncident.op_id == ReplicaStep.op_id, OpIncident.fp == ReplicaStep.fp)
    found = func.coalesce(known.limit(1).scalar_subquery(), aside.limit(1).scalar_subquery())
    everything = union_all(own.where(LoggedOp.replica.is_not(None)), steps.add_columns(found)).subquery()
    return select(everything).order_by(everything.c.replica, everything.c.seq)


def _end(name: str | None, seq: int, head: str, logs: dict[str, Any]) -> Iterator[Finding]:
    if name is None:
        return
    stored = logs.pop(name, None)
    if stored is None:
        yield f"replica {name}", "has ops in the log and is not known"
    elif (stored.next_seq, stored.head) != (seq + 1, head):
        yield f"replica {name}", f"its head at {stored.next_seq} is not that of its {seq} ops"


def journal(session: Session, tally: Tally) -> Iterator[Finding]:
    """The journal's chain, each row's columns against its own body, and each op against what the journal
    says of it."""
    last, n = "0" * 64, 0
    rows = visible(JournalEntry, SYSTEM).with_only_columns(*JournalEntry.__table__.columns, LoggedOp.fp)
    rows = rows.outerjoin(LoggedOp, LoggedOp.op_id == JournalEntry.op_id).order_by(JournalEntry.n)
    for row in session.execute(rows.execution_options(**STREAM)):
        tally.rows += 1
        reason = _broken(row, last, n)
        if reason:
            yield f"journal {row.n}", reason
        n, last = row.n, row.hash
    head = session.execute(select(JournalHead.n, JournalHead.hash)).one_or_none()
    if (n, last) != ((head.n, head.hash) if head else (0, "0" * 64)):
        yield (
            "journal head",
            f"the last row is {n}, the head says {head.n if head else 0}, or their hashes differ",
        )
    yield from _unjournalled(session)


def _broken(row: Any, last: str, n: int) -> str | None:
    """Why a journal row does not follow the one before it, or does not say what its body says; None where it
    is sound."""
    if row.n != n + 1:
        return f"row {n + 1} is missing"
    if row.prev != last or chain(row.prev, row.body) != row.hash:
        return "its hash does not match"
    body: Mapping[str, Any] = json.loads(row.body)
    facts = {**{k: getattr(row, k) for k in TOLD}, "n": row.n, "at": to_ms(row.at)}
    wrong = [k for k, v in facts.items() if body.get(k) != v]
    if wrong:
        return f"its column {wrong[0]} is not what its body says"
    if body.get("fp") != row.fp:
        return f"op {row.op_id} is not in the log as the journal knows it"
    return None


def _unjournalled(session: Session) -> Iterator[Finding]:
    ops = visible(LoggedOp, SYSTEM).with_only_columns(LoggedOp.op_id)
    lost = ops.outerjoin(JournalEntry, JournalEntry.op_id == LoggedOp.op_id).where(JournalEntry.n.is_(None))
    for row in session.execute(lost.order_by(LoggedOp.op_id).execution_options(**STREAM)):
        yield f"op {row.op_id}", "is in the log and not in the journal"
