"""What is written past the program (P9 of sync.md §4.3). Everything that alters the record through the door moves the feed
in the same transaction; raw SQL beside it does not, and `verify` names each row that it touched. Both databases."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Table, event, func, select

from backend import bulk
from backend.access.scope import SYSTEM
from backend.backups import membership, verify
from backend.backups.tally import Tally
from backend.config import Config
from backend.database import db, snapshot, transaction
from backend.feed.models import FeedRow
from backend.ledgers.views import today
from backend.now import now_utc
from backend.ops import jobs
from backend.ops.apply import submit
from backend.ops.work import JOBS
from tests.backups.grounds import Phone, photo
from tests.cast import A_SITE, TEAM_A

KINDS = membership.KINDS
TABLES = {kind.table.__table__.name: name for name, kind in KINDS.items()}
WRITES = re.compile(r"(?:WITH .*?)?\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE | re.DOTALL)


def found(app: Flask) -> set[str]:
    """What the check of the feed names."""
    with snapshot() as session:
        return {where for where, _ in membership.members(session, Tally())}


def told_of(session: Any, name: str) -> Any:
    """A row of this type that devices have."""
    kind, table = KINDS[name], KINDS[name].table.__table__
    told = set(session.scalars(select(FeedRow.id).where(FeedRow.type == name, FeedRow.is_member)))
    rows = session.execute(select(table).order_by(*table.primary_key)).mappings()
    return next(dict(row) for row in rows if kind.id_of(row) in told)


@contextmanager
def every_kind(app: Flask, config: Config) -> Iterator[tuple[Connection, dict[str, Any]]]:
    """A line past the program, and a row of each type of the feed. An inspection is made first, by the door."""
    phone = Phone("r-9")
    answers = {**dict.fromkeys([f"A{n}" for n in (*range(101, 110), *range(201, 212))], "pass")}
    args = {"task_id": "", "site_id": A_SITE, "programme": "campus-perimeter", "template_version": 1, "team_id": TEAM_A,
            "answers": answers, "fix": {"lon": 118.05, "lat": 36.81, "accuracy_m": 5, "crs": "wgs84"}}  # fmt: skip
    phone.record("inspection.submit", ("inspection", "01890000-0000-7000-8000-000000000009"), args)
    told = phone.push(app)["results"]
    assert [result["status"] for result in told] == ["applied"], told
    assert found(app) == set()
    with snapshot() as session:
        rows = {name: told_of(session, name) for name in KINDS}
    with db.engine.begin() as line:
        yield line, rows


def key(table: Table, row: Any) -> Any:
    return [column == row[column.name] for column in table.primary_key]


def test_p9_a_version_that_was_raised_by_raw_sql_is_named_for_every_type_of_the_feed(
    filled: tuple[Config, Flask, str],
) -> None:
    config, app, _ = filled
    with every_kind(app, config) as (line, rows):
        for name, kind in KINDS.items():
            table = kind.table.__table__
            column = "version" if name == "template" else "ver"
            assert line.execute(table.update().where(*key(table, rows[name])).values({column: 77})).rowcount == 1
    wanted = {f"{name} {KINDS[name].id_of(row)}" for name, row in rows.items()}
    assert wanted <= found(app) and not verify.record_of(today(), app.extensions["photo_store"])["ok"]


def test_p9_a_row_that_was_deleted_by_raw_sql_is_named_for_every_type_of_the_feed(
    filled: tuple[Config, Flask, str],
) -> None:
    config, app, _ = filled
    with every_kind(app, config) as (line, rows):
        for name, kind in KINDS.items():
            table = kind.table.__table__
            assert line.execute(table.delete().where(*key(table, rows[name]))).rowcount == 1
    assert found(app) == {f"{name} {KINDS[name].id_of(row)}" for name, row in rows.items()}


def test_p9_a_row_that_was_put_in_by_raw_sql_is_named_for_every_type_of_the_feed(
    filled: tuple[Config, Flask, str],
) -> None:
    config, app, _ = filled
    wanted = set()
    with every_kind(app, config) as (line, rows):
        for name, kind in KINDS.items():
            table = kind.table.__table__
            new = {**rows[name], **_another(table, rows[name])}
            line.execute(table.insert().values(new))
            wanted.add(f"{name} {kind.id_of(new)}")
    assert found(app) == wanted


def _another(table: Table, row: Any) -> dict[str, Any]:
    """Other values where no two rows may have the same."""
    unique = {c.name for i in (*table.indexes, *table.constraints) if getattr(i, "unique", False) for c in i.columns}
    unique |= {c.name for i in table.constraints if type(i).__name__ == "UniqueConstraint" for c in i.columns}
    names = [n for n in unique if isinstance(row[n], str)] + [c.name for c in table.primary_key]
    return {name: f"{row[name]}-x"[-60:] if isinstance(row[name], str) else 9001 for name in names}


@pytest.mark.parametrize("values", [{"ver": 9}, {"h": 5}, {"is_member": False}, {"id": "nobody"}])
def test_p9_a_row_of_the_feed_itself_that_was_altered_is_named(
    filled: tuple[Config, Flask, str], values: dict[str, Any]
) -> None:
    _, app, _ = filled
    table = FeedRow.__table__
    with db.engine.begin() as line:
        of_site = (table.c.type == "site", table.c.id == A_SITE)
        assert line.execute(table.update().where(*of_site).values(values)).rowcount == 1
    assert f"site {A_SITE}" in found(app)


def test_p9_an_emptied_feed_is_named(filled: tuple[Config, Flask, str]) -> None:
    _, app, _ = filled
    with db.engine.begin() as line:
        members = line.execute(select(func.count(FeedRow.id.distinct())).where(FeedRow.is_member)).scalar_one()
        line.execute(FeedRow.__table__.delete())
    assert len(found(app)) == members > 100


def test_p9_whatever_the_door_writes_of_the_record_it_tells_the_feed_and_both_books(
    filled: tuple[Config, Flask, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every transaction of a piece of work is watched on its way to the database, also the lots that go past the ORM."""
    _, app, sha = filled
    written: list[set[str]] = [set()]

    def note(_line: Any, _cursor: Any, statement: str, *_: Any) -> None:
        written[-1] |= {name.lower() for name in WRITES.findall(statement)}

    def run(line: Connection, statement: str, values: Any) -> None:
        note(line, None, statement)
        many(line, statement, values)

    def end(_line: Any) -> None:
        written.append(set())

    many = bulk._run
    monkeypatch.setattr(bulk, "_run", run)
    event.listen(db.engine, "before_cursor_execute", note)
    for moment in ("commit", "rollback"):
        event.listen(db.engine, moment, end)
    phone = Phone("r-7")
    phone.report("A211", [sha, "7" * 64])
    phone.record("inspection.submit", ("inspection", "x"), {"site_id": A_SITE})  # parked: not whole
    told = phone.push(app)["results"]
    assert [result["status"] for result in told] == ["applied", "parked"], told
    photo(app, "two")
    plan = {"title": "补查（示例）", "programmes": ["campus-perimeter"],
            "teams": [{"id": "t-9", "name": "九组（示例）", "areas": ["370303"], "members": []}]}  # fmt: skip
    submit("sweep.open", plan, SYSTEM, ent=("sweep", "again"))
    while jobs.run_one(JOBS, now_utc()):
        continue
    with transaction() as session:
        session.connection().exec_driver_sql("UPDATE sites SET ver = ver + 1")  # the watch sees what is past the door
        session.rollback()
    record = [tables for tables in written if tables & set(TABLES)]
    *by_door, beside = record
    assert {"problems", "sweeps", "teams", "tasks"} <= set().union(*by_door)
    assert all({"op_log", "feed_rows", "journal", "commit_clock"} <= tables for tables in by_door), by_door
    assert beside == {"sites"}
