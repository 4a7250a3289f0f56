"""The measurements in their order, and that of the city ledger. No assertions."""

import random
import statistics
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from backend.access.scope import SYSTEM
from backend.cli import setup
from backend.database import snapshot, transaction
from backend.ledgers import queries as ledgers
from backend.ops.apply import now_utc
from backend.problems.models import Problem
from backend.territory import queries as territory
from tests.benchmarks import printing, pulling, pushing
from tests.benchmarks.table import row
from tests.journeys.stage import Stage, stage

RUNS = 3


def everything(folder: Path) -> list[dict[str, Any]]:
    """All benchmarks, each on a fresh server."""
    with stage(folder / "server") as made:
        found = [*pulling.everything(made), *ledger(made), *printing.everything(made, _one(made))]
    return [*pushing.everything(folder), *found]


def ledger(made: Stage, count: int = 100_000) -> list[dict[str, Any]]:
    """Roll-up of the city over `count` problems, beside the bare GROUP BY."""
    dice = random.Random(7)
    with made.app.app_context():
        with snapshot() as session:
            sites = territory.sites_of_kinds(session, SYSTEM, ("school", "hazard_site"))
            facts = [(s.id, s.district_id, s.township_id, s.area_path) for s in sites]
        with transaction() as session:
            session.execute(insert(Problem), [_problem(n, dice, *dice.choice(facts)) for n in range(count)])
        times, bare = [], []
        for _ in range(RUNS):
            with snapshot() as session:
                started = time.perf_counter()
                ledgers.rollup(session, SYSTEM, setup.SAMPLE_USERS[0][3], date.today())
                times.append(time.perf_counter() - started)
                started = time.perf_counter()
                session.execute(select(Problem.district_id, Problem.grade, func.count()).group_by(Problem.district_id, Problem.grade)).all()
                bare.append(time.perf_counter() - started)
    made_s, bare_s = statistics.median(times), statistics.median(bare)
    return [row(f"city ledger over {count:,} problems", f"{made_s:.3f} s", f"{bare_s:.3f} s", f"{made_s / bare_s:.1f}", "< 1 s")]


def _one(made: Stage) -> dict[str, Any]:
    """A problem at the first school."""
    with made.app.app_context(), snapshot() as session:
        site = territory.sites_of_kinds(session, SYSTEM, ("school",))[0]
        return _problem(-1, random.Random(0), site.id, site.district_id, site.township_id, site.area_path) | {"is_open": True, "state": "assigned"}


def _problem(n: int, dice: random.Random, site: str, district: str, township: str, path: str) -> dict[str, Any]:
    now = now_utc()
    is_open = dice.random() < 0.6
    return {
        "id": f"b-{n}", "number": f"B-{n}", "programme": "campus-perimeter", "template_version": 1, "item": f"A{dice.randrange(101, 110)}",
        "category": "traffic", "grade": "major" if dice.random() < 0.05 else "general", "state": "assigned" if is_open else "closed",
        "is_open": is_open, "site_id": site, "district_id": district, "township_id": township, "area_path": path, "description": "",
        "department_id": dice.choice(["police", "urban", "market"]), "found_at": now, "received_at": now, "deadline_class": "ordinary",
        "due_on": date.today() + timedelta(days=dice.randrange(-20, 20)), "deadline_reason": {}, "ver": 1,
    }  # fmt: skip
