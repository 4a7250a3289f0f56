"""Making somebody responsible at every layer. Writes the chain; the problem's own row is written by problems."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import Actor
from backend.accounts import roster
from backend.effects import Effect, Event, OpLike
from backend.errors import Invalid, Refused
from backend.problems import record
from backend.problems import rules as life
from backend.problems.models import Problem
from backend.problems.steps import refuse_parked
from backend.programmes import queries as programmes
from backend.responsibility import duties, posts, rules
from backend.responsibility.models import DutyVersion, Responsibility
from backend.territory import queries as territory
from backend.workdays import add_workdays

CITY_TIME = ZoneInfo("Asia/Shanghai")


def prepare(session: Session, ops: Sequence[OpLike]) -> None:
    """Who holds which post is looked up before the first hazard is raised, not in the middle of it."""
    roster.holders_of(session, (), ops[0].received_at.date())
    duties.published(session)


def assign(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `problem.raised` and `problem.moved`: resolve the duty, store the chain with its reasons."""
    pack = programmes.pack(session, data["programme"], data["template_version"])
    item = programmes.item(session, data["programme"], data["template_version"], data["item"])
    assert pack is not None, "its item was found"
    on = data["received_at"].astimezone(CITY_TIME).date()
    facts = duties.facts_of(session, item, data)
    duty = duties.resolve(session, item, data["programme"], data["template_version"], facts, on)
    return _store(session, data, duty, _deadline(pack, data["deadline_class"], on), now)


def publish_duty(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`duty.publish`: the next version of the rule that the op names; from its first day on it takes the earlier one's place.

    What was assigned stays (see `duty preview`). Raises Invalid for a department that is not known, a last day before the first.
    """
    args, known = op.args, territory.department_ids(session)
    if unknown := sorted({args["lead"], *args["supporting"]} - known):
        raise Invalid(errors=[{"pointer": "/lead", "code": "unknown", "detail": f"no department {unknown[0]}"}])
    if args["valid_to"] is not None and args["valid_to"] < args["valid_from"]:
        raise Invalid(errors=[{"pointer": "/valid_to", "code": "invalid", "detail": "not before valid_from"}])
    version = duties.next_version(session, actor, op.ent_id)
    row = {"id": op.ent_id, "version": version, "published_at": now, "published_by": actor.id, **args}
    session.execute(insert(DutyVersion).values(**row))
    told = {"duty": op.ent_id, "version": version}
    city = territory.city_id(session)
    return Effect(ver=version, events=[Event("duty.published", told)], summary={**told, "area_path": city}, result=told)


def reassign(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.assign`: a supervisor names the department; the rest of the chain follows.

    Of two who name different ones without having seen each other's, the server's stands: superseded, both in history.
    """
    problem, is_itself = record.reach(session, actor, op.ent_id)
    wanted = op.args["department_id"]
    if wanted not in territory.department_ids(session):
        raise Refused("invalid", f"unknown department {wanted}")
    is_same = problem.department_id == wanted and problem.state in life.AT_IT
    found = life.judge("assign", actor.role, record.present(session, problem, op.base, is_same=is_same))
    refuse_parked(found)
    told = {"note": op.args["note"], "op_id": op.id, "base": op.base}
    if found.step is None or not is_itself:
        return _stands(
            record.survivor(session, problem),
            found.verdict.status if is_itself else "redirected",
            wanted,
            told,
        )
    effect = give(session, problem, wanted, told, actor, now)
    effect.flags = found.verdict.flags
    return effect


def give(
    session: Session, problem: Problem, department_id: str, told: Mapping[str, Any], actor: Actor, now: datetime
) -> Effect:
    """A person makes a department responsible for a held problem, which is judged already; the rest of the chain follows.

    `told`: note, op_id and base of the op. The day by which it is to be fixed stays.
    """
    data = {
        name: getattr(problem, name)
        for name in ("site_id", "area_path", "district_id", "township_id", "deadline_class")
    }
    data |= {"problem_id": problem.id, "is_by_person": True, **told}
    duty = rules.Duty(department_id, (), f"person:{actor.id}", 1)
    effect = _store(session, data, duty, (problem.due_on, dict(problem.deadline_reason)), now)
    effect.ver = problem.ver + 1
    return effect


def _stands(problem: Problem, status: str, wanted: str, told: Mapping[str, Any]) -> Effect:
    """What is there stands; that somebody wanted otherwise is told of in the problem's history."""
    data = {"problem_id": problem.id, "status": status, "department_id": wanted, **told}
    result = {"to": problem.id} if status == "redirected" else {}
    event = Event("responsibility.stood", data)
    return Effect(status, ver=problem.ver + 1, events=[event], summary={"area_path": problem.area_path}, result=result)


def _deadline(pack: Any, class_id: str, on: Any) -> Any:
    found = pack.deadline_classes[class_id]
    return rules.deadline(found.working_days, class_id, found.basis, on, add_workdays)


def _store(session: Session, data: Mapping[str, Any], duty: rules.Duty, due: Any, now: datetime) -> Effect:
    city = territory.city_id(session)
    links = rules.chain(duty, data["district_id"], data["township_id"], data["site_id"], city)
    holders = roster.holders_of(session, links, now.astimezone(CITY_TIME).date())
    chain = [_row(data, link, found, duty, now) for link, found in zip(links, holders, strict=True)]
    if not data.get("is_new"):
        posts.retire(session, data["problem_id"], data["area_path"], now)
        session.execute(delete(Responsibility).where(Responsibility.problem_id == data["problem_id"]))
    for row in chain:
        rows.add(session, Responsibility, row)
    told = {"problem_id": data["problem_id"], "lead_department_id": duty.lead, "due_on": due[0], "deadline_reason": due[1],
            **{name: data.get(name) for name in ("op_id", "base", "is_by_person")}, "note": data.get("note", "")}  # fmt: skip
    gaps = [row["layer"] for row in chain if row["is_gap"]]
    summary = {"lead": duty.lead, "rule": duty.rule_id, "gaps": gaps, "area_path": data["area_path"]}
    return Effect(events=[Event("responsibility.assigned", told)], summary=summary)


def _row(
    data: Mapping[str, Any], link: Mapping[str, Any], found: Any, duty: rules.Duty, now: datetime
) -> dict[str, Any]:
    post_id, title, person = found
    reason = {"rule": duty.rule_id, "rule_version": duty.rule_version, "decided_by": link.get("site_id") or link["area_id"],
              "post": post_id}  # fmt: skip
    return {
        "problem_id": data["problem_id"], "layer": link["layer"], "department_id": link["department_id"],
        "area_path": data["area_path"], "area_id": link["area_id"], "post_id": post_id, "title": title,
        "holder": person, "is_lead": bool(link.get("is_lead")), "is_gap": person is None, "reason": reason,
        "since_at": now,
    }  # fmt: skip
