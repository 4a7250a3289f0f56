"""A sweep (专项排查), its teams and tasks. No queries."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Sweep(Scoped, Base):
    __tablename__ = "sweeps"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    title: Mapped[str] = mapped_column(String(160))
    programmes: Mapped[list[str]] = mapped_column(JSON)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(12), default="open")
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(Key)
    closing: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    ver: Mapped[int] = mapped_column(Integer, default=1)


class Team(Scoped, Base):
    """People who sweep together, and the districts they sweep."""

    __tablename__ = "teams"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    sweep_id: Mapped[str] = mapped_column(Key, index=True)
    name: Mapped[str] = mapped_column(String(120))
    areas: Mapped[list[Any]] = mapped_column(JSON)
    members: Mapped[list[str]] = mapped_column(JSON)
    ver: Mapped[int] = mapped_column(Integer, default=1)


class Task(Scoped, Base):
    """One site to be inspected with one programme. The id says it all: it packs well on a thin line."""

    __tablename__ = "tasks"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    sweep_id: Mapped[str] = mapped_column(Key, index=True)
    site_id: Mapped[str] = mapped_column(Key, index=True)
    programme: Mapped[str] = mapped_column(Key)
    team_id: Mapped[str] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath)
    state: Mapped[str] = mapped_column(String(8), default="open")
    note: Mapped[str | None] = mapped_column(String(400))
    inspection_id: Mapped[str | None] = mapped_column(Key)
    ver: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (
        Index("ix_tasks_team_state", "team_id", "state"),
        Index("ix_tasks_area_state", "area_path", "state"),
    )
