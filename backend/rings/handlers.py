"""Closing the larger rings. Refuses, with what is open, whatever would close over a smaller ring."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.effects import Changed, Effect, Event, OpLike
from backend.errors import Invalid, NotAllowed, Refused
from backend.handovers.queries import is_from, is_to, office, receiver
from backend.rings import orders, queries, rules
from backend.rings.models import OrderAddressee, OrderSweep, Year, YearOrder
from backend.rings.rules import RINGS_ZH, Ring
from backend.sweeps import queries as sweeps
from backend.territory import queries as territory

SHOWN = 20  # names of one kind that a refusal gives


def close_sweep(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sweep.close`: every task done or excused, every handover of it closed, coverage stated (in words, and in figures here).

    Raises Refused target_missing, guard_failed (closed already; what is open, by name). What arrives later is still taken.
    """
    sweep = sweeps.hold(session, actor, op.ent_id)
    if sweep is None:
        raise Refused("target_missing", "no such sweep")
    if sweep.state == "closed":
        raise Refused("guard_failed", "the sweep is closed already")
    refuse_open(queries.ring_of_sweep(session, sweep))
    figures = queries.coverage(session, sweep)
    sweep.state, sweep.closed_at, sweep.closed_by, sweep.ver = "closed", now, actor.id, sweep.ver + 1
    sweep.closing = {"said": op.args["coverage"].strip(), "figures": figures}
    session.flush()
    return Effect(ver=sweep.ver, changes=[Changed("sweep", sweep.id, sweep.ver, ("global",))],
                  summary={"sweep": sweep.id, "area_path": territory.city_id(session), **figures}, result=dict(figures))  # fmt: skip


