"""Webhooks: who subscribed gets each fact that they see as signed JSON (Standard Webhooks 1.0: id, timestamp, signature v1).

A secret is derived from the server's own, the subscription and how often it was renewed: it lies in no table and no backup.
For a day after a renewal, and while former secrets of the server are known, more than one signature is sent.
"""

import base64
import hashlib
import hmac
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import current_app
from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.access.roles import may
from backend.access.scope import SYSTEM, Actor, sees, visible
from backend.database import snapshot, transaction
from backend.notices import calling, outbox
from backend.notices.models import Outgoing, Webhook
from backend.notices.outbox import Outcome
from backend.notices.told import Told
from backend.problems import queries as problems
from backend.sweeps import queries as sweeps

OVERLAP = timedelta(days=1)
RETRY_AFTER_MOST_S = 3600.0


def secret(key: str, webhook_id: str, generation: int) -> bytes:
    """The 32 bytes that sign a subscription's messages."""
    return hmac.digest(key.encode(), f"webhook:{webhook_id}:{generation}".encode(), hashlib.sha256)


def told_secret(raw: bytes) -> str:
    """A secret as it is shown, once."""
    return "whsec_" + base64.b64encode(raw).decode()


def signature(raw: bytes, name: str, at_s: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of "id.timestamp.body" in base64."""
    return "v1," + base64.b64encode(hmac.digest(raw, f"{name}.{at_s}.".encode() + body, hashlib.sha256)).decode()


def headers(webhook: Webhook, name: str, body: bytes, now: datetime) -> dict[str, str]:
    """What a message is sent with; its id is the same at each try."""
    config, at_s = current_app.extensions["config"], int(now.timestamp())
    is_fresh = webhook.rotated_at is not None and webhook.generation > 1 and now - webhook.rotated_at < OVERLAP
    generations = [webhook.generation, *([webhook.generation - 1] if is_fresh else [])]
    keys = [secret(key, webhook.id, n) for key in (config.secret_key, *config.former_secrets) for n in generations]
    return {
        "Content-Type": "application/json", "User-Agent": "huyuan-webhooks/1", "webhook-id": name, "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signature(raw, name, at_s, body) for raw in keys),
    }  # fmt: skip


def active(session: Session) -> Sequence[Webhook]:
    """Subscriptions that are sent to: not ended, and somebody has taken their secret."""
    statement = visible(Webhook, SYSTEM).where(Webhook.ended_at.is_(None), Webhook.generation > 0)
    return session.scalars(statement.order_by(Webhook.id)).all()


def put(session: Session, lot: Sequence[Told], people: Sequence[Actor], now: datetime) -> None:
    """Each fact for each subscription that asked for it and whose owner sees it."""
    owners, rows = {person.id: person for person in people}, []
    for webhook in active(session):
        owner = owners.get(webhook.owner_id)
        wanted = [told for told in lot if told.kind in webhook.events and owner and told.is_seen_by(owner)]
        rows += [_row(webhook, told) for told in wanted]
    outbox.put(session, rows, now)


def _row(webhook: Webhook, told: Told) -> dict[str, Any]:
    """No text that a person wrote, no name, no photo: which, how grave, in which state, until when, where to look."""
    base = current_app.extensions["config"].public_url
    about = {"type": told.ent[0], "id": told.ent[1], "area": told.area_path, **told.data}
    about = {key: value for key, value in about.items() if key not in ("title", "device")}
    if told.problem_id:
        about |= {"problem": told.problem_id, "url": f"{base}/v1/problems/{told.problem_id}"}
    body = orjson.dumps({"type": told.kind, "timestamp": told.at.isoformat(), "data": about}).decode()
    scope = {"problem_id": told.problem_id, "area_path": told.area_path}
    return {
        "id": f"msg_{told.id}_{webhook.id}",
        "channel": "webhook",
        "target": webhook.id,
        "kind": told.kind,
        "body": body,
        "data": scope,
    }


def send_one(now: datetime, resolve: calling.Resolve = socket.getaddrinfo, tls: ssl.SSLContext | None = None) -> bool:
    """Send the next one that is due; False where none is."""
    row = outbox.claim("webhook", now)
    if row is None:
        return False
    found = _send(row, now, resolve, tls)
    with transaction() as session:
        outbox.settle(session, row, found, now)
        _keep_health(session, row.target, found, now)
    return True


def _send(row: Outgoing, now: datetime, resolve: calling.Resolve, tls: ssl.SSLContext | None) -> Outcome:
    with snapshot() as session:
        webhook = session.scalars(visible(Webhook, SYSTEM).where(Webhook.id == row.target)).first()
        if webhook is None or webhook.ended_at is not None or not is_still_seen(session, webhook.owner_id, row.data):
            return Outcome(is_withdrawn=True)
        session.expunge(webhook)
    body, inside = (row.body or "").encode(), current_app.extensions["config"].webhooks.inside
    try:
        status, retry_after = calling.post(
            webhook.url, body, headers(webhook, row.id, body, now), inside, resolve, tls=tls
        )
    except calling.NotCalled as fault:
        return Outcome(error=str(fault), is_final=fault.is_final)
    if 200 <= status < 300:
        return Outcome(is_sent=True, status=status)
    wait_s = (
        min(float(retry_after), RETRY_AFTER_MOST_S)
        if retry_after and retry_after.isascii() and retry_after.isdigit()
        else None
    )
    told = "a redirect, which is not followed" if 300 <= status < 400 else f"answered {status}"
    return Outcome(status=status, error=told, wait_s=wait_s, is_final=status == 410)


def is_still_seen(session: Session, owner_id: str, scope: Mapping[str, Any]) -> bool:
    """Whether the owner is still there, may still subscribe, and sees the subject as it lies now."""
    owner = sweeps.field_actor(session, owner_id)
    if owner is None or not may(owner.role, "webhook.subscribe"):
        return False
    if scope["problem_id"]:
        return scope["problem_id"] in problems.by_ids(session, owner, [scope["problem_id"]])
    return sees(owner, scope["area_path"], owner.department_id)


def _keep_health(session: Session, webhook_id: str, found: Outcome, now: datetime) -> None:
    """Since when a subscription fails; one success ends it."""
    if found.is_withdrawn:
        return
    changed = update(Webhook).where(Webhook.id == webhook_id)
    if found.is_sent:
        session.execute(changed.where(Webhook.failing_since.is_not(None)).values(failing_since=None))
    else:
        session.execute(changed.where(Webhook.failing_since.is_(None)).values(failing_since=now))


def failed_for(now: datetime, days: int) -> list[str]:
    """Ids of subscriptions that have failed for so long that somebody must look at them."""
    long_ago = now - timedelta(days=days)
    with snapshot() as session:
        statement = visible(Webhook, SYSTEM).where(Webhook.ended_at.is_(None), Webhook.failing_since < long_ago)
        return [webhook.id for webhook in session.scalars(statement.order_by(Webhook.id))]


def renew(session: Session, actor: Actor, webhook_id: str, now: datetime) -> str | None:
    """A new secret of one's own subscription, to be shown once; None where there is none. The one before it is good for a day."""
    mine = (Webhook.id == webhook_id, Webhook.owner_id == actor.id, Webhook.ended_at.is_(None))
    anew = (
        update(Webhook)
        .where(*mine)
        .values(generation=Webhook.generation + 1, rotated_at=now)
        .returning(Webhook.generation)
    )
    generation = session.execute(anew).scalar()
    if generation is None:
        return None
    return told_secret(secret(current_app.extensions["config"].secret_key, webhook_id, generation))


def of_owner(session: Session, actor: Actor) -> Sequence[Webhook]:
    """The actor's own subscriptions, the newest first; whoever keeps people and devices sees all."""
    statement = visible(Webhook, actor)
    if actor.role not in ("admin", "system"):
        statement = statement.where(Webhook.owner_id == actor.id)
    return session.scalars(statement.order_by(Webhook.created_at.desc(), Webhook.id)).all()
