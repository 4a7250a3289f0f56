"""Raising, joining and placing problems: what follows from findings, assignments and evidence. Never decides who is
responsible; what people ask for is in steps.py, facts.py and edits.py."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor, visible
from backend.effects import Effect, Event, OpLike
from backend.geometry import distance_m
from backend.photos.handlers import lie, missing_of
from backend.problems import clocks, numbers, queries, record, rules
from backend.problems.models import Conflict, Problem, ProblemEvent, ProblemReport
from backend.problems.record import Entry
from backend.programmes import limits
from backend.programmes import queries as programmes
from backend.workdays import local_date

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
        return _join(session, known, data, actor, now)
    row = _new_row(session, data, open_key, now)
    rows.add(session, Problem, row)
    rows.keep(session, ProblemEvent, {row["id"]: {"n": 0}})
    _keep_open(session, row)
    _report(session, row["id"], row["area_path"], data)
    entry = Entry("raise", data["remark"], photos=data["photos"], op_id=data["op_id"])
    record.event(session, row, None, entry, actor, now)
    raised = {k: row[k] for k in (*_ASSIGN, "is_candidate_major")}
    event = Event("problem.raised", {"problem_id": row["id"], "is_new": True, "op_id": data["op_id"], **raised})
    return Effect(ver=1, changes=[record.changed(row)], events=[event], summary={"problem": row["number"]})


def take_assignment(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `responsibility.assigned`: lead department, deadline and state on the problem's own row."""
    entry = Entry("assign", data.get("note", ""), data={"department": data["lead_department_id"]},
                  op_id=data.get("op_id"), base=data.get("base"))  # fmt: skip
    raised = rows.fresh(session, Problem, {"id": data["problem_id"]})
    if raised is not None:  # this op has raised it: its row is not written yet
        before = raised["state"]
        raised.update(_assigned(raised, data, now), ver=raised["ver"] + 1)
        _keep_open(session, raised)
        record.event(session, raised, before, entry, actor, now)
        return Effect(changes=[record.changed(raised)], summary={"department": raised["department_id"]})
    problem = queries.hold(session, SYSTEM, data["problem_id"])
    assert problem is not None, "assigned a problem that is not there"
    before = problem.state
    for name, value in _assigned(record.row_of(problem), data, now).items():
        setattr(problem, name, value)
    record.write(session, problem, entry, actor, now, before)
    session.flush()
    return Effect(changes=[record.told(problem)], summary={"department": problem.department_id})


