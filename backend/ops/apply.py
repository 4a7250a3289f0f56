"""The one door: seen before? → known verb? → may they? → schema → savepoint { handler } → reactions → the books.

Nothing else writes the record. No verb is named here; what exists is in table.py, what follows in reactions.py, how an op
is kept in custody.py.
"""

import os
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from marshmallow import ValidationError
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from backend import rows
from backend.access.roles import may
from backend.access.scope import Actor
from backend.accounts import grants
from backend.database import from_ms, lock, to_ms
from backend.effects import Again, Effect
from backend.errors import Blocked, NotAllowed, Problem, Refused, invalid
from backend.now import now_utc
from backend.ops import custody, jobs
from backend.ops.custody import Known, known_outcomes
from backend.ops.op import Op, Outcome, desk_op
from backend.ops.reactions import LATER, REACTIONS
from backend.ops.table import RESTORERS, VERBS
from backend.ops.upcasts import upcast

log = structlog.get_logger(__name__)


def prepare(session: Session, ops: Sequence[Op]) -> None:
    """Read in one go what a lot of new ops will look for; without it each looks for itself."""
    by_verb: dict[str, list[Op]] = {}
    for op in ops:
        by_verb.setdefault(op.verb, []).append(op)
    for verb, alike in by_verb.items():
        for read in VERBS[verb].prepare if verb in VERBS else ():
            read(session, alike)


def apply(
    session: Session, ops: Sequence[Op], actor: Actor, now: datetime, known: Known | None = None
) -> list[Outcome]:
    """Take `ops` (one, or those of one txn: all or none, P32) into custody and carry them out, exactly once.

    Never raises for an op's own faults: it is parked. Call inside `rows.run`; each outcome's `clock` is filled when
    that closes. `known` are the outcomes of ops that are in custody already.
    """
    seen = dict(known_outcomes(session, [op.id for op in ops]) if known is None else known)
    new = {op.id: op for op in reversed(ops) if op.id not in seen}
    fresh = [op for op in ops if new.get(op.id) is op]
    for op, outcome in zip(fresh, _take(session, fresh, actor, now, seen) if fresh else (), strict=True):
        seen[op.id] = (op.fp, outcome)
    return [
        seen[op.id][1] if seen[op.id][0] == op.fp else custody.incident(session, op, now) for op in ops
    ]  # fmt: skip


def submit(
    verb: str, args: Mapping[str, Any], actor: Actor, now: datetime | None = None,
    ent: tuple[str, str] = ("", ""), base: Mapping[str, Any] | None = None, op_id: str | None = None,
    beside: Callable[[Session], None] | None = None,
) -> Outcome:  # fmt: skip
    """An op from a desk, in its own transaction. A refusal is raised (nothing is kept: the person is still there).

    With an `op_id` of its author it may be sent again: what is told then is what was told first (P7). `beside` writes
    what the protocol itself has to note of it, in the same transaction.
    Raises Problem `refused`, `forbidden`, `invalid` or `op_id_reused`.
    """
    at, key = from_ms(to_ms(now or now_utc())), op_id or str(uuid.uuid4())

    def work(session: Session) -> Outcome:
        op = desk_op(key, verb, args, actor.id, ent, at, base)
        more = VERBS[verb].locks(session, op) if verb in VERBS else []
        lock(session, [f"{ent[0]}:{ent[1]}", str(args.get("site_id") or ent[1]), f"op:{key}", *more])
        first_at = custody.received_at(session, key) if op_id else None
        if first_at is not None:  # its body says when it was written: that of the first time
            op = desk_op(key, verb, args, actor.id, ent, first_at, base)
        (outcome,) = apply(session, [op], actor, at)
        if outcome.status in ("parked", "blocked", "incident"):
            raise _as_problem(outcome)
        if beside is not None:
            beside(session)
        return outcome

    return rows.run(work)


def _take(session: Session, ops: Sequence[Op], actor: Actor, now: datetime, known: Known) -> list[Outcome]:
    """New ops that stand or fall together → their outcomes, kept in custody."""
    try:
        results = _attempt(session, ops, actor, now, known)
        flags: tuple[str, ...] = ()
    except _Failed as failed:
        wider = grants.wider(session, actor, now) if failed.is_about_scope else None
        try:
            if wider is None:
                raise
            results, flags = _attempt(session, ops, wider, now, known), ("out_of_scope",)
        except _Failed as last:
            return _park(session, ops, actor, now, last)
    outcomes = []
    for op, effects in zip(ops, results, strict=True):
        first = effects[0]
        outcome = Outcome(
            op.id, first.status, None, None, first.flags + flags, 0, first.ver, False, op.seq, first.result
        )
        custody.remember(session, (op, outcome, effects, actor), now)
        outcomes.append(outcome)
    return outcomes


class _Failed(Exception):
    """One op of several could not be carried out; nothing of any of them was."""

    def __init__(self, op: Op, outcome: Outcome) -> None:
        super().__init__(op.id)
        self.op, self.outcome = op, outcome

    @property
    def is_about_scope(self) -> bool:
        return self.outcome.reason in ("scope_lost", "target_missing")


