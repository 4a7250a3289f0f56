"""Many rows of one kind as one table: column by column, each written in the shortest of a few ways (rule P40).

Lossless: whoever reads a table has the rows. Pure; nothing here knows what a row means. Ids, codes and
coordinates are most of what a device downloads, and written row by row no packer makes them small.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

Row = dict[str, Any]
Table = dict[str, Any]
MIN_ROWS = 4  # fewer stay rows
MAX_ROWS = 100_000  # a table that claims more is not read: it would fill a phone
PLACES = (5, 7)  # decimals at which numbers are tried as whole ones
MAX_DECIMAL = 1e6  # 10^13 at seven decimals: whole numbers are exact there
MAX_WHOLE = 2**53  # what JavaScript counts to
NUMBER = re.compile(r"[0-9]{1,15}(?=[^0-9]*$)")  # the last number in a text; 15 digits are exact everywhere
LONGEST = 120  # texts longer than this hold no number worth looking for


class BadTable(ValueError):
    """Not a table of this protocol: the answer that holds it is not taken."""


def pack(rows: Iterable[Row]) -> tuple[list[Row], list[Table]]:
    """Rows of a page → (rows that stay rows, tables). A row is in the one or in the other."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        shape = tuple(row["data"]) if isinstance(row.get("data"), dict) else None
        groups.setdefault((row["b"], row["t"], row["op"], shape), []).append(row)
    rest: list[Row] = []
    tables: list[Table] = []
    for (_, _, op, shape), members in groups.items():
        if len(members) < MIN_ROWS or (op == "put" and shape is None):
            rest += members
        else:
            tables.append(_table(members, shape or ()))
    return rest, tables


def _table(rows: Sequence[Row], names: Sequence[str]) -> Table:
    first, ids = rows[0], [row["id"] for row in rows]
    made = {"b": first["b"], "t": first["t"], "op": first["op"], "n": len(rows), "id": _column(ids, None)}
    if first["op"] == "put":
        made["ver"] = _column([row["ver"] for row in rows], ids)
        made["data"] = {name: _column([row["data"][name] for row in rows], ids) for name in names}
    return made


def unpack(tables: Any) -> list[Row]:
    """Tables → rows. Raises BadTable."""
    rows: list[Row] = []
    try:
        for table in tables:
            rows += _rows(table, MAX_ROWS - len(rows))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError) as fault:
        raise BadTable(f"not a table: {fault!r}") from fault
    return rows


def _rows(table: Mapping[str, Any], most: int) -> list[Row]:
    count, op = table["n"], table["op"]
    if type(count) is not int or not 0 <= count <= most or op not in ("put", "remove"):
        raise BadTable("n or op is out of bounds")
    ids = _values(table["id"], count, None)
    common = {"b": table["b"], "t": table["t"], "op": op}
    if op == "remove":
        return [{**common, "id": i} for i in ids]
    vers = _values(table["ver"], count, ids)
    columns = {name: _values(column, count, ids) for name, column in table["data"].items()}
    names = list(columns)
    data = [dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    data = data or [{} for _ in ids]
    return [{**common, "id": i, "ver": v, "data": d} for i, v, d in zip(ids, vers, data, strict=True)]


def _column(values: list[Any], ids: list[Any] | None) -> Any:
    """The shortest of the ways that give `values` back to the letter."""
    if values.count(values[0]) == len(values) and len({orjson.dumps(value) for value in values}) == 1:
        return {"all": values[0]}  # equal to the letter: 1 is not 1.0
    if ids is not None and values == ids:
        return {"as": "id"}
    ways = [way for way in (_numbered(values), _chosen(values), _whole(values), *_decimal(values)) if way is not None]
    return min([values, *ways], key=lambda way: len(orjson.dumps(way)))


def _values(column: Any, count: int, ids: list[Any] | None) -> list[Any]:
    if isinstance(column, list):
        found = column
    else:
        ((way, told),) = ((k, v) for k, v in column.items() if k in _READ)
        found = ids if way == "as" and ids is not None else _READ[way](column, told, count)
    if len(found) != count:
        raise BadTable("a column is longer or shorter than its table")
    return found


def _numbered(values: list[Any]) -> dict[str, Any] | None:
    """Texts that differ in one number, in runs: [before, after, digits, [first, step, step, …]]."""
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in values):
        return None
    runs: list[Any] = []
    last = 0
    for value in values:
        found = NUMBER.search(value)
        if found is None:
            return None
        frame, number = [value[: found.start()], value[found.end() :], len(found[0])], int(found[0])
        if runs and runs[-1][:3] == frame:
            runs[-1][3].append(number - last)
        else:
            runs.append([*frame, [number]])
        last = number
    return {"num": runs}


