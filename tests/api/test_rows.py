"""Rows that wait, on both databases: written together, never missed by a reader, taken back with their op, and a breach of
a constraint finds the op that is guilty."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Table, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend import rows
from backend.app import create_app
from backend.bulk import insert_many, update_many
from backend.cli import setup
from backend.config import Config
from backend.database import close_app, snapshot, transaction
from backend.problems.models import Problem
from backend.sweeps.models import Task
from tests.postgres import server

NOW = datetime(2026, 11, 24, 8, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder: Path = tmp_path_factory.mktemp("rows")
    if request.param == "sqlite":
        yield from prepared(folder, f"sqlite:///{folder / 'huyuan.db'}")
    else:
        with server() as url:
            yield from prepared(folder, url)


def prepared(folder: Path, url: str) -> Iterator[Flask]:
    config = Config(data=folder, database_url=url, secret_key="for-tests-only", worker="off")
    setup.migrate(config)
    made = create_app(config)
    with made.app_context():
        yield made
    close_app(made)


def problem(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "number": f"N-{name}", "programme": "campus-perimeter", "template_version": 1, "item": "A101", "category": "traffic",
        "grade": "general", "state": "found", "area_path": "370300/370303", "found_at": NOW, "received_at": NOW, "deadline_class": "ordinary",
        "lon": 118, "lat": 36.8, "due_on": date(2026, 12, 1), "deadline_reason": {"条": "第十七条", "n": [1, None]}, "ver": 1, **more,
    }  # fmt: skip


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "sweep_id": "s", "site_id": "x", "programme": "p", "team_id": "t", "area_path": "a", "ver": 1, **more}


def found(session: Session, model: Any, prefix: str) -> list[Any]:
    return list(session.scalars(select(model).where(model.id.startswith(prefix)).order_by(model.id)))


def test_many_rows_read_back_as_they_were_given_with_defaults_where_they_say_nothing(app: Flask) -> None:
    given = [problem("many-1"), problem("many-2", lon=None, due_on=None, description="“引号” % 与 ' \\ 换行\n", is_open=False)]
    with transaction() as session:
        insert_many(session.connection(), Problem.__table__, given)
    with snapshot() as session:
        first, second = found(session, Problem, "many-")
        assert {k: getattr(first, k) for k in given[0]} == given[0]
        assert {k: getattr(second, k) for k in given[1]} == given[1]
        assert first.is_open is True and first.report_count == 1 and first.missing_photos == 0 and first.closed_at is None


def test_many_rows_change_by_their_key(app: Flask) -> None:
    table: Table = Problem.__table__
    with transaction() as session:
        insert_many(session.connection(), table, [problem(f"change-{n}") for n in range(3)])
        update_many(session.connection(), table, [{"id": f"change-{n}", "lat": 30 + n, "due_on": None, "deadline_reason": {"n": n}} for n in range(2)])
    with snapshot() as session:
        assert [(p.lat, p.due_on, p.deadline_reason) for p in found(session, Problem, "change-")][:2] == [(30.0, None, {"n": 0}), (31.0, None, {"n": 1})]
        assert found(session, Problem, "change-")[2].lat == 36.8


def test_a_row_that_is_there_already_breaks_the_lot_and_none_of_it_is_there(app: Flask) -> None:
    with transaction() as session:
        insert_many(session.connection(), Problem.__table__, [problem("twice-1")])
    with pytest.raises(IntegrityError), transaction() as session:
        insert_many(session.connection(), Problem.__table__, [problem("twice-2"), problem("twice-1")])
    with snapshot() as session:
        assert [p.id for p in found(session, Problem, "twice-")] == ["twice-1"]


def test_whoever_reads_through_the_session_sees_the_rows_that_wait(app: Flask) -> None:
    with transaction() as session:
        rows.add(session, Task, task("seen-1"))
        rows.change(session, Task, {"id": "seen-1"}, {"state": "done", "ver": 2})
        rows.change(session, Task, {"id": "seen-1"}, {"ver": 3})
        (seen,) = found(session, Task, "seen-")
        assert (seen.state, seen.ver) == ("done", 3)


def test_a_row_that_changes_again_and_again_is_in_the_end_as_it_was_changed_last(app: Flask) -> None:
    """Whichever columns each change names: those of one kind are written together."""
    with transaction() as session:
        rows.add(session, Task, task("last-1"))
        for n, more in enumerate(({}, {"state": "excused"}, {}, {"note": "n"}, {}), 2):
            rows.change(session, Task, {"id": "last-1"}, {"ver": n, **more})
    with snapshot() as session:
        assert [(t.ver, t.state, t.note) for t in found(session, Task, "last-")] == [(6, "excused", "n")]


def test_an_op_that_fails_takes_back_its_own_rows_and_no_others(app: Flask) -> None:
    with transaction() as session:
        with rows.savepoint(session):
            rows.add(session, Task, task("own-1"))
        for does_read in (False, True):
            with pytest.raises(ValueError, match="guilty"), rows.savepoint(session):
                rows.add(session, Task, task("own-2"))
                rows.change(session, Task, {"id": "own-1"}, {"state": "excused"})
                if does_read:
                    assert [t.id for t in found(session, Task, "own-")] == ["own-1", "own-2"]
                raise ValueError("guilty")
        with rows.savepoint(session):
            rows.add(session, Task, task("own-3"))
    with snapshot() as session:
        assert [(t.id, t.state) for t in found(session, Task, "own-")] == [("own-1", "open"), ("own-3", "open")]


def test_a_kept_row_follows_changes_and_is_read_again_after_a_statement_on_its_table(app: Flask) -> None:
    with transaction() as session:
        rows.add(session, Task, task("kept-1"))
    with transaction() as session:
        rows.keep(session, Task, {"kept-1": {"ver": 1}, "kept-0": None})
        rows.change(session, Task, {"id": "kept-1"}, {"ver": 2})
        assert rows.kept(session, Task, "kept-1", dict) == {"ver": 2}
        assert rows.kept(session, Task, "kept-0", dict) is None
        session.execute(Task.__table__.update().where(Task.id == "kept-1").values(ver=7))
        assert rows.kept(session, Task, "kept-1", lambda: {"ver": "read anew"}) == {"ver": "read anew"}


def test_only_the_op_that_added_a_row_may_still_change_it_in_place(app: Flask) -> None:
    with transaction() as session:
        with rows.savepoint(session):
            rows.add(session, Task, task("fresh-1"))
            assert rows.fresh(session, Task, {"id": "fresh-1"}) is not None
        with rows.savepoint(session):
            assert rows.fresh(session, Task, {"id": "fresh-1"}) is None


def test_work_that_breaks_a_constraint_is_run_again_row_by_row(app: Flask) -> None:
    tries: list[bool] = []

    def work(session: Session) -> list[str]:
        tries.append(rows.is_eager(session))
        done = []
        for name in ("again-1", "again-1", "again-2"):
            try:
                with rows.savepoint(session):
                    rows.add(session, Task, task(name))
            except IntegrityError:
                assert rows.is_eager(session), "nobody can say yet whose row it is"
                continue
            done.append(name)
        return done

    assert rows.run(work) == ["again-1", "again-2"] and tries == [False, True]
    with snapshot() as session:
        assert [t.id for t in found(session, Task, "again-")] == ["again-1", "again-2"]
