"""Proofs over the ledgers: every total against the sum of its parts, with a certificate; the counts against a recount; the
history against the record. Reads only.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import orjson
from sqlalchemy import func, or_
from sqlalchemy.orm import Session, aliased

from backend.access.scope import SYSTEM, Actor, under, visible
from backend.ledgers import rules, sums
from backend.ledgers.lines import AXES as CELL_AXES
from backend.ledgers.lines import SAME, cell_of, cell_row
from backend.ledgers.models import STILL, LedgerCell, LedgerLine
from backend.ledgers.queries import AXES, home, path_of, rollup
from backend.problems.models import Problem
from backend.problems.queries import counted
from backend.territory import queries as territory

_SHOWN = 20  # faults of a kind that are named


def reconcile(session: Session, actor: Actor, today: date, clock: int | None = None) -> dict[str, Any]:
    """Whether the total where the actor's ledger begins equals the sum of its parts along every axis, of the parts of its
    parts, and a recount row by row; now, or as of a clock.

    `certificate`: SHA-256 of the canonical JSON of all of these figures, row by row; the same record gives the same one.
    """
    node = home(session, actor)
    whole = rollup(session, actor, node, today, clock=clock)
    shown: dict[str, Any] = {"area": whole["rows"]}
    below = territory.child_ids(session, actor, node)
    if below:
        parts = [row for area in below for row in rollup(session, actor, area, today, clock=clock)["rows"]]
        rest = [row for row in whole["rows"] if row["id"] not in below]
        shown["area below area"] = [*parts, *rest]
    for axis in AXES:
        shown[axis] = rollup(session, actor, node, today, axis, clock)["rows"]
    made = {axis: rules.total(rows) for axis, rows in shown.items()}
    made["recount"] = _recount(session, actor, path_of(session, actor, node), today, clock)
    total = _three(whole["total"])
    checks = [
        {"axis": axis, "sum": _three(row), "total": total, "ok": _three(row) == total} for axis, row in made.items()
    ]
    cells = {axis: [[row["id"], *_three(row)] for row in rows] for axis, rows in shown.items()}
    stated = {"node": node, "as_of": today.isoformat(), "total": total, "cells": cells, "unplaced": whole["unplaced"]}
    return {
        "node": node, "as_of": today.isoformat(), "clock": clock, "reconciles": all(c["ok"] for c in checks),
        "checks": checks, "unplaced": whole["unplaced"], "certificate": digest(stated),
    }  # fmt: skip


def digest(stated: Any) -> str:
    """SHA-256 of a value as canonical JSON (RFC 8259, members sorted, no spaces)."""
    return hashlib.sha256(orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _recount(session: Session, actor: Actor, path: str, today: date, clock: int | None) -> dict[str, Any]:
    """Row by row, past every index and every count that is kept."""
    made = rules.empty()
    model: Any = Problem if clock is None else LedgerLine
    where = (counted(),) if clock is None else sums.stood(clock)
    columns = (model.grade, model.is_open, model.due_on)
    placed = visible(model, actor).with_only_columns(*columns).where(under(model.area_path, path), *where)
    city = territory.city_id(session)
    rows = session.execute(placed.where(model.area_path != f"{city}/-").execution_options(yield_per=5000))
    counts = Counter((grade, bool(is_open), bool(is_open and due and due < today)) for grade, is_open, due in rows)
    for (grade, is_open, is_late), n in counts.items():
        rules.add(made, grade, n, n * is_open, n * is_late)
    return made


def _three(row: Mapping[str, Any]) -> list[int]:
    return [row[m] for m in rules.MEASURES]


def drift(session: Session) -> Iterator[tuple[str, str]]:
    """(what, how) of each count, line or problem where the ledgers say otherwise than the record: none, if all is well."""
    yield from _lines_against_problems(session)
    yield from _lines_against_each_other(session)
    held: Counter[str] = Counter()
    columns = [getattr(LedgerLine, name) for name in ("area_path", *CELL_AXES)]
    statement = visible(LedgerLine, SYSTEM).with_only_columns(*columns, func.count())
    for *values, n in session.execute(statement.where(*sums.stood(None)).group_by(*columns)):
        held[cell_row(cell_of(dict(zip(("area_path", *CELL_AXES), values, strict=True))), n)["key"]] += n
    cells = session.execute(visible(LedgerCell, SYSTEM).with_only_columns(LedgerCell.key, LedgerCell.n))
    kept = {row.key: row.n for row in cells}
    wrong = sorted(key for key in held.keys() | kept.keys() if held[key] != kept.get(key, 0))
    yield from ((f"cell {key}", f"counts {kept.get(key, 0)}, a recount {held[key]}") for key in wrong[:_SHOWN])


def _lines_against_problems(session: Session) -> Iterator[tuple[str, str]]:
    other = or_(*(getattr(LedgerLine, name).is_distinct_from(getattr(Problem, name)) for name in SAME))
    joined = (LedgerLine.problem_id == Problem.id) & (LedgerLine.to_clock == STILL)
    found = visible(Problem, SYSTEM).with_only_columns(Problem.id, LedgerLine.from_clock).outerjoin(LedgerLine, joined)
    found = found.where(or_(LedgerLine.problem_id.is_(None), other)).order_by(Problem.id).limit(_SHOWN)
    for key, since in session.execute(found):
        yield f"problem {key}", "has no line" if since is None else f"is not what its line since clock {since} says"


def _lines_against_each_other(session: Session) -> Iterator[tuple[str, str]]:
    after = aliased(LedgerLine)
    joined = (after.problem_id == LedgerLine.problem_id) & (after.from_clock == LedgerLine.to_clock)
    ended = (
        visible(LedgerLine, SYSTEM)
        .with_only_columns(LedgerLine.problem_id, LedgerLine.from_clock)
        .outerjoin(after, joined)
    )
    ended = ended.where(LedgerLine.to_clock != STILL, after.problem_id.is_(None)).limit(_SHOWN)
    for key, since in session.execute(ended):
        yield f"line {key} of clock {since}", "ends where none begins"
