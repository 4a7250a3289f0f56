"""Tables hold rows to the letter, whatever the rows; nothing that is no table is taken. Outlines likewise."""

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import sync_protocol
from sync_protocol import rings, tables

VECTOR = Path(sync_protocol.__file__).parent / "vectors" / "tables.json"
TEXT = st.sampled_from(["", "甲", "A1", "A2", "A09", "A10", "s1:ZB-0001:p", "s1:ZB-0002:p", "9" * 20, "0", "-0", "٣"]) | st.text(max_size=6)
LEAF = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
NUMBERS = st.lists(st.integers(-(2**53) + 1, 2**53 - 1), max_size=4)
POINT = st.lists(st.floats(-180, 180).map(lambda x: round(x, 5)), min_size=2, max_size=2)
CELL = LEAF | NUMBERS | POINT | st.lists(LEAF, max_size=2) | st.dictionaries(st.sampled_from("xy"), LEAF, max_size=2)
COLUMN = st.sampled_from([LEAF, TEXT, NUMBERS, POINT, CELL, st.floats(-180, 180).map(lambda x: round(x, 7)), st.integers(0, 3)])


@st.composite
def some_rows(draw: Any) -> list[dict[str, Any]]:
    """Rows of a page: a few kinds, each with its columns; no (bucket, type, id) twice."""
    rows = []
    for kind in draw(st.lists(st.sampled_from("pqr"), unique=True, max_size=3)):
        columns = draw(st.dictionaries(st.sampled_from(["id", "at", "name", "n"]), COLUMN, max_size=4))
        for ent in draw(st.lists(TEXT, unique=True, max_size=9)):
            row = {"b": draw(st.sampled_from(["b1", "b2"])), "t": kind, "id": ent}
            if draw(st.integers(0, 3)) == 0:
                rows.append({**row, "op": "remove"})
            else:
                data = {name: draw(cell) for name, cell in columns.items()}
                rows.append({**row, "op": "put", "ver": draw(st.integers(1, 3)), "data": data})
    return rows


def letters(rows: list[dict[str, Any]]) -> list[bytes]:
    return sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows)


@given(some_rows())
@example([{"b": "b", "t": "p", "id": str(n), "op": "put", "ver": 1, "data": {"x": x}} for n, x in enumerate([0.0, -0.0, 1.0, 2.0])])
@example([{"b": "b", "t": "p", "id": str(n), "op": "put", "ver": 1, "data": {"x": x}} for n, x in enumerate([1, 1.0, True, 1])])
def test_p40_tables_give_the_rows_back_to_the_letter(rows: list[dict[str, Any]]) -> None:
    rest, packed = tables.pack(rows)
    wire = orjson.loads(orjson.dumps(packed))
    assert letters([*rest, *tables.unpack(wire)]) == letters(rows)


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1)))
def test_p40_a_line_of_numbers_is_read_as_it_was_written(numbers: list[int]) -> None:
    assert tables._unline(tables._line(numbers)) == numbers


def test_p40_the_vector_is_read_and_written_by_everybody() -> None:
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    assert letters(tables.unpack(vector["tables"])) == letters(vector["rows"])
    assert tables.pack(vector["rows"]) == ([], vector["tables"])


def a_table(**more: Any) -> dict[str, Any]:
    """A table of two rows, both read before `more` spoils it."""
    made = {"b": "b1", "t": "site", "op": "put", "n": 2, "id": ["a", "b"], "ver": {"all": 1}, "data": {"x": [1, 2]}}
    assert len(tables.unpack([made])) == 2
    return made | more


BAD: list[dict[str, Any]] = [
    {"n": 3}, {"n": 1}, {"n": -1}, {"n": True}, {"n": 10**12, "id": {"all": "a"}, "data": {"x": {"all": 1}}}, {"op": "wipe"},
    {"id": None}, {"id": {"as": "id"}}, {"id": {"num": [["a", "", 99, [1, 1]]]}}, {"id": {"num": [["a", "", 1, [1] * 10_000]]}},
    {"id": {"num": [["a", "", 1, [1, 0.5]]]}}, {"data": None}, {"data": {"x": {"of": ["p"], "at": [0, 1]}}},
    {"data": {"x": {"of": ["p"], "at": [0, -1]}}}, {"data": {"x": {"who": "knows"}}}, {"data": {"x": {}}}, {"data": {"x": 5}},
    {"data": {"x": {"n": 1, "line": "~"}}}, {"data": {"x": {"n": 1, "line": "A"}}}, {"data": {"x": {"n": 1, "line": "é?"}}},
    {"data": {"x": {"n": [9, -7], "line": "??"}}}, {"data": {"x": {"n": 1, "line": "~" * 5000 + "?"}}},
    {"data": {"x": {"dec": 400, "n": None, "line": "??"}}}, {"data": {"x": {"dec": 5, "n": 10**9, "line": "??"}}},
    {"data": {"x": {"dec": 5, "n": 0, "line": ""}}},
]  # fmt: skip


@pytest.mark.parametrize("more", BAD, ids=str)
def test_p40_what_is_no_table_is_refused_and_costs_nothing(more: dict[str, Any]) -> None:
    made, started = a_table(**more), time.perf_counter()
    with pytest.raises(tables.BadTable):
        tables.unpack([made])
    assert time.perf_counter() - started < 1


def test_p40_many_tables_may_not_claim_more_rows_together_than_one() -> None:
    large = a_table(n=tables.MAX_ROWS, id={"all": "a"}, data={})
    assert len(tables.unpack([large])) == tables.MAX_ROWS
    with pytest.raises(tables.BadTable):
        tables.unpack([large, large])


@given(st.lists(st.tuples(st.integers(-18_000_000, 18_000_000), st.integers(-9_000_000, 9_000_000)), min_size=3, max_size=9))
def test_p41_an_outline_is_told_to_the_metre(points: list[tuple[int, int]]) -> None:
    ring = [[x / rings.DEGREE, y / rings.DEGREE] for x, y in [*points, points[0]]]
    at = [118.04123, 36.81456]
    told = rings.pack(at, ring)
    assert len(told) == 2 * len(points) and all(isinstance(n, int) for n in told)
    assert rings.unpack(at, told) == ring


def test_p41_an_outline_with_half_a_point_is_refused() -> None:
    assert rings.unpack([118.0, 36.8], []) == []
    with pytest.raises(ValueError, match="as many"):
        rings.unpack([118.0, 36.8], [1, 2, 3])
