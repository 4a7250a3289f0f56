"""What trouble of database and disk means to whoever asked: full, busy, or a fault of ours. No answers, no SQL.

Nothing was kept in any of these cases, so a phone may send the same again: that is what Retry-After says.
"""

import errno
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.errors import Problem
from backend.gate import GateBusy

FULL_RETRY_S, BUSY_RETRY_S = 60, 3
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SQLITE_FULL = sqlite3.SQLITE_FULL
# Not to be mended by trying again: a damaged file, misuse of the interface, a wrong statement, a broken constraint.
_SQLITE_OURS = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_CONSTRAINT,
                          sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG})  # fmt: skip
# SQLSTATE classes: connection, transaction rolled back, resources, not in prerequisite state, operator, system.
_PG_PASSING = ("08", "25", "40", "53", "55", "57", "58")
_PG_FULL = "53100"


def problem_of(fault: BaseException) -> Problem | None:
    """The problem that a fault of database or disk is to the caller, or None where it is no passing trouble of theirs.

    A full disk anywhere in the chain of causes wins: what follows it (a transaction that is gone already) says less.
    """
    kinds = [kind for cause in _causes(fault) if (kind := _kind(cause))]
    if "full" in kinds:
        return Problem("storage_full", "the disk is full", retry_after_s=FULL_RETRY_S)
    if "busy" in kinds and "ours" not in kinds:
        return Problem("overloaded", "the database or its disk is busy", retry_after_s=BUSY_RETRY_S)
    return None


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    left = [fault]
    while left:
        at = left.pop()
        if at is None or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        left += [at.__cause__, at.__context__, at.orig if isinstance(at, DBAPIError) else None]


def _kind(fault: BaseException) -> str:
    if isinstance(fault, (GateBusy, PoolTimeout)):
        return "busy"
    if isinstance(fault, OSError):
        return "full" if fault.errno in _DISK_FULL else "busy" if fault.errno == errno.EIO else ""
    if isinstance(fault, sqlite3.Error):
        return _sqlite(fault)
    return _postgres(fault) if type(fault).__module__.startswith("psycopg") else ""


def _sqlite(fault: sqlite3.Error) -> str:
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
    if code == _SQLITE_FULL:
        return "full"
    return "ours" if code in _SQLITE_OURS else "busy"


def _postgres(fault: BaseException) -> str:
    """By name and SQLSTATE: the driver is not loaded where SQLite serves."""
    state = getattr(fault, "sqlstate", None)
    if state is None:  # no word from the server: the connection is gone, or was never there
        names = {kind.__name__ for kind in type(fault).__mro__}
        return "busy" if names & {"OperationalError", "InterfaceError"} else "ours"
    if state == _PG_FULL:
        return "full"
    return "busy" if state.startswith(_PG_PASSING) else "ours"
