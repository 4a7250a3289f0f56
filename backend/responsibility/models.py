"""Who answers for a problem, layer by layer, and why. No queries."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Responsibility(Scoped, Base):
    """One link of a problem's chain. A vacant post is a gap (责任空白), shown, never skipped."""

    __tablename__ = "responsibilities"
    __scope__ = Scope(area="area_path")
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    layer: Mapped[str] = mapped_column(String(12), primary_key=True)
    department_id: Mapped[str] = mapped_column(Key, primary_key=True, default="")
    area_path: Mapped[str] = mapped_column(AreaPath, index=True)
    area_id: Mapped[str | None] = mapped_column(Key)
    post_id: Mapped[str | None] = mapped_column(Key)
    title: Mapped[str | None] = mapped_column(String(120))
    holder: Mapped[str | None] = mapped_column(String(80))
    is_lead: Mapped[bool] = mapped_column(Boolean, default=False)
    is_gap: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
