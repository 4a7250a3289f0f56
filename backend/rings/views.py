"""The larger rings over HTTP: load → may they → do → dump. No decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot
from backend.errors import Invalid, NotFound
from backend.ledgers.views import today
from backend.rings import loops, orders, queries
from backend.rings.rules import EVERY_YEAR
from backend.rings.schemas import LoopOut, OrderOut
from backend.sweeps import queries as sweeps

rings_bp = Blueprint("rings", __name__, url_prefix="/v1")


@rings_bp.get("/sweeps/<sweep_id>")
def sweep(sweep_id: str) -> dict[str, Any]:
    actor = reader("ledger.read")
    incoming.parameters()
    with snapshot() as session:
        found = sweeps.get(session, actor, sweep_id)
        if found is None:
            raise NotFound()
        return queries.sweep_standing(session, actor, found)


@rings_bp.get("/orders")
def listed() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("year", "state")
    year, is_open = _year(asked.get("year")), _STATES[incoming.one_of("state", asked.get("state", "all"), _STATES)]
    with snapshot() as session:
        told = orders.told(session, orders.page(session, actor, year, is_open), today())
        closed, there = orders.closed(session, year), orders.kinds_of(session, year)
        missing = [kind for kind in EVERY_YEAR if kind not in there]
        said = {"year": year, "closed_at": closed.closed_at.isoformat() if closed else None, "missing": missing}
    return {**said, "orders": OrderOut(many=True).dump(told)}


@rings_bp.get("/orders/<name>")
def order(name: str) -> dict[str, Any]:
    actor = reader("ledger.read")
    incoming.parameters()
    with snapshot() as session:
        found = orders.get(session, actor, name)
        if found is None:
            raise NotFound()
        (told,) = orders.told(session, [found], today())
        return {"order": OrderOut().dump(told), **orders.parts(session, actor, found)}


@rings_bp.get("/sectors")
def sectors() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("period")
    period = asked.get("period", today().isoformat()[:7])
    try:
        loops.last_day(period)
    except ValueError as fault:
        raise Invalid(errors=[{"pointer": "?period", "code": "invalid", "detail": str(fault)}]) from fault
    with snapshot() as session:
        found = LoopOut(many=True).dump(loops.loops(session, actor, period, today()))
        names = loops.sectors(session, actor)
    steps = [{"step": step, "name": name} for step, name in loops.STEPS.items()]
    return {"period": period, "sectors": names, "order": steps, "loops": found}


_STATES = {"open": True, "closed": False, "all": None}


def _year(text: str | None) -> int:
    if text is None:
        return today().year
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Invalid(errors=[{"pointer": "?year", "code": "invalid", "detail": "four digits"}])
    return int(text)
