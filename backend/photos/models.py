"""Photos by content, who refers to them, and uploads under way. No queries, no bytes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime

_AWAITED = text("state = 'awaiting'")  # the few whose bytes are not here yet


class Photo(Scoped, Base):
    """One content. `awaiting` until the bytes are here and hash to the name."""

    __tablename__ = "photos"
    __scope__ = PUBLIC
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    mime: Mapped[str | None] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    fault: Mapped[str | None] = mapped_column(String(40))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    exif: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    received_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    derived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_photos_awaited", "sha256", sqlite_where=_AWAITED, postgresql_where=_AWAITED),)


class PhotoRef(Scoped, Base):
    """Something refers to a photo; whoever sees the thing may see the photo."""

    __tablename__ = "photo_refs"
    __scope__ = Scope(area="area_path")
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    ent_type: Mapped[str] = mapped_column(String(16), primary_key=True)
    ent_id: Mapped[str] = mapped_column(AreaPath, primary_key=True, index=True)
    item: Mapped[str] = mapped_column(String(24), primary_key=True)
    op_id: Mapped[str] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath)


class Upload(Base):
    """One tus upload. `offset` moves only after its bytes are on disk; one that nobody goes on with is forgotten after `expires_at`."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[str] = mapped_column(Key, index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    mime: Mapped[str | None] = mapped_column(String(40))
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    lock_generation: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
