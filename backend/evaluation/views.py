"""Evaluations over HTTP: load → may they → do → dump. No scores are made here."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader
from backend.database import snapshot
from backend.errors import NotFound
from backend.evaluation import queries
from backend.evaluation.models import Evaluation

evaluation_bp = Blueprint("evaluation", __name__, url_prefix="/v1/evaluations")


@evaluation_bp.get("")
def listed() -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("limit")
    with snapshot() as session:
        return {
            "evaluations": [
                _head(each) for each in queries.page(session, actor, incoming.limit(asked.get("limit"), 50, 500))
            ]
        }


@evaluation_bp.get("/<number>")
def evaluation(number: str) -> dict[str, Any]:
    actor, asked = reader("ledger.read"), incoming.parameters("subject", "indicator")
    with snapshot() as session:
        found, subject = queries.get(session, actor, number), asked.get("subject")
        if found is None:
            raise NotFound()
        cases = queries.cases(session, actor, found, subject, asked.get("indicator")) if subject else None
        if subject and cases is None:
            raise NotFound("no such subject of yours")
        told = queries.weights(session, found.weights_version)
        return {"evaluation": _head(found), "weights": told.weights if told else {}, "is_intact": queries.is_intact(session, found),
                "rows": queries.scored(session, actor, number), "cases": cases}  # fmt: skip


def _head(found: Evaluation) -> dict[str, Any]:
    same = ("number", "kind", "period", "weights_version", "clock", "digest")
    days = {"from_on": found.from_on.isoformat(), "to_on": found.to_on.isoformat(), "at": found.at.isoformat()}
    return {**{name: getattr(found, name) for name in same}, **days, "by": found.published_by}
