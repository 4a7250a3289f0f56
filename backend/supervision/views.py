"""Proceedings over HTTP: what waits on the desk, the two boxes of transfers. Load → may they → dump; no decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader, require, web_actor
from backend.database import snapshot, to_ms
from backend.now import now_utc
from backend.supervision import queries
from backend.supervision.schemas import ProceedingOut
from backend.workdays import local_date

supervision_bp = Blueprint("supervision", __name__, url_prefix="/v1")


@supervision_bp.get("/desk")
def desk() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "record.read")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    today = local_date(now_utc())
    with snapshot() as session:
        return {"today": today.isoformat(), "counts": queries.counts(session, actor, today)}


@supervision_bp.get("/transfers")
def transfers() -> dict[str, Any]:
    actor = reader("record.read")
    asked = incoming.parameters("box", "state", "after", "limit")
    after, limit = incoming.moment(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    box = incoming.one_of("box", asked.get("box", "received"), queries.BOXES)
    state = incoming.one_of("state", asked.get("state", "all"), tuple(reversed(queries.STATES)))
    with snapshot() as session:
        found = queries.transfers(session, actor, box, state, after, limit)
        last = f"{to_ms(found[-1][0].opened_at)}:{found[-1][0].id}" if len(found) == limit else None
        return {"transfers": [_row(*each) for each in found], "next": last}


def _row(found: Any, number: str, description: str, site_id: str | None, state: str) -> dict[str, Any]:
    """A transfer with as much of its problem as its receiver must know."""
    about = {"number": number, "description": description, "site_id": site_id, "state": state}
    return {"transfer": ProceedingOut().dump(found), "problem": about}
