"""The inbox, subscriptions and dead letters over HTTP. Load → may they → do → dump; no decisions."""

from typing import Any

from flask import Blueprint

from backend import incoming
from backend.access.guard import reader, require, web_actor
from backend.database import snapshot, to_ms, transaction
from backend.errors import NotFound, Problem
from backend.notices import inbox, outbox, queries, webhooks
from backend.notices.schemas import DeadOut, NoticeOut, Read, WebhookOut
from backend.now import now_utc
from backend.shapes import Nothing

notices_bp = Blueprint("notices", __name__, url_prefix="/v1")


@notices_bp.get("/webhooks")
def webhook_list() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "webhook.subscribe")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    with snapshot() as session:
        found = webhooks.of_owner(session, actor)
        given_up = outbox.dead(session, [each.id for each in found])
        return {"webhooks": WebhookOut(many=True).dump(found), "dead": DeadOut(many=True).dump(given_up)}


@notices_bp.post("/webhooks/<webhook_id>/secret")
def webhook_secret(webhook_id: str) -> dict[str, Any]:
    actor = web_actor()
    require(actor, "webhook.subscribe")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    incoming.require_json()
    incoming.loaded(Nothing())
    with transaction() as session:
        secret = webhooks.renew(session, actor, webhook_id, now_utc())
    if secret is None:
        raise NotFound()
    return {"secret": secret}


@notices_bp.post("/deliveries/<delivery_id>/redeliver")
def redeliver(delivery_id: str) -> dict[str, Any]:
    actor = web_actor()
    require(actor, "webhook.subscribe")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    incoming.require_json()
    incoming.loaded(Nothing())
    with transaction() as session:
        mine = [each.id for each in webhooks.of_owner(session, actor) if each.ended_at is None]
        if delivery_id not in {row.id for row in outbox.dead(session, mine)}:
            raise NotFound()
        return {"redelivered": outbox.redeliver(session, delivery_id, now_utc())}


_SHOWN = {"unread": True, "all": False}


@notices_bp.get("/inbox")
def inbox_page() -> dict[str, Any]:
    actor = reader("inbox.read")
    asked = incoming.parameters("show", "after", "limit")
    after, limit = inbox_position(asked.get("after")), incoming.limit(asked.get("limit"), 50, 500)
    is_unread = _SHOWN[incoming.one_of("show", asked.get("show", "all"), _SHOWN)]
    with snapshot() as session:
        found = queries.page(session, actor, is_unread, after, limit)
        last = f"{to_ms(found[-1].at)}:{found[-1].id}" if len(found) == limit else None
        return {"notices": NoticeOut(many=True).dump(found), "unread": queries.unread(session, actor), "next": last}


@notices_bp.post("/inbox/read")
def mark_read() -> dict[str, Any]:
    actor = web_actor()
    require(actor, "inbox.read")
    incoming.parameters()
    incoming.choose(incoming.JSON)
    incoming.require_json()
    asked = incoming.loaded(Read())
    with transaction() as session:
        done = inbox.mark_read(session, actor, asked["ids"], asked["until"], now_utc())
    with snapshot() as session:
        return {"read": done, "unread": queries.unread(session, actor)}


def inbox_position(text: str | None) -> Any:
    """Where the next page of an inbox begins. Raises Problem bad_cursor."""
    found = incoming.moment(text)
    if found is not None and not (found[1].isascii() and found[1].isdigit() and len(found[1]) < 10):
        raise Problem("bad_cursor")
    return found
