"""Taking in the bytes of a photo: fenced against older writers, on disk before the offset moves, whole by the hash alone.

Never HTTP's headers (uploads.py), never whether a file is a picture, never how an upload is given up (giving_up.py).
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import current_app, request
from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected

from backend.access.scope import SYSTEM, Actor
from backend.bulk import insert_many
from backend.database import snapshot, transaction
from backend.errors import NotFound, Problem
from backend.faults import passing
from backend.now import now_utc
from backend.ops.apply import submit
from backend.photos import pipeline
from backend.photos.models import Upload
from backend.photos.store import BLOCK, PhotoStore
from backend.plain import plain
from backend.sync.tus import Checksum
from backend.trouble import problem_of

PIECE = 4096
KEEP_S = 1.0
IDLE = timedelta(days=30)  # an upload that nobody goes on with for so long is forgotten; the phone still has its photo
_UPLOADS: Table = Upload.__table__  # type: ignore[assignment]
_IS_IT = _UPLOADS.c.id == bindparam("upload")
_OWN = select(Upload).where(_IS_IT, _UPLOADS.c.owner_id == bindparam("owner"))
_AT = plain(select(_UPLOADS.c.offset).where(_IS_IT))
_GENERATION = plain(select(_UPLOADS.c.lock_generation).where(_IS_IT))
# asked and taken in one statement, so that of two writers at one place the offset never goes back
_TAKE = plain(
    update(_UPLOADS).where(_IS_IT, _UPLOADS.c.offset == bindparam("at"), _UPLOADS.c.done_at.is_(None))
    .values(lock_generation=_UPLOADS.c.lock_generation + 1).returning(_UPLOADS.c.lock_generation)
)  # fmt: skip
_MOVE = plain(
    update(_UPLOADS).where(_IS_IT, _UPLOADS.c.lock_generation == bindparam("generation"))
    .values(offset=bindparam("at"), expires_at=bindparam("until")).returning(_UPLOADS.c.id)
)  # fmt: skip
_END = plain(update(_UPLOADS).where(_IS_IT).values(done_at=bindparam("now")))


def receive(
    upload_id: str, actor: Actor, offset: int, now: datetime, sum_of: Checksum | None = None, known: int = 0
) -> Upload:
    """Append the request's bytes at `offset`, but for the first `known` of them, which are here; returns the upload as it stands
    then. What arrived of a cut body is kept, unless a checksum (`sum_of`) was announced for the whole of it. Nothing, at the end
    of an upload that is whole, is taken: so asks a client whose last answer was lost (P92).

    Raises Problem offset_conflict, locked, checksum_mismatch, too_large, storage_full, overloaded.
    """
    found, store = own(upload_id, actor), pipeline.store()
    if offset == found.offset == found.size and not any(_pieces(0)):
        _require_so(sum_of, offset)
        return found
    generation, at, full = _fence(upload_id, offset), offset, None
    moved_s = time.monotonic()
    try:
        for block in _blocks(found.size - at, known, sum_of):
            _hold(upload_id, generation)
            store.append(upload_id, at, block)
            passing("upload.written")
            at += len(block)
            if sum_of is None and time.monotonic() - moved_s > KEEP_S:
                _keep(store, upload_id, generation, at)
                moved_s = time.monotonic()
    except OSError as trouble:  # the disk's: a line that is cut ends the blocks instead
        full = trouble
    if sum_of is None or (full is None and sum_of.is_so()):
        _keep(store, upload_id, generation, at)
    if full is not None:
        raise problem_of(full) or full
    _require_so(sum_of, offset)
    if at == found.size:
        _finish(found, store, now)
    elif is_draining():
        raise Problem("overloaded", "the server is stopping; what arrived is kept", retry_after_s=5)
    found.offset, found.expires_at = at, now_utc() + IDLE
    return found


def _require_so(sum_of: Checksum | None, offset: int) -> None:
    if sum_of is not None and not sum_of.is_so():
        raise Problem("checksum_mismatch", f"these bytes do not hash to Upload-Checksum; the upload is at {offset}")


def require_room(store: PhotoStore, size: int) -> None:
    """Raises Problem storage_full where so many bytes more would leave less free than the server keeps."""
    if store.free_bytes() < current_app.extensions["config"].min_free_bytes + size:
        raise Problem("storage_full", retry_after_s=600)


def take_whole(actor: Actor, data: bytes, now: datetime) -> str:
    """A photo that came in one piece, with a form of a desk: kept as an upload of its sender; returns its SHA-256. Twice is once.

    Raises Problem too_large, storage_full, overloaded.
    """
    config, store, sha = current_app.extensions["config"], pipeline.store(), hashlib.sha256(data).hexdigest()
    if len(data) > config.max_photo_bytes:
        raise Problem("too_large", f"at most {config.max_photo_bytes} bytes")
    require_room(store, len(data))
    found = create(actor, {"sha256": sha, "size": len(data), "mime": None}, now)
    if found.done_at is None and found.offset < found.size:
        generation = _fence(found.id, found.offset)
        store.append(found.id, found.offset, data[found.offset :])
        _keep(store, found.id, generation, found.size)
        _finish(found, store, now)
    return sha


def _keep(store: PhotoStore, upload_id: str, generation: int, at: int) -> None:
    """Bytes to the disk, then the offset. On a slow line every KEEP_S seconds: a phone that gives up and comes again
    must find what it has sent, or one whose patience is shorter than its photo would never be done."""
    store.sync(upload_id)
    passing("upload.synced")
    _move(upload_id, generation, at)
    passing("upload.moved")


def _blocks(left: int, known: int, sum_of: Checksum | None) -> Iterator[bytes]:
    """The request's body after its first `known` bytes, until it ends or the line is cut. Raises Problem too_large past `left`
    bytes."""
    block, begun_s = bytearray(), time.monotonic()
    for whole in _pieces(left):
        if sum_of is not None:
            sum_of.seen.update(whole)
        piece, known = whole[known:], max(known - len(whole), 0)
        block += piece
        left -= len(piece)
        if left < 0:
            raise Problem("too_large", "more bytes than Upload-Length")
        if len(block) >= BLOCK or time.monotonic() - begun_s > KEEP_S:
            yield bytes(block)
            block.clear()
            begun_s = time.monotonic()
    if block:
        yield bytes(block)


def _pieces(left: int) -> Iterator[bytes]:
    """The body as it comes, in small pieces: of one that a cut or a stall breaks off, nothing is had."""
    while not is_draining():
        try:
            piece = request.stream.read(PIECE)
        except (OSError, ClientDisconnected) as cut:
            current_app.logger.info("upload_cut: of %d bytes: %r", left, cut)
            return
        if not piece:
            return
        yield piece


def _fence(upload_id: str, offset: int) -> int:
    """Take the upload over at `offset`: an older writer, stalled on a dead line, no longer moves anything.

    Raises Problem offset_conflict.
    """
    with transaction() as session:
        generation = session.execute(_TAKE, {"upload": upload_id, "at": offset}).scalar()
        at = offset if generation is not None else session.execute(_AT, {"upload": upload_id}).scalar()
    if generation is None:
        extra = {"headers": {"Upload-Offset": str(at)}}
        raise Problem("offset_conflict", f"the upload is at {at}", extra=extra)
    return int(generation)


def _hold(upload_id: str, generation: int) -> None:
    """Raises Problem locked where a newer writer has come, NotFound where the upload was given up."""
    with snapshot() as session:
        now_at = session.execute(_GENERATION, {"upload": upload_id}).scalar()
    if now_at is None:
        raise NotFound("the upload was given up")
    if now_at != generation:
        raise Problem("locked", "another request has taken this upload over")


def _move(upload_id: str, generation: int, offset: int) -> None:
    with transaction() as session:
        until = now_utc() + IDLE
        moved = session.execute(_MOVE, {"upload": upload_id, "generation": generation, "at": offset, "until": until})
        if moved.scalar() is None:
            raise Problem("locked", "another request has taken this upload over")


def _finish(found: Upload, store: PhotoStore, now: datetime) -> None:
    if not store.finish(found.id, found.sha256):
        _put_back(found.id, None, 0)
        raise Problem("checksum_mismatch", "the whole file does not hash to its sha256; send it again")
    facts = pipeline.look(store.path(found.sha256))

    def end(session: Session) -> None:
        session.execute(_END, {"upload": found.id, "now": now})
        passing("photo.received")

    submit("photo.receive", facts, SYSTEM, now, ent=("photo", found.sha256), beside=end)
    passing("photo.done")


def _put_back(upload_id: str, generation: int | None, offset: int) -> None:
    """Say that only `offset` bytes are here; with a `generation`, only if nobody has written since then."""
    values = {"offset": offset, "done_at": None, "lock_generation": Upload.lock_generation + 1}
    where = [Upload.id == upload_id]
    where += [] if generation is None else [Upload.lock_generation == generation]
    with transaction() as session:
        session.execute(update(Upload).where(*where).values(values))


def create(actor: Actor, facts: dict[str, Any], now: datetime) -> Upload:
    """The upload of this person's photo, the same at every try (P29). `facts`: sha256, size, mime."""
    name = f"{actor.id}\0{facts['sha256']}\0{facts['size']}".encode()
    upload_id = hmac.digest(current_app.extensions["config"].secret_key.encode(), name, hashlib.sha256).hex()[:40]
    row = {
        **facts,
        "id": upload_id,
        "owner_id": actor.id,
        "offset": 0,
        "lock_generation": secrets.randbelow(1 << 30),  # or a writer of one that was given up could pass for this one's
        "created_at": now,
        "expires_at": now + IDLE,
    }
    with transaction() as session:
        insert_many(session.connection(), _UPLOADS, [row], "DO NOTHING")
    passing("upload.created")
    if facts["size"] == 0:  # nothing will follow: it is whole at once
        pipeline.store().append(upload_id, 0, b"")
    return own(upload_id, actor)


