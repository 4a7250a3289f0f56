"""The last resort: an opaque dump of a device's database, kept apart and never read here (PROTOCOL.md P89).

tus 1.0.0, named by SHA-256, resumed at the byte. Whoever holds a device's token may bring one, also a device that was
revoked and one whose person has left: what is on it may be all there is of a day's work. Nothing else is open to them.
"""

import hashlib
import hmac
from datetime import datetime

from flask import Blueprint, Response, current_app, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected

from backend.accounts import queries as accounts
from backend.accounts.models import Device
from backend.database import lock, snapshot, transaction
from backend.errors import NotFound, Problem
from backend.now import now_utc
from backend.photos.store import BLOCK, PhotoStore
from backend.sync import queries
from backend.sync.models import Rescue
from backend.sync.receiving import require_room
from backend.sync.tus import BYTES, TUS, named, require_version, whole_number

rescue_bp = Blueprint("rescue", __name__, url_prefix="/sync/v1")
MOST_BYTES = 50 * 1024 * 1024
MOST_OF_A_DEVICE = 8  # a device that brings more than this is not in need


@rescue_bp.before_request
def check_version() -> None:
    """tus: every request but OPTIONS names the version. Raises Problem tus_version."""
    if request.method != "OPTIONS":
        require_version()


@rescue_bp.post("/rescue")
def create() -> Response:
    device = bearer()
    facts = named(MOST_BYTES)
    require_room(store(), facts["size"])
    found = _create(device, facts["sha256"], facts["size"], now_utc())
    headers = {"Location": f"/sync/v1/rescue/{found.id}", "Upload-Offset": str(found.offset)}
    return Response(status=201, headers={**TUS, **headers})


@rescue_bp.route("/rescue/<rescue_id>", methods=["HEAD"])
def head(rescue_id: str) -> Response:
    found = _own(rescue_id, bearer())
    headers = {"Upload-Offset": str(found.offset), "Upload-Length": str(found.size)}
    return Response(status=200, headers={**TUS, **headers})


@rescue_bp.patch("/rescue/<rescue_id>")
def patch(rescue_id: str) -> Response:
    if request.mimetype != BYTES:
        raise Problem("bad_encoding", f"PATCH takes {BYTES}")
    offset = _receive(_own(rescue_id, bearer()), whole_number("Upload-Offset"), now_utc())
    return Response(status=204, headers={**TUS, "Upload-Offset": str(offset)})


def bearer() -> Device:
    """The device whose token this is, revoked or not. Raises Problem unauthenticated."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    with snapshot() as session:
        device = accounts.device_by_token(session, token) if kind.lower() == "bearer" else None
        if device is None:
            raise Problem("unauthenticated")
        session.expunge(device)
        return device


def store() -> PhotoStore:
    """Where dumps are: files by their SHA-256, apart from photos."""
    found: PhotoStore = current_app.extensions["rescue_store"]
    return found


def _create(device: Device, sha256: str, size: int, now: datetime) -> Rescue:
    """The same device, hash and size give the same resource (as P29). Raises Problem rate_limited."""
    name = f"rescue\0{device.id}\0{sha256}\0{size}".encode()
    rescue_id = hmac.digest(current_app.extensions["config"].secret_key.encode(), name, hashlib.sha256).hex()[:40]
    with transaction() as session:
        lock(session, [f"rescue:{device.id}"])
        there = queries.rescues_of(session, device.id)
        if rescue_id not in {r.id for r in there}:
            if len(there) >= MOST_OF_A_DEVICE:
                raise Problem("rate_limited", f"{len(there)} dumps of this device are here", retry_after_s=3600)
            kept = {"device_id": device.id, "user_id": device.user_id, "sha256": sha256, "size": size}
            session.add(Rescue(id=rescue_id, offset=0, created_at=now, **kept))
    if size == 0:
        store().append(rescue_id, 0, b"")
    return _own(rescue_id, device)


def _own(rescue_id: str, device: Device) -> Rescue:
    """The device's dump as the disk knows it. Raises NotFound, Problem checksum_mismatch."""
    found = _read(rescue_id, device)
    is_done = found.done_at is not None
    on_disk = store().size_of(found.sha256) if is_done else store().size(rescue_id)
    if on_disk < found.offset:  # the disk is older than the database: what is gone must be sent again
        _move(rescue_id, 0 if is_done else on_disk, None)
        return _read(rescue_id, device)
    if not is_done and found.offset == found.size:
        _finish(found, now_utc())  # killed between the last byte and its acknowledgement
    return found


def _read(rescue_id: str, device: Device) -> Rescue:
    with snapshot() as session:
        found = queries.rescue(session, rescue_id)
        if found is None or found.device_id != device.id:
            raise NotFound("no such dump")
        session.expunge(found)
        return found


def _receive(found: Rescue, offset: int, now: datetime) -> int:
    """Append the request's bytes; what arrived of a cut body is kept. Raises Problem offset_conflict, too_large."""
    with transaction() as session:
        here = _at(session, found.id)
        if here != offset or found.done_at is not None:
            extra = {"headers": {"Upload-Offset": str(here)}}
            raise Problem("offset_conflict", f"the upload is at {here}", extra=extra)
    at = offset
    while True:
        try:
            block = request.stream.read(min(BLOCK, found.size - at + 1))
        except (OSError, ClientDisconnected) as cut:
            current_app.logger.info("rescue_cut: %d of %d bytes: %r", at, found.size, cut)
            break
        if not block:
            break
        if at + len(block) > found.size:
            raise Problem("too_large", "more bytes than Upload-Length")
        store().append(found.id, at, block)
        at += len(block)
    store().sync(found.id)
    _move(found.id, at, None, offset)
    if at == found.size:
        _finish(found, now)
    return at


def _at(session: Session, rescue_id: str) -> int:
    found = queries.rescue(session, rescue_id, is_locked=True)
    return found.offset if found else -1


def _move(rescue_id: str, offset: int, done_at: datetime | None, expected: int | None = None) -> None:
    """Say how many bytes are here; of two writers of one dump the one that began elsewhere says nothing."""
    with transaction() as session:
        found = queries.rescue(session, rescue_id, is_locked=True)
        if found is not None and expected in (None, found.offset):
            found.offset, found.done_at = offset, done_at


def _finish(found: Rescue, now: datetime) -> None:
    if not store().finish(found.id, found.sha256):
        _move(found.id, 0, None)
        raise Problem("checksum_mismatch", "the dump does not hash to its sha256; send it again")
    _move(found.id, found.size, now)
