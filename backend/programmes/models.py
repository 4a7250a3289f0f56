"""Installed programme packs, every version for ever: old inspections are read with the version they were made with."""

from datetime import date
from typing import Any

from sqlalchemy import JSON, Date, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import Base, Key


class Programme(Scoped, Base):
    """One version of one pack; its body never changes."""

    __tablename__ = "programmes"
    __scope__ = PUBLIC
    programme: Mapped[str] = mapped_column(Key, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    valid_from_on: Mapped[date] = mapped_column(Date)
