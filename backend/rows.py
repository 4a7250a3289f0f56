"""Rows that wait in a transaction to be written together, and the savepoint around one op. No tables, no decisions.

Theory. A hundred checklists are a thousand rows; written one by one they cost more than everything else together. A
handler therefore hands its rows over (`add`, `change`) and they are written many at a time (bulk.py): at the end of the
transaction, or before anything is read or written through the session, so that nobody ever misses one. The savepoint of
an op is opened as late: an op that only hands rows over needs none, its rows are taken back from the list.

A row that breaks a constraint, or holds a value that its column cannot, is found when its lot is written, and then nobody
can say whose it was: the transaction is run again `eager`, every row at once, and the guilty op is told (`run`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Table, event
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import ORMExecuteState, Session

from backend.bulk import insert_many, update_many
from backend.database import before_commit, db, transaction
from backend.plain import BEFORE

T = TypeVar("T")
Row = dict[str, Any]
_KEY = "rows"


class _Waiting:
    """Rows by table in the order of their first use, and how far the op under way has come."""

    def __init__(self, is_eager: bool) -> None:
        self.is_eager, self.is_writing = is_eager, False
        self.added: dict[Table, list[Row]] = {}
        self.changed: dict[Table, list[Row]] = {}
        self.on_conflict: dict[Table, str] = {}
        self.kept: dict[Table, dict[Any, Row | None]] = {}
        self.scope: str = ""  # "", "asked" (a savepoint is wanted), "open" (it is there)
        self.mark: dict[tuple[str, Table], int] = {}

    def lots(self) -> Iterator[tuple[str, Table, list[Row]]]:
        for name, tables in (("added", self.added), ("changed", self.changed)):
            for table, rows in tables.items():
                yield name, table, rows


def _of(session: Session) -> _Waiting:
    if _KEY not in session.info:
        _begin(session, is_eager=False)
    found: _Waiting = session.info[_KEY]
    return found


def _begin(session: Session, is_eager: bool) -> None:
    session.info[_KEY] = _Waiting(is_eager)
    before_commit(session, _KEY, write)


def is_eager(session: Session) -> bool:
    """Whether every row is written at once, so that a breach of a constraint is the fault of the op under way."""
    return _of(session).is_eager


def add(session: Session, model: Any, row: Row, on_conflict: str = "") -> None:
    """A new row of `model`, written later; `on_conflict` (the same for every row of it) is "" or "DO NOTHING"."""
    waiting, table = _of(session), model.__table__
    waiting.added.setdefault(table, []).append(row)
    if on_conflict:
        waiting.on_conflict[table] = on_conflict
    if waiting.is_eager:
        write(session)


def change(session: Session, model: Any, key: Row, values: Row) -> None:
    """New values of the row with this primary key, written later; a row that is kept changes at once."""
    waiting, table = _of(session), model.__table__
    waiting.changed.setdefault(table, []).append({**key, **values})
    kept = waiting.kept.get(table, {}).get(_name(key))
    if kept is not None:
        kept.update(values)
    if waiting.is_eager:
        write(session)


def fresh(session: Session, model: Any, key: Row) -> Row | None:
    """The row that this very op has added and that is not written yet: it may be changed in place. Else None."""
    waiting, table = _of(session), model.__table__
    rows = waiting.added.get(table, [])
    for row in reversed(rows[waiting.mark.get(("added", table), 0) if waiting.scope else 0 :]):
        if all(row[name] == value for name, value in key.items()):
            return row
    return None


def keep(session: Session, model: Any, found: Mapping[Any, Row | None]) -> None:
    """Rows that were read (and locked) for the whole lot of ops in one go; None: there is no such row."""
    _of(session).kept.setdefault(model.__table__, {}).update(found)


def kept(session: Session, model: Any, name: Any, read: Callable[[], Row | None]) -> Row | None:
    """The row that is kept under this name, else what `read` finds, which is then kept."""
    rows = _of(session).kept.setdefault(model.__table__, {})
    if name not in rows:
        found = read()
        _of(session).kept.setdefault(model.__table__, {})[name] = found
        return found
    return rows[name]


def write(session: Session) -> None:
    """Write whatever waits."""
    waiting = _of(session)
    if waiting.is_writing:
        return
    waiting.is_writing = True
    try:
        _open_scope(session, waiting)
        for name, table, rows in list(waiting.lots()):
            _write_lot(session, waiting, name, table, rows)
            rows.clear()
    finally:
        waiting.is_writing = False
    waiting.mark.clear()


def _open_scope(session: Session, waiting: _Waiting) -> None:
    """The savepoint that an op asked for: rows of the ops before it are written first, outside of it."""
    if waiting.scope != "asked":
        return
    for name, table, rows in list(waiting.lots()):
        before = waiting.mark.get((name, table), 0)
        _write_lot(session, waiting, name, table, rows[:before])
        del rows[:before]
    waiting.mark.clear()
    _raw(session).execute("SAVEPOINT op")
    waiting.scope = "open"


def _write_lot(session: Session, waiting: _Waiting, name: str, table: Table, rows: list[Row]) -> None:
    if name == "added":
        insert_many(session.connection(), table, rows, waiting.on_conflict.get(table, ""))
        return
    keys, final = [column.name for column in table.primary_key], dict[Any, Row]()
    for row in rows:  # a row that changes more than once is written once, as it is in the end
        final.setdefault(tuple(row[key] for key in keys), {}).update(row)
    by_shape: dict[tuple[str, ...], list[Row]] = {}
    for row in final.values():
        by_shape.setdefault(tuple(sorted(row)), []).append(row)
    for alike in by_shape.values():
        update_many(session.connection(), table, alike)


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """Undo what is inside if it raises, and go on. Loaded objects are forgotten then, so that none is stale."""
    session.flush()
    waiting = _of(session)
    waiting.scope = "asked"
    waiting.mark = {(name, table): len(rows) for name, table, rows in waiting.lots() if rows}
    try:
        yield
        session.flush()
    except BaseException:
        session.expunge_all()
        _undo(session, waiting)
        raise
    if waiting.scope == "open":
        _raw(session).execute("RELEASE SAVEPOINT op")
    waiting.scope = ""


def _undo(session: Session, waiting: _Waiting) -> None:
    for name, table, rows in waiting.lots():
        del rows[waiting.mark.get((name, table), 0) :]
    waiting.kept.clear()
    if waiting.scope == "open":
        _raw(session).execute("ROLLBACK TO SAVEPOINT op")
        _raw(session).execute("RELEASE SAVEPOINT op")
    waiting.scope = ""


def run(work: Callable[[Session], T]) -> T:
    """`work` in a transaction; where a row does not fit its table, once more with every row written at once."""
    try:
        return _run(work, is_eager=False)
    except (IntegrityError, DataError):
        return _run(work, is_eager=True)


def _run(work: Callable[[Session], T], is_eager: bool) -> T:
    with transaction() as session:
        _begin(session, is_eager)
        return work(session)


def _raw(session: Session) -> Any:
    return session.connection().connection.driver_connection


def _name(key: Row) -> Any:
    return next(iter(key.values())) if len(key) == 1 else tuple(key.values())


@event.listens_for(db.session, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    _before(state.session, state.statement)


def _before(session: Session, statement: Any) -> None:
    """Nobody reads past a row that waits; what another statement may change is no longer kept."""
    waiting = session.info.get(_KEY)
    if waiting is None:
        return
    write(session)
    if not statement.is_select:
        table = getattr(statement, "table", None)
        waiting.kept.pop(table, None) if table is not None else waiting.kept.clear()


BEFORE.append(_before)


@event.listens_for(db.session, "before_flush")
def _before_flush(session: Session, *_: Any) -> None:
    waiting = session.info.get(_KEY)
    if waiting is not None:
        write(session)
        for changed in (*session.new, *session.dirty, *session.deleted):
            waiting.kept.pop(changed.__table__, None)
