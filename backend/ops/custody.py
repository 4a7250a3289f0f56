"""Custody of ops: which are known, how one is kept with its outcome, who waits for whom; and the two books behind the clock.

Whether an op may be carried out is apply.py's; nothing here judges.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.bulk import insert_many, update_many
from backend.database import before_commit, tick
from backend.effects import Changed, Effect
from backend.faults import passing
from backend.feed import log as feed_log
from backend.journal import book
from backend.ledgers import lines
from backend.ops import jobs
from backend.ops.models import LoggedOp, OpIncident, OpWait
from backend.ops.op import Op, Outcome
from backend.plain import plain
from backend.problems import queries as problems
from backend.territory import queries as territory

Entry = tuple[Op, Outcome, Sequence[Effect], Actor]
Known = Mapping[str, tuple[str, Outcome]]
MET = frozenset(
    {"applied", "noop", "proposed", "superseded", "redirected"}
)  # an op that waits for such a one waits no more
_OP_LOG: Table = LoggedOp.__table__  # type: ignore[assignment]
# made once: to make a statement costs as much as to run a small one
_OUTCOME = select(
    *(
        _OP_LOG.c[name]
        for name in ("op_id", "seq", "fp", "status", "reason", "clock", "ver", "flags", "detail", "result")
    )
)
_OUTCOMES = plain(_OUTCOME.where(_OP_LOG.c.op_id.in_(bindparam("ids", expanding=True))))
_OUTCOMES_AT = plain(
    _OUTCOME.where(_OP_LOG.c.replica == bindparam("replica"), _OP_LOG.c.seq.in_(bindparam("seqs", expanding=True)))
)
_SOMEBODY_WAITS = plain(select(OpWait.op_id).limit(1))


def known_outcomes(session: Session, op_ids: Sequence[str]) -> dict[str, tuple[str, Outcome]]:
    """Fingerprint and outcome of each op that is in custody already (exactly-once, P7)."""
    return {r.op_id: _known(r) for r in session.execute(_OUTCOMES, {"ids": list(op_ids)})}


def outcomes_at(session: Session, replica: str, seqs: Sequence[int]) -> dict[int, tuple[str, Outcome]]:
    """The same of the ops that stand at these places of a replica's log: of whom only the place is known, the body unread."""
    return {r.seq: _known(r) for r in session.execute(_OUTCOMES_AT, {"replica": replica, "seqs": list(seqs)})}


def _known(r: Any) -> tuple[str, Outcome]:
    flags, result = tuple(r.flags or ()), r.result or {}
    return r.fp, Outcome(r.op_id, r.status, r.reason, r.detail, flags, r.clock, r.ver, True, None, result)


def received_at(session: Session, op_id: str) -> datetime | None:
    """When an op was taken into custody, to the millisecond; None where it was not."""
    return session.execute(select(LoggedOp.received_at).where(LoggedOp.op_id == op_id)).scalar()


def unmet(session: Session, op: Op, known: Known) -> list[tuple[str, str]]:
    """(op id, its status or "unknown") of those that `op` follows and that have not been carried out (P31)."""
    wanted = list(dict.fromkeys([*op.deps, *([op.base["after"]] if op.base and op.base.get("after") else [])]))
    if not wanted:
        return []
    told = {**known_outcomes(session, [w for w in wanted if w not in known]), **known}
    found = [(w, told[w][1].status if w in told else "unknown") for w in wanted]
    return [(name, status) for name, status in found if status not in MET]


def wait(session: Session, op: Op, on: Iterable[str]) -> None:
    """Note that `op` is blocked until these ops are carried out."""
    for name in on:
        rows.add(session, OpWait, {"op_id": op.id, "on_op": name}, "DO NOTHING")


def waiting_for(session: Session, op_id: str) -> list[str]:
    """Ids of the blocked ops that wait for this one."""
    return list(session.scalars(select(OpWait.op_id).where(OpWait.on_op == op_id).order_by(OpWait.op_id)))


