"""Ledgers as CSV and XLSX, streamed row by row. No sums are made here; no cell is ever a formula."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

Columns = Sequence[tuple[str, str]]
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe."""
    if isinstance(value, str) and value.startswith(DANGEROUS):
        return f"'{value}"
    return "" if value is None else value


def csv_lines(columns: Columns, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """RFC 4180 with a BOM for Excel; the footer says how many rows and their SHA-256."""
    digest, count = hashlib.sha256(), 0
    yield "\ufeff" + _line([title for _, title in columns])
    for row in rows:
        line = _line([safe(row.get(name)) for name, _ in columns])
        digest.update(line.encode())
        count += 1
        yield line
    yield _line([f"# 共 {count} 行 rows", f"sha256 {digest.hexdigest()}"])


def _line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()


def xlsx(target: Path, sheets: Iterable[tuple[str, Columns, Iterable[Mapping[str, Any]]]]) -> dict[str, int]:
    """Write sheets (name, columns, rows) in constant memory; returns the number of rows of each."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    counts: dict[str, int] = {}
    with xlsxwriter.Workbook(str(target), options) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        for name, columns, rows in sheets:
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(columns) - 1, 16)
            sheet.write_row(0, 0, [title for _, title in columns], bold)
            digest, n = hashlib.sha256(), 0
            for n, row in enumerate(rows, 1):  # noqa: B007 - n is the count afterwards
                cells = [row.get(key) for key, _ in columns]
                digest.update(repr(cells).encode())
                for at, cell in enumerate(cells):
                    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                        sheet.write_number(n, at, cell)
                    elif cell not in (None, ""):
                        sheet.write_string(n, at, str(cell))
            sheet.write_string(n + 1, 0, f"共 {n} 行 rows; sha256 {digest.hexdigest()}")
            counts[name] = n
    return counts
