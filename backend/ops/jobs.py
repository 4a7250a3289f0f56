"""Background jobs: leased, retried with backoff, dead after MAX_ATTEMPTS. No kind of job is named here.

A killed worker loses nothing: its lease runs out and another one takes the job; every kind is idempotent.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.database import db, transaction
from backend.faults import passing
from backend.ops.models import Job
from backend.trouble import problem_of

log = structlog.get_logger(__name__)
LEASE = timedelta(seconds=60)
# No job is planned further ahead than this, and no lease runs longer than LEASE: what is later was written while the
# server's clock was wrong, and would else wait for that day.
AHEAD = timedelta(days=1)
MAX_ATTEMPTS = 8
WAIT_S = 3.0  # between two looks while the database or its disk is in trouble
BACKOFF_S = 2.0
TROUBLE_S = 60.0
Run = Callable[[Mapping[str, Any], datetime], None]


def enqueue(session: Session, kind: str, key: str, payload: Mapping[str, Any], now: datetime) -> None:
    """Add a job in the transaction of its cause; the same key twice is one job, and one that is over is done again
    (its cause has happened again: every kind is idempotent)."""
    row = {"kind": kind, "key": key, "payload": dict(payload), "run_at": now, "attempts": 0, "is_dead": False}
    session.connection().execute(_enqueue(session.get_bind().dialect.name), row)


@cache
def _enqueue(dialect: str) -> Any:
    """The statement for one job, made once."""
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(Job.__table__)
    anew = {name: statement.excluded[name] for name in ("payload", "run_at", "attempts", "is_dead")} | {"done_at": None}
    is_over = Job.done_at.is_not(None) | Job.is_dead
    return statement.on_conflict_do_update(index_elements=["key"], set_=anew, where=is_over)


def _due(now: datetime) -> Select[Job]:
    """Jobs that somebody may take: their time has come, nobody holds them; what lies past AHEAD and LEASE is no time."""
    is_open = (Job.done_at.is_(None), Job.is_dead.is_(False))
    is_time = or_(Job.run_at <= now, Job.run_at > now + AHEAD)
    is_free = or_(Job.lease_until.is_(None), Job.lease_until < now, Job.lease_until > now + LEASE)
    return select(Job).where(*is_open, is_time, is_free)


def claim(now: datetime) -> Job | None:
    """Lease the next due job, or None. One that has taken its worker down with it each time is dead."""
    with transaction() as session:
        due = _due(now).order_by(Job.run_at, Job.id).limit(1).with_for_update(skip_locked=True)
        while (job := session.scalars(due).first()) is not None:
            if job.attempts < MAX_ATTEMPTS:
                job.lease_until = now + LEASE
                job.attempts += 1
                session.flush()
                session.expunge(job)
                return job
            job.is_dead, job.last_error = True, job.last_error or "its worker ended each time before the job did"
            session.flush()
        return None


def run_one(kinds: Mapping[str, Run], now: datetime) -> bool:
    """Run one due job; False where none is due. A failure is recorded and tried again later."""
    if not has_due(now):
        return False
    job = claim(now)
    if job is None:
        return False
    passing("job.leased")
    try:
        kinds[job.kind](job.payload, now)
        passing("job.worked")
    except Exception as fault:
        log.warning("job_failed", kind=job.kind, key=job.key, attempt=job.attempts, error=repr(fault))
        _failed(job, fault, now)
    else:
        with transaction() as session:
            session.execute(update(Job).where(Job.id == job.id).values(done_at=now, lease_until=None))
        passing("job.done")
    return True


def has_due(now: datetime) -> bool:
    """Whether a look for work is worth a write transaction."""
    with db.engine.connect() as connection:
        return connection.execute(_due(now).with_only_columns(Job.id).limit(1)).first() is not None


def standing(now: datetime) -> dict[str, int]:
    """How many jobs are due and not held by a worker, and how many are dead. Due ones that grow in number: no worker."""
    with db.engine.connect() as connection:
        due = _due(now).with_only_columns(func.count())
        dead = select(func.count()).select_from(Job).where(Job.is_dead)
        return {name: connection.execute(found).scalar_one() for name, found in (("due", due), ("dead", dead))}


def _failed(job: Job, fault: Exception, now: datetime) -> None:
    wait_s = BACKOFF_S ** min(job.attempts, 8) * random.uniform(0.5, 1.5)
    if problem_of(fault) is not None:  # a full disk or a database that is away is no fault of the job: it may last
        wait_s, job.attempts = TROUBLE_S, job.attempts - 1
    values = {
        "attempts": job.attempts,
        "last_error": repr(fault)[:2000],
        "lease_until": None,
        "run_at": now + timedelta(seconds=wait_s),
        "is_dead": job.attempts >= MAX_ATTEMPTS,
    }
    with transaction() as session:
        session.execute(update(Job).where(Job.id == job.id).values(**values))


class Worker(threading.Thread):
    """Runs due jobs one after the other until stopped."""

    def __init__(
        self, app: Flask, kinds: Mapping[str, Run], clock: Callable[[], datetime],
        periodic: Sequence[tuple[float, Callable[[datetime], object]]] = (), idle_s: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__(name="huyuan-worker", daemon=True)
        self._app, self._kinds, self._clock, self._idle_s = app, kinds, clock, idle_s
        self._periodic, self._next = periodic, [0.0] * len(periodic)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            wait_s = self._step()
            if wait_s:
                self._stop_asked.wait(wait_s)

    def _step(self) -> float:
        """One job or none; seconds to rest after it."""
        try:
            with self._app.app_context():
                self._look()
                return 0.0 if run_one(self._kinds, self._clock()) else self._idle_s
        except Exception as fault:
            if problem_of(fault) is None:
                log.exception("worker_trouble")
                return self._idle_s
            log.warning("worker_waits", error=repr(fault)[:200])
            return WAIT_S

    def _look(self) -> None:
        """What is looked at from time to time, at the start as well."""
        for n, (every_s, look) in enumerate(self._periodic):
            if time.monotonic() >= self._next[n]:
                self._next[n] = time.monotonic() + every_s
                look(self._clock())

    def stop(self) -> None:
        """Ask it to end after the job in hand."""
        self._stop_asked.set()
