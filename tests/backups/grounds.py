"""A server without HTTP for the tests of backups: devices whose ops go straight to the functions behind the
views, and a way to break rows past the program. Asserts nothing."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from flask import Flask
from sqlalchemy import create_engine, text

from backend.access.scope import SYSTEM
from backend.accounts import queries as accounts
from backend.app import create_app
from backend.cli.field_team import picture
from backend.config import Config
from backend.database import close_app, transaction
from backend.feed.log import meta
from backend.now import now_utc
from backend.ops.apply import submit
from backend.photos import pipeline
from backend.sweeps import queries as sweeps
from backend.sync import push as pushes
from sync_protocol import replica
from tests.cast import A_SITE, TEAM_A


@contextmanager
def opened(config: Config) -> Iterator[Flask]:
    """The app of a server inside its context."""
    app = create_app(config)
    try:
        with app.app_context():
            yield app
    finally:
        close_app(app)


def break_row(config: Config, statement: str, **values: Any) -> None:
    """One statement past the program, as a fault or an intruder would; it must hit exactly one row."""
    engine = create_engine(config.database_url)
    with engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount == 1, statement
    engine.dispose()


class Phone:
    """A device of the inspector of district A. Call inside the app's context."""

    def __init__(self, name: str = "r-1", login: str = "inspector_a") -> None:
        with transaction() as session:
            user = accounts.user_by_login(session, login)
            assert user is not None
            self.actor = sweeps.with_teams(session, user, f"d-{name}")
            made = pushes.register(session, self.actor, f"{name}-install", name, name, now_utc())
            self.state = replica.fresh(made.id, meta(session, SYSTEM).epoch)
            self.state.update(next_seq=made.next_seq, head=made.head)

    def record(self, verb: str, ent: tuple[str, str], args: dict[str, Any]) -> str:
        """One op at the end of the log; its id."""
        op_id = str(uuid.uuid4())
        body = {"op": op_id, "verb": verb, "v": 1, "actor": self.actor.id, "ent": {"t": ent[0], "id": ent[1]},
                "base": None, "args": args, "blobs": [], "at": {"wall": now_utc().isoformat()}}  # fmt: skip
        replica.record(self.state, op_id, orjson.dumps(body).decode(), f"{ent[0]}:{ent[1]}")
        return op_id

    def report(self, item: str = "A213", photos: list[str] | None = None) -> str:
        """A hazard at the school of district A."""
        fix = {"lon": 118.05, "lat": 36.81, "accuracy_m": 5, "crs": "wgs84"}
        args = {"item": item, "programme": "campus-perimeter", "template_version": 1, "site_id": A_SITE,
                "team_id": TEAM_A, "fix": fix, "photos": photos or []}  # fmt: skip
        return self.record("problem.report", ("finding", str(uuid.uuid4())), args)

    def push(self, app: Flask, limit: int = 200) -> dict[str, Any]:
        """Hand over what waits; the server's answer."""
        request = {"proto": 1, "epoch": self.state["epoch"], "replica": self.state["replica"],
                   "ops": replica.wire(self.state, limit)}  # fmt: skip
        answer = pushes.receive(request, self.actor, now_utc(), app.extensions["config"])
        replica.take_acks(self.state, answer["results"], answer["durable_seq"])
        return answer


def photo(app: Flask, name: str) -> str:
    """A photo that is whole in the store and received; its hash."""
    data = picture(name, 118.05, 36.81)
    sha256 = hashlib.sha256(data).hexdigest()
    store = app.extensions["photo_store"]
    store.append(f"in-{sha256}", 0, data)
    assert store.finish(f"in-{sha256}", sha256)
    submit("photo.receive", pipeline.look(store.path(sha256)), SYSTEM, ent=("photo", sha256))
    return sha256


def fill(app: Flask) -> str:
    """Something in every room; the hash of its photo."""
    sha = photo(app, "one")
    phone = Phone()
    phone.report("A213", [sha])
    phone.report("A107")
    phone.record("no.such.verb", ("thing", "x"), {"note": "写下的话"})
    phone.push(app)
    again = Phone("r-2")  # a renumbered phone: duplicates move its head
    for op in (*phone.state["acked"],):
        replica.record(again.state, op["op"], op["body"], op["ent"])
    again.report("A108")
    again.push(app)
    day = now_utc().astimezone(ZoneInfo(app.extensions["config"].timezone)).date()
    args = {"period": f"{day}/{day}", "as_of": None, "note": ""}
    submit("ledger.publish", args, SYSTEM, ent=("ledger", "city"))
    return sha


def flip(path: Path, at: int) -> None:
    """One bit of one byte of a file turns over."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
