"""The measurements of the ledgers: a roll-up now and as of a past clock over ever more problems, beside the bare GROUP BY.

Rows are loaded past the door, many at once: problems, their lines (two each: as they were raised, and since), the cells as
a recount makes them. No assertions but that now and then are told rightly.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from backend.access.scope import SYSTEM
from backend.bulk import insert_many
from backend.cli import setup
from backend.database import snapshot, transaction
from backend.ledgers import lines, queries
from backend.ledgers.models import LedgerCell, LedgerLine
from backend.problems.models import Problem
from backend.territory import queries as territory
from tests.benchmarks.table import row
from tests.journeys.stage import Stage

RUNS, LOT = 3, 25_000
SIZES = (10_000, 100_000, 1_000_000)
FIRST = 1_000  # clock of the first line; each raises one problem, and half of them change later
CITY = setup.SAMPLE_USERS[0][3]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def everything(made: Stage) -> list[dict[str, Any]]:
    """The curve: each size is added to the one before."""
    dice, found, there = random.Random(7), [], 0
    with made.app.app_context():
        with snapshot() as session:
            sites = [(s.id, s.district_id, s.township_id, s.area_path) for s in territory.sites_of_kinds(session, SYSTEM, ("school", "hazard_site"))]
        for size in SIZES:
            _load(there, size, sites, dice)
            there = size
            found += _measured(size)
    return found


def _load(there: int, size: int, sites: list[tuple[Any, ...]], dice: random.Random) -> None:
    for start in range(there, size, LOT):
        problems = [_problem(n, dice, *dice.choice(sites)) for n in range(start, min(start + LOT, size))]
        with transaction() as session:
            connection = session.connection()
            insert_many(connection, Problem.__table__, problems)
            history = [line for p in problems for line in _lines(p)]
            insert_many(connection, LedgerLine.__table__, history)
            counts = Counter(lines.cell_of(line) for line in history if line["to_clock"] == lines.STILL)
            cells = [lines.cell_row(cell, n) for cell, n in counts.items()]
            insert_many(connection, LedgerCell.__table__, cells, "(key) DO UPDATE SET n = ledger_cells.n + excluded.n")
            session.execute(text("UPDATE commit_clock SET v = :v"), {"v": FIRST + 2 * (start + len(problems)) - 1})  # the last line's: who comes next is later
        lines.mark(NOW)  # as the worker does from time to time
    with transaction() as session:
        session.execute(text("ANALYZE"))


def one(made: Stage) -> dict[str, Any]:
    """A problem at the first school."""
    with made.app.app_context(), snapshot() as session:
        site = territory.sites_of_kinds(session, SYSTEM, ("school",))[0]
        return _problem(-1, random.Random(0), site.id, site.district_id, site.township_id, site.area_path) | {"is_open": True, "state": "assigned"}


def _problem(n: int, dice: random.Random, site: str, district: str, township: str, path: str) -> dict[str, Any]:
    is_open = dice.random() < 0.3
    return {
        "id": f"b-{n:07}", "number": f"B-{n}", "programme": "campus-perimeter", "template_version": 1, "item": f"A{dice.randrange(101, 110)}",
        "category": dice.choice(["traffic", "security", "fire", "food"]), "grade": "major" if dice.random() < 0.05 else "general",
        "state": "assigned" if is_open else "closed", "is_open": is_open, "site_id": site, "school_id": site, "district_id": district,
        "township_id": township, "area_path": path, "description": "", "department_id": dice.choice(["police", "urban", "market", "education", "fire"]),
        "found_at": NOW, "received_at": NOW, "deadline_class": "ordinary", "due_on": date(2026, 11, 24) + timedelta(days=dice.randrange(-20, 20)),
        "deadline_reason": {}, "ver": 1, "unplaced_reason": None,
    }  # fmt: skip


def _lines(problem: dict[str, Any]) -> list[dict[str, Any]]:
    """As it was raised (open), and, where it is closed, since it was."""
    n = int(problem["id"][2:])
    now = {name: problem[name] for name in lines.SAME}
    if problem["is_open"]:
        return [lines.line(problem["id"], FIRST + 2 * n, now)]
    raised = lines.line(problem["id"], FIRST + 2 * n, {**now, "state": "assigned", "is_open": True})
    closed_at = FIRST + 2 * n + 1
    return [{**raised, "to_clock": closed_at}, lines.line(problem["id"], closed_at, now)]


def _measured(size: int) -> list[dict[str, Any]]:
    today, half = date(2026, 11, 24), FIRST + size
    with snapshot() as session:
        district = territory.child_ids(session, SYSTEM, CITY)[0]
        township = territory.child_ids(session, SYSTEM, district)[0]
        bare = _median(lambda: session.execute(select(Problem.district_id, Problem.grade, func.count()).group_by(Problem.district_id, Problem.grade)).all())
        found = []
        for what, node, by, clock, goal in (
            ("city now", CITY, "area", None, "< 0.3 s"), ("city by department now", CITY, "department", None, "< 0.3 s"),
            ("a district now", district, "area", None, "< 0.3 s"), ("a township now", township, "area", None, "< 0.3 s"),
            ("city as of half way", CITY, "area", half, "< 3 s"), ("a township as of half way", township, "area", half, "< 3 s"),
        ):  # fmt: skip
            took = _median(lambda: queries.rollup(session, SYSTEM, node, today, by, clock))  # noqa: B023 - run at once
            found.append(row(f"ledger: {what}, {size:,} problems", f"{took:.3f} s", f"{bare:.3f} s", f"{took / bare:.2f}", goal))
        told = [queries.rollup(session, SYSTEM, CITY, today, "area", clock)["total"]["found"] for clock in (None, half)]
    assert told == [size, size // 2 + 1], told
    return found


def _median(step: Callable[[], Any]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
