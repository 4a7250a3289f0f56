"""The one door: seen before? → known verb? → may they? → schema → savepoint { handler } → reactions → the books.

Nothing else writes the record. No verb is named here; what exists is in table.py, what follows in reactions.py.
"""

import os
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from marshmallow import ValidationError
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend import rows
from backend.access.roles import may
from backend.access.scope import Actor
from backend.bulk import insert_many
from backend.database import before_commit, lock, tick
from backend.effects import Effect
from backend.errors import NotAllowed, Problem, Refused, invalid
from backend.feed import log as feed_log
from backend.journal import book
from backend.ops import jobs
from backend.ops.models import LoggedOp, OpIncident
from backend.ops.op import Op, Outcome, desk_op
from backend.ops.reactions import LATER, REACTIONS
from backend.ops.table import VERBS

log = structlog.get_logger(__name__)
Entry = tuple[Op, Outcome, list[Effect], Actor]
Known = Mapping[str, tuple[str, Outcome]]


def now_utc() -> datetime:
    """The clock, read once per request and passed down."""
    return datetime.now(UTC)


def known_outcomes(session: Session, op_ids: list[str]) -> dict[str, tuple[str, Outcome]]:
    """Fingerprint and outcome of each op that is in custody already (exactly-once, D3)."""
    rows = session.execute(
        select(LoggedOp.op_id, LoggedOp.fp, LoggedOp.status, LoggedOp.reason, LoggedOp.clock, LoggedOp.ver,
               LoggedOp.flags, LoggedOp.detail, LoggedOp.result).where(LoggedOp.op_id.in_(op_ids))
    )  # fmt: skip
    return {
        r.op_id: (r.fp, Outcome(r.op_id, r.status, r.reason, r.detail, tuple(r.flags or ()), r.clock, r.ver, True,
                                None, r.result or {}))
        for r in rows
    }  # fmt: skip


def prepare(session: Session, ops: Sequence[Op]) -> None:
    """Read in one go what a lot of new ops will look for; without it each looks for itself."""
    by_verb: dict[str, list[Op]] = {}
    for op in ops:
        by_verb.setdefault(op.verb, []).append(op)
    for verb, alike in by_verb.items():
        for read in VERBS[verb].prepare if verb in VERBS else ():
            read(session, alike)


def apply(session: Session, op: Op, actor: Actor, now: datetime, known: Known | None = None) -> Outcome:
    """Take `op` into custody and carry it out, exactly once. Never raises for the op's own faults: it is parked.

    Call inside `database.transaction()`; the outcome's `clock` is filled when that closes.
    """
    seen = known if known is not None else known_outcomes(session, [op.id])
    if op.id in seen:
        fp, outcome = seen[op.id]
        if fp == op.fp:
            return outcome
        return _incident(session, op, now)
    effects: list[Effect] = []
    try:
        op.args = _load(op, actor)
        with rows.savepoint(session):
            effects = _carry_out(session, op, actor, now)
        first = effects[0]
        outcome = Outcome(
            op.id, first.status, None, None, first.flags, 0, first.ver, False, op.seq, first.result
        )
    except Refused as refusal:
        outcome = Outcome(op.id, "parked", refusal.reason, refusal.detail, seq=op.seq)
    except Problem as problem:
        outcome = Outcome(op.id, "parked", _park_reason(problem), _told(problem), seq=op.seq)
    except IntegrityError:
        if not rows.is_eager(session):
            raise  # whose row it is shows when the transaction is run again, row by row
        outcome = Outcome(op.id, "parked", "conflict", "another record has this id", seq=op.seq)
    except Exception as fault:
        if not _is_ours(fault):
            raise
        log.exception("handler_error", op=op.id, verb=op.verb)
        outcome = Outcome(op.id, "parked", "handler_error", type(fault).__name__, seq=op.seq)
    _remember(session, (op, outcome, effects, actor), now)
    return outcome


def submit(
    verb: str, args: Mapping[str, Any], actor: Actor, now: datetime | None = None,
    ent: tuple[str, str] = ("", ""), base: Mapping[str, Any] | None = None, op_id: str | None = None,
) -> Outcome:  # fmt: skip
    """An op from a desk, in its own transaction. A refusal is raised (nothing is kept: the person is still there).

    Raises Problem `refused`, `forbidden`, `invalid` or `op_id_reused`.
    """
    at, key = now or now_utc(), op_id or str(uuid.uuid4())

    def work(session: Session) -> Outcome:
        lock(session, [f"{ent[0]}:{ent[1]}", str(args.get("site_id") or ent[1])])
        op = desk_op(key, verb, args, actor.id, ent, at, base)
        outcome = apply(session, op, actor, at)
        if outcome.status in ("parked", "incident"):
            raise _as_problem(outcome)
        return outcome

    return rows.run(work)


