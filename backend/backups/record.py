"""Proofs about the record itself: the database file, what refers to what, problems against their history,
ledgers."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from backend.access.scope import SYSTEM, visible
from backend.accounts.models import Absence, Device, Holding, Post, User
from backend.backups import tables
from backend.backups.tally import Finding, Tally
from backend.geotags.models import Geotag
from backend.handovers.models import Handover, HandoverItem
from backend.inspections.models import Inspection
from backend.ledgers import proof as ledgers
from backend.ops.models import LoggedOp
from backend.photos.models import Photo, PhotoRef, Upload
from backend.problems.models import Problem, ProblemEvent, ProblemReport
from backend.responsibility.models import FormerLink, PostHandover, Responsibility
from backend.rings.models import OrderAddressee, OrderSweep, YearOrder
from backend.supervision.models import Proceeding, TransferSide
from backend.sweeps.models import Sweep, Task, Team
from backend.sync.models import Replica
from backend.territory import queries as territory
from backend.territory.models import Area, Department, Site

Column = InstrumentedAttribute[Any]
# What refers to what. No foreign keys in the database: a device's op may name what arrives later; here it
# must be there.
REFERENCES: tuple[tuple[Column, Column], ...] = (
    (Area.parent_id, Area.id), (Site.district_id, Area.id), (Site.township_id, Area.id),
    (Device.user_id, User.id), (Replica.user_id, User.id), (User.department_id, Department.id),
    (Post.site_id, Site.id), (Post.department_id, Department.id), (Holding.post_id, Post.id),
    (Team.sweep_id, Sweep.id), (Task.sweep_id, Sweep.id), (Task.site_id, Site.id), (Task.team_id, Team.id),
    (Task.inspection_id, Inspection.id), (Inspection.op_id, LoggedOp.op_id), (Inspection.site_id, Site.id),
    (PhotoRef.sha256, Photo.sha256), (PhotoRef.op_id, LoggedOp.op_id), (Upload.owner_id, User.id),
    (Geotag.site_id, Site.id), (Geotag.district_id, Area.id), (Geotag.township_id, Area.id),
    (Problem.site_id, Site.id), (Problem.district_id, Area.id), (Problem.township_id, Area.id),
    (Problem.department_id, Department.id), (ProblemReport.problem_id, Problem.id),
    (ProblemReport.finding_id, Geotag.finding_id), (ProblemReport.op_id, LoggedOp.op_id),
    (ProblemEvent.problem_id, Problem.id), (ProblemEvent.op_id, LoggedOp.op_id),
    (Responsibility.problem_id, Problem.id), (Responsibility.post_id, Post.id), (FormerLink.problem_id, Problem.id),
    (OrderAddressee.order_id, YearOrder.id), (OrderSweep.order_id, YearOrder.id), (OrderSweep.sweep_id, Sweep.id),
    (PostHandover.post_id, Post.id), (Absence.post_id, Post.id), (HandoverItem.handover_id, Handover.id), (HandoverItem.problem_id, Problem.id),
    (Problem.recurs_id, Problem.id), (Proceeding.problem_id, Problem.id), (Proceeding.id, LoggedOp.op_id), (TransferSide.proceeding_id, Proceeding.id),
)  # fmt: skip


def database(session: Session, tally: Tally) -> Iterator[Finding]:
    """The file's own structure (SQLite), its foreign keys, and every row of every table read once and
    summed."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        for (fault,) in connection.execute(text("PRAGMA integrity_check(10)")):
            if fault != "ok":
                yield "database", fault
        for table, row, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
            yield f"{table} row {row}", f"refers to nothing in {parent}"
    found = tables.sums(connection)
    tally.rows = sum(table["rows"] for table in found.values())
    tally.more["state_hash"] = tables.state_hash(found)


def references(session: Session, tally: Tally) -> Iterator[Finding]:
    """Whatever names another thing of the record names one that is there."""
    for column, parent in REFERENCES:
        child, owner = column.class_, aliased(parent.class_)
        key = getattr(owner, parent.key)
        lost = select(*child.__table__.primary_key.columns, column.label("names")).outerjoin(owner, key == column)
        lost = lost.where(column.is_not(None), key.is_(None))
        tally.rows += session.execute(select(func.count()).where(column.is_not(None))).scalar_one()
        for row in session.execute(lost.execution_options(yield_per=1000)):
            name = " ".join(str(value) for value in row[:-1])
            yield (
                f"{child.__tablename__} {name}",
                f"{column.key} names {row.names}, which is not in {owner.__table__.name}",
            )


def problems(session: Session, tally: Tally) -> Iterator[Finding]:
    """Each problem stands where its last step left it, and counts the reports that were joined in it."""
    step, report = aliased(ProblemEvent), aliased(ProblemReport)
    last = select(func.max(step.n)).where(step.problem_id == Problem.id).correlate(Problem).scalar_subquery()
    reports = select(func.count()).where(report.problem_id == Problem.id).correlate(Problem).scalar_subquery()
    columns = (
        Problem.id,
        Problem.state,
        Problem.report_count,
        ProblemEvent.to_state,
        reports.label("reports"),
    )
    rows = visible(Problem, SYSTEM).with_only_columns(*columns)
    rows = rows.outerjoin(ProblemEvent, (ProblemEvent.problem_id == Problem.id) & (ProblemEvent.n == last))
    for row in session.execute(rows.order_by(Problem.id).execution_options(yield_per=1000)):
        tally.rows += 1
        if row.state != row.to_state:
            yield f"problem {row.id}", f"is {row.state}, its last step led to {row.to_state}"
        if row.report_count != row.reports:
            yield f"problem {row.id}", f"counts {row.report_count} reports, {row.reports} are joined in it"


def ledger(session: Session, tally: Tally, today: date) -> Iterator[Finding]:
    """Every total of the ledgers against the sum of its parts; their counts and history against the record."""
    if territory.version(session) is None:
        return  # no city is loaded yet: there is nothing to sum
    found = ledgers.reconcile(session, SYSTEM, today)
    tally.rows = found["checks"][0]["total"][0]
    for check in found["checks"]:
        if not check["ok"]:
            yield (
                f"ledger by {check['axis']}",
                f"its parts sum to {check['sum']}, the total is {check['total']}",
            )
    yield from ledgers.drift(session)
