"""Areas, zones, sites and departments of one city. No queries."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scoped
from backend.database import AreaPath, Base, Key


class Area(Scoped, Base):
    """City, district or township. `id` is a code of the named `code_system`; never joined to others."""

    __tablename__ = "areas"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    level: Mapped[str] = mapped_column(String(12), index=True)
    code_system: Mapped[str] = mapped_column(String(40))
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    parent_id: Mapped[str | None] = mapped_column(Key, index=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    geometry: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    seat_lon: Mapped[float | None] = mapped_column(Float)
    seat_lat: Mapped[float | None] = mapped_column(Float)
    ver: Mapped[int] = mapped_column(Integer, default=1)


class Zone(Scoped, Base):
    """A functional zone: an attribute beside the district, not a level (its members are unverified)."""

    __tablename__ = "zones"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    townships: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(24))


class Site(Scoped, Base):
    """A school or a hazard site, with its recorded district (authoritative near generalised borders)."""

    __tablename__ = "sites"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    category: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(160))
    district_id: Mapped[str] = mapped_column(Key, index=True)
    township_id: Mapped[str] = mapped_column(Key)
    zone: Mapped[str | None] = mapped_column(Key)
    lon: Mapped[float] = mapped_column(Float)
    lat: Mapped[float] = mapped_column(Float)
    perimeter: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    ver: Mapped[int] = mapped_column(Integer, default=1)


class Department(Scoped, Base):
    """A line of government that can be made responsible."""

    __tablename__ = "departments"
    __scope__ = PUBLIC
    id: Mapped[str] = mapped_column(Key, primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    ver: Mapped[int] = mapped_column(Integer, default=1)


class TerritoryVersion(Scoped, Base):
    """One row, raised by every load that changed something; derived facts are kept per version."""

    __tablename__ = "territory_version"
    __scope__ = PUBLIC
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    v: Mapped[int] = mapped_column(Integer)
    city_id: Mapped[str] = mapped_column(Key)
    is_sample: Mapped[bool] = mapped_column(
        Boolean, default=True
    )  # its sites are invented, and say so wherever they are named
