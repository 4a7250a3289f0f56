"""Without its database the server says 503 with Retry-After at every door that needs it, and stands by itself when it is back."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from backend.app import COOKIE, create_app
from backend.config import Config
from backend.database import close_app, db
from tests import contract
from tests.api.asking import request_of
from tests.api.refusals import OUTAGES
from tests.cast import World
from tests.conftest import DATABASES, Prepared
from tests.contract import Operation


@pytest.fixture(scope="module", params=DATABASES)
def stranded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A server whose database is a folder where a file should be, or a port where nobody listens."""
    folder = tmp_path_factory.mktemp("stranded")
    (folder / "huyuan.db").mkdir()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken and not listened to: refused at once
        url = f"sqlite:///{folder / 'huyuan.db'}" if request.param == "sqlite" else f"postgresql://huyuan@127.0.0.1:{nobody.getsockname()[1]}/huyuan"
        app = create_app(Config(folder, url, "for-tests-only", worker="off", log_level="CRITICAL", min_free_bytes=0))
        app.test_client_class = contract.Client
        yield app
        close_app(app)


@pytest.mark.parametrize("operation", OUTAGES, ids=lambda o: o.id)
def test_a_door_that_needs_the_database_says_when_to_come_back(stranded: Flask, operation: Operation) -> None:
    made = request_of(operation)
    if {"session": []} not in operation.security or {"device": []} in operation.security:
        made["headers"] |= {"Authorization": "Bearer hy_dev_anybody"}
    client = stranded.test_client()
    client.set_cookie(COOKIE, "anybody")
    answer = client.open(**made)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    if operation.method != "head":
        assert answer.json["code"] in ("overloaded", "not_ready") and answer.json["retryable"]


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
