"""Extension (延期) and acceptance (验收): asked for by the unit, decided by a supervisor who did not ask. Never the clock's days."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.effects import Effect, OpLike
from backend.errors import Invalid, Refused
from backend.problems import record as problems
from backend.problems.models import Problem
from backend.problems.table import Step
from backend.programmes import limits
from backend.supervision import record
from backend.supervision.models import Proceeding
from backend.workdays import local_date

STEP_OF = {
    "granted": "grant_extension", "refused": "refuse_extension", "passed": "pass_acceptance", "failed": "fail_acceptance",
}  # fmt: skip


def ask_extension(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`extension.ask`: until when, and why; before the limit. The supervisor is next until it is decided.

    Refuses guard_failed: no day to extend, too late to ask, another application is open. Invalid: `until` is no later day.
    """
    problem, _ = problems.reach(session, actor, op.ent_id)
    step = record.judged(session, op, actor, problem, "ask_extension")
    assert step is not None, "asking is never so already"
    until, today = op.args["until"], local_date(now)
    if problem.due_on is None:
        raise Refused("guard_failed", f"{problem.number} has no day that could be extended")
    _in_time(problem, today)
    _later(until, max(problem.due_on, today), "/until")
    said = {"until": until.isoformat(), "reason": op.args["reason"], "measures": op.args["measures"],
            "before": problem.due_on.isoformat()}  # fmt: skip
    record.opened(session, op, actor, problem, "extension", "open", said, step.limit, now)
    record.take(
        session, op, actor, problem, "ask_extension", step, op.args["reason"], now, {"extension": op.id, **said}
    )
    problem.waits_id = op.id
    session.flush()
    return record.told(problem, "ask_extension", op.id)


def decide_extension(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`extension.decide`: granted to a day, or refused with a reason; a granted one moves the deadline with its reason."""
    found, problem = record.held(session, actor, op, "extension")
    status = op.args["verdict"]
    if found.status != "open":
        return record.stands(op, found, problem, status)
    step = _decided(session, op, actor, found, problem)
    answer: dict[str, str] = {"opinion": op.args["opinion"]}
    if status == "granted":
        until = op.args["until"] or date.fromisoformat(found.said["until"])
        _later(until, max(filter(None, (problem.due_on, local_date(now)))), "/until")
        answer["until"] = until.isoformat()
        told = {
            "set_by": actor.id,
            "op": op.id,
            "extension": found.id,
            "why": found.said["reason"],
            "before": problem.deadline_reason,
        }
        problem.due_on, problem.deadline_reason = until, told
    record.take(
        session, op, actor, problem, STEP_OF[status], step, op.args["opinion"], now, {"extension": found.id, **answer}
    )
    record.ended(found, status, answer, actor, now)
    session.flush()
    return record.told(problem, STEP_OF[status], found.id, status=status)


def ask_acceptance(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`acceptance.ask`: the unit says that the hazard is put right and asks to be visited."""
    problem, _ = problems.reach(session, actor, op.ent_id)
    step = record.judged(session, op, actor, problem, "ask_acceptance")
    assert step is not None, "asking is never so already"
    said = {name: op.args[name] for name in ("summary", "funds", "self_check")} | {
        "done_on": op.args["done_on"].isoformat()
    }
    record.opened(session, op, actor, problem, "acceptance", "open", said, step.limit, now)
    record.take(session, op, actor, problem, "ask_acceptance", step, op.args["summary"], now, {"acceptance": op.id})
    problem.waits_id = op.id
    session.flush()
    return record.told(problem, "ask_acceptance", op.id)


def decide_acceptance(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`acceptance.decide`: passed (holds for what the supervisor saw: the base is the problem's version) or failed."""
    found, problem = record.held(session, actor, op, "acceptance")
    status = op.args["verdict"]
    if found.status != "open":
        return record.stands(op, found, problem, status)
    step = _decided(session, op, actor, found, problem)
    visited = op.args["visited_on"]
    answer = {
        "opinion": op.args["opinion"],
        "experts": op.args["experts"],
        "visited_on": visited.isoformat() if visited else None,
    }
    record.take(session, op, actor, problem, STEP_OF[status], step, op.args["opinion"], now, {"acceptance": found.id})
    problem.is_accepted = status == "passed"
    record.ended(found, status, answer, actor, now)
    session.flush()
    return record.told(problem, STEP_OF[status], found.id, status=status)


def _decided(session: Session, op: OpLike, actor: Actor, found: Proceeding, problem: Problem) -> Step:
    """The step that deciding about an open application comes to.

    Raises Refused (overtaken, and as a step does), NotAllowed (their own), Invalid (no reason given).
    """
    _stands_still(found, problem)
    step = record.judged(session, op, actor, problem, STEP_OF[op.args["verdict"]])
    assert step is not None, "an open application is not decided yet"
    record.not_by(actor, found, problem)
    _reason(step.needs_note, op.args["opinion"])
    return step


def _in_time(problem: Problem, today: date) -> None:
    """Raises Refused where fewer working days are left until the day than the limit says (pack data)."""
    name = "extension_listed" if problem.is_listed else "extension_general"
    first_on, reason = limits.due(name, today)
    assert problem.due_on is not None, "asked before"
    if first_on is None:
        raise Refused("guard_failed", f"{name}: {reason.get('detail', reason['none'])}")
    if first_on > problem.due_on:
        row = limits.shipped().rows[name]
        raise Refused("guard_failed", f"{row.name_zh}: {row.n} working days before {problem.due_on}")


def _stands_still(found: Proceeding, problem: Problem) -> None:
    if problem.waits_id != found.id:
        raise Refused("guard_failed", f"{problem.number} has moved on: the application was overtaken")


def _later(day: date, than: date, pointer: str) -> None:
    if day <= than:
        raise Invalid(errors=[{"pointer": pointer, "code": "invalid", "detail": f"later than {than}"}])


def _reason(is_needed: bool, text: str) -> None:
    if is_needed and not text.strip():
        raise Invalid(errors=[{"pointer": "/opinion", "code": "required", "detail": "say why"}])
