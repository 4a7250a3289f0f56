"""Raising, joining and moving problems along their table. Never decides who is responsible."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor, visible
from backend.effects import Changed, Effect, Event, OpLike
from backend.errors import Invalid, Refused
from backend.geometry import distance_m
from backend.photos import queries as photos
from backend.photos.handlers import lie, missing_of, refer
from backend.problems import numbers, queries, rules
from backend.problems.models import Problem, ProblemEvent, ProblemReport
from backend.programmes import queries as programmes

SAME_PLACE_M = 30.0  # two reports of one item without a site this close are one hazard
_GRADES = {
    "general": "general",
    "candidate_major": "general",
}  # a candidate is made major by people, not by a checklist


def raise_from(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `finding.located`: join the open problem of the same hazard, else raise a new one."""
    open_key = f"{data['site_id']}:{data['item']}" if data["site_id"] else None
    known = _open(session, open_key) if open_key else _same_place(session, data)
    if known is not None:
        return _join(session, known, data, actor)
    row = _new_row(session, data, open_key, now)
    rows.add(session, Problem, row)
    if open_key:
        rows.keep(session, Problem, {f"open:{open_key}": {"id": row["id"]}})
    _report(session, row["id"], row["area_path"], data)
    _event(session, row, 1, now, actor, ("raise", None, row["state"]), data["remark"], data["op_id"])
    raised = {k: row[k] for k in ("item", "programme", "template_version", "site_id", "area_path", "district_id",
                                  "township_id", "grade", "deadline_class", "found_at", "received_at")}  # fmt: skip
    event = Event("problem.raised", {"problem_id": row["id"], "is_new": True, **raised})
    return Effect(ver=1, changes=[_changed(row, 1)], events=[event], summary={"problem": row["number"]})