def _read_numbered(_: Any, runs: Any, count: int) -> list[Any]:
    found: list[Any] = []
    for before, after, digits, steps in runs:
        if len(found) + len(steps) > count or digits > 15:
            raise BadTable("a run is too long")
        found += [f"{before}{number:0{digits}d}{after}" for number in _summed(steps)]
    return found


def _chosen(values: list[Any]) -> dict[str, Any] | None:
    """Few different texts: the texts once, and which of them each row has."""
    if not all(isinstance(value, str) for value in values):
        return None
    place = {value: n for n, value in enumerate(dict.fromkeys(values))}
    return {"of": list(place), "at": [place[value] for value in values]}


def _read_chosen(column: Any, texts: Any, _: int) -> list[Any]:
    if any(n < 0 for n in column["at"]):
        raise BadTable("a place is negative")
    return [texts[n] for n in column["at"]]


def _decimal(values: list[Any]) -> list[dict[str, Any]]:
    """Decimal numbers, or lists of as many of them, as whole steps from row to row: {"dec": places, "n", "line"}."""
    lists = values if isinstance(values[0], list) else [[value] for value in values]
    width = len(lists[0]) if isinstance(values[0], list) else None
    if not all(isinstance(v, list) and 0 < len(v) == len(lists[0]) for v in lists):
        return []
    if not all(type(x) is float and abs(x) < MAX_DECIMAL for v in lists for x in v):
        return []
    made = []
    for places in PLACES:
        whole = [[round(x * 10**places) for x in v] for v in lists]
        if repr([[n / 10**places for n in v] for v in whole]) == repr(lists):  # the letters: 0.0 is not -0.0
            before = [[0] * len(lists[0]), *whole]
            steps = [n - m for v, was in zip(whole, before, strict=False) for n, m in zip(v, was, strict=True)]
            made.append({"dec": places, "n": width, "line": _line(steps)})
    return made


def _whole(values: list[Any]) -> dict[str, Any] | None:
    """Lists of whole numbers, end to end: {"n": how many each has, or all have, "line"}."""
    if not all(isinstance(v, list) and all(type(x) is int and abs(x) < MAX_WHOLE for x in v) for v in values):
        return None
    sizes = [len(v) for v in values]
    size = sizes[0] if sizes == sizes[:1] * len(sizes) else sizes
    return {"n": size, "line": _line([x for v in values for x in v])}


def _read_line(column: Any, text: Any, count: int) -> list[Any]:
    numbers, n, places = _unline(text), column["n"], column.get("dec")
    if places is None:
        sizes = n if isinstance(n, list) else [n] * count
        cuts = _summed(sizes)
        if not cuts or min(sizes) < 0 or cuts[-1] != len(numbers):
            raise BadTable("a line is longer or shorter than its lists")
        return [numbers[end - size : end] for size, end in zip(sizes, cuts, strict=True)]
    width = 1 if n is None else n
    if places not in PLACES or type(width) is not int or width * count != len(numbers):
        raise BadTable("decimals are 5 or 7, and every row has as many")
    lines = [[number / 10**places for number in _summed(numbers[k::width])] for k in range(width)]
    return lines[0] if n is None else [list(point) for point in zip(*lines, strict=True)]


def _line(numbers: Iterable[int]) -> str:
    """Whole numbers as one text: the sign in the lowest bit, then five bits a letter from the low end, 32 more where
    another letter follows, all from `?` on (the letters of an encoded polyline)."""
    letters = bytearray()
    for number in numbers:
        n = -2 * number - 1 if number < 0 else 2 * number
        while n >= 32:
            letters.append(63 + 32 + n % 32)
            n //= 32
        letters.append(63 + n)
    return letters.decode("ascii")


def _unline(text: str) -> list[int]:
    numbers, n, place = [], 0, 1
    for letter in text.encode("ascii"):
        if not 63 <= letter < 127 or place > MAX_WHOLE:
            raise BadTable("not a letter of a line")
        n += (letter - 63) % 32 * place
        place *= 32
        if letter < 95:
            numbers.append(n // 2 if n % 2 == 0 else -(n // 2) - 1)
            n, place = 0, 1
    if place != 1:
        raise BadTable("a line is cut")
    return numbers


def _summed(steps: Sequence[int]) -> list[int]:
    total, found = 0, []
    for step in steps:
        if type(step) is not int:
            raise BadTable("a step is a whole number")
        total += step
        found.append(total)
    return found


_READ: Mapping[str, Any] = {
    "all": lambda _, value, count: [value] * count, "num": _read_numbered, "of": _read_chosen, "line": _read_line,
    "as": lambda *_: [],
}  # fmt: skip
