"""What the ledgers keep: how each problem counted from when to when, the counts of now, copies of them at some clocks,
and when each clock was. No queries.

Theory. Time is the commit clock (rule D4): a line holds from the clock that made it to the one that ended it, and what is
over is never written again. "As of a clock" is therefore the same answer for ever. A roll-up of now adds the cells (kept
current by the very transaction that changes a problem); one of an earlier clock begins at the nearest cells there are (now,
or a mark) and takes back, or adds, the lines that began and ended between.
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Date, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.access.scope import PUBLIC, Scope, Scoped
from backend.database import AreaPath, Base, Key, UtcDateTime

STILL = 2**62  # `to_clock` of a line that holds: no clock comes this far


class Axes(Scoped):
    """By what is counted: place, department, and every other axis but the school."""

    __scope__ = Scope(area="area_path", department="department_id")
    area_path: Mapped[str] = mapped_column(AreaPath)
    district_id: Mapped[str | None] = mapped_column(Key)
    township_id: Mapped[str | None] = mapped_column(Key)
    department_id: Mapped[str | None] = mapped_column(Key)
    category: Mapped[str] = mapped_column(String(40))
    grade: Mapped[str] = mapped_column(String(16))
    programme: Mapped[str] = mapped_column(Key)
    state: Mapped[str] = mapped_column(String(16))
    is_open: Mapped[bool] = mapped_column(Boolean)
    due_on: Mapped[date | None] = mapped_column(Date)
    unplaced_reason: Mapped[str | None] = mapped_column(String(24))


class LedgerLine(Axes, Base):
    """How one problem stood in the ledgers from `from_clock` on, until before `to_clock`.

    `is_counted`: it stands for itself; one that was merged or deleted has a line that counts nowhere.
    """

    __tablename__ = "ledger_lines"
    problem_id: Mapped[str] = mapped_column(AreaPath, primary_key=True)
    from_clock: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    to_clock: Mapped[int] = mapped_column(BigInteger, default=STILL)
    site_id: Mapped[str | None] = mapped_column(Key)
    school_id: Mapped[str | None] = mapped_column(Key)
    is_counted: Mapped[bool] = mapped_column(Boolean)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (
        Index("ix_ledger_lines_from", "from_clock"),
        Index("ix_ledger_lines_to", "to_clock"),
        Index("ix_ledger_lines_area", "area_path", "to_clock"),
    )


class Cell(Axes):
    """How many problems are alike in a township (or have none). `due_on` only while they are open."""

    n: Mapped[int] = mapped_column(Integer)


class LedgerCell(Cell, Base):
    """How many problems count so now."""

    __tablename__ = "ledger_cells"
    key: Mapped[str] = mapped_column(Text, primary_key=True)


class LedgerMark(Cell, Base):
    """A copy of the cells as they were at a clock, so that a roll-up of a day long past need not walk back to it."""

    __tablename__ = "ledger_marks"
    clock: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Text, primary_key=True)


class LedgerMoment(Scoped, Base):
    """When a clock was that changed the ledgers, by the server's own time; never earlier than the one before.

    The first row says from when on the history is known.
    """

    __tablename__ = "ledger_moments"
    __scope__ = PUBLIC
    clock: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_ledger_moments_at", "at", "clock"),)