def issue_order(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`order.issue`: result: its number. Raises Invalid for an office that is not known or named twice; Refused conflict (id
    taken), guard_failed (the year is closed; a sweep that is not there, closed, or another order's)."""
    args = op.args
    if orders.get(session, SYSTEM, op.ent_id) is not None:
        raise Refused("conflict", "this order is there already")
    if orders.closed(session, args["year"]) is not None:
        raise Refused("guard_failed", f"{args['year']} is closed")
    to = [receiver(session, each, f"/to/{n}") for n, each in enumerate(args["to"])]
    if len(set(to)) < len(to):
        raise Invalid(errors=[{"pointer": "/to", "code": "invalid", "detail": "an office is named twice"}])
    from_path, from_department = office(actor, territory.city_id(session))
    n = orders.last_number(session, args["year"]) + 1
    number = f"BSD-{args['year']}-{n:04d}"
    said = {name: args[name] for name in ("year", "kind", "title", "content", "document", "due_on")}
    session.execute(insert(YearOrder).values(
        id=op.ent_id, number=number, n=n, **said, from_path=from_path, from_department=from_department, is_open=True, issued_at=now,
        issued_by=actor.id, closing_note="", ver=1,
    ))  # fmt: skip
    rows: list[dict[str, Any]] = [{"order_id": op.ent_id, "n": k, "area_path": path, "department_id": department, "replies": []}
            for k, (path, department) in enumerate(to, 1)]  # fmt: skip
    session.execute(insert(OrderAddressee), rows)
    _take(session, op.ent_id, args["sweeps"])
    summary = {"order": number, "kind": args["kind"], "to": len(to), "area_path": from_path}
    return Effect(ver=1, events=[_stepped(op, number, args["title"], to)], summary=summary, result={"number": number})


def take_sweeps(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`order.take`: sweeps that carry an open order out: it closes after them."""
    order = _order(session, op, actor, is_issuer=True)
    _take(session, order.id, op.args["sweeps"])
    return _moved(session, order, sweeps=len(op.args["sweeps"]))


def _take(session: Session, order_id: str, names: Sequence[str]) -> None:
    if not names:
        return
    held = orders.held_sweeps(session, names)
    for name in names:
        sweep = sweeps.hold(session, SYSTEM, name)
        if sweep is None or sweep.state != "open" or held.get(name, order_id) != order_id:
            raise Refused("guard_failed", f"no open sweep {name} that is in no other order")
    new = [{"sweep_id": name, "order_id": order_id} for name in dict.fromkeys(names) if name not in held]
    if new:
        session.execute(insert(OrderSweep), new)


def reply_order(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`order.reply`: what an addressee has done. Raises NotAllowed for whom it is not addressed to."""
    order = _order(session, op, actor)
    mine = [row for row in orders.addressees(session, [order.id]) if is_to(actor, row.area_path, row.department_id)]
    if not mine:
        raise NotAllowed(f"{order.number} is not addressed to you")
    for row in mine:
        row.replies = [*row.replies, {"at": now.isoformat(), "by": actor.id, **op.args}]
        row.replied_at = now
    effect = _moved(session, order, replied=len(mine))
    effect.events.append(_stepped(op, order.number, order.title, [(order.from_path, order.from_department)]))
    return effect


def close_order(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`order.close`: all replies are in, its sweeps and handovers closed. Refused guard_failed with what is open, by name."""
    order = _order(session, op, actor, is_issuer=True)
    refuse_open(orders.ring(session, order))
    order.is_open, order.closed_at, order.closed_by, order.closing_note = False, now, actor.id, op.args["note"]
    return _moved(session, order)


def close_year(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`year.close`: the ordinary orders were given and every order is closed. Refused guard_failed, conflict (closed already)."""
    if not (op.ent_id.isascii() and op.ent_id.isdigit() and len(op.ent_id) == 4):
        raise Invalid("the year is named by its four digits")
    year = int(op.ent_id)
    if orders.closed(session, year) is not None:
        raise Refused("conflict", f"{year} is closed already")
    orders.last_number(session, year)  # no order is issued meanwhile
    there = orders.kinds_of(session, year)
    if missing := [rules.ORDERS_ZH[kind] for kind in rules.EVERY_YEAR if kind not in there]:
        raise Refused("guard_failed", f"{year} had no {', '.join(missing)}")
    refuse_open(orders.ring_of_year(session, year))
    session.execute(insert(Year).values(year=year, closed_at=now, closed_by=actor.id, note=op.args["note"]))
    return Effect(summary={"year": year, "area_path": territory.city_id(session)}, result={"year": year})


def admit_handover(session: Session, data: Mapping[str, Any], actor: Actor, now: datetime) -> Effect:
    """Reaction to `handover.issued`: only an open order takes a handover in; it is held, so that it does not close meanwhile."""
    if data["part_of"]["t"] == "order":
        order = orders.get(session, actor, data["part_of"]["id"], is_held=True)
        if order is None or not order.is_open or order.id != data["part_of"]["id"]:
            raise Refused("guard_failed", f"no open order {data['part_of']['id']}")
    return Effect()


def _order(session: Session, op: OpLike, actor: Actor, *, is_issuer: bool = False) -> YearOrder:
    order = orders.get(session, actor, op.ent_id, is_held=True)
    if order is None:
        raise Refused("target_missing", "no such order of yours")
    if is_issuer and not is_from(actor, order.from_path, order.from_department):
        raise NotAllowed(f"{order.number} is another office's")
    if not order.is_open:
        raise Refused("guard_failed", f"{order.number} is closed")
    return order


def _stepped(op: OpLike, number: str, title: str, to: Sequence[tuple[str, str | None]]) -> Event:
    return Event("order.stepped", {"step": op.verb, "id": op.ent_id, "number": f"{number} {title}", "to": list(to)})


def _moved(session: Session, order: YearOrder, **more: Any) -> Effect:
    order.ver += 1
    session.flush()
    summary = {"order": order.number, "area_path": order.from_path, **more}
    return Effect(ver=order.ver, summary=summary, result={"number": order.number, **more})


def refuse_open(ring: Ring) -> None:
    """Raises Refused guard_failed with what keeps a ring from closing, kind by kind."""
    if rules.may_close(ring):
        return
    by_kind: dict[str, list[str]] = {}
    for kind, name in rules.open_in(ring):
        by_kind.setdefault(kind, []).append(name)
    told = [f"{RINGS_ZH[kind]} {kind} ({len(names)}): {_some(names)}" for kind, names in by_kind.items()]
    raise Refused("guard_failed", f"still open: {'; '.join(told)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
