"""Documents over HTTP: lists, one, its PDF, and the public page that verifies a number. Load → may they → dump; no decisions."""

import hmac
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, make_response, render_template, request

from backend import incoming
from backend.access.guard import reader, require, web_actor
from backend.access.scope import SYSTEM
from backend.database import snapshot, to_ms
from backend.documents import queries, rendering
from backend.documents.kinds import KINDS
from backend.documents.models import Document
from backend.documents.schemas import DocumentOut
from backend.errors import NotFound

documents_bp = Blueprint("documents", __name__, template_folder="pages")
PDF = "application/pdf"


@documents_bp.get("/v1/documents")
def listed() -> dict[str, Any]:
    actor = reader("record.read")
    asked = incoming.parameters("problem", "kind", "after", "limit")
    after, limit = incoming.moment(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    with snapshot() as session:
        found = queries.page(session, actor, asked.get("problem"), _kind(asked.get("kind")), after, limit)
        last = f"{to_ms(found[-1].issued_at)}:{found[-1].number}" if len(found) == limit else None
        return {"documents": DocumentOut(many=True).dump(found), "next": last}


@documents_bp.get("/v1/documents/<number>.pdf")
def pdf(number: str) -> Response:
    found = _asked(number, PDF)
    folder = current_app.extensions["config"].data / "documents"
    made = rendering.printed(folder, found.facts, found.digest, found.issued_at)
    headers = {"Content-Disposition": f'inline; filename="{found.number}.pdf"', "Cache-Control": "private, no-cache"}
    return Response(made, mimetype=PDF, headers=headers)


@documents_bp.get("/v1/documents/<number>")
def document(number: str) -> dict[str, Any]:
    found = _asked(number, incoming.JSON)
    return {"document": DocumentOut().dump(found), "facts": orjson.loads(found.facts)}


@documents_bp.get("/verify/<number>")
def verify(number: str) -> Response:
    with snapshot() as session:
        found = queries.get(session, SYSTEM, number)
        is_so = found is not None and matches(found, request.args.get("d", ""))
        said = {"found": found, "kind": KINDS[found.kind]} if is_so and found else {"found": None}
        answer = make_response(render_template("verify.html", number=number[:40], **said), 200 if is_so else 404)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def matches(found: Document, given: str) -> bool:
    """Whether a digest, or as much of it as a QR code carries, is that of the document, and the document that of its digest."""
    whole = len(given) >= rendering.PREFIX and given.isascii()
    return whole and hmac.compare_digest(found.digest[: len(given)], given.lower()) and queries.is_intact(found)


def _asked(number: str, media_type: str) -> Document:
    """A document that the asker may see. Raises NotFound."""
    actor = web_actor()
    require(actor, "record.read")
    incoming.parameters()
    incoming.choose(media_type)
    with snapshot() as session:
        found = queries.get(session, actor, number)
        if found is None:
            raise NotFound()
        session.expunge(found)
        return found


def _kind(name: str | None) -> str | None:
    return None if name is None else incoming.one_of("kind", name, KINDS)
