"""How an upload ends without its photo: given up by its phone (tus: termination), or forgotten because nobody went on with it
(tus: expiration). Never a photo that is whole: that is in custody, and no phone takes it back."""

from datetime import datetime

from sqlalchemy import delete, select

from backend.access.scope import Actor
from backend.database import snapshot, transaction
from backend.errors import NotFound, Problem
from backend.faults import passing
from backend.photos import pipeline
from backend.photos.models import Upload

AT_ONCE = 500
STRAY_AGE_S = 86_400.0  # a file under way that no upload names any more, or not yet


def end(upload_id: str, actor: Actor) -> None:
    """The actor's upload and what arrived of it are gone; a writer that is still at it is told so. Raises NotFound, Problem refused."""
    with transaction() as session:
        own = (Upload.id == upload_id, Upload.owner_id == actor.id)
        found = session.execute(select(Upload.done_at).where(*own).with_for_update()).first()
        if found is None:
            raise NotFound("no such upload")
        if found.done_at is not None:
            raise Problem("refused", "the photo is whole and in custody", extra={"reason": "guard_failed"})
        session.execute(delete(Upload).where(*own))
    passing("upload.given_up")
    pipeline.store().drop(upload_id)


def forget(now: datetime) -> int:
    """Uploads whose time is over, and files that no upload names; how many. May run twice, and beside writers: who has just
    written is asked again when its row is taken."""
    with snapshot() as session:
        over = select(Upload.id).where(Upload.done_at.is_(None), Upload.expires_at < now)
        ids = list(session.scalars(over.limit(AT_ONCE)))
    for upload_id in ids:
        with transaction() as session:
            still = (Upload.id == upload_id, Upload.done_at.is_(None), Upload.expires_at < now)
            gone = session.execute(delete(Upload).where(*still).returning(Upload.id)).first()
        if gone is not None:
            pipeline.store().drop(upload_id)
    return len(ids) + _strays(now)


def _strays(now: datetime) -> int:
    store, swept = pipeline.store(), 0
    old = store.under_way(now.timestamp() - STRAY_AGE_S)
    for n in range(0, len(old), AT_ONCE):
        lot = old[n : n + AT_ONCE]
        with snapshot() as session:
            named = set(session.scalars(select(Upload.id).where(Upload.id.in_(lot), Upload.done_at.is_(None))))
        for name in set(lot) - named:
            store.drop(name)
            swept += 1
    return swept
