"""Reads of the year's orders as rings; each begins with who asks. Addressees see what is addressed to them."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, or_, true
from sqlalchemy.orm import Session

from backend.access import numbers
from backend.access.scope import SYSTEM, Actor, condition, visible
from backend.database import lock
from backend.handovers import queries as handovers
from backend.rings import queries
from backend.rings.models import OrderAddressee, OrderSweep, Year, YearOrder
from backend.rings.rules import ORDERS_ZH, Ring, open_in
from backend.sweeps.models import Sweep


def seen(actor: Actor) -> Select[YearOrder]:
    """SELECT of the orders that an actor may see: of their own area and line, or addressed to one of their offices."""
    where = condition(YearOrder, actor)
    if where is None:
        return visible(YearOrder, SYSTEM)
    addressed = visible(OrderAddressee, actor).with_only_columns(OrderAddressee.order_id)
    return visible(YearOrder, SYSTEM).where(or_(where, YearOrder.id.in_(addressed)))


def get(session: Session, actor: Actor, name: str, *, is_held: bool = False) -> YearOrder | None:
    """An order that the actor sees, by id or number; locked until the end of the transaction where `is_held`."""
    statement = seen(actor).where(or_(YearOrder.id == name, YearOrder.number == name))
    if is_held:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).first()


def page(session: Session, actor: Actor, year: int, is_open: bool | None) -> Sequence[YearOrder]:
    """The orders of a year that the actor sees, by number."""
    where = true() if is_open is None else YearOrder.is_open.is_(is_open)
    return session.scalars(seen(actor).where(YearOrder.year == year, where).order_by(YearOrder.n)).all()


def addressees(session: Session, order_ids: Collection[str]) -> Sequence[OrderAddressee]:
    """Whom these orders (which the caller has seen) are addressed to, in order."""
    found = visible(OrderAddressee, SYSTEM).where(OrderAddressee.order_id.in_(order_ids))
    return session.scalars(found.order_by(OrderAddressee.order_id, OrderAddressee.n)).all()


def unreplied(session: Session, only: str | None, after: str, limit: int) -> Sequence[tuple[YearOrder, OrderAddressee]]:
    """(open order, an office that has not replied), in order of the orders' ids after one; or of one; whoever asks.

    The offices of one order stay together: as many more than `limit` are returned as the last order has.
    """
    open_ones = (
        visible(YearOrder, SYSTEM).with_only_columns(YearOrder.id).where(YearOrder.is_open, YearOrder.id > after)
    )
    waiting = visible(OrderAddressee, SYSTEM).with_only_columns(OrderAddressee.order_id)
    open_ones = open_ones.where(YearOrder.id.in_(waiting.where(OrderAddressee.replied_at.is_(None))))
    open_ones = open_ones if only is None else open_ones.where(YearOrder.id == only)
    ids = list(session.scalars(open_ones.order_by(YearOrder.id).limit(limit)))
    statement = visible(YearOrder, SYSTEM).add_columns(OrderAddressee)
    statement = statement.join(OrderAddressee, OrderAddressee.order_id == YearOrder.id)
    statement = statement.where(YearOrder.id.in_(ids), OrderAddressee.replied_at.is_(None))
    rows = session.execute(statement.order_by(YearOrder.id, OrderAddressee.n))
    return [(row[0], row[1]) for row in rows]


def sweeps_of(session: Session, order_ids: Collection[str]) -> list[tuple[str, Sweep]]:
    """(order, sweep) that these orders hold, by sweep."""
    found = visible(Sweep, SYSTEM).add_columns(OrderSweep.order_id).join(OrderSweep, OrderSweep.sweep_id == Sweep.id)
    rows = session.execute(found.where(OrderSweep.order_id.in_(order_ids)).order_by(Sweep.id))
    return [(row[1], row[0]) for row in rows]


def held_sweeps(session: Session, sweep_ids: Collection[str]) -> dict[str, str]:
    """{sweep: order that holds it} of these sweeps."""
    return {
        row.sweep_id: row.order_id
        for row in session.scalars(visible(OrderSweep, SYSTEM).where(OrderSweep.sweep_id.in_(sweep_ids)))
    }


def ring(session: Session, order: YearOrder) -> Ring:
    """An order with its replies, sweeps and handovers, for the law; whoever asks."""
    replies = (
        Ring("reply", f"{row.area_path.rsplit('/', 1)[-1]}{'/' + row.department_id if row.department_id else ''}", row.replied_at is not None)
        for row in addressees(session, [order.id])
    )  # fmt: skip
    swept = (queries.ring_of_sweep(session, sweep) for _, sweep in sweeps_of(session, [order.id]))
    given = (Ring("handover", number, False) for _, number in handovers.open_of(session, "order", [order.id]))
    return Ring("order", order.number, not order.is_open, (*replies, *swept, *given))


def ring_of_year(session: Session, year: int) -> Ring:
    """A year with its orders; whoever asks."""
    orders = page(session, SYSTEM, year, None)
    return Ring("year", str(year), closed(session, year) is not None, tuple(ring(session, order) for order in orders))


def closed(session: Session, year: int) -> Year | None:
    """How a year was closed; None while it is open."""
    return session.scalars(visible(Year, SYSTEM).where(Year.year == year)).first()


def kinds_of(session: Session, year: int) -> set[str]:
    """The kinds of order that a year has."""
    return set(
        session.scalars(
            visible(YearOrder, SYSTEM).with_only_columns(YearOrder.kind).where(YearOrder.year == year).distinct()
        )
    )


def last_number(session: Session, year: int) -> int:
    """The last number given out in a year, locked until the end of the transaction; 0 before the first."""
    lock(session, [f"order:{year}"])
    return numbers.last(session, YearOrder, YearOrder.year == year)


def told(session: Session, found: Sequence[YearOrder], today: date) -> list[dict[str, Any]]:
    """Orders as they are told of, with how many are addressed and have replied, and how much of each ring is open."""
    ids = [order.id for order in found]
    replied: dict[str, list[bool]] = {name: [] for name in ids}
    for row in addressees(session, ids):
        replied[row.order_id].append(row.replied_at is not None)
    swept: dict[str, list[bool]] = {name: [] for name in ids}
    for name, sweep in sweeps_of(session, ids):
        swept[name].append(sweep.state == "closed")
    left: dict[str, int] = dict.fromkeys(ids, 0)
    for name, _ in handovers.open_of(session, "order", ids):
        left[name] += 1
    return [
        {**{column.name: getattr(order, column.name) for column in YearOrder.__table__.columns}, "kind_zh": ORDERS_ZH[order.kind],
         "is_overdue": order.is_open and order.due_on < today, "addressees": len(replied[order.id]), "replied": sum(replied[order.id]),
         "sweeps": len(swept[order.id]), "sweeps_closed": sum(swept[order.id]), "open_handovers": left[order.id]}
        for order in found
    ]  # fmt: skip


def parts(session: Session, actor: Actor, order: YearOrder) -> dict[str, Any]:
    """An order's parts as the actor sees them, and what keeps it from closing."""
    is_whole = (
        handovers.is_from(actor, order.from_path, order.from_department)
        or condition(YearOrder, actor) is None
        or actor.role == "auditor"
    )
    rows = addressees(session, [order.id])
    if not is_whole:
        rows = [row for row in rows if handovers.is_to(actor, row.area_path, row.department_id)]
    given = handovers.of_part(session, handovers.seen(actor), "order", order.id)
    return {
        "addressees": [{"area_path": r.area_path, "department_id": r.department_id, "replies": r.replies} for r in rows],
        "sweeps": [{"id": s.id, "title": s.title, "state": s.state} for _, s in sweeps_of(session, [order.id])],
        "handovers": [{"number": h.number, "state": h.state, "is_open": h.is_open, "due_on": h.due_on.isoformat()} for h in given],
        "open": [{"ring": kind, "name": name} for kind, name in open_in(ring(session, order))] if is_whole else [],
    }  # fmt: skip


def of_office(session: Session, actor: Actor, limit: int) -> list[tuple[YearOrder, bool]]:
    """(open order, whether the actor's office is to reply to it still), the earliest deadline first; those of their own (False)."""
    to = handovers.to_office(OrderAddressee, actor)
    waiting = visible(OrderAddressee, SYSTEM).with_only_columns(OrderAddressee.order_id)
    waiting = waiting.where(to, OrderAddressee.replied_at.is_(None))
    is_waited_for = YearOrder.id.in_(waiting)
    statement = visible(YearOrder, SYSTEM).add_columns(is_waited_for)
    statement = statement.where(YearOrder.is_open, or_(is_waited_for, handovers.from_office(YearOrder, actor)))
    found = session.execute(statement.order_by(YearOrder.due_on, YearOrder.id).limit(limit))
    return [(row[0], bool(row[1])) for row in found]
