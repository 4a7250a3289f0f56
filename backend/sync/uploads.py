"""Photo uploads: tus 1.0.0 with deterministic ids, resumed at the byte, whole only when the SHA-256 agrees.

Bytes reach the disk before the offset moves; a mismatch starts again from nothing. Never here: whether a
file is a picture, or of what.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, request, send_file
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected

from backend import incoming
from backend.access.guard import device_actor, require, web_actor
from backend.access.scope import SYSTEM, Actor
from backend.database import snapshot, transaction
from backend.errors import Invalid, NotFound, Problem
from backend.faults import passing
from backend.feed.log import meta
from backend.ops.apply import now_utc, submit
from backend.photos import pipeline
from backend.photos import queries as photos
from backend.photos.models import Upload
from backend.photos.store import BLOCK, PhotoStore
from backend.shapes import is_sha256
from backend.sync.schemas import BlobsQuery
from backend.trouble import problem_of

uploads_bp = Blueprint("uploads", __name__, url_prefix="/sync/v1")
TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}


@uploads_bp.before_request
def check_version() -> None:
    """tus: every request but OPTIONS names the version. Raises Problem tus_version."""
    is_tus = request.endpoint in ("uploads.create", "uploads.head", "uploads.patch")
    version = request.headers.get("Tus-Resumable")
    if is_tus and version != "1.0.0":
        extra = {"headers": {"Tus-Version": "1.0.0"}}
        raise Problem("tus_version", f"Tus-Resumable is {version!r}, this server speaks 1.0.0", extra=extra)


@uploads_bp.route("/blobs", methods=["OPTIONS"])
def options() -> Response:
    headers = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation",
        "Tus-Max-Size": str(_config().max_photo_bytes),
    }
    return Response(status=204, headers={**TUS, **headers})


@uploads_bp.post("/blobs")
def create() -> Response:
    actor = device_actor()
    require(actor, "sync")
    facts = _facts()
    found = _create(actor, facts, now_utc())
    return Response(
        status=201,
        headers={**TUS, "Location": f"/sync/v1/blobs/{found.id}", "Upload-Offset": str(found.offset)},
    )


@uploads_bp.route("/blobs/<upload_id>", methods=["HEAD"])
def head(upload_id: str) -> Response:
    found = _own(upload_id, device_actor())
    return Response(
        status=200, headers={**TUS, "Upload-Offset": str(found.offset), "Upload-Length": str(found.size)}
    )


@uploads_bp.patch("/blobs/<upload_id>")
def patch(upload_id: str) -> Response:
    if request.mimetype != "application/offset+octet-stream":
        raise Problem("bad_encoding", "PATCH takes application/offset+octet-stream")
    actor = device_actor()
    offset = receive(upload_id, actor, _integer("Upload-Offset"), now_utc())
    return Response(status=204, headers={**TUS, "Upload-Offset": str(offset)})


@uploads_bp.post("/blobs/query")
def query() -> dict[str, Any]:
    actor, asked = device_actor(), incoming.loaded(BlobsQuery())
    with snapshot() as session:
        return _query(session, actor, [wanted["sha256"] for wanted in asked["want"]])


@uploads_bp.get("/photos/<sha256>")
def photo(sha256: str) -> Response:
    actor = web_actor()
    require(actor, "photo.view")
    width = incoming.parameters("w").get("w", "1280")
    if width not in ("320", "1280"):
        raise Invalid(errors=[{"pointer": "?w", "code": "invalid", "detail": "320 or 1280"}])
    with snapshot() as session:
        is_seen = is_sha256(sha256) and photos.may_see(session, actor, sha256)
    path = pipeline.store().derived(sha256) / f"{width}.jpg"
    if not is_seen or not path.exists():
        raise NotFound()
    answer = send_file(path, mimetype="image/jpeg", etag=f"{sha256}-{width}", conditional=True)
    answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer


def receive(upload_id: str, actor: Actor, offset: int, now: datetime) -> int:
    """Append the request's bytes at `offset`; returns the new offset. What arrived of a cut body is kept.

    Raises Problem offset_conflict, locked, checksum_mismatch, too_large, storage_full, overloaded.
    """
    found, store = _own(upload_id, actor), pipeline.store()
    generation, at, full = _fence(upload_id, offset), offset, None
    try:
        for block in _blocks(found.size - at):
            _hold(upload_id, generation)
            store.append(upload_id, at, block)
            passing("upload.written")
            at += len(block)
    except OSError as trouble:  # the disk's: a line that is cut ends the blocks instead
        full = trouble
    store.sync(upload_id)
    passing("upload.synced")
    _move(upload_id, generation, at)
    passing("upload.moved")
    if full is not None:
        raise problem_of(full) or full
    if at == found.size:
        _finish(found, store, now)
    elif is_draining():
        raise Problem("overloaded", "the server is stopping; what arrived is kept", retry_after_s=5)
    return at


def _blocks(left: int) -> Iterator[bytes]:
    """The request's body, until it ends or the line is cut. Raises Problem too_large past `left` bytes."""
    while not is_draining():
        try:
            block = request.stream.read(min(BLOCK, left + 1))
        except (OSError, ClientDisconnected) as cut:
            current_app.logger.info("upload_cut: %d bytes missing: %r", left, cut)
            return
        if not block:
            return
        left -= len(block)
        if left < 0:
            raise Problem("too_large", "more bytes than Upload-Length")
        yield block


