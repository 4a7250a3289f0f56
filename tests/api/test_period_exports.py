"""GET /v1/exports/periods/… and …/restatements/…: what was published, as a file with its number, digest and completeness; then, now and why."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from backend.cli.main import main
from backend.exports.periods import COLUMNS, FORMS
from backend.now import now_utc
from backend.periods.rules import MEASURES
from backend.periods.words import MEASURES_ZH
from backend.workdays import local_date
from tests import make
from tests.cast import A, B, World, told

NOTE = '=HYPERLINK("http://evil.example","周报（示例）")'


@pytest.fixture(scope="module")
def number(world: World) -> Iterator[str]:
    """A published period of two districts' problems; one was deleted and one received since, and it was restated."""
    today = local_date(now_utc())
    a, b = world.any_phone("inspector_a"), world.any_phone("inspector_b")
    one, _ = make.problem(world, a, world.site(A)), make.problem(world, b, world.site(B))
    made = do(world, "publish", "city", period=f"{today - timedelta(days=33)}/{today}", note=NOTE)
    gone = {"verb": "problem.act", "ent": {"t": "problem", "id": one.id}, "base": {"ver": one.ver}, "args": make.act("delete", note="误报（示例）")}
    assert world.desk("city").post("/v1/ops", json=gone).status_code == 200
    make.problem(world, a, world.site(A))
    do(world, "restate", made, note="迟到同步（示例）")
    make.problem(world, b, world.site(B))
    yield made


def do(world: World, verb: str, name: str, **args: Any) -> str:
    done = world.desk("city").post("/v1/ops", json={"verb": f"ledger.{verb}", "ent": {"t": "ledger", "id": name}, "args": args})
    assert done.status_code == 200, done.text
    return str(done.json["result"]["number"])


def got(world: World, path: str, login: str = "city", **query: str) -> bytes:
    answer = world.desk(login).get(f"/v1/exports/{path}", query_string=query)
    assert answer.status_code == 200, answer.text
    return bytes(answer.data)


def lines(data: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *rows, last = data.splitlines(keepends=True)
    said = json.loads(last)
    assert said["rows"] == len(rows) and said["sha256"] == hashlib.sha256(b"".join(rows)).hexdigest()
    return [json.loads(row) for row in rows], said


def table(form: str, data: bytes) -> list[list[str]]:
    """All lines of a table as words, of either form."""
    if form == "csv":
        return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    cells = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0].iter_rows()
    found = [list(row) for row in cells]
    assert {cell.data_type for row in found for cell in row} <= {"s", "n", "inlineStr"}, "no cell is a formula"
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in found]


@pytest.mark.answers("exports.period", 200)
def test_a_published_period_is_the_same_in_every_form_and_says_what_it_is(world: World, number: str) -> None:
    shown = world.desk("city").get(f"/v1/periods/{number}").json
    rows, said = lines(got(world, f"periods/{number}.jsonl"))
    assert [row for row in rows if row["id"]] == shown["figures"]["rows"] and rows[-1] == {**shown["figures"]["total"], "id": "", "name": "合计"}
    assert (said["number"], said["digest"], said["note"]) == (number, shown["period"]["digest"], NOTE)
    assert said["completeness"] == shown["period"]["completeness"]
    for form in ("csv", "xlsx"):
        head, *found = table(form, got(world, f"periods/{number}.{form}"))
        assert head == [title for _, title in COLUMNS]
        assert [row[2:] for row in found[: len(rows)]] == [[str(row[name]) for name in MEASURES] for row in rows]
        foot = [" ".join(row).strip() for row in found[len(rows) :]]
        assert f"共 {len(rows)} 行" in foot[0] and f"# 编号 {number}" in foot and f"# 公布摘要 sha256 {said['digest']}" in foot
        tasks = said["completeness"]["tasks"]
        assert any(f"任务 {tasks['total']}，完成 {tasks['done']}" in line for line in foot)
        assert ["# 说明", f"'{NOTE}"] in [row[:2] for row in found] if form == "csv" else f"# 说明 {NOTE}" in foot
    late = lines(got(world, f"periods/{number}.jsonl"))
    assert late == (rows, said), "whatever came since"


