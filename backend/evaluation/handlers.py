"""Publishing weights and evaluations. What an indicator counts is cases.py's, what a score is rules.py's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from backend import rows
from backend.access import numbers
from backend.access.scope import Actor
from backend.database import clock as clock_now
from backend.database import lock
from backend.effects import Effect, OpLike
from backend.errors import Refused
from backend.evaluation import queries, rules
from backend.evaluation.cases import all_cases
from backend.evaluation.models import Evaluation, EvaluationRow, EvaluationWeights
from backend.periods.handlers import window
from backend.periods.rules import digest
from backend.territory import queries as territory
from backend.workdays import local_date


def weigh(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`evaluation.weigh`: the next version of the weights. Result: its version."""
    lock(session, ["evaluation_weights"])
    last = queries.weights(session)
    version = (last.version if last else 0) + 1
    row = {"version": version, "weights": op.args["weights"], "published_at": now, "published_by": actor.id}
    rows.add(session, EvaluationWeights, row)
    said = {"version": version}
    return Effect(summary={**said, "weights": op.args["weights"], "area_path": territory.city_id(session)}, result=said)


def publish(session: Session, op: OpLike, actor: Actor, now: datetime) -> Effect:
    """`evaluation.publish`: score all subjects of a kind in a period, by the newest weights. Result: number, digest, subjects.

    Raises Invalid for what is no period; Refused guard_failed where no weights are published, or the period has not begun.
    """
    asked = window(op.args["period"], current_app.extensions["config"].timezone)
    told = queries.weights(session)
    if told is None or asked.begins_at > now:
        raise Refused("guard_failed", "no weights are published" if told is None else "the period has not begun")
    lock(session, ["evaluations"])
    kind, clock, year = op.args["kind"], clock_now(session), local_date(now).year
    found = rules.figures(all_cases(session, asked, clock, now), kind)
    made = [row for subject in sorted(found) if (row := _row(session, kind, subject, found[subject], told.weights))]
    n = numbers.last(session, Evaluation, Evaluation.year == year) + 1
    head = {"number": f"KP-{year}-{n:04d}", "kind": kind, "period": asked.name, "timezone": str(asked.zone),
            "weights_version": told.version, "clock": clock}  # fmt: skip
    sum_of_all = digest(head, made, queries.ROW)
    rows.add(session, Evaluation, {**head, "year": year, "n": n, "from_on": asked.from_on, "to_on": asked.to_on, "at": now,
                                   "published_by": actor.id, "digest": sum_of_all})  # fmt: skip
    for row in made:
        rows.add(session, EvaluationRow, {**row, "number": head["number"]})
    said = {"number": head["number"], "digest": sum_of_all, "subjects": len(made)}
    return Effect(
        summary={**said, "kind": kind, "period": asked.name, "area_path": territory.city_id(session)}, result=said
    )


def _row(
    session: Session, kind: str, subject: str, told: dict[str, list[int]], weights: Mapping[str, int]
) -> dict[str, Any] | None:
    """A subject's row, with the place and department whose it is; None for a place that is no longer there."""
    path = territory.city_id(session) if kind == "department" else territory.area_path(session, subject)
    if path is None:
        return None
    department = subject if kind == "department" else None
    return {
        "subject": subject,
        "area_path": path,
        "department_id": department,
        "figures": dict(sorted(told.items())),
        **rules.score(told, weights),
    }
