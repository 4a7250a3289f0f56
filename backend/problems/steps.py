"""Steps of a problem's life as people ask for them: each is judged by the table in rules.py (P74), then put on record.

Who is made responsible is the room below's; what people see or write is in facts.py and edits.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Effect, Event, OpLike
from backend.errors import Invalid, Refused
from backend.photos.handlers import missing_of
from backend.problems import queries, record, rules
from backend.problems.facts import effect_of
from backend.problems.models import Problem
from sync_protocol.workflow import Verdict


def act(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.act`: one step of the table, judged against the present and what its author had not seen of it.

    Refuses with the reason of the judgement; Invalid where the step lacks its note or photo.
    """
    args = op.args
    named, is_itself = record.reach(session, actor, op.ent_id)
    entry = record.by(op, args["action"], note=args["note"], photos=args["photos"])
    if not is_itself:
        return _redirect(session, op, entry, named, actor, now)
    awaits_own = bool(missing_of(session, args["photos"]))
    found = rules.judge(entry.action, actor.role, record.present(session, named, op.base, awaits_own=awaits_own))
    refuse_parked(found)
    if found.verdict.status == "redirected":
        return _redirect(session, op, entry, record.survivor(session, named), actor, now)
    _check_needs(found.step, args)
    left = _leave(session, named, op, actor, now) if entry.action == "separate" and found.step else []
    effect = _write(session, op, replace(entry, status=found.verdict.status), named, found, actor, now)
    effect.changes += [record.told(problem) for problem in left]
    if entry.action == "restore" and found.step:
        effect.events.append(Event("problem.restored", {"cause": op.id, "ent": ["problem", named.id]}))
    return effect


def refuse_parked(found: rules.Judgement) -> None:
    """Raises Refused where a judgement is that an op is parked."""
    if found.verdict.status == "parked":
        raise Refused(str(found.verdict.reason), found.why)


