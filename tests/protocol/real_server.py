"""The real server as the machine sees it: the WSGI app over a real database, with a line that can fail and a disk that can be
put back. Asserts nothing.

A small city of three districts; one person with a team; every phone is a replica of theirs. Whatever is done at a desk goes
through `submit`, whatever a phone does through HTTP.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.app import create_app
from backend.cli import setup
from backend.cli.pack import install_packs
from backend.cli.user import add_user
from backend.config import Config
from backend.database import clock, close_app, db, snapshot, still, transaction
from backend.errors import Problem
from backend.feed import pages
from backend.feed.log import meta
from backend.now import now_utc
from backend.ops import epochs, jobs
from backend.ops.apply import submit
from backend.ops.work import JOBS
from backend.packs import shipped_city
from backend.sweeps import queries as sweeps
from backend.sync.compaction import compact
from backend.territory.city_files import read_city
from sync_protocol.bundle import Bundle, read
from sync_protocol.client.answers import whole
from tests.postgres import Cluster
from tests.protocol.memory_server import Crashed, Refusal

Message = dict[str, Any]
DISTRICTS = ("370302", "370303", "370304")
TEAM, OTHER_TEAM = "t1", "t2"
PAGE_ROWS = 8  # small, so that pages split transactions


def small_city() -> Message:
    """args of `city.load`: three districts, one township and two schools each, all departments, no posts."""
    body = read_city(shipped_city()).body()
    townships = {d: next(a for a in body["areas"] if a["parent_id"] == d) for d in DISTRICTS}
    areas = [a for a in body["areas"] if a["level"] == "city" or a["id"] in DISTRICTS] + list(townships.values())
    sites = [
        {**site, "township_id": townships[d]["id"], "area_path": f"370300/{d}/{townships[d]['id']}/{site['id']}"}
        for d in DISTRICTS
        for site in [s for s in body["sites"] if s["district_id"] == d and s["kind"] == "school"][:2]
    ]
    return {**body, "areas": areas, "sites": sites, "zones": [], "posts": [], "holdings": []}


class RealServer:
    """One server with its history. `reset` begins a new one."""

    def __init__(self, folder: Path, cluster: Cluster | None = None) -> None:
        self._folder, self._cluster, self.histories = folder, cluster, 0
        self._twin: Flask | None = None
        url = f"sqlite:///{folder / 'huyuan.db'}" if cluster is None else cluster.database("machine")
        self.config = Config(data=folder, database_url=url, secret_key="for-tests-only", worker="off", log_level="CRITICAL")
        setup.migrate(self.config)
        self.app: Flask = create_app(self.config)
        still(self.app)  # its disk is put back under it: nobody may write there beside the requests
        with self.app.app_context():
            self._settle()
        self._keep("pristine")
        self.http = self.app.test_client()

    def _settle(self) -> None:
        city = small_city()
        submit("city.load", city, SYSTEM, ent=("city", city["id"]))
        install_packs()
        add_user("ins1", "排查员（示例）", "inspector", "", None, None)
        team = {"id": TEAM, "name": "一组（示例）", "areas": [DISTRICTS[0]], "members": ["u-ins1"]}
        other = {"id": OTHER_TEAM, "name": "二组（示例）", "areas": list(DISTRICTS[1:]), "members": []}
        plan = {"title": "演练", "programmes": ["campus-perimeter"], "teams": [team, other]}
        submit("sweep.open", plan, SYSTEM, ent=("sweep", "s1"))
        with transaction() as session:
            code = tokens.make_code(session, "u-ins1", now_utc())
        answer = self.app.test_client().post("/sync/v1/enrol", json={"code": code, "install_id": "machine"})
        self.token = answer.json["token"]

    def close(self) -> None:
        """Let go of everything."""
        close_app(self.app)
        if self._twin is not None:
            close_app(self._twin)

    def twin(self) -> Flask:
        """A second server on a database of its own, as this one was at the beginning of its history."""
        folder = self._folder / "twin"
        folder.mkdir(exist_ok=True)
        if self._twin is not None:
            with self._twin.app_context():
                db.session.remove()
                db.engine.dispose()
        if self._cluster is None:
            for tail in ("-wal", "-shm"):
                (folder / f"huyuan.db{tail}").unlink(missing_ok=True)
            shutil.copyfile(self._folder / "pristine.kept", folder / "huyuan.db")
            url = f"sqlite:///{folder / 'huyuan.db'}"
        else:
            self._cluster.drop("twin")
            url = self._cluster.database("twin", "pristine")
        if self._twin is None:
            self._twin = create_app(replace(self.config, data=folder, database_url=url))
        return self._twin

    def reset(self) -> None:
        """The history begins anew, under the same name: so what is kept for a history must go too."""
        self.histories += 1
        self._put_back("pristine")
        shutil.rmtree(self._folder / "bundles", ignore_errors=True)
        pages.KEPT_SUMS.clear()
        self.backup()

    # ---- the disk

    def _keep(self, name: str) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        if self._cluster is None:
            with self.app.app_context(), db.engine.connect() as line:
                line.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            with self.app.app_context():
                db.engine.dispose()
            shutil.copyfile(self._folder / "huyuan.db", self._folder / f"{name}.kept")
            return
        self._cluster.drop(name)
        self._cluster.database(name, "machine")

    def _put_back(self, name: str) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()
        if self._cluster is None:
            for tail in ("-wal", "-shm"):
                (self._folder / f"huyuan.db{tail}").unlink(missing_ok=True)
            shutil.copyfile(self._folder / f"{name}.kept", self._folder / "huyuan.db")
            return
        self._cluster.drop("machine")
        self._cluster.database("machine", name)

    def backup(self) -> None:
        """A verified backup of what is committed now; devices may let go of what is in it (P22)."""
        with self.app.app_context(), transaction() as session:
            server = meta(session, SYSTEM)
            server.durable_clock = clock(session)
        self._keep("backup")

    def restore(self) -> None:
        """The server goes back in time, and says so: a new epoch (P21)."""
        self._put_back("backup")
        with self.app.app_context():
            epochs.begin("restored", {}, now_utc(), lambda _: True)

    def compact(self) -> None:
        """Forget every removal, whatever its age; the horizons move in the same transaction (P17)."""
        with self.app.app_context():
            compact(now_utc() + timedelta(days=1))

    @property
    def is_sqlite(self) -> bool:
        """Whether a history costs a file or a database."""
        return self._cluster is None

    # ---- the line

    def _post(self, path: str, body: Message) -> Message:
        answer = self.http.post(f"/sync/v1/{path}", json=body, headers={"Authorization": f"Bearer {self.token}"})
        said: Message = json.loads(answer.data)
        if answer.status_code >= 400:
            raise Refusal(said["code"], **{k: said[k] for k in ("epoch", "next_seq", "head") if k in said})
        return said

    def register(self, cursor: str | None = None) -> Message:
        """POST /replicas, with the proof that the server may need (P62)."""
        return self._post("replicas", {"install_id": uuid.uuid4().hex, "nonce": uuid.uuid4().hex, "cursor": cursor})

    def push(self, request: Message, crash: bool = False) -> Message:
        """POST /push. With `crash` the server dies before its first commit: raises Crashed."""
        with dying() if crash else alive():
            return self._post("push", {"proto": 1, "outbox_len": 0, **request})

    def pull(self, request: Message) -> Message:
        """POST /pull, its tables unpacked."""
        return whole(self._post("pull", {"proto": 1, "schema": 2, "limit": PAGE_ROWS, **request}))

    def fetch(self, bundle_id: str) -> Bundle:
        """GET /bundles/{id}. Raises Refusal."""
        answer = self.http.get(f"/sync/v1/bundles/{bundle_id}", headers={"Authorization": f"Bearer {self.token}"})
        if answer.status_code != 200:
            raise Refusal(json.loads(answer.data)["code"])
        return read(answer.data)

    # ---- the desk

    def desk(self, verb: str, ent: tuple[str, str], args: Message, op_id: str | None = None, base: Message | None = None) -> str | None:
        """One op of the city's office; its id, or None where it is refused."""
        with self.app.app_context():
            try:
                return submit(verb, args, SYSTEM, ent=ent, base=base, op_id=op_id).op_id
            except Problem:
                return None

    def areas(self) -> set[str]:
        """The districts that the team has now."""

        def read(session: Session) -> set[str]:
            team = sweeps.team(session, SYSTEM, TEAM)
            assert team is not None
            return set(team.areas)

        found: set[str] = self.look(read)
        return found

    def scope(self, district: str, is_on: bool) -> None:
        """The team gains or loses a district (it always keeps one)."""
        areas = self.areas()
        wanted = areas | {district} if is_on else areas - {district}
        if wanted and wanted != areas:
            self.desk("team.change", ("team", TEAM), {"areas": sorted(wanted)})

    def work(self) -> None:
        """All jobs that are due (retries after a grant, releases …)."""
        with self.app.app_context():
            while jobs.run_one(JOBS, now_utc()):
                continue

    def look(self, read: Callable[[Session], Any]) -> Any:
        """What `read` finds in one snapshot."""
        with self.app.app_context(), snapshot() as session:
            return read(session)


class Death(BaseException):
    """Not an Exception: nothing in a server that has died handles anything."""


@contextmanager
def dying() -> Iterator[None]:
    """The process ends at its next commit."""
    kept = Session.commit

    def die(self: Session) -> None:
        raise Death

    Session.commit = die  # type: ignore[method-assign]
    try:
        yield
    except Death as death:
        raise Crashed from death
    finally:
        Session.commit = kept  # type: ignore[method-assign]


@contextmanager
def alive() -> Iterator[None]:
    """Nothing happens."""
    yield
