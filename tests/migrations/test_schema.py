"""Migrations on SQLite: they make what the models say, can be undone; a crash leaves nothing."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from backend.backups.schema import MIGRATIONS
from backend.database import Base


def alembic(database: Path) -> AlembicConfig:
    made = AlembicConfig()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["url"] = f"sqlite:///{database}"
    return made


def tables(database: Path) -> set[str]:
    raw = sqlite3.connect(database)
    try:
        return {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        raw.close()


def differences(database: Path) -> list[object]:
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))
    finally:
        engine.dispose()


def test_the_migrated_schema_equals_the_models(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    command.upgrade(alembic(database), "head")
    assert differences(database) == []
    assert tables(database) == set(Base.metadata.tables) | {"alembic_version"}


def test_a_missing_column_is_noticed(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    command.upgrade(alembic(database), "head")
    raw = sqlite3.connect(database)
    raw.execute("ALTER TABLE areas DROP COLUMN seat_lon")
    raw.close()
    assert [change[0] for change in differences(database)] == ["add_column"]


def test_down_to_nothing_and_up_again_gives_the_same_schema(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    command.upgrade(alembic(database), "head")
    command.downgrade(alembic(database), "base")
    assert tables(database) == {"alembic_version"}
    command.upgrade(alembic(database), "head")
    assert differences(database) == []


def test_a_crash_in_the_middle_of_a_migration_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, made = tmp_path / "a.db", []
    create_table = Operations.create_table

    def crash_at_the_tenth(self: Operations, name: str, *columns: object, **more: object) -> object:
        made.append(name)
        if len(made) == 10:
            raise KeyboardInterrupt
        return create_table(self, name, *columns, **more)

    monkeypatch.setattr(Operations, "create_table", crash_at_the_tenth)
    with pytest.raises(KeyboardInterrupt):
        command.upgrade(alembic(database), "head")
    assert len(made) == 10
    assert tables(database) <= {"alembic_version"}
    monkeypatch.undo()
    command.upgrade(alembic(database), "head")
    assert differences(database) == []


def test_a_server_that_has_an_epoch_already_has_lived_in_that_one_history(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    command.upgrade(alembic(database), "20261124_02")
    raw = sqlite3.connect(database)
    raw.execute("INSERT INTO server_meta VALUES (1, 'an-epoch', 0)")
    raw.commit()
    raw.close()
    command.upgrade(alembic(database), "head")
    raw = sqlite3.connect(database)
    rows = raw.execute("SELECT epoch, n, clock, reason FROM epochs").fetchall()
    raw.close()
    assert rows == [("an-epoch", 1, 0, "new")]
