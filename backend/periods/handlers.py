"""Publishing: what a ledger says of a period, and what has changed since, is put on record with number and digest.

Nothing that was published is written again: a restatement stands beside it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy.orm import Session

from backend import rows
from backend.access import numbers
from backend.access.scope import SYSTEM, Actor
from backend.bulk import insert_many
from backend.database import clock as clock_now
from backend.database import lock
from backend.effects import Effect, OpLike
from backend.errors import Invalid, Refused
from backend.ledgers import asked as moments
from backend.periods import completeness, counting, queries, rules
from backend.periods.models import LedgerPeriod, PeriodCell, PeriodChange
from backend.periods.rules import Window
from backend.territory import queries as territory
from backend.workdays import local_date


def publish(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`ledger.publish`: the ledger of a period as of a moment of the record. Result: number, digest, moment, rows.

    Raises Invalid for what is no period or moment, or one that lies ahead; Refused guard_failed: published already.
    """
    asked = window(op.args["period"], current_app.extensions["config"].timezone)
    if asked.from_on > now.astimezone(asked.zone).date():
        raise _wrong("/period", "the period has not begun")
    when = _moment(session, op.args["as_of"], now, asked.zone)
    if when[1] < asked.begins_at:
        raise _wrong("/as_of", "before the period begins")
    lock(session, ["ledger_periods"])
    there = queries.of_period(session, SYSTEM, asked)
    if there is not None:
        raise Refused(
            "guard_failed", f"published already as {there.number}: order a restatement of it (ledger.restate)"
        )
    found = counting.cells(session, asked, when[0])
    return _keep(session, op, actor, now, asked, when, found, None)


def restate(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`ledger.restate`: the same question about the published period (the op's entity) put now; each difference with its reason.

    Raises Refused target_missing; guard_failed where nothing counts otherwise than it was last told.
    """
    first = queries.get(session, actor, op.ent_id)
    if first is None or first.restates is not None:
        raise Refused("target_missing", "no such published period")
    lock(session, ["ledger_periods"])
    asked = window(first.period, first.timezone)
    when = (clock_now(session), now)
    found = counting.changes(session, asked, first.clock, when[0])
    last = queries.last_restatement(session, SYSTEM, first.number)
    if queries.is_same(session, first, last, found):
        raise Refused("guard_failed", "nothing counts otherwise than it was last told")
    return _keep(session, op, actor, now, asked, when, found, first)


def window(name: str, timezone: str) -> Window:
    """A period by its name in the city's days. Raises Invalid."""
    try:
        return rules.window(name, ZoneInfo(timezone))
    except ValueError as fault:
        raise _wrong("/period", str(fault)) from fault


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid(errors=[{"pointer": pointer, "code": "invalid", "detail": detail}])


def _moment(session: Session, text: str | None, now: datetime, zone: ZoneInfo) -> tuple[int, datetime]:
    """(clock, instant) that the publication speaks of; now, unless an earlier one is named."""
    when = moments.moment(session, text, now, zone)
    if when.clock is None or when.at is None:
        return clock_now(session), now
    return when.clock, when.at


def _keep(
    session: Session, op: OpLike, actor: Actor, now: datetime, asked: Window, when: tuple[int, datetime],
    found: Sequence[Mapping[str, Any]], first: LedgerPeriod | None,
) -> Effect:  # fmt: skip
    head = _head(session, asked, when, now, first)
    names = queries.CELL if first is None else queries.CHANGE
    made = rules.digest(head, found, names)
    year, n = int(head["number"].split("-")[1]), int(head["number"].split("-")[2])
    rows.add(session, LedgerPeriod, {
        **head, "year": year, "n": n, "period_key": queries.key_of(asked, head["edition"]), "from_on": asked.from_on, "to_on": asked.to_on,
        "at": when[1], "published_at": now, "published_by": actor.id, "note": op.args["note"], "rows": len(found), "digest": made,
        "op_id": op.id,
    })  # fmt: skip
    rows.write(session)
    model: Any = PeriodCell if first is None else PeriodChange
    numbered = [{**row, "number": head["number"], "n": at} for at, row in enumerate(found)]
    insert_many(session.connection(), model.__table__, numbered)
    told = {"number": head["number"], "digest": made, "clock": when[0], "at": when[1].isoformat(), "rows": len(found)}
    return Effect(summary={**told, "period": asked.name, "area_path": territory.city_id(session)}, result=told)


def _head(
    session: Session, asked: Window, when: tuple[int, datetime], now: datetime, first: LedgerPeriod | None
) -> dict[str, Any]:
    """What the digest begins with; the number is the year's next, a restatement's that of the period and its edition."""
    if first is None:
        year = local_date(now).year
        number, edition = f"QB-{year}-{numbers.last(session, LedgerPeriod, LedgerPeriod.year == year) + 1:04d}", 0
    else:
        last = queries.last_restatement(session, SYSTEM, first.number)
        edition = (last.edition if last else 0) + 1
        number = f"{first.number}-R{edition}"
    return {
        "number": number, "period": asked.name, "edition": edition, "restates": first.number if first else None,
        "timezone": str(asked.zone), "clock": when[0], "completeness": completeness.stated(session, asked, when[0], now),
    }  # fmt: skip
