"""The ledgers over HTTP: load → may they → do → dump. No sums."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app
from sqlalchemy.orm import Session

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot
from backend.errors import NotFound
from backend.ledgers import asked, opened, proof, queries
from backend.now import now_utc

ledgers_bp = Blueprint("ledgers", __name__, url_prefix="/v1/ledgers")
AXES = ("area", *queries.AXES)
KINDS = {"problems": "problem", "responsibilities": "responsibility", "rectifications": "rectification"}


def zone() -> ZoneInfo:
    """The city's time zone."""
    return ZoneInfo(current_app.extensions["config"].timezone)


def today() -> date:
    """The day in the city."""
    return now_utc().astimezone(zone()).date()


def moment(session: Session, text: str | None) -> asked.Moment:
    """What `as_of` asks for (asked.py)."""
    return asked.moment(session, text, now_utc(), zone())


def _told(made: dict[str, Any], when: asked.Moment) -> dict[str, Any]:
    """The answer with the instant that it is as of; none: now."""
    return {**made, "at": when.at.isoformat() if when.at else None}


@ledgers_bp.get("/rollup")
def rollup() -> dict[str, Any]:
    actor, given = reader("ledger.read"), incoming.parameters("node", "by", "as_of")
    by = incoming.one_of("by", given.get("by", "area"), AXES)
    with snapshot() as session:
        when, node = moment(session, given.get("as_of")), given.get("node") or queries.home(session, actor)
        return _told(queries.rollup(session, actor, node, when.today, by, when.clock), when)


@ledgers_bp.get("/rows")
def rows() -> dict[str, Any]:
    actor = reader("ledger.read")
    given = incoming.parameters("node", "as_of", "measure", "after", "limit", *opened.BY)
    cell = {name: given[name] for name in opened.BY if name in given}
    limit = incoming.limit(given.get("limit"), opened.MOST, opened.MOST)
    with snapshot() as session:
        when, node = moment(session, given.get("as_of")), given.get("node") or queries.home(session, actor)
        measure, after = given.get("measure", "found"), given.get("after", "")
        made = opened.rows(session, actor, node, when.today, cell, measure, when.clock, after, limit)
        return _told(made, when)


@ledgers_bp.get("/lists/<kind>")
def listed(kind: str) -> dict[str, Any]:
    actor, given = reader("ledger.read"), incoming.parameters("node")
    if kind not in KINDS:
        raise NotFound(f"a list is one of {', '.join(KINDS)}")
    with snapshot() as session:
        node = given.get("node") or queries.home(session, actor)
        return {"node": node, "rows": list(queries.lists(session, actor, KINDS[kind], node))}


@ledgers_bp.get("/reconcile")
def reconcile() -> dict[str, Any]:
    actor, given = reader("ledger.read"), incoming.parameters("as_of")
    with snapshot() as session:
        when = moment(session, given.get("as_of"))
        return _told(proof.reconcile(session, actor, when.today, when.clock), when)
