"""GET /v1/exports/…: each form holds the same rows, ends with their number and digest, and nobody gets more than they see."""

import csv
import hashlib
import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.exports import tables
from backend.exports.files import EXPORTS
from backend.ledgers import sheet
from backend.problems.models import Problem
from tests import make
from tests.cast import A_SITE, B_SITE, CITY, A, B, World, told

HOSTILE = '=HYPERLINK("http://evil.example","x")'
FORMS = [(what, form) for what, export in EXPORTS.items() for form in export.forms]


@pytest.fixture(scope="module", autouse=True)
def story(world: World) -> dict[str, Any]:
    """Problems in both districts, one whose words begin like a formula, one without a place."""
    a, b = world.any_phone("inspector_a"), world.any_phone("inspector_b")
    made = {"a": make.problem(world, a, A_SITE), "b": make.problem(world, b, B_SITE), "ugly": make.problem(world, a, world.site(A))}
    world.change(Problem.__table__.update().where(Problem.id == made["ugly"].id).values(description=HOSTILE, spot="@SUM(A1)", plan="＝1+1"))
    a.record("problem.report", ("finding", make.new_id()), make.report(None, fix={"lon": 116.39, "lat": 39.9, "accuracy_m": 5, "crs": "wgs84"}))
    return made


def got(world: World, login: str, what: str, form: str, **more: str) -> bytes:
    answer = world.desk(login).get(f"/v1/exports/{what}.{form}", query_string=more)
    assert answer.status_code == 200, answer.text
    data: bytes = answer.data
    return data