def own(upload_id: str, actor: Actor) -> Upload:
    """The actor's upload as the disk knows it. Raises NotFound; Problem checksum_mismatch."""
    found, store = _read(upload_id, actor), pipeline.store()
    if found.done_at is None and found.offset == found.size:
        _finish(found, store, now_utc())  # killed between the last byte and its acknowledgement
        return found
    is_done = found.done_at is not None
    on_disk = store.size_of(found.sha256) if is_done else store.size(upload_id)
    if on_disk >= found.offset:
        return found
    # The disk is older than the database (restored, or cut by a power loss): what is gone must be sent again.
    _put_back(upload_id, found.lock_generation, 0 if is_done else on_disk)
    return _read(upload_id, actor)


def _read(upload_id: str, actor: Actor) -> Upload:
    with snapshot() as session:
        found = session.execute(_OWN, {"upload": upload_id, "owner": actor.id}).scalar_one_or_none()
        if found is None:
            raise NotFound("no such upload")
        session.expunge(found)
        return found


def finish_whole(now: datetime) -> int:
    """Finish uploads whose last byte came and whose phone did not come again (the server was killed); how many."""
    with snapshot() as session:
        whole = select(Upload).where(Upload.done_at.is_(None), Upload.offset == Upload.size)
        found = list(session.scalars(whole.limit(100)))
        session.expunge_all()
    for upload in found:
        try:
            _finish(upload, pipeline.store(), now)
        except Problem as problem:  # its bytes are not its name's: it stands at 0 now, as its phone will see
            current_app.logger.warning("upload_not_whole: %s: %s", upload.id, problem.code)
    return len(found)


def is_draining() -> bool:
    """Whether the server is about to stop."""
    return bool(current_app.extensions.get("draining"))
