"""One page of the feed for one device, from one snapshot (PROTOCOL.md P14–P19, P40–P42)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.database import clock
from backend.errors import Problem
from backend.feed import log as feed
from backend.sync import entities, queries
from backend.sync.scope import buckets
from sync_protocol import feed as rules
from sync_protocol import tables
from sync_protocol.cursor import BadCursor, Cursor, decode, encode
from sync_protocol.limits import MAX_PAGE, PROTO_MIN, SCHEMA, SCHEMA_MIN, TABLES_SINCE


@dataclass(frozen=True, slots=True)
class Ask:
    """What a device asks for."""

    cursor: str | None
    resetting: Mapping[str, int] | Sequence[str]
    unacked: Sequence[str]
    limit: int
    schema: int


def read(asked: Mapping[str, Any]) -> Ask:
    """What schemas.Pull read of the request, within this server's bounds. Raises Problem upgrade_required (P27)."""
    if asked["schema"] < SCHEMA_MIN or asked["proto"] < PROTO_MIN:
        raise Problem("upgrade_required", extra={"proto_min": PROTO_MIN, "schema_min": SCHEMA_MIN})
    limit, schema = min(asked["limit"], MAX_PAGE), min(asked["schema"], SCHEMA)
    return Ask(asked["cursor"] or None, asked["resetting"], asked["unacked"], limit, schema)


def page(session: Session, ask: Ask, actor: Actor, key: bytes) -> dict[str, Any]:
    """The answer to POST /pull. Raises Problem cursor_invalid, epoch_changed."""
    server, now = feed.meta(session, actor), clock(session)
    stood = _stood(ask.cursor, server.epoch, key)
    scope = buckets(session, actor)
    again = _read_otherwise(session, stood, ask.schema)
    plan = rules.plan(stood.since, scope, feed.horizons(session, scope), ask.resetting, again)
    found = feed.page(session, plan.since, ask.limit + 1, entities.known(ask.schema))
    is_complete, found = len(found) <= ask.limit, found[: ask.limit]
    last = None if is_complete else (found[-1].clock, found[-1].sub)
    cursor = encode(server.epoch, rules.advance(plan.since, last, now), ask.schema, key)
    return {
        "epoch": server.epoch, "as_of": now, "complete": is_complete, **_rows(session, actor, found, ask.schema),
        "drop": plan.drop, "reset": plan.reset, "acks": [ack(op) for op in queries.statuses(session, actor, ask.unacked)],
        "attention_count": len(queries.attention(session, actor)), "durable_seq": server.durable_clock, "cursor": cursor,
    }  # fmt: skip


def _stood(text: str | None, epoch: str, key: bytes) -> Cursor:
    if text is None:
        return Cursor(epoch, {}, SCHEMA)
    try:
        found = decode(text, key)
    except BadCursor as fault:
        raise Problem("cursor_invalid", str(fault)) from fault
    if found.epoch != epoch:
        raise Problem("epoch_changed", extra={"epoch": epoch})
    return found


def _read_otherwise(session: Session, stood: Cursor, schema: int) -> Sequence[str]:
    """P42: buckets that hold rows which the device has in the form of another schema."""
    if not stood.since or stood.schema == schema:
        return ()
    if stood.schema > SCHEMA:  # of a newer server than this one: nobody here knows what it told
        return list(stood.since)
    return feed.holding(session, list(stood.since), entities.differing(stood.schema, schema))


def _rows(session: Session, actor: Actor, found: Sequence[Any], schema: int) -> dict[str, Any]:
    wanted: dict[str, list[str]] = {}
    for row in found:
        if row.is_member:
            wanted.setdefault(row.type, []).append(row.id)
    data = entities.load(session, actor, wanted, schema)
    rows = []
    for row in found:
        common = {"b": row.bucket, "t": row.type, "id": row.id}
        payload = data.get((row.type, row.id)) if row.is_member else None
        rows.append(
            {**common, "op": "remove"}
            if payload is None
            else {**common, "op": "put", "ver": row.ver, "data": payload}
        )
    if schema < TABLES_SINCE:
        return {"rows": rows}
    rest, packed = tables.pack(rows)
    return {"rows": rest, "tables": packed}


def ack(op: Any) -> dict[str, Any]:
    """How an op in custody is told of in pulls and status answers."""
    said = {
        "op": op.op_id,
        "status": op.status,
        "clock": op.clock,
        "reason": op.reason,
        "ver": op.ver,
        "detail": op.detail,
        "to": (op.result or {}).get("to"),
    }
    return {k: v for k, v in said.items() if v is not None}
