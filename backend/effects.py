"""What a handler gives back: which entities changed for whom, and which events follow. No behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
