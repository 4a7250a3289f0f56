"""What a handler gives back: which entities changed for whom, and which events follow. No behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sync_protocol.clock import Estimate


@dataclass(frozen=True, slots=True)
class Changed:
    """One entity that devices must hear of: it is now in `buckets`, no longer in `left`."""

    type: str
    id: str
    ver: int
    buckets: tuple[str, ...]
    left: tuple[str, ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened (past tense); `ops/reactions.py` says what follows."""

    name: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class Effect:
    """Outcome of one handler. `status` and `flags` are those of PROTOCOL.md; `summary` goes into the journal."""

    status: str = "applied"
    flags: tuple[str, ...] = ()
    ver: int | None = None
    changes: list[Changed] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    again: "Again | None" = None
    settles: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Again:
    """Ops in custody that are to be carried out now: (id of the kept op, the op to carry out) each, as `actor`.

    `status` is what the kept op then is (None: what it comes to). `is_trusted`: who repairs it was asked already.
    `restore` names an entity (type, id) that is brought back first.
    """

    ops: "tuple[tuple[str, Any], ...]"
    actor: Any
    status: str | None = None
    note: str | None = None
    is_trusted: bool = False
    restore: tuple[str, str] | None = None


class OpLike(Protocol):
    """What a handler may read of the op it carries out. `args` are loaded by the verb's schema."""

    id: str
    verb: str
    v: int
    actor_id: str
    ent_type: str
    ent_id: str
    base: Mapping[str, Any] | None
    args: Mapping[str, Any]
    blobs: list[dict[str, Any]]
    at: Mapping[str, Any]
    replica: str | None
    received_at: datetime
    recorded: Estimate
