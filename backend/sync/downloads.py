"""HTTP doors of bundles and digests: load → may they → do → dump. No decisions."""

from typing import Any

from flask import Blueprint, Response, current_app, request

from backend import incoming
from backend.access.guard import device_actor, require
from backend.access.scope import Actor
from backend.database import snapshot, transaction
from backend.errors import NotFound
from backend.feed.log import meta
from backend.now import now_utc
from backend.sync import bundles, digests, packing, schemas
from backend.sync.scope import buckets

downloads_bp = Blueprint("downloads", __name__, url_prefix="/sync/v1")
YEAR_S = 31_536_000


@downloads_bp.get("/bundles/<bundle_id>")
def bundle(bundle_id: str) -> Response:
    actor = device_actor()
    require(actor, "sync")
    name, coding = _readable(bundle_id, actor), packing.choose(packing.PREPARED, request.accept_encodings.quality)
    found = current_app.extensions["bundle_store"].read(name, coding)
    if found is None:
        raise NotFound("no such bundle")
    return _immutable(found[0], coding, found[1])


@downloads_bp.post("/digest")
def digest() -> dict[str, Any]:
    actor, now = device_actor(), now_utc()
    require(actor, "sync")
    asked = digests.Asked(**incoming.loaded(schemas.Digest()))
    with snapshot() as session:
        answer = digests.answer(session, asked, actor)
    if asked.report is not None:
        with transaction() as session:
            digests.keep(session, asked, actor, answer, now)
    return answer


def _readable(bundle_id: str, actor: Actor) -> bundles.Name:
    """P47: what this id names, if it is of this history and its bucket is the asker's now. Raises NotFound."""
    name = bundles.named(bundle_id, current_app.extensions["config"].secret_key.encode())
    with snapshot() as session:
        epoch, scope = meta(session, actor).epoch, buckets(session, actor)
    if name is None or name.epoch != epoch or name.bucket not in scope:
        raise NotFound("no such bundle")
    return name


def _immutable(data: bytes, coding: str, tag: str) -> Response:
    """One name is one thing for ever, but nobody else's; each coding of it has its own tag (RFC 9110 §8.8.3).

    Raises RequestedRangeNotSatisfiable.
    """
    answer = Response(data, mimetype="application/x-ndjson")
    answer.headers["Cache-Control"] = f"private, immutable, max-age={YEAR_S}"
    answer.headers["Vary"] = "Accept-Encoding"
    if coding != "identity":
        answer.headers["Content-Encoding"] = coding
    answer.set_etag(tag)
    answer.make_conditional(request, accept_ranges=True, complete_length=len(data))
    return answer
