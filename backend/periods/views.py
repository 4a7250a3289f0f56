"""Published periods over HTTP: load → may they → do → dump. No sums."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot, to_ms
from backend.errors import NotFound
from backend.ledgers import queries as ledgers
from backend.periods import comparing, queries
from backend.periods.rules import REASONS

periods_bp = Blueprint("periods", __name__, url_prefix="/v1/periods")


@periods_bp.get("")
def listed() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("after", "limit")
    after, limit = incoming.moment(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    with snapshot() as session:
        found = queries.page(session, actor, after, limit)
        last = f"{to_ms(found[-1].published_at)}:{found[-1].number}" if len(found) == limit else None
        return {"periods": [queries.told(session, actor, period) for period in found], "next": last}


@periods_bp.get("/<number>")
def period(number: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("node", "by")
    by = queries.axis(asked.get("by"))
    with snapshot() as session:
        found = queries.published(session, actor, number)
        figures = queries.rollup(session, actor, found, asked.get("node") or ledgers.home(session, actor), by)
        later = [queries.told(session, actor, each) for each in queries.restatements(session, actor, number)]
        return {"period": queries.told(session, actor, found), "figures": figures, "restatements": later}


@periods_bp.get("/<number>/restatement")
def restatement(number: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("node", "by", "edition")
    by = queries.axis(asked.get("by"))
    with snapshot() as session:
        found, node = queries.published(session, actor, number), asked.get("node") or ledgers.home(session, actor)
        edition = queries.edition_of(session, actor, number, asked.get("edition"))
        return queries.restated(session, actor, found, edition, node, by)


@periods_bp.get("/<number>/changes")
def changes(number: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("node", "by", "edition", "key", "reason")
    by, reason = queries.axis(asked.get("by")), _reason(asked.get("reason"))
    with snapshot() as session:
        found, node = queries.published(session, actor, number), asked.get("node") or ledgers.home(session, actor)
        edition = queries.edition_of(session, actor, number, asked.get("edition"))
        rows = queries.rows(session, actor, found, edition, node, by, asked.get("key"), reason)
        return {"number": number, "node": node, "rows": rows}


@periods_bp.get("/<number>/since/<earlier>")
def difference(number: str, earlier: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("node", "by", "key", "flow")
    by = queries.axis(asked.get("by"))
    with snapshot() as session:
        one, two = (queries.get(session, actor, each) for each in (earlier, number))
        if one is None or two is None:
            raise NotFound()
        node, flow = asked.get("node") or ledgers.home(session, actor), asked.get("flow")
        made = comparing.difference(session, actor, one, two, node, by)
        shown = comparing.rows(session, actor, one, two, node, by, asked.get("key"), flow) if flow else None
        return {**made, "problems": shown}


@periods_bp.get("/<number>/check")
def check(number: str) -> dict[str, Any]:
    actor = reader("ledger.read")
    incoming.parameters()
    with snapshot() as session:
        found = queries.get(session, actor, number)
        if found is None:
            raise NotFound()
        return {"number": number, "digest": found.digest, **queries.checked(session, found)}


def _reason(text: str | None) -> str | None:
    return None if text is None else incoming.one_of("reason", text, REASONS)
