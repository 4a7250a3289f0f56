"""A city without HTTP on one database, people of every role, and problems to quarrel about. Asserts nothing.

Every op goes the whole way through `ops.apply`, as a device's does: what is refused is an outcome, not an error.
"""

import hashlib
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, event

from backend import rows
from backend.access.scope import SYSTEM, Actor
from backend.app import create_app
from backend.config import Config
from backend.database import close_app, db, snapshot
from backend.now import now_utc
from backend.ops.apply import apply, submit
from backend.ops.op import Outcome, desk_op
from backend.problems import queries, record
from backend.problems.models import Conflict
from backend.programmes import queries as programmes
from backend.territory import queries as territory
from sync_protocol.identity import uuid7

DISTRICT = "370300/370303"
PEOPLE = {
    role: Actor(f"u-{role}", role, (DISTRICT,), role)
    for role in ("inspector", "expert", "district", "city", "township", "school", "auditor")
} | {"department": Actor("u-department", "department", (DISTRICT,), "department", "education"), "system": SYSTEM}

OTHERS = ("market", "urban", "emergency")  # departments that lead at no item used here: free to be assigned


@contextmanager
def opened(config: Config) -> Iterator["Ground"]:
    """The ground on a prepared database; call everything of it inside."""
    app = create_app(config)
    try:
        with app.app_context():
            _hurry(db.engine)
            yield Ground()
    finally:
        close_app(app)


def _hurry(engine: Engine) -> None:
    """These tests are about what is decided, not about what survives a power cut: no waiting for the disk."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))


def new_id() -> str:
    """An op id as a device mints it."""
    return uuid7(int(time.time() * 1000), os.urandom(10))


def sha_of(text: str) -> str:
    """The name of a photo that nobody has."""
    return hashlib.sha256(text.encode()).hexdigest()


class Ground:
    """What a test does to the city and sees of it."""

    now: datetime | None = None  # what the server's clock says; None: the time

    def __init__(self) -> None:
        with snapshot() as session:
            sites = [s.id for s in territory.sites_of_kinds(session, SYSTEM, ("school",)) if s.district_id == "370303"]
            pack = programmes.pack(session, "campus-perimeter", 1)
        assert pack is not None
        items = [i["code"] for i in pack.body["items"] if i["enabled"] and i["lead"] not in OTHERS]
        self._places = itertools.product(sites, items)

    def do(self, verb: str, ent: str, who: str | Actor = "district", base: Any = None, op: str | None = None,
           kind: str = "problem", at: Mapping[str, Any] | None = None, **args: Any) -> Outcome:  # fmt: skip
        """One op; its outcome."""
        return self.op(verb, (kind, ent), who, base, args, op, at)

    def op(self, verb: str, ent: tuple[str, str], who: str | Actor, base: Any, args: Mapping[str, Any], op: str | None = None,
           at: Mapping[str, Any] | None = None) -> Outcome:  # fmt: skip
        """The same with its args whole, whatever their names are."""
        actor, now = PEOPLE[who] if isinstance(who, str) else who, self.now or now_utc()
        made = desk_op(op or new_id(), verb, args, actor.id, ent, now, base)
        if at is not None:
            made = replace(made, at=at)
        (outcome,) = rows.run(lambda session: apply(session, [made], actor, now))
        return outcome

    def act(self, ent: str, action: str, who: str | Actor = "district", base: Any = None, **more: Any) -> Outcome:
        """`problem.act`, with a note and a photo that is here, unless told otherwise."""
        args = {"note": "说明（示例）", **more}
        if action == "report_fixed" and "photos" not in args:
            args["photos"] = [self.photo()]
        op = args.pop("op", None)
        return self.do("problem.act", ent, who, base, op, action=action, **args)

    def photo(self, is_here: bool = True) -> str:
        """The name of a new photo; its bytes are in custody, or on their way."""
        sha = sha_of(new_id())
        if is_here:
            self.arrive(sha)
        return sha

    def arrive(self, sha: str) -> None:
        """The bytes of a photo are whole."""
        submit("photo.receive", {"size": 10, "mime": "image/jpeg"}, SYSTEM, self.now, ent=("photo", sha))

    def place(self) -> tuple[str, str]:
        """A school and an item of its checklist that nothing has been found at."""
        return next(self._places)

    def hazard(self, who: str = "inspector", **more: Any) -> str:
        """A new problem at a school of the district, raised and assigned by rule; its id."""
        site, item = self.place()
        args = {"site_id": site, "item": item, "programme": "campus-perimeter", "template_version": 1,
                "remark": "门前积水", **more}  # fmt: skip
        finding = new_id()
        done = self.do("problem.report", finding, who, kind="finding", **args)
        assert done.status == "applied", done
        return f"p-{finding}:{args['item']}"

    def row(self, ent: str) -> dict[str, Any]:
        """A problem's columns."""
        with snapshot() as session:
            found = queries.get(session, SYSTEM, ent)
            assert found is not None, ent
            return record.row_of(found)

    def lines(self, ent: str) -> list[Any]:
        """Its history, oldest first."""
        with snapshot() as session:
            found = queries.history(session, SYSTEM, ent)
            session.expunge_all()
            return found

    def conflicts(self, ent: str) -> list[Conflict]:
        """What edits of it were put aside."""
        with snapshot() as session:
            found = [c for c in queries.conflicts(session, SYSTEM, None, None, 500) if c.ent_id == ent]
            session.expunge_all()
            return found

    def seen(self, ent: str) -> dict[str, int]:
        """The base of somebody who looks at a problem now."""
        return {"ver": self.row(ent)["ver"]}

    def put(self, ent: str, **columns: Any) -> None:
        """Set columns past every door: a state to begin a test from."""

        def work(session: Any) -> None:
            held = queries.hold(session, SYSTEM, ent)
            for name, value in columns.items():
                setattr(held, name, value)

        rows.run(work)


__all__ = ["PEOPLE", "Ground", "new_id", "opened"]
