"""The year, its orders, whom they are addressed to, the sweeps they hold. No queries."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Year(Scoped, Base):
    """A year that was closed; a year without a row is open."""

    __tablename__ = "years"
    __scope__ = PUBLIC
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_by: Mapped[str] = mapped_column(Key)
    note: Mapped[str] = mapped_column(Text, default="")


class YearOrder(Scoped, Base):
    """One of the year's orders (年初部署、半年督查、年底考评、专批交办). The scope is its issuer's; addressees see it too."""

    __tablename__ = "year_orders"
    __scope__ = Scope(area="from_path", department="from_department")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(160))
    content: Mapped[str] = mapped_column(Text)
    document: Mapped[str | None] = mapped_column(String(160))
    from_path: Mapped[str] = mapped_column(AreaPath)
    from_department: Mapped[str | None] = mapped_column(Key)
    due_on: Mapped[date] = mapped_column(Date)
    is_open: Mapped[bool] = mapped_column(Boolean, default=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[str] = mapped_column(Key)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(Key)
    closing_note: Mapped[str] = mapped_column(Text, default="")
    ver: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (UniqueConstraint("year", "n"), Index("ix_year_orders_open", "is_open", "due_on"))


class OrderAddressee(Scoped, Base):
    """An office that an order is addressed to, and everything it has replied, the newest last."""

    __tablename__ = "order_addressees"
    __scope__ = Scope(area="area_path", department="department_id")
    order_id: Mapped[str] = mapped_column(Key, primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str | None] = mapped_column(Key)
    replies: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    replied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OrderSweep(Scoped, Base):
    """A sweep that an order holds; a sweep is in one order at most."""

    __tablename__ = "order_sweeps"
    __scope__ = PUBLIC
    sweep_id: Mapped[str] = mapped_column(Key, primary_key=True)
    order_id: Mapped[str] = mapped_column(Key, index=True)


class SectorAct(Scoped, Base):
    """One step of a sector's loop (五步闭环) in one period, of one office; published, so everybody who signs in reads it."""

    __tablename__ = "sector_acts"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    sector: Mapped[str] = mapped_column(Key)
    period: Mapped[str] = mapped_column(String(8))
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str] = mapped_column(Key, default="")
    step: Mapped[str] = mapped_column(String(12))
    n: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    clock: Mapped[int] = mapped_column(BigInteger)
    follows: Mapped[str | None] = mapped_column(Key)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(Key)
    __table_args__ = (UniqueConstraint("period", "sector", "area_path", "department_id", "n"),)