def _assigned(row: Mapping[str, Any], data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What changes on a problem's row when somebody is made responsible for it."""
    step = rules.assignment(row["state"], bool(data.get("is_by_person")))
    given = row if "set_by" in row["deadline_reason"] else data  # a day that people have set is not reckoned anew
    made = {"department_id": data["lead_department_id"], "due_on": given["due_on"], "deadline_reason": given["deadline_reason"],
            "assigned_at": row.get("assigned_at") or now}  # fmt: skip
    if step and step.to:
        made |= {"state": step.to, "waits_for": None, "waits_id": None}
    is_moved = bool(step and step.to) or made["due_on"] != row.get("due_on")
    return made | (clocks.of({**row, **made}, now) if is_moved else {})


def move(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `finding.relocated`: the problem of that finding lies elsewhere (or somewhere at last)."""
    problem = queries.of_finding(session, SYSTEM, data["finding_id"])
    if problem is None:
        return Effect()
    left, tag = record.buckets(record.row_of(problem)), data["tag"]
    for name in _PLACED:
        setattr(problem, name, tag[name])
    problem.ver += 1
    for column in (ProblemReport.problem_id, ProblemEvent.problem_id, Conflict.ent_id):
        moved = update(column.class_).where(column == problem.id)
        session.execute(moved.values(area_path=tag["area_path"]))
    lie(session, "problem", problem.id, tag["area_path"])
    session.flush()
    row = record.row_of(problem)
    gone = tuple(bucket for bucket in left if bucket not in record.buckets(row))
    event = Event("problem.moved", {"problem_id": problem.id, **{k: row[k] for k in _ASSIGN}})
    return Effect(
        ver=problem.ver,
        changes=[record.changed(row, gone)],
        events=[event],
        summary={"area_path": problem.area_path},
    )


def note_evidence(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `evidence.changed`: how many photos the problems of this entity still wait for."""
    effect = Effect()
    for problem_id in _problems_of(session, data):
        problem = queries.hold(session, SYSTEM, problem_id)
        while problem is not None:
            missing = record.missing(session, problem.id)
            if missing != problem.missing_photos:
                problem.missing_photos, problem.ver = missing, problem.ver + 1
                effect.changes.append(record.told(problem))
            problem = queries.hold(session, SYSTEM, problem.merged_into) if problem.merged_into else None
    session.flush()
    return effect


_PLACED = ("district_id", "township_id", "area_path", "lon", "lat", "is_near_boundary", "unplaced_reason")
_ASSIGN = ("item", "programme", "template_version", "site_id", "area_path", "district_id", "township_id", "grade",
           "deadline_class", "found_at", "received_at")  # fmt: skip


def _new_row(session: Session, data: Mapping[str, Any], open_key: str | None, now: datetime) -> dict[str, Any]:
    row = _unclocked(session, data, open_key, now)
    by_on = limits.due("decide_major", local_date(now))[0] if row["is_candidate_major"] else None
    return {**row, **_again(session, open_key, data["found_at"]), "decide_by_on": by_on, **clocks.of(row, now)}


def _again(session: Session, open_key: str | None, found_at: datetime) -> dict[str, Any]:
    """Which closed problem has recurred: the last one of the same item at the same site, found again after it was closed and
    within the window (pack data). What was found before the closing, and came late, is no recurrence."""
    before = _closed(session, open_key) if open_key else None
    if before is None or found_at <= before["closed_at"]:
        return {"recurs_id": None, "recurrence": 0}
    until, _ = limits.due("recurs", local_date(before["closed_at"]))
    is_again = until is not None and local_date(found_at) <= until
    return (
        {"recurs_id": before["id"], "recurrence": before["recurrence"] + 1}
        if is_again
        else {"recurs_id": None, "recurrence": 0}
    )


def _closed(session: Session, key: str) -> dict[str, Any] | None:
    site, _, item = key.rpartition(":")
    return rows.kept(
        session, Problem, f"closed:{key}", lambda: queries.last_closed(session, SYSTEM, [(site, item)]).get(key)
    )


def _unclocked(session: Session, data: Mapping[str, Any], open_key: str | None, now: datetime) -> dict[str, Any]:
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
        "waits_for": None, "clock_n": 0, "due_on": None, "recurrence": 0,
        **{k: data[k] for k in ("programme", "template_version", "item", "found_at", "found_quality", "received_at")},
        **{k: tag[k] for k in ("district_id", "township_id", "area_path", "lon", "lat", "is_near_boundary", "unplaced_reason")},
    }  # fmt: skip


def prepare(session: Session, ops: Sequence[OpLike]) -> None:
    """The hazards that these ops name and that are open already, with the last line of the history of each, read and locked
    in one go (the push has locked the sites). The number comes first: whoever waits for it holds no problem."""
    named = {key for op in ops for key in _hazards(op.args)}
    if named:
        numbers.prepare(session, ops[0].received_at)
        known = queries.hold_open(session, SYSTEM, sorted(named))
        fresh = sorted(named - known.keys())
        rows.keep(session, Problem, {f"open:{key}": None for key in fresh})
        closed = queries.last_closed(session, SYSTEM, [(s, i) for s, _, i in (key.rpartition(":") for key in fresh)])
        rows.keep(session, Problem, {f"closed:{key}": closed.get(key) for key in fresh})
        rows.keep(session, ProblemEvent, queries.last_lines(session, SYSTEM, [row["id"] for row in known.values()]))
        for row in known.values():
            _keep_open(session, row)


def _hazards(args: Mapping[str, Any]) -> Iterator[str]:
    """Keys of the hazards that the args of an op name, as sent, not yet checked."""
    site, answers = args.get("site_id"), args.get("answers")
    if isinstance(answers, dict):
        yield from (f"{site}:{item}" for item, answer in answers.items() if answer == "fail")
    if "item" in args:
        yield f"{site}:{args['item']}"


def _keep_open(session: Session, row: Mapping[str, Any]) -> None:
    """The open problem of its hazard, by both its names: a copy, which a joined report changes (rows.change)."""
    if row["open_key"]:
        kept = dict(row)
        rows.keep(session, Problem, {f"open:{row['open_key']}": kept, row["id"]: kept})


def _open(session: Session, open_key: str) -> dict[str, Any] | None:
    def read() -> dict[str, Any] | None:
        found = queries.hold_open(session, SYSTEM, [open_key]).get(open_key)
        if found is not None:
            rows.keep(session, Problem, {found["id"]: found})
        return found

    return rows.kept(session, Problem, f"open:{open_key}", read)


def _same_place(session: Session, data: Mapping[str, Any]) -> dict[str, Any] | None:
    lon, lat = data["tag"]["lon"], data["tag"]["lat"]
    if lon is None:
        return None
    dy = SAME_PLACE_M / 111_000
    dx = dy / max(math.cos(math.radians(lat)), 0.01)
    near = queries.open_without_site(session, SYSTEM, data["item"], (lon - dx, lat - dy, lon + dx, lat + dy))
    return next((p for p in near if distance_m(lon, lat, p["lon"], p["lat"]) <= SAME_PLACE_M), None)


def _join(session: Session, problem: Mapping[str, Any], data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """The same hazard reported again: somebody has seen it, so whoever closes it must have seen this report (P74)."""
    key = {"id": problem["id"]}
    _report(session, problem["id"], problem["area_path"], data)
    changes = {"ver": problem["ver"] + 1, "report_count": problem["report_count"] + 1, "is_accepted": False}
    if data["found_at"] < problem["found_at"]:
        changes |= {name: data[name] for name in ("found_at", "found_quality")}
    if data["photos"]:  # a report without any changes nothing of what is waited for
        changes["missing_photos"] = record.missing(session, problem["id"])
    rows.change(session, Problem, key, changes)
    entry = Entry(
        "report", data["remark"], photos=data["photos"], op_id=data["op_id"], data={"finding": data["finding_id"]}
    )
    row = {**problem, **changes}
    record.event(session, row, row["state"], entry, actor, now)
    return Effect(ver=row["ver"], changes=[record.changed(row)], summary={"joined": row["number"]})


def _report(session: Session, problem_id: str, area_path: str, data: Mapping[str, Any]) -> None:
    row = {"problem_id": problem_id, "finding_id": data["finding_id"], "area_path": area_path, "op_id": data["op_id"],
           "inspection_id": data["inspection_id"], "at": data["received_at"]}  # fmt: skip
    rows.add(session, ProblemReport, row)


def _problems_of(session: Session, data: Mapping[str, Any]) -> list[str]:
    if data["ent_type"] == "problem":
        return [data["ent_id"]]
    column = ProblemReport.inspection_id if data["ent_type"] == "inspection" else ProblemReport.finding_id
    named = visible(ProblemReport, SYSTEM).with_only_columns(ProblemReport.problem_id)
    return sorted(set(session.scalars(named.where(column == data["ent_id"]))))
