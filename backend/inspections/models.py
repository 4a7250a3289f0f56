"""Inspections as they were submitted. No queries, no verdicts."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Integer
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Inspection(Scoped, Base):
    """One checklist answered at one site. Times of the device are claims, `received_at` is ours (late-sync fairness)."""

    __tablename__ = "inspections"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    op_id: Mapped[str] = mapped_column(Key)
    task_id: Mapped[str | None] = mapped_column(AreaPath)
    site_id: Mapped[str] = mapped_column(Key, index=True)
    programme: Mapped[str] = mapped_column(Key)
    template_version: Mapped[int] = mapped_column(Integer)
    team_id: Mapped[str | None] = mapped_column(Key)
    inspector_id: Mapped[str] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fix: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    answers: Mapped[dict[str, str]] = mapped_column(JSON)
    remarks: Mapped[dict[str, str]] = mapped_column(JSON)
    values: Mapped[dict[str, float]] = mapped_column(JSON)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    missing_photos: Mapped[int] = mapped_column(Integer, default=0)
    ver: Mapped[int] = mapped_column(Integer, default=1)
