"""How a proceeding is put on record, together with the step of its problem. Used by the handlers of this room; decides nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, OpLike
from backend.errors import NotAllowed, Refused
from backend.problems import record as problems
from backend.problems import rules
from backend.problems.facts import effect_of
from backend.problems.models import Problem
from backend.problems.steps import refuse_parked
from backend.problems.table import Step
from backend.programmes import limits
from backend.supervision import queries
from backend.supervision.models import Proceeding, TransferSide
from backend.workdays import local_date


def judged(
    session: Session, op: OpLike, actor: Actor, problem: Problem, action: str, is_same: bool = False
) -> Step | None:
    """The step that an act comes to; None: it is so already, or somebody else has decided.

    Raises Refused as a step does, and where the problem goes on as another one.
    """
    found = rules.judge(action, actor.role, problems.present(session, problem, op.base, is_same=is_same))
    refuse_parked(found)
    if found.verdict.status == "redirected":
        raise Refused("guard_failed", f"{problem.number} has been merged: it goes on as another problem")
    return found.step


def take(session: Session, op: OpLike, actor: Actor, problem: Problem, action: str, step: Step, note: str, now: datetime,
         data: Mapping[str, Any]) -> None:  # fmt: skip
    """Carry a step out on a held problem, with its line of history."""
    before = problem.state
    problems.enter(session, problem, step, now)
    problems.write(session, problem, problems.by(op, action, note=note, data=data), actor, now, before)


def opened(
    session: Session, op: OpLike, actor: Actor, problem: Problem, kind: str, status: str, said: Mapping[str, Any],
    limit: str | None, now: datetime,
) -> limits.Due:  # fmt: skip
    """A new proceeding, with its limit counted from today."""
    due_on, reason = limits.due(limit, local_date(now)) if limit else (None, {"none": "no_limit"})
    rows.add(session, Proceeding, {
        "id": op.id, "kind": kind, "problem_id": problem.id, "area_path": problem.area_path, "status": status,
        "opened_by": actor.id, "opened_at": now, "due_on": due_on, "due_reason": reason, "said": dict(said), "answer": {},
        "received_by": None, "received_at": None, "ended_by": None, "ended_at": None, "ver": 1,
    })  # fmt: skip
    return due_on, reason


def side(session: Session, proceeding_id: str, box: str, area_path: str, department_id: str | None) -> None:
    """One side of a transfer."""
    row = {"proceeding_id": proceeding_id, "box": box, "area_path": area_path, "department_id": department_id}
    rows.add(session, TransferSide, row)


def ended(found: Proceeding, status: str, answer: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """A held proceeding has come to something."""
    found.status, found.answer = status, {**found.answer, **answer}
    found.ended_by, found.ended_at, found.ver = actor.id, now, found.ver + 1


def held(session: Session, actor: Actor, op: OpLike, kind: str) -> tuple[Proceeding, Problem]:
    """The proceeding that an op names and its problem, both locked, the problem first. Raises Refused target_missing."""
    found = queries.get(session, actor, kind, op.ent_id)
    if found is None:
        raise Refused("target_missing", f"no such {kind} within your territory")
    problem = queries.hold_problem(session, found.problem_id)
    return queries.hold(session, found.id), problem


def why_not_by(actor: Actor, opened_by: str, problem: Problem) -> str | None:
    """Why somebody may not decide about an application: nobody decides about what they asked for; a hazard listed by the city
    is decided about by the city. None: they may, as far as this goes."""
    if actor.id == opened_by and actor.role != "system":
        return "nobody decides about their own application"
    if problem.is_listed and problem.listed_level == "city" and actor.role == "district":
        return "what the city has listed is decided about by the city"
    return None


def not_by(actor: Actor, found: Proceeding, problem: Problem) -> None:
    """Raises NotAllowed where the actor is not to decide about an application."""
    why = why_not_by(actor, found.opened_by, problem)
    if why is not None:
        raise NotAllowed(why)


def stands(op: OpLike, found: Proceeding, problem: Problem, status: str) -> Effect:
    """It is decided already: the same is a noop, another decision comes too late."""
    effect = effect_of(problem, "noop" if found.status == status else "superseded", proceeding=found.id)
    effect.result = {"proceeding": found.id, "status": found.status}
    return effect


def noop(problem: Problem) -> Effect:
    """It is so already, or what it was about is over."""
    return Effect("noop", ver=problem.ver, summary={"problem": problem.number, "area_path": problem.area_path})


def told(problem: Problem, action: str, proceeding_id: str, **more: Any) -> Effect:
    """The effect of an act on a problem, with the proceeding as its result; whoever follows hears of it as of a step."""
    effect = effect_of(problem, "applied", proceeding=proceeding_id)
    effect.events.append(problems.stepped(problem, problems.Entry(action)))
    effect.result = {"proceeding": proceeding_id, **more}
    return effect


def follow(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `problem.moved`: proceedings lie where their problem lies."""
    moved = update(Proceeding).where(Proceeding.problem_id == data["problem_id"])
    session.execute(moved.values(area_path=data["area_path"]))
    ids = queries.ids_of(session, SYSTEM, data["problem_id"])
    if ids:
        sides = update(TransferSide).where(TransferSide.proceeding_id.in_(ids), TransferSide.box == "sent")
        session.execute(sides.values(area_path=data["area_path"]))
    return Effect()
