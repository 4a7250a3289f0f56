"""Issued documents: one row each, never changed. No queries."""

from datetime import date, datetime

from sqlalchemy import Date, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Document(Scoped, Base):
    """What was printed (`facts`, canonical JSON) and its SHA-256. A document about a problem is seen by who sees the problem
    (queries.py); the scope here is that of documents about a place."""

    __tablename__ = "documents"
    __scope__ = Scope(area="area_path", department="department_id")
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    year: Mapped[int] = mapped_column(Integer)
    n: Mapped[int] = mapped_column(Integer)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_on: Mapped[date] = mapped_column(Date)
    ent_type: Mapped[str] = mapped_column(String(16))
    ent_id: Mapped[str] = mapped_column(AreaPath)
    area_path: Mapped[str] = mapped_column(AreaPath)
    department_id: Mapped[str | None] = mapped_column(Key)
    answers: Mapped[str | None] = mapped_column(String(32))
    issuer_id: Mapped[str] = mapped_column(Key)
    office: Mapped[str] = mapped_column(String(200))
    facts: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    op_id: Mapped[str] = mapped_column(Key)
    __table_args__ = (
        UniqueConstraint("kind", "year", "n"),
        Index("ix_documents_entity", "ent_type", "ent_id"),
        Index("ix_documents_newest", "issued_at", "number"),
    )
