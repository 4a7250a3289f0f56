"""Reads of photos and their references; each begins with who asks."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor, visible
from backend.photos.models import Photo, PhotoRef
from backend.plain import plain

HERE = (
    "verified",
    "corrupt",
)  # the bytes are in custody; whether they are a good picture is another question


def verified(session: Session, actor: Actor, shas: Sequence[str]) -> set[str]:
    """Those of these photos whose bytes are here."""
    statement = (
        visible(Photo, actor).with_only_columns(Photo.sha256).where(Photo.sha256.in_(shas), Photo.state.in_(HERE))
    )
    return set(session.scalars(statement))


def state_of(session: Session, actor: Actor, sha256: str) -> dict[str, Any] | None:
    """{sha256, state} of one photo, or None where nobody has named it yet."""
    return states_of(session, actor, [sha256]).get(sha256)


def states_of(session: Session, actor: Actor, shas: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The same for many."""
    found = session.execute(_states(actor), {"shas": list(shas)})
    return {row.sha256: dict(row._mapping) for row in found}


# Made once for who asks (the system, wherever photos come and are named): to make one costs as much as to run it.
@lru_cache(maxsize=16)
def _states(actor: Actor) -> Any:
    columns = (Photo.sha256, Photo.state)
    named = Photo.sha256.in_(bindparam("shas", expanding=True))
    return plain(visible(Photo, actor).with_only_columns(*columns).where(named))


@lru_cache(maxsize=16)
def _refs(actor: Actor) -> Any:
    columns = (PhotoRef.ent_type, PhotoRef.ent_id, PhotoRef.item)
    return plain(visible(PhotoRef, actor).with_only_columns(*columns).where(PhotoRef.sha256 == bindparam("sha")))


@lru_cache(maxsize=16)
def _awaited(actor: Actor) -> Any:
    columns = (PhotoRef.sha256, PhotoRef.ent_type, PhotoRef.ent_id, PhotoRef.item)
    refs = visible(PhotoRef, actor).with_only_columns(*columns).outerjoin(Photo, Photo.sha256 == PhotoRef.sha256)
    of_these = PhotoRef.ent_id.in_(bindparam("ents", expanding=True))
    return plain(refs.where(of_these, func.coalesce(Photo.state, "").not_in(HERE)))


def exif_of(session: Session, actor: Actor, shas: Sequence[str]) -> list[dict[str, Any]]:
    """EXIF of those of these photos that are here, in the order given."""
    columns = (Photo.sha256, Photo.exif)
    statement = visible(Photo, actor).with_only_columns(*columns)
    found = session.execute(statement.where(Photo.sha256.in_(shas), Photo.state.in_(HERE)))
    by_sha = {row.sha256: row.exif for row in found if row.exif}
    return [by_sha[sha] for sha in shas if sha in by_sha]


def get(session: Session, sha256: str) -> Photo | None:
    """One photo's row (no right to see it is implied: see `may_see`)."""
    return session.scalars(visible(Photo, SYSTEM).where(Photo.sha256 == sha256)).first()


def may_see(session: Session, actor: Actor, sha256: str) -> bool:
    """Whether something the actor sees refers to this photo."""
    return session.scalars(visible(PhotoRef, actor).where(PhotoRef.sha256 == sha256).limit(1)).first() is not None


def refs_of(session: Session, actor: Actor, sha256: str) -> list[tuple[str, str, str]]:
    """(entity type, entity id, item) of everything that refers to a photo."""
    found = session.execute(_refs(actor), {"sha": sha256})
    return sorted({(kind, ent, item) for kind, ent, item in found})


def findings_of(session: Session, actor: Actor, sha256: str) -> list[str]:
    """Ids of the findings that show a photo."""
    refs = refs_of(session, actor, sha256)
    return [
        ent if kind == "finding" else f"{ent}:{item.partition('/')[0]}"
        for kind, ent, item in refs
        if kind in ("finding", "inspection")
    ]


def missing(session: Session, actor: Actor, ent_type: str, ent_id: str) -> int:
    """How many photos of an entity are not here yet."""
    return len(_missing(session, actor, [(ent_type, ent_id, None)]))


def missing_of_findings(session: Session, actor: Actor, finding_ids: Sequence[str], problem_id: str) -> set[str]:
    """The photos of a problem (its findings' and its own) that are not here yet."""
    wanted: list[tuple[str, str, str | None]] = [("problem", problem_id, None)]
    for finding in finding_ids:
        owner, _, item = finding.rpartition(":")
        wanted += [("finding", finding, None), ("inspection", owner, item), ("inspection", owner, f"{item}/fixed")]
    return _missing(session, actor, wanted)


def _missing(session: Session, actor: Actor, wanted: Sequence[tuple[str, str, str | None]]) -> set[str]:
    keys = set(wanted)
    found = session.execute(_awaited(actor), {"ents": [ent for _, ent, _ in wanted]})
    return {sha for sha, kind, ent, item in found if (kind, ent, None) in keys or (kind, ent, item) in keys}


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """Number of photos by state."""
    statement = visible(Photo, actor).with_only_columns(Photo.state, func.count()).group_by(Photo.state)
    return {row[0]: row[1] for row in session.execute(statement)}


def underived(session: Session, actor: Actor) -> int:
    """Photos whose derivatives are still to be made."""
    statement = (
        visible(Photo, actor)
        .with_only_columns(func.count())
        .where(Photo.state == "verified", Photo.derived_at.is_(None))
    )
    return session.execute(statement).scalar_one()