def _fence(upload_id: str, offset: int) -> int:
    """Take the upload over at `offset`: an older writer, stalled on a dead line, no longer moves anything.

    Asked and taken in one statement, so that of two writers at one place the offset never goes back.
    Raises Problem offset_conflict.
    """
    with transaction() as session:
        here = (Upload.id == upload_id, Upload.offset == offset, Upload.done_at.is_(None))
        taken = update(Upload).where(*here).values(lock_generation=Upload.lock_generation + 1)
        generation = session.execute(taken.returning(Upload.lock_generation)).scalar()
        at = session.execute(select(Upload.offset).where(Upload.id == upload_id)).scalar()
    if generation is None:
        extra = {"headers": {"Upload-Offset": str(at)}}
        raise Problem("offset_conflict", f"the upload is at {at}", extra=extra)
    return int(generation)


def _hold(upload_id: str, generation: int) -> None:
    """Raises Problem locked where a newer writer has come."""
    with snapshot() as session:
        now_at = session.execute(select(Upload.lock_generation).where(Upload.id == upload_id)).scalar()
    if now_at != generation:
        raise Problem("locked", "another request has taken this upload over")


def _move(upload_id: str, generation: int, offset: int) -> None:
    with transaction() as session:
        where = (Upload.id == upload_id, Upload.lock_generation == generation)
        moved = update(Upload).where(*where).values(offset=offset).returning(Upload.id)
        if session.execute(moved).scalar() is None:
            raise Problem("locked", "another request has taken this upload over")


def _finish(found: Upload, store: PhotoStore, now: datetime) -> None:
    if not store.finish(found.id, found.sha256):
        _put_back(found.id, None, 0)
        raise Problem("checksum_mismatch", "the whole file does not hash to its sha256; send it again")
    facts = pipeline.look(store.path(found.sha256))
    submit("photo.receive", facts, SYSTEM, now, ent=("photo", found.sha256))
    passing("photo.received")
    with transaction() as session:
        session.execute(update(Upload).where(Upload.id == found.id).values(done_at=now))
    passing("photo.done")


def _put_back(upload_id: str, generation: int | None, offset: int) -> None:
    """Say that only `offset` bytes are here; with a `generation`, only if nobody has written since then."""
    values = {"offset": offset, "done_at": None, "lock_generation": Upload.lock_generation + 1}
    where = [Upload.id == upload_id]
    where += [] if generation is None else [Upload.lock_generation == generation]
    with transaction() as session:
        session.execute(update(Upload).where(*where).values(values))


