"""The feed's tables: latest state per bucket and entity, horizons, the server's epochs. No payloads."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import Base, Key, UtcDateTime


class FeedRow(Base):
    """Entity `id` of `type` is (or is no longer) in `bucket`; position (clock, sub) of its last change."""

    __tablename__ = "feed_rows"
    bucket: Mapped[str] = mapped_column(String(100), primary_key=True)
    type: Mapped[str] = mapped_column(String(24), primary_key=True)
    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    clock: Mapped[int] = mapped_column(BigInteger)
    sub: Mapped[int] = mapped_column(Integer)
    is_member: Mapped[bool] = mapped_column(Boolean)
    ver: Mapped[int] = mapped_column(Integer)
    h: Mapped[int] = mapped_column(
        BigInteger, default=0, server_default="0"
    )  # weight in the bucket's check (P43), with a sign
    __table_args__ = (Index("ix_feed_rows_position", "bucket", "clock", "sub", "type", "is_member", "h"),)


class FeedHorizon(Base):
    """Removals of `bucket` before this clock are forgotten: an older cursor must start again."""

    __tablename__ = "feed_horizons"
    bucket: Mapped[str] = mapped_column(String(100), primary_key=True)
    clock: Mapped[int] = mapped_column(BigInteger)


class ServerMeta(Scoped, Base):
    """One row: which history this is (epoch) and up to where it is in a verified backup."""

    __tablename__ = "server_meta"
    __scope__ = PUBLIC
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[str] = mapped_column(Key)
    durable_clock: Mapped[int] = mapped_column(BigInteger, default=0)


class Epoch(Scoped, Base):
    """A history this database has lived in, the present one last: where each began, and why (P21, P63).

    An epoch that is not in here is one this database knows nothing of: it is older than whoever names it.
    """

    __tablename__ = "epochs"
    __scope__ = PUBLIC
    epoch: Mapped[str] = mapped_column(Key, primary_key=True)
    n: Mapped[int] = mapped_column(Integer, unique=True)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    clock: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(24))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
