"""Telling supervisors of devices that have fallen silent, once for each silence. Twice is once; nothing is decided by it."""

from datetime import datetime

from flask import current_app
from sqlalchemy.orm import Session

from backend import rows
from backend.access.scope import SYSTEM
from backend.database import snapshot
from backend.notices import queries as notices
from backend.notices.facts import leave
from backend.sweeps import queries as sweeps
from backend.sync import health

EVERY_S = 1800.0
MOST = 1000


def tell(now: datetime) -> int:
    """Leave a fact for each device that is silent by now and was not told of since it was last heard; returns how many."""
    silent_after_s = current_app.extensions["config"].silent_after_s
    with snapshot() as session:
        silent = health.board(session, SYSTEM, now, silent_after_s, "silent", MOST)["devices"]
        told = notices.told_at(session, SYSTEM, "device.silent", [row["device"] for row in silent])
        areas = {person.id: next(iter(person.areas), "") for person in sweeps.field_actors(session)} if silent else {}
    new = [
        row
        for row in silent
        if areas.get(
            row["person"]["id"]
        )  # of a person without an area nobody is told; the board (GET /v1/sync-health) has them
        and (row["device"] not in told or told[row["device"]] < datetime.fromisoformat(row["last_seen_at"]))
    ]
    if new:

        def write(session: Session) -> None:
            for row in new:
                who = row["person"]
                leave(
                    session,
                    "device.silent",
                    ("device", row["device"]),
                    "",
                    now,
                    areas[who["id"]],
                    device=who["name"],
                )

        rows.run(write)
    return len(new)


PERIODIC = ((EVERY_S, tell),)
