"""Who holds which post on a day, kept in memory per version of the roster. Reads only; a change makes a new version."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible
from backend.accounts.models import Holding, Post, RosterVersion
from backend.plain import plain

Place = tuple[str, str | None, str]  # layer, area or site, department
Found = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Roster:
    """All posts by place and their terms. Immutable; shared by all threads (3,600 posts: 2 MB)."""

    key: tuple[str, int]
    posts: Mapping[Place, tuple[str, str]]
    terms: Mapping[str, Sequence[tuple[date, date | None, str]]]

    def holder(self, place: Place, on: date) -> Found:
        """(post id, title, person) of a place on a day; person None: vacant; all None: there is no such post."""
        post = self.posts.get(place)
        if post is None:
            return None, None, None
        person = next((p for first, last, p in self.terms.get(post[0], ()) if first <= on <= (last or on)), None)
        return *post, person


_lock = threading.Lock()
_kept: list[Roster] = []


def holders_of(session: Session, links: Sequence[Mapping[str, Any]], on: date) -> list[Found]:
    """(post id, title, person) for each link of a chain on a day, a day in the city."""
    known = _roster(session)
    return [known.holder((k["layer"], k.get("site_id") or k["area_id"], k["department_id"]), on) for k in links]


def key(session: Session) -> tuple[str, int]:
    """What is kept in memory per version of the roster is kept under this."""
    return _roster(session).key


_VERSION = plain(visible(RosterVersion, SYSTEM).with_only_columns(RosterVersion.v))


def _roster(session: Session) -> Roster:
    if "roster" in session.info:
        found: Roster = session.info["roster"]
        return found
    version = session.execute(_VERSION).first()
    key = (str(session.get_bind().engine.url), version.v if version else 0)
    with _lock:
        if not _kept or _kept[0].key != key:
            _kept[:] = [_build(session, key)]
        session.info["roster"] = _kept[0]
        return _kept[0]


def _build(session: Session, key: tuple[str, int]) -> Roster:
    posts = {
        (p.layer, p.site_id or p.area_id, p.department_id or ""): (p.id, p.title_zh)
        for p in session.scalars(visible(Post, SYSTEM).order_by(Post.id))
    }
    terms: dict[str, list[tuple[date, date | None, str]]] = {}
    for held in session.scalars(visible(Holding, SYSTEM).order_by(Holding.from_on.desc())):
        terms.setdefault(held.post_id, []).append((held.from_on, held.to_on, held.person))
    return Roster(key, posts, terms)