def remember(session: Session, entry: Entry, now: datetime) -> None:
    """Keep an op with its outcome; written when the transaction closes, behind everything else."""
    session.info.setdefault("entries", []).append(entry)
    before_commit(session, "books", lambda s: _write_books(s, now))


def incident(session: Session, op: Op, now: datetime) -> Outcome:
    """P10: an op id that was used for another content: kept beside the log, never applied."""
    session.execute(
        insert(OpIncident).values(op_id=op.id, fp=op.fp, replica=op.replica, seq=op.seq, body=op.body, received_at=now)
    )
    return Outcome(op.id, "incident", "op_id_reused", "this op id was used for another content", seq=op.seq)


def _write_books(session: Session, now: datetime) -> None:
    """Op log, feed and journal, behind the commit clock (the last lock taken)."""
    entries: list[Entry] = session.info.pop("entries")
    logged = [_log_row(session, *entry) for entry in entries]
    settled = [row for _, _, effects, _ in entries for effect in effects for row in effect.settles]
    _release(session, [row["op_id"] for row in (*logged, *settled) if row["status"] in MET], now)
    rows.write(session)
    passing("books.before_clock")
    clock = tick(session)
    passing("books.clocked")
    changes: list[Changed] = []
    notes = []
    for row, (op, outcome, effects, actor) in zip(logged, entries, strict=True):
        outcome.clock = row["clock"] = clock
        changes.extend(change for effect in effects for change in effect.changes)
        summary = {k: v for effect in effects for k, v in effect.summary.items()}
        notes.append({"actor_id": actor.id, "verb": op.verb[:40], "op_id": op.id, "area_path": row["area_path"],
                      "status": outcome.status, "fp": op.fp, "summary": summary})  # fmt: skip
    insert_many(session.connection(), _OP_LOG, logged)
    passing("books.logged")
    update_many(session.connection(), _OP_LOG, [{**row, "clock": clock} for row in settled])
    lines.record(session, clock, (change.id for change in changes if change.type == "problem"), now)
    feed_log.record(session, clock, changes)
    passing("books.fed")
    book.append(session, notes, now)
    passing("books.written")


def _release(session: Session, done: list[str], now: datetime) -> None:
    """P31: who waits for an op that is carried out now is looked at by a job of the same transaction."""
    if done and session.execute(_SOMEBODY_WAITS).first() is not None:  # hardly ever does anybody wait
        waiting = select(OpWait.on_op).where(OpWait.on_op.in_(done)).distinct()
        for name in session.scalars(waiting):
            jobs.enqueue(session, "ops.release", f"ops.release:{name}:{now.timestamp()}", {"op_id": name}, now)


def _log_row(session: Session, op: Op, outcome: Outcome, effects: Sequence[Effect], actor: Actor) -> dict[str, Any]:
    area = next((e.summary["area_path"] for e in effects if "area_path" in e.summary), None)
    return {
        "op_id": op.id, "fp": op.fp, "replica": op.replica, "seq": op.seq, "actor_id": op.actor_id or actor.id,
        "custodian": op.custodian, "verb": op.verb[:60], "v": op.v, "ent_type": op.ent_type[:40], "txn": op.txn,
        "ent_id": op.ent_id[:100], "area_path": _area(session, op, actor) if area is None else area,
        "body": op.body, "received_at": op.received_at,
        "t_est_ms": op.recorded.at_ms, "t_lo_ms": op.recorded.low_ms, "t_hi_ms": op.recorded.high_ms,
        "t_quality": op.recorded.quality, "status": outcome.status, "reason": outcome.reason, "detail": outcome.detail, "flags": list(outcome.flags),
        "result": dict(outcome.result), "clock": outcome.clock, "ver": outcome.ver,
    }  # fmt: skip


def _area(session: Session, op: Op, actor: Actor) -> str:
    """Where an op that changed nothing belongs, so that somebody there sees it: its site, its problem, its author's area."""
    site = op.args.get("site_id")
    path = territory.site_path(session, site) if isinstance(site, str) else None
    if path is None and op.ent_type == "problem":
        found = problems.get(session, SYSTEM, op.ent_id)
        path = found.area_path if found else None
    return path or next(iter(actor.areas), "")
