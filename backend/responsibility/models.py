"""Who answers for a problem, layer by layer, and why. No queries."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Responsibility(Scoped, Base):
    """One link of a problem's chain. A vacant post is a gap (责任空白), shown, never skipped."""

    __tablename__ = "responsibilities"
    __scope__ = Scope(area="area_path")
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    layer: Mapped[str] = mapped_column(String(12), primary_key=True)
    department_id: Mapped[str] = mapped_column(Key, primary_key=True, default="")
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    area_id: Mapped[str | None] = mapped_column(Key)
    post_id: Mapped[str | None] = mapped_column(Key)
    title: Mapped[str | None] = mapped_column(String(120))
    holder: Mapped[str | None] = mapped_column(String(80))
    is_lead: Mapped[bool] = mapped_column(Boolean, default=False)
    is_gap: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_responsibilities_post", "post_id"),)


class FormerLink(Scoped, Base):
    """A link as it was until `to_at` (that instant not included): who answered then. Never changed but for the place."""

    __tablename__ = "former_links"
    __scope__ = Scope(area="area_path")
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    problem_id: Mapped[str] = mapped_column(AreaPath)
    layer: Mapped[str] = mapped_column(String(12))
    department_id: Mapped[str] = mapped_column(Key, default="")
    area_path: Mapped[str] = mapped_column(AreaPath)
    area_id: Mapped[str | None] = mapped_column(Key)
    post_id: Mapped[str | None] = mapped_column(Key)
    title: Mapped[str | None] = mapped_column(String(120))
    holder: Mapped[str | None] = mapped_column(String(80))
    is_lead: Mapped[bool] = mapped_column(Boolean, default=False)
    is_gap: Mapped[bool] = mapped_column(Boolean, default=False)
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
    to_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_former_links_problem", "problem_id", "since_at"),)


class PostHandover(Scoped, Base):
    """What went over when a post's holder changed (交接清单): `problems` as canonical JSON with its SHA-256, never changed."""

    __tablename__ = "post_handovers"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    post_id: Mapped[str] = mapped_column(Key, index=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    title: Mapped[str] = mapped_column(String(120))
    from_person: Mapped[str | None] = mapped_column(String(400))
    to_person: Mapped[str | None] = mapped_column(String(80))
    to_user: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(Integer)
    overdue: Mapped[int] = mapped_column(Integer)
    problems: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str | None] = mapped_column(Key)
    __table_args__ = (Index("ix_post_handovers_waiting", "accepted_at", "at", "id"),)


class DutyVersion(Scoped, Base):
    """One version of a duty rule, published beside those of the packs; from `valid_from` on it takes the earlier one's place."""

    __tablename__ = "duty_versions"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    programme: Mapped[str | None] = mapped_column(Key)
    match: Mapped[dict[str, Any]] = mapped_column(JSON)
    lead: Mapped[str] = mapped_column(Key)
    supporting: Mapped[list[str]] = mapped_column(JSON)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str] = mapped_column(Key)
