"""Leaving a fact to be told, beside the change that made it. Who is told is decided later (fanout.py)."""

import os
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from backend import rows
from backend.database import to_ms
from backend.notices.models import NoticeFact
from sync_protocol.identity import uuid7


def leave(
    session: Session, kind: str, ent: tuple[str, str], by_id: str, now: datetime, area_path: str = "", **data: Any
) -> None:
    """One row in the transaction of its cause: many of them are written as one statement."""
    rows.add(session, NoticeFact, {
        "id": uuid7(to_ms(now), os.urandom(10)), "kind": kind, "ent_type": ent[0], "ent_id": ent[1], "area_path": area_path,
        "by_id": by_id, "at": now, "data": data,
    })  # fmt: skip
