"""The repair desk: what a person does with an op that is parked or blocked. Each act is an op itself; bodies never change.

How the op is then carried out is apply.py's (Effect.again).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Again, Effect, OpLike
from backend.errors import Refused
from backend.ops import queries
from backend.ops.models import LoggedOp
from backend.ops.op import Op, framed_op, touched
from backend.sweeps.queries import field_actor
from sync_protocol.clock import Estimate
from sync_protocol.envelope import Framed, frame
from sync_protocol.identity import GENESIS


def retry(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.retry`: as if it came now (I18), with all of its txn; in the name and with the rights of its author."""
    held = _held(session, op, actor)
    author = field_actor(session, held[0].actor_id)
    if author is None:
        raise Refused("forbidden", "its author is no longer active")
    return _again(op, held, Again(tuple((row.op_id, _op(row)) for row in held), author))


def edit(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.edit`: other args, in the name of the person who edits; the original stands as superseded."""
    (row,) = _one(session, op, actor)
    made = replace(_freed(_op(row)), id=op.id, actor_id=actor.id, args=op.args["args"], v=op.args["v"], fault=None)
    again = Again(((row.op_id, made),), actor, "superseded", f"by {op.id}: {op.args['note']}", is_trusted=True)
    return _again(op, [row], again)


def redirect(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.redirect`: the same content for another entity or another site; the original stands as redirected."""
    (row,) = _one(session, op, actor)
    old = _freed(_op(row))
    args = {**old.args, "site_id": op.args["site_id"]} if op.args["site_id"] else old.args
    ent = op.args["ent"] or {"t": old.ent_type, "id": old.ent_id}
    made = replace(old, id=op.id, actor_id=actor.id, ent_type=ent["t"], ent_id=ent["id"], args=args)
    told = f"to {ent['t']} {ent['id']} by {op.id}"
    return _again(op, [row], Again(((row.op_id, made),), actor, "redirected", told, is_trusted=True))


def restore(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.restore`: bring its target back first, then carry it out."""
    held = _held(session, op, actor)
    author = field_actor(session, held[0].actor_id)
    if author is None:
        raise Refused("forbidden", "its author is no longer active")
    ops = tuple((row.op_id, _op(row)) for row in held)
    return _again(op, held, Again(ops, author, restore=(held[0].ent_type, held[0].ent_id)))


def discard(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.discard`: it will not be carried out, and why. What was typed stays in the op log."""
    held = _held(session, op, actor)
    settles: list[dict[str, Any]] = [
        {"op_id": row.op_id, "status": "discarded", "reason": row.reason, "detail": f"{actor.id}: {op.args['reason']}",
         "ver": None, "flags": [], "result": {}} for row in held
    ]  # fmt: skip
    summary = {"discarded": [row.op_id for row in held], "reason": op.args["reason"], "area_path": held[0].area_path}
    return Effect(settles=settles, summary=summary)


def hand_over(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`op.hand_over`: what it waits for has not come in time: a person decides now."""
    held = _held(session, op, actor)
    settles: list[dict[str, Any]] = [
        {"op_id": row.op_id, "status": "parked", "reason": row.reason, "detail": row.detail, "ver": None, "flags": [],
         "result": {}} for row in held
    ]  # fmt: skip
    return Effect(settles=settles, summary={"handed_over": [r.op_id for r in held], "area_path": held[0].area_path})


def locks(session: Session, op: Op) -> list[str]:
    """Names that carrying out the kept op may change; locked with the desk op's own, in one order."""
    rows = queries.with_txn(session, SYSTEM, op.ent_id)
    return [key for row in rows for key in touched(_framed(row))]


def _held(session: Session, op: OpLike, actor: Actor) -> Sequence[LoggedOp]:
    rows = queries.with_txn(session, actor, op.ent_id)
    if not rows:
        raise Refused("target_missing", "no such op within your territory")
    decided = [row for row in rows if row.status not in ("parked", "blocked")]
    if decided:
        raise Refused("guard_failed", f"{decided[0].op_id} is {decided[0].status} already")
    return rows


def _one(session: Session, op: OpLike, actor: Actor) -> Sequence[LoggedOp]:
    rows = _held(session, op, actor)
    if len(rows) > 1:
        raise Refused("guard_failed", "it belongs to a txn: that is retried or discarded as a whole")
    return rows


def _again(op: OpLike, held: Sequence[LoggedOp], again: Again) -> Effect:
    summary: dict[str, Any] = {"repairs": [row.op_id for row in held], "was": held[0].status, "why": held[0].reason}
    return Effect(again=again, summary=summary)


def _framed(row: LoggedOp) -> Framed:
    framed = frame({"seq": row.seq or 1, "prev": GENESIS, "body": row.body})
    if row.t_est_ms is not None and row.t_hi_ms is not None:  # it was recorded when it was, however late it is applied
        framed.recorded = Estimate(row.t_est_ms, row.t_lo_ms, row.t_hi_ms, row.t_quality or "suspect")
    return framed


def _freed(op: Op) -> Op:
    """A person has looked: it waits for no other op any more."""
    return replace(op, deps=(), base={k: v for k, v in op.base.items() if k != "after"} if op.base else None)


def _op(row: LoggedOp) -> Op:
    return framed_op(_framed(row), row.actor_id, row.custodian, row.replica, row.received_at)
