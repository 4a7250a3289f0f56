"""The ledgers counted again, in Python and from the problems' own rows alone: what every roll-up is held against.

Asserts nothing and shares nothing with the code it checks but the names of columns.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from backend.access.scope import SYSTEM
from backend.database import clock, snapshot
from backend.ledgers import queries
from backend.problems.models import Problem

AXES = {"area": "district_id", "department": "department_id", "category": "category", "grade": "grade",
        "township": "township_id", "school": "site_id", "programme": "programme", "state": "state"}  # fmt: skip
Counts = dict[str, list[int]]


def now(session: Any) -> tuple[int, list[dict[str, Any]]]:
    """The commit clock and every problem's columns."""
    names = [column.name for column in Problem.__table__.columns]
    found = session.execute(Problem.__table__.select()).all()
    return clock(session), [dict(zip(names, row, strict=True)) for row in found]


def counted(problems: Iterable[dict[str, Any]], axis: str, today: date) -> Counts:
    """{key: [found, open, overdue]} of placed problems that stand for themselves."""
    found, is_open, late = Counter[str](), Counter[str](), Counter[str]()
    for p in problems:
        if p["district_id"] is None or p["state"] in ("merged", "deleted"):
            continue
        key = p[AXES[axis]] or "-"
        opened = p["state"] not in ("closed", "refuted")
        found[key] += 1
        is_open[key] += opened
        late[key] += opened and p["due_on"] is not None and p["due_on"] < today
    return {key: [found[key], is_open[key], late[key]] for key in found}


def unplaced(problems: Iterable[dict[str, Any]]) -> dict[str, int]:
    """{reason: how many} of those without a place."""
    return dict(Counter(p["unplaced_reason"] for p in problems if p["district_id"] is None and p["state"] not in ("merged", "deleted")))


def told(rollup: dict[str, Any]) -> Counts:
    """What a roll-up says, without the rows in which nothing is found."""
    return {row["id"]: [row["found"], row["open"], row["overdue"]] for row in rollup["rows"] if row["found"]}


def faults(problems: list[dict[str, Any]], today: date, at: int | None, node: str = "370300") -> list[str]:
    """Where the roll-ups of the city, now or as of a clock, say otherwise than a recount of these problems."""
    wrong = []
    with snapshot() as session:
        for axis in AXES:
            made, again = queries.rollup(session, SYSTEM, node, today, axis, at), counted(problems, axis, today)
            if told(made) != again:
                wrong.append(f"{axis} at {at}: told {told(made)}, recounted {again}")
            for n, measure in enumerate(("found", "open", "overdue")):
                if made["total"][measure] != sum(row[n] for row in again.values()):
                    wrong.append(f"{axis} at {at}: {measure} {made['total'][measure]}")
            if made["total"]["found"] != made["total"]["open"] + made["total"]["closed"]:
                wrong.append(f"{axis} at {at}: found is not open and closed")
            if made["unplaced"]["reasons"] != unplaced(problems):
                wrong.append(f"unplaced at {at}: {made['unplaced']} not {unplaced(problems)}")
    return wrong
