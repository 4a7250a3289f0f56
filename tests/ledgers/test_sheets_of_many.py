"""An export of 100,000 problems with 25 columns: memory, no formula, and a time that does not grow faster than the rows. Slow."""

import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.access.scope import SYSTEM, Actor
from backend.database import snapshot, transaction
from backend.ledgers import sheet
from backend.problems.models import Problem
from backend.territory import queries as territory
from tests.benchmarks import ledgers
from tests.benchmarks.printing import _WITH_PEAK
from tests.journeys.stage import Stage, stage

PROBLEMS, MOST_MB = 100_000, 200
WORDS = ("description", "spot", "target", "funds", "people", "time_limit", "plan")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server with 100,000 problems all over the city."""
    with stage(tmp_path_factory.mktemp("server")) as made:
        with made.app.app_context():
            with snapshot() as session:
                known = territory.sites_of_kinds(session, SYSTEM, ("school", "hazard_site"))
                sites = [(s.id, s.district_id, s.township_id, s.area_path) for s in known]
            ledgers._load(0, PROBLEMS, sites, random.Random(7))
            with transaction() as session:
                session.execute(update(Problem).values({**dict.fromkeys(WORDS, "=内容（示例）"), "closed_at": ledgers.NOW, "lon": 118.05, "lat": 36.81}))
        yield made


def test_a_workbook_of_100000_rows_and_25_columns_needs_little_memory_and_holds_no_formula(full: Stage, tmp_path: Path) -> None:
    config, target = full.app.extensions["config"], tmp_path / "problems.xlsx"
    env = {**os.environ, "HUYUAN_DATA": str(config.data), "HUYUAN_DATABASE_URL": config.database_url, "HUYUAN_WORKER": "off"}
    command = [sys.executable, "-c", _WITH_PEAK, "export", "problems", "--format", "xlsx", "--out", str(target)]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    peak_mb = int(said.split()[-2]) // 1024
    rows = cells = formulas = 0
    with zipfile.ZipFile(target) as book, book.open("xl/worksheets/sheet1.xml") as part:
        rest = b""
        for block in iter(lambda: part.read(1 << 20), b""):
            whole, sep, rest = (rest + block).rpartition(b">")
            rows, cells, formulas = rows + whole.count(b"<row"), cells + whole.count(b"<c "), formulas + whole.count(b"<f")
            rest = sep[1:] + rest
    print(f"peak {peak_mb} MB, {rows} rows, {cells} cells")
    assert peak_mb < MOST_MB and rows == PROBLEMS + 2 and cells >= PROBLEMS * len(sheet.COLUMNS) and formulas == 0


def test_a_city_reads_its_rows_about_as_fast_as_the_server_itself(full: Stage) -> None:
    """Within an area the rows were once put in order anew for each page: the time grew with the square of their number."""
    with full.app.app_context(), snapshot() as session:
        city = territory.city_id(session)
        times = [_timed(lambda a=actor: sum(1 for _ in sheet.rows(session, a, city))) for actor in (SYSTEM, Actor("u", "city", (city,)))]
    (count, alone), (same, scoped) = times
    print(f"{count} rows: {alone:.1f} s, within an area {scoped:.1f} s")
    assert count == same == PROBLEMS and scoped < 3 * alone


def _timed(work: object) -> tuple[int, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started  # type: ignore[operator]


