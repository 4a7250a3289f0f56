"""XLSX written row by row in constant memory. There is no code here that could write a formula, a link or a picture."""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any

MAX_ROWS = 1_000_000  # of one sheet: Excel ends at 1,048,576; what is more goes on in the next
_BLOCK = 500  # rows written at a time
_UGLY = re.compile("[&<>\x00-\x08\x0b\x0c\x0e-\x1f\r\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/>'
    '<name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
    '</fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" '
    'fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf '
    'numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" '
    'builtinId="0"/></cellStyles></styleSheet>'
)


class Book:
    """A workbook that is written once, front to back, into a binary file that can seek."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._names: list[str] = []

    def sheet(self, name: str, titles: Sequence[str], rows: Iterable[Sequence[Any]], foot: Iterable[str] = ()) -> None:
        """A sheet with a bold head that stays in view. `foot` is read after the rows: lines below them. Numbers stay numbers, all
        else is text."""
        whole, part, left = iter(rows), 1, True
        while left:
            lot = islice(whole, MAX_ROWS)
            begun = list(islice(lot, 1))
            if part > 1 and not begun:
                return
            following = list[Sequence[Any]]()
            self._write(
                name if part == 1 else f"{name} ({part})", titles, chain(begun, lot), _Foot(whole, following, foot)
            )
            whole, part, left = chain(following, whole), part + 1, bool(following)

    def close(self) -> None:
        """The parts that name the others."""
        sheets = "".join(
            f'<sheet name="{_text(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(self._names, 1)
        )
        links = "".join(
            f'<Relationship Id="rId{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(self._names) + 1)
        )
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
            for i in range(1, len(self._names) + 1)
        )
        self._put(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
        )
        styles = f'<Relationship Id="rId0" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        self._put(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">{links}{styles}</Relationships>',
        )
        self._put("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" '
                  'Target="xl/workbook.xml"/></Relationships>')  # fmt: skip
        self._zip.writestr("xl/styles.xml", _STYLES)
        self._put("[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/'
                  'vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/'
                  f'workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
                  f'{types}</Types>')  # fmt: skip
        self._zip.close()

    def _put(self, name: str, text: str) -> None:
        self._zip.writestr(name, _HEAD + text)

    def _write(self, name: str, titles: Sequence[str], rows: Iterable[Sequence[Any]], foot: Iterable[str]) -> None:
        self._names.append(name[:31])
        columns = [_letters(n) for n in range(len(titles))]
        with self._zip.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w", force_zip64=True) as part:
            part.write(
                f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
                f'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols><col min="1" max="{len(titles)}" width="16" '
                'customWidth="1"/></cols><sheetData>'.encode()
            )
            lines = _lines(columns, titles, rows, foot)
            while block := "".join(islice(lines, _BLOCK)):
                part.write(block.encode())
            part.write(b"</sheetData></worksheet>")


class _Foot:
    """The lines below the last sheet of several: whether it is the last shows when its rows are written."""

    def __init__(self, rest: Iterator[Sequence[Any]], following: list[Sequence[Any]], foot: Iterable[str]) -> None:
        self._rest, self._following, self._foot = rest, following, foot

    def __iter__(self) -> Iterator[str]:
        self._following.extend(islice(self._rest, 1))
        if not self._following:
            yield from self._foot


def _lines(
    columns: Sequence[str], titles: Sequence[str], rows: Iterable[Sequence[Any]], foot: Iterable[str]
) -> Iterator[str]:
    yield _row(1, columns, titles, ' s="1"')
    yield from (_row(n, columns, cells) for n, cells in enumerate(chain(rows, ([line] for line in foot)), 2))


def _row(n: int, columns: Sequence[str], cells: Sequence[Any], style: str = "") -> str:
    made = [
        f'<c r="{at}{n}"><v>{value}</v></c>'
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else f'<c r="{at}{n}"{style} t="inlineStr"><is><t xml:space="preserve">{_text(str(value))}</t></is></c>'
        for at, value in zip(columns, cells, strict=False)
        if value is not None and value != ""
    ]
    return f'<row r="{n}">{"".join(made)}</row>'


def _text(value: str) -> str:
    """Text of a cell: XML's own signs escaped, what XML cannot hold as `_xHHHH_`, as spreadsheets do."""
    return _UGLY.sub(lambda m: _NAMED.get(m[0]) or f"_x{ord(m[0]):04X}_", value) if _UGLY.search(value) else value


def _letters(n: int) -> str:
    """A, B … Z, AA …"""
    return _letters(n // 26 - 1) + chr(65 + n % 26) if n >= 26 else chr(65 + n)
