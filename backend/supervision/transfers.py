"""Transfer to another department: 抄告 informs, 移交 moves the lead, 协查函 asks a neighbouring area. Receipt and answer."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor, lies
from backend.effects import Effect, Event, OpLike
from backend.errors import Invalid, NotAllowed, Refused
from backend.problems import record as problems
from backend.problems import rules
from backend.problems.models import Problem
from backend.responsibility import handlers as responsibility
from backend.supervision import record
from backend.supervision.models import Proceeding
from backend.territory import queries as territory
from backend.workdays import local_date

ACTIONS = {"inform": "inform", "hand_over": "hand_over", "assist": "ask_help"}  # kind of transfer → action of the table


def send(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`transfer.send`: to a department of the same place, or (assist) of a neighbouring area; the reply's limit begins.

    Refuses as a step does; invalid where there is no such department or area. The same lead again is a noop.
    """
    problem, _ = problems.reach(session, actor, op.ent_id)
    kind, department = op.args["kind"], op.args["department_id"]
    place = _place(session, problem, kind, op.args["area_id"])
    if department not in territory.department_ids(session):
        raise Invalid(errors=[{"pointer": "/department_id", "code": "invalid", "detail": "no such department"}])
    is_lead = department == problem.department_id
    is_same = kind == "hand_over" and is_lead and problem.state in rules.AT_IT
    step = record.judged(session, op, actor, problem, ACTIONS[kind], is_same)
    if step is None:
        return record.noop(problem)
    if kind == "inform" and is_lead:
        raise Refused("guard_failed", f"{department} has {problem.number} already")
    note = op.args["note"]
    said = {
        "kind": kind,
        "department": department,
        "area": op.args["area_id"],
        "from": problem.department_id,
        "note": note,
    }
    record.opened(session, op, actor, problem, "transfer", "sent", said, step.limit, now)
    record.side(session, op.id, "sent", problem.area_path, actor.department_id)
    record.side(session, op.id, "received", place, department)
    record.take(session, op, actor, problem, ACTIONS[kind], step, note, now, {"transfer": op.id, **said})
    effect = record.told(problem, ACTIONS[kind], op.id)
    if kind == "hand_over":
        told = {"note": note, "op_id": op.id, "base": op.base}
        effect.events += responsibility.give(session, problem, department, told, actor, now).events
    sent = {"step": op.verb, "id": op.id, "number": problem.number, "to": [(place, department)]}
    effect.events.append(Event("transfer.stepped", sent))
    session.flush()
    return effect


def receive(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`transfer.receive` (接收回复): whoever it was sent to has it, with what they think of it. Twice is once."""
    found, problem = record.held(session, actor, op, "transfer")
    _addressed(actor, found)
    if found.status != "sent":
        return record.stands(op, found, problem, "received")
    found.status, found.received_by, found.received_at, found.ver = "received", actor.id, now, found.ver + 1
    found.answer = {**found.answer, "opinion": op.args["opinion"]}
    return _fact(session, op, actor, problem, found, "received", op.args["opinion"], now)


def answer(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`transfer.answer` (处理结果反馈): what came of it. One that was not receipted is received by it."""
    found, problem = record.held(session, actor, op, "transfer")
    _addressed(actor, found)
    if found.status == "answered":
        return record.stands(op, found, problem, "answered")
    if found.received_at is None:
        found.received_by, found.received_at = actor.id, now
    done = op.args["done_on"]
    told = {"result": op.args["result"], "done_on": done.isoformat() if done else None}
    record.ended(found, "answered", told, actor, now)
    return _fact(session, op, actor, problem, found, "answered", op.args["result"], now)


def _fact(session: Session, op: OpLike, actor: Actor, problem: Problem, found: Proceeding, action: str, text: str,
          now: datetime) -> Effect:  # fmt: skip
    """The line on the problem: a fact, which is told whatever has become of it since."""
    on_time = found.due_on is None or local_date(now) <= found.due_on
    data: dict[str, Any] = {"transfer": found.id, "on_time": on_time}
    problems.write(session, problem, problems.by(op, action, note=text, data=data), actor, now)
    session.flush()
    return record.told(problem, action, found.id, status=found.status)


def _addressed(actor: Actor, found: Proceeding) -> None:
    """Who sent it does not answer it. Raises NotAllowed."""
    if actor.id == found.opened_by and actor.role != "system":
        raise NotAllowed("who sent a transfer does not answer it")


def _place(session: Session, problem: Problem, kind: str, area_id: str | None) -> str:
    """Area path of the receiver. Raises Invalid where a request for help names no other area, or another one names one."""
    if kind != "assist":
        if area_id is not None:
            raise _invalid("only a request for assistance names an area")
        return problem.area_path
    path = territory.area_path(session, area_id) if area_id else None
    if path is None or lies(problem.area_path, path) or lies(path, problem.area_path):
        raise _invalid("a request for assistance names a neighbouring area")
    return path


def _invalid(why: str) -> Invalid:
    return Invalid(errors=[{"pointer": "/area_id", "code": "invalid", "detail": why}])
