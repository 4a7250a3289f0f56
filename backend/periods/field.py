"""What a publication says of devices, asked of the rooms that know them (they stand above: the wiring registers them). No tables."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from sqlalchemy.orm import Session

Silence = Callable[[Session, datetime], Mapping[str, Any]]
Recorded = Callable[[Session, Sequence[str]], Mapping[str, datetime]]
Bringers = Callable[[Session, Sequence[str]], Mapping[str, Mapping[str, Any]]]


def register(app: Flask, silence: Silence, bringers: Bringers, recorded: Recorded) -> None:
    """`silence`: totals and silent devices at a time; `bringers`: op id → the replica and person that brought it; `recorded`:
    op id → when it was made, where that rests on the server's clock."""
    app.extensions["periods_field"] = {"silence": silence, "bringers": bringers, "recorded": recorded}


def silence(session: Session, now: datetime) -> Mapping[str, Any] | None:
    """Which devices are silent and what they are known to hold; None where nobody watches them (a bare server)."""
    asked = current_app.extensions.get("periods_field")
    return asked["silence"](session, now) if asked else None


def bringers(session: Session, op_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """By which replica and person each op came; what is not known is left out."""
    asked = current_app.extensions.get("periods_field")
    return asked["bringers"](session, op_ids) if asked and op_ids else {}


def recorded(session: Session, op_ids: Sequence[str]) -> Mapping[str, datetime]:
    """When each op was made, where that is known well enough; the others are left out."""
    asked = current_app.extensions.get("periods_field")
    return asked["recorded"](session, op_ids) if asked and op_ids else {}
