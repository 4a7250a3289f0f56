"""Without its database the server says 503 with Retry-After at every door that needs it, and stands by itself when it is back."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, text

from backend.app import COOKIE, create_app
from backend.config import Config
from backend.database import close_app, db
from tests import contract
from tests.api.asking import request_of
from tests.api.refusals import OUTAGES
from tests.cast import World
from tests.conftest import DATABASES, Prepared
from tests.contract import Operation


def full_sqlite(*_: Any) -> None:
    """SQLite's own error of a full disk, from a database that may not grow."""
    with closing(sqlite3.connect(":memory:")) as tiny:
        tiny.execute("PRAGMA max_page_count = 1")
        tiny.execute("CREATE TABLE more (x)")


def full_postgres(*_: Any) -> None:
    raise psycopg.errors.DiskFull("could not extend file: No space left on device")


@pytest.fixture(scope="module", params=DATABASES)
def stranded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A server whose database is a folder where a file should be, or a port where nobody listens."""
    folder = tmp_path_factory.mktemp("stranded")
    (folder / "huyuan.db").mkdir()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken and not listened to: refused at once
        port = nobody.getsockname()[1]
        url = f"sqlite:///{folder / 'huyuan.db'}" if request.param == "sqlite" else f"postgresql://huyuan@127.0.0.1:{port}/huyuan"
        app = create_app(Config(folder, url, "for-tests-only", worker="off", log_level="CRITICAL", min_free_bytes=0))
        app.test_client_class = contract.Client
        yield app
        close_app(app)


@contextmanager
def disk(app: Flask, is_full: bool) -> Iterator[None]:
    """The one thing that is played: no test fills a disk."""
    with app.app_context():
        engine, play = db.engine, full_sqlite if db.engine.dialect.name == "sqlite" else full_postgres
    if is_full:
        event.listen(engine, "do_connect", play)
    try:
        yield
    finally:
        if is_full:
            event.remove(engine, "do_connect", play)


@pytest.mark.parametrize(("operation", "status"), OUTAGES, ids=lambda v: getattr(v, "id", str(v)))
def test_a_door_that_needs_the_database_says_when_to_come_back(stranded: Flask, operation: Operation, status: int) -> None:
    made = request_of(operation)
    if {"session": []} not in operation.security or {"device": []} in operation.security:
        made["headers"] |= {"Authorization": "Bearer hy_dev_anybody"}
    client = stranded.test_client()
    client.set_cookie(COOKIE, "anybody")
    with disk(stranded, is_full=status == 507):
        answer = client.open(**made)
    assert answer.status_code == status and int(answer.headers["Retry-After"]) >= 1
    if operation.method != "head":
        assert answer.json["code"] in ("overloaded", "not_ready", "storage_full") and answer.json["retryable"]


@pytest.mark.parametrize("path", ["/healthz", "/version", "/login"])
def test_what_needs_no_database_answers_all_the_same(stranded: Flask, path: str) -> None:
    assert stranded.test_client().get(path).status_code == 200


def test_a_server_whose_database_comes_back_goes_on_without_a_restart(prepared: Prepared) -> None:
    config, name = prepared.copy("sqlite")
    app = create_app(config)
    app.test_client_class = contract.Client
    phone = World(app, "sqlite").phone("inspector_a")
    database, away = config.data / "huyuan.db", config.data / "away.db"
    with app.app_context():
        db.engine.dispose()
    database.rename(away)
    database.mkdir()
    assert phone.ask("GET", "/sync/v1/attention").status_code == 503
    database.rmdir()
    away.rename(database)
    assert phone.ask("GET", "/sync/v1/attention").status_code == 200
    close_app(app)
    prepared.drop(name)


def test_a_database_without_its_tables_is_not_ready(tmp_path: Path) -> None:
    app = create_app(Config(tmp_path, f"sqlite:///{tmp_path / 'huyuan.db'}", "for-tests-only", worker="off", log_level="CRITICAL"))
    app.test_client_class = contract.Client
    with app.app_context(), db.engine.connect() as line:
        assert line.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0
    assert app.test_client().get("/readyz").status_code == 503
    close_app(app)