def cells(data: bytes) -> tuple[list[list[Any]], str]:
    """Rows below the head of a workbook, and its footer."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    rows = [list(row) for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)]
    book.close()
    return rows[:-1], str(rows[-1][0])


@pytest.mark.parametrize(("what", "form"), FORMS)
@pytest.mark.answers("exports.export", 200)
def test_each_form_of_an_export_holds_the_same_rows_and_proves_them(world: World, what: str, form: str) -> None:
    data, columns = got(world, "city", what, form), EXPORTS[what].columns
    *lines, last = got(world, "city", what, "jsonl").splitlines(keepends=True)
    rows = [json.loads(line) for line in lines]
    assert json.loads(last) == {"rows": len(rows), "sha256": hashlib.sha256(b"".join(lines)).hexdigest()} and len(rows) >= 4
    if form == "csv":
        assert data.startswith(b"\xef\xbb\xbf")
        _, *body, foot = data.removeprefix(b"\xef\xbb\xbf").split(b"\r\n")[:-1]
        digest = hashlib.sha256(b"".join(b + b"\r\n" for b in body))
        assert foot.decode() == f"# 共 {len(rows)} 行 rows,sha256 {digest.hexdigest()}"
        found = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))[1:-1]
        assert [[c.removeprefix("'") for c in row] for row in found] == [["" if r.get(n) is None else str(r[n]) for n, _ in columns] for r in rows]
    elif form == "xlsx":
        found, foot = cells(data)
        assert [[c or "" for c in row] + [""] * (len(columns) - len(row)) for row in found] == [[r.get(n) or "" for n, _ in columns] for r in rows]
        digest = hashlib.sha256(b"".join(json.dumps([r.get(n) for n, _ in columns], ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for r in rows))
        assert foot == f"# 共 {len(rows)} 行 rows; sha256 {digest.hexdigest()}"
    elif form == "geojson":
        made = json.loads(data)
        assert made["rows"] == len(made["features"]) == len(rows)
        body = data.split(b"[\n", 1)[1].rsplit(b"\n]", 1)[0].replace(b",\n", b"\n") + b"\n"
        assert made["sha256"] == hashlib.sha256(body).hexdigest()
        for feature, row in zip(made["features"], rows, strict=True):
            assert (feature["geometry"] or {}).get("coordinates") == (None if row["lon"] is None else [round(row["lon"], 7), round(row["lat"], 7)])
            assert feature["properties"] == {k: v for k, v in row.items() if k not in ("lon", "lat")}


def test_text_that_begins_like_a_formula_is_text_in_every_form(world: World, story: dict[str, Any]) -> None:
    number = story["ugly"].number
    line = next(row for row in csv.reader(io.StringIO(got(world, "city", "problems", "csv").decode("utf-8-sig"))) if row[0] == number)
    assert f"'{HOSTILE}" in line and "'@SUM(A1)" in line and "'＝1+1" in line
    data = got(world, "city", "problems", "xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        assert not any(b"<f" in parts.read(n).replace(b"<font", b"").replace(b"<fill", b"") for n in parts.namelist())
    sheet_of = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
    assert {cell.data_type for row in sheet_of.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    assert any(cell.value == HOSTILE for row in sheet_of.iter_rows() for cell in row)


@pytest.mark.parametrize("what", ["problems", "rectifications", "responsibilities"])
def test_nobody_gets_a_row_that_they_do_not_see(world: World, story: dict[str, Any], what: str) -> None:
    def numbers(login: str) -> set[str]:
        return {row["number"] for row in map(json.loads, got(world, login, what, "jsonl").splitlines()[:-1])}

    assert {story["a"].number, story["ugly"].number} <= numbers("zhangdian") and story["b"].number not in numbers("zhangdian")
    assert numbers("zichuan") == {story["b"].number} and numbers("nanding") == {story["a"].number}


@pytest.mark.answers("exports.export", 403)
def test_who_may_not_export_gets_nothing(world: World) -> None:
    for login in ("inspector_a", "kindergarten"):
        assert told(world.desk(login).get("/v1/exports/problems.csv")) == (403, "forbidden")


@pytest.mark.parametrize("path", ["rumours.csv", "problems.pdf", "areas.geojson",
                                  f"problems.csv?node={B}", f"areas.xlsx?node={CITY}", "problems.geojson?node=x"])  # fmt: skip
@pytest.mark.answers("exports.export", 404)
def test_what_there_is_not_or_is_not_ones_own_is_not_found(world: World, path: str) -> None:
    assert told(world.desk("zhangdian").get(f"/v1/exports/{path}")) == (404, "not_found")


def test_an_export_of_problems_has_25_columns_and_no_name_of_a_person(world: World) -> None:
    assert len(sheet.COLUMNS) == 25
    text = got(world, "city", "problems", "jsonl").decode()
    assert not any(word in text for word in ("排查员", "inspector", "u-", "sha256:"))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=30), st.one_of(st.none(), st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9), st.text(max_size=8)))))
def test_whatever_is_written_comes_out_of_a_workbook_as_it_went_in(rows: list[tuple[str, Any]]) -> None:
    file = io.BytesIO()
    tables.write_xlsx(file, "x", (("a", "甲"), ("b", "乙")), [{"a": a, "b": b} for a, b in rows])
    found = [row.value for row in openpyxl.load_workbook(io.BytesIO(file.getvalue())).worksheets[0]["A"]][1:-1]
    assert [openpyxl.utils.escape.unescape(v or "").replace("\r\n", "\n") for v in found] == [a.replace("\r\n", "\n") for a, _ in rows]


@given(st.text(max_size=20))
def test_no_cell_of_a_csv_begins_like_a_formula(text: str) -> None:
    row = next(csv.reader(io.StringIO("".join(tables.csv_lines((("a", "甲"),), [{"a": text}])).split("\r\n", 1)[1], newline="")))
    assert not row or not row[0].startswith(tables.DANGEROUS)


def test_a_sheet_that_is_full_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.exports.sheets.MAX_ROWS", 3)
    for count, sizes in ((0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3])):
        file = io.BytesIO()
        tables.write_xlsx(file, "x", (("a", "甲"),), [{"a": n} for n in range(count)])
        book = openpyxl.load_workbook(io.BytesIO(file.getvalue()))
        rows = [[c.value for c in s["A"]][1:] for s in book.worksheets]
        assert rows[-1].pop().startswith(f"# 共 {count} 行") and [len(r) for r in rows] == sizes and sum(rows, []) == list(range(count))
