"""The desk's HTTP door to the health of sync: load → may they → do → dump. No decisions."""

from typing import Any

from flask import Blueprint, current_app

from backend import incoming
from backend.access.guard import person_actor, require
from backend.database import snapshot
from backend.now import now_utc
from backend.sync import contacts, health

desk_bp = Blueprint("desk", __name__, url_prefix="/v1")
MOST, USUAL = 2_000, 500


@desk_bp.get("/sync-health")
def sync_health() -> dict[str, Any]:
    actor = person_actor()
    require(actor, "sync.watch")
    incoming.choose(incoming.JSON)
    asked = incoming.parameters("show", "limit")
    show = incoming.one_of("show", asked.get("show", "all"), health.SHOWN)
    limit = incoming.limit(asked.get("limit"), USUAL, MOST)
    contacts.written()
    silent_after_s = current_app.extensions["config"].silent_after_s
    with snapshot() as session:
        return health.board(session, actor, now_utc(), silent_after_s, show, limit)
