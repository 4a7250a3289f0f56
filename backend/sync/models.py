"""Replicas, and pushes that could not be read. No queries."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import Base, Key, UtcDateTime


class Replica(Scoped, Base):
    """One app installation's log: where it stands, and what it last said of itself.

    `outbox_len`: ops that it still held when its last push had been taken in; `held_since`: since when it has held some.
    """

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
    held_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pushed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_pull_clock: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (UniqueConstraint("user_id", "install_id", "nonce"),)


class ReplicaStep(Base):
    """What moved a replica's head on without a row of its own in the op log: a duplicate (P8) or an incident (P10).

    With these the head can be computed again from what is in custody, gap by gap (I5).
    """

    __tablename__ = "replica_steps"
    replica: Mapped[str] = mapped_column(Key, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    op_id: Mapped[str] = mapped_column(Key)
    fp: Mapped[str] = mapped_column(String(64))


class DeviceContact(Scoped, Base):
    """When a device was last heard of, and how that went: bookkeeping for those who look after it (contacts.py).

    `failures`: {stage: {code, at_ms, count}}, `count` those in a row since the stage last went well. At most
    contacts.KEEP_S late; what a replica's push says of itself stands with the replica.
    """

    __tablename__ = "device_contacts"
    __scope__ = PUBLIC
    device_id: Mapped[str] = mapped_column(Key, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pulled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    complete_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    complete_clock: Mapped[int | None] = mapped_column(BigInteger)
    held: Mapped[int | None] = mapped_column(Integer)
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    proto: Mapped[int | None] = mapped_column(Integer)
    schema: Mapped[int | None] = mapped_column(Integer)
    failures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Divergence(Scoped, Base):
    """A bucket that held something else on a device after three resets: what differed, for a person to look into."""

    __tablename__ = "divergences"
    __scope__ = PUBLIC
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    replica: Mapped[str] = mapped_column(Key)
    device_id: Mapped[str] = mapped_column(Key)
    user_id: Mapped[str] = mapped_column(Key)
    bucket: Mapped[str] = mapped_column(String(100))
    epoch: Mapped[str] = mapped_column(Key)
    as_of: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime] = mapped_column(UtcDateTime)
    here: Mapped[list[Any]] = mapped_column(JSON)
    there: Mapped[list[Any]] = mapped_column(JSON)
    differing: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (UniqueConstraint("replica", "bucket", "epoch", "as_of"),)


class Rescue(Scoped, Base):
    """An opaque dump of a device's database (P89): whose it is, and how much of it is here. Never what is in it."""

    __tablename__ = "rescues"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    device_id: Mapped[str] = mapped_column(Key, index=True)
    user_id: Mapped[str] = mapped_column(Key)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UnreadablePush(Base):
    """A push whose frame could not be read: kept for inspection, never thrown away; sent again it is kept once (I20)."""

    __tablename__ = "unreadable_pushes"
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[str | None] = mapped_column(Key)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(200))
    fp: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("device_id", "fp"),)
