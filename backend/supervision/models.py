"""Proceedings (程序) on a problem, and the sides of a transfer. No queries, no decisions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Proceeding(Scoped, Base):
    """One act that is opened by somebody and ended by somebody else, with a limit of its own. Named by the op that opened it.

    `said` is what was asked or ordered, `answer` what came of it. An application stands as long as its problem waits for it
    (`waits_id`): one that a step has overtaken is not ended by anybody. Seen by who sees the problem; a transfer by its sides.
    """

    __tablename__ = "proceedings"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    problem_id: Mapped[str] = mapped_column(AreaPath)
    area_path: Mapped[str] = mapped_column(AreaPath)
    status: Mapped[str] = mapped_column(String(12))
    opened_by: Mapped[str] = mapped_column(Key)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_on: Mapped[date | None] = mapped_column(Date)
    due_reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    said: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    received_by: Mapped[str | None] = mapped_column(Key)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(Key)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    ver: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (
        Index("ix_proceedings_problem", "problem_id", "opened_at"),
        Index("ix_proceedings_kind", "kind", "status", "due_on"),
    )


class TransferSide(Scoped, Base):
    """Who sent a transfer (`sent`) and who it was sent to (`received`): place and department. Decides who sees it."""

    __tablename__ = "transfer_sides"
    __scope__ = Scope(area="area_path", department="department_id")
    proceeding_id: Mapped[str] = mapped_column(Key, primary_key=True)
    box: Mapped[str] = mapped_column(String(8), primary_key=True)
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    department_id: Mapped[str | None] = mapped_column(Key)
