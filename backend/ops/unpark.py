"""Jobs that try ops in custody again once their cause may be gone: a release, a grant, a target, a predecessor.

Each is idempotent: what still cannot be carried out stays as it was; what was carried out meanwhile is passed over.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.errors import Problem
from backend.ops import custody, queries
from backend.ops.apply import submit

log = structlog.get_logger(__name__)
OF_RELEASE = ("unknown_type", "schema_too_new", "handler_error")  # a newer server may understand them
OF_GRANT = ("scope_lost", "forbidden", "target_missing")
OF_TARGET = ("target_deleted", "target_missing")
PATIENCE_DAYS = 14


def after_release(payload: Mapping[str, Any], now: datetime) -> None:
    """A new version of the server or of a pack: what it did not understand is tried again."""
    with snapshot() as session:
        held = queries.held_ids(session, OF_RELEASE)
    _retry(held, now)


def after_grant(payload: Mapping[str, Any], now: datetime) -> None:
    """`user_ids` may do more, or elsewhere: their ops that were refused for it are tried again."""
    for user_id in payload["user_ids"]:
        with snapshot() as session:
            held = queries.held_ids(session, OF_GRANT, user_id)
        _retry(held, now)


def after_restore(payload: Mapping[str, Any], now: datetime) -> None:
    """An entity (`ent`: type, id) is there (again): ops about it are tried again."""
    with snapshot() as session:
        held = queries.held_about(session, (payload["ent"][0], payload["ent"][1]), OF_TARGET)
    _retry(held, now)


def release(payload: Mapping[str, Any], now: datetime) -> None:
    """P31: `op_id` is carried out: who waited for it is tried again."""
    with snapshot() as session:
        waiting = custody.waiting_for(session, payload["op_id"])
    _retry(waiting, now)


def look_again(now: datetime) -> None:
    """Once at the start of a server (and daily): a release may understand what the one before it did not."""
    after_release({}, now)


def give_up(now: datetime) -> int:
    """P31: an op whose predecessor has not come for PATIENCE_DAYS is handed to a person (`parked`); how many."""
    with snapshot() as session:
        late = queries.blocked_since(session, now - timedelta(days=PATIENCE_DAYS))
    for name in late:
        submit("op.hand_over", {}, SYSTEM, now, ent=("op", name))
    return len(late)


def _retry(names: Iterable[str], now: datetime) -> None:
    for name in names:
        try:
            submit("op.retry", {}, SYSTEM, now, ent=("op", name))
        except Problem as refusal:
            if refusal.code in ("overloaded", "internal"):
                raise
            log.info("still_held", op=name, code=refusal.code)
