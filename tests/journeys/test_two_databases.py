"""The same field day on SQLite and on PostgreSQL: the same ledger, apart from ids and times; migrations equal the models."""

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from backend.cli import setup
from backend.cli.field_day import play
from backend.config import load
from backend.database import Base
from tests.journeys.stage import run_cli
from tests.postgres import server

VARYING = {"number", "found_on", "closed_on", "due_on", "as_of"}


@pytest.fixture(scope="module")
def postgres() -> str:
    with server() as url:
        yield url


def plain(found: Any) -> Any:
    if isinstance(found, dict):
        return {k: plain(v) for k, v in found.items() if k not in VARYING}
    return [plain(row) for row in found] if isinstance(found, list) else found


def day(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str, sites: int) -> Any:
    monkeypatch.setenv("HUYUAN_DATA", str(folder))
    monkeypatch.setenv("HUYUAN_DATABASE_URL", url)
    report = play(sites, 1, 1275)
    assert report["ok"], report
    assert report["duplicates_sent"] > 0 and report["duplicates_applied"] == 0
    done = run_cli(folder, "ledger", "export", "--format", "json", "--out", str(folder / "ledger.json"))
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "ledger.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sites", [pytest.param(n, marks=pytest.mark.slow) for n in (5, 16)])
def test_the_same_day_gives_the_same_ledger_on_both_databases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres: str, sites: int
) -> None:
    """Teams of five sites each meet in a day what those of sixteen do: photos, duplicates, late devices, a killed server.
    The day of sixteen is in `make test-full`."""
    ours = day(monkeypatch, tmp_path / "sqlite", "", sites)
    theirs = day(monkeypatch, tmp_path / "postgres", postgres, sites)
    assert json.dumps(plain(ours), sort_keys=True) == json.dumps(plain(theirs), sort_keys=True)
    assert sum(row["found"] for row in ours["rollup"]["rows"]) == ours["rollup"]["total"]["found"] > 0


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_migrated_schema_equals_the_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgres: str, kind: str) -> None:
    monkeypatch.setenv("HUYUAN_DATA", str(tmp_path))
    monkeypatch.setenv("HUYUAN_DATABASE_URL", postgres if kind == "postgres" else "")
    config = load()
    setup.migrate(config)
    engine = create_engine(config.database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
