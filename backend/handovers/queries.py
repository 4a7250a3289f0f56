"""Reads of handovers; each begins with who asks. Who is given a problem, and who gives it, sees what stands in the handover."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, true
from sqlalchemy.orm import Session

from backend.access import numbers
from backend.access.scope import SYSTEM, Actor, acts_for, condition, under, visible
from backend.database import lock
from backend.errors import Invalid
from backend.handovers.models import Handover, HandoverItem
from backend.handovers.rules import RESULTS, Standing, is_settled
from backend.problems.models import Problem
from backend.territory import queries as territory

FILTERS = ("department_id", "category", "grade", "programme")


def office(actor: Actor, city: str) -> tuple[str, str | None]:
    """(area path, department) that an actor acts for; the city where they have no area."""
    return (actor.areas[0] if actor.areas else city), actor.department_id if actor.role == "department" else None


def receiver(session: Session, to: Mapping[str, Any], pointer: str) -> tuple[str, str | None]:
    """(area path, department) of an office that is named in an op. Raises Invalid, pointing at what is not known."""
    path = territory.area_path(session, to["area"])
    if path is None:
        raise Invalid(errors=[{"pointer": f"{pointer}/area", "code": "unknown", "detail": f"no area {to['area']}"}])
    if to["department"] is not None and to["department"] not in territory.department_ids(session):
        raise Invalid(
            errors=[
                {"pointer": f"{pointer}/department", "code": "unknown", "detail": f"no department {to['department']}"}
            ]
        )
    return path, to["department"]


def is_to(actor: Actor, area_path: str, department_id: str | None) -> bool:
    """Whether something that was given to this office is the actor's to take and to answer."""
    return actor.role == "system" or acts_for(actor, area_path, department_id)


def is_from(actor: Actor, from_path: str, from_department: str | None) -> bool:
    """Whether the actor acts for the office that gave it."""
    if actor.role == "system":
        return True
    own = actor.department_id if actor.role == "department" else None
    return from_path in actor.areas and from_department == own


def to_office(model: Any, actor: Actor) -> ColumnElement[bool]:
    """Condition: rows that are given to the actor's own office; `is_to` says the same of one."""
    if actor.role == "department":
        within = or_(*(under(model.area_path, area) for area in actor.areas))
        return and_(model.department_id == actor.department_id, within)
    return and_(model.department_id.is_(None), model.area_path.in_(actor.areas))


def from_office(model: Any, actor: Actor) -> ColumnElement[bool]:
    """Condition: rows that the actor's own office gives; `is_from` says the same of one."""
    own = actor.department_id if actor.role == "department" else None
    return and_(model.from_path.in_(actor.areas), model.from_department.is_not_distinct_from(own))


def seen(actor: Actor) -> Select[Handover]:
    """SELECT of the handovers that an actor may see: given to their areas and line, or by their office."""
    where = condition(Handover, actor)
    return visible(Handover, SYSTEM).where(true() if where is None else or_(where, from_office(Handover, actor)))


def get(session: Session, actor: Actor, name: str, *, is_held: bool = False) -> Handover | None:
    """A handover that the actor sees, by id or number; locked until the end of the transaction where `is_held`."""
    statement = seen(actor).where(or_(Handover.id == name, Handover.number == name))
    if is_held:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).first()


def waiting(session: Session, states: Collection[str], only: str | None, after: str, limit: int) -> Sequence[Handover]:
    """Open handovers in these states, in order of their ids after one; or one of them; whoever asks."""
    statement = visible(Handover, SYSTEM).where(Handover.is_open, Handover.state.in_(states), Handover.id > after)
    statement = statement if only is None else statement.where(Handover.id == only)
    return session.scalars(statement.order_by(Handover.id).limit(limit)).all()


def items(session: Session, handover_ids: Collection[str]) -> Sequence[HandoverItem]:
    """The problems in these handovers (which the caller has seen), in order."""
    found = visible(HandoverItem, SYSTEM).where(HandoverItem.handover_id.in_(handover_ids))
    return session.scalars(found.order_by(HandoverItem.handover_id, HandoverItem.n)).all()


_CARD = (Problem.id, Problem.number, Problem.description, Problem.state, Problem.is_open, Problem.merged_into, Problem.site_id,
         Problem.item, Problem.grade, Problem.due_on)  # fmt: skip


def cards(session: Session, problem_ids: Iterable[str]) -> dict[str, Any]:
    """Problems with these ids and whatever they were merged into, as plain rows: what was handed over may be read."""
    found: dict[str, Any] = {}
    todo = set(problem_ids)
    while todo:
        rows = session.execute(visible(Problem, SYSTEM).with_only_columns(*_CARD).where(Problem.id.in_(todo)))
        found |= {row.id: row for row in rows}
        todo = {row.merged_into for row in found.values() if row.merged_into} - found.keys()
    return found


def is_ended(problem_id: str, known: dict[str, Any]) -> bool:
    """Whether a problem, or what it has become, needs nobody any more."""
    row = known[problem_id]
    while row.merged_into:
        row = known[row.merged_into]
    return not row.is_open


def standings(session: Session, handover_ids: Collection[str]) -> dict[str, list[Standing]]:
    """{handover: its problems as the rules judge them}."""
    rows = items(session, handover_ids)
    known = cards(session, (row.problem_id for row in rows))
    found: dict[str, list[Standing]] = {name: [] for name in handover_ids}
    for row in rows:
        one = Standing(known[row.problem_id].number, is_ended(row.problem_id, known), row.state)
        found[row.handover_id].append(one)
    return found


