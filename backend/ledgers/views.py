"""The ledgers over HTTP: load → may they → do → dump. No sums."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app

from backend import incoming
from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.errors import Invalid, NotFound
from backend.ledgers import queries

ledgers_bp = Blueprint("ledgers", __name__, url_prefix="/v1/ledgers")
AXES = ("area", "department", "category", "grade", "township", "school", "programme")
KINDS = {"problems": "problem", "responsibilities": "responsibility", "rectifications": "rectification"}


def today() -> date:
    """The day in the city."""
    return datetime.now(ZoneInfo(current_app.extensions["config"].timezone)).date()


def _reader() -> Actor:
    actor = web_actor()
    require(actor, "ledger.read")
    incoming.choose(incoming.JSON)
    return actor


@ledgers_bp.get("/rollup")
def rollup() -> dict[str, Any]:
    actor, asked = _reader(), incoming.parameters("node", "by")
    by = asked.get("by", "area")
    if by not in AXES:
        raise Invalid(errors=[{"pointer": "?by", "code": "invalid", "detail": f"one of {', '.join(AXES)}"}])
    with snapshot() as session:
        return queries.rollup(session, actor, asked.get("node") or queries.home(session, actor), today(), by)


@ledgers_bp.get("/lists/<kind>")
def listed(kind: str) -> dict[str, Any]:
    actor, asked = _reader(), incoming.parameters("node")
    if kind not in KINDS:
        raise NotFound(f"a list is one of {', '.join(KINDS)}")
    with snapshot() as session:
        node = asked.get("node") or queries.home(session, actor)
        return {"node": node, "rows": list(queries.lists(session, actor, KINDS[kind], node))}


@ledgers_bp.get("/reconcile")
def reconcile() -> dict[str, Any]:
    actor = _reader()
    incoming.parameters()
    with snapshot() as session:
        return queries.reconcile(session, actor, today())
