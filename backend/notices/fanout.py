"""Handing out what is to be told: to each person who is meant and sees it, once, in one transaction with its end.

Theory. An event leaves a row beside its change (handlers.py). This takes a lot of them, asks who is meant (rules.py) and
who of these sees the subject as it is now (access/scope.py), adds a line to their inboxes or counts it in the one that is
unread, and takes the rows away. Killed at any point, all or nothing of that has happened; run twice, the second finds
nothing. Two who run at once wait for each other. Nothing leaves the server here: what goes out is put in line (outbox.py).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.database import db, lock, transaction
from backend.faults import passing
from backend.notices import mail, rules, webhooks
from backend.notices.models import Notice, NoticeFact
from backend.notices.told import Told
from backend.problems import queries as problems
from backend.sweeps import queries as sweeps

LOT = 500  # facts in one transaction
MOST_ROWS = 2_000  # lines in one statement: SQLite takes 32,766 values
EVERY_S = 2.0


def deliver(now: datetime) -> int:
    """Hand out whatever waits; returns how many facts."""
    done = 0
    while _waits():
        with transaction() as session:
            lot = _deliver_lot(session, now)
        done += lot
        if lot < LOT:
            break
    return done


def _waits() -> bool:
    with db.engine.connect() as connection:
        return connection.execute(select(NoticeFact.id).limit(1)).first() is not None


def _deliver_lot(session: Session, now: datetime) -> int:
    lock(session, ["notices"])
    facts = session.scalars(select(NoticeFact).order_by(NoticeFact.id).limit(LOT)).all()
    people = sweeps.field_actors(session)
    lot = [(told, [person for person in people if is_meant(told, person)]) for told in _told(session, facts)]
    mail.put_urgent(session, lot, now)
    webhooks.put(session, [told for told, _ in lot], people, now)
    _write(session, lot)
    session.execute(delete(NoticeFact).where(NoticeFact.id.in_([fact.id for fact in facts])))
    passing("out.told")
    return len(facts)


def is_meant(told: Told, person: Actor) -> bool:
    """Whether a person is told: meant by the table, not the one who did it, and sees the subject."""
    kind = rules.KINDS[told.kind]
    if kind.author and told.ent == ("person", person.id):
        return True  # about themselves
    if kind.named and told.named_id:
        return person.id == told.named_id and person.id != told.by_id and told.is_seen_by(person)
    if kind.by_level and person.role != told.level:
        return False
    is_meant = person.role in kind.who or (kind.finder and person.id == told.finder_id)
    return is_meant and person.id != told.by_id and told.is_seen_by(person)


def _told(session: Session, facts: Sequence[NoticeFact]) -> Iterable[Told]:
    """Facts with their subjects; a problem that has been merged or deleted meanwhile is nobody's news."""
    about = {
        fact.id: str(fact.data.get("problem_id") or (fact.ent_id if fact.ent_type == "problem" else ""))
        for fact in facts
    }
    ids = sorted(set(filter(None, about.values())))
    found, finders = problems.by_ids(session, SYSTEM, ids), problems.finders(session, SYSTEM, ids)
    for fact in facts:
        problem = found.get(about[fact.id])
        if about[fact.id] and (problem is None or problem.state in ("merged", "deleted")):
            continue
        data = {**fact.data, **(_of_problem(problem) if problem else {})}
        shown = {k: data[k] for k in rules.SHOWN if data.get(k) is not None}
        yield Told(
            fact.kind, (fact.ent_type, fact.ent_id), problem.id if problem else None,
            problem.area_path if problem else fact.area_path,
            problem.department_id if problem else fact.data.get("department"),
            fact.by_id, finders.get(about[fact.id]), fact.data.get("user"), fact.data.get("level") or (problem.escalated_level if problem else None),
            fact.at, fact.id, shown,
        )  # fmt: skip


def _of_problem(problem: Any) -> dict[str, Any]:
    return {"number": problem.number, "grade": problem.grade, "state": problem.state,
            "due_on": problem.due_on.isoformat() if problem.due_on else None}  # fmt: skip


def _write(session: Session, lot: Sequence[tuple[Told, Sequence[Actor]]]) -> None:
    """A line in each inbox; one that is unread there already counts what is new and says the newest. A few statements for a lot."""
    lines = list(_lines(lot).values())
    for n in range(0, len(lines), MOST_ROWS):
        _upsert(session, lines[n : n + MOST_ROWS])


def _lines(lot: Sequence[tuple[Told, Sequence[Actor]]]) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """(reader, kind, subject) → the line that all facts of a lot about it come to: how many, the first and the newest."""
    made: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for told, people in lot:
        for person in people:
            key = (person.id, told.kind, *told.ent)
            before = made.get(key, {"count": 0, "first_at": told.at})
            made[key] = {
                "user_id": person.id, "kind": told.kind, "ent_type": told.ent[0], "ent_id": told.ent[1], "problem_id": told.problem_id,
                "area_path": told.area_path, "count": before["count"] + 1, "first_at": before["first_at"], "at": told.at,
                "data": dict(told.data),
            }  # fmt: skip
    return made


def _upsert(session: Session, lines: Sequence[dict[str, Any]]) -> None:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(Notice).values(list(lines))
    new = statement.excluded
    anew = {"count": Notice.count + new.count} | {
        name: getattr(new, name) for name in ("at", "data", "area_path", "problem_id")
    }
    keys = ["user_id", "kind", "ent_type", "ent_id"]
    session.execute(
        statement.on_conflict_do_update(index_elements=keys, index_where=Notice.read_at.is_(None), set_=anew)
    )
