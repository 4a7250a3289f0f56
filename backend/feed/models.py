"""The feed's tables: latest state per bucket and entity, horizons, the server's epoch. No payloads."""

from sqlalchemy import BigInteger, Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import Base, Key


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
    __table_args__ = (Index("ix_feed_rows_position", "bucket", "clock", "sub"),)


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
