"""Reads of packs; each begins with who asks. A version is immutable, so it is built once per process."""

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.programmes.models import Programme
from backend.programmes.packs import Item, Pack, pack_from_body

_built: dict[tuple[Engine, str, int], Pack] = {}


def pack(session: Session, programme: str, version: int) -> Pack | None:
    """One version of one programme, or None where it is not installed."""
    key = (session.get_bind().engine, programme, version)
    if key not in _built:
        where = (Programme.programme == programme, Programme.version == version)
        row = session.scalars(visible(Programme, SYSTEM).where(*where)).first()
        if row is None:
            return None
        _built[key] = pack_from_body(row.body)
    return _built[key]


def item(session: Session, programme: str, version: int, code: str) -> Item:
    """One item of an installed version. Raises KeyError where there is none."""
    found = pack(session, programme, version)
    if found is None:
        raise KeyError(f"{programme} v{version}")
    return found.by_code[code]


def installed(session: Session, actor: Actor) -> Sequence[Programme]:
    """All versions of all programmes, by programme and version."""
    return session.scalars(visible(Programme, actor).order_by(Programme.programme, Programme.version)).all()


def newest(session: Session, actor: Actor) -> dict[str, Pack]:
    """The newest version of every programme."""
    found = {row.programme: row.version for row in installed(session, actor)}
    return {name: made for name, version in found.items() if (made := pack(session, name, version))}