def _create(actor: Actor, facts: dict[str, Any], now: datetime) -> Upload:
    name = f"{actor.id}\0{facts['sha256']}\0{facts['size']}".encode()
    upload_id = hmac.digest(_config().secret_key.encode(), name, hashlib.sha256).hex()[:40]
    row = {
        **facts,
        "id": upload_id,
        "owner_id": actor.id,
        "offset": 0,
        "lock_generation": 0,
        "created_at": now,
    }
    with transaction() as session:
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(dialect.insert(Upload).values(row).on_conflict_do_nothing())
    passing("upload.created")
    if facts["size"] == 0:  # nothing will follow: it is whole at once
        pipeline.store().append(upload_id, 0, b"")
    return _own(upload_id, actor)


def _own(upload_id: str, actor: Actor) -> Upload:
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
        where = (Upload.id == upload_id, Upload.owner_id == actor.id)
        found = session.execute(select(Upload).where(*where)).scalar_one_or_none()
        if found is None:
            raise NotFound("no such upload")
        session.expunge(found)
        return found


def _query(session: Session, actor: Actor, shas: list[str]) -> dict[str, Any]:
    own = select(Upload).where(Upload.owner_id == actor.id, Upload.sha256.in_(shas))
    mine = {u.sha256: u for u in session.scalars(own)}
    verified, store = photos.verified(session, actor, shas), pipeline.store()
    here = {
        sha
        for sha in verified
        if (sha in mine or photos.may_see(session, actor, sha)) and store.path(sha).exists()
    }
    partial = [
        {"sha256": s, "offset": u.offset, "url": f"/sync/v1/blobs/{u.id}"}
        for s, u in mine.items()
        if s not in here and u.done_at is None
    ]
    begun = {p["sha256"] for p in partial}
    need = [s for s in shas if s not in here and s not in begun]
    return {"epoch": meta(session, actor).epoch, "have": sorted(here), "partial": partial, "need": need}


def _facts() -> dict[str, Any]:
    size = _integer("Upload-Length")
    pairs = [pair.strip() for pair in request.headers.get("Upload-Metadata", "").split(",")]
    named = dict(pair.partition(" ")[::2] for pair in pairs if pair)
    try:
        read = {
            k: base64.b64decode(v, validate=True).decode()
            for k, v in named.items()
            if k in ("sha256", "mime")
        }
    except (binascii.Error, UnicodeDecodeError) as fault:
        raise Problem("invalid", "Upload-Metadata is not base64 of UTF-8") from fault
    sha = read.get("sha256", "").lower()
    if not is_sha256(sha):
        raise Problem("invalid", "Upload-Metadata needs sha256: 64 hexadecimal digits")
    if size > _config().max_photo_bytes:
        raise Problem("too_large", f"a photo has at most {_config().max_photo_bytes} bytes")
    if pipeline.store().free_bytes() < _config().min_free_bytes + size:
        raise Problem("storage_full", retry_after_s=600)
    return {"sha256": sha, "size": size, "mime": read.get("mime", "")[:40] or None}


def _integer(header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Problem("invalid", f"{header} is a non-negative integer")
    return int(text)


def finish_whole(now: datetime) -> int:
    """Finish uploads whose last byte came and whose phone did not come again (the server was killed); how many."""
    with snapshot() as session:
        whole = select(Upload).where(Upload.done_at.is_(None), Upload.offset == Upload.size)
        found = list(session.scalars(whole.limit(100)))
        session.expunge_all()
    for upload in found:
        try:
            _finish(upload, pipeline.store(), now)
        except (
            Problem
        ) as problem:  # its bytes are not what its name says: it stands at 0 now, for its phone to see
            current_app.logger.warning("upload_not_whole: %s: %s", upload.id, problem.code)
    return len(found)


def is_draining() -> bool:
    """Whether the server is about to stop."""
    return bool(current_app.extensions.get("draining"))


def _config() -> Any:
    return current_app.extensions["config"]