@pytest.mark.answers("exports.restatement", 200)
def test_then_now_and_why_are_a_row_for_each_figure_and_the_reasons_sum_to_the_difference(world: World, number: str) -> None:
    rows, said = lines(got(world, f"restatements/{number}.jsonl", edition="1"))
    assert said["restatement"]["number"] == f"{number}-R1" and said["restatement"]["note"] == "迟到同步（示例）" and said["number"] == number
    for row in rows:
        assert row["now"] - row["then"] == row["difference"] == sum(map(int, re.findall(r" ([+-]\d+)", row["why"])))
    (found,) = (row for row in rows if row["id"] == A and row["measure"] == MEASURES_ZH["found"])
    assert "撤销 -1" in found["why"] and "期内发现，公布后收到（迟到同步） +1" in found["why"] and found["difference"] == 0
    live, now = lines(got(world, f"restatements/{number}.jsonl"))
    assert now["restatement"]["number"] is None and now["restatement"]["clock"] > said["restatement"]["clock"]
    of_b = [[row["difference"] for row in told if row["id"] == B and row["measure"] == MEASURES_ZH["found"]] for told in (rows, live)]
    assert of_b == [[0], [1]], "what came after the restatement is in the answer of now alone"
    for form in ("csv", "xlsx"):
        told_rows = table(form, got(world, f"restatements/{number}.{form}", edition="1"))[1 : len(rows) + 1]
        assert [row[3:5] for row in told_rows] == [[str(row["then"]), str(row["now"])] for row in rows]
    by = lines(got(world, f"restatements/{number}.jsonl", by="department"))[0]
    assert by[-1]["name"] == "合计" and {row["id"] for row in by} != {row["id"] for row in live}


def test_each_reader_gets_their_own_part_of_a_published_period(world: World, number: str) -> None:
    mine, said = lines(got(world, f"periods/{number}.jsonl", "zhangdian"))
    whole = {row["id"]: row for row in lines(got(world, f"periods/{number}.jsonl"))[0]}
    assert mine[-1]["found"] == whole[A]["found"] < whole[""]["found"]
    assert set(said["completeness"]["districts"]) <= {A} and said["completeness"]["devices"]["silent_devices"] is None


@pytest.mark.answers("exports.period", 403, 404, 422)
@pytest.mark.answers("exports.restatement", 403, 404, 422)
def test_who_may_not_export_gets_nothing_and_what_is_not_there_is_not_found(world: World, number: str) -> None:
    for what in ("periods", "restatements"):
        for login in ("inspector_a", "kindergarten"):
            assert told(world.desk(login).get(f"/v1/exports/{what}/{number}.csv")) == (403, "forbidden")
        for path in (f"{number}.pdf", f"{number}.geojson", "QB-1999-0001.csv", f"{number}-R1.csv", f"{number}.csv?node={B}"):
            assert told(world.desk("zhangdian").get(f"/v1/exports/{what}/{path}")) == (404, "not_found"), path
        assert told(world.desk("city").get(f"/v1/exports/{what}/{number}.csv?by=charm")) == (422, "invalid")
    assert told(world.desk("city").get(f"/v1/exports/restatements/{number}.csv?edition=7")) == (404, "not_found")


@pytest.mark.parametrize("form", FORMS)
def test_the_command_writes_the_same_file(world: World, number: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.app.create_app", lambda: world.app)
    for what, more in (("periods", []), ("restatements", ["--restated", "--edition", "1"])):
        query = {"edition": "1"} if more else {}
        out = tmp_path / f"{what}.{form}"
        done = CliRunner().invoke(main, ["ledger", "file", number, "--format", form, "--out", str(out), *more])
        assert done.exit_code == 0, done.output
        same = got(world, f"{what}/{number}.{form}", **query)
        assert table(form, out.read_bytes()) == table(form, same) if form == "xlsx" else out.read_bytes() == same
