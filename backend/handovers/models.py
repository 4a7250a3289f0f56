"""A handover and the problems in it. No queries."""

from datetime import date, datetime

from sqlalchemy import Boolean, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Handover(Scoped, Base):
    """One slip: who gives what to whom until when. The scope is the receiver's; its issuer sees it too (queries.py)."""

    __tablename__ = "handovers"
    __scope__ = Scope(area="area_path", department="department_id")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str | None] = mapped_column(Key)
    from_path: Mapped[str] = mapped_column(AreaPath)
    from_department: Mapped[str | None] = mapped_column(Key)
    of_type: Mapped[str | None] = mapped_column(String(8))
    of_id: Mapped[str | None] = mapped_column(Key)
    state: Mapped[str] = mapped_column(String(12), default="issued")
    is_open: Mapped[bool] = mapped_column(Boolean, default=True)
    due_on: Mapped[date] = mapped_column(Date)
    demand: Mapped[str] = mapped_column(Text, default="")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[str] = mapped_column(Key)
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_by: Mapped[str | None] = mapped_column(Key)
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # limits are judged by it
    first_reply_op: Mapped[str | None] = mapped_column(Key)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(Key)
    closing_note: Mapped[str] = mapped_column(Text, default="")
    ver: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (
        UniqueConstraint("year", "n"),
        Index("ix_handovers_open", "is_open", "due_on", "id"),
        Index("ix_handovers_of", "of_type", "of_id"),
    )


class HandoverItem(Scoped, Base):
    """One problem in a handover, what was answered about it and whether that holds.

    `open_key` is the problem while its handover is open: so a problem is in one open handover at most.
    """

    __tablename__ = "handover_items"
    __scope__ = Scope(area="area_path", department="department_id")
    handover_id: Mapped[str] = mapped_column(Key, primary_key=True)
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str | None] = mapped_column(Key)
    open_key: Mapped[str | None] = mapped_column(AreaPath, unique=True)
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    result: Mapped[str | None] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text, default="")
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replied_by: Mapped[str | None] = mapped_column(Key)
    judged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    judged_by: Mapped[str | None] = mapped_column(Key)
    judgement: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (Index("ix_handover_items_problem", "problem_id"),)