def merge(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.merge`: this problem is the same hazard as another open one, which goes on for both.

    What makes the survivor graver goes over to it: a stop of work, the grade, the earlier deadline.
    """
    named, survivor = _pair(session, actor, op.ent_id, op.args["into"])
    if named is survivor:
        raise Refused("invalid", f"{named.number} cannot be merged into itself")
    is_same = named.state == "merged" and record.survivor(session, named) is survivor
    found = rules.judge("merge", actor.role, record.present(session, named, op.base, is_same=is_same))
    refuse_parked(found)
    entry = record.by(op, "merge", note=op.args["note"], status=found.verdict.status, data={"into": survivor.id})
    if found.verdict.status == "redirected":
        return _redirect(session, op, entry, named, actor, now)
    if found.step is None:
        return _write(session, op, entry, named, found, actor, now)
    if not rules.is_open(survivor.state):
        raise Refused(
            "guard_failed",
            f"{survivor.number} is {survivor.state}: it is reopened before another is merged into it",
        )
    _check_needs(found.step, op.args)
    named.merged_into = survivor.id
    effect = _write(session, op, entry, named, found, actor, now)
    _take_over(survivor, named, now)
    survivor.missing_photos = record.missing(session, survivor.id)
    joined = record.by(op, "joined", note=op.args["note"], data={"merged": named.id, "number": named.number})
    record.write(session, survivor, joined, actor, now)
    session.flush()
    effect.changes.append(record.told(survivor))
    return effect


def stand(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `responsibility.stood`: an assignment that changed nothing (noop, superseded, redirected) is told of."""
    problem = queries.hold(session, SYSTEM, data["problem_id"])
    assert problem is not None, "an assignment of a problem that is not there"
    entry = record.Entry("assign", data["note"], data["status"], data={"department": data["department_id"]},
                         op_id=data["op_id"], base=data["base"])  # fmt: skip
    record.write(session, problem, entry, actor, now)
    session.flush()
    return Effect(changes=[record.told(problem)])


def restore(session: Session, problem_id: str, actor: Actor, now: datetime) -> Effect:
    """A problem that was deleted, closed or refuted comes back, because an op about it is to be carried out."""
    problem = queries.hold(session, actor, problem_id)
    if problem is None:
        raise Refused("target_missing", "no such problem within your territory")
    row, before = rules.STEPS[problem.state], problem.state
    action = next((name for name in ("restore", "reopen") if name in row), None)
    if action is None:
        raise Refused("guard_failed", f"a {before} problem is not given up")
    record.enter(session, problem, row[action], now)
    record.write(session, problem, record.Entry(action), actor, now, before)
    session.flush()
    return Effect(ver=problem.ver, changes=[record.told(problem)], summary={"reopened": problem.number})


def _write(session: Session, op: OpLike, entry: record.Entry, problem: Problem, found: rules.Judgement, actor: Actor,
           now: datetime) -> Effect:  # fmt: skip
    before = problem.state
    if found.step:
        record.enter(session, problem, found.step, now)
    record.attach(session, problem, entry, op.blobs)
    record.write(session, problem, entry, actor, now, before)
    session.flush()
    told = {"from": before, "to": problem.state}
    effect = effect_of(problem, found.verdict.status, found.verdict.flags, **told)
    effect.events.append(record.stepped(problem, entry))
    return effect


def _redirect(
    session: Session, op: OpLike, entry: record.Entry, problem: Problem, actor: Actor, now: datetime
) -> Effect:
    """The op meant a problem that has become another one: its evidence goes there, a claim as a claim."""
    target = record.survivor(session, problem)
    if target.state == "deleted":
        raise Refused("target_deleted", f"{target.number} has been deleted")
    step = rules.redirected(entry.action, actor.role, record.present(session, target, None))
    status = "redirected" if step is None else "proposed" if step is rules.PROPOSED else "applied"
    told = replace(entry, status=status, data={"named": op.ent_id})
    judgement = rules.Judgement(Verdict("redirected"), step)
    return _write(session, op, told, target, judgement, actor, now)


def _pair(session: Session, actor: Actor, one: str, other: str) -> tuple[Problem, Problem]:
    """Both problems of a merge, held in the order of their ids, so that two merges do not wait for each other."""
    found = [queries.get(session, actor, name) for name in (one, other)]
    if None in found:
        raise Refused("target_missing", "no such problem within your territory")
    held = {p.id: queries.hold(session, actor, p.id) for p in sorted((p for p in found if p), key=lambda p: p.id)}
    first, second = (held[p.id] for p in found if p)
    assert first is not None and second is not None, "a problem is never erased"
    return first, record.survivor(session, second)


def _take_over(survivor: Problem, merged: Problem, now: datetime) -> None:
    survivor.report_count += merged.report_count
    if merged.found_at < survivor.found_at:
        survivor.found_at, survivor.found_quality = merged.found_at, merged.found_quality
    survivor.is_work_stopped = survivor.is_work_stopped or merged.is_work_stopped
    survivor.is_candidate_major = survivor.is_candidate_major or merged.is_candidate_major
    survivor.decide_by_on = min(filter(None, (survivor.decide_by_on, merged.decide_by_on)), default=None)
    survivor.grade = "major" if "major" in (survivor.grade, merged.grade) else survivor.grade
    if merged.due_on and (survivor.due_on is None or merged.due_on < survivor.due_on):
        survivor.due_on, survivor.deadline_reason = merged.due_on, dict(merged.deadline_reason)
        if survivor.clock == "fix":
            record.run(survivor, now)


def _leave(session: Session, problem: Problem, op: OpLike, actor: Actor, now: datetime) -> list[Problem]:
    """A problem that is one of its own after all counts no longer with those that it was merged into; returns them."""
    left, above = [], problem.merged_into
    problem.merged_into = None
    session.flush()
    while above:
        holder = queries.hold(session, SYSTEM, above)
        assert holder is not None, "merged into a problem that is not there"
        holder.report_count -= problem.report_count
        holder.missing_photos = record.missing(session, holder.id)
        record.write(session, holder, record.by(op, "left", data={"separated": problem.id}), actor, now)
        left.append(holder)
        above = holder.merged_into
    return left


def _check_needs(step: rules.Step | None, args: Mapping[str, Any]) -> None:
    if step and step.needs_note and not args["note"].strip():
        raise Invalid(errors=[{"pointer": "/note", "code": "required", "detail": "say why"}])
    if step and step.needs_photo and not args["photos"]:
        raise Invalid(errors=[{"pointer": "/photos", "code": "required", "detail": "a photo of the fix is needed"}])
