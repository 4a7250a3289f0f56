"""A town so small that a law can be tried on it a hundred times, on either database, and the reference client in it
without a socket: its HTTP goes straight into the app, may be cut at any byte, and is held against the contract.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from flask import Flask
from sqlalchemy import delete, select, update

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.accounts.models import User
from backend.app import create_app
from backend.cli import setup
from backend.config import Config
from backend.database import close_app, snapshot, transaction
from backend.feed.models import FeedRow
from backend.now import now_utc
from backend.ops.apply import submit
from backend.sweeps.models import Task, Team
from backend.territory.models import Site
from sync_protocol.client.session import FieldClient
from sync_protocol.client.transport import Offline, Transport
from tests import contract

CITY = "1"
DISTRICTS = ("1a", "1b", "1c")
KEY = "for-tests-only"


def config(folder: Path, url: str | None = None) -> Config:
    """Settings of a throw-away server over a database of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return Config(
        folder, url or f"sqlite:///{folder / 'huyuan.db'}", KEY, worker="off", log_level="CRITICAL", min_free_bytes=0
    )


@contextmanager
def ground(settings: Config) -> Iterator["Ground"]:
    """A migrated server with one city of three districts and nothing in them."""
    setup.migrate(settings)
    app = create_app(settings)
    app.test_client_class = contract.Client
    with app.app_context():
        made = Ground(app)
        made.load({})
    yield made
    close_app(app)


def area(code: str, level: str, parent: str | None) -> dict[str, Any]:
    path = code if parent is None else f"{parent}/{code}"
    return {
        "id": code, "level": level, "code_system": "示例", "name_zh": f"{code}区（示例）", "name_en": code, "parent_id": parent,
        "area_path": path, "geometry": None, "seat_lon": None, "seat_lat": None,
    }  # fmt: skip


def site(code: str, district: str, name: str = "小学（示例）") -> dict[str, Any]:
    """A school with an outline of three corners."""
    n = sum(map(ord, code)) % 100 / 1000
    lon, lat = round(118 + n, 5), round(36.8 + n, 5)
    ring = [[lon, lat], [lon + 0.001, lat], [lon, lat + 0.001], [lon, lat]]
    return {
        "id": code, "kind": "school", "category": "小学", "name": name, "district_id": district, "township_id": f"{district}01",
        "zone": None, "lon": lon, "lat": lat, "perimeter": {"type": "Polygon", "coordinates": [ring]}, "attributes": {},
        "area_path": f"{CITY}/{district}/{district}01/{code}",
    }  # fmt: skip


class Ground:
    """One small server. Calls that write are ops, or say that they play an accident."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._count = 0

    def load(self, sites: Mapping[str, tuple[str, str]]) -> None:
        """`city.load` of these sites {id: (district, name)}; what is there already and differs is changed or moved."""
        rows = [site(code, *where) for code, where in sites.items()]
        areas = [area(CITY, "city", None), *(area(d, "district", CITY) for d in DISTRICTS)]
        body = {"id": CITY, "name_zh": "小城（示例）", "name_en": "Town", "code_system": "示例", "areas": areas, "zones": [],
                "sites": rows, "departments": [], "posts": [], "holdings": []}  # fmt: skip
        with self.app.app_context():
            submit("city.load", body, SYSTEM, ent=("city", CITY))

    def person(self, login: str, area_path: str = "", role: str = "inspector") -> str:
        """A person with an area of their own, if any; returns the id."""
        args = {"login": login, "name": "排查员（示例）", "role": role, "areas": [area_path] if area_path else []}
        with self.app.app_context():
            submit("user.add", args, SYSTEM, ent=("user", f"u-{login}"))
        return f"u-{login}"

    def alter(self, *statements: Any) -> None:
        """Change the database past every door: who is of which team has no op yet, and accidents never have one."""
        with self.app.app_context(), transaction() as session:
            for statement in statements:
                session.execute(statement)

    def areas_of(self, user: str, *districts: str) -> None:
        """The person's own territory from now on."""
        self.alter(update(User).where(User.id == user).values(areas=[f"{CITY}/{d}" for d in districts]))

    def look(self, statement: Any) -> list[Any]:
        """Rows as the database has them."""
        with self.app.app_context(), snapshot() as session:
            return list(session.execute(statement).all())

    def phone(self, login: str, home: Path) -> FieldClient:
        """A person's enrolled phone: the reference client, its HTTP inside this process."""
        self._count += 1
        with self.app.app_context(), transaction() as session:
            code = tokens.make_code(session, f"u-{login}", now_utc())
        client = FieldClient(
            home, "http://test", synchronous="OFF", clock=lambda: datetime(2026, 11, 24, 8, tzinfo=UTC), transport=Inside(self.app)
        )
        client.enrol(code, f"phone-{self._count}")
        return client

    def again(self, home: Path) -> FieldClient:
        """The same installation after its process was killed."""
        return FieldClient(home, "http://test", synchronous="OFF", transport=Inside(self.app))

    def truth(self, buckets: set[str]) -> dict[str, int]:
        """{type:id: version} of the sites and tasks that somebody with these buckets must hold, from the tables alone."""
        found = {f"site:{r.id}": r.ver for r in self.look(select(Site.id, Site.ver, Site.district_id)) if f"district:{r.district_id}" in buckets}
        tasks = self.look(select(Task.id, Task.ver, Task.team_id))
        found |= {f"task:{r.id}": r.ver for r in tasks if f"team:{r.team_id}" in buckets}
        teams = self.look(select(Team.id, Team.ver))
        return found | {f"team:{r.id}": r.ver for r in teams if f"team:{r.id}" in buckets}

    def wipe_feed(self, bucket: str) -> None:
        """Play a server fault: the feed of a bucket loses its rows."""
        self.alter(delete(FeedRow).where(FeedRow.bucket == bucket))


class Inside(Transport):
    """HTTP into an app of this process. `cut` breaks the next download after so many bytes; `seen` are all requests."""

    def __init__(self, app: Flask) -> None:
        super().__init__("http://test")
        self._app = app
        self.cut: int | None = None
        self.spoil: Callable[[bytes], bytes] | None = None
        self.seen: list[tuple[str, str, dict[str, str], int]] = []

    def raw(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        answer = self._app.test_client().open(path, method=method, data=body or b"", headers=headers)
        self.seen.append((method, path, headers, answer.status_code))
        return answer.status_code, answer.headers, answer.get_data()

    def fetch(self, path: str, headers: dict[str, str], begin: Callable[[int, Any], BinaryIO]) -> tuple[int, Any, bytes]:
        status, got, data = self.raw("GET", path, None, headers)
        if status not in (200, 206):
            return status, got, data
        data, end = (self.spoil or bytes)(data), self.cut
        self.spoil, self.cut = None, None
        with begin(status, got) as file:
            file.write(data[:end])
        if end is not None and end < len(data):
            raise Offline("cut")
        return status, got, b""


def settle(client: FieldClient, most: int = 200, limit: int = 500) -> int:
    """Pull until the view is complete; returns after how many steps."""
    for n in range(1, most + 1):
        if client.pull(limit):
            return n
    raise AssertionError(f"not complete after {most} steps")


def held(client: FieldClient, *kinds: str) -> dict[str, int]:
    """{type:id: version} of what a device holds of these types."""
    base = client.store.state("base")["base"]
    return {key: row["ver"] for key, row in base.items() if key.split(":")[0] in kinds}
