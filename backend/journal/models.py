"""The journal's rows and its head. No queries."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class JournalEntry(Scoped, Base):
    """Who did what when, with the hash of the row before it: `hash = sha256(prev ‖ body)`."""

    __tablename__ = "journal"
    __scope__ = Scope(area="area_path")
    n: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(Key)
    verb: Mapped[str] = mapped_column(String(40))
    op_id: Mapped[str] = mapped_column(Key, index=True)
    area_path: Mapped[str] = mapped_column(AreaPath, default="")
    body: Mapped[str] = mapped_column(Text)
    prev: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class JournalHead(Base):
    """One row: the last number and hash, moved behind the commit clock's lock."""

    __tablename__ = "journal_head"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[str] = mapped_column(String(64), default="0" * 64)
