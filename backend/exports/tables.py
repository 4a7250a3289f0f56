"""Rows as CSV, XLSX, GeoJSON and JSON Lines, streamed row by row; each ends with how many there are and their SHA-256.

No sums are made here; no cell is ever a formula. The digest is that of the rows as they stand in the file (CSV, JSON Lines,
GeoJSON: each followed by its line end), of XLSX that of its rows as JSON lists, a line each.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

import orjson

from backend.exports.sheets import Book

Columns = Sequence[tuple[str, str]]
Rows = Iterable[Mapping[str, Any]]
Foot = Sequence[
    tuple[str, str, str, Any]
]  # what a file says below its rows: member, label, words, and the value itself
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe. A number is none."""
    if isinstance(value, str) and value.startswith(DANGEROUS):
        return f"'{value}"
    return "" if value is None else value


class Tally:
    """How many rows went by, and their digest."""

    def __init__(self) -> None:
        self.count, self._sum = 0, hashlib.sha256()

    def add(self, line: bytes) -> None:
        """One more row."""
        self.count += 1
        self._sum.update(line)

    @property
    def sha256(self) -> str:
        """Digest so far."""
        return self._sum.hexdigest()

    def words(self) -> Iterator[str]:
        """The footer, once the rows are through."""
        yield f"# 共 {self.count} 行 rows; sha256 {self.sha256}"


def csv_lines(columns: Columns, rows: Rows, foot: Foot = ()) -> Iterator[str]:
    """RFC 4180 with a BOM for Excel; the footer says how many rows and their SHA-256, and then what `foot` does."""
    tally = Tally()
    yield "\ufeff" + _line([title for _, title in columns])
    for row in rows:
        line = _line([safe(row.get(name)) for name, _ in columns])
        tally.add(line.encode())
        yield line
    yield _line([f"# 共 {tally.count} 行 rows", f"sha256 {tally.sha256}"])
    yield from (_line([f"# {label}", safe(words)]) for _, label, words, _ in foot)


def _line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()


def write_csv(file: IO[bytes], title: str, columns: Columns, rows: Rows, foot: Foot = ()) -> None:
    """CSV into a binary file."""
    for line in csv_lines(columns, rows, foot):
        file.write(line.encode())


def write_jsonl(file: IO[bytes], title: str, columns: Columns, rows: Rows, foot: Foot = ()) -> None:
    """One JSON object a line; the last line is {"rows", "sha256"} and the members of `foot`."""
    tally = Tally()
    for row in rows:
        line = orjson.dumps({name: row.get(name) for name, _ in columns}) + b"\n"
        tally.add(line)
        file.write(line)
    said = {name: value for name, _, _, value in foot}
    file.write(orjson.dumps({"rows": tally.count, "sha256": tally.sha256, **said}) + b"\n")


def write_geojson(file: IO[bytes], title: str, columns: Columns, rows: Rows, foot: Foot = ()) -> None:
    """RFC 7946, WGS 84: a point each, none where there is no place yet; rows and digest are members beside the features, as
    those of `foot` are."""
    tally, names = Tally(), [name for name, _ in columns if name not in ("lon", "lat")]
    file.write(b'{"type":"FeatureCollection","features":[\n')
    for row in rows:
        place = (
            None
            if row["lon"] is None
            else {"type": "Point", "coordinates": [round(row["lon"], 7), round(row["lat"], 7)]}
        )
        line = orjson.dumps(
            {"type": "Feature", "geometry": place, "properties": {name: row.get(name) for name in names}}
        )
        file.write(b",\n" + line if tally.count else line)
        tally.add(line + b"\n")
    said = orjson.dumps({"rows": tally.count, "sha256": tally.sha256, **{name: value for name, _, _, value in foot}})
    file.write(b"\n]," + said[1:] + b"\n")


def write_xlsx(file: IO[bytes], title: str, columns: Columns, rows: Rows, foot: Foot = ()) -> None:
    """One sheet."""
    book = Book(file)
    _sheet(book, title, columns, rows, foot)
    book.close()


def _sheet(book: Book, title: str, columns: Columns, rows: Rows, foot: Foot = ()) -> int:
    tally, names = Tally(), [name for name, _ in columns]

    def cells() -> Iterator[Sequence[Any]]:
        for row in rows:
            found = [row.get(name) for name in names]
            tally.add(orjson.dumps(found) + b"\n")
            yield found

    book.sheet(
        title,
        [label for _, label in columns],
        cells(),
        chain(tally.words(), (f"# {label} {words}" for _, label, words, _ in foot)),
    )
    return tally.count


def xlsx(target: Path, sheets: Iterable[tuple[str, Columns, Rows]]) -> dict[str, int]:
    """Write sheets (name, columns, rows) into a file; returns the number of rows of each."""
    with open(target, "wb") as file:
        book = Book(file)
        counts = {name: _sheet(book, name, columns, rows) for name, columns, rows in sheets}
        book.close()
    return counts


# form: (media type, writer)
FORMS: Mapping[str, tuple[str, Callable[[IO[bytes], str, Columns, Rows, Foot], None]]] = {
    "csv": ("text/csv", write_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
    "jsonl": ("application/x-ndjson", write_jsonl),
    "geojson": ("application/geo+json", write_geojson),
}
