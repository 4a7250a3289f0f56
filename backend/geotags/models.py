"""Where a finding lies, and why we think so. No queries."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key


class Geotag(Scoped, Base):
    """Place of one finding: WGS-84, with the reference system it was given in, the layers, and the reasons."""

    __tablename__ = "geotags"
    __scope__ = Scope(area="area_path")
    finding_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    site_id: Mapped[str | None] = mapped_column(Key)
    district_id: Mapped[str | None] = mapped_column(Key)
    township_id: Mapped[str | None] = mapped_column(Key)
    township_source: Mapped[str | None] = mapped_column(String(24))
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    lon: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    crs_given: Mapped[str | None] = mapped_column(String(8))
    given_lon: Mapped[float | None] = mapped_column(Float)
    given_lat: Mapped[float | None] = mapped_column(Float)
    accuracy_m: Mapped[float | None] = mapped_column(Float)
    source: Mapped[str] = mapped_column(String(8))
    is_near_boundary: Mapped[bool] = mapped_column(Boolean, default=False)
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    nearest_school_id: Mapped[str | None] = mapped_column(Key)
    nearest_school_m: Mapped[float | None] = mapped_column(Float)
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    unplaced_reason: Mapped[str | None] = mapped_column(String(24))
