"""Draws and what was seen. A draw is never written again; an item gets its result once. No queries."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Sample(Scoped, Base):
    """One draw. `content`: what is published (canonical JSON, rules.published); `clock`: the record that it was drawn from."""

    __tablename__ = "samples"
    __scope__ = PUBLIC
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    node: Mapped[str] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath)
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date] = mapped_column(Date)
    seed: Mapped[str] = mapped_column(String(128))
    percent: Mapped[int] = mapped_column(Integer)
    population: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    clock: Mapped[int] = mapped_column(BigInteger)
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime)
    drawn_by: Mapped[str] = mapped_column(Key)


class SampleItem(Scoped, Base):
    """One problem that was drawn, who looks at it, and what they saw."""

    __tablename__ = "sample_items"
    __scope__ = Scope(area="area_path", department="department_id")
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    stratum: Mapped[str] = mapped_column(String(80))
    inspector_id: Mapped[str | None] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath)
    district_id: Mapped[str | None] = mapped_column(Key)
    site_id: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    result: Mapped[str | None] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text, default="")
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[str | None] = mapped_column(Key)
    seen_op: Mapped[str | None] = mapped_column(Key)
    __table_args__ = (Index("ix_sample_items_area", "area_path"), Index("ix_sample_items_problem", "problem_id"))
