"""One page of the feed for one device, from one snapshot (PROTOCOL.md P14–P19, P40–P46)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from backend.access.scope import Actor
from backend.database import clock
from backend.errors import Problem
from backend.feed import log as feed
from backend.feed import pages
from backend.sync import bundles, entities, history, queries
from backend.sync.ask import Ask
from backend.sync.bundles import BundleStore
from backend.sync.scope import buckets
from sync_protocol import feed as rules
from sync_protocol import tables
from sync_protocol.bundle import Bundle
from sync_protocol.cursor import BadCursor, Cursor, decode, encode
from sync_protocol.limits import BUNDLES_SINCE, SCHEMA, TABLES_SINCE

log = structlog.get_logger(__name__)


def page(session: Session, ask: Ask, actor: Actor, key: bytes, store: BundleStore) -> dict[str, Any]:
    """The answer to POST /pull. Raises Problem cursor_invalid, epoch_changed; history.Ahead (P62)."""
    server, now = feed.meta(session, actor), clock(session)
    stood, scope = _stood(ask.cursor, server.epoch, key), buckets(session, actor)
    history.check(server.epoch, stood.since, now)
    horizons = pages.horizons(session, scope)
    taken, again = _taken(ask, server.epoch, key)
    for bucket, said in ask.mismatched.items():
        log.warning("bucket_mismatch", bucket=bucket[:100], device=actor.device_id, said=str(said)[:80])
    again |= {*_read_otherwise(session, stood, ask.schema), *ask.mismatched}
    plan = rules.plan(stood.since, scope, horizons, ask.resetting, again, taken)
    offers = _offers(session, plan, ask, Moment(server.epoch, now, key, horizons), store)
    since = {bucket: at for bucket, at in plan.since.items() if bucket not in offers}
    found = pages.page(session, since, ask.limit + 1)
    is_whole, found = len(found) <= ask.limit, found[: ask.limit]
    last = None if is_whole else (found[-1].clock, found[-1].sub)
    answer = {
        "epoch": server.epoch, "as_of": now, "complete": is_whole and not offers, **_rows(session, found, ask.schema),
        "drop": plan.drop, "reset": plan.reset, "acks": [ack(op) for op in queries.statuses(session, actor, ask.unacked)],
        "attention_count": queries.attention_count(session, actor), "durable_seq": server.durable_clock,
        "cursor": encode(server.epoch, rules.advance(since, last, now), ask.schema, key),
    }  # fmt: skip
    if offers:
        answer["bundles"] = list(offers.values())
    if answer["complete"]:
        answer["checks"] = pages.checks(session, server.epoch, scope, entities.known(ask.schema), horizons)
    return answer


def _taken(ask: Ask, epoch: str, key: bytes) -> tuple[dict[str, int], set[str]]:
    """P46: clocks of the bundles that the device has taken; buckets of which it took one that is no good now."""
    names = [name for text in ask.taken if (name := bundles.named(text, key)) and name.epoch == epoch]
    return {name.bucket: name.clock for name in names}, {n.bucket for n in names if n.schema != ask.schema}


@dataclass(frozen=True, slots=True)
class Moment:
    """The snapshot a page is made in."""

    epoch: str
    clock: int
    key: bytes
    horizons: Mapping[str, int]


def _offers(session: Session, plan: rules.Plan, ask: Ask, at: Moment, store: BundleStore) -> dict[str, dict[str, Any]]:
    """P46: a bundle for every bucket that is read from nothing, where there is one or one can be made now."""
    if not ask.accept_bundles or ask.schema < BUNDLES_SINCE:
        return {}
    found = {}
    for bucket, position in plan.since.items():
        if position == rules.START and bundles.is_shared(bucket):
            name = bundles.Name(at.epoch, bucket, at.clock, ask.schema)
            changed = partial(pages.changed, session, bucket)
            made = bundles.fitting(store, name, at.horizons.get(bucket, 0), changed, partial(_bundle, session, name))
            if made is not None:
                found[bucket] = bundles.offered(made, at.key)
    return found


def _bundle(session: Session, name: bundles.Name) -> Bundle | None:
    """All of a bucket in this snapshot; None where it is too small or too large to be worth a bundle."""
    found = pages.members(session, name.bucket, entities.known(name.schema), bundles.MAX_MEMBERS + 1)
    if not bundles.MIN_MEMBERS <= len(found) <= bundles.MAX_MEMBERS:
        return None
    rows = [row for row in _told(session, found, name.schema) if row["op"] == "put"]
    return Bundle(name.epoch, name.bucket, name.clock, name.schema, rows)


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
    return pages.holding(session, list(stood.since), entities.differing(stood.schema, schema))


def _rows(session: Session, found: Sequence[Any], schema: int) -> dict[str, Any]:
    rows = _told(session, found, schema)
    if schema < TABLES_SINCE:
        return {"rows": rows}
    rest, packed = tables.pack(rows)
    return {"rows": rest, "tables": packed}


def _told(session: Session, found: Sequence[Any], schema: int) -> list[dict[str, Any]]:
    """Rows of the feed as a device of `schema` gets them; those of types it does not know are left out (P42)."""
    known = frozenset(entities.known(schema))
    wanted: dict[str, list[str]] = {}
    for row in found:
        if row.is_member and row.type in known:
            wanted.setdefault(row.type, []).append(row.id)
    data = entities.load(session, wanted, schema)
    rows = []
    for row in found:
        common = {"b": row.bucket, "t": row.type, "id": row.id}
        payload = data.get((row.type, row.id)) if row.is_member else None
        if row.type not in known:
            continue
        if payload is None:
            rows.append({**common, "op": "remove"})
        else:
            rows.append({**common, "op": "put", "ver": row.ver, "data": payload})
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
        "to": (op.result or {}).get("to"),
    }
    return {k: v for k, v in said.items() if v is not None}
