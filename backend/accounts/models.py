"""People, devices, sessions, posts and holdings. Secrets only as hashes. No queries."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class User(Scoped, Base):
    __tablename__ = "users"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    login: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    areas: Mapped[list[Any]] = mapped_column(JSON)
    department_id: Mapped[str | None] = mapped_column(Key)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(8), default="zh")
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


class Device(Scoped, Base):
    """An installation that may sync for one person; its token is kept as SHA-256 only.

    After an enrolment that was told again there are two: which of them the phone heard of is known when one is used.
    """

    __tablename__ = "devices"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    user_id: Mapped[str] = mapped_column(Key, index=True)
    install_id: Mapped[str] = mapped_column(String(80))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    former_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    app: Mapped[str] = mapped_column(String(80))
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_revoked: Mapped[bool] = mapped_column(Boolean, default=False)


class EnrolCode(Scoped, Base):
    """A one-time code; the installation that redeems it in time becomes a device of this user."""

    __tablename__ = "enrol_codes"
    __scope__ = PUBLIC
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(Key)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    device_id: Mapped[str | None] = mapped_column(Key)


class WebSession(Scoped, Base):
    __tablename__ = "web_sessions"
    __scope__ = PUBLIC
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(Key, index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Post(Scoped, Base):
    """An office that answers for a layer of a place; people come and go, the post stays."""

    __tablename__ = "posts"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    layer: Mapped[str] = mapped_column(String(12))
    area_path: Mapped[str] = mapped_column(AreaPath)
    area_id: Mapped[str | None] = mapped_column(Key)
    site_id: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    title_zh: Mapped[str] = mapped_column(String(120))
    title_en: Mapped[str] = mapped_column(String(120))
    __table_args__ = (
        Index("ix_posts_place", "layer", "area_id", "department_id"),
        Index("ix_posts_site", "site_id"),
    )


class Holding(Scoped, Base):
    """Who held a post from when to when (to_on included; none: still)."""

    __tablename__ = "holdings"
    __scope__ = PUBLIC
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    post_id: Mapped[str] = mapped_column(Key, index=True)
    person: Mapped[str] = mapped_column(String(80))
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date | None] = mapped_column(Date)
    user_id: Mapped[str | None] = mapped_column(Key)  # the account that signs for the holder; none is known for most
    __table_args__ = (UniqueConstraint("post_id", "from_on"),)


class Absence(Scoped, Base):
    """The days on which a post's holder is away and a deputy acts (代), both included."""

    __tablename__ = "absences"
    __scope__ = PUBLIC
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    post_id: Mapped[str] = mapped_column(Key, index=True)
    deputy: Mapped[str] = mapped_column(String(80))
    from_on: Mapped[date] = mapped_column(Date)
    to_on: Mapped[date] = mapped_column(Date)
    note: Mapped[str] = mapped_column(String(400), default="")
    __table_args__ = (UniqueConstraint("post_id", "from_on"),)


class RosterVersion(Scoped, Base):
    """One row: moves with every change of posts or holders, so that the roster is read once per version (roster.py)."""

    __tablename__ = "roster_version"
    __scope__ = PUBLIC
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    v: Mapped[int] = mapped_column(Integer, default=0)


class Grant(Scoped, Base):
    """An area that a person may work in, from when to when, and what gives it ("user", "team:…"). Never removed (P34)."""

    __tablename__ = "grants"
    __scope__ = Scope(area="area_path")
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(Key)
    source: Mapped[str] = mapped_column(String(80))
    area_path: Mapped[str] = mapped_column(AreaPath)
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    to_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_grants_user", "user_id", "to_at"),)