def act(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`problem.act`: one step of the table, judged against the present state (safe side wins)."""
    problem = queries.hold(session, actor, op.ent_id)
    if problem is None:
        raise Refused("target_missing", "no such problem within your territory")
    base_ver = (op.base or {}).get("ver")
    decision = rules.decide(problem.state, op.args["action"], actor.role, base_ver, problem.ver)
    if decision.status == "parked":
        raise Refused(str(decision.reason), f"{op.args['action']} does not fit state {problem.state}")
    _check_needs(decision, op.args)
    refs = [{"sha256": sha, "ent_type": "problem", "ent_id": problem.id, "item": op.args["action"], "op_id": op.id,
             "area_path": problem.area_path, "size": None, "mime": None} for sha in op.args["photos"]]  # fmt: skip
    if refs:
        refer(session, refs)
    to = decision.step.to if decision.step else problem.state
    before, was = problem.state, _row_of(problem)
    _step(session, problem, now, actor, (op.args["action"], before, to), op.args["note"], op.id, op.args["photos"])
    if decision.step:
        _enter(problem, decision.step, now)
    problem.ver += 1
    session.flush()
    changes = [_changed(was, problem.ver)]
    summary = {"problem": problem.number, "from": before, "to": to, "area_path": problem.area_path}
    return Effect(decision.status, decision.flags, problem.ver, changes, summary=summary)


def take_assignment(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `responsibility.assigned`: lead department, deadline and state on the problem's own row."""
    raised = rows.fresh(session, Problem, {"id": data["problem_id"]})
    if raised is not None:  # this op has raised it: its row is not written yet
        before = raised["state"]
        raised.update(_assigned(raised, data, now))
        _event(session, raised, 2, now, actor, ("assign", before, raised["state"]), "", data.get("op_id"))
        return Effect(changes=[_changed(raised, raised["ver"])], summary={"department": raised["department_id"]})
    problem = queries.hold(session, SYSTEM, data["problem_id"])
    assert problem is not None, "assigned a problem that is not there"
    before, values = problem.state, _assigned(_row_of(problem), data, now)
    for name, value in values.items():
        setattr(problem, name, value)
    _step(session, problem, now, actor, ("assign", before, problem.state), data.get("note", ""), data.get("op_id"))
    session.flush()
    return Effect(
        changes=[_changed(_row_of(problem), problem.ver)], summary={"department": problem.department_id}
    )


def _assigned(row: Mapping[str, Any], data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What changes on a problem's row when somebody is made responsible for it."""
    moved = {"state": "assigned", "next_actor": "department"} if rules.is_open(row["state"]) else {}
    return {
        "department_id": data["lead_department_id"], "due_on": data["due_on"], "ver": row["ver"] + 1,
        "deadline_reason": data["deadline_reason"], "assigned_at": row.get("assigned_at") or now, **moved,
    }  # fmt: skip


def restore(session: Session, problem_id: str, actor: Actor, now: datetime) -> Effect:
    """A problem that was given up (refuted, closed) is looked at again, because an op about it is to be carried out."""
    problem = queries.hold(session, actor, problem_id)
    if problem is None:
        raise Refused("target_missing", "no such problem within your territory")
    step = rules.TRANSITIONS.get(problem.state, {}).get("reopen")
    if step is None:
        raise Refused("guard_failed", f"a {problem.state} problem is not given up")
    before = problem.state
    _step(session, problem, now, actor, ("reopen", before, step.to), "", None)
    _enter(problem, step, now)
    problem.ver += 1
    session.flush()
    changes = [_changed(_row_of(problem), problem.ver)]
    return Effect(ver=problem.ver, changes=changes, summary={"reopened": problem.number})


def move(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `finding.relocated`: the problem of that finding lies elsewhere (or somewhere at last)."""
    problem = queries.of_finding(session, SYSTEM, data["finding_id"])
    if problem is None:
        return Effect()
    left, tag = buckets(_row_of(problem)), data["tag"]
    for name in _PLACED:
        setattr(problem, name, tag[name])
    problem.ver += 1
    for table in (ProblemReport, ProblemEvent):
        session.execute(
            update(table).where(table.problem_id == problem.id).values(area_path=tag["area_path"])
        )
    lie(session, "problem", problem.id, tag["area_path"])
    session.flush()
    row = _row_of(problem)
    gone = tuple(bucket for bucket in left if bucket not in buckets(row))
    event = Event("problem.moved", {"problem_id": problem.id, **{k: row[k] for k in _ASSIGN}})
    return Effect(
        ver=problem.ver,
        changes=[_changed(row, problem.ver, gone)],
        events=[event],
        summary={"area_path": problem.area_path},
    )


def note_evidence(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `evidence.changed`: how many photos the problems of this entity still wait for."""
    effect = Effect()
    for problem_id in _problems_of(session, data):
        problem = queries.hold(session, SYSTEM, problem_id)
        if problem is None:
            continue
        missing = _missing(session, problem.id)
        if missing != problem.missing_photos:
            problem.missing_photos, problem.ver = missing, problem.ver + 1
            effect.changes.append(_changed(_row_of(problem), problem.ver))
    session.flush()
    return effect


_PLACED = ("district_id", "township_id", "area_path", "lon", "lat", "is_near_boundary", "unplaced_reason")
_ASSIGN = ("item", "programme", "template_version", "site_id", "area_path", "district_id", "township_id", "grade",
           "deadline_class", "found_at", "received_at")  # fmt: skip


def _new_row(
    session: Session, data: Mapping[str, Any], open_key: str | None, now: datetime
) -> dict[str, Any]:
    tag, item = (
        data["tag"],
        programmes.item(session, data["programme"], data["template_version"], data["item"]),
    )
    state = "fix_reported" if data["on_the_spot"] else "found"
    site = data["site_id"]
    return {
        "id": f"p-{data['finding_id']}", "number": numbers.take(session, now), "open_key": open_key, "state": state,
        "is_open": True, "category": item.category, "grade": _GRADES[item.grade], "deadline_class": item.deadline,
        "is_candidate_major": item.grade == "candidate_major", "site_id": site, "team_id": data["team_id"],
        "school_id": site if tag["nearest_school_id"] == site else tag["nearest_school_id"],
        "description": data["remark"] or item.text_zh, "report_count": 1, "ver": 1, "deadline_reason": {},
        "missing_photos": len(missing_of(session, data["photos"])),
        "next_actor": "inspector" if data["on_the_spot"] else "supervisor",
        **{k: data[k] for k in ("programme", "template_version", "item", "found_at", "found_quality", "received_at")},
        **{k: tag[k] for k in ("district_id", "township_id", "area_path", "lon", "lat", "is_near_boundary", "unplaced_reason")},
    }  # fmt: skip


def prepare(session: Session, ops: Sequence[OpLike]) -> None:
    """Which hazards that these checklists name are open already, read in one go (the push has locked the sites)."""
    keys = {
        f"{op.args.get('site_id')}:{item}" for op in ops if isinstance(op.args.get("answers"), dict)
        for item, answer in op.args["answers"].items() if answer == "fail"
    }  # fmt: skip
    if keys:
        known = queries.open_keys(session, SYSTEM, sorted(keys))
        rows.keep(session, Problem, {f"open:{key}": {"id": known[key]} if key in known else None for key in keys})
        numbers.prepare(session, ops[0].received_at)


def _open(session: Session, open_key: str) -> Problem | None:
    read = partial(queries.open_keys, session, SYSTEM, [open_key])
    if rows.kept(session, Problem, f"open:{open_key}", lambda: read() or None) is None:
        return None
    return queries.open_by_key(session, SYSTEM, open_key)


def _same_place(session: Session, data: Mapping[str, Any]) -> Problem | None:
    lon, lat = data["tag"]["lon"], data["tag"]["lat"]
    if lon is None:
        return None
    dy = SAME_PLACE_M / 111_000
    dx = dy / max(math.cos(math.radians(lat)), 0.01)
    near = queries.open_without_site(session, SYSTEM, data["item"], (lon - dx, lat - dy, lon + dx, lat + dy))
    return next((p for p in near if distance_m(lon, lat, p.lon, p.lat) <= SAME_PLACE_M), None)


def _join(session: Session, problem: Problem, data: Mapping[str, Any], actor: Actor) -> Effect:
    _report(session, problem.id, problem.area_path, data)
    problem.report_count += 1
    if data["found_at"] < problem.found_at:
        problem.found_at, problem.found_quality = data["found_at"], data["found_quality"]
    problem.missing_photos = _missing(session, problem.id)
    problem.ver += 1
    session.flush()
    return Effect(
        ver=problem.ver, changes=[_changed(_row_of(problem), problem.ver)], summary={"joined": problem.number}
    )


def _report(session: Session, problem_id: str, area_path: str, data: Mapping[str, Any]) -> None:
    row = {"problem_id": problem_id, "finding_id": data["finding_id"], "area_path": area_path, "op_id": data["op_id"],
           "inspection_id": data["inspection_id"], "at": data["received_at"]}  # fmt: skip
    rows.add(session, ProblemReport, row)


Step = tuple[str, str | None, str]  # action, state before, state after


def _step(session: Session, problem: Problem, now: datetime, actor: Actor, step: Step, note: str,
          op_id: str | None, shas: list[str] | None = None) -> None:  # fmt: skip
    n = queries.last_event(session, SYSTEM, problem.id) + 1
    _event(session, {"id": problem.id, "area_path": problem.area_path}, n, now, actor, step, note, op_id, shas)


def _event(session: Session, row: Mapping[str, Any], n: int, now: datetime, actor: Actor, step: Step, note: str,
           op_id: str | None, shas: list[str] | None = None) -> None:  # fmt: skip
    rows.add(session, ProblemEvent, {
        "problem_id": row["id"], "n": n, "area_path": row["area_path"], "at": now, "actor_id": actor.id,
        "action": step[0], "from_state": step[1], "to_state": step[2], "note": note or "", "photos": shas or [],
        "op_id": op_id,
    })  # fmt: skip


def _enter(problem: Problem, step: rules.Step, now: datetime) -> None:
    problem.state, problem.next_actor = step.to, step.next_actor
    problem.is_open = rules.is_open(step.to)
    problem.closed_at = None if problem.is_open else now
    problem.open_key = f"{problem.site_id}:{problem.item}" if problem.is_open and problem.site_id else None


def _check_needs(decision: rules.Decision, args: Mapping[str, Any]) -> None:
    step = decision.step
    if step and step.needs_note and not args["note"].strip():
        raise Invalid(errors=[{"pointer": "/note", "code": "required", "detail": "say why"}])
    if step and step.needs_photo and not args["photos"]:
        raise Invalid(
            errors=[{"pointer": "/photos", "code": "required", "detail": "a photo of the fix is needed"}]
        )


def _row_of(problem: Problem) -> dict[str, Any]:
    return {column.name: getattr(problem, column.name) for column in Problem.__table__.columns}


def buckets(row: Mapping[str, Any]) -> tuple[str, ...]:
    if not row["district_id"]:
        return (f"team:{row['team_id']}",) if row["team_id"] else ()
    found = [f"district:{row['district_id']}"]
    if row["township_id"]:
        found.append(f"township:{row['township_id']}")
    if row["site_id"] and row["school_id"] == row["site_id"]:
        found.append(f"school:{row['site_id']}")
    return tuple(found)


def _changed(row: Mapping[str, Any], ver: int, left: tuple[str, ...] = ()) -> Changed:
    return Changed("problem", row["id"], ver, buckets(row), left)


def _missing(session: Session, problem_id: str) -> int:
    findings = [report.finding_id for report in queries.reports(session, SYSTEM, problem_id)]
    return photos.missing_of_findings(session, SYSTEM, findings, problem_id)


def _problems_of(session: Session, data: Mapping[str, Any]) -> list[str]:
    if data["ent_type"] == "problem":
        return [data["ent_id"]]
    column = ProblemReport.inspection_id if data["ent_type"] == "inspection" else ProblemReport.finding_id
    found = session.scalars(visible(ProblemReport, SYSTEM).where(column == data["ent_id"]))
    return sorted({report.problem_id for report in found})
