"""One page of the feed for one device, from one snapshot (PROTOCOL.md P14–P19)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.database import clock
from backend.errors import Problem
from backend.feed import log as feed
from backend.sync import entities, queries
from backend.sync.scope import buckets
from sync_protocol import feed as rules
from sync_protocol.cursor import BadCursor, decode, encode
from sync_protocol.limits import MAX_PAGE, MAX_UNACKED

SCHEMA = 1


def page(session: Session, request: Mapping[str, Any], actor: Actor, key: bytes) -> dict[str, Any]:
    """The answer to POST /pull. Raises Problem cursor_invalid, epoch_changed."""
    server, now = feed.meta(session, actor), clock(session)
    since = _since(request.get("cursor"), server.epoch, key)
    scope = buckets(session, actor)
    plan = rules.plan(since, scope, feed.horizons(session, scope), request.get("resetting") or [])
    limit = max(1, min(int(request.get("limit") or MAX_PAGE), MAX_PAGE))
    found = feed.page(session, plan.since, limit + 1)
    is_complete, found = len(found) <= limit, found[:limit]
    last = None if is_complete else (found[-1].clock, found[-1].sub)
    cursor = encode(server.epoch, rules.advance(plan.since, last, now), SCHEMA, key)
    unacked = [str(op) for op in (request.get("unacked") or [])[:MAX_UNACKED]]
    return {
        "epoch": server.epoch, "as_of": now, "complete": is_complete, "rows": _rows(session, actor, found),
        "drop": plan.drop, "reset": plan.reset, "acks": [ack(op) for op in queries.statuses(session, actor, unacked)],
        "attention_count": len(queries.attention(session, actor)), "durable_seq": server.durable_clock, "cursor": cursor,
    }  # fmt: skip


def _since(text: Any, epoch: str, key: bytes) -> dict[str, tuple[int, int]]:
    if not text:
        return {}
    try:
        made_in, since = decode(str(text), key)
    except BadCursor as fault:
        raise Problem("cursor_invalid", str(fault)) from fault
    if made_in != epoch:
        raise Problem("epoch_changed", extra={"epoch": epoch})
    return since


def _rows(session: Session, actor: Actor, found: Any) -> list[dict[str, Any]]:
    wanted: dict[str, list[str]] = {}
    for row in found:
        if row.is_member:
            wanted.setdefault(row.type, []).append(row.id)
    data = entities.load(session, actor, wanted)
    rows = []
    for row in found:
        common = {"b": row.bucket, "t": row.type, "id": row.id}
        payload = data.get((row.type, row.id)) if row.is_member else None
        rows.append(
            {**common, "op": "remove"}
            if payload is None
            else {**common, "op": "put", "ver": row.ver, "data": payload}
        )
    return rows


def ack(op: Any) -> dict[str, Any]:
    """How an op in custody is told of in pulls and status answers."""
    said = {
        "op": op.op_id,
        "status": op.status,
        "clock": op.clock,
        "reason": op.reason,
        "ver": op.ver,
        "detail": op.detail,
    }
    return {k: v for k, v in said.items() if v is not None}
