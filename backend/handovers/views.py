"""Handovers over HTTP: load → may they → do → dump. No decisions."""

from datetime import date
from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot
from backend.errors import NotFound, Problem
from backend.handovers import queries
from backend.handovers.schemas import HandoverOut, ItemOut
from backend.ledgers.views import today

handovers_bp = Blueprint("handovers", __name__, url_prefix="/v1/handovers")
STATES = ("open", "overdue", "closed", "all")


@handovers_bp.get("")
def listed() -> dict[str, Any]:
    actor, asked = reader("handover.read"), incoming.parameters("state", "after", "limit")
    state, limit = (
        incoming.one_of("state", asked.get("state", "open"), STATES),
        incoming.limit(asked.get("limit"), 50, 500),
    )
    after = _position(asked.get("after"))
    with snapshot() as session:
        found = queries.page(session, actor, state, today(), after, limit)
        last = f"{found[-1].due_on.isoformat()}:{found[-1].id}" if len(found) == limit else None
        return {"handovers": HandoverOut(many=True).dump(queries.told(session, found, today())), "next": last}


@handovers_bp.get("/<name>")
def handover(name: str) -> dict[str, Any]:
    actor = reader("handover.read")
    incoming.parameters()
    with snapshot() as session:
        found = queries.get(session, actor, name)
        if found is None:
            raise NotFound()
        (told,) = queries.told(session, [found], today())
        return {
            "handover": HandoverOut().dump(told),
            "problems": ItemOut(many=True).dump(queries.detail(session, found)),
        }


def _position(text: str | None) -> tuple[date, str] | None:
    """Where the next page begins, "day:id". Raises Problem bad_cursor."""
    if not text:
        return None
    day, _, name = text.partition(":")
    try:
        return date.fromisoformat(day), name
    except ValueError as fault:
        raise Problem("bad_cursor") from fault
