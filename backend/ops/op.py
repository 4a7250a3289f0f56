"""One op as the server holds it, and its outcome. No database, no decisions."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from backend.database import to_ms
from sync_protocol.clock import Estimate, exact
from sync_protocol.envelope import Framed


@dataclass(slots=True)
class Op:
    """An op from a device or a desk. `body` is the text its author wrote; `fp` its SHA-256 (P3); `args` are
    as sent until the verb's schema has loaded them."""

    id: str
    verb: str
    v: int
    actor_id: str
    ent_type: str
    ent_id: str
    args: Mapping[str, Any]
    body: str
    fp: str
    received_at: datetime
    recorded: Estimate
    base: Mapping[str, Any] | None = None
    blobs: list[dict[str, Any]] = field(default_factory=list)
    at: Mapping[str, Any] = field(default_factory=dict)
    replica: str | None = None
    seq: int | None = None
    custodian: str | None = None
    fault: tuple[str, str] | None = None  # (reason, detail) found while reading the body
    deps: Sequence[str] = ()
    txn: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of an op. `clock` is known when its transaction closes."""

    op_id: str
    status: str
    reason: str | None = None
    detail: str | None = None
    flags: tuple[str, ...] = ()
    clock: int = 0
    ver: int | None = None
    is_dup: bool = False
    seq: int | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    waits_for: tuple[str, ...] = ()


def framed_op(framed: Framed, actor_id: str, custodian: str | None, replica: str | None, now: datetime) -> Op:
    """An op off the wire (or out of custody), received `now` from `custodian`; its author is `actor_id` if it names none."""
    fault = ("invalid", framed.fault) if framed.fault else None
    return Op(
        framed.id, framed.verb, framed.v, framed.actor or actor_id, *framed.ent, framed.args, framed.body, framed.fp,
        now, framed.recorded or exact(to_ms(now)), framed.base, [dict(b) for b in framed.blobs], framed.at, replica, framed.seq, custodian, fault,
        framed.deps, framed.txn,
    )  # fmt: skip


def touched(framed: Framed) -> list[str]:
    """What an op may change, by name: locked before anything is read, so that a photo that arrives meanwhile waits."""
    photos = [f"photo:{blob.get('sha256')}" for blob in framed.blobs]
    return [f"{framed.ent[0]}:{framed.ent[1]}", str(framed.args.get("site_id", "")), *photos]


def desk_op(
    op_id: str, verb: str, args: Mapping[str, Any], actor_id: str, ent: tuple[str, str], now: datetime,
    base: Mapping[str, Any] | None = None,
) -> Op:  # fmt: skip
    """An op made at a desk (console, command line, the server itself): its body is written here, once."""
    text = orjson.dumps(
        {"op": op_id, "verb": verb, "v": 1, "actor": actor_id, "ent": {"t": ent[0], "id": ent[1]}, "base": base,
         "args": args, "at": {"wall": now.isoformat()}}
    ).decode()  # fmt: skip
    fp = hashlib.sha256(text.encode()).hexdigest()
    return Op(op_id, verb, 1, actor_id, ent[0], ent[1], args, text, fp, now, exact(to_ms(now)), base=base)
