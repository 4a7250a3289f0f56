"""What a device asks for in a pull, within this server's bounds. Shapes are read in schemas.py; no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import Problem
from sync_protocol.limits import MAX_PAGE, PROTO_MIN, SCHEMA, SCHEMA_MIN


@dataclass(frozen=True, slots=True)
class Ask:
    """A pull: where the device stands, what it waits for, what it can read."""

    cursor: str | None
    resetting: Mapping[str, int] | Sequence[str]
    unacked: Sequence[str]
    limit: int
    schema: int
    accept_bundles: bool
    taken: Sequence[str]
    mismatched: Mapping[str, Any]


def read(asked: Mapping[str, Any]) -> Ask:
    """What schemas.Pull read of the request, within this server's bounds. Raises Problem upgrade_required (P27)."""
    if asked["schema"] < SCHEMA_MIN or asked["proto"] < PROTO_MIN:
        raise Problem("upgrade_required", extra={"proto_min": PROTO_MIN, "schema_min": SCHEMA_MIN})
    return Ask(
        asked["cursor"] or None, asked["resetting"], asked["unacked"], min(asked["limit"], MAX_PAGE),
        min(asked["schema"], SCHEMA), asked["accept_bundles"], asked["taken"], asked["mismatched"],
    )  # fmt: skip
