"""Draws over HTTP: load → may they → do → dump. No decisions."""

from typing import Any

import orjson
from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.access.scope import is_within
from backend.database import snapshot
from backend.errors import NotFound
from backend.sampling import queries
from backend.sampling.models import Sample

sampling_bp = Blueprint("sampling", __name__, url_prefix="/v1/samples")


@sampling_bp.get("")
def listed() -> dict[str, Any]:
    actor, asked = reader("record.read"), incoming.parameters("limit")
    with snapshot() as session:
        return {
            "samples": [
                _head(each) for each in queries.page(session, actor, incoming.limit(asked.get("limit"), 50, 500))
            ]
        }


@sampling_bp.get("/<number>")
def sample(number: str) -> dict[str, Any]:
    actor = reader("record.read")
    incoming.parameters()
    with snapshot() as session:
        found = queries.get(session, actor, number)
        if found is None:
            raise NotFound()
        items = [_item(row) for row in queries.items(session, actor, number)]
        content = orjson.loads(found.content) if is_within(actor, found.area_path) else None
        return {"sample": _head(found), "items": items, "published": content}


def _head(found: Sample) -> dict[str, Any]:
    same = ("number", "node", "seed", "percent", "population", "digest", "clock")
    days = {"from_on": found.from_on.isoformat(), "to_on": found.to_on.isoformat()}
    return {
        **{name: getattr(found, name) for name in same},
        **days,
        "drawn_at": found.drawn_at.isoformat(),
        "by": found.drawn_by,
    }


def _item(row: dict[str, Any]) -> dict[str, Any]:
    same = ("problem_id", "problem_number", "stratum", "inspector_id", "result", "note", "seen_by")
    return {**{name: row[name] for name in same}, "seen_at": row["seen_at"].isoformat() if row["seen_at"] else None}
