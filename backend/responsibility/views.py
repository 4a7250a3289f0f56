"""Posts, gaps and who answered when, over HTTP: load → may they → do → dump. No decisions."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import IO, Any

import orjson
from flask import Blueprint, Response
from sqlalchemy.orm import Session

from backend import incoming, spooled
from backend.access.guard import reader, require, web_actor
from backend.database import snapshot, to_ms
from backend.errors import Invalid, NotFound
from backend.now import now_utc
from backend.problems import queries as problems
from backend.programmes import queries as programmes
from backend.responsibility import duties, gaps, queries
from backend.responsibility.schemas import DutyOut, PostHandoverOut, Preview, TermOut
from backend.workdays import CITY_TIME, local_date

responsibility_bp = Blueprint("responsibility", __name__, url_prefix="/v1")
LINES = "application/x-ndjson"
_STATES = {"waiting": False, "accepted": True, "all": None}


@responsibility_bp.get("/gaps")
def gap_report() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("node", "days")
    days, today = _days(asked.get("days")), local_date(now_utc())
    with snapshot() as session:
        rows = gaps.report(session, actor, asked.get("node"), today, days)
    total = {name: sum(row[name] for row in rows) for name in ("vacant", "soon", "missing", "open_problems")}
    return {"as_of": today.isoformat(), "days": days, "rows": rows, "total": total}


@responsibility_bp.get("/responsibilities/<path:problem_id>")
def answered(problem_id: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("on")
    day = _day(asked.get("on"))
    with snapshot() as session:
        found = problems.get(session, actor, problem_id)
        if found is None:
            raise NotFound()
        terms = [term for term in queries.terms_of(session, actor, found.id) if _has_day(term, day)]
        on = day.isoformat() if day else None
        return {"problem_id": found.id, "number": found.number, "on": on, "terms": TermOut(many=True).dump(terms)}


@responsibility_bp.get("/post-handovers")
def post_handovers() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("state", "after", "limit")
    state = incoming.one_of("state", asked.get("state", "waiting"), _STATES)
    after, limit = incoming.moment(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    with snapshot() as session:
        found = queries.post_handovers(session, actor, _STATES[state], after, limit)
        last = f"{to_ms(found[-1].at)}:{found[-1].id}" if len(found) == limit else None
        return {"lists": PostHandoverOut(many=True).dump(found), "next": last}


@responsibility_bp.get("/post-handovers/<name>")
def post_handover(name: str) -> dict[str, Any]:
    actor = reader("ledger.read")
    incoming.parameters()
    with snapshot() as session:
        found = queries.post_handover(session, actor, name)
        if found is None:
            raise NotFound()
        return {"list": PostHandoverOut().dump(found), "problems": orjson.loads(found.problems)}


def _days(text: str | None) -> int:
    if text is None:
        return gaps.DAYS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= gaps.MOST_DAYS):
        raise Invalid(errors=[{"pointer": "?days", "code": "invalid", "detail": f"0 to {gaps.MOST_DAYS}"}])
    return int(text)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as fault:
        raise Invalid(errors=[{"pointer": "?on", "code": "invalid", "detail": "a day, 2026-11-24"}]) from fault


def _has_day(term: dict[str, Any], day: date | None) -> bool:
    """Whether a term holds at some moment of a day of the city."""
    if day is None:
        return True
    begin = datetime.combine(day, time(), CITY_TIME)
    return bool(term["since_at"] < begin + timedelta(days=1) and (term["to_at"] is None or term["to_at"] > begin))


@responsibility_bp.get("/duty-rules")
def duty_rules() -> dict[str, Any]:
    actor = reader("ledger.read")
    incoming.parameters()
    with snapshot() as session:
        packs = programmes.newest(session, actor)
        rows = [{**asdict(rule), "programme": name} for name, pack in packs.items() for rule in pack.duty_rules]
        rows += [asdict(rule) for rule in duties.published(session)]
    return {"rules": DutyOut(many=True).dump(rows)}


@responsibility_bp.post("/duty-preview")
def duty_preview() -> Response:
    actor = web_actor()
    require(actor, "duty.preview")
    incoming.parameters()
    incoming.choose(LINES)
    incoming.require_json()
    proposed = [proposed_rule(row) for row in incoming.loaded(Preview())["rules"]]

    def write(session: Session, file: IO[bytes]) -> None:
        file.writelines(orjson.dumps(line) + b"\n" for line in duties.preview(session, actor, proposed))

    return spooled.answer(write, LINES)


def proposed_rule(row: Mapping[str, Any]) -> duties.DutyRule:
    """A proposed rule (`ProposedDuty`); which version it would get is found where it is tried."""
    return duties.rule_of(SimpleNamespace(**row, version=0))
