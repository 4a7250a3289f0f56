"""A device that has seen more of this history than the server has (P62). Only what the server itself has
signed is proof."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, Actor
from backend.database import clock, snapshot
from backend.errors import Problem
from backend.feed.log import meta
from backend.ops import epochs
from sync_protocol.cursor import BadCursor, decode

log = structlog.get_logger(__name__)


class Ahead(Exception):
    """A cursor of ours, of this epoch, stands past our clock: the server has gone back in time unnoticed."""

    def __init__(self, epoch: str, seen_clock: int) -> None:
        super().__init__(f"a cursor of {epoch} stands at {seen_clock}")
        self.epoch, self.seen_clock = epoch, seen_clock


def check(epoch: str, since: Mapping[str, tuple[int, int]], now_clock: int) -> None:
    """Raises Ahead where positions that this server signed in `epoch` stand past its clock."""
    furthest = max((at for at, _ in since.values()), default=0)
    if furthest > now_clock:
        raise Ahead(epoch, furthest)


def heed(cursor: Any, actor: Actor, key: bytes, now: datetime) -> None:
    """The cursor that a device shows when it registers anew: if it is proof, a new epoch begins. Else
    nothing happens."""
    try:
        shown = decode(str(cursor or ""), key)
    except BadCursor:
        return
    with snapshot() as session:
        server, at = meta(session, SYSTEM).epoch, clock(session)
    if shown.epoch == server:
        try:
            check(server, shown.since, at)
        except Ahead as ahead:
            begin(ahead, actor, now)


def begin(ahead: Ahead, actor: Actor, now: datetime) -> Problem:
    """Begin a new epoch on that proof, unless somebody has; returns what the device is told."""

    def is_still_so(session: Session) -> bool:
        return meta(session, SYSTEM).epoch == ahead.epoch and clock(session) < ahead.seen_clock

    detail = {"seen_clock": ahead.seen_clock, "device": actor.device_id or "", "epoch_was": ahead.epoch}
    epochs.begin("cursor_ahead", detail, now, is_still_so)
    with snapshot() as session:
        return Problem("epoch_changed", extra={"epoch": meta(session, SYSTEM).epoch})
