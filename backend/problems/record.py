"""How a change of a problem is put on record: its row, one line of history with the version it made, its evidence.

Used by the handlers of this room (steps, facts, edits). Nothing is decided here; what an intent comes to is rules.py's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.effects import Changed, Event, OpLike
from backend.errors import Refused
from backend.photos import queries as photos
from backend.photos.handlers import refer
from backend.problems import clocks, queries, rules
from backend.problems.models import Problem, ProblemEvent
from sync_protocol.lineage import Seen, seen

MAX_NOTES = 10  # facts that travel with a problem's row, newest last
MAX_NOTE_TEXT = 300  # of each; the whole text is in the history
SHOWN = rules.FACTS | {"danger"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line of history says. `op_id` and `base` are those of the op; None where the server acts by itself."""

    action: str
    note: str = ""
    status: str = "applied"
    photos: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    op_id: str | None = None
    base: Mapping[str, Any] | None = None


def by(op: OpLike, action: str, **more: Any) -> Entry:
    """The line that an op writes."""
    return Entry(action, op_id=op.id, base=op.base, **more)


def event(
    session: Session, row: Mapping[str, Any], before: str | None, entry: Entry, actor: Actor, now: datetime
) -> None:
    """The next line of a problem's history; `row` is the problem as it is afterwards."""
    name = row["id"]
    last = rows.kept(session, ProblemEvent, name, lambda: queries.last_lines(session, SYSTEM, [name])[name])
    assert last is not None, "a history has a last line"
    last["n"] += 1
    rows.add(session, ProblemEvent, {
        "problem_id": name, "n": last["n"], "area_path": row["area_path"], "at": now, "actor_id": actor.id,
        "action": entry.action, "from_state": before, "to_state": row["state"], "note": entry.note,
        "photos": list(entry.photos), "op_id": entry.op_id, "ver": row["ver"], "status": entry.status,
        "base": dict(entry.base) if entry.base else None, "data": dict(entry.data),
    })  # fmt: skip


def write(
    session: Session, problem: Problem, entry: Entry, actor: Actor, now: datetime, before: str | None = None
) -> None:
    """One more line of history on a held problem; its version moves on, and a fact is added to what devices see."""
    problem.ver += 1
    if entry.action in rules.DANGER:
        problem.is_accepted = False
    if entry.action in SHOWN:
        problem.notes = [*problem.notes, _brief(entry, actor, now)][-MAX_NOTES:]
    event(session, row_of(problem), before or problem.state, entry, actor, now)


def stepped(problem: Problem, entry: Entry) -> Event:
    """What has happened to a problem, for whoever follows (ops/reactions.py): every step, fact and edit that is put on record."""
    told = {"problem_id": problem.id, "action": entry.action, "status": entry.status, "to": problem.state}
    return Event("problem.stepped", told)


def _brief(entry: Entry, actor: Actor, now: datetime) -> dict[str, Any]:
    told = {"op": entry.op_id, "by": actor.id, "at": now.isoformat(), "kind": entry.action, "text": entry.note[:MAX_NOTE_TEXT],
            "photos": len(entry.photos)}  # fmt: skip
    return told | ({"is_cut": True} if len(entry.note) > MAX_NOTE_TEXT else {})


def enter(session: Session, problem: Problem, step: rules.Step, now: datetime) -> None:
    """Take a step: state, who is next and until when, stop-work, the open application; an open problem owns its hazard's
    key unless another one has it."""
    if step.stops_work is not None:
        problem.is_work_stopped = step.stops_work
    before, problem.waits_for = problem.waits_for, clocks.waits_after(step, problem.waits_for)
    problem.waits_id = problem.waits_id if problem.waits_for else None
    if step.to is None:
        if before != problem.waits_for:
            run(problem, now)
        return
    problem.state, problem.is_open = step.to, rules.is_open(step.to)
    problem.closed_at = now if step.to in rules.ENDED else None
    run(problem, now)
    key = f"{problem.site_id}:{problem.item}" if problem.is_open and problem.site_id else None
    problem.open_key = key if key == problem.open_key or not _is_taken(session, key) else None


