"""Photo uploads: tus 1.0.0 with deterministic ids, resumed at the byte, whole only when the SHA-256 agrees.

Bytes reach the disk before the offset moves; a mismatch starts again from nothing. Never here: whether a
file is a picture, or of what.
"""

from typing import Any

from flask import Blueprint, Response, current_app, request, send_file
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backend import incoming
from backend.access.guard import device_actor, require, web_actor
from backend.access.scope import Actor
from backend.database import snapshot
from backend.errors import Invalid, NotFound, Problem
from backend.feed.log import meta
from backend.now import now_utc
from backend.photos import pipeline
from backend.photos import queries as photos
from backend.photos.models import Upload
from backend.shapes import is_sha256
from backend.sync import giving_up, receiving, tus
from backend.sync.schemas import BlobsQuery
from backend.sync.tus import TUS

uploads_bp = Blueprint("uploads", __name__, url_prefix="/sync/v1")
_TUS_DOORS = ("uploads.create", "uploads.head", "uploads.patch", "uploads.delete")
_OWN = select(Upload).where(Upload.owner_id == bindparam("owner"), Upload.sha256.in_(bindparam("shas", expanding=True)))


@uploads_bp.before_request
def check_version() -> None:
    """tus: every request but OPTIONS names the version. Raises Problem tus_version."""
    if request.endpoint in _TUS_DOORS and request.method != "OPTIONS":
        tus.require_version()


@uploads_bp.route("/blobs", methods=["OPTIONS"])
def options() -> Response:
    headers = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": ",".join(tus.EXTENSIONS),
        "Tus-Checksum-Algorithm": ",".join(tus.ALGORITHMS),
        "Tus-Max-Size": str(_config().max_photo_bytes),
    }
    return Response(status=204, headers={**TUS, **headers})


@uploads_bp.post("/blobs")
def create() -> Response:
    actor = device_actor()
    require(actor, "sync")
    found = receiving.create(actor, _facts(), now_utc())
    if (
        request.mimetype == tus.BYTES and found.done_at is None
    ):  # tus: creation-with-upload; what a lost try left here is skipped
        here = found.offset
        found = receiving.receive(found.id, actor, here, now_utc(), tus.checksum(), known=here)
    return Response(status=201, headers={**TUS, "Location": f"/sync/v1/blobs/{found.id}", **_stands(found)})


@uploads_bp.route("/blobs/<upload_id>", methods=["HEAD"])
def head(upload_id: str) -> Response:
    found = receiving.own(upload_id, device_actor())
    told = tus.metadata({"sha256": found.sha256, "mime": found.mime}) | {"Upload-Length": str(found.size)}
    return Response(status=200, headers={**TUS, **told, **_stands(found)})


@uploads_bp.patch("/blobs/<upload_id>")
def patch(upload_id: str) -> Response:
    if request.mimetype != tus.BYTES:
        raise Problem("bad_encoding", f"PATCH takes {tus.BYTES}")
    offset = tus.whole_number("Upload-Offset")
    found = receiving.receive(upload_id, device_actor(), offset, now_utc(), tus.checksum())
    return Response(status=204, headers={**TUS, **_stands(found)})


@uploads_bp.delete("/blobs/<upload_id>")
def delete(upload_id: str) -> Response:
    giving_up.end(upload_id, device_actor())
    return Response(status=204, headers=TUS)


@uploads_bp.post("/blobs/query")
def query() -> dict[str, Any]:
    actor, asked = device_actor(), incoming.loaded(BlobsQuery())
    with snapshot() as session:
        return _query(session, actor, asked["want"])


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


def _query(session: Session, actor: Actor, want: list[dict[str, Any]]) -> dict[str, Any]:
    """I21: a photo is here for whoever sent all of it, or sees what refers to it; a name alone tells nothing."""
    shas, sizes = [w["sha256"] for w in want], {w["sha256"]: w.get("size") for w in want}
    own = session.scalars(_OWN, {"owner": actor.id, "shas": shas})
    mine = {u.sha256: u for u in own if u.done_at or sizes[u.sha256] in (None, u.size)}
    store, sent = pipeline.store(), {sha for sha, upload in mine.items() if upload.done_at}
    verified = photos.verified(session, actor, shas)
    here = {s for s in verified if (s in sent or photos.may_see(session, actor, s)) and store.path(s).exists()}
    partial = [
        {"sha256": s, "offset": u.offset, "url": f"/sync/v1/blobs/{u.id}"}
        for s, u in mine.items()
        if s not in here and u.done_at is None
    ]
    begun = {p["sha256"] for p in partial}
    need = [s for s in shas if s not in here and s not in begun]
    return {"epoch": meta(session, actor).epoch, "have": sorted(here), "partial": partial, "need": need}


def _stands(found: Upload) -> dict[str, str]:
    """Where an upload stands, and until when it is kept if it is not whole."""
    lasting = tus.expires(found.expires_at) if found.offset < found.size else {}
    return {"Upload-Offset": str(found.offset), **lasting}


def _facts() -> dict[str, Any]:
    facts = tus.named(_config().max_photo_bytes)
    receiving.require_room(pipeline.store(), facts["size"])
    return facts


def _config() -> Any:
    return current_app.extensions["config"]
