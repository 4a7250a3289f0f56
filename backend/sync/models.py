"""Replicas, and pushes that could not be read. No queries."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import Base, Key, UtcDateTime


class Replica(Scoped, Base):
    """One app installation's log: where it stands, and what it last said of itself."""

    __tablename__ = "replicas"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    device_id: Mapped[str] = mapped_column(Key, index=True)
    user_id: Mapped[str] = mapped_column(Key)
    install_id: Mapped[str] = mapped_column(String(80))
    nonce: Mapped[str] = mapped_column(String(80))
    next_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    head: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(10), default="active")
    outbox_len: Mapped[int] = mapped_column(Integer, default=0)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_pull_clock: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("install_id", "nonce"),)


class UnreadablePush(Base):
    """A push whose frame could not be read: kept for inspection, never thrown away."""

    __tablename__ = "unreadable_pushes"
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[str | None] = mapped_column(Key)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(200))
    body: Mapped[bytes] = mapped_column(LargeBinary)
