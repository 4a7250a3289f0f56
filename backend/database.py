"""The database: base class, types, the write gate and the one place that commits. No tables but the commit clock.

Theory. Every change is made inside `transaction()`. On SQLite it begins with BEGIN IMMEDIATE behind a gate shared by
all threads and processes: a deferred BEGIN that later writes fails at once with "database is locked", and SQLite before
3.51.3 may lose a commit when another connection checkpoints at the same moment, so checkpoints are made by us alone,
inside the gate. On PostgreSQL it is a READ COMMITTED transaction. In both, the commit clock (one row) is moved last:
the order of its values is the order of commits, and whoever sees a value sees every transaction up to it (rule D4).
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Dialect, Integer, MetaData, String, Table, event, insert, select, text, update
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from backend.config import Config
from backend.faults import passing
from backend.gate import GateBusy, WriteGate
from backend.plain import PlainSession, plain
from backend.trouble import problem_of

BUSY_MS = 3000  # how long a statement waits for a stranger's lock on SQLite; the gate's own waiting comes first
LOCK_MS = 8000  # and on PostgreSQL
WAL_CHECKPOINT_BYTES = 32 * 1024 * 1024  # past this the log is folded back, by whoever has just written
WAL_KEPT_BYTES = 4 * 1024 * 1024  # of its file; were it left as long, it would be folded back at every commit
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table. Models subclass this, not `db.Model`, so that types stay checkable."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base, session_options={"class_": PlainSession})


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as integer milliseconds: the same bytes in SQLite and PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone is not stored")
        return to_ms(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


def to_ms(value: datetime) -> int:
    """Aware datetime → milliseconds since 1970 UTC."""
    return round(value.timestamp() * 1000)


def from_ms(value: int) -> datetime:
    """Milliseconds since 1970 → aware UTC datetime."""
    return datetime.fromtimestamp(value / 1000, UTC)


# Paths of the territory ("370300/370303/…") are compared as bytes: ranges over them must not depend on a locale.
AreaPath = String(200).with_variant(String(200, collation="C"), "postgresql")
Key = String(64)


class CommitClock(Base):
    """One row: the counter that every changing transaction moves last (rule D4)."""

    __tablename__ = "commit_clock"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    v: Mapped[int] = mapped_column(BigInteger, default=0)


_CLOCK = plain(select(CommitClock.v).where(CommitClock.id == 1))
_CLOCKS: Table = CommitClock.__table__  # type: ignore[assignment]
_TICK = plain(update(_CLOCKS).where(_CLOCKS.c.id == 1).values(v=_CLOCKS.c.v + 1).returning(_CLOCKS.c.v))


def init_app(app: Flask, config: Config) -> None:
    """Bind the database to the app: engine options, SQLite pragmas, the write gate."""
    url = make_url(config.database_url)
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
        "pool_size": 32,
        "max_overflow": 40,
        "pool_timeout": 10,
        "pool_use_lifo": True,
    }
    if config.is_sqlite:
        options["connect_args"] = {"timeout": 10, "check_same_thread": False}
    else:
        options["pool_pre_ping"] = True
        options["connect_args"] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    app.extensions["write_gate"] = WriteGate(Path(url.database) if config.is_sqlite and url.database else None)
    with app.app_context():
        (prepare_sqlite if config.is_sqlite else prepare_postgres)(db.engine)


def still(app: Flask) -> None:
    """End whatever works beside the requests of an app; what it has to write it writes. Twice is once."""
    for close in app.extensions.get("closers", ()):
        close()


def close_app(app: Flask) -> None:
    """Close connections and the lock file of an app that is done (tests make many)."""
    still(app)
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    app.extensions["write_gate"].close()


def prepare_sqlite(engine: Engine) -> None:
    """Durable, strict SQLite on every connection of this engine; BEGIN is ours, not the driver's."""

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}",
            "wal_autocheckpoint=0", f"journal_size_limit={WAL_KEPT_BYTES}", "trusted_schema=OFF", "temp_store=MEMORY", "cache_size=-32000",
        ):  # fmt: skip
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("huyuan_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def prepare_postgres(engine: Engine) -> None:
    """No connection waits for a lock longer than a request may, and none acknowledges before its commit is on disk."""

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.autocommit = True
        raw.execute(f"SET lock_timeout = {LOCK_MS}")
        raw.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        raw.autocommit = False


def gate() -> WriteGate:
    """The write gate of the current app."""
    from flask import current_app  # noqa: PLC0415 - the only use of the app in this module

    found: WriteGate = current_app.extensions["write_gate"]
    return found


@contextmanager
def transaction() -> Iterator[Session]:
    """The one place that commits. Yields a session; returning commits, raising rolls back.

    Whatever registered itself with `before_commit` runs last, in order, while the transaction is still open.
    """
    held = gate()
    with held.hold():
        session = _opened()
        session.info.clear()
        try:
            session.connection(execution_options={"huyuan_write": True})
            yield session
            session.flush()
            for close in list(session.info.get("closers", {}).values()):
                close(session)
            passing("commit.before")
            session.commit()
            passing("commit.after")
            held.note(has_failed=False)
        except BaseException as fault:
            if problem_of(fault) is not None:
                held.note(has_failed=True)
            session.rollback()
            raise
        finally:
            session.info.clear()
            session.close()
    if held.is_needed and held.wal_bytes() > WAL_CHECKPOINT_BYTES:
        _fold_most_outside(held)


def _fold_most_outside(held: WriteGate) -> None:
    """Beside the writers, by one at a time; then, the gate held, the little that they wrote meanwhile: the log begins anew only
    where all of it is folded back. Who finds the gate busy leaves that to the next."""
    if held.folding.acquire(blocking=False):
        try:
            fold_back("PASSIVE")
            with suppress(GateBusy), held.hold():
                fold_back("PASSIVE")
        finally:
            held.folding.release()


def fold_back(how: str) -> None:
    """Fold SQLite's log back into the database (`how`: PASSIVE or TRUNCATE); all of it for certain only while the gate is held."""
    passing("checkpoint.before")
    with db.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA wal_checkpoint({how})")
    passing("checkpoint.after")


def probe() -> None:
    """Write something that changes nothing, durably. Raises whatever a change would raise."""
    with transaction() as session:
        session.execute(update(CommitClock).values(v=CommitClock.v))


@contextmanager
def snapshot() -> Iterator[Session]:
    """A read-only view of one moment: REPEATABLE READ on PostgreSQL, a read transaction on SQLite (rule G3)."""
    session = _opened()
    options = {} if gate().is_needed else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    session.connection(execution_options=options)
    try:
        yield session
    finally:
        session.rollback()
        session.close()


def _opened() -> Session:
    session: Any = db.session()
    session.close()
    session.bound = db.engine
    return session  # type: ignore[no-any-return]


def before_commit(session: Session, key: str, close: Callable[[Session], None]) -> None:
    """Run `close(session)` once, last in this transaction, however often it is registered under `key`."""
    session.info.setdefault("closers", {}).setdefault(key, close)


def tick(session: Session) -> int:
    """Move the commit clock (once per transaction) and return its value. Call only from a `before_commit` closer."""
    if "clock" not in session.info:
        moved = session.execute(_TICK).scalar()
        if moved is None:
            session.execute(insert(CommitClock).values(id=1, v=1))
            moved = 1
        session.info["clock"] = moved
    return int(session.info["clock"])


def clock(session: Session) -> int:
    """The commit clock as this snapshot sees it; 0 before the first change."""
    return session.execute(_CLOCK).scalar() or 0


def lock(session: Session, keys: Iterable[str]) -> None:
    """Lock names for this transaction, sorted so that two transactions never wait for each other.

    PostgreSQL: advisory locks, which also work for rows that do not exist yet. SQLite: the gate has done it.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    numbers = sorted({zlib.crc32(key.encode()) for key in keys})
    if numbers:
        session.connection().execute(
            text(
                "SELECT pg_advisory_xact_lock(n) FROM unnest(CAST(:n AS bigint[])) WITH ORDINALITY AS t(n, i) ORDER BY i"
            ),
            {"n": numbers},
        )
