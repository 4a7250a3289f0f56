"""Numbers that are given out one after the other: the last one of a series. Never what a number looks like."""

from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Session

from backend.access.scope import SYSTEM, visible


def last(session: Session, model: Any, *series: ColumnElement[bool]) -> int:
    """The greatest `n` of a model's rows in a series (whoever asks); 0 before the first. Whoever gives out the next locks first."""
    newest = visible(model, SYSTEM).with_only_columns(func.coalesce(func.max(model.n), 0)).where(*series)
    return int(session.execute(newest).scalar_one())
