"""Beginning a new epoch, once, whoever notices first. When it is time for one is decided elsewhere (P62,
P63)."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM
from backend.database import clock, lock, transaction
from backend.ops.apply import apply
from backend.ops.op import desk_op

log = structlog.get_logger(__name__)


def begin(reason: str, detail: Mapping[str, Any], now: datetime, is_still_so: Callable[[Session], bool]) -> str | None:
    """A new epoch if `is_still_so` inside the transaction; its name, or None where somebody was faster.

    Two server processes that notice the same thing at once begin one epoch: the second looks when the first
    is done.
    """
    epoch = str(uuid.uuid4())
    with transaction() as session:
        lock(session, ["server:epoch"])
        if not is_still_so(session):
            return None
        args = {"epoch": epoch, "clock": clock(session), "reason": reason, "detail": dict(detail)}
        op = desk_op(str(uuid.uuid4()), "epoch.begin", args, SYSTEM.id, ("server", epoch), now)
        (outcome,) = apply(session, [op], SYSTEM, now)
        if outcome.status != "applied":
            raise RuntimeError(f"no new epoch: {outcome.reason} {outcome.detail}")
    log.warning("epoch_began", epoch=epoch, reason=reason, **detail)
    return epoch
