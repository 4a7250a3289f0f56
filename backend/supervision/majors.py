"""Major hazards (重大): experts asked, the collective decision, listed supervision (挂牌督办), progress reports, delisting.

And what follows from an overdue clock: it is told of upwards, level by level. Never a number of days.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.effects import Effect, OpLike
from backend.errors import Invalid, NotAllowed, Refused
from backend.problems import clocks
from backend.problems import record as problems
from backend.problems.facts import effect_of
from backend.problems.models import Problem
from backend.problems.table import UNIT
from backend.programmes import limits
from backend.supervision import queries, record
from backend.workdays import local_date


def consult(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`major.consult`: experts are asked, which gives the decision more days (once). Their opinion belongs to the decision."""
    problem, _ = problems.reach(session, actor, op.ent_id)
    step = record.judged(session, op, actor, problem, "consult")
    assert step is not None and step.limit is not None, "see the table"
    if queries.standing(session, problem.id, "decision", "open") is not None:
        return record.noop(problem)
    asked = {"note": op.args["note"], "before": problem.decide_by_on.isoformat() if problem.decide_by_on else None}
    by_on, reason = limits.due(step.limit, problem.decide_by_on or local_date(now))
    record.opened(session, op, actor, problem, "decision", "open", asked | {"reason": reason}, step.limit, now)
    problem.decide_by_on = by_on
    record.take(session, op, actor, problem, "consult", step, op.args["note"], now, {"decision": op.id})
    session.flush()
    return record.told(problem, "consult", op.id)


def decide(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`major.decide`: at least three people, named by their posts, have decided together what grade a hazard has.

    The only way in which a grade changes. Invalid where experts were asked and their opinion is missing.
    """
    problem, _ = problems.reach(session, actor, op.ent_id)
    verdict = op.args["verdict"]
    action = f"decide_{verdict}"
    step = record.judged(session, op, actor, problem, action)
    assert step is not None, "a decision is a record even where it changes nothing"
    asked = queries.standing(session, problem.id, "decision", "open")
    if asked is not None and not op.args["expert_opinion"].strip():
        raise Invalid(errors=[{"pointer": "/expert_opinion", "code": "required", "detail": "experts were asked"}])
    said = {name: op.args[name] for name in ("verdict", "posts", "minutes", "expert_opinion")}
    said["before"] = problem.grade
    said["decide_by"] = problem.decide_by_on.isoformat() if problem.decide_by_on else None
    record.opened(session, op, actor, problem, "decision", verdict, said, step.limit, now)
    if asked is not None:
        record.ended(asked, "answered", {"decision": op.id}, actor, now)
    problem.grade, problem.is_candidate_major, problem.decide_by_on = verdict, False, None
    record.take(
        session, op, actor, problem, action, step, op.args["minutes"], now, {"decision": op.id, "grade": verdict}
    )
    session.flush()
    return record.told(problem, action, op.id, grade=verdict)


def order(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`listing.order`: a major hazard is put under listed supervision, with level and day; listed already is a noop."""
    problem, _ = problems.reach(session, actor, op.ent_id)
    step = record.judged(session, op, actor, problem, "list", problem.is_listed)
    if step is None or step.limit is None:
        return record.noop(problem)
    today, finish_by = local_date(now), op.args["finish_by"]
    if finish_by <= today:
        raise Invalid(errors=[{"pointer": "/finish_by", "code": "invalid", "detail": f"later than {today}"}])
    plan_by = op.args["plan_by"]
    said = {"level": op.args["level"], "finish_by": finish_by.isoformat(), "demand": op.args["demand"],
            "plan_by": plan_by.isoformat() if plan_by else None, "publish_by": _day("publish_listing", now)}  # fmt: skip
    problem.report_by_on, _ = record.opened(session, op, actor, problem, "listing", "active", said, step.limit, now)
    problem.is_listed, problem.listed_level, problem.is_accepted = True, op.args["level"], False
    told = {"set_by": actor.id, "op": op.id, "listing": op.id, "before": problem.deadline_reason}
    problem.due_on, problem.deadline_reason = finish_by, told
    if problem.clock == "fix":
        problems.run(problem, now)
    record.take(session, op, actor, problem, "list", step, op.args["demand"], now, {"listing": op.id, **said})
    session.flush()
    return record.told(problem, "list", op.id)


def report(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`listing.report`: the unit tells of its progress, at least once a quarter; the next quarter's clock begins."""
    found, problem = record.held(session, actor, op, "listing")
    if actor.role not in UNIT:
        raise NotAllowed(f"{actor.role} may not report a unit's progress")
    if found.status != "active":
        raise Refused("guard_failed", "it is not under listed supervision any more")
    today = local_date(now)
    told = {"on": today.isoformat(), "by": actor.id, "text": op.args["text"], "op": op.id,
            "on_time": problem.report_by_on is None or today <= problem.report_by_on}  # fmt: skip
    found.answer = {**found.answer, "reports": [*found.answer.get("reports", ()), told]}
    found.due_on, found.due_reason = limits.due("progress_report", today, times=2)
    problem.report_by_on, found.ver = found.due_on, found.ver + 1
    problems.write(
        session, problem, problems.by(op, "progress", note=op.args["text"], data={"listing": found.id}), actor, now
    )
    session.flush()
    return record.told(problem, "progress", found.id)


def delist(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`listing.end` (摘牌): when its acceptance has passed, by whoever saw that (the base is the problem's version)."""
    found, problem = record.held(session, actor, op, "listing")
    if found.status != "active":
        return record.stands(op, found, problem, "delisted")
    step = record.judged(session, op, actor, problem, "delist", not problem.is_listed)
    assert step is not None, "an active listing is one"
    if not op.args["reason"].strip():
        raise Invalid(errors=[{"pointer": "/reason", "code": "required", "detail": "say why"}])
    problem.is_listed, problem.listed_level, problem.report_by_on = False, None, None
    record.take(session, op, actor, problem, "delist", step, op.args["reason"], now, {"listing": found.id})
    answer = {"reason": op.args["reason"], "publish_by": _day("publish_delisting", now)}
    record.ended(found, "delisted", answer, actor, now)
    session.flush()
    return record.told(problem, "delist", found.id)


def escalate(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.escalate`: the clock that the sweep saw (`clock_n`) has run out; the next level is told of it.

    A clock that has been followed by another one is a noop. Refuses guard_failed where the level's day has not come.
    """
    problem, _ = problems.reach(session, actor, op.ent_id)
    if problem.clock_n != op.args["clock_n"] or not problem.is_open:
        return record.noop(problem)
    step = record.judged(session, op, actor, problem, "escalate")
    assert step is not None, "see the table"
    level = clocks.next_level(problems.row_of(problem), local_date(now))
    if level is None or level != op.args["level"]:
        raise Refused("guard_failed", f"the next level of {problem.number} is {level}")
    problem.escalated_level = level
    record.take(session, op, actor, problem, "escalate", step, "", now, _late(problem, level))
    session.flush()
    effect = effect_of(problem, "applied", level=level)
    effect.events.append(problems.stepped(problem, problems.Entry("escalate")))
    return effect


def _late(problem: Problem, level: str) -> dict[str, Any]:
    on = problem.clock_on.isoformat() if problem.clock_on else None
    return {"level": level, "clock": problem.clock, "clock_on": on, "next_actor": problem.next_actor}


def _day(limit: str, now: datetime) -> str | None:
    on, _ = limits.due(limit, local_date(now))
    return on.isoformat() if on else None
