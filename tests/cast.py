"""The named cast, and the world they act in: one app over one database with the demo city. Everybody is invented （示例）.

District A is 张店区 370303, district B its sibling 淄川区 370302. Who is of A must see nothing of B.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from backend.access.scope import SYSTEM
from backend.accounts import tokens
from backend.app import COOKIE
from backend.cli import setup
from backend.cli.user import add_user
from backend.database import snapshot, transaction
from backend.now import now_utc
from backend.ops.apply import submit
from backend.territory import queries as territory
from tests import make
from tests.contract import Client

CITY, A, B = "370300", "370303", "370302"
A_TOWNSHIP, A_SITE, B_SITE = "370303101", "ZB-370303-0001", "ZB-370302-0001"
SWEEP, TEAM_A, TEAM_B = "s1", "ta", "tb"


@dataclass(frozen=True)
class Person:
    """Who: login, name, role, code of the area (empty: none), department."""

    login: str
    name: str
    role: str
    area: str
    department: str | None = None

    @property
    def id(self) -> str:
        return f"u-{self.login}"


CAST = {
    person.login: person
    for person in (
        Person("city", "市级牵头（示例）", "city", CITY),
        Person("zhangdian", "张店区督导员（示例）", "district", A),
        Person("zichuan", "淄川区督导员（示例）", "district", B),
        Person("nanding", "南定镇网格负责人（示例）", "township", A_TOWNSHIP),
        Person("education", "教育局督导员（示例）", "department", CITY, "education"),
        Person("kindergarten", "南定镇中心幼儿园安全员（示例）", "school", A_SITE),
        Person("inspector_a", "排查员甲（示例）", "inspector", ""),
        Person("inspector_b", "排查员乙（示例）", "inspector", ""),
        Person("expert", "消防专家（示例）", "expert", ""),
        Person("auditor", "督查员（示例）", "auditor", CITY),
        Person("admin", "系统管理员（示例）", "admin", ""),
    )
}
TEAMS = (
    {"id": TEAM_A, "name": "甲组（示例）", "areas": [A], "members": ["u-inspector_a", "u-expert"]},
    {"id": TEAM_B, "name": "乙组（示例）", "areas": [B], "members": ["u-inspector_b"]},
)


def arrive() -> None:
    """The city, the cast, and a sweep with both teams. Call inside an app."""
    setup.demo()
    there = {login for login, *_ in setup.SAMPLE_USERS}
    for person in CAST.values():
        if person.login not in there:
            add_user(
                person.login, person.name, person.role, person.area, person.department, setup.DEMO_PASSWORD
            )
    plan = {"title": "排查演练（示例）", "programmes": ["campus-perimeter"], "teams": list(TEAMS)}
    submit("sweep.open", plan, SYSTEM, ent=("sweep", SWEEP))


@dataclass
class World:
    """One app over one database of its own. Every client of it is held against the contract."""

    app: Flask
    database: str
    _sites: dict[str, Iterator[str]] = field(default_factory=dict)
    _phones: dict[str, "Phone"] = field(default_factory=dict)

    def anonymous(self) -> Client:
        """Nobody."""
        made = self.app.test_client()
        assert isinstance(made, Client)
        return made

    def desk(self, login: str) -> Client:
        """A person who is signed in with a browser."""
        return self.signed_in(CAST[login].id)

    def signed_in(self, user_id: str) -> Client:
        """Somebody of no cast who is signed in with a browser."""
        made = self.anonymous()
        with self.app.app_context(), transaction() as session:
            cookie, _ = tokens.open_session(session, user_id, now_utc())
        made.set_cookie(COOKIE, cookie)
        return made

    def code(self, login: str) -> str:
        """A one-time code for a person's phone."""
        with self.app.app_context(), transaction() as session:
            return tokens.make_code(session, CAST[login].id, now_utc())

    def phone(self, login: str, install: str | None = None) -> "Phone":
        """A person's enrolled phone."""
        install = install or f"phone-{make.new_id()}"
        answer = self.anonymous().post(
            "/sync/v1/enrol", json={"code": self.code(login), "install_id": install}
        )
        assert answer.status_code == 201, answer.text
        told = answer.json
        return Phone(
            self,
            login,
            install,
            told["token"],
            told["replica"],
            told["epoch"],
            told["next_seq"],
            told["head"],
            told["device"],
        )

    def any_phone(self, login: str) -> "Phone":
        """A person's phone whose log nobody counts on: enrolled once and lent to every test of the file."""
        if login not in self._phones:
            self._phones[login] = self.phone(login)
        return self._phones[login]

    def revoked_phone(self, login: str) -> "Phone":
        """A phone that was reported lost."""
        phone = self.phone(login)
        with self.app.app_context(), transaction() as session:
            assert tokens.revoke_device(session, phone.device)
        return phone

    def site(self, district: str = A) -> str:
        """A school of a district that this world has not named before."""
        if district not in self._sites:
            with self.app.app_context(), snapshot() as session:
                known = [
                    s.id
                    for s in territory.sites_of_kinds(session, SYSTEM, ("school",))
                    if s.district_id == district
                ]
            self._sites[district] = iter(known[10:])  # the first ones have parts of their own
        return next(self._sites[district])

    def look(self, statement: Any) -> list[Any]:
        """Rows as the database has them."""
        with self.app.app_context(), snapshot() as session:
            return list(session.execute(statement).all())

    def change(self, *statements: Any) -> None:
        """Do to the database what no door does (play an accident)."""
        with self.app.app_context(), transaction() as session:
            for statement in statements:
                session.execute(statement)


@dataclass
class Phone:
    """A device that speaks the protocol by hand, so that it can also speak it wrongly."""

    world: World
    login: str
    install: str
    token: str
    replica: str
    epoch: str
    next_seq: int
    head: str
    device: str

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """One exchange with this phone's token (None for no `json`)."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.world.anonymous().open(path, method=method, headers=headers, **more)

    def post(self, path: str, body: Any) -> Any:
        """A JSON exchange."""
        return self.ask("POST", path, json=body)

    def frame(self, *bodies: str) -> dict[str, Any]:
        """A push of these bodies, going on where the server left this replica."""
        ops = make.chain(self.replica, self.next_seq, self.head, bodies)
        return {"proto": 1, "epoch": self.epoch, "replica": self.replica, "outbox_len": len(ops), "ops": ops}

    def push(self, *bodies: str) -> list[dict[str, Any]]:
        """Hand bodies over; their results."""
        answer = self.post("/sync/v1/push", self.frame(*bodies))
        assert answer.status_code == 200, answer.text
        self.next_seq, self.head = answer.json["next_seq"], answer.json["head"]
        found: list[dict[str, Any]] = answer.json["results"]
        return found

    def record(self, verb: str, ent: tuple[str, str], args: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Make one op and hand it over; its result."""
        return self.push(make.body(verb, ent, args, actor=CAST[self.login].id, **more))[0]

    def pull(self, **more: Any) -> dict[str, Any]:
        """One page."""
        answer = self.post("/sync/v1/pull", {"proto": 1, "replica": self.replica, "cursor": None, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """All rows of a type, as a first pull tells them."""
        found, page = [], self.pull()
        for _ in itertools.count():
            found += [row["data"] for row in page["rows"] if row["t"] == kind and row["op"] == "put"]
            if page["complete"]:
                return found
            page = self.pull(cursor=page["cursor"])
        raise AssertionError


def told(answer: Any) -> Sequence[Any]:
    """(status, code) of a refusal."""
    return answer.status_code, json.loads(answer.data).get("code")
