"""The desk's HTTP doors: an op, problems and their chains, the map. No decisions."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, current_app
from sqlalchemy.orm import Session

from backend import incoming
from backend.access.guard import reader, require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot, to_ms
from backend.errors import NotFound
from backend.now import now_utc
from backend.ops import queries as log
from backend.ops.apply import submit
from backend.ops.schemas import DeskOp, HeldCount, HeldOut
from backend.problems import queries as problems
from backend.problems.edits import json_of
from backend.problems.models import Conflict
from backend.problems.schemas import ConflictOut, LineOut, ProblemOut
from backend.responsibility import queries as responsibility
from backend.responsibility.schemas import LinkOut
from backend.supervision import queries as supervision
from backend.supervision.schemas import ProceedingOut
from backend.territory import queries as territory
from backend.workdays import local_date

ops_bp = Blueprint("ops", __name__, url_prefix="/v1")
problems_bp = Blueprint("problems", __name__, url_prefix="/v1")


@ops_bp.post("/ops")
def apply_op() -> dict[str, Any]:
    actor = web_actor()
    incoming.parameters()
    incoming.choose(incoming.JSON)
    incoming.require_json()
    asked = incoming.loaded(DeskOp())
    ent = (asked["ent"]["t"], asked["ent"]["id"])
    done = submit(asked["verb"], asked["args"], actor, ent=ent, base=asked["base"], op_id=asked.get("op"))
    said = {"op": done.op_id, "status": done.status, "flags": list(done.flags)}
    return said | {"clock": done.clock, "ver": done.ver, "result": dict(done.result)}


@ops_bp.get("/parked")
def parked() -> dict[str, Any]:
    actor = reader("op.repair")
    asked = incoming.parameters("reason", "after", "limit")
    after, limit = incoming.position(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    with snapshot() as session:
        found = log.held(session, actor, asked.get("reason"), after, limit)
        ops, counts = HeldOut(many=True).dump(found), HeldCount(many=True).dump(log.held_counts(session, actor))
        last = f"{found[-1].clock}:{found[-1].op_id}" if len(found) == limit else None
    return {"ops": ops, "counts": counts, "next": last}


@problems_bp.get("/problems/<path:problem_id>")
def problem(problem_id: str) -> dict[str, Any]:
    actor = web_actor()
    require(actor, "record.read")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    with snapshot() as session:
        return _problem(session, actor, problem_id)


@problems_bp.get("/conflicts")
def conflicts() -> dict[str, Any]:
    actor = reader("conflict.resolve")
    asked = incoming.parameters("state", "after", "limit")
    after, limit = incoming.moment(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    is_settled = _SETTLED[incoming.one_of("state", asked.get("state", "waiting"), _SETTLED)]
    with snapshot() as session:
        found = problems.conflicts(session, actor, is_settled, after, limit)
        told, waiting = _conflicts(session, actor, found), problems.waiting_conflicts(session, actor)
        last = f"{to_ms(found[-1].at)}:{found[-1].id}" if len(found) == limit else None
    return {"conflicts": told, "waiting": waiting, "next": last}


@problems_bp.get("/map")
def map_data() -> Response:
    actor = web_actor()
    require(actor, "record.read")
    incoming.parameters()
    kind = incoming.choose("application/geo+json", incoming.JSON)
    with snapshot() as session:
        return Response(current_app.json.dumps(_map(session, actor)), mimetype=kind)


def _map(session: Session, actor: Actor) -> dict[str, Any]:
    areas = [{"type": "Feature", "id": a.id, "geometry": a.geometry, "properties": {"name": a.name_zh, "level": a.level}}
             for a in territory.areas(session, actor, "district")]  # fmt: skip
    dots = [{"type": "Feature", "id": d.id, "geometry": {"type": "Point", "coordinates": [d.lon, d.lat]},
             "properties": {"state": d.state, "grade": d.grade}} for d in problems.dots(session, actor)]  # fmt: skip
    return {"type": "FeatureCollection", "features": areas + dots}


_SETTLED = {"waiting": False, "settled": True, "all": None}


def _conflicts(session: Session, actor: Actor, found: Sequence[Conflict]) -> list[dict[str, Any]]:
    """With the problem's number and the value that stands now: whoever settles one says what they saw."""
    about, told = problems.by_ids(session, actor, [c.ent_id for c in found]), []
    for conflict in found:
        columns = {column.name: getattr(conflict, column.name) for column in Conflict.__table__.columns}
        problem = about[conflict.ent_id]
        told.append({**columns, "number": problem.number, "present": json_of(problem)[conflict.field]})
    dumped: list[dict[str, Any]] = ConflictOut(many=True).dump(told)
    return dumped


def _problem(session: Session, actor: Actor, problem_id: str) -> dict[str, Any]:
    found = problems.get(session, actor, problem_id)
    if found is None:
        raise NotFound()
    chain = LinkOut(many=True).dump(responsibility.told_chain(session, actor, found.id, local_date(now_utc())))
    steps = LineOut(many=True).dump(problems.history(session, actor, found.id))
    acts = ProceedingOut(many=True).dump(supervision.of_problem(session, actor, found.id))
    said = {"problem": ProblemOut().dump(found), "responsibility": chain, "history": steps, "proceedings": acts}
    return said | {"deadline_reason": found.deadline_reason, "clock_reason": found.clock_reason}