def told(session: Session, found: Sequence[Handover], today: date) -> list[dict[str, Any]]:
    """Handovers as they are told of: with how many problems, how many settled, and whether late."""
    stand = standings(session, [each.id for each in found])
    return [
        {**{column.name: getattr(each, column.name) for column in Handover.__table__.columns},
         "is_overdue": is_overdue(each, today), "problems": len(stand[each.id]), "settled": sum(map(is_settled, stand[each.id]))}
        for each in found
    ]  # fmt: skip


def is_overdue(handover: Handover, today: date) -> bool:
    """Whether an open handover's day has passed."""
    return handover.is_open and handover.due_on < today


def page(
    session: Session, actor: Actor, state: str, today: date, after: tuple[date, str] | None, limit: int
) -> Sequence[Handover]:
    """Handovers by deadline: `open`, `overdue`, `closed` or `all`; those after a position (day, id)."""
    where: dict[str, Any] = {
        "open": Handover.is_open, "overdue": and_(Handover.is_open, Handover.due_on < today),
        "closed": Handover.is_open.is_(False), "all": true(),
    }  # fmt: skip
    statement = seen(actor).where(where[state])
    if after is not None:
        day, name = after
        statement = statement.where(or_(Handover.due_on > day, and_(Handover.due_on == day, Handover.id > name)))
    return session.scalars(statement.order_by(Handover.due_on, Handover.id).limit(limit)).all()


_OF_ITEM = ("n", "problem_id", "state", "result", "note", "judgement", "replied_at")
_OF_CARD = ("number", "description", "site_id", "grade", "due_on")


def detail(session: Session, handover: Handover) -> list[dict[str, Any]]:
    """The problems of a handover as they are told of, and printed."""
    rows = items(session, [handover.id])
    known = cards(session, (row.problem_id for row in rows))
    found = []
    for row in rows:
        card = known[row.problem_id]
        said = {name: getattr(row, name) for name in _OF_ITEM} | {name: getattr(card, name) for name in _OF_CARD}
        found.append({**said, "problem_state": card.state, "is_ended": is_ended(row.problem_id, known)})
    return found


def named(session: Session, actor: Actor, names: Collection[str]) -> dict[str, Problem]:
    """{name as given: problem} of these ids or numbers that the actor sees."""
    rows = session.scalars(visible(Problem, actor).where(or_(Problem.id.in_(names), Problem.number.in_(names))))
    return {key: row for row in rows for key in (row.id, row.number) if key in names}


def chosen(
    session: Session, actor: Actor, path: str, asked: dict[str, Any], today: date, limit: int
) -> Sequence[Problem]:
    """Open problems at a node that fit a filter and are in no open handover, by place and number."""
    taken = (
        visible(HandoverItem, SYSTEM).with_only_columns(HandoverItem.open_key).where(HandoverItem.open_key.is_not(None))
    )
    statement = visible(Problem, actor).where(Problem.is_open, under(Problem.area_path, path), Problem.id.not_in(taken))
    for name in FILTERS:
        wanted = asked.get(name.removesuffix("_id"))
        if wanted is not None:
            statement = statement.where(getattr(Problem, name) == wanted)
    if asked.get("overdue"):
        statement = statement.where(Problem.due_on < today)
    return session.scalars(statement.order_by(Problem.area_path, Problem.number).limit(limit)).all()


def taken(session: Session, problem_ids: Collection[str]) -> dict[str, str]:
    """{problem: number of the open handover that it is in}."""
    columns = (HandoverItem.problem_id, Handover.number)
    joined = (
        visible(HandoverItem, SYSTEM)
        .with_only_columns(*columns)
        .join(Handover, Handover.id == HandoverItem.handover_id)
    )
    return {row.problem_id: row.number for row in session.execute(joined.where(HandoverItem.open_key.in_(problem_ids)))}


def of_office(session: Session, actor: Actor, limit: int) -> Sequence[Handover]:
    """Open handovers that the actor's own office was given or gives, the earliest deadline first."""
    own = or_(to_office(Handover, actor), from_office(Handover, actor))
    statement = seen(actor).where(Handover.is_open, own)
    return session.scalars(statement.order_by(Handover.due_on, Handover.id).limit(limit)).all()


def reasons(session: Session, handover_ids: Collection[str]) -> set[str]:
    """Those of these handovers in which a reason was given that nobody has judged."""
    wanted = [name for name, is_reason in RESULTS.items() if is_reason]
    found = visible(HandoverItem, SYSTEM).with_only_columns(HandoverItem.handover_id).distinct()
    found = found.where(
        HandoverItem.handover_id.in_(handover_ids), HandoverItem.state == "answered", HandoverItem.result.in_(wanted)
    )
    return set(session.scalars(found))


def open_of(session: Session, part: str, names: Collection[str]) -> list[tuple[str, str]]:
    """(ring, number) of the open handovers of these sweeps or orders, by number."""
    found = visible(Handover, SYSTEM).with_only_columns(Handover.of_id, Handover.number)
    found = found.where(Handover.of_type == part, Handover.of_id.in_(names), Handover.is_open)
    return [(str(row.of_id), row.number) for row in session.execute(found.order_by(Handover.number))]


def of_part(session: Session, visible_ones: Select[Handover], part: str, name: str) -> Sequence[Handover]:
    """Those of the handovers (`seen`) that belong to a larger ring, by number."""
    return session.scalars(
        visible_ones.where(Handover.of_type == part, Handover.of_id == name).order_by(Handover.number)
    ).all()


def last_number(session: Session, year: int) -> int:
    """The last number given out in a year, locked until the end of the transaction; 0 before the first."""
    lock(session, [f"handover:{year}"])
    return numbers.last(session, Handover, Handover.year == year)
