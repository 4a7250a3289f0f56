"""One moment of the record as one SQLite file, taken while the server works; and what such a file says of
itself.

SQLite: VACUUM INTO reads one snapshot through its own read-only connection: it takes no lock that a writer
waits for, never starts again however busy the server is (the online backup API does), and leaves no deleted
text behind. PostgreSQL: one REPEATABLE READ transaction, streamed. So a backup is one format whatever the
server runs on, it can be opened and examined without a server, and it moves a record between the two (why
not pg_dump: backend/DECISIONS.md).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url

from backend.backups import schema, tables
from backend.config import Config
from backend.errors import Problem


@dataclass(frozen=True, slots=True)
class Moment:
    """Which moment of which history: what a backup is of, and what is mirrored outside the database.

    `journal_n` and `journal_hash` are the journal's head: of two copies with one epoch and clock, the proof
    that they are one history. `durable` is the clock up to which devices have been told that they may let
    go.
    """

    epoch: str
    clock: int
    journal_n: int
    journal_hash: str
    durable: int


def take(config: Config, target: Path) -> None:
    """Write the record as it is now to the new file `target`, on disk when this returns.

    Raises Problem not_found where there is no database yet, invalid where PostgreSQL's schema is not of this
    program.
    """
    if config.is_sqlite:
        _take_sqlite(Path(make_url(config.database_url).database or ""), target)
    else:
        _take_postgresql(config.database_url, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def _take_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise Problem("not_found", f"there is no database at {source.name}")
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as raw:
        raw.isolation_level = None
        raw.execute("VACUUM INTO ?", (str(target),))


def _take_postgresql(url: str, target: Path) -> None:
    source = create_engine(url)
    try:
        with source.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as here:
            step = schema.revision_of(here)
            if step is None or not schema.is_known(step):
                raise Problem("invalid", f"the database's schema ({step}) is not of this program")
            schema.upgrade(sqlite_url(target), step)
            pour(here, target)
    finally:
        source.dispose()


def pour(source: Connection, target: Path) -> None:
    """Every row of `source` into the SQLite file `target`, which has the same schema."""
    engine = create_engine(sqlite_url(target))
    try:
        with engine.begin() as there:
            tables.empty_all(there)
            tables.copy_all(source, there)
    finally:
        engine.dispose()
    make_one_file(target)


def make_one_file(path: Path) -> None:
    """Fold a write-ahead log back into an SQLite file, so that the file alone is the whole database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=DELETE")


def sqlite_url(path: Path) -> str:
    """SQLAlchemy's URL of an SQLite file."""
    return f"sqlite:///{path}"


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection to an SQLite file that is certain to change nothing, not even beside it."""
    engine = create_engine(f"sqlite:///{path.absolute().as_uri()}?mode=ro&immutable=1&uri=true")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def moment_of(connection: Connection) -> Moment:
    """Which moment a database (of any of our schemas) stands at. Raises DBAPIError where it is none of
    ours."""
    server = connection.execute(text("SELECT epoch, durable_clock FROM server_meta")).one()
    head = connection.execute(text("SELECT n, hash FROM journal_head")).one_or_none()
    at = connection.execute(text("SELECT v FROM commit_clock")).scalar()
    n, journal = (head.n, head.hash) if head else (0, "0" * 64)
    return Moment(server.epoch, at or 0, n, journal, server.durable_clock)


def is_same_history(connection: Connection, moment: Moment) -> bool:
    """Whether a database holds `moment` in its past or present: the same epoch, and the same journal up to
    there."""
    now = moment_of(connection)
    if now.epoch != moment.epoch or now.clock < moment.clock:
        return False
    if moment.journal_n == 0:
        return True
    row = text("SELECT hash FROM journal WHERE n = :n")
    return bool(connection.execute(row, {"n": moment.journal_n}).scalar() == moment.journal_hash)
