"""Problems (隐患), the reports joined in them, their history, and values that edits put aside. No queries, no decisions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime


class Problem(Scoped, Base):
    """One hazard at one place, however often it was reported. Ledger columns are kept on the row, so sums are one scan."""

    __tablename__ = "problems"
    __scope__ = Scope(area="area_path", department="department_id")
    id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    programme: Mapped[str] = mapped_column(Key)
    template_version: Mapped[int] = mapped_column(Integer)
    item: Mapped[str] = mapped_column(String(16))
    category: Mapped[str] = mapped_column(String(40))
    grade: Mapped[str] = mapped_column(String(16))
    is_candidate_major: Mapped[bool] = mapped_column(Boolean, default=False)
    state: Mapped[str] = mapped_column(String(16))
    is_open: Mapped[bool] = mapped_column(Boolean, default=True)
    site_id: Mapped[str | None] = mapped_column(Key)
    school_id: Mapped[str | None] = mapped_column(Key)
    district_id: Mapped[str | None] = mapped_column(Key)
    township_id: Mapped[str | None] = mapped_column(Key)
    area_path: Mapped[str] = mapped_column(AreaPath)
    team_id: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    lon: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    description: Mapped[str] = mapped_column(Text, default="")
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    found_quality: Mapped[str | None] = mapped_column(String(10))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    assigned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_on: Mapped[date | None] = mapped_column(Date)
    deadline_class: Mapped[str] = mapped_column(String(24))
    deadline_reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    report_count: Mapped[int] = mapped_column(Integer, default=1)
    missing_photos: Mapped[int] = mapped_column(Integer, default=0)
    is_near_boundary: Mapped[bool] = mapped_column(Boolean, default=False)
    unplaced_reason: Mapped[str | None] = mapped_column(String(24))
    open_key: Mapped[str | None] = mapped_column(AreaPath, unique=True)
    next_actor: Mapped[str | None] = mapped_column(String(24))  # exactly one while it is open (table.py, WAITS)
    clock: Mapped[str | None] = mapped_column(String(24))
    clock_on: Mapped[date | None] = mapped_column(Date)
    clock_reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # its basis, or why there is no day
    clock_n: Mapped[int] = mapped_column(Integer, default=0)  # the clocks that have begun so far
    escalated_level: Mapped[str | None] = mapped_column(String(12))  # of the clock that runs
    waits_for: Mapped[str | None] = mapped_column(String(12))  # the application that is open, and its record
    waits_id: Mapped[str | None] = mapped_column(Key)
    decide_by_on: Mapped[date | None] = mapped_column(Date)  # of a candidate that people have not decided about yet
    is_listed: Mapped[bool] = mapped_column(Boolean, default=False)
    listed_level: Mapped[str | None] = mapped_column(String(12))
    report_by_on: Mapped[date | None] = mapped_column(Date)  # of a listed one: the next progress report
    is_accepted: Mapped[bool] = mapped_column(Boolean, default=False)
    recurs_id: Mapped[str | None] = mapped_column(AreaPath)  # the closed problem that this one is again
    recurrence: Mapped[int] = mapped_column(Integer, default=0)
    target: Mapped[str | None] = mapped_column(Text)
    funds: Mapped[str | None] = mapped_column(Text)
    people: Mapped[str | None] = mapped_column(Text)
    time_limit: Mapped[str | None] = mapped_column(Text)
    plan: Mapped[str | None] = mapped_column(Text)
    spot: Mapped[str | None] = mapped_column(Text)
    causes: Mapped[list[str]] = mapped_column(JSON, default=list)
    is_work_stopped: Mapped[bool] = mapped_column(Boolean, default=False)
    merged_into: Mapped[str | None] = mapped_column(AreaPath, index=True)
    notes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # the newest facts, for the device
    ver: Mapped[int] = mapped_column(Integer, default=1)
    __table_args__ = (
        Index("ix_problems_ledger", "area_path", "district_id", "is_open", "grade", "due_on"),
        Index("ix_problems_rollup", "district_id", "township_id", "site_id", "department_id", "category", "grade", "is_open", "due_on", "state"),
        Index("ix_problems_item_open", "item", "is_open"),
        Index("ix_problems_clock", "is_open", "clock_on"),
        Index("ix_problems_site_item", "site_id", "item", "closed_at"),
    )  # fmt: skip


class ProblemReport(Scoped, Base):
    """One finding that was joined into a problem; the first one raised it."""

    __tablename__ = "problem_reports"
    __scope__ = Scope(area="area_path")
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    finding_id: Mapped[str] = mapped_column(AreaPath, primary_key=True, unique=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    op_id: Mapped[str] = mapped_column(Key)
    inspection_id: Mapped[str | None] = mapped_column(Key)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProblemEvent(Scoped, Base):
    """One line of a problem's history: a step, an edit or a fact, with the version that it made and its op's base.

    `status` is that of PROTOCOL.md: what came to nothing (noop, superseded, redirected) stands here too.
    """

    __tablename__ = "problem_events"
    __scope__ = Scope(area="area_path")
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True)
    area_path: Mapped[str] = mapped_column(AreaPath)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(Key)
    action: Mapped[str] = mapped_column(String(24))
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    photos: Mapped[list[str]] = mapped_column(JSON, default=list)
    op_id: Mapped[str | None] = mapped_column(Key)
    ver: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(12), default="applied")
    base: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Conflict(Scoped, Base):
    """A field that two people edited differently: all three values, which stands (`kept`), and who settled it (P72)."""

    __tablename__ = "conflicts"
    __scope__ = Scope(area="area_path")
    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    op_id: Mapped[str] = mapped_column(Key)
    actor_id: Mapped[str] = mapped_column(Key)
    ent_type: Mapped[str] = mapped_column(String(16))
    ent_id: Mapped[str] = mapped_column(AreaPath)
    area_path: Mapped[str] = mapped_column(AreaPath)
    field: Mapped[str] = mapped_column(String(24))
    base: Mapped[Any] = mapped_column(JSON, nullable=True)
    theirs: Mapped[Any] = mapped_column(JSON, nullable=True)
    mine: Mapped[Any] = mapped_column(JSON, nullable=True)
    kept: Mapped[Any] = mapped_column(JSON, nullable=True)
    policy: Mapped[str] = mapped_column(String(8))
    is_joined: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved_by: Mapped[str | None] = mapped_column(Key)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (
        Index("ix_conflicts_entity", "ent_type", "ent_id"),
        Index("ix_conflicts_waiting", "resolved_at", "at", "id"),
    )


class ProblemNumber(Base):
    """The counter behind problem numbers, one row a city and year."""

    __tablename__ = "problem_numbers"
    series: Mapped[str] = mapped_column(String(16), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, default=0)
