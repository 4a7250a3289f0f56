"""What is told to whom: facts that wait to be handed out, inboxes, what goes out by mail or webhook. No queries.

All of it follows from the record and none of it is part of it; what alters a subscription or an address is an op.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime

_UNREAD = text("read_at IS NULL")
_WAITING = text("state = 'waiting'")


class NoticeFact(Base):
    """Something that people are to be told of; written in the transaction of its cause, gone when it is handed out."""

    __tablename__ = "notice_facts"
    id: Mapped[str] = mapped_column(Key, primary_key=True)  # in the order of time
    kind: Mapped[str] = mapped_column(String(40))
    ent_type: Mapped[str] = mapped_column(String(16))
    ent_id: Mapped[str] = mapped_column(AreaPath)
    area_path: Mapped[str] = mapped_column(AreaPath, default="")
    by_id: Mapped[str] = mapped_column(Key, default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Notice(Scoped, Base):
    """One line of a person's inbox; while it is unread, what happens again to the same subject is counted in it.

    One about a problem is seen by who sees the problem now; any other by its place (queries.py).
    """

    __tablename__ = "notices"
    __scope__ = Scope(area="area_path")
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(Key)
    kind: Mapped[str] = mapped_column(String(40))
    ent_type: Mapped[str] = mapped_column(String(16))
    ent_id: Mapped[str] = mapped_column(AreaPath)
    problem_id: Mapped[str | None] = mapped_column(AreaPath)
    area_path: Mapped[str] = mapped_column(AreaPath)
    count: Mapped[int] = mapped_column(Integer, default=1)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    __table_args__ = (
        Index("uq_notices_unread", "user_id", "kind", "ent_type", "ent_id", unique=True, sqlite_where=_UNREAD, postgresql_where=_UNREAD),
        Index("ix_notices_newest", "user_id", "at", "id"),
    )  # fmt: skip


class Webhook(Scoped, Base):
    """Where an owner wants to be told of what. Its secret is derived from the server's and `generation`, never stored."""

    __tablename__ = "webhooks"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Key, index=True)
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[list[str]] = mapped_column(JSON)
    generation: Mapped[int] = mapped_column(Integer, default=0)  # 0: nobody has taken a secret yet, nothing is sent
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str | None] = mapped_column(String(24))


class MailAddress(Scoped, Base):
    """Where a person is written to. Seen by nobody but the server and who may change people."""

    __tablename__ = "mail_addresses"
    __scope__ = PUBLIC
    user_id: Mapped[str] = mapped_column(Key, primary_key=True)
    address: Mapped[str] = mapped_column(String(254))


class Outgoing(Scoped, Base):
    """One mail or one call of a webhook, from its cause to its end: leased, tried again with backoff, dead in the end.

    `id` is what its receiver knows it by (Message-ID, webhook-id), so that twice sent is known as once.
    """

    __tablename__ = "outgoing"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(String(120), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(Key)
    kind: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    body: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    run_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (
        Index("ix_outgoing_due", "channel", "run_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_outgoing_target", "target", "state"),
    )
