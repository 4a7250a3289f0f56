"""Whole tables, row by row and whatever they mean: copied from one database to another, and summed. No row
is judged.

Tables are read as the database has them (reflected), not as the models say: a backup may be of an older
schema. JSON travels as the text that is stored, so that nothing is written anew. The sum of a table does not
depend on the order of its rows, so that two databases which sort differently have the same one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, Column, MetaData, Select, Table, Text, cast, func, insert, select, text
from sqlalchemy.engine import Connection

BATCH = 1000
SCHEMA_TABLE = "alembic_version"
# What changes although nothing in the record does: the books of the protocol and of this server itself.
BOOKS = frozenset(
    {
        "commit_clock",
        "device_contacts",
        "epochs",
        "jobs",
        "journal",
        "journal_head",
        "notice_facts",
        "notices",
        "op_log",
        "outgoing",
        "server_meta",
        "web_sessions",
    }
)
Row = Sequence[Any]


def plain_tables(connection: Connection) -> list[Table]:
    """Every table of a database but alembic's own, by name, with JSON columns as text."""
    found = MetaData()
    found.reflect(connection)
    plain, names = MetaData(), sorted(set(found.tables) - {SCHEMA_TABLE})
    return [Table(name, plain, *map(_plain, found.tables[name].columns)) for name in names]


def _plain(column: Column[Any]) -> Column[Any]:
    is_json = isinstance(column.type, JSON)
    return Column(
        column.name,
        Text() if is_json else column.type,
        primary_key=column.primary_key,
        info={"json": is_json},
    )


def _rows_of(table: Table) -> Select[Any]:
    return select(*(cast(c, Text).label(c.name) if c.info["json"] else c for c in table.columns))


def batches(connection: Connection, table: Table) -> Iterator[Sequence[Row]]:
    """All rows of a table, BATCH at a time, from one server-side cursor: memory stays flat."""
    result = connection.execution_options(yield_per=BATCH).execute(_rows_of(table))
    yield from result.partitions()


def fill(connection: Connection, table: Table, lots: Iterable[Sequence[Row]]) -> int:
    """Add rows to a table; returns how many. Counters of PostgreSQL go on after the last of them."""
    count = 0
    for rows in lots:
        count += len(rows)
        if connection.dialect.name == "postgresql":
            _copy_in(connection, table, rows)
        else:
            names = [column.name for column in table.columns]
            connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection, table)
    return count


def _copy_in(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """PostgreSQL's COPY: some five times as fast as INSERT."""
    raw: Any = connection.connection.driver_connection
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _go_on_counting(connection: Connection, table: Table) -> None:
    for column in table.primary_key:
        name = {"t": f'"{table.name}"', "c": column.name}
        counter = connection.execute(text("SELECT pg_get_serial_sequence(:t, :c)"), name).scalar()
        if counter is not None:
            last = connection.execute(select(func.max(column))).scalar()
            if last is not None:
                connection.execute(text("SELECT setval(:s, :n)"), {"s": counter, "n": last})


def copy_all(source: Connection, target: Connection) -> None:
    """Every row of `source` into the empty tables of `target`, which stands at the same step of the
    schema."""
    there = {table.name: table for table in plain_tables(target)}
    for table in plain_tables(source):
        fill(target, there[table.name], batches(source, table))


def empty_all(connection: Connection) -> None:
    """Take every row away (PostgreSQL: all tables are locked first, whoever is in the middle of a push ends
    before)."""
    names = [f'"{table.name}"' for table in plain_tables(connection)]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text(f"TRUNCATE {', '.join(names)}"))
        return
    for name in names:
        connection.execute(text(f"DELETE FROM {name}"))


def has_rows(connection: Connection) -> bool:
    """Whether a database holds anything of a record (its own epoch alone is nothing)."""
    mine = [
        table for table in plain_tables(connection) if table.name in ("op_log", "users", "areas", "replicas", "uploads")
    ]
    return any(connection.execute(select(text("1")).select_from(table).limit(1)).first() for table in mine)


def sums(connection: Connection) -> dict[str, dict[str, Any]]:
    """{table: {rows, sum}}: the same for the same rows, on SQLite and on PostgreSQL, in whatever order they
    are stored."""
    return {table.name: _sum(connection, table) for table in plain_tables(connection)}


def _sum(connection: Connection, table: Table) -> dict[str, Any]:
    count, total = 0, 0
    order = sorted(range(len(table.columns)), key=lambda n: list(table.columns)[n].name)
    for rows in batches(connection, table):
        count += len(rows)
        for row in rows:
            total += int.from_bytes(hashlib.sha256(_canonical([row[n] for n in order])).digest()[:16], "big")
    return {"rows": count, "sum": f"{total % (1 << 128):032x}"}


def _canonical(values: list[Any]) -> bytes:
    return orjson.dumps([_readable(value) for value in values])


def _readable(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes | memoryview) else value


def state_hash(found: Mapping[str, Mapping[str, Any]]) -> str:
    """One hash of the record's state: all tables but the books, which a restore itself writes on."""
    lines = [f"{name} {t['rows']} {t['sum']}\n" for name, t in sorted(found.items()) if name not in BOOKS]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
