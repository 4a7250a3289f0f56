"""How the client's database is laid out, by number, and how an older one is brought up to date. No rule of the protocol is
decided here, and nothing that waits to be sent is ever dropped: what is brought up to date is the same ops and photos.

Theory. `PRAGMA user_version` counts the STEPS that a store has been through; a store without a number is of the time
before they were counted, so the first three find out by themselves whether they have work to do. All steps that are
wanting run in one transaction together with the new number: a device that dies on the way has its old store. A store of
a newer program is not opened at all: what cannot be read must not be written.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from sync_protocol import replica

TABLES = (
    "CREATE TABLE IF NOT EXISTS state (k TEXT PRIMARY KEY, v BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS photos (sha256 TEXT PRIMARY KEY, size INT, mime TEXT, url TEXT, done INT DEFAULT 0)",
)


class NewerStore(ValueError):
    """The store was written by a newer program than this; it is left as it is."""


def refuse_newer(path: Path) -> None:
    """Look at the number of a store without touching it, not even its log. Raises NewerStore; a store that is not there,
    or that SQLite cannot read, is not this function's to judge."""
    if not path.exists():
        return
    line = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
    try:
        _refuse(_number(line), path)
    except sqlite3.DatabaseError:
        return  # whoever opens it for work is told
    finally:
        line.close()


def bring_up_to_date(line: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new store, or take an older one through the steps it wants: all in one transaction, or none.

    `line` is in autocommit. Raises NewerStore; whatever a step raises, with the store as it was.
    """
    if _number(line) == LAYOUT:
        return
    line.execute("BEGIN IMMEDIATE")
    try:
        at = _number(line)  # another process may have been faster
        _refuse(at, path)
        for table in TABLES if at < LAYOUT else ():
            line.execute(table)
        for step in STEPS[at:]:
            step(line)
        line.execute(f"PRAGMA user_version = {LAYOUT}")
        line.execute("COMMIT")
    except BaseException:
        line.execute("ROLLBACK")
        raise


def _number(line: sqlite3.Connection) -> int:
    return int(line.execute("PRAGMA user_version").fetchone()[0])


def _refuse(at: int, path: Path) -> None:
    if at > LAYOUT:
        raise NewerStore(
            f"{path} is of layout {at}, this program knows layouts up to {LAYOUT}: install the newer program again;"
            " nothing here was changed"
        )


def _read(line: sqlite3.Connection) -> dict[str, Any]:
    return {k: orjson.loads(v) for k, v in line.execute("SELECT k, v FROM state")}


def _write(line: sqlite3.Connection, state: dict[str, Any]) -> None:
    line.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", [(k, orjson.dumps(v)) for k, v in state.items()])


def _a_row_a_member(line: sqlite3.Connection) -> None:
    """1: the whole state was one row, `replica`, rewritten at each op. (Now `replica` is the name of the replica.)"""
    whole = _read(line).get("replica")
    if isinstance(whole, dict):
        line.execute("DELETE FROM state")
        _write(line, whole)


def _numbers_when_recorded(line: sqlite3.Connection) -> None:
    """2: ops had no numbers until they were sent, counted from where the server stood (`next_seq`, `head`). They get the
    very numbers that they were sent under: where an answer was lost the server knows them again (P7)."""
    state = _read(line)
    if any("seq" not in kept for kept in state.get("outbox", ())):
        replica.number(state)
        _write(line, state)


def _later_members(line: sqlite3.Connection) -> None:
    """3: what is durable, bundles and doubts came later, and resets note when they began. The view is taken anew (P17);
    outcomes of that time are of the store's epoch, as it offered all of them again whenever that changed."""
    state = _read(line)
    if "replica" not in state or "offers" in state:
        return
    for kept in state["acked"]:
        kept.setdefault("epoch", state["epoch"])
    replica.start_over(state)
    _write(line, {**replica.fresh(state["replica"], state["epoch"]), **state})


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_a_row_a_member, _numbers_when_recorded, _later_members)
LAYOUT = len(STEPS)
