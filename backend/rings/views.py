"""The larger rings over HTTP: load → may they → do → dump. No decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.errors import NotFound
from backend.rings import queries
from backend.sweeps import queries as sweeps

rings_bp = Blueprint("rings", __name__, url_prefix="/v1")


def _reader() -> Actor:
    actor = web_actor()
    require(actor, "ledger.read")
    incoming.choose(incoming.JSON)
    return actor


@rings_bp.get("/sweeps/<sweep_id>")
def sweep(sweep_id: str) -> dict[str, Any]:
    actor = _reader()
    incoming.parameters()
    with snapshot() as session:
        found = sweeps.get(session, actor, sweep_id)
        if found is None:
            raise NotFound()
        return queries.sweep_standing(session, actor, found)