def _load(op: Op, actor: Actor) -> Mapping[str, Any]:
    """Known verb, permission, schema: in that order, so that nobody learns more than they may."""
    if op.fault:
        raise Refused(*op.fault)
    verb = VERBS.get(op.verb)
    if verb is None:
        raise Refused("unknown_type", f"unknown verb {op.verb!r}")
    if op.v > verb.v:
        raise Refused("schema_too_new", f"{op.verb} v{op.v} is newer than v{verb.v}")
    if op.actor_id != actor.id or not may(actor.role, verb.permission):
        raise NotAllowed(f"{actor.role} may not {op.verb}")
    try:
        loaded: Mapping[str, Any] = verb.schema.load(dict(op.args))
        return loaded
    except ValidationError as fault:
        raise invalid(fault.messages) from fault


def _carry_out(session: Session, op: Op, actor: Actor, now: datetime) -> list[Effect]:
    effects = [VERBS[op.verb].handler(session, op, actor, now)]
    events = deque(effects[0].events)
    while events:
        happened = events.popleft()
        for react in REACTIONS.get(happened.name, ()):
            effect = react(session, happened.data, actor, now)
            effects.append(effect)
            events.extend(effect.events)
        for kind, key_of in LATER.get(happened.name, ()):
            jobs.enqueue(session, kind, f"{kind}:{happened.data[key_of]}", dict(happened.data), now)
    return effects


def _remember(session: Session, entry: Entry, now: datetime) -> None:
    session.info.setdefault("entries", []).append(entry)
    before_commit(session, "books", lambda s: _write_books(s, now))


_OP_LOG: Table = LoggedOp.__table__  # type: ignore[assignment]


def _write_books(session: Session, now: datetime) -> None:
    """Op log, feed and journal, behind the commit clock (the last lock taken)."""
    entries: list[Entry] = session.info.pop("entries")
    rows.write(session)
    clock = tick(session)
    logged, changes, notes = [], [], []
    for op, outcome, effects, actor in entries:
        outcome.clock = clock
        logged.append(_log_row(op, outcome, actor, effects))
        changes.extend(change for effect in effects for change in effect.changes)
        summary = {k: v for effect in effects for k, v in effect.summary.items()}
        notes.append({"actor_id": actor.id, "verb": op.verb[:40], "op_id": op.id, "area_path": logged[-1]["area_path"],
                      "status": outcome.status, "fp": op.fp, "summary": summary})  # fmt: skip
    insert_many(session.connection(), _OP_LOG, logged)
    feed_log.record(session, clock, changes)
    book.append(session, notes, now)


def _log_row(op: Op, outcome: Outcome, actor: Actor, effects: list[Effect]) -> dict[str, Any]:
    area = next((e.summary["area_path"] for e in effects if "area_path" in e.summary), "")
    return {
        "op_id": op.id, "fp": op.fp, "replica": op.replica, "seq": op.seq, "actor_id": op.actor_id or actor.id,
        "custodian": op.custodian, "verb": op.verb[:60], "v": op.v, "ent_type": op.ent_type[:40],
        "ent_id": op.ent_id[:100], "area_path": area, "body": op.body, "received_at": op.received_at,
        "status": outcome.status, "reason": outcome.reason, "detail": outcome.detail, "flags": list(outcome.flags),
        "result": dict(outcome.result), "clock": outcome.clock, "ver": outcome.ver,
    }  # fmt: skip


def _incident(session: Session, op: Op, now: datetime) -> Outcome:
    session.execute(
        insert(OpIncident).values(
            op_id=op.id, fp=op.fp, replica=op.replica, seq=op.seq, body=op.body, received_at=now
        )
    )
    return Outcome(op.id, "incident", "op_id_reused", "this op id was used for another content", seq=op.seq)


def _is_ours(fault: Exception) -> bool:
    """A fault of a handler is parked; a fault of the database or a kill is not, the whole chunk is tried again."""
    module = type(fault).__module__
    return not module.startswith(("sqlalchemy", "psycopg", "sqlite3")) and not os.environ.get("HUYUAN_RAISE")


def _told(problem: Problem) -> str:
    listed = "; ".join(f"{e['pointer']}: {e['detail']}" for e in problem.errors)
    return listed or problem.detail


def _park_reason(problem: Problem) -> str:
    return {"forbidden": "forbidden", "not_found": "target_missing"}.get(problem.code, "invalid")


_DESK_CODES: Mapping[str, str] = {"forbidden": "forbidden", "invalid": "invalid", "op_id_reused": "op_id_reused",
                                  "target_missing": "not_found", "handler_error": "internal"}  # fmt: skip


def _as_problem(outcome: Outcome) -> Problem:
    code = _DESK_CODES.get(outcome.reason or "", "refused")
    return Problem(code, outcome.detail or "", extra={"reason": outcome.reason})


Handler = Callable[[Session, Op, Actor, datetime], Effect]
