"""The ledgers over HTTP: load → may they → do → dump. No sums."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, request

from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.errors import Invalid
from backend.ledgers import queries
from backend.ops.apply import now_utc
from backend.territory import queries as territory

ledgers_bp = Blueprint("ledgers", __name__, url_prefix="/v1/ledgers")
AXES = ("area", "department", "category", "grade", "township", "school", "programme")
KINDS = {"problems": "problem", "responsibilities": "responsibility", "rectifications": "rectification"}


def today() -> date:
    """The day in the city."""
    return now_utc().astimezone(ZoneInfo(current_app.extensions["config"].timezone)).date()


def _reader() -> Actor:
    actor = web_actor()
    require(actor, "ledger.read")
    return actor


@ledgers_bp.get("/rollup")
def rollup() -> dict[str, Any]:
    actor, by = _reader(), request.args.get("by", "area")
    if by not in AXES:
        raise Invalid(errors=[{"pointer": "?by", "code": "invalid", "detail": f"one of {', '.join(AXES)}"}])
    with snapshot() as session:
        node = request.args.get("node") or territory.city_id(session)
        return queries.rollup(session, actor, node, today(), by)


@ledgers_bp.get("/lists/<kind>")
def listed(kind: str) -> dict[str, Any]:
    actor = _reader()
    if kind not in KINDS:
        raise Invalid(f"a list is one of {', '.join(KINDS)}")
    with snapshot() as session:
        node = request.args.get("node") or territory.city_id(session)
        return {"node": node, "rows": list(queries.lists(session, actor, KINDS[kind], node))}


@ledgers_bp.get("/reconcile")
def reconcile() -> dict[str, Any]:
    actor = _reader()
    with snapshot() as session:
        return queries.reconcile(session, actor, today())