def run(problem: Problem, now: datetime) -> None:
    """The clock of a held problem begins anew: its state, its application or its day is another one."""
    for name, value in clocks.of(row_of(problem), now).items():
        setattr(problem, name, value)


def _is_taken(session: Session, key: str | None) -> bool:
    return key is not None and bool(queries.open_keys(session, SYSTEM, [key]))


def attach(session: Session, problem: Problem, entry: Entry, sizes: Sequence[Mapping[str, Any]] = ()) -> None:
    """The photos of a line are evidence of the problem; it says how many of all of its photos are not here yet."""
    known = {blob.get("sha256"): blob for blob in sizes}
    refs = [{"sha256": sha, "ent_type": "problem", "ent_id": problem.id, "item": entry.action, "op_id": entry.op_id,
             "area_path": problem.area_path, **{k: known.get(sha, {}).get(k) for k in ("size", "mime")}}
            for sha in entry.photos]  # fmt: skip
    if refs:
        refer(session, refs)
        problem.missing_photos = missing(session, problem.id)


def missing(session: Session, problem_id: str) -> int:
    """How many photos of a problem (its reports', its own, and those of the problems merged into it) are not here yet."""
    waiting: set[str] = set()
    for one in (problem_id, *queries.merged_into(session, SYSTEM, problem_id)):
        findings = [report.finding_id for report in queries.reports(session, SYSTEM, one)]
        waiting |= photos.missing_of_findings(session, SYSTEM, findings, one)
    return len(waiting)


def reach(session: Session, actor: Actor, problem_id: str) -> tuple[Problem, bool]:
    """The problem that an op names, held, and whether it goes by that name. Raises Refused target_missing.

    A device names a problem that it raised itself by its finding; where that finding joined another problem, this one
    is meant (False).
    """
    named = queries.hold(session, actor, problem_id)
    if named is not None:
        return named, True
    joined = queries.of_finding(session, actor, problem_id.removeprefix("p-"))
    if joined is None:
        raise Refused("target_missing", "no such problem within your territory")
    return joined, False


def survivor(session: Session, problem: Problem) -> Problem:
    """The problem that a merged one has become, held; itself where it is not merged."""
    while problem.merged_into:
        found = queries.hold(session, SYSTEM, problem.merged_into)
        assert found is not None, "merged into a problem that is not there"
        problem = found
    return problem


def had(session: Session, problem: Problem, base: Mapping[str, Any] | None) -> Seen:
    """What the author of an op with this base had seen of a problem (P73)."""
    return seen(base, [version for version, _, _ in queries.lines(session, SYSTEM, problem.id)], problem.ver)


def present(session: Session, problem: Problem, base: Mapping[str, Any] | None, **more: bool) -> rules.Present:
    """A held problem as an intent with this base is judged against it."""
    lines = queries.lines(session, SYSTEM, problem.id)
    known = seen(base, [version for version, _, _ in lines], problem.ver)
    return rules.Present(
        problem.state, problem.is_work_stopped, problem.missing_photos, rules.said_since(lines, known), known.is_known,
        waits_for=problem.waits_for, grade=problem.grade, is_candidate=problem.is_candidate_major,
        is_listed=problem.is_listed, is_accepted=problem.is_accepted, **more,
    )  # fmt: skip


def row_of(problem: Problem) -> dict[str, Any]:
    """The columns of a problem."""
    return {column.name: getattr(problem, column.name) for column in Problem.__table__.columns}


def buckets(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a problem's row is fed to: its district, township and school; its team while it has no place."""
    if not row["district_id"]:
        return (f"team:{row['team_id']}",) if row["team_id"] else ()
    found = [f"district:{row['district_id']}"]
    if row["township_id"]:
        found.append(f"township:{row['township_id']}")
    if row["site_id"] and row["school_id"] == row["site_id"]:
        found.append(f"school:{row['site_id']}")
    return tuple(found)


def changed(row: Mapping[str, Any], left: tuple[str, ...] = ()) -> Changed:
    """What devices must hear: the row in its buckets; a deleted problem is on no device."""
    return Changed("problem", row["id"], row["ver"], buckets(row), left, row["state"] == "deleted")


def told(problem: Problem) -> Changed:
    """The same of a held problem."""
    return changed(row_of(problem))
