"""A bundle: all that is in one bucket at one moment, as lines of JSON (rules P45–P47). Pure: bytes in, rows out.

First line: what it is. Then lines with tables and rows (P40). Last line: how many rows there were, so that a bundle
that lacks its end is never taken for a short one.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sync_protocol import tables
from sync_protocol.cursor import MAX_SUB

Row = dict[str, Any]


class BadBundle(ValueError):
    """Cut, spoilt, or another bundle than the one named: nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one bundle holds; it stands at (clock, MAX_SUB) of its bucket."""

    epoch: str
    bucket: str
    clock: int
    schema: int
    rows: Sequence[Row]


def write(bundle: Bundle) -> bytes:
    """The lines of a bundle. Its rows are all of its bucket and all puts."""
    rest, packed = tables.pack(bundle.rows)
    lines = [orjson.dumps({"tables": [table]}) for table in packed]
    lines += [orjson.dumps({"rows": rest})] if rest else []
    body = b"".join(line + b"\n" for line in lines)
    head = {
        "bundle": 1, "epoch": bundle.epoch, "bucket": bundle.bucket, "seq": bundle.clock, "sub": MAX_SUB,
        "schema": bundle.schema, "counts": Counter(row["t"] for row in bundle.rows), "sha256": _hash(body),
    }  # fmt: skip
    return orjson.dumps(head) + b"\n" + body + orjson.dumps({"end": True, "count": len(bundle.rows)}) + b"\n"


def read(data: bytes) -> Bundle:
    """Lines → bundle. Raises BadBundle, also for rows that do not belong in it."""
    first, _, after = data.partition(b"\n")
    body, _, last = after.rstrip(b"\n").rpartition(b"\n")
    body = body + b"\n" if body else b""
    try:
        head, tail = orjson.loads(first), orjson.loads(last)
        rows = [row for line in body.splitlines() for row in _rows(orjson.loads(line))]
        made = Bundle(head["epoch"], head["bucket"], head["seq"], head["schema"], rows)
        is_whole = tail["end"] is True and tail["count"] == len(rows) and head["bundle"] == 1
        is_sound = head["sha256"] == _hash(body) and head["counts"] == Counter(row["t"] for row in rows)
        is_own = all(_is_own(row, made.bucket) for row in rows)
    except (orjson.JSONDecodeError, KeyError, TypeError, tables.BadTable) as fault:
        raise BadBundle(f"not a bundle: {fault!r}") from fault
    if not (is_whole and is_sound and is_own and type(made.clock) is int):
        raise BadBundle("its rows are not what it says")
    return made


def _is_own(row: Mapping[str, Any], bucket: str) -> bool:
    is_put = row["op"] == "put" and type(row["ver"]) is int and "data" in row
    return is_put and row["b"] == bucket and isinstance(row["t"], str) and isinstance(row["id"], str)


def _rows(line: Mapping[str, Any]) -> list[Row]:
    return [*line.get("rows", ()), *tables.unpack(line.get("tables", ()))]


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
