"""The desk's HTTP doors: an op, problems and their chains, the map. No decisions."""

from typing import Any

from flask import Blueprint, request
from sqlalchemy.orm import Session

from backend.access.guard import require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.errors import Invalid, NotFound
from backend.ops.apply import submit
from backend.problems import queries as problems
from backend.problems.schemas import ProblemOut
from backend.responsibility import queries as responsibility
from backend.responsibility.schemas import LinkOut
from backend.territory import queries as territory

ops_bp = Blueprint("ops", __name__, url_prefix="/v1")
problems_bp = Blueprint("problems", __name__, url_prefix="/v1")


@ops_bp.post("/ops")
def apply_op() -> dict[str, Any]:
    actor, body = web_actor(), _body()
    ent = body.get("ent") or {}
    target = (str(ent.get("t", "")), str(ent.get("id", "")))
    key = str(body["op"])[:64] if body.get("op") else None
    done = submit(body["verb"], body.get("args", {}), actor, ent=target, base=body.get("base"), op_id=key)
    said = {"op": done.op_id, "status": done.status, "flags": list(done.flags)}
    return said | {"clock": done.clock, "ver": done.ver, "result": dict(done.result)}


@problems_bp.get("/problems/<path:problem_id>")
def problem(problem_id: str) -> dict[str, Any]:
    actor = web_actor()
    require(actor, "record.read")
    with snapshot() as session:
        return _problem(session, actor, problem_id)


@problems_bp.get("/map")
def map_data() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "record.read")
    with snapshot() as session:
        areas = [{"type": "Feature", "id": a.id, "geometry": a.geometry, "properties": {"name": a.name_zh, "level": a.level}}
                 for a in territory.areas(session, actor, "district")]  # fmt: skip
        dots = [{"type": "Feature", "id": d.id, "geometry": {"type": "Point", "coordinates": [d.lon, d.lat]},
                 "properties": {"state": d.state, "grade": d.grade}} for d in problems.dots(session, actor)]  # fmt: skip
    return {"type": "FeatureCollection", "features": areas + dots}


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    is_object = isinstance(body, dict) and isinstance(body.get("ent", {}), dict)
    if not is_object or not isinstance(body.get("verb"), str) or not isinstance(body.get("args", {}), dict):
        raise Invalid("an op has verb, ent {t, id} and args")
    return dict(body)


def _problem(session: Session, actor: Actor, problem_id: str) -> dict[str, Any]:
    found = problems.get(session, actor, problem_id)
    if found is None:
        raise NotFound()
    chain = LinkOut(many=True).dump(responsibility.chain_of(session, actor, found.id))
    steps = [
        {"action": e.action, "from": e.from_state, "to": e.to_state, "note": e.note}
        for e in problems.history(session, actor, found.id)
    ]
    said = {"problem": ProblemOut().dump(found), "responsibility": chain, "history": steps}
    return said | {"deadline_reason": found.deadline_reason}