def _attempt(session: Session, ops: Sequence[Op], actor: Actor, now: datetime, known: Known) -> list[list[Effect]]:
    results: list[list[Effect]] = []
    at, so_far = ops[0], known if len(ops) == 1 else dict(known)
    try:
        with rows.savepoint(session):
            for at in ops:
                results.append(_judge(session, at, actor, now, so_far))
                if len(ops) > 1:
                    so_far = {**so_far, at.id: (at.fp, Outcome(at.id, results[-1][0].status))}
    except Exception as fault:
        raise _Failed(at, _refusal(session, at, fault)) from fault
    return results


def _judge(
    session: Session, op: Op, actor: Actor, now: datetime, known: Known, is_trusted: bool = False
) -> list[Effect]:
    if op.fault:
        raise Refused(*op.fault)
    if op.deps or (op.base and op.base.get("after")):
        waits = custody.unmet(session, op, known)
        if waits:
            raise Blocked("dep_missing", waits)
    op.args = _load(op, actor, is_trusted)
    return _carry_out(session, op, actor, now)


def _load(op: Op, actor: Actor, is_trusted: bool) -> Mapping[str, Any]:
    """Known verb, permission, schema: in that order, so that nobody learns more than they may."""
    verb = VERBS.get(op.verb)
    if verb is None:
        raise Refused("unknown_type", f"unknown verb {op.verb!r}")
    if op.v > verb.v:
        raise Refused("schema_too_new", f"{op.verb} v{op.v} is newer than v{verb.v}")
    if op.actor_id != actor.id or not (is_trusted or may(actor.role, verb.permission)):
        raise NotAllowed(f"{actor.role} may not {op.verb}")
    try:
        loaded: Mapping[str, Any] = verb.schema.load(upcast(op.verb, op.v, verb.v, op.args))
    except ValidationError as fault:
        raise invalid(fault.messages) from fault
    return loaded


def _carry_out(session: Session, op: Op, actor: Actor, now: datetime) -> list[Effect]:
    effects = [VERBS[op.verb].handler(session, op, actor, now)]
    if effects[0].again:
        effects += _carry_out_again(session, effects[0].again, now)
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


def _carry_out_again(session: Session, again: Again, now: datetime) -> list[Effect]:
    """Ops in custody that a person or a release settles: carried out as if they came now (I18)."""
    effects: list[Effect] = []
    known: dict[str, tuple[str, Outcome]] = {}
    if again.restore:
        effects.append(RESTORERS[again.restore[0]](session, again.restore[1], again.actor, now))
    for name, op in again.ops:
        done = _judge(session, op, again.actor, now, known, is_trusted=again.is_trusted)
        first = done[0]
        known[op.id] = (op.fp, Outcome(op.id, first.status))
        settled = {
            "op_id": name, "status": again.status or first.status, "reason": None, "detail": again.note,
            "ver": first.ver, "flags": list(first.flags), "result": dict(first.result),
        }  # fmt: skip
        effects += [*done, Effect(settles=[settled])]
    return effects


def _park(session: Session, ops: Sequence[Op], actor: Actor, now: datetime, failed: _Failed) -> list[Outcome]:
    told = failed.outcome
    outcomes = []
    for op in ops:
        outcome = (
            told if op is failed.op else Outcome(op.id, told.status, "txn_failed", f"with {failed.op.id}", seq=op.seq)
        )
        custody.remember(session, (op, outcome, [], actor), now)
        if told.status == "parked":
            _tell_parked(session, op, outcome, actor, now)
        if told.status == "blocked":
            custody.wait(session, op, told.waits_for)
        outcomes.append(outcome)
    return outcomes


def _tell_parked(session: Session, op: Op, outcome: Outcome, actor: Actor, now: datetime) -> None:
    """Somebody must look at it: the only event that is no handler's, for no handler had its way."""
    told = {"author_id": op.actor_id or actor.id, "area_path": next(iter(actor.areas), ""), "reason": outcome.reason}
    for react in REACTIONS.get("op.parked", ()):
        react(session, told, actor, now)


def _refusal(session: Session, op: Op, fault: Exception) -> Outcome:
    """What a fault of an op makes of it. Raises again what is the database's fault: the whole lot is tried anew."""
    if isinstance(fault, Blocked):
        return Outcome(op.id, "blocked", fault.reason, str(fault), seq=op.seq, waits_for=tuple(n for n, _ in fault.on))
    if isinstance(fault, Refused):
        return Outcome(op.id, "parked", fault.reason, fault.detail, seq=op.seq)
    if isinstance(fault, Problem):
        return Outcome(op.id, "parked", _park_reason(fault), _told(fault), seq=op.seq)
    if isinstance(fault, IntegrityError | DataError):
        if not rows.is_eager(session):
            raise fault  # whose row it is shows when the transaction is run again, row by row
        is_taken = isinstance(fault, IntegrityError)
        said = ("conflict", "another record has this id") if is_taken else ("invalid", "a value that cannot be stored")
        return Outcome(op.id, "parked", *said, seq=op.seq)
    if not _is_ours(fault):
        raise fault
    log.error("handler_error", op=op.id, verb=op.verb, exc_info=fault)
    return Outcome(op.id, "parked", "handler_error", type(fault).__name__, seq=op.seq)


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
                                  "target_missing": "not_found", "handler_error": "internal", "unknown_type": "invalid"}  # fmt: skip


def _as_problem(outcome: Outcome) -> Problem:
    code = _DESK_CODES.get(outcome.reason or "", "refused")
    return Problem(code, outcome.detail or "", extra={"reason": outcome.reason})
