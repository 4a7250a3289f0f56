"""Drawing a sample and taking in what was seen. The draw itself is rules.py's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from flask import current_app
from sqlalchemy.orm import Session

from backend import rows
from backend.access import numbers
from backend.access.scope import SYSTEM, Actor, is_within
from backend.database import clock as clock_now
from backend.database import lock
from backend.effects import Effect, OpLike
from backend.errors import Invalid, NotAllowed, NotFound, Refused
from backend.ledgers import queries as ledgers
from backend.periods.handlers import window
from backend.problems import queries as problems
from backend.sampling import queries, rules
from backend.sampling.models import Sample, SampleItem
from backend.workdays import local_date


def draw(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sample.draw`: of the problems closed at a place in a period, by the seed. Result: number, digest of the list, how many.

    Raises Invalid (no such place, period or inspector); Refused guard_failed where nothing was closed there.
    """
    args = op.args
    asked = window(args["period"], current_app.extensions["config"].timezone)
    try:
        path = ledgers.path_of(session, actor, args["node"])
    except NotFound as fault:
        raise Invalid(errors=[{"pointer": "/node", "code": "invalid", "detail": fault.detail}]) from fault
    who = _inspectors(session, args["inspectors"])
    found = queries.closed(session, path, asked)
    if not found:
        raise Refused("guard_failed", "nothing was closed there in these days")
    barred = queries.acted(session, [p.id for p in found])
    members = [{"id": p.id, "stratum": f"{p.district_id}:{p.grade}", "barred": barred.get(p.id, [])} for p in found]
    told = rules.published(args["seed"], args["percent"], members, who)
    lock(session, ["samples"])
    year = local_date(now).year
    n = numbers.last(session, Sample, Sample.year == year) + 1
    number = f"SJ-{year}-{n:04d}"
    rows.add(session, Sample, {
        "number": number, "year": year, "n": n, "node": args["node"], "area_path": path, "from_on": asked.from_on, "to_on": asked.to_on,
        "seed": args["seed"], "percent": args["percent"], "population": len(members), "digest": told["digest"],
        "content": orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode(), "clock": clock_now(session), "drawn_at": now, "drawn_by": actor.id,
    })  # fmt: skip
    _keep_items(session, number, told["drawn"], {p.id: p for p in found})
    said: dict[str, Any] = {
        "number": number,
        "digest": told["digest"],
        "population": len(members),
        "drawn": len(told["drawn"]),
    }
    return Effect(summary={**said, "seed": args["seed"], "area_path": path}, result=said)


def result(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`sample.result`: what was seen at a problem of the draw (the op's entity), once, by who was drawn, or by the city.

    What is not fixed, or there again, is first reopened or reported (`problem.act`): a danger that somebody saw never stays closed.
    Raises Refused target_missing, guard_failed; NotAllowed for anybody else.
    """
    args = op.args
    item = queries.hold_item(session, op.ent_id, args["problem_id"])
    if item is None:
        raise Refused("target_missing", "not in that draw")
    if actor.id != item.inspector_id and not (actor.role in ("city", "system") and is_within(actor, item.area_path)):
        raise NotAllowed("somebody else was drawn to look at it")
    if item.result is not None:
        raise Refused("guard_failed", f"its result is on record already: {item.result}")
    problem = problems.get(session, SYSTEM, item.problem_id)
    if args["result"] not in rules.PASSED and problem is not None and problem.state == "closed":
        raise Refused("guard_failed", "it stands closed: reopen it first (problem.act), with what was seen")
    item.result, item.note = args["result"], args["note"]
    item.seen_at, item.seen_by, item.seen_op = now, actor.id, op.id
    session.flush()
    said = {"sample": op.ent_id, "problem": item.problem_id, "result": item.result}
    return Effect(summary={**said, "area_path": item.area_path}, result=said)


def _keep_items(session: Session, number: str, drawn: Sequence[Mapping[str, Any]], by_id: Mapping[str, Any]) -> None:
    for each in drawn:
        p = by_id[each["id"]]
        rows.add(session, SampleItem, {
            "number": number, "problem_id": p.id, "stratum": each["stratum"], "inspector_id": each["inspector"], "area_path": p.area_path,
            "district_id": p.district_id, "site_id": p.site_id, "department_id": p.department_id, "result": None, "note": "",
            "seen_at": None, "seen_by": None, "seen_op": None,
        })  # fmt: skip


def _inspectors(session: Session, named: Sequence[str] | None) -> list[str]:
    known = queries.inspectors(session)
    strange = sorted(set(named or ()) - set(known))
    if strange:
        raise Invalid(
            errors=[{"pointer": "/inspectors", "code": "invalid", "detail": f"{strange[0]} is no inspector or expert"}]
        )
    return sorted(set(named)) if named else known
