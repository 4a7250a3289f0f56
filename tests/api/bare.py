"""A small server without HTTP for the tests of custody: city, packs, one inspector, ops applied directly. Asserts nothing."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from flask import Flask

from backend.accounts import queries as accounts
from backend.app import create_app
from backend.cli import setup
from backend.config import Config
from backend.database import close_app, transaction
from backend.ops.apply import now_utc
from backend.sweeps import queries as sweeps
from backend.sync import push as pushes
from sync_protocol import replica

TEAM = {"id": "t1", "name": "一组（示例）", "areas": ["370303", "370302"], "members": ["u-ins1"]}


def config_of(folder: Path, url: str = "") -> Config:
    """Settings of a throw-away server."""
    folder.mkdir(parents=True, exist_ok=True)
    return Config(data=folder, database_url=url or f"sqlite:///{folder / 'huyuan.db'}", secret_key="for-tests-only", worker="off")


@contextmanager
def opened(config: Config) -> Iterator[Flask]:
    """The app of a server inside its context."""
    app = create_app(config)
    try:
        with app.app_context():
            yield app
    finally:
        close_app(app)


def settle(config: Config) -> None:
    """Schema, city, packs, one inspector with a sweep over two districts."""
    setup.migrate(config)
    with opened(config):
        setup.demo()
        setup.add_user("ins1", "排查员（示例）", "inspector", "", None, None)
        plan = {"title": "演练", "programmes": ["campus-perimeter"], "teams": [TEAM]}
        setup.submit("sweep.open", plan, setup.SYSTEM, ent=("sweep", "s1"))


class Phone:
    """A device whose pushes go straight to the function behind the view. Call inside the app's context."""

    def __init__(self, name: str = "r-1", login: str = "ins1") -> None:
        with transaction() as session:
            user = accounts.user_by_login(session, login)
            assert user is not None
            self.actor = sweeps.with_teams(session, user, f"d-{name}")
            pushes.register(session, self.actor, f"{name}-install", name, name, now_utc())
            epoch = pushes.meta(session, self.actor).epoch
        self.state = replica.fresh(name, epoch)

    def record(self, verb: str, ent: tuple[str, str], args: dict[str, Any]) -> str:
        op_id = str(uuid.uuid4())
        body = {"op": op_id, "verb": verb, "v": 1, "actor": self.actor.id, "ent": {"t": ent[0], "id": ent[1]},
                "base": None, "args": args, "blobs": [], "at": {"wall": now_utc().isoformat()}}  # fmt: skip
        replica.record(self.state, op_id, orjson.dumps(body).decode(), f"{ent[0]}:{ent[1]}")
        return op_id

    def report(self, item: str = "A213") -> str:
        """One loose report of a hazard, at a place in Zhangdian."""
        fix = {"lon": 118.05, "lat": 36.81, "accuracy_m": 5, "crs": "wgs84"}
        args = {"item": item, "programme": "campus-perimeter", "template_version": 1, "site_id": None, "team_id": "t1", "fix": fix}
        return self.record("problem.report", ("finding", str(uuid.uuid4())), args)

    def push(self, app: Flask, limit: int = 200) -> dict[str, Any]:
        request = {"proto": 1, "epoch": self.state["epoch"], "replica": self.state["replica"], "ops": replica.wire(self.state, limit)}
        answer = pushes.receive(request, self.actor, now_utc(), app.extensions["config"])
        replica.take_acks(self.state, answer["results"], answer["durable_seq"])
        return answer
